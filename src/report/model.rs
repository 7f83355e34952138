//! What every output of a report says. The JSON form is an interface: members are added, never renamed.

use crate::act::{ControlKind, Status, Tested};
use crate::assessment::Counts;
use crate::evidence::Time;
use crate::evidence::hex;
use crate::evidence::record::Predecessor;
use crate::ledger::Hash;
use serde::{Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};

/// What a report of everything is about.
pub const WHOLE: &str = "whole estate";

/// A whole report.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What it was made from.
    pub as_of: AsOf,
    /// What it covers.
    pub period: Period,
    /// Name of the organisation.
    pub organization: String,
    /// Version of the program.
    pub version: String,
    /// Zone of local times.
    pub timezone: String,
    /// Whether every page says so.
    pub demonstration: bool,
    /// Only these systems, as asked; empty for the whole estate.
    pub scope: Vec<String>,
    /// The same in words: [`WHOLE`], `team risk: scoring, pricing`.
    pub about: String,
    /// Was the record altered?
    pub integrity: Integrity,
    /// Did we see everything?
    pub coverage: Vec<Coverage>,
    /// What do the checks say?
    pub totals: Totals,
    /// The same by level.
    pub levels: Vec<LevelRow>,
    /// The same by team.
    pub teams: Vec<TeamRow>,
    /// What the last nights came to.
    pub trends: Trends,
    /// Sentences of the first page.
    pub opening: Vec<String>,
    /// What somebody has to decide.
    pub wanted: Vec<Wanted>,
    /// Per system.
    pub systems: Vec<System>,
    /// Controls for which nobody provides evidence for any system: told once.
    pub unprovided: Vec<Unprovided>,
    /// Findings of the estate.
    pub estate_findings: Vec<Finding>,
    /// Who accepted what is not?
    pub exceptions: Vec<Exception>,
    /// Decisions on levels in the register.
    pub decisions: Vec<Decision>,
    /// What changed in the period.
    pub changes: Vec<Change>,
    /// What was read since, of periods that a report had told of before: in a line each.
    pub restated: Vec<String>,
    /// Mails of earlier nights that did not arrive, in a sentence each.
    pub mails: Vec<String>,
    /// What was not seen, in a line each.
    pub not_seen: Vec<String>,
    /// The same by source, with what it means.
    pub missing: Vec<Missing>,
    /// Controls that were asked.
    pub controls: Vec<Control>,
    /// The law that was used.
    pub law: Law,
}

impl Report {
    /// Findings of all systems, then those of the estate.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.systems.iter().flat_map(|s| &s.findings).chain(&self.estate_findings)
    }

    /// Sources of which something is missing.
    pub fn gaps(&self) -> usize {
        self.missing.iter().filter(|m| !m.what.is_empty()).count()
    }

    /// How exceptions stand, in numbers: `2 exceptions in force, 1 override not accountable`.
    pub fn hygiene(&self) -> String {
        let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        for e in &self.exceptions {
            let state = e.state.split([':', ';', '(']).next().unwrap_or_default().trim_end();
            *counts.entry((e.what, state)).or_default() += 1;
        }
        let told = counts.iter().map(|((what, state), n)| {
            let many = if *n == 1 { "" } else { "s" };
            format!("{n} {what}{many} {state}")
        });
        told.collect::<Vec<_>>().join(", ")
    }

    /// Changes of a kind.
    pub fn changed_so(&self, what: &str) -> usize {
        self.changes.iter().filter(|c| c.what == what).count()
    }

    /// What changed, in numbers.
    pub fn changed(&self) -> String {
        let kinds = [
            ("new", "new"),
            ("more", "with more of the same"),
            ("reopened", "reopened"),
            ("resolved", "resolved"),
            ("fewer", "resolved in part"),
            ("unknown", "no longer known"),
            ("other", "changed by a rule or a setting"),
            ("not assessed", "newly not assessed"),
        ];
        let always = ["new", "resolved"];
        let told = kinds.iter().map(|(what, name)| (self.changed_so(what), what, name));
        let told = told.filter(|(n, what, _)| *n > 0 || always.contains(what));
        let told: Vec<String> = told.map(|(n, _, name)| format!("{n} {name}")).collect();
        let changed: BTreeSet<u64> = self.changes.iter().map(|c| c.number).collect();
        let unchanged = self
            .findings()
            .filter(|f| f.open())
            .filter(|f| f.number.is_none_or(|n| !changed.contains(&n)))
            .count();
        format!("{}; {unchanged} open findings unchanged.", told.join(", "))
    }
}

