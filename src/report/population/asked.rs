//! What is asked of a population, and as it stands in an address.

use super::Population;
use crate::evidence::Kind;
use crate::report::listing::address;
use crate::report::local::{Span, Zone};
use serde::Deserialize;

/// Entries drawn at most.
pub const SAMPLE: usize = 1_000;

/// Of what a population is asked.
#[derive(Clone, Debug)]
pub struct Drawing {
    /// The kind of its entries.
    pub kind: Kind,
    /// Of this source alone.
    pub source: Option<String>,
    /// What happened, or was first seen, within it.
    pub span: Span,
    /// Which of the entries are told.
    pub told: Told,
}

/// Which entries of a population are told; all are counted.
#[derive(Clone, Debug)]
pub enum Told {
    /// Each one.
    All,
    /// So many from an entry on.
    Page(u64, usize),
    /// So many, drawn with a seed; with the root of the as-of where none is given.
    Sample(usize, Option<String>),
}

/// What is asked, as it stands in an address. What is empty asks for everything, but a kind is told.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wanted {
    /// See [`Drawing`].
    pub kind: String,
    /// Configured name.
    pub source: String,
    /// Day or time.
    pub from: String,
    /// Day or time.
    pub to: String,
    /// How many are drawn.
    pub sample: String,
    /// With which seed.
    pub seed: String,
    /// The entry before the page.
    pub after: String,
    /// Of which earlier assessment; the report that is asked is already of it.
    pub as_of: String,
}

impl Wanted {
    /// What it means; none where no kind is told.
    ///
    /// # Errors
    /// What it cannot mean.
    pub fn drawing(&self, zone: &Zone, rows: usize) -> Result<Option<Drawing>, String> {
        if self.kind.is_empty() {
            return Ok(None);
        }
        let number =
            |name: &str, text: &str| text.parse::<u64>().map_err(|_| format!("{name} {text:?} is no number"));
        let kind = Kind::of(&self.kind).ok_or_else(|| format!("there is no kind {:?}", self.kind))?;
        let filled = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let told = match filled(&self.sample) {
            Some(text) => match usize::try_from(number("sample", &text)?) {
                Ok(size @ 1..=SAMPLE) => Told::Sample(size, filled(&self.seed)),
                _ => return Err(format!("sample is from 1 to {SAMPLE}")),
            },
            None => {
                let after = filled(&self.after).map(|text| number("after", &text)).transpose()?;
                Told::Page(after.map_or(0, |seq| seq.saturating_add(1)), rows)
            }
        };
        let span = zone.between(&self.from, &self.to)?;
        Ok(Some(Drawing { kind, source: filled(&self.source), span, told }))
    }

    /// The same, asked of what came out: its as-of and the seed that was used.
    pub fn again(&self, told: &Population) -> Wanted {
        let seed = told.sample.as_ref().map(|s| s.seed.clone()).unwrap_or_default();
        Wanted { as_of: told.as_of.to_string(), seed, ..self.clone() }
    }

    /// The address of a path with what is asked for, from an entry on.
    pub fn address(&self, path: &str, after: Option<u64>) -> String {
        let after = after.map(|seq| seq.to_string()).unwrap_or_default();
        let parts = [
            ("kind", self.kind.as_str()),
            ("source", &self.source),
            ("from", &self.from),
            ("to", &self.to),
            ("sample", &self.sample),
            ("seed", &self.seed),
            ("after", &after),
            ("as_of", &self.as_of),
        ];
        address(path, &parts)
    }
}
