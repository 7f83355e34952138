//! Words for people, made from counts and codes. Accepted for connections, on record for documents, never "breach".

use crate::act::Status;
use crate::assessment::Finding;
use crate::evidence::Time;

/// `1 system`, `2 systems`.
pub(super) fn count(n: u64, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {many}") }
}

/// What the legal state of a finding is called, in a word.
pub(super) fn duty(finding: &Finding, day: impl Fn(Time) -> String) -> String {
    match (finding.law.state, finding.law.from) {
        (Some("in-force"), _) => "duty in force".into(),
        (Some(_), Some(from)) if finding.house.is_some() => format!("house rule, duty from {}", day(from)),
        (Some(_), Some(from)) => format!("duty to come ({})", day(from)),
        _ => "house rule".into(),
    }
}

/// The same with what there is to say of it: dates that are not settled, systems already in use, who made a rule.
pub(super) fn duty_in_full(finding: &Finding, day: impl Fn(Time) -> String) -> String {
    let law = &finding.law;
    let rule =
        finding.house.as_ref().map(|h| format!("house rule (since {}, set by {})", day(h.since), h.set_by));
    let formally = law.formally_from.map_or_else(String::new, |t| format!("; formally {}", day(t)));
    let in_use = if law.only_after_change { "; for systems already in use Art. 111(2)" } else { "" };
    let duty = match (law.state, law.from) {
        (Some("to-come"), Some(from)) => format!("duty to come ({}{formally}{in_use})", day(from)),
        (Some(_), _) => format!("duty in force{in_use}"),
        (None, _) if !law.may_bind.is_empty() => {
            format!("may bind: {} (no role or Annex point is given)", law.may_bind.join("; "))
        }
        (None, _) => return rule.unwrap_or_else(|| "no article binds".into()),
    };
    rule.map_or(duty.clone(), |rule| format!("{duty}, {rule}"))
}

/// The sentence of a finding: what its deciding units showed.
pub(super) fn summary(finding: &Finding) -> String {
    let deciding: Vec<_> = finding.units.iter().filter(|u| u.status == finding.status).collect();
    let first = deciding.first().map(|u| if u.note.is_empty() { reason(&u.reason) } else { u.note.clone() });
    let first = first.unwrap_or_default();
    match (finding.status, finding.counts.of(finding.status)) {
        _ if deciding.is_empty() => String::new(),
        (Status::Satisfied, n) if n > 1 => format!("{n} units, each satisfied"),
        (_, 1) => first,
        (_, n) => format!("{first} (and {} more like it)", n - 1),
    }
}

/// What a reason code means.
pub(super) fn reason(code: &str) -> String {
    let text = match code {
        "source-gap" => "it lies in a gap of the source, or the source is stale",
        "source-denied" => "the source answered that we may not read it",
        "not-collected" => "no such source is collected",
        "truncated" => "the listing is shorter than its total",
        "records-lost" => "AWS lost records",
        "unwatched" => "nobody watched between two looks",
        "unknown-history" => "it happened before our first look",
        "inventory-unknown" => "we do not know which interfaces the system had",
        "format" => "the format does not show what the rule needs",
        "level-unknown" => "nobody stated a risk level",
        "register-incomplete" => "the register does not say",
        "value-unknown" => "the value is absent or not of a form that we can judge",
        "partial-plan" => "the plan was targeted and leaves it out",
        "vacuous" => "there was nothing to compare with",
        "not-reperformable" => "the gate is of a kind that we cannot evaluate",
        "too-young" => "the store is younger than the time it is to keep",
        "not-due" => "the date that decides has not come",
        "out-of-scope" => "the level takes it out of scope",
        "other-role" => "the duty falls on another role",
        "other-route" => "the duty belongs to another route",
        "nothing-to-check" => "there is no such thing",
        "declared-not-applicable" => "the register says that it does not apply",
        other => other,
    };
    text.to_owned()
}

/// What a system is called for people: a discovered one by its own name and where it is.
pub(super) fn name(id: &str) -> String {
    let found = id.strip_prefix("discovered:").and_then(|rest| rest.rsplit_once(':'));
    found.map_or_else(
        || id.to_owned(),
        |(place, name)| {
            let place = place.split_once(':').map_or(place, |(_, place)| place);
            format!("{name} (unregistered, in {place})")
        },
    )
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn a_discovered_system_has_a_name() {
        let id = "discovered:kubernetes:cluster/lab:reader";
        assert_eq!(name(id), "reader (unregistered, in cluster/lab)");
        assert_eq!(name("scoring"), "scoring");
    }
}