/// What a report was made from.
#[derive(Clone, Debug, Serialize)]
pub struct AsOf {
    /// Entries; the last one is an `assessment.run`.
    pub size: u64,
    /// Root over them, base64.
    pub root: String,
    /// The time judged from.
    pub at: Time,
    /// The same for people.
    pub at_local: String,
}

/// What a report covers.
#[derive(Clone, Debug, Serialize)]
pub struct Period {
    /// `at` of the previous scheduled report; start of the record for the first.
    pub from: Time,
    /// Its own `at`.
    pub to: Time,
    /// For people.
    pub from_local: String,
    /// For people.
    pub to_local: String,
    /// Whether there is no earlier report to compare with.
    pub first: bool,
    /// Nights that it stands for: more than one after nights without a report.
    pub nights: u64,
    /// Whether somebody asked for this start: it need not be that of a report.
    pub asked: bool,
    /// Start of the window that event controls look back on, for people.
    pub window_local: String,
}

/// Was the record altered?
#[derive(Clone, Debug, Serialize)]
pub struct Integrity {
    /// intact or broken.
    pub status: &'static str,
    /// Entries hashed again.
    pub size: u64,
    /// Root over them.
    pub root: String,
    /// What does not hold.
    pub first_bad: Option<String>,
    /// Signed checkpoints up to there.
    pub checkpoints: u64,
    /// The signed checkpoint over them, a C2SP note: what `verify --since` takes.
    pub checkpoint: String,
    /// Verifier key line.
    pub key: String,
    /// Name of the log.
    pub origin: String,
    /// Outside witnesses of checkpoints, beside the mails.
    pub anchors: Vec<Anchor>,
    /// The ledger that this one follows.
    pub predecessor: Option<Predecessor>,
    /// The same as a sentence.
    pub follows: Option<String>,
}

/// An outside witness.
#[derive(Clone, Debug, Serialize)]
pub struct Anchor {
    /// archive or timestamp.
    pub anchor: String,
    /// Where.
    pub location: String,
    /// Size of the last checkpoint that it holds; null when it never held one.
    pub size: Option<u64>,
    /// The entry that tells it.
    pub entry: Option<u64>,
    /// Since when it cannot be reached, and why.
    pub down: Option<String>,
    /// All of this as a sentence.
    pub sentence: String,
}

/// Did we see everything, for one source.
#[derive(Clone, Debug, Serialize)]
pub struct Coverage {
    /// Configured name.
    pub source: String,
    /// flow_logs, gatekeeper, sentinel, model_artifacts or register.
    pub kind: &'static str,
    /// What is counted.
    pub unit: String,
    /// How many should be there.
    pub expected: u64,
    /// How many are.
    pub seen: u64,
    /// The time up to which it can be judged.
    pub horizon: Time,
    /// For people.
    pub horizon_local: String,
    /// Since when we look, for people.
    pub begin_local: String,
    /// Whether nothing complete was read within its limit.
    pub stale: bool,
    /// Why it is not collected.
    pub off: Option<String>,
    /// Where it was read.
    pub location: String,
    /// How long AWS took to deliver flow logs.
    pub delivery: Option<String>,
    /// What is missing.
    pub gaps: Vec<Gap>,
    /// What came late, or was read after a report of its hours.
    pub late: Vec<Gap>,
    /// Listings that are shorter than the total they state.
    pub truncated: Vec<String>,
    /// Stored files that fit no layout; null where none does not.
    pub outside_layout: Option<OutsideLayout>,
    /// Looks in the window.
    pub looks: Vec<Look>,
    /// What was seen on each day of the window.
    pub calendar: Vec<Day>,
}

/// One day of a source, in the zone of the house.
#[derive(Clone, Debug, Serialize)]
pub struct Day {
    /// Where it begins.
    pub begin: Time,
    /// For people.
    pub day: String,
    /// seen, part or none.
    pub state: &'static str,
}

/// Stored files of which nobody can say which model version they are.
#[derive(Clone, Debug, Serialize)]
pub struct OutsideLayout {
    /// The layout.
    pub layout: String,
    /// How many keys.
    pub count: u64,
    /// The first of them.
    pub keys: Vec<Stray>,
}

/// A stored file that fits no layout.
#[derive(Clone, Debug, Serialize)]
pub struct Stray {
    /// `s3://BUCKET/KEY`
    pub uri: String,
    /// The entry that shows it.
    pub entry: u64,
}

