//! What programs ask: the examples of the manual as they stand there, tables as files, populations and samples.

use crate::pages::{Served, said};
use crate::support::{World, lived_copy, project, sqlite, stderr, stdout};
use actledger::evidence::sha256_hex;
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Command;

#[test]
fn the_examples_of_the_manual_answer() {
    let world = lived_copy();
    let served = Served::start(&world, "");
    let manual = std::fs::read_to_string(project().join("docs/operations.md")).unwrap();
    let examples: Vec<&str> =
        manual.lines().filter_map(|l| l.strip_prefix("    ")).filter(|l| l.starts_with("curl ")).collect();
    assert!(examples.len() >= 9, "{examples:?}");
    for example in examples {
        let asked = example.split("  #").next().unwrap().replace("127.0.0.1:8080", served.address());
        let asked = asked.replacen("curl ", "curl -sS --fail-with-body ", 1);
        let done = Command::new("sh").args(["-c", &asked]).output().unwrap();
        assert!(done.status.success(), "{example}: {}{}", stdout(&done), stderr(&done));
        let text = stdout(&done);
        if example.contains(".csv") {
            assert!(text.lines().count() > 1, "{example}: {text}");
        } else {
            let answer: Value = serde_json::from_str(&text).unwrap();
            assert!(answer["as_of"]["root"].is_string(), "{example}: {text}");
        }
    }
}

fn csv(served: &Served, path: &str) -> Vec<Vec<String>> {
    let reply = served.get(path, "");
    assert!(reply.starts_with("HTTP/1.1 200"), "{path}: {reply}");
    let script = "import csv, io, json, sys; print(json.dumps(list(csv.reader(io.StringIO(sys.argv[1], newline='')))))";
    let body = reply.split_once("\r\n\r\n").unwrap().1;
    let done = Command::new("python3").args(["-c", script, body]).output().unwrap();
    serde_json::from_str(&stdout(&done)).unwrap()
}

#[test]
fn every_table_is_a_file_in_the_order_that_is_asked_for() {
    let world = lived_copy();
    let served = Served::start(&world, "");
    let report = said(&served.get("/report.json", ""));
    for (table, list) in [
        ("systems", "systems"),
        ("controls", "controls"),
        ("sources", "coverage"),
        ("exceptions", "exceptions"),
        ("level-decisions", "decisions"),
        ("decisions", "wanted"),
        ("teams", "teams"),
        ("levels", "levels"),
        ("changes", "changes"),
    ] {
        let rows = csv(&served, &format!("/{table}.csv"));
        assert_eq!(rows.len() - 1, report[list].as_array().unwrap().len(), "{table}");
        assert!(rows.iter().all(|r| r.len() == rows[0].len()), "{table}");
        // A column is a member of the JSON, and so has something in some row, but for what nobody says here.
        let nowhere = (0..rows[0].len()).filter(|i| rows[1..].iter().all(|r| r[*i].is_empty()));
        let nowhere: Vec<&str> = nowhere.map(|i| rows[0][i].as_str()).collect();
        assert!(nowhere.iter().all(|column| ["off"].contains(column)), "{table}: {nowhere:?}");
    }
    let nested = |member: &str| -> usize {
        report["coverage"].as_array().unwrap().iter().map(|c| c[member].as_array().unwrap().len()).sum()
    };
    for table in ["gaps", "looks"] {
        let rows = csv(&served, &format!("/{table}.csv"));
        assert!(rows.len() - 1 == nested(table) && rows[1..].iter().all(|r| !r[0].is_empty()), "{table}");
    }
    let not = |row: &Vec<String>| row[7].parse::<u64>().unwrap();
    let worst: Vec<u64> =
        csv(&served, "/systems.csv?sort=-counts.not_satisfied")[1..].iter().map(not).collect();
    assert!(worst.is_sorted_by(|a, b| a >= b) && worst.first() > worst.last(), "{worst:?}");
    // The page stands in the same order, and its head says so.
    let ids = csv(&served, "/systems.csv?sort=-counts.not_satisfied");
    let page = served.get("/systems?sort=-counts.not_satisfied", "");
    let places: Vec<usize> = ids[1..].iter().map(|r| page.find(&format!(">{}</a>", r[0])).unwrap()).collect();
    assert!(places.is_sorted() && page.contains("aria-sort=\"descending\""), "{places:?}");
    let refused = served.get("/systems?sort=colour", "");
    assert!(
        refused.starts_with("HTTP/1.1 400") && refused.contains("sort is one of name, id, team"),
        "{refused}"
    );
}

