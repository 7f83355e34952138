//! All entries of one kind, counted against what their sources said they read, and a sample of them that anybody can draw again.
//!
//! The rank of an entry in a draw is SHA-256 over the seed, a line feed and its leaf hash as hex; the lowest ranks are drawn.

use super::listing::address;
use super::local::{Span, Zone};
use crate::evidence::record::Counts;
use crate::evidence::{Kind, Time, hex, sha256_hex};
use crate::ledger::header::Header;
use crate::ledger::tree::Hash;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

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

/// Whether a kind tells acts of our own, which no source counts.
fn is_ours(kind: Kind) -> bool {
    let ours = [
        "ledger.",
        "anchor.",
        "private.",
        "daemon.",
        "config.",
        "source.",
        "assessment.",
        "report.",
        "mail.",
        "export.",
        "access.",
    ];
    kind == Kind::FlowLogSelection || ours.iter().any(|begin| kind.name().starts_with(begin))
}

/// Kinds that a source states.
pub fn kinds() -> impl Iterator<Item = Kind> {
    Kind::ALL.iter().copied().filter(|kind| !is_ours(*kind))
}

/// A population.
#[derive(Clone, Debug, Serialize)]
pub struct Population {
    /// Size of the as-of.
    pub as_of: u64,
    /// Its root, base64.
    pub root: String,
    /// The kind.
    pub kind: &'static str,
    /// The one source that was asked for.
    pub source: Option<String>,
    /// From when on.
    pub from: Option<Time>,
    /// Up to when.
    pub to: Option<Time>,
    /// Entries of the kind below the as-of.
    pub of_kind: u64,
    /// Of these, entries of the population.
    pub count: u64,
    /// What the sources of the population say of themselves, against the record.
    pub sources: Vec<Account>,
    /// How the entries below were drawn; none where they were not.
    pub sample: Option<Sample>,
    /// What the next page is asked for with: the last entry of this one.
    pub next: Option<u64>,
    /// The entries that are told: in the order of the record, or of the draw.
    pub entries: Vec<Case>,
}

/// How a sample was drawn.
#[derive(Clone, Debug, Serialize)]
pub struct Sample {
    /// How many were asked for.
    pub size: usize,
    /// With which seed.
    pub seed: String,
}

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

/// An entry of a population.
#[derive(Clone, Debug, Serialize)]
pub struct Case {
    /// Its number.
    pub seq: u64,
    /// Its leaf hash, hex.
    pub leaf: String,
    /// Its rank in the draw, hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rank: Option<String>,
    /// Its source.
    pub source: String,
    /// What makes it the same event.
    pub key: String,
    /// What it speaks of.
    pub subject: String,
    /// When it happened, or was seen.
    pub occurred_at: String,
    /// When it was recorded.
    pub recorded_at: String,
}

impl Population {
    /// Whether the accounts of all sources add up; nothing adds up where none was read.
    pub fn adds_up(&self) -> bool {
        let is_ours = Kind::of(self.kind).is_some_and(is_ours);
        is_ours || !self.sources.is_empty() && self.sources.iter().all(|a| a.reconciled)
    }

    /// The counts in sentences: the population, each source, the draw.
    pub fn account(&self) -> Vec<String> {
        let outside = self.of_kind - self.count;
        let mut lines = vec![format!(
            "{} entries of {} as of entry {} (root {}); {} others of the kind are of another source or time.",
            self.count, self.kind, self.as_of, self.root, outside
        )];
        lines.extend(self.sources.iter().map(Account::told));
        if Kind::of(self.kind).is_some_and(is_ours) {
            lines.push("Acts of our own, which no source counts.".into());
        } else if self.sources.is_empty() {
            lines.push("No source was read that gives such entries, or none of that name.".into());
        }
        if let Some(Sample { seed, .. }) = &self.sample {
            lines.push(format!(
                "{} drawn: the lowest SHA-256 of the seed, a line feed and the leaf hash as hex; the seed is {seed}",
                self.entries.len()
            ));
        }
        lines
    }
}

/// The columns of its file.
pub const COLUMNS: [&str; 8] =
    ["seq", "leaf", "rank", "source", "key", "subject", "occurred_at", "recorded_at"];

impl Case {
    /// A cell for each of [`COLUMNS`].
    pub fn cells(&self) -> [String; 8] {
        let Case { leaf, rank, source, key, subject, occurred_at, recorded_at, .. } = self.clone();
        [self.seq.to_string(), leaf, rank.unwrap_or_default(), source, key, subject, occurred_at, recorded_at]
    }
}

