//! Tables and their migrations.

use super::{StoreError, sql};
use crate::ledger::header::Header;
use crate::ledger::tree;
use rusqlite::{Connection, OpenFlags, Transaction};
use rusqlite_migration::{HookResult, M, Migrations};
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// Bytes of a page of both files.
const PAGE_BYTES: u32 = 8_192;

const FIRST: &str = "CREATE TABLE entry (seq INTEGER PRIMARY KEY, bytes BLOB NOT NULL, leaf BLOB NOT NULL) STRICT;
     CREATE TABLE tile (level INTEGER NOT NULL, idx INTEGER NOT NULL, hashes BLOB NOT NULL,
                        PRIMARY KEY (level, idx)) STRICT, WITHOUT ROWID;
     CREATE TABLE checkpoint (size INTEGER PRIMARY KEY, note TEXT NOT NULL) STRICT;
     CREATE TABLE opening (seq INTEGER NOT NULL, commitment TEXT NOT NULL, salt BLOB NOT NULL, value TEXT NOT NULL,
                           PRIMARY KEY (seq, commitment)) STRICT, WITHOUT ROWID;
     CREATE TABLE blob (sha256 TEXT PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
     CREATE TRIGGER entry_update BEFORE UPDATE ON entry BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
     CREATE TRIGGER entry_delete BEFORE DELETE ON entry BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
     CREATE TRIGGER tile_update BEFORE UPDATE ON tile BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
     CREATE TRIGGER tile_delete BEFORE DELETE ON tile BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
     CREATE TRIGGER checkpoint_update BEFORE UPDATE ON checkpoint BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
     CREATE TRIGGER checkpoint_delete BEFORE DELETE ON checkpoint BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
     CREATE TRIGGER opening_update BEFORE UPDATE ON opening BEGIN SELECT RAISE(ABORT, 'openings are erased, not changed'); END;
     CREATE TRIGGER blob_update BEFORE UPDATE ON blob BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
     CREATE TRIGGER blob_delete BEFORE DELETE ON blob BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;";

/// Format 1: a tile has its root, a blob the entry it was kept for; erasures and pseudonym keys are told; leaf hashes
/// stand in tiles alone.
/// (A table without row ids reads all of a tile for each step along its roots.)
const SECOND: &str = "CREATE TABLE tile_2 (level INTEGER NOT NULL, idx INTEGER NOT NULL, root BLOB NOT NULL, hashes BLOB NOT NULL,
                        PRIMARY KEY (level, idx)) STRICT;
     CREATE TABLE blob_2 (sha256 TEXT PRIMARY KEY, seq INTEGER NOT NULL, bytes BLOB NOT NULL) STRICT;
     CREATE TABLE erasure (seq INTEGER PRIMARY KEY) STRICT;
     CREATE TABLE pseudonym (year INTEGER PRIMARY KEY, key BLOB NOT NULL) STRICT;";

const SECOND_FILLED: &str = "ALTER TABLE entry DROP COLUMN leaf; DROP TABLE tile; ALTER TABLE tile_2 RENAME TO tile;
     DROP TABLE blob; ALTER TABLE blob_2 RENAME TO blob;
     CREATE TRIGGER tile_update BEFORE UPDATE ON tile BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
     CREATE TRIGGER tile_delete BEFORE DELETE ON tile BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
     CREATE TRIGGER blob_update BEFORE UPDATE ON blob BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
     CREATE TRIGGER blob_delete BEFORE DELETE ON blob BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
     CREATE TRIGGER erasure_update BEFORE UPDATE ON erasure BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
     CREATE TRIGGER erasure_delete BEFORE DELETE ON erasure BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
     CREATE TRIGGER pseudonym_update BEFORE UPDATE ON pseudonym BEGIN SELECT RAISE(ABORT, 'keys are erased, not changed'); END;";

static LEDGER: LazyLock<Migrations<'static>> =
    LazyLock::new(|| Migrations::new(vec![M::up(FIRST), M::up_with_hook(SECOND, fill_second)]));