/// One thing that is missing.
#[derive(Clone, Debug, Serialize)]
pub struct Gap {
    /// Where it begins.
    pub from: Time,
    /// Where it ends.
    pub to: Time,
    /// For people.
    pub when: String,
    /// What is missing.
    pub what: String,
    /// Reason code.
    pub reason: &'static str,
    /// Entry that tells it.
    pub entry: Option<u64>,
}

/// One collection.
#[derive(Clone, Debug, Serialize)]
pub struct Look {
    /// Entry of its `source.run`.
    pub entry: u64,
    /// For people.
    pub when: String,
    /// What was read.
    pub read: String,
    /// New entries.
    pub entries: u64,
    /// Items left out.
    pub skipped: u64,
    /// Whether everything asked for was read.
    pub complete: bool,
    /// What is wrong, located.
    pub faults: Vec<String>,
}

/// Totals over all findings.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Totals {
    /// All findings.
    pub checks: u64,
    /// By status.
    pub counts: Counts,
    /// Satisfied because the register says so.
    pub declared: u64,
    /// Satisfied because we evaluated the rule ourselves.
    pub re_performed: u64,
    /// Not satisfied and accepted.
    pub accepted: u64,
    /// Not satisfied and open.
    pub open: u64,
    /// Of the open: a duty in force.
    pub in_force: u64,
    /// Of the open: a duty to come.
    pub to_come: u64,
    /// Of the open: a rule of the house only.
    pub house: u64,
    /// Systems.
    pub systems: u64,
    /// Of them not in the register.
    pub unregistered: u64,
}

/// One level of the first page.
#[derive(Clone, Debug, Serialize)]
pub struct LevelRow {
    /// The level.
    pub level: &'static str,
    /// Systems that have it.
    pub systems: u64,
    /// Their open findings.
    pub open: u64,
    /// Their accepted findings.
    pub accepted: u64,
    /// Their findings that could not be assessed.
    pub not_assessed: u64,
    /// From when the Act asks something of it.
    pub first_date: String,
}

/// One team.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TeamRow {
    /// The team; `no team`.
    pub team: String,
    /// Its systems.
    pub systems: u64,
    /// Of them high-risk.
    pub high: u64,
    /// Their findings by status.
    pub counts: Counts,
    /// Of these, accepted.
    pub accepted: u64,
    /// Of these, open.
    pub open: u64,
}

/// Something that somebody has to decide.
#[derive(Clone, Debug, Serialize)]
pub struct Wanted {
    /// `overdue`, a date, or how long it has been open: `new`, `day 29`.
    pub when: String,
    /// Days for which it has been open.
    pub open_days: u64,
    /// Whether the day by which it was to be done is over.
    pub overdue: bool,
    /// By when: of the corrective action, of the house, or the day from which the duty applies.
    pub by: Option<Time>,
    /// For people.
    pub by_local: String,
    /// Numbers of the findings.
    pub numbers: Vec<u64>,
    /// The system, or `estate`; several when the same thing was seen of them.
    pub systems: Vec<String>,
    /// Their levels, the strictest first.
    pub level: String,
    /// critical, high, medium, low.
    pub severity: String,
    /// What was seen.
    pub what: String,
    /// Who acts.
    pub who: String,
    /// What to do.
    pub action: String,
    /// duty in force, duty to come (date), house rule.
    pub duty: String,
    /// Control.
    pub control: String,
}

/// What was not seen of one source, and what that means.
#[derive(Clone, Debug, Serialize)]
pub struct Missing {
    /// Configured name; for a kind of which no source is configured, the kind.
    pub source: String,
    /// What is counted.
    pub unit: String,
    /// How many should be there.
    pub expected: u64,
    /// How many are.
    pub seen: u64,
    /// What is missing, in a line each; empty where nothing is known to be.
    pub what: Vec<String>,
    /// What could not be assessed for it, in a sentence; empty where nothing.
    pub effect: String,
}

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

