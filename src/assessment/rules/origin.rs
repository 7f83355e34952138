//! Rule about whose model a stored set is, and whether what a workload names as its model leads to one.

use super::super::artifact_sets::SetId;
use super::super::estate::{System, annotation};
use super::super::facts::Seen;
use super::super::findings::Case;
use super::Judged;
use super::artifacts::{lists, serving};
use crate::evidence::gatekeeper::Workload;

/// Whether sets belong to one system, and registry references of workloads lead to the system's own.
pub(super) fn of_one_system(case: &Case<'_>) -> Vec<Judged> {
    let Some(system) = case.system else { return Vec::new() };
    let sets = system.artifacts.iter().flat_map(|(version, places)| {
        let is_used = system.deployed.contains_key(version);
        places.iter().map(move |(bucket, prefix)| {
            (is_used, SetId { system: system.id.clone(), bucket: bucket.clone(), prefix: prefix.clone() })
        })
    });
    let judged = sets.map(|(is_used, set)| of_set(case, &set, is_used));
    judged.chain(serving(case, system).into_iter().filter_map(|w| of_workload(case, system, w))).collect()
}

fn of_set(case: &Case<'_>, set: &SetId, is_used: bool) -> Judged {
    let shared = &case.estate.shared;
    let (largest, others) = (shared.largest.get(set), shared.others(set));
    let line = match () {
        () if !others.is_empty() => 1,
        () if !is_used => 5,
        () if shared.is_open(set) => 8,
        () => 6,
    };
    let note = match (line, largest) {
        (1, Some(l)) => format!("{} stands in {} of {} as well", l.key, others[0].prefix, others[0].system),
        (5, _) => "never seen in production".into(),
        (8, None) => "no file of it is there any more".into(),
        (8, _) => "its largest file cannot be compared with that of every other set".into(),
        (_, Some(l)) => format!("{}, its largest file, stands in no set of another system", l.key),
        _ => String::new(),
    };
    let entries = [Some(set), others.first().copied()].into_iter().flatten();
    let entries = entries.filter_map(|s| shared.largest.get(s).map(|l| l.seq));
    Judged::line(format!("s3:{}/{}", set.bucket, set.prefix), line).note(note).evidence(entries)
}

fn of_workload(case: &Case<'_>, system: &System, (subject, w): (&str, &Seen<Workload>)) -> Option<Judged> {
    let reference = annotation(&w.value, &case.catalogue.pack.registry_annotation)?;
    let shared = &case.estate.shared;
    let place = s3_place(reference);
    let found: Vec<&SetId> = match &place {
        Some((bucket, key)) => shared.at(bucket, key).collect(),
        None => shared.named(&reference.split(['/', ':', '?', '#']).collect::<Vec<_>>()).collect(),
    };
    let set = found.iter().find(|set| set.system == system.id).or(found.first()).copied();
    let (is_listed, is_read) = match &place {
        Some((bucket, key)) => (was_listed(case, bucket, key), lists(case, bucket, key)),
        None => (true, false),
    };
    let (line, note) = match set {
        Some(set) if is_listed && set.system == system.id => (7, format!("leads to {}", set.prefix)),
        Some(set) if is_listed => (3, format!("leads to {} of {}", set.prefix, set.system)),
        _ if !is_listed && is_read => (2, "leads to no file that was ever listed".into()),
        _ if is_listed && place.is_some() => (4, "leads to files of no model version".into()),
        _ => (4, "names neither a set that is known nor a bucket that is read".into()),
    };
    let largest = set.and_then(|set| shared.largest.get(set));
    let judged = Judged::line(subject, line).note(format!("{reference} {note}"));
    Some(judged.evidence([w.seq]).evidence(largest.map(|l| l.seq)))
}

/// Whether a file, or one in a folder, was listed at some time.
fn was_listed(case: &Case<'_>, bucket: &str, key: &str) -> bool {
    let key = key.trim_end_matches('/');
    let any = |beginning: String| {
        let mut histories = case.facts.versions.below(&beginning);
        histories.any(|(_, history)| history.iter().any(|s| s.at <= case.estate.at))
    };
    any(format!("s3:{bucket}/{key}?versionId=")) || any(format!("s3:{bucket}/{key}/"))
}

/// Bucket and key of a reference to S3: its own scheme, or the two forms of its addresses.
fn s3_place(reference: &str) -> Option<(String, String)> {
    let own = |(bucket, key): (&str, &str)| {
        (bucket.to_owned(), key.split('?').next().unwrap_or_default().to_owned())
    };
    if let Some(rest) = reference.strip_prefix("s3://") {
        return Some(own(rest.split_once('/').unwrap_or((rest, ""))));
    }
    let (host, path) = reference.strip_prefix("https://")?.split_once('/')?;
    let of_s3 = host.strip_suffix(".amazonaws.com")?;
    match of_s3.split_once(".s3").filter(|(_, region)| region.is_empty() || region.starts_with(['.', '-'])) {
        Some((bucket, _)) => Some(own((bucket, path))),
        None if of_s3 == "s3" || of_s3.starts_with("s3.") || of_s3.starts_with("s3-") => {
            path.split_once('/').map(own)
        }
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_to_s3_have_three_forms() {
        let place = |reference| s3_place(reference).map(|(bucket, key)| format!("{bucket} {key}"));
        for reference in [
            "s3://b/models/a/v1?versionId=x",
            "https://b.s3.eu-central-1.amazonaws.com/models/a/v1",
            "https://b.s3.amazonaws.com/models/a/v1",
            "https://s3.eu-central-1.amazonaws.com/b/models/a/v1",
        ] {
            assert_eq!(place(reference).as_deref(), Some("b models/a/v1"), "{reference}");
        }
        assert_eq!(place("mlflow://models/a/v1"), None);
        assert_eq!(place("https://example.com/b/models"), None);
    }
}