static STATE: LazyLock<Migrations<'static>> = LazyLock::new(|| {
    Migrations::new(vec![
        M::up(
            "CREATE TABLE folded (one INTEGER PRIMARY KEY CHECK (one = 1), upto INTEGER NOT NULL) STRICT;
             INSERT INTO folded VALUES (1, 0);
             CREATE TABLE seen (source TEXT NOT NULL, key TEXT NOT NULL, seq INTEGER NOT NULL,
                                PRIMARY KEY (source, key)) STRICT, WITHOUT ROWID;
             CREATE TABLE latest (source TEXT NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL, digest BLOB NOT NULL,
                                  seq INTEGER NOT NULL, gone INTEGER NOT NULL,
                                  PRIMARY KEY (source, kind, subject)) STRICT, WITHOUT ROWID;
             CREATE TABLE cursor (source TEXT PRIMARY KEY, look TEXT NOT NULL, seq INTEGER NOT NULL) STRICT;
             CREATE TABLE finding (finding TEXT NOT NULL, unit TEXT NOT NULL, number INTEGER NOT NULL, status TEXT,
                                   seq INTEGER NOT NULL, PRIMARY KEY (finding, unit)) STRICT, WITHOUT ROWID;
             CREATE TABLE token (name TEXT PRIMARY KEY, sha256 TEXT NOT NULL, created TEXT NOT NULL, mac TEXT NOT NULL) STRICT;",
        ),
        // What was folded before the form of blobs and references changed is folded anew.
        // Events are known by a digest of kind, source and key; those of our own are found by their kind as well.
        M::up(
            "DROP TABLE seen; DELETE FROM latest; DELETE FROM cursor; DELETE FROM finding; UPDATE folded SET upto = 0;
             CREATE TABLE seen (event BLOB PRIMARY KEY, seq INTEGER NOT NULL) STRICT, WITHOUT ROWID;
             CREATE TABLE own (kind TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (kind, seq)) STRICT, WITHOUT ROWID;",
        ),
        // Delivered objects and windows of flow logs, as they were last read.
        M::up(
            "DELETE FROM seen; DELETE FROM own; DELETE FROM latest; DELETE FROM cursor; DELETE FROM finding; UPDATE folded SET upto = 0;
             CREATE TABLE delivered (source TEXT NOT NULL, subject TEXT NOT NULL, mark TEXT NOT NULL, revision INTEGER NOT NULL,
                                     selection TEXT NOT NULL, seq INTEGER NOT NULL,
                                     PRIMARY KEY (source, subject)) STRICT, WITHOUT ROWID;",
        ),
        // Resources of plans became events, and marks of runs were divided.
        M::up(
            "DELETE FROM seen; DELETE FROM own; DELETE FROM latest; DELETE FROM cursor; DELETE FROM delivered; DELETE FROM finding;
             UPDATE folded SET upto = 0;",
        ),
        // Tokens have roles and an end, and sessions begin with them: those made before have neither, and are made anew.
        M::up(
            "DROP TABLE token;
             CREATE TABLE pass (sha256 TEXT PRIMARY KEY, session_of TEXT, name TEXT NOT NULL, roles TEXT NOT NULL,
                                created INTEGER NOT NULL, expires INTEGER NOT NULL, mac TEXT NOT NULL) STRICT, WITHOUT ROWID;",
        ),
    ])
});

/// Computes what the tables of format 0 did not hold, from the rows that are there. The bytes of no entry are touched.
fn fill_second(tx: &Transaction<'_>) -> HookResult {
    let mut tiles = tx.prepare("SELECT level, idx, hashes FROM tile")?;
    let mut rows = tiles.query([])?;
    while let Some(r) = rows.next()? {
        let (level, idx, hashes): (u32, u64, Vec<u8>) = (r.get(0)?, r.get(1)?, r.get(2)?);
        let root = tree::root(hashes.as_chunks::<32>().0);
        let query = "INSERT INTO tile_2 (level, idx, root, hashes) VALUES (?1, ?2, ?3, ?4)";
        tx.execute(query, (level, idx, root.as_slice(), hashes))?;
    }
    let mut entries = tx.prepare("SELECT seq, bytes FROM entry ORDER BY seq")?;
    let mut rows = entries.query([])?;
    while let Some(r) = rows.next()? {
        let (seq, bytes): (u64, Vec<u8>) = (r.get(0)?, r.get(1)?);
        let Some(header) = Header::read(&bytes) else { continue };
        for blob in header.blobs {
            let query = "INSERT OR IGNORE INTO blob_2 (sha256, seq, bytes) SELECT sha256, ?1, bytes FROM blob WHERE sha256 = ?2";
            tx.execute(query, (seq, blob.sha256))?;
        }
        if header.kind == "private.erased" {
            tx.execute("INSERT INTO erasure (seq) VALUES (?1)", [seq])?;
        }
    }
    tx.execute_batch(SECOND_FILLED)?;
    Ok(())
}

pub(super) fn open_ledger(path: &Path) -> Result<Connection, StoreError> {
    open(path, &LEDGER, "WAL", "FULL")
}

