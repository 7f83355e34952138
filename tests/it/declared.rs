//! What people declare, and what becomes of it: exceptions and their hygiene, levels over time, the register's remarks, dates
//! and numbers of the organisation's own.

use crate::support::stories::Story;
use crate::support::{World, stderr, stdout};
use serde_json::Value;

fn story(changes: &str) -> Story {
    toml::from_str(&format!("tells = \"a story of its own\"\nis = \"\"\nchange = [\n{changes}]\n")).unwrap()
}

fn report(world: &World) -> Value {
    let done = world.run(&["ingest"]);
    assert!(done.status.success(), "{}", stderr(&done));
    let done = world.run(&["report", "--format", "json", "--out", "out"]);
    assert!(done.status.success(), "{}", stderr(&done));
    let file = std::fs::read_dir(world.path("out"))
        .unwrap()
        .map(|f| f.unwrap().path())
        .find(|p| p.extension().is_some_and(|e| e == "json"));
    serde_json::from_slice(&std::fs::read(file.unwrap()).unwrap()).unwrap()
}

fn findings<'r>(report: &'r Value, system: &str) -> &'r [Value] {
    let systems = report["systems"].as_array().unwrap();
    systems.iter().find(|s| s["id"] == system).unwrap()["findings"].as_array().unwrap()
}

fn finding<'r>(report: &'r Value, system: &str, control: &str) -> &'r Value {
    findings(report, system).iter().find(|f| f["control"] == control).unwrap()
}

const MARK: &str = "# Talks to people, on a model of our own.";

fn exception(control: &str, more: &str) -> String {
    format!(
        "[[exception]]\ncontrol = \"{control}\"\nsystem = \"scoring\"\nowner = \"Head of risk\"\nrequester = \"ml platform\"\nreason = \"Until the new bucket is there.\"\n{more}\n"
    )
}

