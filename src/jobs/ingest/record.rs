//! What the ledger knows of a source, for passes over it.

use crate::config::Source;
use crate::evidence::{Evidence, Kind};
use crate::sources::{Known, Record};
use crate::store::{Store, StoreError};
use serde_json::Value;

/// The ledger as one source sees it.
pub(super) struct OfSource<'a>(pub &'a Store, pub &'a Source);

impl Record for OfSource<'_> {
    /// Under the source's own name, else under its old one.
    fn delivered(&self, subject: &str) -> Result<Option<Known>, String> {
        for name in std::iter::once(&self.1.name).chain(&self.1.was) {
            if let Some(known) = self.0.state().delivered(name, subject).map_err(told)? {
                return Ok(Some(known));
            }
        }
        Ok(None)
    }

    fn hold(&self, all: &[Evidence]) -> Result<Vec<bool>, String> {
        self.0.hold(all).map_err(told)
    }

    fn state(&self, kind: Kind, subject: &str) -> Result<Option<Value>, String> {
        let Some(seq) = self.0.state().latest_entry(&self.1.name, kind, subject).map_err(told)? else {
            return Ok(None);
        };
        Ok(Some(self.0.reader().entry(seq).map_err(told)?.entry.payload))
    }

    fn present(&self, kind: Kind, from: &str, to: &str, most: usize) -> Result<Vec<String>, String> {
        self.0.state().present_within(&self.1.name, kind, from, to, most).map_err(told)
    }
}

fn told(error: StoreError) -> String {
    format!("the record: {error}")
}

/// No ledger yet.
pub(super) struct Nothing;

impl Record for Nothing {
    fn delivered(&self, _: &str) -> Result<Option<Known>, String> {
        Ok(None)
    }
    fn hold(&self, all: &[Evidence]) -> Result<Vec<bool>, String> {
        Ok(vec![false; all.len()])
    }
    fn state(&self, _: Kind, _: &str) -> Result<Option<Value>, String> {
        Ok(None)
    }
    fn present(&self, _: Kind, _: &str, _: &str, _: usize) -> Result<Vec<String>, String> {
        Ok(Vec::new())
    }
}