/// One control for one system.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// Number that people use; none while it was never anything but satisfied.
    pub number: Option<u64>,
    /// The control.
    pub control: String,
    /// Its title.
    pub title: String,
    /// The system; empty for the estate.
    pub system: String,
    /// act or house.
    pub kind: ControlKind,
    /// critical, high, medium, low.
    pub severity: String,
    /// Status.
    pub status: Status,
    /// Reason code.
    pub reason: String,
    /// seen, declared or re-performed.
    pub basis: &'static str,
    /// throughout or as-of.
    pub tested: Tested,
    /// in-force, to-come or null.
    pub legal_state: Option<&'static str>,
    /// From when the duty applies.
    pub applies_from: Option<Time>,
    /// duty in force, duty to come (date), house rule (since when, set by whom).
    pub duty: String,
    /// Articles that may bind, as the register does not give the role or the Annex point that decides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub may_bind: Vec<String>,
    /// Of a control of kind house.
    pub house_rule: Option<HouseRule>,
    /// By when it is to be put right, where a clock runs.
    pub deadline: Option<Deadline>,
    /// Articles that bind.
    pub references: Vec<String>,
    /// Whether all that is not satisfied was accepted.
    pub excepted: bool,
    /// Whether nobody provides evidence for it, here or for any other system: it is told once for all.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unprovided: bool,
    /// Units by status.
    pub counts: Counts,
    /// What was seen, in a sentence.
    pub summary: String,
    /// How to mend it.
    pub remediation: String,
    /// What it does not show.
    pub limit: String,
    /// Units not satisfied or not assessed, and at most 20 of the others.
    pub units: Vec<Unit>,
}

impl Finding {
    /// Not satisfied, and not accepted.
    pub fn open(&self) -> bool {
        self.status == Status::NotSatisfied && !self.excepted
    }
}

/// A control for which nobody provides evidence, with all systems that it is asked of.
#[derive(Clone, Debug, Serialize)]
pub struct Unprovided {
    /// The control.
    pub control: String,
    /// Its title.
    pub title: String,
    /// How many systems it is asked of.
    pub systems: u64,
    /// What is missing.
    pub why: String,
    /// duty in force, duty to come, house rule: as for the first of them.
    pub duty: String,
    /// Articles that bind the first of them.
    pub references: Vec<String>,
    /// How to mend it.
    pub remediation: String,
}

/// By when a finding is to be put right.
#[derive(Clone, Debug, Serialize)]
pub struct Deadline {
    /// Last day: that of the corrective action, else that of the house.
    pub day: Time,
    /// Role that owns it, or the team of the system.
    pub owner: String,
    /// Entry of the corrective action.
    pub action: Option<u64>,
    /// Whether the day is over.
    pub overdue: bool,
    /// The same in a sentence.
    pub told: String,
}

/// Open and not assessed findings of one level, team or control, night by night.
#[derive(Clone, Debug, Serialize)]
pub struct Trend {
    /// `level`, `team` or `control`.
    pub of: String,
    /// Which one.
    pub name: String,
    /// Not satisfied and not accepted.
    pub open: Vec<u64>,
    /// Not assessed.
    pub not_assessed: Vec<u64>,
}

/// What the last nights came to, the oldest first.
#[derive(Clone, Debug, Serialize)]
pub struct Trends {
    /// When each was judged.
    pub nights: Vec<Time>,
    /// Of levels, teams and controls.
    pub rows: Vec<Trend>,
}

impl Trend {
    /// The number of this night.
    pub fn now(&self, numbers: &[u64]) -> u64 {
        numbers.last().copied().unwrap_or_default()
    }

    /// The number of so many nights ago; `-` where the record is younger.
    pub fn ago(&self, numbers: &[u64], nights: usize) -> String {
        let then = numbers.len().checked_sub(nights).and_then(|i| numbers.get(i));
        then.map_or_else(|| "-".into(), u64::to_string)
    }
}

/// Who made a rule of the house, and since when.
#[derive(Clone, Debug, Serialize)]
pub struct HouseRule {
    /// When an entry first showed it.
    pub since: Time,
    /// The policy set, the constraint or the catalogue.
    pub set_by: String,
    /// The level at which it is enforced.
    pub level: String,
}

/// One thing that a control judged.
#[derive(Clone, Debug, Serialize)]
pub struct Unit {
    /// Its id.
    pub id: String,
    /// Status.
    pub status: Status,
    /// Reason code.
    pub reason: String,
    /// new, persisting, resolved, reopened, unknown; empty for what was never open.
    pub lifecycle: &'static str,
    /// Why it came to its status.
    pub cause: String,
    /// First time that it was not satisfied.
    pub first_seen: Option<Time>,
    /// Since when it has its status.
    pub since: Option<Time>,
    /// Until when, for what is over.
    pub until: Option<Time>,
    /// What was seen.
    pub note: String,
    /// Of what is not satisfied or not assessed: the line of the control's decision list that held, with its number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<(usize, String)>,
    /// Who accepted it.
    pub excepted: Option<Accepted>,
    /// Entries that decide.
    pub evidence: Vec<Evidence>,
    /// How much was looked at.
    pub considered: Considered,
}

