//! Everything a job needs at hand: config, key, clock, randomness, catalogue.

use super::{Hints, JobError};
use crate::act::{Catalogue, OverrideError};
use crate::clock::{Clock, Randomness};
use crate::config::Config;
use crate::evidence::Time;
use crate::evidence::record::{AssessmentConfig, SourceConfig};
use crate::ledger::{Signer, note};
use crate::sources::files;
use crate::sources::flow_logs::Selection;
use crate::sources::kubernetes::Changes;
use crate::store::{Store, Writer};
use ed25519_dalek::pkcs8::DecodePrivateKey;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What jobs work with.
pub struct Desk {
    /// The config.
    pub config: Config,
    /// The right to sign.
    pub signer: Signer,
    /// The time.
    pub clock: Clock,
    /// Salts and tokens.
    pub randomness: Randomness,
    /// The catalogue.
    pub catalogue: Catalogue,
    /// Where the watches of each live cluster leave its changes, by the name of its source.
    pub changes: BTreeMap<String, Arc<Changes>>,
    /// Sources of which a notification said that there is something new.
    pub hints: Hints,
    /// The program that sets PDFs, with [`super::SET_PDF`]; none where this process does.
    pub press: Option<PathBuf>,
}

/// Why the desk cannot be laid.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// No key.
    #[error("cannot read the signing key {0}: `actledger init` makes one")]
    NoKey(std::path::PathBuf, #[source] std::io::Error),
    /// A key that others can read signs nothing that anyone should believe.
    #[error("{0} can be read by everyone on this machine: chmod o-rwx it, and think about a new key")]
    OpenKey(std::path::PathBuf),
    /// Not a key.
    #[error("{0} is no Ed25519 key in PKCS#8 PEM (`openssl genpkey -algorithm ed25519` makes one)")]
    NotAKey(std::path::PathBuf),
    /// A catalogue that cannot be.
    #[error("act.{0}")]
    Act(#[from] OverrideError),
    /// No randomness, no looks.
    #[error("{0}")]
    Demo(String),
}

impl Desk {
    /// What flow logs are read for by the config alone: watched ports.
    pub fn watched(&self) -> Selection {
        let Config { network, .. } = &self.config;
        Selection::new(network.clone(), &network.watched(&self.catalogue.pack.ports))
    }

    /// Reads the key; in a demonstration, derives it from the seed and sets the clock to the end of the looks.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub fn lay(config: Config) -> Result<Desk, DeskError> {
        let catalogue = Catalogue::with(config.act.overrides())?;
        let origin = config.ledger.origin.clone();
        let live = config.gatekeeper.iter().filter(|s| !s.is_folder());
        let changes = live.map(|s| (s.name.clone(), Arc::default())).collect();
        let (signer, clock, randomness) = match config.demo {
            Some(demo) => {
                let randomness = Randomness::seeded(demo.seed);
                let secret = randomness.bytes("signing key").map_err(|e| DeskError::Demo(e.to_string()))?;
                let last = demo_nights(&config)?.last().copied().unwrap_or_default();
                (Signer::new(&origin, &secret), Clock::at(last), randomness)
            }
            None => {
                // Between the two renames of a rotation the new key still has its first name.
                let path = &config.ledger.signing_key;
                let next = path.with_extension("key.next");
                let signer = read_key(if path.exists() || !next.exists() { path } else { &next }, &origin)?;
                (signer, Clock::System, Randomness::System)
            }
        };
        let hints = Hints::default();
        Ok(Desk { config, signer, clock, randomness, catalogue, changes, hints, press: None })
    }

    /// Sources whose watches left changes that no pass has read, or of which a notification came.
    pub fn changed(&self) -> Vec<String> {
        let watched = self.changes.iter().filter(|(_, changes)| changes.is_waiting());
        watched.map(|(name, _)| name.clone()).chain(self.hints.waiting()).collect()
    }

    /// What writing needs.
    pub fn writer(&self) -> Writer<'_> {
        Writer { signer: &self.signer, clock: &self.clock, randomness: &self.randomness }
    }

    /// Opens the ledger, and makes one where there is none.
    ///
    /// # Errors
    /// The store's reason.
    pub fn store(&self) -> Result<Store, JobError> {
        Ok(Store::open_or_create(&self.config.ledger.path, &self.writer(), "first use")?)
    }

    /// Keeps other processes from doing the same job while the value lives.
    ///
    /// # Errors
    /// Another process does it.
    pub fn lock(&self, job: &str) -> Result<File, JobError> {
        let path = self.config.ledger.path.with_extension(format!("{job}.lock"));
        let failed = |e| JobError::Io(format!("cannot make the lock file {}", path.display()), e);
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir).map_err(failed)?;
        }
        let file = File::create(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(std::fs::TryLockError::WouldBlock) => Err(JobError::Locked(path)),
            Err(std::fs::TryLockError::Error(e)) => Err(failed(e)),
        }
    }

    /// Values of the config that verdicts and reports depend on: they go into `assessment.run`.
    pub fn assessment_config(&self) -> AssessmentConfig {
        let c = &self.config;
        let register = c.register.iter().map(|_| {
            let location = "files of people, in their git".to_owned();
            (
                "register".to_owned(),
                SourceConfig { kind: "register".into(), location, ..SourceConfig::default() },
            )
        });
        let sources = c.sources().map(|(kind, s)| {
            let off = (!s.collect).then(|| s.reason.clone().unwrap_or_else(|| "no reason given".into()));
            let (flow_logs, pattern) = (s.flow_logs.clone(), s.pattern.clone());
            let (kind, location) = (kind.name().into(), s.location.clone());
            (s.name.clone(), SourceConfig { kind, location, off, flow_logs, pattern })
        });
        AssessmentConfig {
            organization: c.organization.clone(),
            timezone: c.timezone.clone(),
            profile: c.act.profile.clone(),
            own: c.network.own.iter().map(ToString::to_string).collect(),
            ranges: c.network.range.iter().map(|r| (r.name.clone(), r.cidr.to_string())).collect(),
            ingest_interval: crate::config::cron::interval(&c.schedule.ingest, &c.timezone),
            sources: sources.chain(register).collect(),
            demonstration: c.demo.is_some(),
            timetable: c.act.timetable.clone(),
            parameters: c.act.parameters.clone(),
        }
    }
}

