//! What may stand on the command line.

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// The audit ledger of AI policy-as-code.
#[derive(Parser)]
#[command(name = "actledger", version, about, max_term_width = 100)]
pub(super) struct Arguments {
    /// Config file.
    #[arg(long, global = true, env = "ACTLEDGER_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub(super) enum Command {
    /// Set the PDF of a manuscript from standard input to standard output; the other commands start it.
    #[command(hide = true)]
    SetPdf,
    /// Write a commented actledger.toml, systems.toml and the signing key.
    Init {
        /// Name of the log and its key, which never changes: `actledger.example.com/main`.
        #[arg(long, value_name = "NAME")]
        origin: Option<String>,
    },
    /// Reach every source and the mail server; say what is missing and what is lost without it.
    Check(Json),
    /// One pass over the sources now.
    Ingest(Ingest),
    /// Bring findings and risk levels up to date.
    Assess,
    /// Make a report; without --as-of, assess first.
    Report(Report),
    /// Make an evidence bundle that an auditor checks without us.
    Export(Export),
    /// All entries of a kind, counted against what their sources read, or a sample of them that anybody can draw again.
    Population(Population),
    /// Check the whole record, a copy of it, or a bundle.
    Verify(Verify),
    /// The daemon: schedules and pages.
    Serve,
    /// Send what waits, or a test.
    #[command(subcommand)]
    Mail(Mail),
    /// Access tokens of the pages.
    #[command(subcommand)]
    Token(Token),
    /// Look at the record, copy it, look after its key and its private values.
    #[command(subcommand)]
    Ledger(Ledger),
}

