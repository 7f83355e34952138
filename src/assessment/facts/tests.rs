//! Entries folded one after the other, and what becomes of those that stand in the place of others.

use super::Facts;
use crate::evidence::flow_logs::{Direction, FlowObject, FlowRow, HourRow, Initiator, Side, Traffic};
use crate::evidence::{Evidence, Kind, Time, artifacts};
use crate::ledger::Entry;
use crate::ledger::entry::{FORMAT, Placed};
use serde_json::{Value, json};

/// Facts of one entry after the other.
pub(crate) fn folded(evidence: Vec<Evidence>) -> Facts {
    let mut facts = Facts::default();
    for (seq, e) in (0..).zip(evidence) {
        let entry = Entry {
            v: FORMAT,
            kind: e.kind,
            source: e.source,
            key: e.key,
            subject: e.subject,
            occurred_at: e.occurred_at,
            recorded_at: e.occurred_at,
            payload: e.payload,
        };
        facts.fold(&Placed { seq, leaf: [0; 32], entry });
    }
    facts
}

fn hour(n: i64) -> Time {
    Time::from_seconds(1_790_000_000).hour().plus_seconds(3_600 * n)
}

/// An object that tells hours of one interface, each with a connection to port 5000; what is no revision lost a record in each.
/// Its last record ends before it begins.
fn object(name: &str, revision: u64, hours: &[i64]) -> Evidence {
    let row = |h: &i64| FlowRow {
        hour: hour(*h),
        interface: "eni-1".into(),
        address: "10.0.0.1".into(),
        direction: Direction::In,
        peer: "own".into(),
        protocol: 6,
        port: 5000,
        service: Side::Ours,
        initiator: Initiator::Peer,
        accepted: Some(true),
        allowed: Some(true),
        flows: 1,
        packets: 1,
        bytes: 1,
        first: hour(*h),
        last: hour(*h),
        peers: Vec::new(),
    };
    let lost = u64::from(revision == 0);
    let counted = |h: &i64| HourRow { hour: hour(*h), interfaces: vec![("eni-1".into(), 1, 0, lost)] };
    let traffic = Traffic {
        span: Some((hour(hours[0]), hour(-9))),
        hours: hours.iter().map(counted).collect(),
        rows: hours.iter().map(row).collect(),
        ..Traffic::default()
    };
    let object = FlowObject { object: name.into(), revision, traffic, ..FlowObject::default() };
    let (key, subject) = (format!("{name} {revision}"), format!("s3:b/{name}"));
    Evidence::event(Kind::FlowLogObject, "vpc", key, subject, hour(0), &object)
}

#[test]
fn a_revision_stands_in_the_place_of_what_was_told() {
    let facts = folded(vec![object("o", 0, &[1, 2]), object("p", 0, &[2]), object("o", 1, &[2, 3])]);
    let delivered = facts.network.of("vpc");
    let told = |n: i64| delivered.in_hour("eni-1", hour(n)).map(|sum| sum.entries().collect::<Vec<_>>());
    assert_eq!([0, 1, 2, 3, 4].map(told), [None, None, Some(vec![1, 2]), Some(vec![2]), None]);
    let rows: Vec<_> = delivered.rows(&delivered.ports, "eni-1").map(|r| (r.seq, r.hour)).collect();
    assert_eq!(rows, [(1, hour(2)), (2, hour(2)), (2, hour(3))]);
    let views = |n: i64| delivered.views(hour(n)).map(|v| (v.seq, v.lost)).collect::<Vec<_>>();
    assert_eq!((views(1), views(2)), (vec![], vec![(1, true), (2, false)]));
    assert_eq!([1, 2].map(|n| delivered.has(hour(n))), [false, true]);
    assert_eq!(delivered.lost().collect::<Vec<_>>(), [(hour(2), "eni-1", 1, Some(1))]);
    let lost = |n: i64| delivered.in_hour("eni-1", hour(n)).map(|sum| sum.is_lost());
    assert_eq!((lost(2), lost(3)), (Some(true), Some(false)));
    let arrivals: Vec<u64> = delivered.arrivals.iter().map(|a| a.seq).collect();
    assert_eq!(arrivals, [2, 1]);
}