/// A population while it is counted.
pub struct Count<'a> {
    asked: &'a Drawing,
    seed: String,
    accounts: BTreeMap<String, Account>,
    /// Entries of our own that stand among those of a look: each year's pseudonym key.
    keys: Vec<u64>,
    /// By rank in a draw, else by number.
    told: BTreeMap<(String, u64), Case>,
    has_more: bool,
}

impl<'a> Count<'a> {
    /// Nothing yet; a draw without a seed is made with the root of the as-of.
    pub fn over(asked: &'a Drawing, root: &str) -> Count<'a> {
        let seed = match &asked.told {
            Told::Sample(_, Some(seed)) => seed.clone(),
            _ => root.to_owned(),
        };
        Count {
            asked,
            seed,
            accounts: BTreeMap::new(),
            keys: Vec::new(),
            told: BTreeMap::new(),
            has_more: false,
        }
    }

    /// The next entry of the record.
    pub fn meets(&mut self, seq: u64, header: &Header<'_>, leaf: &Hash) {
        let kind = Kind::of(header.kind);
        if kind == Some(Kind::PrivateKey) {
            self.keys.push(seq);
        }
        let account = self.accounts.entry(header.source.to_string()).or_default();
        if kind == Some(Kind::SourceRun) {
            return account.adds(seq, header.payload, &self.keys);
        }
        account.recorded += 1;
        if kind != Some(self.asked.kind) {
            return;
        }
        account.of_kind += 1;
        let is_of_source = self.asked.source.as_ref().is_none_or(|source| *source == header.source);
        if is_of_source && is_within(header.occurred_at, self.asked.span) {
            account.in_population += 1;
            self.tells(seq, header, leaf);
        }
    }

    fn tells(&mut self, seq: u64, header: &Header<'_>, leaf: &Hash) {
        let leaf = hex(leaf);
        let (rank, most) = match &self.asked.told {
            Told::All => (None, usize::MAX),
            Told::Page(from, _) if seq < *from => return,
            Told::Page(_, rows) => (None, *rows),
            Told::Sample(size, _) => (Some(sha256_hex(format!("{}\n{leaf}", self.seed).as_bytes())), *size),
        };
        let place = (rank.clone().unwrap_or_default(), seq);
        let case = Case {
            seq,
            leaf,
            rank,
            source: header.source.to_string(),
            key: header.key.to_string(),
            subject: header.subject.to_string(),
            occurred_at: header.occurred_at.to_owned(),
            recorded_at: header.recorded_at.to_owned(),
        };
        self.told.insert(place, case);
        if self.told.len() > most {
            self.told.pop_last();
            self.has_more = true;
        }
    }

    /// What it came to, as of a size and its root.
    pub fn told(self, size: u64, root: String) -> Population {
        let Count { asked, seed, accounts, told, has_more, .. } = self;
        let of_kind = accounts.values().map(|a| a.of_kind).sum();
        let count = accounts.values().map(|a| a.in_population).sum();
        let is_asked = |name: &str| asked.source.as_ref().is_none_or(|source| source == name);
        // Who gives such entries, and who reads the same sort of thing and gave none.
        let giving = accounts.values().filter(|a| a.of_kind > 0).map(|a| a.source_kind.clone());
        let giving: BTreeSet<String> = giving.collect();
        let reads = |a: &Account| a.looks > 0 && (giving.is_empty() || giving.contains(&a.source_kind));
        let of_source = accounts
            .into_iter()
            .filter(|(name, a)| is_asked(name) && !is_ours(asked.kind) && (a.of_kind > 0 || reads(a)));
        let entries: Vec<Case> = told.into_values().collect();
        let sample = match asked.told {
            Told::Sample(size, _) => Some(Sample { size, seed }),
            _ => None,
        };
        Population {
            as_of: size,
            root,
            kind: asked.kind.name(),
            source: asked.source.clone(),
            from: asked.span.0,
            to: asked.span.1,
            of_kind,
            count,
            sources: of_source.map(|(source, account)| account.of(source)).collect(),
            next: entries.last().map(|e| e.seq).filter(|_| has_more && sample.is_none()),
            sample,
            entries,
        }
    }
}

fn is_within(at: &str, (from, to): Span) -> bool {
    let at = at.parse::<Time>().ok();
    at.is_none_or(|at| from.is_none_or(|from| from <= at) && to.is_none_or(|to| at <= to))
}

impl Account {
    fn adds(&mut self, seq: u64, run: &[u8], keys: &[u64]) {
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

    fn of(self, source: String) -> Account {
        let Counts { read, kept, quarantined, refused } = self.counts;
        let adds_up = read == kept + quarantined + refused && self.given == self.recorded;
        let reconciled = self.looks > 0 && adds_up;
        Account { source, reconciled, ..self }
    }
}