#[derive(Args)]
pub(super) struct Json {
    /// One JSON document on stdout.
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub(super) struct Ingest {
    /// Only these sources.
    pub names: Vec<String>,
    /// Reads one source of flow logs once more: what was read for other systems or ports becomes revisions.
    #[arg(long, requires = "from")]
    pub again: bool,
    /// From this time on.
    #[arg(long, value_name = "T", requires = "again")]
    pub from: Option<String>,
    /// Reads buckets of model artifacts alone, and computes the SHA-256 of their files from the bytes, up to `hash_up_to`.
    #[arg(long, conflicts_with = "again")]
    pub hash: bool,
    /// One JSON document on stdout.
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub(super) struct Report {
    /// Size, time or file with a checkpoint: the latest assessment not after it.
    #[arg(long, value_name = "SIZE|TIME|FILE")]
    pub as_of: Option<String>,
    /// Start of the period.
    #[arg(long, value_name = "T")]
    pub from: Option<String>,
    /// End of the period: the latest assessment not after it.
    #[arg(long, value_name = "T")]
    pub to: Option<String>,
    /// Only this system.
    #[arg(long = "system", value_name = "ID")]
    pub systems: Vec<String>,
    /// Only systems of this team.
    #[arg(long, value_name = "NAME")]
    pub team: Option<String>,
    /// html, pdf, json, csv, oscal, ocsf.
    #[arg(long, value_delimiter = ',', default_value = "html,pdf,json")]
    pub format: Vec<String>,
    /// Folder that the files go to.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub out: PathBuf,
    /// Exit with 3 when a finding has this status.
    #[arg(long, value_name = "STATUS")]
    pub fail_on: Option<String>,
}

#[derive(Args)]
pub(super) struct Export {
    /// Entries recorded from this time on.
    #[arg(long, value_name = "T")]
    pub from: Option<String>,
    /// Entries recorded up to this time.
    #[arg(long, value_name = "T")]
    pub to: Option<String>,
    /// Size, time or file with a checkpoint.
    #[arg(long, value_name = "SIZE|TIME|FILE")]
    pub as_of: Option<String>,
    /// Only evidence of this system.
    #[arg(long = "system", value_name = "ID")]
    pub systems: Vec<String>,
    /// Only evidence of this control.
    #[arg(long = "control", value_name = "ID")]
    pub controls: Vec<String>,
    /// Withhold private values; their places are proved all the same.
    #[arg(long)]
    pub redact: bool,
    /// The ZIP.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

#[derive(Args)]
pub(super) struct Population {
    /// Their kind: sentinel.run, kubernetes.workload, artifact.version, ...
    pub kind: String,
    /// Only of this source.
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,
    /// What happened, or was first seen, from this time on.
    #[arg(long, value_name = "T")]
    pub from: Option<String>,
    /// What happened, or was first seen, up to this time.
    #[arg(long, value_name = "T")]
    pub to: Option<String>,
    /// Size, time or file with a checkpoint.
    #[arg(long, value_name = "SIZE|TIME|FILE")]
    pub as_of: Option<String>,
    /// Draw so many, 1000 at most.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub sample: Option<u64>,
    /// What the draw depends on, any text of yours; without it the root of the as-of.
    #[arg(long, value_name = "TEXT", requires = "sample")]
    pub seed: Option<String>,
    /// The file: CSV, or JSON with the counts if it ends in .json.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

#[derive(Args)]
pub(super) struct Verify {
    /// Another ledger, a backup for example.
    #[arg(long, value_name = "FILE", conflicts_with = "bundle")]
    pub ledger: Option<PathBuf>,
    /// A bundle.
    #[arg(long, value_name = "FILE")]
    pub bundle: Option<PathBuf>,
    /// The key that you were given: a file, or NAME+HASH+KEY.
    #[arg(long, value_name = "FILE|VKEY")]
    pub public_key: Option<String>,
    /// Fetches so many flow-log objects from their bucket again and compares their bytes with the record.
    #[arg(long, value_name = "N", conflicts_with_all = ["bundle", "ledger"])]
    pub refetch: Option<usize>,
    /// A file with an old checkpoint, a saved mail for example.
    #[arg(long, value_name = "FILE")]
    pub since: Option<PathBuf>,
    /// One JSON document on stdout.
    #[arg(long)]
    pub json: bool,
}

impl Verify {
    /// Whether no config is needed.
    pub(super) fn stands_alone(&self) -> bool {
        self.ledger.is_some() || self.bundle.is_some()
    }
}

#[derive(Subcommand)]
pub(super) enum Mail {
    /// Send what waits.
    Send {
        /// Print the mails instead.
        #[arg(long)]
        dry_run: bool,
    },
    /// Send one line to every list.
    Test,
}

/// Roles of tokens.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum RoleName {
    /// Reads everything, and exports.
    Auditor,
    /// Reads of the systems of one team.
    Team,
    /// Runs jobs, and sees how the service is.
    Operator,
}

#[derive(Subcommand)]
pub(super) enum Token {
    /// Make a token; it is shown once.
    Add {
        /// Whose it is.
        name: String,
        /// What it lets do: read everything and export, read of one team's systems, or run jobs.
        #[arg(long, value_enum, default_value = "auditor")]
        role: RoleName,
        /// Of `--role team`: which.
        #[arg(long)]
        team: Option<String>,
        /// Days until it ends, 366 at most.
        #[arg(long, default_value_t = 90)]
        days: i64,
    },
    /// Names of all tokens.
    List,
    /// Take a token away.
    Revoke {
        /// Whose it was.
        name: String,
    },
}

#[derive(Subcommand)]
pub(super) enum Ledger {
    /// Size, root, key, last look of each source.
    Info(Json),
    /// One entry with its proof.
    Show {
        /// Its number.
        seq: u64,
    },
    /// Every change of a system's risk level; with --on, its level on a day and what was known of it on that day.
    History {
        /// The system.
        system: String,
        /// The day: 2026-11-10.
        #[arg(long, value_name = "DAY")]
        on: Option<String>,
        /// One JSON document on stdout.
        #[arg(long)]
        json: bool,
    },
    /// The last signed checkpoint.
    Checkpoint,
    /// Copy the ledger as of now into a new file.
    Backup {
        /// The new file; `-` for stdout.
        file: PathBuf,
    },
    /// Build state.db anew from the entries.
    Rebuild,
    /// Make a new signing key and hand the signing over to it.
    RotateKey {
        /// A key that was made elsewhere (`actledger init`), where the key in force cannot be written over: a secret of a cluster.
        #[arg(long, value_name = "FILE")]
        next: Option<PathBuf>,
    },
    /// Begin a new ledger that follows one that ended: its key was lost, it was restored from a backup, it grew too big.
    Succeed {
        /// A file with the last checkpoint of the ledger that ended: a saved mail, or the ledger file itself.
        #[arg(long, value_name = "FILE")]
        predecessor: PathBuf,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Erase private values for good; the proof stays.
    ErasePrivate {
        /// Values of entries recorded before this time; by default those older than [private] keep_days.
        #[arg(long, value_name = "T")]
        before: Option<String>,
        /// This value, wherever it stands by itself; longer values that hold it are named.
        #[arg(long, value_name = "V")]
        value: Option<String>,
        /// Why; required for values younger than [private] keep_days.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
}