#[test]
fn each_view_keeps_the_pods_of_the_selection_of_its_time() {
    let select = |pods: &[&str]| {
        let selection = json!({ "interfaces": [], "pods": pods });
        Evidence::state(Kind::FlowLogSelection, "actledger", "selection:vpc".into(), hour(0), &selection)
    };
    let (none, one) = (select(&[]), select(&["10.0.0.7"]));
    let facts = folded(vec![
        object("o", 0, &[1]),
        none,
        object("p", 0, &[1]),
        one.clone(),
        one,
        object("q", 0, &[1]),
    ]);
    let views = facts.network.of("vpc").views(hour(1));
    let keeps: Vec<_> = views.map(|v| (v.keeps(&[]), v.keeps(&["10.0.0.7".into()]))).collect();
    assert_eq!(keeps, [(false, false), (true, false), (true, true)]);
}

#[test]
fn a_version_has_the_parts_of_its_subject() {
    let version = |bucket: &str, key: &str, id: &str| {
        let payload = json!({ "bucket": bucket, "key": key, "version_id": id, "etag": "e", "size": 1, "stored": hour(0) });
        let subject = artifacts::subject(bucket, key, id);
        Evidence::state(Kind::ArtifactVersion, "s3", subject, hour(0), &payload)
    };
    let places = [("b", "a/v1/m?versionId=1", "null"), ("prod/models", "fraud/v1/m.bin", "v")];
    let facts = folded(places.map(|(bucket, key, id)| version(bucket, key, id)).into());
    let told: Vec<_> = facts.versions.0.values().map(|h| &h[0].value).collect();
    assert_eq!(told.iter().map(|v| (v.bucket(), v.key(), v.version_id())).collect::<Vec<_>>(), places);
}

#[test]
fn what_went_by_the_id_of_a_workspace_goes_by_its_name_once_it_is_known() {
    let run = json!({ "run": "run-1", "workspace": "ws-1", "status": "applied", "created": hour(0), "applied": hour(1),
        "author_kind": "person", "stages": [], "plan": { "state": "read" } });
    let resource = json!({ "workspace": "ws-1", "address": "a.b", "type": "a", "tags": {}, "instance_types": [], "encryption": null });
    let state = json!({ "id": "sv-1", "workspace": "ws-1", "created": hour(1), "run": "", "author": null });
    let set = json!({ "name": "s", "policies": [], "workspaces": ["ws-1"], "excluded": ["ws-2"] });
    let event = |kind, key: &str, subject: &str, payload: &Value| {
        Evidence::event(kind, "tf", key.into(), subject.into(), hour(1), payload)
    };
    let facts = folded(vec![
        event(Kind::SentinelRun, "run-1", "tfe:h/o/ws-1/run-1", &run),
        event(Kind::TerraformResource, "r", "tfe:h/o/ws-1/a.b", &resource),
        event(Kind::TerraformStateVersion, "sv-1", "tfe:h/ws-1/sv-1", &state),
        Evidence::state(Kind::SentinelPolicySet, "tf", "tfe:h/s".into(), hour(1), &set),
        Evidence::state(
            Kind::TerraformWorkspace,
            "tf",
            "tfe:h/workspaces/ws-1".into(),
            hour(2),
            &json!({ "id": "ws-1", "name": "infra" }),
        ),
        event(Kind::TerraformResource, "r2", "tfe:h/o/ws-1/a.b", &resource),
    ]);
    let (terraform, name) = (&facts.terraform, String::from("infra"));
    assert_eq!(terraform.applied([&name]).len(), 1);
    assert_eq!(terraform.resources.0.keys().map(|s| &**s).collect::<Vec<_>>(), ["tfe:h/o/infra/a.b"]);
    assert_eq!(terraform.resources_of("infra", hour(2)).count(), 1);
    assert_eq!(terraform.unexplained().map(|s| s.value.workspace.as_str()).collect::<Vec<_>>(), ["infra"]);
    let set = &terraform.sets.0["tfe:h/s"][0].value;
    assert_eq!((set.workspaces.as_slice(), set.excluded.as_slice()), (&[name][..], &["ws-2".to_owned()][..]));
}
