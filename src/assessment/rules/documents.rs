//! Rules about documents that the register names: the risk assessment, and the technical documentation with how long it is kept.

use super::super::dates::{day, day_or_dash, is_later};
use super::super::estate::System;
use super::super::facts::{Seen, Version};
use super::super::findings::{Basis, Case};
use super::Judged;
use super::artifacts::{first_and_more, in_use_since, lists, serving};
use super::papers::unheld;
use crate::evidence::Time;
use crate::evidence::artifacts::subject;
use crate::evidence::register::{Record, RecordState};

pub(super) fn risk_assessment(case: &Case<'_>) -> Vec<Judged> {
    let Some(system) = case.system else { return Vec::new() };
    let at = case.estate.at;
    let found = case.facts.risk_assessments.at(at).map(|(_, r)| r).find(|r| r.value.system == system.id);
    let entry = found.map(|f| f.seq).or(system.registered);
    let since = in_use_since(system);
    let used = system.register.put_into_service.is_some_and(|d| d <= at);
    let unit = |line| Judged::line(&system.id, line).evidence(entry);
    if !used
        && !system.in_production().any(|d| d.is_recent(case.estate.window))
        && serving(case, system).is_empty()
    {
        return vec![unit(1)];
    }
    let Some(RecordState::Given(record)) = found.map(|f| &f.value.record) else {
        let since = since.map_or_else(String::new, |t| format!(" since {}", day(t)));
        let found = candidates(case, system);
        return vec![unit(2).note(format!("in use{since}, no risk assessment on record{found}"))];
    };
    let (held, object) = confirmation(case, record);
    let line = match (held, record.date, since) {
        _ if !record.complete() => 3,
        _ if held.contradicts() => 4,
        (_, Some(date), _) if changed_since(case, system, date) => 5,
        (_, Some(date), Some(since)) if is_later(date, since) => 6,
        (_, _, None) => 7,
        _ => 8,
    };
    let why = match line {
        3 => "; it lacks uri, sha256, date or approver",
        5 => "; a substantial change came after it",
        6 => "; in use before it",
        7 => "; not known since when it is in use",
        _ => "",
    };
    let named = if line == 3 { "named" } else { "on record" };
    let note = format!("{named}, dated {}; {}{why}", day_or_dash(record.date), shown(held, object));
    let basis = if line == 8 { basis(held, object, since) } else { Basis::Declared };
    vec![unit(line).note(note).evidence(object.map(|o| o.seq)).basis(basis)]
}

/// Whether a change record that says substantial is later than a record.
fn changed_since(case: &Case<'_>, system: &System, date: Time) -> bool {
    let beginning = format!("change:{}/", system.id);
    let changes = case.facts.changes.there(&beginning, case.estate.at).map(|c| &c.value);
    let mut ours = changes.filter(|c| c.substantial == Some(true));
    ours.any(|c| c.date.is_some_and(|changed| is_later(changed, date)))
}

/// Objects that are tagged as a risk assessment of the system, in words: nobody registered them.
fn candidates(case: &Case<'_>, system: &System) -> String {
    let is_ours = |(uri, tagged): &&(String, Option<String>)| {
        tagged.as_ref() == Some(&system.id) || uri.split('/').any(|part| part == system.id)
    };
    let found: Vec<String> =
        case.estate.risk_assessments.iter().filter(is_ours).map(|(uri, _)| uri.clone()).collect();
    if found.is_empty() {
        String::new()
    } else {
        format!("; tagged as one, and not registered: {}", first_and_more(&found))
    }
}

/// What S3 shows of a record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Held {
    /// The version, with the bytes that the record names.
    Confirmed,
    /// These bytes; the record names no version of them.
    Unversioned,
    /// Other bytes.
    Other,
    /// A delete marker lies over it.
    Hidden,
    /// A complete listing has no such object.
    Absent,
    /// The object or its checksum was not read.
    Unread,
}

impl Held {
    /// Whether it speaks against the record.
    pub(super) fn contradicts(self) -> bool {
        matches!(self, Held::Other | Held::Hidden | Held::Absent)
    }
}

pub(super) fn shown(held: Held, object: Option<&Seen<Version>>) -> String {
    let stored =
        object.and_then(|o| o.value.stored).map_or_else(String::new, |t| format!(", stored {}", day(t)));
    match held {
        Held::Confirmed => format!("S3 shows these bytes{stored}"),
        Held::Unversioned => format!("S3 shows these bytes{stored}; the record names no version of them"),
        Held::Other => format!("S3 shows other bytes{stored}"),
        Held::Hidden => "S3 shows it hidden by a delete marker".into(),
        Held::Absent => "S3 does not show it".into(),
        Held::Unread => "its bytes were not compared".into(),
    }
}

