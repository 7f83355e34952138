//! What a source says of itself, against the record.

use crate::evidence::record::Counts;
use serde::{Deserialize, Serialize};

/// What a source says that it read and gave, against what is in the record. A source counts in its own units, in which one entry
/// may hold many.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Account {
    /// Configured name.
    pub source: String,
    /// flow_logs, gatekeeper, sentinel, model_artifacts or register.
    pub source_kind: String,
    /// Its looks.
    pub looks: u64,
    /// Of these, those that did not read everything they asked for.
    pub incomplete: u64,
    /// What they counted: read = kept + quarantined + refused.
    #[serde(flatten)]
    pub counts: Counts,
    /// Entries that they say they gave.
    pub given: u64,
    /// Entries of the source in the record, of all kinds but its looks.
    pub recorded: u64,
    /// Of these, of the kind.
    pub of_kind: u64,
    /// Of these, in the population.
    pub in_population: u64,
    /// Whether what was read was kept, quarantined or refused, and what was given is recorded: all of it.
    pub reconciled: bool,
}

impl Account {
    pub(super) fn adds(&mut self, seq: u64, run: &[u8], keys: &[u64]) {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Said {
            source_kind: String,
            entries: u64,
            counts: Counts,
            complete: bool,
        }
        // A look that does not read as one gives nothing, and so does not reconcile.
        let said: Said = serde_json::from_slice(run).unwrap_or_default();
        self.looks += 1;
        self.source_kind = said.source_kind;
        self.incomplete += u64::from(!said.complete);
        let of_the_look = seq.saturating_sub(said.entries)..seq;
        let ours = keys.iter().filter(|key| of_the_look.contains(*key)).count() as u64;
        self.given += said.entries.saturating_sub(ours);
        self.counts += said.counts;
    }

    /// In a sentence.
    pub fn told(&self) -> String {
        let Counts { read, kept, quarantined, refused } = self.counts;
        let verdict = if self.reconciled { "it adds up" } else { "it does not add up" };
        format!(
            "{}: {} looks, {} of them incomplete; read {read} = kept {kept} + quarantined {quarantined} + refused {refused}; {} entries given, {} in the record, {} of them of the kind, {} here: {verdict}.",
            self.source,
            self.looks,
            self.incomplete,
            self.given,
            self.recorded,
            self.of_kind,
            self.in_population
        )
    }

    pub(super) fn of(self, source: String) -> Account {
        let Counts { read, kept, quarantined, refused } = self.counts;
        let adds_up = read == kept + quarantined + refused && self.given == self.recorded;
        let reconciled = self.looks > 0 && adds_up;
        Account { source, reconciled, ..self }
    }
}
