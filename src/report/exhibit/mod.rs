//! The evidence page of one entry: what it says, where it comes from, what it is used for, and what proves it.

mod told;

use super::local::Zone;
use super::model::{Finding, Report};
use crate::evidence::record::SourceRun;
use crate::evidence::{Private, Time};
use crate::ledger::Entry;
use crate::ledger::private::Opening;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Aliases of people by reference, as all reports number them.
pub type Aliases = BTreeMap<String, usize>;

/// Names and times as people read them.
pub(crate) struct Names<'a> {
    zone: &'a Zone,
    aliases: &'a Aliases,
}

impl Names<'_> {
    fn minute(&self, t: Time) -> String {
        self.zone.minute(t)
    }
    fn day(&self, t: Time) -> String {
        self.zone.day(t)
    }
    fn person(&self, person: Option<&Private>, nobody: &str) -> String {
        let alias = person.and_then(Private::reference).map(|r| alias(self.aliases, r));
        alias.map_or_else(|| nobody.to_owned(), |alias| format!("person {alias}").trim_end().to_owned())
    }
}

/// Empty for what is no person.
fn alias(aliases: &Aliases, reference: &str) -> String {
    aliases.get(reference).map_or_else(String::new, |n| format!("P-{n:02}"))
}

/// An entry and its place in the record, as they were read and checked.
pub struct Read<'a> {
    /// Number.
    pub seq: u64,
    /// The entry.
    pub entry: &'a Entry,
    /// Its bytes, as they are hashed.
    pub canonical: &'a str,
    /// Leaf hash, hex.
    pub leaf: String,
    /// Inclusion proof, base64.
    pub proof: Vec<String>,
    /// Texts beside it: what they are, and how they begin.
    pub blobs: Vec<(String, String)>,
    /// The collection that it came with: the number of its `source.run`, and that.
    pub collection: Option<(u64, SourceRun)>,
    /// Entries of the same thing around it: number, kind, when it happened.
    pub around: Vec<(u64, &'static str, Time)>,
    /// Openings of its private values; none where they are not shown.
    pub openings: Option<Vec<Opening>>,
    /// Checkpoints over it that lie elsewhere: size, and where.
    pub outside: Vec<(u64, String)>,
}

/// The page.
#[derive(Debug, Serialize)]
pub struct Exhibit<'a> {
    /// Number.
    pub seq: u64,
    /// Kind.
    pub kind: &'static str,
    /// What it says, in a sentence; none for kinds without.
    pub told: Option<String>,
    /// Systems whose verdicts cite it, with their teams.
    pub of: Vec<String>,
    /// When it happened.
    pub occurred_at: Time,
    /// When it was written here.
    pub recorded_at: Time,
    /// How much later: `13 h later`.
    pub later: String,
    /// Source.
    pub source: &'a str,
    /// Subject.
    pub subject: &'a str,
    /// Whether it is an act of our own.
    pub own: bool,
    /// The collection it came with.
    pub collection: Option<Collection>,
    /// Verdicts that cite it.
    pub used_for: Vec<&'a Finding>,
    /// Entries of the same thing before it, the nearest first.
    pub before: Vec<Neighbour>,
    /// Entries of the same thing after it.
    pub after: Vec<Neighbour>,
    /// Bytes that are hashed.
    pub canonical: &'a str,
    /// Texts that it names by digest.
    pub blobs: &'a [(String, String)],
    /// Private values.
    pub private: Vec<PrivateValue>,
    /// Leaf hash, hex.
    pub leaf: &'a str,
    /// Inclusion proof, base64.
    pub proof: &'a [String],
    /// Where checkpoints over it lie that we cannot change.
    pub outside: Vec<String>,
    /// Signed checkpoint of the as-of.
    pub checkpoint: &'a str,
}

/// Where it comes from.
#[derive(Debug, Serialize)]
pub struct Collection {
    /// First and last entry of it.
    pub entries: (u64, u64),
    /// What was read.
    pub read: String,
    /// What the source was asked.
    pub requests: Vec<String>,
    /// Who asked, as the source says.
    pub identity: Option<String>,
    /// SHA-256 over the replies.
    pub replies: String,
    /// Whether it came to its end.
    pub complete: bool,
    /// Version of the program.
    pub version: String,
}

