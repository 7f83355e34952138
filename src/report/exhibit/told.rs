//! What an entry says, in a sentence. It says what the source said, and no more.

use super::Names;
use crate::evidence::artifacts::{DeleteMarker, Version};
use crate::evidence::flow_logs::FlowObject;
use crate::evidence::gatekeeper::{Admission, Audit, Violation, Workload};
use crate::evidence::record::{
    AccessViewed, AnchorMade, AssessmentRun, ExportMade, FindingChange, LedgerVerified, Mail, ReportIssued,
    RiskLevelChange, SourceRun,
};
use crate::evidence::register::{Decision, Exception, RiskAssessment, System};
use crate::evidence::sentinel::{Outcome, Override, Run};
use crate::evidence::{Kind, Private, Time};
use crate::ledger::Entry;
use serde::de::DeserializeOwned;

/// The sentence; none for kinds and shapes that have none.
pub(super) fn told(e: &Entry, names: &Names<'_>) -> Option<String> {
    if e.payload["gone"] == true {
        return Some(format!(
            "A complete look at {} of {} no longer showed it.",
            e.source,
            names.minute(e.occurred_at)
        ));
    }
    match e.kind {
        Kind::SentinelRun | Kind::SentinelOutcome | Kind::SentinelOverride => of_terraform(e, names),
        Kind::GatekeeperViolation
        | Kind::GatekeeperAdmission
        | Kind::GatekeeperAudit
        | Kind::KubernetesWorkload
        | Kind::KubernetesNamespace => of_cluster(e, names),
        Kind::FlowLogObject => {
            let o: FlowObject = read(e)?;
            Some(format!(
                "A delivered object of {} bytes: {}. Its rows by hour are kept; its records are with AWS.",
                o.size, o.object
            ))
        }
        Kind::ArtifactVersion | Kind::ArtifactDeleteMarker | Kind::ArtifactHash => of_bucket(e, names),
        Kind::RegisterDecision | Kind::RegisterException | Kind::RegisterRiskAssessment => {
            of_register(e, names)
        }
        _ => of_our_own(e, names),
    }
}

fn read<T: DeserializeOwned>(e: &Entry) -> Option<T> {
    T::deserialize(&e.payload).ok()
}

/// A status or a level; of what is new before, and of what is gone now, there is none.
fn or_gone(word: Option<String>) -> String {
    word.unwrap_or_else(|| "not there".into())
}

fn of_terraform(e: &Entry, names: &Names<'_>) -> Option<String> {
    let at = names.minute(e.occurred_at);
    Some(match e.kind {
        Kind::SentinelOverride => {
            let o: Override = read(e)?;
            let who = names.person(o.actor.as_ref(), "somebody whom no source names");
            let policies = o.policies.join(", ");
            let reason = match o.reason_chars {
                0 => "No reason was found.".to_owned(),
                n => format!("A reason of {n} characters stands in {}.", o.reason_from.join(", ")),
            };
            let author = match o.actor_is_author {
                Some(true) => " Who overrode also started the run.",
                Some(false) => " Somebody else started the run.",
                None => "",
            };
            format!(
                "On {at} {who} overrode the policy {policies} of {} in workspace {}. {reason}{author}",
                o.run, o.workspace
            )
        }
        Kind::SentinelOutcome => {
            let o: Outcome = read(e)?;
            let level = if o.level.is_empty() { String::new() } else { format!(", declared {}", o.level) };
            format!("Policy {}{level}, {} on {} of workspace {}.", o.policy, o.status, o.run, o.workspace)
        }
        _ => {
            let r: Run = read(e)?;
            let who = names.person(r.author.as_ref(), "somebody whom no source names");
            let applied = r.applied.map_or_else(
                || format!("its status is {}", r.status),
                |t| format!("it was applied on {}", names.minute(t)),
            );
            let cost = r
                .cost
                .and_then(|c| c.monthly)
                .map_or_else(String::new, |c| format!(" Its cost is estimated at {c} USD a month."));
            format!("{} of workspace {} was started by {who}; {applied}.{cost}", r.run, r.workspace)
        }
    })
}

fn of_cluster(e: &Entry, names: &Names<'_>) -> Option<String> {
    let at = names.minute(e.occurred_at);
    Some(match e.kind {
        Kind::GatekeeperViolation => {
            let v: Violation = read(e)?;
            let said = v.messages.join("; ");
            let by = if v.reperformed {
                " Gatekeeper's list does not reach it; our own evaluation shows it."
            } else {
                ""
            };
            format!(
                "An audit seen on {at} lists {} as against {} ({}): {said}.{by}",
                v.object, v.constraint, v.action
            )
        }
        Kind::GatekeeperAdmission => {
            let a: Admission = read(e)?;
            let who = names.person(a.user.as_ref(), "somebody whom the event does not name");
            format!("{} for {} by {}, as {who} asked, {} times.", a.reason, a.object, a.constraint, a.count)
        }
        Kind::GatekeeperAudit => {
            let a: Audit = read(e)?;
            let all = a.constraints.len();
            let cut = a.constraints.iter().filter(|c| c.total.is_some_and(|total| total > c.listed)).count();
            format!(
                "The last audit seen on {at} speaks of {all} constraints; {cut} list fewer violations than they count."
            )
        }
        Kind::KubernetesNamespace => {
            let name = e.subject.rsplit('/').next().unwrap_or_default();
            format!("Namespace {name}, its labels and annotations as they stood on {at}.")
        }
        _ => {
            let w: Workload = read(e)?;
            let images = w.images.join(", ");
            let replicas = if w.replicas == 1 { "replica" } else { "replicas" };
            format!(
                "{} {} in namespace {} as it stood on {at}: {} {replicas} asked for, images {images}. That these bytes were loaded, no source of ours shows.",
                w.kind, w.name, w.namespace, w.replicas
            )
        }
    })
}