/// Whether S3 confirms a record by version id and SHA-256, and the version that it names, or the last one of its key.
pub(super) fn confirmation<'a>(case: &Case<'a>, record: &Record) -> (Held, Option<&'a Seen<Version>>) {
    let (facts, at) = (case.facts, case.estate.at);
    let place = record.uri.as_deref().and_then(|u| u.strip_prefix("s3://")).and_then(|u| u.split_once('/'));
    let Some((bucket, key)) = place else { return (Held::Unread, None) };
    let listed: Vec<_> = facts.versions.there(&subject(bucket, key, ""), at).collect();
    let wanted = match &record.version_id {
        Some(id) => listed.iter().find(|v| v.value.version_id() == *id),
        None => listed.iter().max_by_key(|v| v.value.stored),
    };
    let Some(object) = wanted.copied() else {
        return (if lists(case, bucket, key) { Held::Absent } else { Held::Unread }, None);
    };
    let computed = facts.hash(&object.value, at).map(|h| h.value.sha256.clone());
    let sum = computed.or(facts.detail(&object.value, at).and_then(|d| d.value.sha256()));
    let held = match (sum, &record.sha256, &record.version_id) {
        _ if facts.is_hidden(bucket, key, at) => Held::Hidden,
        (Some(sum), Some(stated), _) if sum != *stated => Held::Other,
        (Some(_), Some(_), Some(_)) => Held::Confirmed,
        (Some(_), Some(_), None) => Held::Unversioned,
        _ => Held::Unread,
    };
    (held, Some(object))
}

/// Seen where S3 confirms a record and stored it by the day that counts, else declared.
pub(super) fn basis(held: Held, object: Option<&Seen<Version>>, since: Option<Time>) -> Basis {
    let stored = object.and_then(|o| o.value.stored);
    let is_in_time = stored.zip(since).is_some_and(|(stored, since)| stored <= since);
    if held == Held::Confirmed && is_in_time { Basis::Seen } else { Basis::Declared }
}

/// The technical documentation: whether it holds for what runs, and how long it is kept.
pub(super) fn technical_documentation(case: &Case<'_>) -> Vec<Judged> {
    let Some(system) = case.system else { return Vec::new() };
    let both = |line: usize, note: &str| {
        let unit =
            |name| Judged::line(name, line).note(note).evidence(system.registered).basis(Basis::Declared);
        vec![unit("documentation"), unit("keeping")]
    };
    let record = match &system.register.technical_documentation {
        RecordState::Absent => return both(1, "the register names no technical documentation"),
        RecordState::None => return both(2, "the register says that there is none"),
        RecordState::Given(record) if !record.complete() => {
            return both(2, "the record lacks uri, sha256, date or approver");
        }
        RecordState::Given(record) => record,
    };
    let (held, object) = confirmation(case, record);
    if held.contradicts() {
        return both(2, &shown(held, object));
    }
    let seen = object.map(|o| o.seq);
    [documentation(case, system, record, (held, object)), keeping(case, system, object)]
        .map(|judged| judged.evidence(system.registered).evidence(seen))
        .into()
}

fn documentation(
    case: &Case<'_>,
    system: &System,
    record: &Record,
    (held, object): (Held, Option<&Seen<Version>>),
) -> Judged {
    let other = unheld(case, system, record, "technical_documentation");
    let since = in_use_since(system);
    let late = record.date.zip(since).is_some_and(|(date, since)| is_later(date, since));
    let line = match (other, since) {
        (Some(_), _) => 3,
        _ if late => 4,
        (None, None) => 5,
        (None, Some(_)) => 6,
    };
    let note = match other {
        Some(version) => format!("{version} runs, and the documentation does not name it"),
        None => format!("on record, dated {}; {}", day_or_dash(record.date), shown(held, object)),
    };
    let basis = if line == 6 { basis(held, object, since) } else { Basis::Declared };
    Judged::line("documentation", line).note(note).basis(basis)
}

fn keeping(case: &Case<'_>, system: &System, object: Option<&Seen<Version>>) -> Judged {
    let years = case.catalogue.defaults.retention_years;
    let unit = |line, note: String| Judged::line("keeping", line).note(note);
    let Some(service) = system.register.put_into_service else {
        return unit(7, "the register does not say since when it is in service".into())
            .basis(Basis::Declared);
    };
    let until = service.plus_years(years);
    let Some(object) = object else { return unit(9, "its object is in no bucket that is read".into()) };
    let detail = case.facts.detail(&object.value, case.estate.at);
    let lock = detail.and_then(|d| Some((d.seq, d.value.retention.as_ref()?)));
    let early = super::kept::expires(case, object).filter(|e| !e.is_open && e.at.is_none_or(|at| at < until));
    let (end, kept) = (day(until), |at: Time| format!("is set to be kept until {}", day(at)));
    match (early, lock) {
        (Some(e), _) => {
            let when = e.at.map_or_else(String::new, |at| format!(" on {}", day(at)));
            unit(8, format!("rule {} would take it away{when}; {years} years end on {end}", e.rule))
                .basis(Basis::Seen)
        }
        (None, Some((entry, lock))) if lock.until < until => {
            let note = format!("{}; {years} years end on {end}", kept(lock.until));
            unit(8, note).evidence([entry]).basis(Basis::Seen)
        }
        (None, Some((entry, lock))) => {
            let note = format!("{} ({})", kept(lock.until), lock.mode);
            unit(10, note).evidence([entry]).basis(Basis::Seen)
        }
        (None, None) => unit(9, "no lock was seen on it: anyone with the right may delete it".into()),
    }
}