/// The scheduled report times of a demonstration: one after each day that has a look.
///
/// # Errors
/// A folder of looks that cannot be read, or without any.
pub fn demo_nights(config: &Config) -> Result<Vec<Time>, DeskError> {
    let mut times = Vec::new();
    for (_, source) in config.sources() {
        let looks = files::looks(&source.folder(&config.base)).map_err(DeskError::Demo)?;
        times.extend(looks.iter().filter_map(|l| l.at));
    }
    let (Some(first), Some(last)) = (times.iter().min(), times.iter().max()) else {
        return Err(DeskError::Demo("a demonstration needs looks in folders named by their time".into()));
    };
    let mut nights = Vec::new();
    let mut due = crate::config::cron::next(&config.schedule.report, &config.timezone, *first);
    while let Some(t) = due {
        nights.push(t);
        if t >= *last {
            break;
        }
        due = crate::config::cron::next(&config.schedule.report, &config.timezone, t);
    }
    Ok(nights)
}

/// Reads an Ed25519 key in PKCS#8 PEM.
///
/// # Errors
/// It is not there, is no such key, or can be read by everyone.
pub fn read_key(path: &Path, origin: &str) -> Result<Signer, DeskError> {
    use std::os::unix::fs::PermissionsExt;
    let missing = |e| DeskError::NoKey(path.to_owned(), e);
    let mode = std::fs::metadata(path).map_err(missing)?.permissions().mode();
    if mode & 0o007 != 0 {
        return Err(DeskError::OpenKey(path.to_owned()));
    }
    let pem = std::fs::read_to_string(path).map_err(missing)?;
    let key =
        ed25519_dalek::SigningKey::from_pkcs8_pem(&pem).map_err(|_| DeskError::NotAKey(path.to_owned()))?;
    Ok(note::Signer::new(origin, &key.to_bytes()))
}
