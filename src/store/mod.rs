//! The only SQL: `ledger.db`, the record itself, and `state.db`, which is derived from it and can be deleted.
//!
//! The commit point is one transaction of `ledger.db` with entries, openings, blobs, tiles and the signed checkpoint.

mod access;
mod append;
mod backup;
mod check;
mod commit;
mod proof;
mod read;
mod schema;
mod state;

pub use access::{Access, Pass};
pub use append::{Appended, Writer};
pub use backup::BackupError;
pub use check::Fold;
pub use commit::{Commit, Row};
pub use proof::Proved;
pub use read::Reader;
pub use state::{Anew, FindingRow, State};

use crate::evidence::record::Predecessor;
use crate::evidence::{Kind, Time};
use crate::ledger::Signer;
use crate::ledger::entry::EntryError;
use rusqlite::Connection;
use std::path::{Path, PathBuf};

/// How far behind the head of the ledger the clock may be.
pub const CLOCK_BEHIND_SECONDS: i64 = 120;

/// Why the store refuses or fails.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No ledger there.
    #[error("no ledger at {0}: the first `actledger ingest`, `report` or `serve` makes one")]
    Missing(PathBuf),
    /// A file system that SQLite cannot lock.
    #[error("{path} lies on {filesystem}: a ledger needs a local disk, SQLite's locks do not hold there")]
    NetworkDisk {
        /// Where the ledger was to lie.
        path: PathBuf,
        /// The kind of file system.
        filesystem: String,
    },
    /// A change from a key to itself would break the record.
    #[error("{0} signs already; nothing was written")]
    SignsAlready(String),
    /// The clock went back.
    #[error(
        "the clock says {now}, the last entry was recorded at {head}: set the clock; nothing was written. If it was that entry's clock that was wrong, begin a new ledger: actledger ledger succeed"
    )]
    ClockBehind {
        /// The clock.
        now: Time,
        /// The last entry.
        head: Time,
    },
    /// The key is not the one that signs this ledger.
    #[error(
        "the signing key is {given}, this ledger is signed by {expected}: restore that key; if it is lost, begin a new ledger with `actledger ledger succeed`; after a rotation that was interrupted, run `actledger ledger rotate-key` again"
    )]
    WrongKey {
        /// Key of the config.
        given: String,
        /// Key of the ledger.
        expected: String,
    },
    /// The rows are not those that the last checkpoint was signed over.
    #[error(
        "the last checkpoint was not signed over the {size} entries that are here: run `actledger verify`; nothing was written"
    )]
    Unsigned {
        /// Entries that are here.
        size: u64,
    },
    /// Hashes of the tree that should be stored are not.
    #[error("hashes {from} to {to} of level {level} of the tree are missing: run `actledger verify`")]
    Hashes {
        /// Tile level.
        level: u32,
        /// First place.
        from: u64,
        /// Place after the last one.
        to: u64,
    },
    /// An entry that the last checkpoint does not cover, or not with these bytes.
    #[error("entry {seq} is not proved: {what}")]
    Unproved {
        /// The entry.
        seq: u64,
        /// Why not.
        what: String,
    },
    /// Tables of an earlier version in a file that is only read.
    #[error(
        "{0} was written by an earlier version: any command that writes brings its tables up to date, `actledger ingest` for example"
    )]
    OldTables(PathBuf),
    /// state.db knows of a ledger that is not here.
    #[error(
        "state.db has folded {known} entries, and {size} are here: an older file was put in place, or the ledger is missing. `actledger verify --since MAIL` tells; bring the newer file back, or begin a new ledger with `actledger ledger succeed`. If state.db alone is wrong: `actledger ledger rebuild`"
    )]
    OlderLedger {
        /// Entries that state.db has seen.
        known: u64,
        /// Entries that are here.
        size: u64,
    },
    /// Erased values that are still in the write-ahead log.
    #[error(
        "another process is reading, so old pages stay in the file and its write-ahead log: run the same command again"
    )]
    StillInLog,
    /// An entry cannot be written.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// The stored bytes are no entry.
    #[error("entry {0} cannot be read: run `actledger verify`")]
    Unreadable(u64),
    /// No space.
    #[error(
        "{what}: the disk is full; nothing of it was written, and the next run goes on when there is space"
    )]
    Full {
        /// What was tried.
        what: String,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// SQLite says no.
    #[error("{what}")]
    Sql {
        /// What was tried.
        what: String,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// A migration of the schema failed.
    #[error("the tables of {0} cannot be brought up to date")]
    Migration(PathBuf, #[source] rusqlite_migration::Error),
    /// The file system or the random source says no.
    #[error("{0}")]
    Io(String, #[source] std::io::Error),
}

pub(crate) fn sql(what: impl Into<String>) -> impl FnOnce(rusqlite::Error) -> StoreError {
    let what = what.into();
    move |source| {
        // A full disk shows first where the shared memory of the write-ahead log grows.
        let code = source.sqlite_error().map(|e| (e.code, e.extended_code));
        match code {
            Some((rusqlite::ErrorCode::DiskFull, _)) | Some((_, rusqlite::ffi::SQLITE_IOERR_SHMSIZE)) => {
                StoreError::Full { what, source }
            }
            _ => StoreError::Sql { what, source },
        }
    }
}

/// The two files, open for writing.
pub struct Store {
    ledger: Connection,
    state: State,
    path: PathBuf,
}

impl Store {
    /// Opens the ledger, and makes one with entry 0 where there is none.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn open_or_create(path: &Path, writer: &Writer<'_>, reason: &str) -> Result<Store, StoreError> {
        let new = !path.exists();
        let mut store = Store::open_file(path)?;
        if new || store.reader().size()? == 0 {
            if let Some(known) = store.state.folded()?.filter(|n| *n > 0) {
                return Err(StoreError::OlderLedger { known, size: 0 });
            }
            store.begin_ledger(writer, reason, None)?;
        }
        Ok(store)
    }

    /// Opens a file without entries, to be filled by [`Store::commit`].
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn open_empty(path: &Path) -> Result<Store, StoreError> {
        Store::open_file(path)
    }

    /// Opens a new ledger that follows one that ended.
    ///
    /// # Errors
    /// A ledger is there already; see [`StoreError`].
    pub fn succeed(
        path: &Path,
        writer: &Writer<'_>,
        reason: &str,
        predecessor: Predecessor,
    ) -> Result<Store, StoreError> {
        if path.exists() {
            let there = std::io::Error::from(std::io::ErrorKind::AlreadyExists);
            return Err(StoreError::Io(format!("a ledger is at {} already", path.display()), there));
        }
        let mut store = Store::open_file(path)?;
        store.begin_ledger(writer, reason, Some(predecessor))?;
        Ok(store)
    }

    /// Commits prepared rows as they are: nothing is left out as known, nothing is sealed, their form is not checked. The
    /// batch that evidence becomes goes the same way.
    ///
    /// # Errors
    /// See [`StoreError`]; nothing was written then.
    pub fn commit(&mut self, signer: &Signer, rows: Vec<Row>) -> Result<(u64, String), StoreError> {
        let mut commit = Commit::begin(&mut self.ledger, signer)?;
        rows.into_iter().for_each(|row| commit.push(row));
        commit.finish(signer, None)
    }

    /// Entries of a kind of our own, oldest first: number, time recorded, payload.
    ///
    /// # Errors
    /// SQLite's reason, or a payload of another shape.
    pub fn own<T: serde::de::DeserializeOwned>(&self, kind: Kind) -> Result<Vec<(u64, Time, T)>, StoreError> {
        self.catch_up()?;
        let read = |seq| {
            let entry = self.reader().entry(seq)?.entry;
            let payload = serde_json::from_value(entry.payload).map_err(|_| StoreError::Unreadable(seq))?;
            Ok((seq, entry.recorded_at, payload))
        };
        self.state.own_events(kind)?.into_iter().map(read).collect()
    }

    /// Opens a ledger that is there.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when it is not, and what SQLite says.
    pub fn open(path: &Path) -> Result<Store, StoreError> {
        if path.exists() { Store::open_file(path) } else { Err(StoreError::Missing(path.to_owned())) }
    }

    fn open_file(path: &Path) -> Result<Store, StoreError> {
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir)
                .map_err(|e| StoreError::Io(format!("cannot make the folder {}", dir.display()), e))?;
        }
        refuse_network_disk(path)?;
        let ledger = schema::open_ledger(path)?;
        let state = State::open(&state_path(path))?;
        Ok(Store { ledger, state, path: path.to_owned() })
    }

    /// Reading from the same connection.
    pub fn reader(&self) -> Reader<'_> {
        Reader::over(&self.ledger)
    }

    /// Folds what the derived tables do not hold yet.
    ///
    /// # Errors
    /// What SQLite says; an entry that cannot be read.
    pub fn catch_up(&self) -> Result<(), StoreError> {
        self.state.catch_up(&self.reader())
    }

    /// The derived tables.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Where the ledger lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Builds `state.db` anew from the entries. Gives what differed before.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn rebuild_state(&self) -> Result<Vec<String>, StoreError> {
        self.put_right(Anew::begin(&self.path)?)
    }

    /// Folds the entries that are not folded anew yet, and puts all in the place of what differs. Gives what did.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn put_right(&self, anew: Anew) -> Result<Vec<String>, StoreError> {
        let fresh = anew.end()?;
        fresh.catch_up(&self.reader())?;
        if self.state.folded()?.is_some_and(|n| n <= fresh.folded().ok().flatten().unwrap_or(0)) {
            self.state.catch_up(&self.reader())?;
        }
        let differs = self.state.differences(&fresh)?;
        if !differs.is_empty() {
            self.state.replace_with(&fresh)?;
        }
        Ok(differs)
    }
}

