//! Acts of our own: collections, assessments, reports, mails.

use super::{Private, Time};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Entry 0 of a ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LedgerOpened {
    /// Name of the log, which is also the name of its key.
    pub origin: String,
    /// The verifier key line (C2SP signed-note).
    pub public_key: String,
    /// Entry format.
    pub format: i64,
    /// The ledger that this one follows.
    pub predecessor: Option<Predecessor>,
    /// Why it was opened.
    pub reason: String,
}

/// A ledger that ended: its key was lost, its file was restored from a backup, or grew too big.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Predecessor {
    /// Its last checkpoint that is known, a signed note.
    pub checkpoint: String,
    /// The verifier key line that signed it.
    pub public_key: String,
    /// Entries that are lost: of those that the checkpoint covers, from this number on; null when none is.
    pub lost_from: Option<u64>,
    /// When the last entry that is still there was recorded; null when no entry is there.
    pub last_recorded: Option<Time>,
}

/// A change of the signing key; it signs from the checkpoint after the one that covers this entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LedgerKey {
    /// The new verifier key line.
    pub public_key: String,
}

/// The first use of a year's pseudonym key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PrivateKey {
    /// The year of `recorded_at`, UTC.
    pub year: i16,
    /// Base64 of SHA-256 over the key.
    pub commitment: String,
}

/// Private values whose openings were taken away for good, in the transaction that wrote this.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PrivateErased {
    /// Every opening of entries below this number.
    pub below: u64,
    /// Single openings, by commitment.
    pub commitments: Vec<String>,
    /// Years whose pseudonym key went as well: nothing of them was left.
    pub years: Vec<i16>,
    /// Openings that were taken.
    pub count: u64,
    /// Why.
    pub reason: String,
}

/// A copy of the ledger that was made and verified. It holds the private values that were there at that size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LedgerBackup {
    /// Name of the file, without its folder.
    pub file: String,
    /// Entries in it.
    pub size: u64,
    /// Root over them, base64.
    pub root: String,
    /// Private values that it holds.
    pub openings: u64,
}

/// A checkpoint that an outside witness holds or vouches for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnchorMade {
    /// `archive` (S3 Object Lock), `reports` (the same, of what was issued) or `timestamp` (RFC 3161).
    pub anchor: String,
    /// Where: bucket and prefix, or the authority's address.
    pub location: String,
    /// Size of the checkpoint.
    pub size: u64,
    /// SHA-256 of the checkpoint's note, hex.
    pub checkpoint: String,
    /// What the archive keeps.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub objects: Vec<ArchivedObject>,
    /// Files of a report that were not copied: they are gone, or not as they were issued.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub lacks: Vec<String>,
    /// The time-stamp response as it came (RFC 3161, DER), base64.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub token: Option<String>,
    /// The time that the authority states.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stamped_at: Option<Time>,
}

/// One locked object version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArchivedObject {
    /// Its key.
    pub key: String,
    /// The version that is locked.
    pub version_id: String,
    /// SHA-256 of its bytes, hex.
    pub sha256: String,
    /// Until when nobody can delete it, as the bucket states it.
    pub retain_until: Time,
}

/// An anchor that could not be reached; tried again by the next job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnchorFailed {
    /// `archive` or `timestamp`.
    pub anchor: String,
    /// Why.
    pub error: String,
}

/// When the constraints of a cluster were audited, as their status says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Audits {
    /// Constraints.
    pub constraints: u64,
    /// Those never audited.
    pub never: u64,
    /// Whether the look lists all of them.
    pub whole: bool,
    /// The audit that is the longest ago.
    pub oldest: Option<Time>,
    /// The last one.
    pub newest: Option<Time>,
}

