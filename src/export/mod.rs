//! Evidence for outsiders: the bundle that is checked without us, OSCAL, OCSF. Pure: bytes in, bytes out.

pub mod bundle;
pub mod ocsf;
pub mod oscal;

use crate::report::Report;
use uuid::Uuid;

/// Ids of version 5 (RFC 9562, 5.5) over names within one ledger: the same thing has the same id in every export.
struct Ids(Uuid);

impl Ids {
    fn of(r: &Report) -> Ids {
        let name = format!("https://actledger.example/ns/{}", r.integrity.origin);
        Ids(Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()))
    }

    fn id(&self, name: &str) -> String {
        Uuid::new_v5(&self.0, name.as_bytes()).to_string()
    }

    /// Of a finding.
    fn finding(&self, what: &str, control: &str, system: &str) -> String {
        self.id(&format!("{what} {control} {system}"))
    }
}
