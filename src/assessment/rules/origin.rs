//! Rule about whose model a stored set is, and whether what a workload names as its model leads to one.

use super::super::artifact_sets::SetId;
use super::super::estate::{System, annotation};
use super::super::facts::Seen;
use super::super::findings::Case;
use super::Judged;
use super::artifacts::serving;
use crate::evidence::gatekeeper::Workload;
use std::collections::BTreeSet;

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
    let largest = shared.largest.get(set);
    let checksums = largest.map(|l| &l.checksums).into_iter().flatten();
    let others = checksums.filter_map(|sum| shared.by_checksum.get(sum)).flatten();
    let mut others: Vec<&SetId> = others.filter(|other| other.system != set.system).collect();
    let places = shared.largest.keys();
    others.extend(
        places.filter(|o| o.system != set.system && (&o.bucket, &o.prefix) == (&set.bucket, &set.prefix)),
    );
    let line = match () {
        () if !others.is_empty() => 1,
        () if !is_used => 5,
        () if largest.is_none_or(|l| l.checksums.is_empty()) => 8,
        () => 6,
    };
    let note = match (line, largest) {
        (1, Some(l)) => format!("{} stands in {} of {} as well", l.key, others[0].prefix, others[0].system),
        (5, _) => "never seen in production".into(),
        (8, _) => "no checksum of its largest file is known".into(),
        (_, Some(l)) => format!("{}, its largest file, stands in no set of another system", l.key),
        _ => String::new(),
    };
    let entries = [Some(set), others.first().copied()].into_iter().flatten();
    let entries = entries.filter_map(|s| shared.largest.get(s).map(|l| l.seq));
    Judged::line(format!("s3:{}/{}", set.bucket, set.prefix), line).note(note).evidence(entries)
}

fn of_workload(case: &Case<'_>, system: &System, (subject, w): (&str, &Seen<Workload>)) -> Option<Judged> {
    let reference = annotation(&w.value, &case.catalogue.pack.registry_annotation)?;
    let found: Vec<&SetId> =
        case.estate.shared.largest.keys().filter(|set| leads_to(reference, set)).collect();
    let own = found.iter().find(|set| set.system == system.id);
    let is_read = s3_place(reference).is_some_and(|(bucket, key)| is_read(case, &bucket, &key));
    let line = match (own, found.first()) {
        (Some(_), _) => 7,
        (None, Some(_)) => 3,
        (None, None) if is_read => 2,
        (None, None) => 4,
    };
    let note = match (own, found.first()) {
        (Some(set), _) => format!("{reference} leads to {}", set.prefix),
        (None, Some(set)) => format!("{reference} leads to {} of {}", set.prefix, set.system),
        (None, None) if is_read => format!("{reference} leads to no file that was ever listed"),
        (None, None) => format!("{reference} names neither a set that is known nor a bucket that is read"),
    };
    let set = own.or(found.first()).and_then(|set| case.estate.shared.largest.get(*set));
    Some(Judged::line(subject, line).note(note).evidence([w.seq]).evidence(set.map(|l| l.seq)))
}

/// Whether a reference names a place in a set; one of a registry names system and model version as parts of its path.
fn leads_to(reference: &str, set: &SetId) -> bool {
    match s3_place(reference) {
        Some((bucket, key)) => {
            let folder = format!("{}/", key.trim_end_matches('/'));
            bucket == set.bucket && (key.starts_with(&set.prefix) || folder == set.prefix)
        }
        None => {
            let path: BTreeSet<&str> = reference.split(['/', ':', '?', '#']).collect();
            let mut named = set.prefix.trim_end_matches('/').rsplit('/').take(2);
            named.all(|part| path.contains(part))
        }
    }
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

/// Whether a source lists a place.
fn is_read(case: &Case<'_>, bucket: &str, key: &str) -> bool {
    let listed = case.facts.versions.below(&format!("s3:{bucket}/")).next();
    listed.and_then(|(_, history)| history.first()).is_some_and(|seen| {
        let location =
            case.estate.config.sources.get(&seen.source).map(|s| s.location.as_str()).unwrap_or_default();
        crate::config::bucket(location).is_none_or(|(_, prefix)| key.starts_with(&prefix))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_lead_to_sets() {
        let set = SetId { system: "a".into(), bucket: "b".into(), prefix: "models/a/v1/".into() };
        for reference in [
            "s3://b/models/a/v1",
            "s3://b/models/a/v1/m.bin?versionId=x",
            "https://b.s3.eu-central-1.amazonaws.com/models/a/v1/m.bin",
            "https://b.s3.amazonaws.com/models/a/v1/",
            "https://s3.eu-central-1.amazonaws.com/b/models/a/v1/m.bin",
            "mlflow://models/a/v1",
            "https://mlflow.internal/models/a/versions/v1",
        ] {
            assert!(leads_to(reference, &set), "{reference}");
        }
        for reference in [
            "s3://c/models/a/v1",
            "s3://b/models/a/v10/m.bin",
            "mlflow://models/a/v2",
            "mlflow://models/ab/v1",
            "https://example.com/b",
        ] {
            assert!(!leads_to(reference, &set), "{reference}");
        }
    }
}
