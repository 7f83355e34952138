//! The subcommands. Results go to stdout, logs and progress to stderr.
//!
//! Exit codes: 0 done and well; 1 done, and something failed or does not hold; 2 wrong usage or config; 3 `--fail-on`
//! met. Findings alone never change the exit code.

mod args;
mod check;
mod history;
mod ingest;
mod init;
mod keys;
mod ledger;
mod mail;
mod output;
mod population;
mod report;
mod serve;
mod succeed;
mod token;
mod verify;

use crate::config::{Config, ConfigError};
use crate::jobs::{Desk, DeskError, JobError};
use args::{Arguments, Command};
use clap::Parser;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What a command came to.
pub(crate) enum Ended {
    /// Done and well.
    Well,
    /// Done, and something failed or does not hold.
    Something,
    /// `--fail-on` was met.
    FailOn,
}

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// The config file cannot be read.
    #[error(
        "cannot read the config {0}: {1}\n  give one with --config FILE or $ACTLEDGER_CONFIG, or make one: actledger init"
    )]
    NoConfig(PathBuf, std::io::Error),
    /// The config is refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The key.
    #[error(transparent)]
    Desk(#[from] DeskError),
    /// A value of the command line.
    #[error("{0}")]
    Usage(String),
    /// A job.
    #[error(transparent)]
    Job(#[from] JobError),
    /// Anything else.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

impl From<crate::store::StoreError> for CliError {
    fn from(e: crate::store::StoreError) -> CliError {
        CliError::Job(JobError::Store(e))
    }
}

impl CliError {
    fn code(&self) -> u8 {
        match self {
            CliError::NoConfig(..) | CliError::Config(_) | CliError::Desk(_) | CliError::Usage(_) => 2,
            CliError::Job(_) | CliError::Other(_) => 1,
        }
    }
}

/// Runs the command of this process.
pub fn run() -> ExitCode {
    let filter =
        tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "actledger=info".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).init();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(e) => {
            let code = if e.use_stderr() { 2 } else { 0 };
            let _ = e.print();
            return ExitCode::from(code);
        }
    };
    match dispatch(&arguments) {
        Ok(Ended::Well) => ExitCode::SUCCESS,
        Ok(Ended::Something) => ExitCode::from(1),
        Ok(Ended::FailOn) => ExitCode::from(3),
        Err(e) => {
            output::error(&e);
            ExitCode::from(e.code())
        }
    }
}

fn dispatch(arguments: &Arguments) -> Result<Ended, CliError> {
    let path = arguments.config.clone().unwrap_or_else(|| "actledger.toml".into());
    let desk = || {
        let press = std::env::current_exe().ok();
        Ok::<_, CliError>(Desk { press, ..Desk::lay(config(&path)?)? })
    };
    match &arguments.command {
        Command::Init { origin } => init::run(&path, origin.as_deref()),
        Command::SetPdf => report::set_pdf(),
        Command::Check(o) => check::run(&desk()?, o.json),
        Command::Ingest(o) => ingest::run(&desk()?, o),
        Command::Assess => report::assess(&desk()?),
        Command::Report(o) => report::run(&desk()?, o),
        Command::Export(o) => report::export(&desk()?, o),
        Command::Population(o) => population::run(&desk()?, o),
        Command::Verify(o) if o.stands_alone() => verify::alone(o),
        Command::Verify(o) => verify::run(&config(&path)?, o),
        Command::Serve => serve::run(desk()?),
        Command::Mail(o) => mail::run(&desk()?, o),
        Command::Token(o) => token::run(&desk()?, o),
        Command::Ledger(o) => ledger::run(&desk()?, o),
    }
}

fn config(path: &Path) -> Result<Config, CliError> {
    let text = std::fs::read_to_string(path).map_err(|e| CliError::NoConfig(path.to_owned(), e))?;
    let dir = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(Config::parse(&text, &path.display().to_string(), dir)?)
}
