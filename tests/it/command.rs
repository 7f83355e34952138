//! The command line as a platform engineer uses it.

use crate::support::{World, lived_copy, stderr, stdout};
use std::os::unix::fs::PermissionsExt;

#[test]
fn init_makes_what_check_ingest_and_report_need() {
    let world = World { dir: tempfile::tempdir().unwrap() };
    let done = world.run(&["init"]);
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    assert!(stdout(&done).contains("actledger.example.com/main+"), "{}", stdout(&done));
    let mode = std::fs::metadata(world.path("keys/ledger.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(world.run(&["init"]).status.code(), Some(2), "nothing is written over");
    assert_eq!(world.run(&["check"]).status.code(), Some(1), "no source is configured");
    let report = world.run(&["report", "--format", "json,html", "--out", "out"]);
    assert_eq!(report.status.code(), Some(0), "{}", stderr(&report));
    let text = std::fs::read_to_string(world.path("out/report.json")).unwrap();
    assert!(text.contains("not-collected"), "what is not collected is never a pass");
    assert!(!text.contains("\"status\": \"satisfied\""), "nothing was seen and something is satisfied");
}

#[test]
fn a_key_that_everyone_can_read_is_refused() {
    let world = World { dir: tempfile::tempdir().unwrap() };
    world.run(&["init"]);
    std::fs::set_permissions(world.path("keys/ledger.key"), std::fs::Permissions::from_mode(0o604)).unwrap();
    let done = world.run(&["ingest"]);
    assert_eq!(done.status.code(), Some(2));
    assert!(stderr(&done).contains("chmod"), "{}", stderr(&done));
}

#[test]
fn a_rotated_key_signs_on_and_the_old_one_no_longer() {
    let world = World { dir: tempfile::tempdir().unwrap() };
    world.run(&["init"]);
    assert_eq!(world.run(&["assess"]).status.code(), Some(0));
    let old = std::fs::read(world.path("keys/ledger.key")).unwrap();
    let done = world.run(&["ledger", "rotate-key"]);
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    assert_eq!(world.run(&["assess"]).status.code(), Some(0));
    let verified = world.run(&["verify"]);
    assert_eq!(verified.status.code(), Some(0), "{}", stdout(&verified));
    std::fs::write(world.path("keys/ledger.key"), old).unwrap();
    let refused = world.run(&["assess"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("the signing key is"), "{}", stderr(&refused));
}

#[test]
fn a_log_has_the_name_that_it_is_given_and_check_tells_when_the_line_for_auditors_is_not_its_own() {
    let world = World { dir: tempfile::tempdir().unwrap() };
    for odd in ["a b", "a\" #", "a+b", "a\\u0041", ""] {
        assert!(!world.run(&["init", "--origin", odd]).status.success(), "{odd}");
    }
    assert!(!world.path("keys").exists() && !world.config().exists(), "nothing was written");
    assert!(world.run(&["init", "--origin", "ledger.example.org/eu"]).status.success());
    std::fs::remove_dir_all(world.path("keys")).unwrap();
    let other = world.run(&["init", "--origin", "ledger.example.org/us"]);
    assert!(stderr(&other).contains("says origin ledger.example.org/eu"), "{}", stderr(&other));
    assert!(world.run(&["init", "--origin", "ledger.example.org/eu"]).status.success());
    let line = std::fs::read_to_string(world.path("keys/ledger.vkey")).unwrap();
    assert!(line.starts_with("ledger.example.org/eu+"), "{line}");
    let key_of = || {
        let said = stdout(&world.run(&["check"]));
        said.lines().find(|l| l.starts_with("key ")).unwrap_or_else(|| panic!("{said}")).to_owned()
    };
    assert!(key_of().contains(" ok ") && key_of().contains(line.trim()), "{}", key_of());
    assert_eq!(world.run(&["assess"]).status.code(), Some(0));
    assert_eq!(world.run(&["verify"]).status.code(), Some(0));
    // Somebody gives the log another name before it begins.
    std::fs::remove_dir_all(world.path("var")).unwrap();
    let text = std::fs::read_to_string(world.config()).unwrap();
    std::fs::write(world.config(), text.replace("ledger.example.org/eu", "ledger.example.org/us")).unwrap();
    assert!(key_of().contains(" PART ") && key_of().contains("ledger.example.org/us+"), "{}", key_of());
    assert_eq!(world.run(&["assess"]).status.code(), Some(0));
    assert_eq!(world.run(&["verify"]).status.code(), Some(0), "the key that signs is its own");
}

#[test]
fn in_a_container_a_key_is_handed_over_and_a_backup_leaves_by_stdout() {
    let world = World { dir: tempfile::tempdir().unwrap() };
    let elsewhere = World { dir: tempfile::tempdir().unwrap() };
    assert!(world.run(&["init"]).status.success() && elsewhere.run(&["init"]).status.success());
    assert_eq!(world.run(&["assess"]).status.code(), Some(0));
    let next = elsewhere.path("keys/ledger.key");
    for _ in 0..2 {
        let done = world.run(&["ledger", "rotate-key", "--next", next.to_str().unwrap()]);
        assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    }
    assert!(stderr(&world.run(&["assess"])).contains("the signing key is"), "the old one signs nothing more");
    assert!(stdout(&world.run(&["check"])).contains("nothing can be appended"), "check tells");
    std::fs::copy(&next, world.path("keys/ledger.key")).unwrap();
    assert_eq!(world.run(&["assess"]).status.code(), Some(0));
    // A change from a key to itself would break the record.
    for again in [&["--next", next.to_str().unwrap()][..], &["--next", "keys/ledger.key"]] {
        let done = world.run(&[&["ledger", "rotate-key"], again].concat());
        assert!(
            done.status.code() != Some(0) && stderr(&done).contains("signs already"),
            "{}",
            stderr(&done)
        );
    }
    assert_eq!(world.run(&["verify"]).status.code(), Some(0));
    let done = world.run(&["ledger", "backup", "-"]);
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    let copy = elsewhere.path("copy.db");
    std::fs::write(&copy, &done.stdout).unwrap();
    let verified = elsewhere.run(&["verify", "--ledger", copy.to_str().unwrap()]);
    assert_eq!(verified.status.code(), Some(0), "{}{}", stdout(&verified), stderr(&verified));
    let left = std::fs::read_dir(world.path("var")).unwrap().map(|f| f.unwrap().file_name());
    assert!(left.into_iter().all(|name| name != "ledger.copy"));
    assert_eq!(world.run(&["verify"]).status.code(), Some(0));
}

#[test]
fn exit_codes_and_scopes_of_report() {
    let world = lived_copy();
    let run = |more: &[&str]| {
        world.run(&[&["report", "--as-of", "100000", "--format", "json", "--out", "r"], more].concat())
    };
    assert_eq!(run(&[]).status.code(), Some(0), "findings alone never change the exit code");
    assert_eq!(run(&["--fail-on", "not-satisfied"]).status.code(), Some(3));
    assert_eq!(run(&["--fail-on", "bad"]).status.code(), Some(2));
    assert_eq!(run(&["--system", "no-such-system"]).status.code(), Some(2));
    let system = world.expected()["orderly"].as_str().unwrap().to_owned();
    assert_eq!(run(&["--system", &system, "--fail-on", "not-satisfied"]).status.code(), Some(0));
    assert_eq!(run(&["--as-of", "0"]).status.code(), Some(2), "given twice");
    let all = world.run(&["report", "--as-of", "2026-11-10", "--format", "csv,oscal,ocsf", "--out", "r"]);
    assert_eq!(all.status.code(), Some(0), "{}", stderr(&all));
    for name in ["report.csv", "report.oscal.json", "report.ocsf.ndjson"] {
        assert!(std::fs::metadata(world.path("r").join(name)).unwrap().len() > 1000, "{name}");
    }
}

#[test]
fn two_dates_are_compared_as_days_of_the_house_and_the_report_says_what_it_compares_with() {
    let world = lived_copy();
    let asked =
        |more: &[&str]| world.run(&[&["report", "--format", "json,html,pdf", "--out", "r"], more].concat());
    let done = asked(&["--from", "2026-11-10", "--to", "2026-11-20"]);
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    let read = |name: &str| std::fs::read_to_string(world.path("r").join(name)).unwrap();
    let report: serde_json::Value = serde_json::from_str(&read("report.json")).unwrap();
    let period = &report["period"];
    assert_eq!(
        (&period["from"], &period["to"]),
        (&"2026-11-09T23:00:00.000Z".into(), &"2026-11-20T04:30:00.000Z".into())
    );
    let (html, pdf) = (
        read("report.html"),
        std::process::Command::new("pdftotext")
            .args(["-l", "3", "report.pdf", "-"])
            .current_dir(world.path("r"))
            .output()
            .unwrap(),
    );
    for text in [html, stdout(&pdf)] {
        assert!(
            text.contains("compared with 10 Nov 2026 00:00")
                && text.contains("Changed since 10 Nov 2026 00:00")
        );
        assert!(!text.contains("last report"));
    }
    let done = asked(&["--from", "2026-11-21", "--to", "2026-11-20"]);
    assert!(done.status.code() == Some(2) && stderr(&done).contains("--from is not before to"));
}

#[test]
fn ledger_show_proves_an_entry_with_openssl() {
    let world = lived_copy();
    let shown = stdout(&world.run(&["ledger", "show", "100"]));
    let entry = shown.lines().next().unwrap();
    std::fs::write(world.path("entry.json"), entry).unwrap();
    let command = "(printf '\\0'; tr -d '\\n' < entry.json) | openssl dgst -sha256";
    let done = std::process::Command::new("sh")
        .args(["-c", command])
        .current_dir(world.dir.path())
        .output()
        .unwrap();
    let digest = stdout(&done).trim().rsplit(' ').next().unwrap().to_owned();
    assert!(shown.contains(&format!("leaf  {digest}")), "{shown}\n{digest}");
    assert_eq!(world.run(&["ledger", "show", "999999"]).status.code(), Some(2));
}

#[test]
fn canonical_form_agrees_with_python() {
    let world = lived_copy();
    let script = "import json,rfc8785,sqlite3,sys\nrows=sqlite3.connect(sys.argv[1]).execute('SELECT bytes FROM entry').fetchall()\nassert len(rows)>500\nfor (b,) in rows: assert rfc8785.dumps(json.loads(b))==b, b\nprint(len(rows))";
    let done =
        std::process::Command::new("python3").args(["-c", script]).arg(world.ledger()).output().unwrap();
    assert!(done.status.success(), "{}", stderr(&done));
}

#[test]
fn a_backup_verifies_on_its_own() {
    let world = lived_copy();
    assert_eq!(world.run(&["ledger", "backup", "copy.db"]).status.code(), Some(0));
    let done = world.run(&["verify", "--ledger", "copy.db"]);
    assert_eq!(done.status.code(), Some(0), "{}{}", stdout(&done), stderr(&done));
    let info = world.run(&["ledger", "info", "--json"]);
    assert!(
        serde_json::from_slice::<serde_json::Value>(&info.stdout).unwrap()["size"].as_u64().unwrap() > 500
    );
    assert_eq!(world.run(&["ledger", "rebuild"]).status.code(), Some(0));
}

#[test]
fn check_prints_a_stub_for_what_nobody_registered() {
    let world = lived_copy();
    let said = stdout(&world.run(&["check"]));
    let discovered = world.expected()["discovered"].as_str().unwrap().to_owned();
    assert!(said.contains(&format!("adopts = [\"{discovered}\"]")), "{said}");
}

#[test]
fn two_processes_do_not_do_the_same_job() {
    let world = lived_copy();
    let desk = world.desk();
    let held = desk.lock("report").unwrap();
    let done = world.run(&["assess"]);
    assert_eq!(done.status.code(), Some(1));
    assert!(stderr(&done).contains("locked"), "{}", stderr(&done));
    drop(held);
    assert_eq!(world.run(&["assess"]).status.code(), Some(0));
}

#[test]
fn what_was_issued_is_served_as_issued_and_a_changed_copy_is_not() {
    let world = lived_copy();
    let report = |out: &str| {
        let done = world.run(&["report", "--as-of", "100000", "--format", "html,json", "--out", out]);
        assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
        stdout(&done)
    };
    assert!(report("first").contains("all entries below it were verified then"));
    let folders = std::fs::read_dir(world.path("var/reports")).unwrap().map(|f| f.unwrap().path());
    for folder in folders {
        std::fs::write(folder.join("report.html"), "all is well").unwrap();
    }
    assert!(
        report("second").contains("judged from"),
        "a changed copy is made anew, from entries that are verified"
    );
    let html = |out: &str| std::fs::read(world.path(out).join("report.html")).unwrap();
    assert!(html("first") == html("second"));
}