#[test]
fn exceptions_say_how_they_stand() {
    let text = [
        exception(
            "webhook-fails-closed",
            "approver = \"AI board\"\nexpires = 2026-12-01\nticket = \"GRC-1\"",
        ),
        exception("spend-limit", "approver = \"AI board\"\nexpires = 2026-12-01"),
        exception("cluster-encryption", "approver = \"ML Platform\"\nexpires = 2026-12-01"),
        exception("workers-informed", "approver = \"AI board\"\nexpires = 2026-11-01"),
        exception("fria-before-first-use", "approver = \"AI board\"\nexpires = 2028-11-01"),
        exception("human-oversight-assigned", "approver = \"AI board\""),
        exception("spend-limits", "approver = \"AI board\"\nexpires = 2026-12-01"),
        exception(
            "webhook-fails-closed",
            "thing = \"cluster\"\napprover = \"AI board\"\nexpires = 2026-11-20",
        ),
    ]
    .concat();
    let story = story(&format!(
        "{{ in = \"systems.toml\", replace = \"{MARK}\", with = {:?} }},
         {{ in = \"cluster/webhooks.json\", at = \"/items/0/webhooks/0/failurePolicy\", is = \"Ignore\" }},
         {{ in = \"terraform/plans/plan-1/json-output-redacted.json\", at = \"/resource_changes/1/change/after/encrypted\", is = false }},
         {{ in = \"systems.toml\", replace = \"workers_informed = \", with = \"people_informed = \" }},
         {{ in = \"systems.toml\", replace = 'people_informed = {{ date = 2026-10-27, how = \"A sentence in every letter\" }}' }},\n",
        format!("{text}[[incident]]\nsystem = \"scoring\"\naware = 2026-11-15\ncategory = \"other\"\n\n{MARK}")
    ));
    let report = report(&story.world());
    let said: Vec<(String, String)> = report["exceptions"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|e| e["what"] == "exception")
        .map(|e| {
            (
                format!("{} {}", e["control"].as_str().unwrap(), e["thing"].as_str().unwrap()),
                e["state"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    let of = |name: &str| said.iter().find(|(n, _)| n.trim() == name).map(|(_, s)| s.as_str());
    assert_eq!(of("webhook-fails-closed"), Some("in force; 1 more cover the same"), "{said:#?}");
    assert_eq!(of("webhook-fails-closed cluster"), Some("in force; 1 more cover the same"));
    assert_eq!(of("spend-limit"), Some("in force, unused: nothing that it names is unsatisfied"));
    assert_eq!(of("cluster-encryption"), Some("accepts nothing: who asked for it approved it"));
    assert_eq!(of("workers-informed"), Some("expired, and what it names is still unsatisfied (1)"));
    assert_eq!(of("fria-before-first-use"), Some("accepts nothing: it runs longer than an exception may"));
    assert_eq!(
        of("human-oversight-assigned"),
        Some("accepts nothing: it lacks owner, reason, approver or expiry")
    );
    assert_eq!(of("spend-limits"), Some("the catalogue has no such control"));
    let webhook = finding(&report, "scoring", "webhook-fails-closed");
    assert_eq!(
        (&webhook["status"], &webhook["excepted"]),
        (&"not-satisfied".into(), &true.into()),
        "the status stays"
    );
    let volume = finding(&report, "scoring", "cluster-encryption");
    assert_eq!((&volume["status"], &volume["excepted"]), (&"not-satisfied".into(), &false.into()));
    // Reminded of: the one that ends today and those of the next days.
    let wanted: Vec<&str> =
        report["wanted"].as_array().unwrap().iter().filter_map(|w| w["what"].as_str()).collect();
    assert!(
        wanted.contains(&"the exception to webhook-fails-closed ends on 20 Nov 2026, today"),
        "{wanted:#?}"
    );
    assert!(wanted.contains(&"the exception to spend-limit ends on 1 Dec 2026, in 11 days"), "{wanted:#?}");
    let incident = "a serious incident (other) is to be reported by 30 Nov 2026, in 10 days";
    assert!(wanted.contains(&incident), "{wanted:#?}");
    assert!(volume["deadline"]["told"].as_str().unwrap().contains("(house number), risk"), "{volume:#}");
}

#[test]
fn a_level_has_a_history_that_answers_for_a_day() {
    let silent = |name: &str| {
        format!(
            "{{ in = \"artifacts/models/get-object-tagging/models/scoring/{name}/model.onnx.json\", at = \"/TagSet\", is = [] }},\n"
        )
    };
    let tag = |n: usize| {
        format!(
            "{{ in = \"terraform/plans/plan-1/json-output-redacted.json\", at = \"/resource_changes/{n}/change/after/tags_all/AI-Risk-Level\" }},\n"
        )
    };
    let undecided = format!(
        "{{ in = \"systems.toml\", replace = {:?}, with = {:?} }},\n",
        "system = \"scoring\"\nlevel = \"high\"", "system = \"another\"\nlevel = \"high\""
    );
    let rest = "{ in = \"cluster/workloads.json\", at = \"/items/0/metadata/annotations/eu-ai-act-risk\", is = \"minimal\", until = \"20261118T040000Z\" },
         { in = \"systems.toml\", replace = 'risk_level = \"high\"' },\n";
    let story = story(&[silent("v1"), silent("v2"), tag(0), tag(1), undecided, rest.to_owned()].concat());
    let world = story.world();
    let desk = world.live_quietly();
    drop(desk);
    let history = stdout(&world.run(&["ledger", "history", "scoring"]));
    let lines: Vec<&str> = history.lines().filter(|l| !l.starts_with(' ')).collect();
    assert_eq!(lines.len(), 2, "{history}");
    assert!(
        lines[0].contains("- to minimal (stated)") && lines[1].contains("minimal to high (stated)"),
        "{history}"
    );
    assert!(history.contains("annotation says minimal (entry "), "{history}");
    let on = |day: &str| stdout(&world.run(&["ledger", "history", "scoring", "--on", day]));
    assert!(
        on("2026-11-18").starts_with("scoring on 2026-11-18: minimal, as was known"),
        "{}",
        on("2026-11-18")
    );
    assert!(on("2026-11-19").starts_with("scoring on 2026-11-19: high"));
    assert!(on("2026-11-01").starts_with("scoring on 2026-11-01: not known yet"));
    let json: Value =
        serde_json::from_str(&stdout(&world.run(&["ledger", "history", "scoring", "--json"]))).unwrap();
    assert_eq!(json["level"], "high");
    for wrong in
        [vec!["ledger", "history", "nobody"], vec!["ledger", "history", "scoring", "--on", "yesterday"]]
    {
        let done = world.run(&wrong);
        assert_eq!(done.status.code(), Some(2), "{}", stderr(&done));
    }
}

#[test]
fn check_tells_what_the_register_says_and_nothing_shows() {
    let world =
        story("{ in = \"systems.toml\", replace = 'system = \"sorter\"', with = 'system = \"sorted\"' },\n")
            .world();
    report(&world);
    let said = stdout(&world.run(&["check"]));
    assert!(
        said.lines()
            .any(|l| l.contains("systems.toml:") && l.contains(": no [[system]] has id = \"sorted\"")),
        "{said}"
    );
    assert!(said.contains("assistant: nothing that was seen belongs to it"), "{said}");
    assert!(!said.contains("scoring: nothing that was seen"), "{said}");
}

#[test]
fn a_date_of_the_law_and_a_number_of_the_house_may_be_set() {
    let set = |with: &str| {
        story(&format!("{{ in = \"actledger.toml\", replace = 'parameters = {{ window_days = 2 }}', with = {with:?} }},\n")).world()
    };
    let usual = report(&story("").world());
    let moved = report(&set(
        "parameters = { window_days = 2, training_max_age_days = 30 }\ntimetable = { high-risk-annex-iii = \"2026-10-01\" }",
    ));
    let law = |r: &Value| {
        let f = finding(r, "scoring", "fria-before-first-use");
        (f["legal_state"].as_str().unwrap().to_owned(), f["applies_from"].as_str().unwrap()[..10].to_owned())
    };
    assert_eq!(law(&usual), ("to-come".to_owned(), "2027-12-02".to_owned()));
    assert_eq!(law(&moved), ("in-force".to_owned(), "2026-10-01".to_owned()));
    let trained = |r: &Value| finding(r, "scoring", "human-oversight-assigned")["status"].clone();
    assert_eq!((trained(&usual), trained(&moved)), ("satisfied".into(), "not-satisfied".into()));
    assert!(
        moved["law"]["own"].to_string().contains("high-risk-annex-iii"),
        "the report names what was set: {:#}",
        moved["law"]
    );
    for (wrong, said) in [
        ("timetable = { annex-iii = \"2026-10-01\" }", "the timetable has entry-into-force"),
        ("parameters = { windowdays = 2 }", "no parameter of this name is the organisation's"),
        ("profile = \"all\"", "\"core\" or \"full\""),
    ] {
        let world = set(wrong);
        let text = std::fs::read_to_string(world.config())
            .unwrap()
            .replace("profile = \"full\"\nprofile", "profile");
        std::fs::write(world.config(), text).unwrap();
        let done = world.run(&["check"]);
        assert_eq!(
            (done.status.code(), stderr(&done).contains(said)),
            (Some(2), true),
            "{wrong}: {}",
            stderr(&done)
        );
    }
}

#[test]
fn what_nobody_provides_evidence_for_is_told_once() {
    let none =
        |system: &str| format!("  {{ in = \"systems.toml\", at = \"/system/{system}/art50\", is = [] }},\n");
    let of = |world: &World| {
        let report = report(world);
        let done = world.run(&["report", "--format", "html", "--out", "out"]);
        assert!(done.status.success(), "{}", stderr(&done));
        let pages = std::fs::read_dir(world.path("out")).unwrap().map(|f| f.unwrap().path());
        let page = pages.into_iter().find(|p| p.extension().is_some_and(|e| e == "html")).unwrap();
        (report, std::fs::read_to_string(page).unwrap())
    };
    let control = "transparency-notice-recorded";
    let (report, page) = of(&story(&[none("scoring"), none("assistant")].concat()).world());
    let told = report["unprovided"].as_array().unwrap();
    assert_eq!(
        (told.len(), &told[0]["control"], &told[0]["systems"]),
        (1, &control.into(), &3.into()),
        "{told:?}"
    );
    assert_eq!(finding(&report, "scoring", control)["unprovided"], true);
    assert_eq!(finding(&report, "scoring", control)["status"], "not-assessed", "the finding stays");
    let title = told[0]["title"].as_str().unwrap();
    let rows = |page: &str| page.matches(&format!("<b>{title}</b>")).count();
    assert_eq!(rows(&page), 1, "only of the system that it is not asked of");
    assert!(page.contains("Nobody provides evidence anywhere") && page.contains("told once for all systems"));
    let (report, page) = of(&story(&none("scoring")).world());
    assert_eq!(report["unprovided"].as_array().unwrap().len(), 0, "somebody provides it");
    assert_eq!(rows(&page), 4);
}
