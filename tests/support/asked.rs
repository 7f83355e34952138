//! What servers of the tests are asked for.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

/// Notes a permission that a server was asked for, in a file of the folder ACTLEDGER_ASKED: `make test` compares them all, in the
/// end, with what is granted.
pub(crate) fn note(of: &str, permission: &str) {
    if let Some(folder) =
        std::env::var_os("ACTLEDGER_ASKED").filter(|f| !f.is_empty() && !permission.is_empty())
    {
        let log = OpenOptions::new().create(true).append(true).open(PathBuf::from(folder).join(of));
        log.and_then(|mut log| log.write_all(format!("{permission}\n").as_bytes())).unwrap();
    }
}
