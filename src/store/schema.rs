//! Tables and their migrations.

use super::{StoreError, sql};
use rusqlite::{Connection, OpenFlags};
use rusqlite_migration::{M, Migrations};
use std::path::Path;

const LEDGER: &[M<'static>] = &[M::up(
    "CREATE TABLE entry (seq INTEGER PRIMARY KEY, bytes BLOB NOT NULL, leaf BLOB NOT NULL) STRICT;
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
     CREATE TRIGGER blob_delete BEFORE DELETE ON blob BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;",
)];

const STATE: &[M<'static>] = &[M::up(
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
)];

pub(super) fn open_ledger(path: &Path) -> Result<Connection, StoreError> {
    open(path, LEDGER, "FULL")
}

pub(super) fn open_state(path: &Path) -> Result<Connection, StoreError> {
    open(path, STATE, "NORMAL")
}

pub(super) fn state_in_memory() -> Result<Connection, StoreError> {
    open(Path::new(":memory:"), STATE, "OFF")
}

/// A connection that can only read, for pages and for checking a copy.
pub(super) fn open_read_only(path: &Path) -> Result<Connection, StoreError> {
    let failed = || sql(format!("cannot open {}", path.display()));
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed())?;
    connection.busy_timeout(std::time::Duration::from_secs(30)).map_err(failed())?;
    connection.pragma_update(None, "query_only", true).map_err(failed())?;
    Ok(connection)
}

#[expect(clippy::disallowed_methods, reason = "the store is where connections are opened")]
fn open(path: &Path, migrations: &[M<'static>], synchronous: &str) -> Result<Connection, StoreError> {
    let failed = || sql(format!("cannot open {}", path.display()));
    let mut connection = Connection::open(path).map_err(failed())?;
    connection.busy_timeout(std::time::Duration::from_secs(30)).map_err(failed())?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(failed())?;
    connection.pragma_update(None, "synchronous", synchronous).map_err(failed())?;
    Migrations::from_slice(migrations)
        .to_latest(&mut connection)
        .map_err(|e| StoreError::Migration(path.to_owned(), e))?;
    Ok(connection)
}