/// The end of one batch: what one look of one source gave.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SourceRun {
    /// flow_logs, gatekeeper, sentinel, model_artifacts or register.
    pub source_kind: String,
    /// Name of the look; the cursor of the source.
    pub look: String,
    /// When the look was taken; null when nothing tells it.
    pub looked_at: Option<Time>,
    /// Entries that this batch wrote before this one.
    pub entries: u64,
    /// Items that the look held.
    pub counts: Counts,
    /// Whether everything asked for was read.
    pub complete: bool,
    /// Since when, and up to when, everything that a source of flow logs delivered was read, or has an entry that says why
    /// not. None of a look in a folder: as far back as there is anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Time>,
    /// See `from`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub through: Option<Time>,
    /// What a complete look would have shown and this one did not.
    pub gaps: Vec<String>,
    /// Listings shorter than the total they state.
    pub truncated: Vec<String>,
    /// Times in which what came and went was not seen, although somebody watched.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unwatched: Vec<String>,
    /// Of a cluster: when Gatekeeper audited its constraints. What it found is an entry only when it is something else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audits: Option<Audits>,
    /// Of a cluster: SHA-256 of what its constraints were evaluated over. A later look with the same one says the same of them,
    /// and tells them not again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inputs: Option<String>,
    /// Listings of buckets that came to their end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub listings: Vec<Listing>,
    /// Faults, at most 100, located.
    pub faults: Vec<Fault>,
    /// Faults in all.
    pub fault_count: u64,
    /// Why the source failed as a whole.
    pub error: Option<String>,
    /// SHA-256 over the sorted names and digests of the files read.
    pub replies: String,
    /// Files read.
    pub files: u64,
    /// What was read, in the source's own units.
    pub read: String,
    /// Who asked a live source, as it says itself: in AWS the ARN that STS tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// What a live source was asked, in its own words: operation, parameters, pages, items.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<String>,
    /// Version of this program.
    pub version: String,
}

/// Everything that lay in a bucket below a prefix: nothing else was there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Listing {
    /// `s3://BUCKET/PREFIX`
    pub place: String,
    /// When the listing began; what came or went until its end may be missing.
    pub from: Option<Time>,
    /// Pages that were read.
    pub pages: u64,
    /// Versions listed.
    pub versions: u64,
    /// Delete markers listed.
    pub markers: u64,
    /// SHA-256 over all of them, a chain in the order of key and version id: the lower-case hex of each digest begins the next,
    /// followed by `[key,version id,etag,size]` in canonical JSON, with `null` for both of a delete marker.
    pub digest: String,
}

/// For every input: read = kept + quarantined + refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Records or objects seen.
    pub read: u64,
    /// Taken into evidence, or known already.
    pub kept: u64,
    /// Single items that are none; the rest of their file is kept.
    pub quarantined: u64,
    /// Files that could not be read at all.
    pub refused: u64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, o: Counts) {
        self.read += o.read;
        self.kept += o.kept;
        self.quarantined += o.quarantined;
        self.refused += o.refused;
    }
}

/// One located fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// File below the look.
    pub file: String,
    /// Line, member path or offset; empty for the whole file.
    pub place: String,
    /// What is wrong, and what would be right.
    pub what: String,
}

/// A finished assessment, and all that its verdicts depend on beside the entries below it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AssessmentRun {
    /// The time judged from.
    pub at: Time,
    /// Entries judged: all before this number.
    pub size: u64,
    /// Whether this is the nightly one.
    pub scheduled: bool,
    /// Nights that it stands for: more than one after nights without a report.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub nights: u64,
    /// Version and SHA-256 of the catalogue.
    pub catalogue: (String, String),
    /// Version of the rules: this program's.
    pub rules: String,
    /// Values of the config that verdicts and reports use.
    pub config: AssessmentConfig,
    /// SHA-256 over all verdicts.
    pub verdicts: String,
    /// How many findings have which status: per level, team and control.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<Metric>,
}

/// Findings of one level, team or control by their status. Counts always come as four.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// `level`, `team` or `control`.
    pub of: String,
    /// Which one.
    pub name: String,
    /// The rule holds.
    pub satisfied: u64,
    /// It does not.
    pub not_satisfied: u64,
    /// Of these, accepted.
    pub accepted: u64,
    /// It was not possible to tell.
    pub not_assessed: u64,
    /// The question does not arise.
    pub not_applicable: u64,
}

/// Values of the config that verdicts and reports use.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AssessmentConfig {
    /// Name of the organisation.
    pub organization: String,
    /// IANA name of the zone that people read times in.
    pub timezone: String,
    /// core or full.
    pub profile: String,
    /// Own networks.
    pub own: Vec<String>,
    /// Named ranges.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub ranges: BTreeMap<String, String>,
    /// Seconds between two scheduled passes.
    pub ingest_interval: i64,
    /// Configured sources: name to kind; one that is switched off says why.
    pub sources: BTreeMap<String, SourceConfig>,
    /// Whether every page says "demonstration".
    pub demonstration: bool,
    /// Dates of the legal timetable that the organisation set otherwise.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub timetable: BTreeMap<String, String>,
    /// Parameters of controls that it set otherwise.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "null_is_empty")]
    pub parameters: BTreeMap<String, Value>,
}

fn one() -> u64 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
fn is_one(n: &u64) -> bool {
    *n == 1
}

