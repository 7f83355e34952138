//! Who may see the pages: tokens and the sessions that began with them, in `state.db`. Of a secret only its digest is kept.

use super::{StoreError, schema, sql, state_path};
use crate::evidence::Time;
use rusqlite::{Connection, OptionalExtension, Row};
use std::path::Path;

/// A token or a session.
#[derive(Clone, Debug, PartialEq)]
pub struct Pass {
    /// SHA-256 of the secret, hex.
    pub sha256: String,
    /// Of a session, what it began with: the digest of a token, or `oidc` and the provider's word. None for a token.
    pub session_of: Option<String>,
    /// Whose it is.
    pub name: String,
    /// What it lets do, as JSON.
    pub roles: String,
    /// When it was made.
    pub created: Time,
    /// Not accepted from then on.
    pub expires: Time,
    /// Keyed hash over all of these: a row that somebody else wrote is not believed.
    pub mac: String,
}

/// A connection for passes alone, so that no page waits for what folds.
pub struct Access(Connection);

const COLUMNS: &str = "sha256, session_of, name, roles, created, expires, mac";

impl Access {
    /// Opens the tables beside a ledger.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn open(ledger: &Path) -> Result<Access, StoreError> {
        schema::open_state(&state_path(ledger)).map(Access)
    }

    /// All tokens, by name.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn tokens(&self) -> Result<Vec<Pass>, StoreError> {
        let failed = || sql("reading tokens");
        let query = format!("SELECT {COLUMNS} FROM pass WHERE session_of IS NULL ORDER BY name");
        let mut statement = self.0.prepare(&query).map_err(failed())?;
        let rows = statement.query_map([], pass).map_err(failed())?;
        rows.collect::<Result<_, _>>().map_err(failed())
    }

    /// The pass of a secret, by its digest.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn pass(&self, sha256: &str) -> Result<Option<Pass>, StoreError> {
        let failed = || sql("reading a pass");
        let query = format!("SELECT {COLUMNS} FROM pass WHERE sha256 = ?1");
        let mut statement = self.0.prepare_cached(&query).map_err(failed())?;
        statement.query_row([sha256], pass).optional().map_err(failed())
    }

    /// Writes a pass.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn add(&self, p: &Pass) -> Result<(), StoreError> {
        let query = format!("INSERT INTO pass ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
        let (created, expires) = (p.created.millis(), p.expires.millis());
        let row = (&p.sha256, &p.session_of, &p.name, &p.roles, created, expires, &p.mac);
        self.0.execute(&query, row).map(|_| ()).map_err(sql("writing a pass"))
    }

    /// Takes a token away, and the sessions that began with it. Whether it was there.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn revoke(&self, name: &str) -> Result<bool, StoreError> {
        let query = "DELETE FROM pass WHERE session_of IN (SELECT sha256 FROM pass WHERE session_of IS NULL AND name = ?1)";
        self.0.execute(query, [name]).map_err(sql("ending sessions"))?;
        let query = "DELETE FROM pass WHERE session_of IS NULL AND name = ?1";
        Ok(self.0.execute(query, [name]).map_err(sql("revoking a token"))? > 0)
    }

    /// Ends a session.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn end(&self, sha256: &str) -> Result<(), StoreError> {
        let query = "DELETE FROM pass WHERE session_of IS NOT NULL AND sha256 = ?1";
        self.0.execute(query, [sha256]).map(|_| ()).map_err(sql("ending a session"))
    }

    /// Forgets sessions that are over.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn forget(&self, now: Time) -> Result<(), StoreError> {
        let query = "DELETE FROM pass WHERE session_of IS NOT NULL AND expires <= ?1";
        self.0.execute(query, [now.millis()]).map(|_| ()).map_err(sql("forgetting sessions"))
    }
}

fn pass(r: &Row<'_>) -> rusqlite::Result<Pass> {
    Ok(Pass {
        sha256: r.get(0)?,
        session_of: r.get(1)?,
        name: r.get(2)?,
        roles: r.get(3)?,
        created: Time::from_millis(r.get(4)?),
        expires: Time::from_millis(r.get(5)?),
        mac: r.get(6)?,
    })
}
