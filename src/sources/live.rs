//! Live sources: passes in steps, each of which is committed with its cursor.

use super::{Context, Gathered, aws, kubernetes, terraform};
use crate::act::SourceKind;
use crate::evidence::{Evidence, Kind, Time};
use serde_json::Value;
use std::time::Duration;

/// Steps in which something to read is looked for: the first ones may have nothing.
const TRIED: usize = 4;

/// A pass over a live source.
pub enum Live<'a> {
    /// Flow logs in S3 or CloudWatch Logs.
    Aws(aws::Pass<'a>),
    /// Model artifacts in S3.
    Artifacts(Box<aws::artifacts::Pass<'a>>),
    /// A cluster.
    Cluster(kubernetes::Cluster<'a>),
    /// An organization in HCP Terraform.
    Organization(Box<terraform::Pass<'a>>),
}

impl<'a> Live<'a> {
    /// Reaches the source and finds out where things lie.
    ///
    /// # Errors
    /// Why it cannot be reached or read.
    pub fn open(kind: SourceKind, context: &'a Context<'a>, start: Start) -> Result<Live<'a>, String> {
        if kind == SourceKind::ModelArtifacts {
            return Ok(Live::Artifacts(Box::new(aws::artifacts::Pass::open(context, start)?)));
        }
        if context.source.location.starts_with("kube:") {
            return Ok(Live::Cluster(kubernetes::Cluster::open(context, start)?));
        }
        if context.source.location.starts_with("http") {
            return Ok(Live::Organization(Box::new(terraform::Pass::open(context, start)?)));
        }
        Ok(Live::Aws(aws::Pass::open(context, start)?))
    }

    /// What it delivers is called; none where a step says by itself what was read.
    pub fn unit(&self) -> Option<&'static str> {
        match self {
            Live::Aws(pass) => Some(pass.unit()),
            Live::Artifacts(_) | Live::Cluster(_) | Live::Organization(_) => None,
        }
    }

    /// Reads the next step.
    ///
    /// # Errors
    /// Why the source cannot be read on; what was committed stays.
    pub fn step(&mut self, record: &dyn Record) -> Result<Step, String> {
        match self {
            Live::Aws(pass) => pass.step(record),
            Live::Artifacts(pass) => pass.step(record),
            Live::Cluster(pass) => pass.step(),
            Live::Organization(pass) => pass.step(record),
        }
    }

    /// What a pass begins with, until something was read. Nothing of it is kept.
    ///
    /// # Errors
    /// Why the source cannot be read at all.
    pub fn tried(&mut self, record: &dyn Record) -> Result<Gathered, String> {
        if let Live::Artifacts(pass) = self {
            return pass.tried();
        }
        let mut tried = Gathered::default();
        for _ in 0..TRIED {
            let Step { gathered, last, .. } = self.step(record)?;
            tried.absorb(gathered);
            if last || tried.counts.read > 0 {
                break;
            }
        }
        Ok(tried)
    }

    /// What a pass would read, in words.
    ///
    /// # Errors
    /// Why it cannot be listed.
    pub fn waiting(self, record: &dyn Record) -> Result<String, String> {
        match self {
            Live::Aws(pass) => pass.waiting(record),
            Live::Artifacts(pass) => pass.waiting(),
            Live::Cluster(pass) => pass.waiting(),
            Live::Organization(pass) => pass.waiting(),
        }
    }
}

/// Where a pass over a live source begins.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// The time of the pass.
    pub now: Time,
    /// Where the pass before left off; none for the first one.
    pub cursor: Option<Time>,
    /// How far back the first pass goes, or one that reads once more.
    pub since: Option<Time>,
    /// Whether what was read with another selection is read once more.
    pub again: bool,
    /// Whether the SHA-256 of stored files is computed.
    pub hash: bool,
    /// How long the pass may take.
    pub limit: Duration,
}

impl Start {
    /// The time from which on things are looked at; none for as far as there are any.
    pub fn from(&self) -> Option<Time> {
        if self.again { self.since } else { self.cursor.or(self.since) }
    }

    /// The digest of the selection, when a pass reads once more what was read for another one.
    pub fn selection<'c>(&self, context: &'c Context<'_>) -> Option<&'c str> {
        self.again.then_some(context.selected.as_str())
    }
}

/// One step of a pass over a live source: what it gave, and how far the source is read with it.
pub struct Step {
    /// The cursor.
    pub look: String,
    /// What it gave.
    pub gathered: Gathered,
    /// Whether nothing is left.
    pub last: bool,
}

/// What the ledger knows of an object or window that it holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Known {
    /// What shows that it changed: entity tag, digest.
    pub mark: String,
    /// How often it was read before.
    pub revision: u64,
    /// Digest of what was selected for rows.
    pub selection: String,
}

/// What the ledger knows of a source; errors are the store's reasons.
pub trait Record {
    /// An object, window, run or the like, as it was last read.
    ///
    /// # Errors
    /// See the trait.
    fn delivered(&self, subject: &str) -> Result<Option<Known>, String>;

    /// Whether the latest state of each subject is what the evidence says.
    ///
    /// # Errors
    /// See the trait.
    fn hold(&self, all: &[Evidence]) -> Result<Vec<bool>, String>;

    /// What the latest state of a subject says.
    ///
    /// # Errors
    /// See the trait.
    fn state(&self, kind: Kind, subject: &str) -> Result<Option<Value>, String>;

    /// Subjects of a kind that are there, from one on and before another, in their order; at most so many.
    ///
    /// # Errors
    /// See the trait.
    fn present(&self, kind: Kind, from: &str, to: &str, most: usize) -> Result<Vec<String>, String>;
}

impl Known {
    /// Which revision what is there now is, by its mark and what it would be read for; none when it was read as it is.
    /// `again` reads once more what was read for something else.
    pub fn next(&self, mark: &str, again: Option<&str>) -> Option<u64> {
        let is_new = self.mark != mark || again.is_some_and(|selection| self.selection != selection);
        is_new.then_some(self.revision + 1)
    }
}