/// Who accepted a unit.
#[derive(Clone, Debug, Serialize)]
pub struct Accepted {
    /// exception, override or decision.
    pub how: &'static str,
    /// Its entry.
    pub entry: u64,
    /// Until when, for people.
    pub until: String,
}

/// An entry and its leaf hash.
#[derive(Clone, Debug, Serialize)]
pub struct Evidence {
    /// Sequence number.
    pub seq: u64,
    /// Its leaf hash; hex in JSON.
    #[serde(serialize_with = "as_hex")]
    pub leaf: Hash,
}

fn as_hex<S: Serializer>(hash: &Hash, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&hex(hash))
}

/// What a verdict rests on.
#[derive(Clone, Debug, Serialize)]
pub struct Considered {
    /// Complete looks of the needed sources within the window.
    pub looks: u64,
    /// Entries cited.
    pub count: u64,
    /// SHA-256 over their leaf hashes, in order.
    pub digest: String,
}

/// A model version in production.
#[derive(Clone, Debug, Serialize)]
pub struct Ran {
    /// The version.
    pub version: String,
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
    /// What let it through: the last applied run before, and constraints that denied then.
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

/// An accepted deviation, an override, an exemption.
#[derive(Clone, Debug, Serialize)]
pub struct Exception {
    /// exception, override, exemption.
    pub what: &'static str,
    /// The control.
    pub control: String,
    /// The system.
    pub system: String,
    /// The thing.
    pub thing: String,
    /// Who: role or alias.
    pub who: String,
    /// Why, or that nothing says why.
    pub why: String,
    /// Until when.
    pub until: String,
    /// in force, expired, not written down, accountable, not accountable.
    pub state: String,
    /// Entry.
    pub entry: Option<u64>,
}

/// A decision on a level in the register.
#[derive(Clone, Debug, Serialize)]
pub struct Decision {
    /// The system.
    pub system: String,
    /// The level.
    pub level: String,
    /// Annex point.
    pub annex: String,
    /// Who, as an alias.
    pub approver: String,
    /// When.
    pub date: String,
    /// Why.
    pub reason: String,
    /// To be looked at again by.
    pub review_by: String,
    /// Entry.
    pub entry: u64,
}

/// A finding whose status changed in the period.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    /// new, more (of a finding that was open), reopened, resolved, fewer (units of a finding that stays open), unknown, other,
    /// not assessed.
    pub what: &'static str,
    /// Number of the finding.
    pub number: u64,
    /// Control.
    pub control: String,
    /// System.
    pub system: String,
    /// Units that changed so.
    pub units: Vec<String>,
    /// Why.
    pub cause: String,
    /// In a sentence.
    pub note: String,
    /// Entries of the transitions.
    pub entries: Vec<u64>,
}

/// A control that was asked.
#[derive(Clone, Debug, Serialize)]
pub struct Control {
    /// Its id.
    pub id: String,
    /// What is so when it is satisfied.
    pub title: String,
    /// The question.
    pub question: String,
    /// act or house.
    pub kind: ControlKind,
    /// What is counted.
    pub unit: String,
    /// throughout or as-of.
    pub tested: Tested,
    /// What it does not show.
    pub limit: String,
    /// How to mend it.
    pub remediation: String,
    /// The decision list, for people.
    pub rule: Vec<String>,
    /// Articles.
    pub references: Vec<String>,
    /// Findings by status.
    pub counts: Counts,
    /// (system, its anchor, status, units) of each finding.
    pub findings: Vec<ControlRow>,
}

/// One finding on a control's page.
#[derive(Clone, Debug, Serialize)]
pub struct ControlRow {
    /// The system for people, or `estate`.
    pub system: String,
    /// Its anchor.
    pub anchor: String,
    /// Status.
    pub status: Status,
    /// Whether accepted.
    pub excepted: bool,
    /// Units by status.
    pub counts: Counts,
    /// What was seen.
    pub summary: String,
}

/// The law that was used.
#[derive(Clone, Debug, Serialize)]
pub struct Law {
    /// The regulation as amended.
    pub text: String,
    /// Day of the timetable.
    pub checked: String,
    /// Version and SHA-256 of the catalogue.
    pub catalogue: String,
    /// Art. 40.
    pub presumption: String,
    /// The next date.
    pub next: String,
    /// Every date of the next year: day, what, basis.
    pub dates: Vec<(String, String, String)>,
    /// Articles for which no source of ours has evidence.
    pub no_evidence: Vec<(String, String)>,
    /// Dates and parameters that the organisation set otherwise.
    pub own: Vec<String>,
}