/// Entries of the first versions say null where nothing is set.
fn null_is_empty<'de, D: Deserializer<'de>>(d: D) -> Result<BTreeMap<String, Value>, D::Error> {
    Option::deserialize(d).map(Option::unwrap_or_default)
}

/// One configured source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SourceConfig {
    /// flow_logs, gatekeeper, sentinel, model_artifacts or register.
    pub kind: String,
    /// Location without secrets.
    pub location: String,
    /// Why it is not collected.
    pub off: Option<String>,
    /// Of a cluster: the source of flow logs that records the network of its nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow_logs: Option<String>,
    /// Of model artifacts: the layout of their keys, where it is not the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
}

/// A change of a unit's status.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FindingChange {
    /// `control system`, or `control` for the estate.
    pub finding: String,
    /// Number that people use; stable in one ledger.
    pub number: u64,
    /// The unit.
    pub unit: String,
    /// Status before; null when the unit is new.
    pub from: Option<String>,
    /// Status now; null when the unit is gone.
    pub to: Option<String>,
    /// Why: evidence, deleted, rule-changed, parameter-changed, register-changed, level-changed, coverage, window-passed.
    pub cause: String,
    /// The time judged from.
    pub at: Time,
    /// Entries that decide, at most 20.
    pub evidence: Vec<u64>,
}

/// A change of a system's effective level or of its basis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RiskLevelChange {
    /// The system.
    pub system: String,
    /// Effective level before; null when the system is new.
    pub from: Option<String>,
    /// Effective level now; null when the system is gone.
    pub to: Option<String>,
    /// `decided`, `stated` or `none`.
    pub basis: String,
    /// Statements: source, level, entry.
    pub stated: Vec<(String, String, u64)>,
    /// The time judged from.
    pub at: Time,
}

/// A report that was made and kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReportIssued {
    /// Size of the as-of.
    pub as_of: u64,
    /// The time judged from.
    pub at: Time,
    /// Whether it is the nightly one.
    pub scheduled: bool,
    /// File name to SHA-256.
    pub files: BTreeMap<String, String>,
}

/// A mail that is to go out, or went out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mail {
    /// Message-ID, the same on every retry.
    pub message_id: String,
    /// Index of the mail list in the config.
    pub list: u64,
    /// Index of the recipient in that list: each gets a mail of its own. None in entries of the first versions: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<u64>,
    /// Eight digits that name the signing key, and HMAC-SHA256 over Message-ID and address under it, hex: by it the recipient is found in the config.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The team that the list is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// Whether the list gets the checkpoint alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub checkpoint: bool,
    /// Size of the as-of it speaks of.
    pub as_of: u64,
    /// The time judged from.
    pub at: Time,
    /// SHA-256 of the whole message; null while it only waits.
    pub sha256: Option<String>,
    /// Attempts that failed before, with the entry that queued it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<Attempts>,
}

/// Attempts to send a mail that nobody confirmed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Attempts {
    /// How many.
    pub count: u64,
    /// Of these, after how many nobody knows whether the mail arrived: the connection broke, or this program ended, before the
    /// server's answer. It may arrive again, with the same Message-ID.
    #[serde(default)]
    pub unknown: u64,
    /// What the last one came to, without addresses.
    pub why: String,
    /// Not tried again before; null when it was given up.
    pub again: Option<Time>,
}

/// The result of the nightly check of the whole record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LedgerVerified {
    /// Entries hashed again.
    pub size: u64,
    /// Root over them, base64.
    pub root: String,
    /// What was found wrong in `state.db`, which is derived and was built anew.
    pub state_differs: Vec<String>,
}

/// A bundle that was handed out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExportMade {
    /// Size of the as-of.
    pub as_of: u64,
    /// Entries in it.
    pub entries: u64,
    /// Whether private values were withheld.
    pub redacted: bool,
    /// SHA-256 of the manifest.
    pub manifest: String,
    /// Who asked for it on the pages; none for the command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub viewer: Option<Private>,
    /// Systems, controls and times that were asked for; none for everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
}

/// What somebody looked at in an hour.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccessViewed {
    /// Who: the name of a token, or what the provider calls a person; null on a service that asks nobody.
    pub viewer: Option<Private>,
    /// With what right: `auditor`, `team NAME`, `operator`.
    pub roles: Vec<String>,
    /// The session, or the token: the beginning of a digest.
    pub session: String,
    /// `pages`, `entries`, `private values`, `files` or `exports`.
    pub class: String,
    /// When the hour began.
    pub hour: Time,
    /// How often.
    pub count: u64,
}