/// `state.db` lies beside `ledger.db`.
pub fn state_path(ledger: &Path) -> PathBuf {
    let name = ledger.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let state =
        if name.contains("ledger") { name.replace("ledger", "state") } else { format!("{name}.state") };
    ledger.with_file_name(state)
}

fn refuse_network_disk(path: &Path) -> Result<(), StoreError> {
    let dir = path.parent().and_then(|p| p.canonicalize().ok()).unwrap_or_default();
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let filesystem = filesystem_of(&mounts, &dir);
    let network = [
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "afs",
        "ceph",
        "glusterfs",
        "lustre",
        "fuse.sshfs",
        "fuse.s3fs",
    ];
    match filesystem {
        Some(f) if network.contains(&f) => {
            Err(StoreError::NetworkDisk { path: path.to_owned(), filesystem: f.to_owned() })
        }
        _ => Ok(()),
    }
}

fn filesystem_of<'a>(mounts: &'a str, dir: &Path) -> Option<&'a str> {
    let fields = mounts.lines().map(|l| l.split(' ').collect::<Vec<_>>());
    let under = fields.filter(|f| f.len() > 2 && dir.starts_with(f[1]));
    under.max_by_key(|f| f[1].len()).map(|f| f[2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_mount_tells_the_file_system() {
        let mounts = "/dev/a / ext4 rw 0 0\nsrv:/x /data nfs4 rw 0 0\n/dev/b /data/local xfs rw 0 0\n";
        assert_eq!(filesystem_of(mounts, Path::new("/data/ledger")), Some("nfs4"));
        assert_eq!(filesystem_of(mounts, Path::new("/data/local/ledger")), Some("xfs"));
        assert_eq!(filesystem_of(mounts, Path::new("/home")), Some("ext4"));
    }
}
