//! The dossier of a system.

use super::{Exception, Finding};
use crate::assessment::Counts;
use crate::evidence::Time;
use serde::Serialize;

/// One system.
#[derive(Clone, Debug, Serialize)]
pub struct System {
    /// Its id.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// A name for anchors and paths.
    pub anchor: String,
    /// Team.
    pub team: String,
    /// Owner.
    pub owner: String,
    /// One sentence.
    pub description: String,
    /// Whether the register has it.
    pub registered: bool,
    /// Entry of the register.
    pub entry: Option<u64>,
    /// Role of the organisation.
    pub role: String,
    /// Annex point.
    pub annex: String,
    /// In use since, as the register says.
    pub in_use: String,
    /// Its levels.
    pub risk_level: RiskLevel,
    /// What happened to it in the window, plane by plane.
    pub timeline: Timeline,
    /// Findings by status.
    pub counts: Counts,
    /// Findings that are open.
    pub open: u64,
    /// Findings that were accepted.
    pub accepted: u64,
    /// Its findings.
    pub findings: Vec<Finding>,
    /// How many of them are told once for all systems.
    pub unprovided: u64,
    /// Article by article.
    pub articles: Vec<Article>,
    /// Its exceptions, overrides and exemptions.
    pub exceptions: Vec<Exception>,
    /// What was in production when, and what let it through.
    pub ran: Vec<Ran>,
    /// Further spans that are not told.
    pub more_ran: u64,
    /// With whom it talked.
    pub network: Network,
    /// What runs now.
    pub workloads: Vec<Workload>,
    /// Runs that were applied in the window.
    pub runs: Vec<Run>,
    /// Stored model files per version, at most 10 versions; those that ran first.
    pub artifacts: Vec<ArtifactSet>,
    /// Further versions.
    pub more_artifacts: u64,
}

/// What there is to say of one article for a system.
#[derive(Clone, Debug, Serialize)]
pub struct Article {
    /// The article, with the parts that bind.
    pub article: String,
    /// What the checks came to; `no evidence` where no source of ours has any.
    pub state: String,
    /// What that rests on, or why there is none.
    pub basis: String,
}

/// What happened to a system, on one axis.
#[derive(Clone, Debug, Serialize)]
pub struct Timeline {
    /// Where it begins.
    pub from: Time,
    /// Where it ends.
    pub to: Time,
    /// One for each plane.
    pub lanes: Vec<Lane>,
}

/// One plane of a timeline.
#[derive(Clone, Debug, Serialize)]
pub struct Lane {
    /// What it is about.
    pub name: &'static str,
    /// The same in words.
    pub told: String,
    /// What lasted.
    pub bars: Vec<Bar>,
    /// What happened at a time.
    pub points: Vec<Time>,
    /// Where nobody saw.
    pub gaps: Vec<Bar>,
}

/// Something that lasted.
#[derive(Clone, Debug, Serialize)]
pub struct Bar {
    /// Where it begins.
    pub from: Time,
    /// Where it ends.
    pub to: Time,
    /// What it is.
    pub label: String,
}

/// Levels of a system.
#[derive(Clone, Debug, Serialize)]
pub struct RiskLevel {
    /// The decision's, else the strictest stated.
    pub effective: &'static str,
    /// The decision's.
    pub decided: Option<&'static str>,
    /// Entry of the decision.
    pub decision: Option<u64>,
    /// Who approved it, as an alias, and when.
    pub approved: Option<String>,
    /// Whether statements differ.
    pub disputed: bool,
    /// Every statement.
    pub stated: Vec<Stated>,
    /// Changes so far, for people.
    pub history: Vec<String>,
}

/// A level that somebody wrote down.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stated {
    /// Where.
    pub source: String,
    /// As written.
    pub level: String,
    /// The entry.
    pub entry: u64,
}

/// A model version in production on one workload, without a break.
#[derive(Clone, Debug, Serialize)]
pub struct Ran {
    /// The version.
    pub version: String,
    /// Kind, namespace and name of the workload.
    pub workload: String,
    /// Since when, for people.
    pub from: String,
    /// Until when.
    pub to: String,
    /// Image of the workload that showed it first.
    pub image: String,
    /// Stored files of it, each version of a key counted.
    pub files: u64,
    /// Why no gate can be named; empty where some are.
    pub let_through: String,
    /// What let it through: the last applied run before with its overrides, and constraints that were set to deny then.
    pub gates: Vec<Gate>,
    /// The entry that showed it first.
    pub entry: u64,
}

/// Something that could have stopped a version.
#[derive(Clone, Debug, Serialize)]
pub struct Gate {
    /// What it is.
    pub told: String,
    /// Its entry.
    pub entry: u64,
}

/// Traffic of a system that flow logs show as accepted.
#[derive(Clone, Debug, Serialize)]
pub struct Network {
    /// What there is to say of all of it.
    pub told: String,
    /// Those with the most records, 15 in each direction.
    pub peers: Vec<Peer>,
}

/// One class of peers over one port.
#[derive(Clone, Debug, Serialize)]
pub struct Peer {
    /// `in`: to a service port of the system; `out`: from it to public addresses.
    pub direction: &'static str,
    /// Name of a range of the config, or `own networks`, `private networks`, `public` with the network.
    pub peer: String,
    /// The service port.
    pub port: u16,
    /// Accepted records.
    pub records: u64,
    /// Hours that have any.
    pub hours: u64,
    /// The last entry that tells of it.
    pub entry: u64,
}

/// A workload of a system.
#[derive(Clone, Debug, Serialize)]
pub struct Workload {
    /// `namespace/name`.
    pub name: String,
    /// Source.
    pub cluster: String,
    /// Model version.
    pub version: String,
    /// Image.
    pub image: String,
    /// Since when it runs this version, for people.
    pub since: String,
    /// Entry.
    pub entry: u64,
}

/// An applied run.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// `run-…`
    pub run: String,
    /// Workspace.
    pub workspace: String,
    /// For people.
    pub applied: String,
    /// Policies: `3 passed, 1 failed`.
    pub policies: String,
    /// Estimated monthly cost.
    pub cost: String,
    /// Overrides, in a sentence each.
    pub overrides: Vec<String>,
    /// Entry.
    pub entry: u64,
}

/// Stored files of one model version.
#[derive(Clone, Debug, Serialize)]
pub struct ArtifactSet {
    /// Model version.
    pub version: String,
    /// Whether it was seen in production.
    pub ran: bool,
    /// When it was in production, for people.
    pub in_production: String,
    /// Its files, at most the 10 largest.
    pub files: Vec<File>,
    /// Further versions of files.
    pub more: u64,
}

/// A stored file: one version of a key.
#[derive(Clone, Debug, Serialize)]
pub struct File {
    /// Bucket.
    pub bucket: String,
    /// Key.
    pub key: String,
    /// Version id.
    pub version_id: String,
    /// Bytes.
    pub size: u64,
    /// For people.
    pub stored: String,
    /// Whether a delete marker lies over it or it is gone.
    pub state: &'static str,
    /// Checksum of the whole file, with its kind; null where none is known.
    pub checksum: Option<String>,
    /// Until when it cannot be deleted, for people; null where no lock was seen.
    pub locked: Option<String>,
    /// Entry.
    pub entry: u64,
}
