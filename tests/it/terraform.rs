//! Replies of HCP Terraform and what they mean: `tests/data/terraform/samples.txt` says it for documented ones.

use crate::support::project;
use crate::support::tfe_api::document;
use actledger::act::SourceKind;
use actledger::config::Source;
use actledger::evidence::sentinel::{Outcome, Override, PolicySet, Resource, Run};
use actledger::evidence::{Evidence, Kind, Private, Time, sha256_hex};
use actledger::sources::flow_logs::Selection;
use actledger::sources::sentinel::Parser;
use actledger::sources::{Context, Gathered, gather};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::path::Path;

/// A look of replies, by request path.
fn read(replies: &[(String, Vec<u8>)]) -> Gathered {
    let source: Source =
        toml::from_str("name = \"tf\"\nlocation = \"file:x\"\norganization = \"o\"").unwrap();
    let mut parser = Parser::new(&source, Time::from_seconds(1_800_000_000));
    replies.iter().for_each(|(path, bytes)| parser.file(&format!("{path}.json"), bytes));
    parser.finish()
}

fn payloads<T: DeserializeOwned>(gathered: &Gathered, kind: Kind) -> impl Iterator<Item = T> {
    let of_kind = gathered.evidence.iter().filter(move |e| e.kind == kind);
    of_kind.map(|e: &Evidence| serde_json::from_value(e.payload.clone()).unwrap())
}

/// What nobody states is a dash.
fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