pub(super) fn open_state(path: &Path) -> Result<Connection, StoreError> {
    open(path, &STATE, "WAL", "NORMAL")
}

/// Derived tables that are gone when the connection is: in a file beside the ledger that has no name any more.
pub(super) fn state_apart(ledger: &Path) -> Result<Connection, StoreError> {
    let path = unnamed_file(ledger)?;
    let made = open(&path, &STATE, "OFF", "OFF");
    let gone = std::fs::remove_file(&path);
    gone.map_err(|e| StoreError::Io(format!("cannot remove {}", path.display()), e))?;
    made
}

/// A new file beside the ledger; what another process made, or left behind, has another name.
fn unnamed_file(ledger: &Path) -> Result<PathBuf, StoreError> {
    use std::os::unix::fs::OpenOptionsExt;
    let make = |number: u32| {
        let path = ledger.with_extension(format!("anew-{}-{number}", std::process::id()));
        match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => None,
            made => {
                let failed = |e| StoreError::Io(format!("cannot make {}", path.display()), e);
                Some(made.map_err(failed).map(|_| path))
            }
        }
    };
    let full = || StoreError::Io("no name is free beside the ledger".into(), ErrorKind::AlreadyExists.into());
    (0..1_000).find_map(make).unwrap_or_else(|| Err(full()))
}

/// Makes a file that only its owner reads: private values stand in it. SQLite gives its log the same rights.
fn private_file(path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::OpenOptionsExt;
    if path.exists() || path == Path::new(":memory:") {
        return Ok(());
    }
    let made = std::fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    made.map(|_| ()).map_err(|e| StoreError::Io(format!("cannot make {}", path.display()), e))
}

/// Tables, indexes and triggers of a ledger: name and definition.
pub(super) type Objects = BTreeSet<(String, String)>;

/// What a ledger of this version is made of.
pub(super) fn expected_objects() -> Result<Objects, StoreError> {
    objects(&open(Path::new(":memory:"), &LEDGER, "MEMORY", "OFF")?)
}

/// What a file is made of.
pub(super) fn objects(db: &Connection) -> Result<Objects, StoreError> {
    let failed = || sql("reading the tables");
    let query = "SELECT name, coalesce(sql, '') FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'";
    let mut statement = db.prepare(query).map_err(failed())?;
    statement.query_map([], |r| Ok((r.get(0)?, r.get(1)?))).and_then(Iterator::collect).map_err(failed())
}

/// An empty file, to be filled by a copy.
#[expect(clippy::disallowed_methods, reason = "the store is where connections are opened")]
pub(super) fn open_plain(path: &Path) -> Result<Connection, StoreError> {
    private_file(path)?;
    Connection::open(path).map_err(sql(format!("cannot make {}", path.display())))
}

/// A connection that can only read, for pages and for checking a copy.
pub(super) fn open_read_only(path: &Path) -> Result<Connection, StoreError> {
    let failed = || sql(format!("cannot open {}", path.display()));
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed())?;
    connection.busy_timeout(std::time::Duration::from_secs(30)).map_err(failed())?;
    connection.pragma_update(None, "query_only", true).map_err(failed())?;
    let version: i64 = connection.pragma_query_value(None, "user_version", |r| r.get(0)).map_err(failed())?;
    match version {
        // Made and not filled: the process that began it ended there.
        0 => Err(StoreError::Missing(path.to_owned())),
        1 => Err(StoreError::OldTables(path.to_owned())),
        _ => Ok(connection),
    }
}

#[expect(clippy::disallowed_methods, reason = "the store is where connections are opened")]
fn open(
    path: &Path,
    migrations: &Migrations<'static>,
    journal: &str,
    synchronous: &str,
) -> Result<Connection, StoreError> {
    let failed = || sql(format!("cannot open {}", path.display()));
    private_file(path)?;
    let mut connection = Connection::open(path).map_err(failed())?;
    connection.busy_timeout(std::time::Duration::from_secs(30)).map_err(failed())?;
    // Takes effect in a new file: big rows and tiles in few pages, so that a commit is few calls of the system.
    connection.pragma_update(None, "page_size", PAGE_BYTES).map_err(failed())?;
    connection.pragma_update(None, "journal_mode", journal).map_err(failed())?;
    connection.pragma_update(None, "synchronous", synchronous).map_err(failed())?;
    migrations.to_latest(&mut connection).map_err(|e| StoreError::Migration(path.to_owned(), e))?;
    Ok(connection)
}