fn of_bucket(e: &Entry, names: &Names<'_>) -> Option<String> {
    let at = |t: Option<Time>| t.map_or_else(|| "a time that S3 did not state".into(), |t| names.minute(t));
    Some(match e.kind {
        Kind::ArtifactDeleteMarker => {
            let m: DeleteMarker = read(e)?;
            let hidden = if m.latest { "which hides it" } else { "over which there is a newer version" };
            format!(
                "s3://{}/{} got a delete marker on {}, {hidden}. Who set it is in no source of ours.",
                m.bucket,
                m.key,
                at(m.set)
            )
        }
        Kind::ArtifactHash => {
            format!("The bytes of {} were read whole and hashed by this program.", e.subject)
        }
        _ => {
            let v: Version = read(e)?;
            format!(
                "s3://{}/{} version {}, {} bytes, was stored on {}. Who stored it is in no source of ours.",
                v.bucket,
                v.key,
                v.version_id,
                v.size,
                at(v.stored)
            )
        }
    })
}

fn of_register(e: &Entry, names: &Names<'_>) -> Option<String> {
    let person = |p: &Option<Private>| names.person(p.as_ref(), "nobody named");
    let day = |t: Option<Time>| t.map_or_else(|| "no day".into(), |t| names.day(t));
    Some(match e.kind {
        Kind::RegisterDecision => {
            let d: Decision = read(e)?;
            format!(
                "The register says that {} is of level {}, decided by {} ({}).",
                d.system,
                d.level,
                person(&d.approver),
                day(d.date)
            )
        }
        Kind::RegisterException => {
            let x: Exception = read(e)?;
            let system = if x.system.is_empty() { "the estate" } else { &x.system };
            format!(
                "The register accepts a deviation from {} for {system} until {}, approved by {}.",
                x.control,
                day(x.expires),
                person(&x.approver)
            )
        }
        Kind::RegisterSystem => {
            let s: System = read(e)?;
            let level = s.risk_level.as_deref().unwrap_or("no level");
            format!("The register describes {}: team {}, {level}.", s.id, s.team)
        }
        _ => {
            let r: RiskAssessment = read(e)?;
            format!("The register names a risk assessment of {}. What it says is not seen.", r.system)
        }
    })
}

fn of_our_own(e: &Entry, names: &Names<'_>) -> Option<String> {
    Some(match e.kind {
        Kind::SourceRun => {
            let r: SourceRun = read(e)?;
            let whole = if r.complete { "complete" } else { "not complete" };
            let error = r.error.map_or_else(String::new, |e| format!(" It failed: {e}."));
            format!(
                "A look at {} of {}: {}; {whole}, {} new entries, {} faults.{error}",
                e.source,
                r.looked_at.map_or_else(|| "an unknown time".into(), |t| names.minute(t)),
                r.read,
                r.entries,
                r.fault_count
            )
        }
        Kind::AssessmentFinding => {
            let c: FindingChange = read(e)?;
            format!(
                "Finding #{} ({}), unit {}: from {} to {}, because of {}.",
                c.number,
                c.finding,
                c.unit,
                or_gone(c.from),
                or_gone(c.to),
                c.cause
            )
        }
        Kind::AssessmentRiskLevel => {
            let c: RiskLevelChange = read(e)?;
            format!(
                "The effective level of {}: from {} to {}, basis {}.",
                c.system,
                or_gone(c.from),
                or_gone(c.to),
                c.basis
            )
        }
        Kind::AssessmentRun => {
            let r: AssessmentRun = read(e)?;
            format!("The entries below {} were judged from {}.", r.size, names.minute(r.at))
        }
        Kind::ReportIssued => {
            let r: ReportIssued = read(e)?;
            format!(
                "The report as of entry {} was issued, in {} files, each with its SHA-256.",
                r.as_of,
                r.files.len()
            )
        }
        Kind::MailQueued | Kind::MailSent => {
            let m: Mail = read(e)?;
            let done =
                if e.kind == Kind::MailSent { "was taken by the mail server" } else { "was to be sent" };
            format!("The mail of the report as of entry {} {done}. It holds the checkpoint.", m.as_of)
        }
        Kind::ExportMade => {
            let x: ExportMade = read(e)?;
            let of = x.asked.unwrap_or_else(|| "the whole record".into());
            let private = if x.redacted { "private values withheld" } else { "with private values" };
            format!(
                "Evidence was taken away: {of}, {} entries, {private}, as of entry {}.",
                x.entries, x.as_of
            )
        }
        Kind::AccessViewed => {
            let v: AccessViewed = read(e)?;
            format!(
                "In the hour from {} a session of {} looked at {}, {} times.",
                names.minute(v.hour),
                v.roles.join(", "),
                v.class,
                v.count
            )
        }
        Kind::AnchorMade => {
            let a: AnchorMade = read(e)?;
            format!("The checkpoint of size {} was given to {} ({}).", a.size, a.location, a.anchor)
        }
        Kind::LedgerVerified => {
            let v: LedgerVerified = read(e)?;
            format!("All {} entries were hashed again and hold.", v.size)
        }
        _ => return None,
    })
}