#[test]
fn findings_are_asked_for_by_source_and_by_since_when_they_are_so() {
    let world = lived_copy();
    let served = Served::start(&world, "");
    let count =
        |query: &str| said(&served.get(&format!("/findings.json?{query}"), ""))["count"].as_u64().unwrap();
    let report = said(&served.get("/report.json", ""));
    let all = count("");
    let mut some = 0;
    for source in report["coverage"].as_array().unwrap() {
        let name = source["source"].as_str().unwrap();
        let controls: BTreeSet<&str> = report["controls"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|c| c["sources"].as_array().unwrap().contains(&source["kind"]))
            .map(|c| c["id"].as_str().unwrap())
            .collect();
        let of = |findings: &Value| {
            findings
                .as_array()
                .unwrap()
                .iter()
                .filter(|f| controls.contains(f["control"].as_str().unwrap()))
                .count() as u64
        };
        let wanted = of(&report["estate_findings"])
            + report["systems"].as_array().unwrap().iter().map(|s| of(&s["findings"])).sum::<u64>();
        assert_eq!(count(&format!("source={name}")), wanted, "{name}");
        some += u64::from(wanted > 0 && wanted < all);
    }
    assert!(some > 2);
    let early = count("to=2026-11-10");
    let late = count("from=2026-11-11");
    assert!(early > 0 && late > 0 && early < all && late < all, "{early} {late} {all}");
    let refused = served.get("/findings?from=yesterday", "");
    assert!(refused.starts_with("HTTP/1.1 400") && refused.contains("no day (2026-11-22)"), "{refused}");
}

fn drawn(world: &World, arguments: &[&str]) -> Value {
    let out = world.path("drawn.json");
    let mut all = vec!["population"];
    all.extend(arguments);
    all.extend(["--out", out.to_str().unwrap()]);
    let done = world.run(&all);
    assert!(done.status.success(), "{}{}", stdout(&done), stderr(&done));
    serde_json::from_slice(&std::fs::read(out).unwrap()).unwrap()
}

fn seqs(population: &Value) -> Vec<u64> {
    population["entries"].as_array().unwrap().iter().map(|e| e["seq"].as_u64().unwrap()).collect()
}

#[test]
fn populations_add_up_and_anybody_can_draw_the_sample_again() {
    let world = lived_copy();
    let served = Served::start(&world, "");
    let mut kinds = 0;
    for kind in said(&served.get("/population.json", ""))["kinds"].as_array().unwrap() {
        let kind = kind.as_str().unwrap();
        let all = drawn(&world, &[kind]);
        let counting = format!(
            "SELECT count(*) FROM entry WHERE seq < {} AND json_extract(CAST(bytes AS TEXT), '$.kind') = '{kind}';",
            all["as_of"]
        );
        let held = sqlite(&world.path("var/ledger.db"), &counting);
        assert_eq!(held.trim(), all["count"].to_string(), "{kind}");
        assert_eq!(seqs(&all).len() as u64, all["count"].as_u64().unwrap());
        assert!(all["sources"].as_array().is_some_and(|sources| !sources.is_empty()), "{all}");
        for source in all["sources"].as_array().unwrap() {
            assert_eq!(source["reconciled"], true, "{kind}: {source}");
        }
        kinds += usize::from(all["count"] != 0);
    }
    assert!(kinds > 15, "{kinds}");
    // A sample, drawn again from the file of the population with nothing but SHA-256.
    let all = drawn(&world, &["kubernetes.workload"]);
    let sample = drawn(&world, &["kubernetes.workload", "--sample", "5", "--seed", "an auditor's own"]);
    let rank =
        |e: &Value| sha256_hex(format!("an auditor's own\n{}", e["leaf"].as_str().unwrap()).as_bytes());
    let mut again: Vec<(String, u64)> =
        all["entries"].as_array().unwrap().iter().map(|e| (rank(e), e["seq"].as_u64().unwrap())).collect();
    again.sort();
    assert_eq!(seqs(&sample), again[..5].iter().map(|(_, seq)| *seq).collect::<Vec<_>>());
    let by_root = drawn(&world, &["kubernetes.workload", "--sample", "5"]);
    assert_eq!(by_root["sample"]["seed"], by_root["root"]);
    assert_ne!(seqs(&by_root), seqs(&sample));
    // The site draws the same, and its pages follow each other without a hole.
    let site = said(
        &served.get("/population.json?kind=kubernetes.workload&sample=5&seed=an%20auditor%27s%20own", ""),
    );
    assert_eq!(seqs(&site["population"]), seqs(&sample));
    let (mut walked, mut next) = (Vec::new(), String::new());
    loop {
        let page = said(&served.get(&format!("/population.json?kind=flow_log.object{next}"), ""));
        walked.extend(seqs(&page["population"]));
        match page["population"]["next"].as_u64() {
            Some(after) => next = format!("&after={after}"),
            None => break,
        }
    }
    assert_eq!(walked, seqs(&drawn(&world, &["flow_log.object"])));
    assert!(walked.len() > 50, "one page only: {}", walked.len());
    // A period and the rest are all.
    let part = |end: &str, day: &str| seqs(&drawn(&world, &["sentinel.run", end, day]));
    let (before, after) = (part("--to", "2026-11-10"), part("--from", "2026-11-11"));
    assert!(!before.is_empty() && !after.is_empty());
    assert_eq!(before.len() + after.len(), seqs(&drawn(&world, &["sentinel.run"])).len());
    let done = world.run(&["population", "sentinel.run", "--source", "typo", "--out", "x.csv"]);
    assert!(
        done.status.code() == Some(1) && stdout(&done).contains("none of that name"),
        "{}",
        stdout(&done)
    );
    // An entry that was changed is not counted.
    world.sql("var/ledger.db", "UPDATE entry SET bytes = zeroblob(32) WHERE seq = 17;");
    let done = world.run(&["population", "sentinel.run", "--out", "x.csv"]);
    assert!(done.status.code() == Some(1) && stderr(&done).contains("entry 17"), "{}", stderr(&done));
}