/// An entry of the same thing.
#[derive(Debug, Serialize)]
pub struct Neighbour {
    /// Number.
    pub seq: u64,
    /// Kind.
    pub kind: &'static str,
    /// When it happened.
    pub at: String,
}

/// A private value.
#[derive(Debug, Serialize)]
pub struct PrivateValue {
    /// Where it stands in the payload.
    pub member: String,
    /// Alias, where it is a person.
    pub alias: String,
    /// The value, where it is shown; `null` where it was erased.
    pub value: Option<Option<String>>,
}

/// Puts the page together.
pub fn exhibit<'a>(r: &'a Report, read: &'a Read<'a>, aliases: &Aliases) -> Exhibit<'a> {
    let zone = Zone::named(&r.timezone);
    let names = Names { zone: &zone, aliases };
    let e = read.entry;
    let cites = |f: &&Finding| f.units.iter().any(|u| u.evidence.iter().any(|x| x.seq == read.seq));
    let used_for: Vec<&Finding> = r.findings().filter(cites).collect();
    let is_of = |id: &str| used_for.iter().any(|f| f.system == id);
    let of = r.systems.iter().filter(|s| is_of(&s.id)).map(|s| format!("{}, {}", s.name, s.team)).collect();
    let neighbours = |is_wanted: &dyn Fn(u64) -> bool| -> Vec<Neighbour> {
        let wanted = read.around.iter().filter(|(seq, _, _)| is_wanted(*seq));
        wanted.map(|(seq, kind, at)| Neighbour { seq: *seq, kind, at: zone.minute(*at) }).collect()
    };
    let mut before = neighbours(&|seq| seq < read.seq);
    before.reverse();
    let mut private = Vec::new();
    sealed(&e.payload, "", &mut |member, commitment, reference| {
        let opened = read.openings.as_ref();
        let value =
            opened.map(|all| all.iter().find(|o| o.commitment == commitment).map(|o| o.value.clone()));
        private.push(PrivateValue { member: member.to_owned(), alias: alias(aliases, reference), value });
    });
    Exhibit {
        seq: read.seq,
        kind: e.kind.name(),
        told: told::told(e, &names),
        of,
        occurred_at: e.occurred_at,
        recorded_at: e.recorded_at,
        later: later(e.recorded_at.seconds() - e.occurred_at.seconds()),
        source: &e.source,
        subject: &e.subject,
        own: e.source == "actledger",
        collection: read.collection.as_ref().map(|(seq, run)| collection(*seq, run)),
        used_for,
        before,
        after: neighbours(&|seq| seq > read.seq),
        canonical: read.canonical,
        blobs: &read.blobs,
        private,
        leaf: &read.leaf,
        proof: &read.proof,
        outside: read
            .outside
            .iter()
            .map(|(size, place)| format!("{place}: checkpoint of size {size}"))
            .collect(),
        checkpoint: &r.integrity.checkpoint,
    }
}

fn collection(seq: u64, run: &SourceRun) -> Collection {
    Collection {
        entries: (seq - run.entries.min(seq), seq),
        read: run.read.clone(),
        requests: run.requests.clone(),
        identity: run.identity.clone(),
        replies: run.replies.clone(),
        complete: run.complete,
        version: run.version.clone(),
    }
}

fn later(seconds: i64) -> String {
    match seconds {
        ..60 => String::new(),
        60..7_200 => format!("{} min later", seconds / 60),
        7_200..172_800 => format!("{} h later", seconds / 3_600),
        _ => format!("{} days later", seconds / 86_400),
    }
}

/// Tells every sealed value of a payload: where it stands, commitment, reference.
fn sealed(value: &Value, place: &str, each: &mut dyn FnMut(&str, &str, &str)) {
    match value {
        Value::Object(members) => {
            if let (Some(commitment), Some(reference)) = (value["$private"].as_str(), value["ref"].as_str()) {
                return each(place, commitment, reference);
            }
            for (name, value) in members {
                let place = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
                sealed(value, &place, each);
            }
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, item)| sealed(item, &format!("{place}[{i}]"), each));
        }
        _ => {}
    }
}
