//! The vocabulary: what a source can state, and nothing about what it means.
//!
//! A piece of `Evidence` is one fact with its time, not yet in the ledger. Payloads are the typed structs of the
//! submodules; on the way into the ledger they are JSON, because an auditor reads JSON.

pub mod artifacts;
pub mod flow_logs;
pub mod gatekeeper;
pub mod record;
pub mod register;
pub mod sentinel;
mod text;
mod time;

pub use text::{Outside, Private, Text, lossless, outside_json, shortened, unescape};
pub use time::{DAY, Time};

use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Lower-case hexadecimal SHA-256 of some bytes.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The first 128 bits of SHA-256 over several texts, each behind its length: what many things are known by in little room.
pub fn short_digest<const N: usize>(parts: [&str; N]) -> [u8; 16] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let hash = hash.finalize();
    std::array::from_fn(|i| hash[i])
}

/// Lower-case hexadecimal form.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |n: u8| char::from(b"0123456789abcdef"[usize::from(n)]);
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect()
}

/// Bytes of hex; none where it is not.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    text.len().is_multiple_of(2).then(|| text.as_bytes().chunks(2).map(byte).collect())?
}

/// HMAC-SHA256.
pub fn keyed(key: &[u8], data: &[u8]) -> [u8; 32] {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length (RFC 2104)")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
    mac.update(data);
    mac.finalize().into_bytes().into()
}

/// Whether an entry tells something that happened once, or something that holds until it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// Written once per (source, key).
    Event,
    /// Written when it differs from the latest entry of the same (source, kind, subject).
    State,
}

macro_rules! kinds {
    ($($variant:ident $name:literal $nature:ident,)*) => {
        /// The kind of an entry, as its dotted name stands in the ledger.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Kind { $(#[serde(rename = $name)] #[doc = $name] $variant,)* }
        impl Kind {
            /// Every kind, in the order of the architecture page.
            pub const ALL: &'static [Kind] = &[$(Kind::$variant,)*];
            /// The dotted name.
            pub const fn name(self) -> &'static str { match self { $(Kind::$variant => $name,)* } }
            /// Event or state.
            pub const fn nature(self) -> Nature { match self { $(Kind::$variant => Nature::$nature,)* } }
            /// The kind with this dotted name.
            pub fn of(name: &str) -> Option<Kind> { match name { $($name => Some(Kind::$variant),)* _ => None } }
        }
    };
}

kinds! {
    LedgerOpened "ledger.opened" Event,
    LedgerKey "ledger.key" Event,
    LedgerVerified "ledger.verified" Event,
    LedgerBackup "ledger.backup" Event,
    AnchorMade "anchor.made" Event,
    AnchorFailed "anchor.failed" State,
    PrivateKey "private.key" Event,
    PrivateErased "private.erased" Event,
    DaemonStarted "daemon.started" Event,
    ConfigChanged "config.changed" State,
    SourceRun "source.run" Event,
    FlowLogConfiguration "flow_log.configuration" State,
    FlowLogObject "flow_log.object" Event,
    FlowLogWindow "flow_log.window" Event,
    FlowLogSelection "flow_log.selection" State,
    NetworkInterface "network.interface" State,
    GatekeeperTemplate "gatekeeper.template" State,
    GatekeeperConstraint "gatekeeper.constraint" State,
    GatekeeperConfig "gatekeeper.config" State,
    GatekeeperAudit "gatekeeper.audit" State,
    GatekeeperViolation "gatekeeper.violation" State,
    GatekeeperAdmission "gatekeeper.admission" Event,
    KubernetesWebhook "kubernetes.webhook" State,
    KubernetesNamespace "kubernetes.namespace" State,
    KubernetesWorkload "kubernetes.workload" State,
    KubernetesAddress "kubernetes.address" State,
    SentinelRun "sentinel.run" Event,
    SentinelOutcome "sentinel.outcome" Event,
    SentinelOverride "sentinel.override" Event,
    SentinelPolicySet "sentinel.policy_set" State,
    SentinelPolicy "sentinel.policy" State,
    TerraformWorkspace "terraform.workspace" State,
    TerraformStateVersion "terraform.state_version" Event,
    TerraformResource "terraform.resource" Event,
    ArtifactBucket "artifact.bucket" State,
    ArtifactVersion "artifact.version" State,
    ArtifactDeleteMarker "artifact.delete_marker" State,
    ArtifactTags "artifact.tags" State,
    ArtifactDetail "artifact.detail" State,
    ArtifactHash "artifact.hash" State,
    ArtifactManifest "artifact.manifest" State,
    RegisterRevision "register.revision" State,
    RegisterSystem "register.system" State,
    RegisterDecision "register.decision" State,
    RegisterRiskAssessment "register.risk_assessment" State,
    RegisterException "register.exception" State,
    RegisterStatement "register.statement" State,
    RegisterOversight "register.oversight" State,
    RegisterChange "register.change" State,
    RegisterCorrectiveAction "register.corrective_action" State,
    RegisterIncident "register.incident" State,
    RegisterOrganization "register.organization" State,
    AssessmentRiskLevel "assessment.risk_level" Event,
    AssessmentFinding "assessment.finding" Event,
    AssessmentRun "assessment.run" Event,
    ReportIssued "report.issued" Event,
    MailQueued "mail.queued" Event,
    MailSent "mail.sent" Event,
    ExportMade "export.made" Event,
    AccessViewed "access.viewed" Event,
}

/// One fact that a source stated, or one act of our own, before it is written down.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// What sort of fact.
    pub kind: Kind,
    /// Name of the configured source, or `actledger` for acts of our own.
    pub source: String,
    /// For events: what makes it the same event when it is read again.
    pub key: String,
    /// The thing it speaks of; never personal.
    pub subject: String,
    /// When it happened, as the source states it; for states, when it was looked at.
    pub occurred_at: Time,
    /// The typed payload of the kind, as JSON.
    pub payload: Value,
}

impl Evidence {
    /// A state: its key is its subject.
    pub fn state(kind: Kind, source: &str, subject: String, at: Time, payload: &impl Serialize) -> Evidence {
        Evidence {
            kind,
            source: source.into(),
            key: subject.clone(),
            subject,
            occurred_at: at,
            payload: json(payload),
        }
    }

    /// An event with a key of its own.
    pub fn event(
        kind: Kind,
        source: &str,
        key: String,
        subject: String,
        at: Time,
        payload: &impl Serialize,
    ) -> Evidence {
        Evidence { kind, source: source.into(), key, subject, occurred_at: at, payload: json(payload) }
    }

    /// The state "no longer there", which a complete look without the subject gives.
    pub fn gone(kind: Kind, source: &str, subject: String, at: Time) -> Evidence {
        Evidence::state(kind, source, subject, at, &serde_json::json!({ "gone": true }))
    }
}

/// The JSON of a payload struct. Our own structs have string keys and no floats, so this cannot fail.
pub fn json(payload: &impl Serialize) -> Value {
    serde_json::to_value(payload).unwrap_or(Value::Null)
}
