//! Replies of HCP Terraform and what they mean: `tests/data/terraform/samples.txt` says it for documented ones.

use crate::support::project;
use actledger::config::Source;
use actledger::evidence::sentinel::{Outcome, Override, PolicySet, Resource, Run};
use actledger::evidence::{Evidence, Kind, Time};
use actledger::sources::Gathered;
use actledger::sources::sentinel::Parser;
use serde::de::DeserializeOwned;
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