/// Everything that a look says, in the lines of the table.
fn said(gathered: &Gathered) -> Vec<String> {
    let mut said = Vec::new();
    for run in payloads::<Run>(gathered, Kind::SentinelRun) {
        said.push(format!("run {} {}", run.run, run.status));
        for warning in &run.warnings {
            said.push(format!("weaker {} {}", run.run, warning.split(':').next().unwrap()));
        }
        if let Some(c) = &run.cost {
            let amount = |a: &Option<String>| a.clone().unwrap_or_else(|| "-".into());
            let (monthly, delta) = (amount(&c.monthly), amount(&c.delta));
            said.push(format!("cost {} {} {monthly} {delta}", run.run, or_dash(&c.status)));
        }
    }
    for o in payloads::<Outcome>(gathered, Kind::SentinelOutcome) {
        let [run, set, level, ran_at, whole] =
            [&o.run, &o.policy_set, &o.level, &o.ran_at, &o.stage_status].map(|t| or_dash(t));
        said.push(format!(
            "outcome {run} {set}/{} {}; declared {level}; ran at {ran_at}; {} {whole}",
            o.policy, o.status, o.stage
        ));
    }
    said.extend(
        payloads::<Override>(gathered, Kind::SentinelOverride)
            .map(|o| format!("override {} {}", o.run, o.stage)),
    );
    for set in payloads::<PolicySet>(gathered, Kind::SentinelPolicySet) {
        let is = [(set.agent, "agent"), (set.overridable, "overridable"), (set.global, "global")];
        let mut parts = vec![set.engine.as_str()];
        parts.extend(is.iter().filter(|(is, _)| *is).map(|(_, name)| *name));
        let mut line = format!("set {} {}; {}", set.id, set.name, parts.join(", "));
        if !set.excluded.is_empty() {
            line += &format!("; excludes {}", set.excluded.join(" "));
        }
        for (policy, level) in &set.policies {
            line += &format!("; {policy}={}", or_dash(level));
        }
        said.push(line);
    }
    let resources = payloads::<Resource>(gathered, Kind::TerraformResource);
    said.extend(resources.map(|r| format!("resource {} {}", r.address, r.r#type)));
    said
}

/// One look of the table: samples with their paths, and lines that are expected.
type Row<'t> = (Vec<(&'t str, &'t str)>, Vec<&'t str>);

fn table(text: &str) -> Vec<Row<'_>> {
    let mut rows: Vec<Row<'_>> = Vec::new();
    let mut within = false;
    for line in text.lines().filter(|l| !l.starts_with('#')) {
        match line.strip_prefix("  ") {
            Some(expected) => rows.last_mut().unwrap().1.push(expected),
            None if line.is_empty() => within = false,
            None => {
                if !within {
                    rows.push(Row::default());
                }
                rows.last_mut().unwrap().0.push(line.split_once(" @ ").unwrap());
                within = true;
            }
        }
    }
    rows
}

/// Lines of a row that do not hold.
fn differing(root: &Path, (samples, expected): &Row<'_>) -> Vec<String> {
    let bytes = |name: &str| std::fs::read(root.join("tfe").join(name)).unwrap();
    let replies: Vec<_> = samples.iter().map(|(name, path)| ((*path).to_owned(), bytes(name))).collect();
    let gathered = read(&replies);
    let mut said = said(&gathered);
    let mut wrong = Vec::new();
    for line in expected {
        let found = match line.strip_prefix("gap ") {
            Some(gap) => gathered.gaps.iter().any(|g| g.contains(gap)),
            None => said.iter().position(|s| s == line).map(|i| said.remove(i)).is_some(),
        };
        if !found {
            wrong.push(format!("expected: {line}"));
        }
    }
    if !expected.iter().any(|l| l.starts_with("gap ")) {
        wrong.extend(gathered.gaps.iter().map(|g| format!("gap: {g}")));
    }
    wrong.extend(said.into_iter().map(|s| format!("said: {s}")));
    wrong.into_iter().map(|w| format!("{}: {w}", samples[0].0)).collect()
}

#[test]
fn real_samples_are_read_as_the_format_sheet_says() {
    let Ok(root) = std::env::var("ACTLEDGER_SAMPLES") else {
        println!("0 documented replies read: ACTLEDGER_SAMPLES names no folder");
        return;
    };
    let text = std::fs::read_to_string(project().join("tests/data/terraform/samples.txt")).unwrap();
    let rows = table(&text);
    let wrong: Vec<String> = rows.iter().flat_map(|row| differing(Path::new(&root), row)).collect();
    println!("{} looks of documented replies read", rows.len());
    assert!(rows.len() > 25 && wrong.is_empty(), "{wrong:#?}");
}

fn json_replies(replies: &[(&str, Value)]) -> Gathered {
    let replies: Vec<_> =
        replies.iter().map(|(path, v)| ((*path).to_owned(), v.to_string().into_bytes())).collect();
    read(&replies)
}

#[test]
fn both_mandatory_levels_are_one_in_an_evaluation_and_the_declared_one_comes_from_the_policy() {
    let run = document("runs", "run-1", json!({ "status": "applied" }), json!({}));
    let stage = document(
        "task-stages",
        "ts-1",
        json!({ "status": "passed" }),
        json!({ "run": { "data": { "id": "run-1" } } }),
    );
    let of_stage = json!({ "policy-attachable": { "data": { "id": "ts-1" } } });
    let evaluation = document(
        "policy-evaluations",
        "poleval-1",
        json!({ "status": "overridden", "status-timestamps": { "overridden-at": "2026-11-20T10:00:00Z" } }),
        of_stage,
    );
    let item = |name: &str, level: Value| json!({ "policy_name": name, "enforcement_level": level, "status": "failed", "output": [{ "print": "42" }] });
    let outcomes = json!([
        item("known", json!("mandatory")),
        item("unknown", json!("mandatory")),
        item("broken", Value::Null)
    ]);
    let set = document(
        "policy-set-outcomes",
        "psout-1",
        json!({ "outcomes": outcomes, "overridable": true, "policy-set-name": "rules" }),
        json!({ "policy-evaluation": { "data": { "id": "poleval-1" } } }),
    );
    let policy = document(
        "policies",
        "pol-1",
        json!({ "name": "known", "enforcement-level": "hard-mandatory" }),
        json!({}),
    );
    let own = document(
        "tf-policy-evaluations",
        "tfpoleval-1",
        json!({ "status": "failed" }),
        json!({ "run": { "data": { "id": "run-1" } } }),
    );
    let own_set = document(
        "tf-policy-set-outcomes",
        "tfpsout-1",
        json!({ "outcomes": [{ "policy_name": "own", "enforcement_level": "mandatory_overridable", "status": "unknown", "diagnostics": [] }], "policy-set-name": "tf" }),
        json!({ "tf-policy-evaluation": { "data": { "id": "tfpoleval-1" } } }),
    );
    let gathered = json_replies(&[
        ("runs/run-1", json!({ "data": run })),
        ("runs/run-1/task-stages", json!({ "data": [stage], "included": [evaluation] })),
        ("policy-evaluations/poleval-1/policy-set-outcomes", json!({ "data": [set] })),
        ("organizations/o/policies", json!({ "data": [policy] })),
        ("runs/run-1/tf-policy-evaluations", json!({ "data": [own] })),
        ("tf-policy-evaluations/tfpoleval-1/tf-policy-set-outcomes", json!({ "data": [own_set] })),
    ]);
    assert_eq!(gathered.gaps, [""; 0]);
    let mut said = said(&gathered);
    said.sort();
    let expected = [
        "outcome run-1 rules/broken failed; declared -; ran at -; evaluation overridden",
        "outcome run-1 rules/known failed; declared hard-mandatory; ran at mandatory; evaluation overridden",
        "outcome run-1 rules/unknown failed; declared -; ran at mandatory; evaluation overridden",
        "outcome run-1 tf/own unknown; declared mandatory-overridable; ran at mandatory-overridable; tf-evaluation failed",
        "override run-1 ts-1",
        "run run-1 applied",
    ];
    assert_eq!(said, expected);
    let printed =
        payloads::<Outcome>(&gathered, Kind::SentinelOutcome).find(|o| o.policy == "known").unwrap();
    let output = Private::of("[{\"print\":\"42\"}]");
    assert_eq!((printed.overridable, printed.output), (Some(true), Some(output)));
}

#[test]
fn replies_that_nobody_expects_are_located_and_the_rest_is_read() {
    let run = |status: &str| {
        document(
            "runs",
            "run-1",
            json!({ "status": status }),
            json!({ "plan": { "data": { "id": "plan-1" } } }),
        )
    };
    let page = json!({ "data": [run("applied"), { "type": "runs" }, run("planned")], "meta": {} });
    let replies = [
        ("organizations/o/runs", page.to_string()),
        ("plans/plan-1/json-output-redacted", "<html>Sign in</html>".to_owned()),
        (
            "runs/run-1/policy-checks",
            json!({ "errors": [{ "status": 404, "title": "not found" }] }).to_string(),
        ),
        ("runs/run-1/comments", "{\"data\":".to_owned()),
    ];
    let gathered = read(&replies.map(|(path, body)| (path.to_owned(), body.into_bytes())));
    assert_eq!(said(&gathered), ["run run-1 applied"], "the first of two that differ");
    let run: Run = payloads(&gathered, Kind::SentinelRun).next().unwrap();
    assert_eq!((run.plan.state.as_str(), run.denied), ("unread", vec!["policy-checks".to_owned()]));
    let told = |what: &str| {
        gathered.faults.iter().any(|f| format!("{} {} {}", f.file, f.place, f.what).contains(what))
    };
    for what in [
        "organizations/o/runs.json data[1] has no type or no id",
        "organizations/o/runs.json data[2] run-1 is there twice, with other contents",
        "plans/plan-1/json-output-redacted.json  is no plan",
        "runs/run-1/policy-checks.json  the API answered 404: not found",
        "runs/run-1/comments.json  is no JSON",
    ] {
        assert!(told(what), "{what}: {:#?}", gathered.faults);
    }
    let c = gathered.counts;
    assert_eq!((c.read, c.quarantined, c.refused), (c.kept + c.quarantined + c.refused, 1, 3));
}

#[test]
fn what_is_refused_of_a_run_is_told_by_its_entry_and_leaves_no_gap_in_the_look() {
    let run =
        json!({ "plan": { "data": { "id": "plan-1" } }, "cost-estimate": { "data": { "id": "ce-1" } } });
    let said = |status: &str| json!({ "errors": [{ "status": status, "title": "no" }] });
    let refused = [
        ("plans/plan-1/json-output-redacted", said("404")),
        ("cost-estimates/ce-1", said("503")),
        ("runs/run-1/comments", said("403")),
    ];
    let of_others = [
        ("plans/plan-1/json-schema", said("404")),
        ("plans/plan-2/json-output-redacted", said("404")),
        ("workspaces", said("404")),
    ];
    let runs = (
        "organizations/o/runs",
        json!({ "data": [document("runs", "run-1", json!({ "status": "applied" }), run)] }),
    );
    let whole = [runs, ("organizations/o/policy-sets", json!({ "data": [] }))];
    let look = |replies: &[(&str, Value)]| {
        let source: Source =
            toml::from_str("name = \"tf\"\nlocation = \"file:x\"\norganization = \"o\"").unwrap();
        let at = Time::from_seconds(1_800_000_000);
        let file =
            |(path, v): &(&str, Value)| (format!("{path}.json"), Ok(v.to_string().into_bytes().into()));
        let (context, files) = (Context::new(&source, Selection::default()), replies.iter().map(file));
        gather(SourceKind::Sentinel, &context, Some(at), at, files)
    };
    let set_would_show = |g: &Gathered| g.would_show(Kind::SentinelPolicySet, "tfe:app.terraform.io/o/s");
    let gathered = look(&[&whole[..], &refused].concat());
    assert_eq!((gathered.counts.refused, gathered.faults.len(), gathered.gaps.len()), (3, 3, 0));
    assert!(set_would_show(&gathered), "a set that is no longer listed is gone");
    let gathered = look(&[&whole[..], &refused, &of_others].concat());
    assert!(!set_would_show(&gathered));
    let run: Run = payloads(&gathered, Kind::SentinelRun).next().unwrap();
    assert_eq!(
        (run.plan.state.as_str(), run.denied, run.unread),
        ("denied", vec!["comments".into()], vec!["cost-estimate".into()])
    );
    assert_eq!(gathered.gaps, of_others.map(|(path, _)| format!("{path}.json: the API answered 404: no")));
}

#[test]
fn evaluations_of_one_stage_are_let_through_together_and_outputs_are_cut_not_lost() {
    let stage = json!({ "run": { "data": { "id": "run-1" } } });
    let of_stage = json!({ "policy-attachable": { "data": { "id": "ts-1" } } });
    let evaluation = |id: &str| {
        let stamps = json!({ "overridden-at": "2026-11-20T10:00:00Z" });
        document(
            "policy-evaluations",
            id,
            json!({ "status": "overridden", "status-timestamps": stamps }),
            of_stage.clone(),
        )
    };
    let outcome = |id: &str, of: &str, policy: &str, output: Value| {
        let outcomes = json!([{ "policy_name": policy, "enforcement_level": "mandatory", "status": "failed", "output": output }]);
        document(
            "policy-set-outcomes",
            id,
            json!({ "outcomes": outcomes, "policy-set-name": "rules" }),
            json!({ "policy-evaluation": { "data": { "id": of } } }),
        )
    };
    let long = json!([{ "print": "ä".repeat(60_000) }]);
    let gathered = json_replies(&[
        (
            "runs/run-1",
            json!({ "data": document("runs", "run-1", json!({ "status": "applied" }), json!({})) }),
        ),
        (
            "runs/run-1/task-stages",
            json!({ "data": [document("task-stages", "ts-1", json!({ "status": "passed" }), stage)], "included": [evaluation("poleval-1"), evaluation("poleval-2")] }),
        ),
        (
            "policy-evaluations/poleval-1/policy-set-outcomes",
            json!({ "data": [outcome("psout-1", "poleval-1", "a", json!([]))] }),
        ),
        (
            "policy-evaluations/poleval-2/policy-set-outcomes",
            json!({ "data": [outcome("psout-2", "poleval-2", "b", long.clone())] }),
        ),
    ]);
    let overrides: Vec<Override> = payloads(&gathered, Kind::SentinelOverride).collect();
    assert_eq!(overrides.len(), 1);
    assert_eq!((overrides[0].stage.as_str(), overrides[0].policies.join(" ")), ("ts-1", "a b".to_owned()));
    let cut = payloads::<Outcome>(&gathered, Kind::SentinelOutcome).find(|o| o.policy == "b").unwrap();
    let Some(Private::Open { value }) = cut.output else { panic!("no output") };
    let ending = format!(
        "… (cut; {} bytes, SHA-256 {})",
        long.to_string().len(),
        sha256_hex(long.to_string().as_bytes())
    );
    assert!(value.ends_with(&ending) && value.len() < 17_000, "{}", &value[value.len() - 120..]);
}
