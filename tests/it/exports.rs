//! What an auditor asks of the pages beyond the last report: evidence to take away, and how things were.

use crate::pages::{Served, said};
use crate::support::{lived_copy, stdout, verify_py};
use serde_json::Value;
use std::time::Duration;

const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

fn header<'r>(reply: &'r str, name: &str) -> &'r str {
    reply.lines().find_map(|l| l.strip_prefix(name)).unwrap_or_default().trim_start_matches(": ").trim()
}

/// The path of an export that is made, when it is.
fn made(served: &Served, body: &str) -> (String, Value) {
    let asked = served.ask("POST", "/exports", FORM, body);
    assert!(asked.starts_with("HTTP/1.1 303"), "{asked}");
    let path = header(&asked, "location").to_owned();
    for _ in 0..300 {
        let state = said(&served.get(&path, "Accept: application/json\r\n"));
        if state["sha256"].is_string() {
            return (path, state);
        }
        let told = state["state"].as_str().unwrap();
        assert!(told.contains("waits") || told.contains("being made"), "{state}");
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("{path} is not made after 30 s");
}

#[test]
fn a_bundle_is_made_in_the_background_and_is_the_one_of_the_command_line() {
    let world = lived_copy();
    let served = Served::start(&world, "");
    let (path, state) = made(&served, "system=cv-screening&redact=yes");
    let (head, bundle) = served.bytes(&format!("{path}/bundle.zip"), "");
    assert!(head.contains("application/zip") && head.contains("attachment"), "{head}");
    let command = world.run(&["export", "--system", "cv-screening", "--redact", "--out", "c.zip"]);
    assert!(command.status.success(), "{}", String::from_utf8_lossy(&command.stderr));
    assert_eq!(bundle, std::fs::read(world.path("c.zip")).unwrap(), "not the bundle of the command line");
    assert!(stdout(&command).starts_with(state["sha256"].as_str().unwrap()));
    // What was cut off goes on where it was.
    let (head, rest) = served.bytes(&format!("{path}/bundle.zip"), "Range: bytes=1000-\r\n");
    assert!(head.starts_with("HTTP/1.1 206") && rest == bundle[1000..], "{head}");
    // It verifies without us, and the record says who asked for what.
    let checked = verify_py(&world.path("c.zip"), &[]);
    assert!(checked.status.success(), "{}", stdout(&checked));
    let last = world.run(&["ledger", "info", "--json"]);
    let size = serde_json::from_slice::<Value>(&last.stdout).unwrap()["size"].as_u64().unwrap();
    let shown: String =
        (size - 2..size).map(|n| stdout(&world.run(&["ledger", "show", &n.to_string()]))).collect();
    assert!(shown.contains("export.made") && shown.contains("system cv-screening"), "{shown}");
    // Somebody else's, or nobody's, is not there; what cannot be asked is told.
    assert!(served.get("/exports/0011223344556677", "").starts_with("HTTP/1.1 404"));
    for (body, why) in [
        ("system=nobody", "no system is named"),
        ("control=nothing", "no control is named"),
        ("from=yesterday", "no day"),
        ("from=2026-11-20&to=2026-11-01", "from is not before to"),
    ] {
        let reply = served.ask("POST", "/exports", FORM, body);
        assert!(reply.starts_with("HTTP/1.1 400") && reply.contains(why), "{body}: {reply}");
    }
    let page = served.get("/exports?system=cv-screening", "Accept: text/html\r\n");
    assert!(
        page.contains("value=\"cv-screening\" selected") && page.contains(state["sha256"].as_str().unwrap())
    );
}

#[test]
fn pages_show_how_it_was_and_stay_there() {
    let world = lived_copy();
    let served = Served::start(&world, "");
    let now = said(&served.get("/first.json", ""));
    let then = said(&served.get("/first.json?as_of=2026-11-10", ""));
    let size = then["as_of"]["size"].as_u64().unwrap();
    assert!(size < now["as_of"]["size"].as_u64().unwrap(), "{then}");
    assert_eq!(said(&served.get(&format!("/first.json?as_of={size}"), "")), then);
    assert_eq!(said(&served.get("/first.json?as_of=2026-11-10T22:00:00Z", ""))["as_of"], then["as_of"]);
    // The same as the command line makes.
    let text = size.to_string();
    let done = world.run(&["report", "--as-of", &text, "--format", "json", "--out", "then"]);
    assert!(done.status.success());
    let made = std::fs::read(world.path("then/report.json")).unwrap();
    assert_eq!(served.bytes(&format!("/report.json?as_of={size}"), "").1, made);
    // Every link of a page of the past leads to the past, but for the one that says it leaves.
    for path in ["/", "/systems", "/controls", "/findings", "/sources", "/systems/cv-screening", "/decisions"]
    {
        let page = served.get(&format!("{path}?as_of={size}"), "Accept: text/html\r\n");
        assert!(page.contains("not as it is now"), "{path}: {page}");
        let leaves = |link: &&str| {
            let address = link.split('"').next().unwrap_or_default();
            !address.contains(&format!("as_of={size}"))
        };
        let links: Vec<&str> = page.split("href=\"/").skip(1).filter(leaves).collect();
        let addresses: Vec<&str> = links.iter().map(|l| l.split('"').next().unwrap()).collect();
        assert_eq!(addresses, [""], "{path}");
    }
    for (query, status) in [("as_of=1", 404), ("as_of=0", 404), ("as_of=xyz", 400), ("as_of=2020-01-01", 404)]
    {
        let reply = served.get(&format!("/?{query}"), "");
        assert!(reply.starts_with(&format!("HTTP/1.1 {status}")), "{query}: {reply}");
    }
    let changes = said(&served.get("/changes.json?from=2026-11-01&to=2026-11-10", ""));
    assert_eq!(changes["as_of"], then["as_of"]);
    let done = world.run(&[
        "report",
        "--from",
        "2026-11-01",
        "--to",
        "2026-11-10",
        "--format",
        "json",
        "--out",
        "span",
    ]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let span: Value =
        serde_json::from_slice(&std::fs::read(world.path("span/report.json")).unwrap()).unwrap();
    assert_eq!(changes["changes"], span["changes"]);
    assert!(served.get("/changes?from=2026-11-10&to=2026-11-01", "").starts_with("HTTP/1.1 400"));
}
