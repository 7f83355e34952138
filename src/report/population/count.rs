//! Counting a population, entry by entry.

use super::{Account, Case, Drawing, Population, Sample, Told, is_ours};
use crate::evidence::{Kind, Time, hex, sha256_hex};
use crate::ledger::header::Header;
use crate::ledger::tree::Hash;
use crate::report::local::is_within;
use std::collections::{BTreeMap, BTreeSet};

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
        let at = header.occurred_at.parse::<Time>().ok();
        if is_of_source && at.is_none_or(|at| is_within(at, self.asked.span)) {
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
            kind: asked.kind,
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
