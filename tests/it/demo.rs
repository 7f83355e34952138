//! The demo, lived through night by night, and what it leaves behind.

use crate::support::{World, assert_facts, lived, lived_copy, project, sqlite, stdout};
use actledger::jobs::{self, AsOf};
use actledger::report::Scope;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

fn last_report(world: &World) -> PathBuf {
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(world.path("var/reports")).unwrap().map(|f| f.unwrap().path()).collect();
    folders.sort();
    folders.pop().unwrap()
}

fn last_mail(world: &World) -> PathBuf {
    let mut mails: Vec<PathBuf> =
        std::fs::read_dir(world.path("var/mail")).unwrap().map(|f| f.unwrap().path()).collect();
    mails.sort();
    mails.pop().unwrap()
}

#[test]
fn every_planted_fact_stands_in_report_pdf_and_mail() {
    let world = lived();
    let report: Value =
        serde_json::from_slice(&std::fs::read(last_report(world).join("report.json")).unwrap()).unwrap();
    let expected = world.expected();
    assert_facts(&report, &expected);
    let pdf =
        std::process::Command::new("pdftotext").arg(last_report(world).join("report.pdf")).arg("-").output();
    let pdf = stdout(&pdf.expect("pdftotext is installed by make test")).replace('\u{200b}', "");
    let html = std::fs::read_to_string(last_report(world).join("report.html")).unwrap();
    for fact in expected["facts"].as_array().unwrap() {
        let system = fact["system"].as_str().unwrap();
        assert!(pdf.replace('\n', "").contains(system) && html.contains(system), "{fact}");
    }
    for gone in ["<script", "src=\"http", "href=\"http", "@import", "url("] {
        assert!(!html.contains(gone), "the HTML asks for something from outside: {gone}");
    }
    // Wherever its lines are broken.
    let mail = actledger_mail_text(&last_mail(world));
    let mail = mail.split_whitespace().collect::<Vec<_>>().join(" ");
    for word in
        ["lists 20 of 57", "SKIPDATA", "no record of any interface", "port 6006 accepted", "1 resolved"]
    {
        assert!(mail.contains(word), "{word} is not in the mail:\n{mail}");
    }
    assert!(mail.contains("DEMONSTRATION"));
}

/// The plain text of a mail, as Python's own library reads it.
fn actledger_mail_text(path: &std::path::Path) -> String {
    let script = "import email,email.policy,sys\nm=email.message_from_bytes(open(sys.argv[1],'rb').read(),policy=email.policy.default)\nprint(m['subject']); print(m.get_body(('plain',)).get_content())";
    let done = std::process::Command::new("python3").args(["-c", script]).arg(path).output().unwrap();
    assert!(done.status.success());
    stdout(&done).replace("\n ", " ").replace("  ", " ")
}

#[test]
fn the_specimen_is_what_the_demo_makes() {
    let (world, specimen) = (lived(), project().join("reports"));
    let folder = last_report(world);
    let mut files: Vec<(String, Vec<u8>)> = ["report.html", "report.pdf", "report.json"]
        .map(|n| (n.to_owned(), std::fs::read(folder.join(n)).unwrap()))
        .into();
    files.push(("mail.eml".into(), std::fs::read(last_mail(world)).unwrap()));
    if std::env::var("ACTLEDGER_SPECIMEN").as_deref() == Ok("write") {
        std::fs::create_dir_all(&specimen).unwrap();
        files.iter().for_each(|(n, b)| std::fs::write(specimen.join(n), b).unwrap());
    }
    for (name, bytes) in files {
        let kept = std::fs::read(specimen.join(&name)).unwrap_or_default();
        assert!(
            kept == bytes,
            "reports/{name} is not what the demo makes today: look at the difference, then make specimen"
        );
        assert!(name != "report.pdf" || bytes.len() <= 800_000, "{} bytes of PDF", bytes.len());
    }
}

#[test]
fn an_earlier_as_of_gives_the_bytes_of_then() {
    let world = lived();
    let desk = world.desk();
    let store = desk.store().unwrap();
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(world.path("var/reports")).unwrap().map(|f| f.unwrap().path()).collect();
    folders.sort();
    for folder in [&folders[0], &folders[17]] {
        let size: u64 =
            folder.file_name().unwrap().to_str().unwrap().rsplit('-').next().unwrap().parse().unwrap();
        let size = jobs::resolve(&desk, &store, &AsOf::Size(size)).unwrap();
        let formats = ["html", "json", "pdf"].map(str::to_owned);
        let rendered = jobs::render(
            &desk,
            &store,
            &jobs::Judged::of(&desk, &store, size).unwrap(),
            &Scope::default(),
            &formats,
        )
        .unwrap();
        for (name, bytes) in rendered.files {
            assert!(
                std::fs::read(folder.join(&name)).unwrap() == bytes,
                "{name} as of {size} has other bytes"
            );
        }
    }
}

#[test]
fn ingesting_again_adds_no_evidence() {
    let world = lived_copy();
    let before = sqlite(&world.ledger(), "SELECT count(*) FROM entry");
    for _ in 0..2 {
        let done = world.run(&["ingest"]);
        assert_eq!(done.status.code(), Some(0), "{}", stdout(&done));
        assert_eq!(sqlite(&world.ledger(), "SELECT count(*) FROM entry"), before);
    }
}

#[test]
fn verdicts_do_not_depend_on_private_values() {
    let world = lived_copy();
    // Made anew, not served as issued.
    std::fs::remove_dir_all(world.path("var/reports")).unwrap();
    let done = world.run(&["report", "--as-of", "100000", "--format", "json", "--out", "with"]);
    assert_eq!(done.status.code(), Some(0), "{}", stdout(&done));
    let erased = world.run(&["ledger", "erase-private", "--before", "2100-01-01", "--reason", "test"]);
    assert!(stdout(&erased).contains("private values erased"), "{}", stdout(&erased));
    assert_eq!(world.run(&["verify"]).status.code(), Some(0));
    assert_eq!(sqlite(&world.ledger(), "SELECT count(*) FROM opening").trim(), "0");
    let done = world.run(&["report", "--as-of", "100000", "--format", "json", "--out", "without"]);
    assert_eq!(done.status.code(), Some(0), "{}", stdout(&done));
    let read = |f: &str| std::fs::read(world.path(f)).unwrap();
    assert!(read("with/report.json") == read("without/report.json"));
}

#[test]
fn the_pdf_is_pdf_a_and_pdf_ua() {
    let pdf = last_report(lived()).join("report.pdf");
    // The checker takes a return that a packed stream ends with for a part of the line end after it: lengths are looked at
    // here as well.
    let script = r"import page, re, sys
r, b = page.validate_pdf(sys.argv[1], profile=sys.argv[2]), open(sys.argv[1], 'rb').read()
ends = [m.end() + int(m[1]) for m in re.finditer(rb'/Length (\d+)\b.*?\bstream\n', b, re.S)]
right = ends and all(b[e:e + 10] == b'\nendstream' for e in ends)
left = [f.message for f in r.failures if not (right and f.rule_id.endswith('STREAM-LENGTH-001'))]
sys.exit('; '.join(left) or 0)";
    for profile in ["3a", "ua1"] {
        let done = std::process::Command::new("python3")
            .args(["-c", script])
            .arg(&pdf)
            .arg(profile)
            .output()
            .unwrap();
        assert!(done.status.success(), "{profile}: {}", crate::support::stderr(&done));
    }
}

#[test]
fn a_dossier_tells_what_ran_when_what_let_it_through_and_whom_it_talked_with() {
    let folder = last_report(lived());
    let report: Value = serde_json::from_slice(&std::fs::read(folder.join("report.json")).unwrap()).unwrap();
    let systems = report["systems"].as_array().unwrap();
    let of = |id: &str| systems.iter().find(|s| s["id"] == id).unwrap();
    let ran = of("sentiment-analyzer")["ran"].as_array().unwrap();
    let told = |n: usize, what: &str| ran[n][what].as_str().unwrap();
    assert_eq!([told(0, "version"), told(0, "to"), told(1, "to")], ["v4.4.0", "now", "2 Nov 2026 05:00"]);
    assert_eq!(told(1, "let_through"), "before the record began");
    let gates: Vec<&str> =
        ran[0]["gates"].as_array().unwrap().iter().map(|g| g["told"].as_str().unwrap()).collect();
    assert!(gates[0].starts_with("run-") && gates[0].ends_with("applied 23 Oct 2026 13:00"), "{gates:?}");
    assert!(gates.contains(&"K8sRequiredLabels/ml-model-governance (deny)"), "{gates:?}");
    let other = systems.iter().find(|s| s["registered"] == false).unwrap();
    let found = other["ran"][0]["gates"][1]["told"].as_str().unwrap();
    assert!(found.starts_with("which an audit found broken, "), "{found}");
    let peers = &of("footfall-analytics")["network"]["peers"];
    let told =
        |p: &Value| (p["direction"].clone(), p["peer"].clone(), p["port"].clone(), p["records"].clone());
    let peers: Vec<_> = peers.as_array().unwrap().iter().map(told).collect();
    let open = ("in".into(), "public 198.51.100.0/24".into(), 6006.into(), 14.into());
    assert!(
        peers.contains(&open) && peers.iter().all(|p| p.0 == "in"),
        "answers are no traffic of their own: {peers:?}"
    );
    let approved = of("credit-scoring")["risk_level"]["approved"].as_str().unwrap();
    assert!(approved.starts_with("P-") && approved.ends_with("24 Aug 2026"), "{approved}");
}

#[test]
fn the_process_that_sets_a_pdf_has_a_limit_of_memory_and_one_that_runs_into_it_says_so() {
    let program = env!("CARGO_BIN_EXE_actledger");
    let waiting = std::process::Command::new(program).arg("set-pdf").stdin(Stdio::piped()).spawn();
    let mut waiting = waiting.unwrap();
    let limit = || std::fs::read_to_string(format!("/proc/{}/limits", waiting.id())).unwrap();
    let is_limited = |text: String| {
        let line = text.lines().find(|l| l.starts_with("Max data size")).unwrap().to_owned();
        line.split_whitespace().filter(|w| *w == "1073741824").count() == 2
    };
    let end = Instant::now() + Duration::from_secs(20);
    while !is_limited(limit()) {
        assert!(Instant::now() < end, "{}", limit());
        std::thread::sleep(Duration::from_millis(20));
    }
    waiting.kill().unwrap();
    waiting.wait().unwrap();

    let dir = tempfile::tempdir().unwrap();
    let press = dir.path().join("press");
    std::fs::write(&press, format!("#!/bin/sh\nulimit -d 60000\nexec {program} \"$@\"\n")).unwrap();
    std::fs::set_permissions(&press, std::fs::Permissions::from_mode(0o700)).unwrap();
    let mut desk = lived().desk();
    desk.press = Some(press);
    let store = desk.store().unwrap();
    let as_of = jobs::resolve(&desk, &store, &AsOf::Latest).unwrap();
    let judged = jobs::Judged::of(&desk, &store, as_of).unwrap();
    let made =
        jobs::render(&desk, &store, &judged, &Scope::default(), &["pdf".into(), "csv".into()]).unwrap();
    assert_eq!(made.files.keys().collect::<Vec<_>>(), ["report.csv"], "the others are not held up");
    let told = &made.lacks[0];
    let why = "the PDF could not be set: its process, which may take 1024 MiB of memory, ended, signal: 6";
    assert!(told.starts_with(why), "{told}");
}

#[test]
fn the_pdf_carries_what_it_shows_for_machines_and_is_set_by_a_process_of_its_own() {
    let folder = last_report(lived());
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    // As the test has it, from this process: the bytes are those that the command's own process set.
    let desk = lived().desk();
    assert!(desk.press.is_none());
    let store = desk.store().unwrap();
    let as_of = actledger::jobs::resolve(&desk, &store, &actledger::jobs::AsOf::Latest).unwrap();
    let report = actledger::jobs::view(&desk, &store, as_of, &actledger::report::Scope::default()).unwrap();
    assert!(actledger::report::pdf::render(&report).unwrap() == read("report.pdf"));
    let script = r#"import json, pikepdf, sys
pdf = pikepdf.open(sys.argv[1])
assert not pdf.check_pdf_syntax(), pdf.check_pdf_syntax()
assert pdf.Root.Lang and pdf.Root.MarkInfo.Marked and len(pdf.pages) <= 40
told = {}
for name, spec in pdf.attachments.items():
    assert spec.filename == name and spec.description, name
    told[name] = [str(spec.obj.AFRelationship), spec.get_file().mime_type, spec.get_file().read_bytes().decode()]
assert {str(f.UF) for f in pdf.Root.AF} == set(told), 'all are associated with the document'
print(json.dumps(told))"#;
    let pdf = folder.join("report.pdf");
    let done = std::process::Command::new("python3").args(["-c", script]).arg(&pdf).output().unwrap();
    let told: serde_json::Value = serde_json::from_str(&crate::support::stdout(&done))
        .unwrap_or_else(|_| panic!("{}", crate::support::stderr(&done)));
    assert_eq!([&told["findings.csv"][0], &told["summary.json"][0]], ["/Data", "/Supplement"]);
    assert_eq!([&told["findings.csv"][1], &told["summary.json"][1]], ["text/csv", "application/json"]);
    let summary: serde_json::Value = serde_json::from_str(told["summary.json"][2].as_str().unwrap()).unwrap();
    assert_eq!(summary["files"]["report.json"], actledger::evidence::sha256_hex(&read("report.json")));
    let csv = actledger::report::csv::render(&report);
    assert_eq!(summary["files"]["report.csv"], actledger::evidence::sha256_hex(csv.as_bytes()));
    assert!(summary["totals"]["checks"].as_u64() > Some(100));
    // Everything of a small estate is shown.
    let rows = |text: &str| text.lines().map(str::to_owned).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(rows(told["findings.csv"][2].as_str().unwrap()), rows(&csv));
}

#[test]
fn a_large_estate_is_pages_with_an_index_and_a_pdf_of_forty_pages_that_say_what_is_left_out() {
    let desk = lived().desk();
    let store = desk.store().unwrap();
    let as_of = actledger::jobs::resolve(&desk, &store, &actledger::jobs::AsOf::Latest).unwrap();
    let mut report =
        actledger::jobs::view(&desk, &store, as_of, &actledger::report::Scope::default()).unwrap();
    let few = report.systems.clone();
    for n in 0..60 {
        report.systems.extend(few.iter().cloned().map(|mut s| {
            s.id = format!("{}-{n}", s.id);
            s.anchor = format!("{}-{n}", s.anchor);
            s.name = s.id.clone();
            s
        }));
    }
    let wanted = report.wanted.clone();
    (0..20).for_each(|_| report.wanted.extend(wanted.clone()));
    large_pages(&report);
    let pdf = actledger::report::pdf::render(&report).unwrap();
    assert!(pdf.len() < 3 << 20, "{} bytes", pdf.len());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.pdf");
    std::fs::write(&path, pdf).unwrap();
    let told = |program: &str, more: &[&str]| {
        let done = std::process::Command::new(program).arg(&path).args(more).output();
        crate::support::stdout(&done.unwrap())
    };
    let pages = told("pdfinfo", &[])
        .lines()
        .find_map(|l| l.strip_prefix("Pages:")?.trim().parse::<usize>().ok())
        .unwrap();
    assert!((20..=40).contains(&pages), "{pages} pages");
    let text = told("pdftotext", &["-"]).replace('\n', " ");
    for left in [
        "more decisions",
        "more systems have no dossier here",
        "more open findings",
        "Open findings of further systems",
    ] {
        assert!(text.contains(left), "{left}");
    }
}

/// The pages of a large report lead to each other, the search finds a system, and no other script may run.
fn large_pages(report: &actledger::report::Report) {
    let files = actledger::report::html::document(report).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("pages")).unwrap();
    files.iter().for_each(|(name, page)| std::fs::write(folder.path().join(name), page).unwrap());
    assert_eq!(files.len(), 1 + report.systems.len() + report.controls.len());
    for (name, page) in files.iter().filter(|(n, _)| n.ends_with("report.html") || n.ends_with("-7.html")) {
        let base = folder.path().join(name);
        for link in page.split("href=\"").skip(1).filter_map(|l| l.split('"').next()) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let path = if file.is_empty() { base.clone() } else { base.parent().unwrap().join(file) };
            let there = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{name}: {link}: {e}"));
            assert!(anchor.is_empty() || there.contains(&format!("id=\"{anchor}\"")), "{name}: {link}");
        }
    }
    let front = &files["report.html"];
    assert!(front.len() < 2 << 20, "{} bytes", front.len());
    // What somebody would type, and a script that is not ours; the browser runs the first alone.
    let typed = "<script>document.title = 'not ours'</script>";
    let page = front.replace("</body>", &format!("{typed}</body>"));
    std::fs::write(folder.path().join("tried.html"), page).unwrap();
    let done = std::process::Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--dump-dom"])
        .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
        .arg(format!("file://{}", folder.path().join("tried.html").display()))
        .output()
        .unwrap();
    let seen = crate::support::stdout(&done);
    assert!(
        seen.contains("Search systems by name") && !seen.contains("<title>not ours"),
        "{}",
        &seen[..2000.min(seen.len())]
    );
}

#[test]
fn no_name_of_the_demo_is_in_the_program() {
    let expected = World::demo().expected();
    let mut names: Vec<String> = expected["facts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["system"].as_str().unwrap().to_owned())
        .collect();
    names.push("image-tagger-poc".into());
    let init = std::fs::read_to_string(project().join("src/cli/init/systems.toml")).unwrap();
    for file in crate::architecture::sources() {
        let text = std::fs::read_to_string(&file).unwrap();
        for name in &names {
            assert!(!text.contains(name.as_str()), "{} names {name}", file.display());
        }
    }
    for name in &names {
        assert!(!init.contains(name.as_str()), "the example of init names {name}");
    }
}

#[test]
fn the_generator_makes_the_looks_that_are_kept() {
    let world = World::seeded(2026);
    let demo = project().join("deploy/demo");
    for file in ["actledger.toml", "systems.toml", "expected.json"] {
        assert_eq!(
            std::fs::read(demo.join(file)).unwrap(),
            std::fs::read(world.path(file)).unwrap(),
            "{file}"
        );
    }
    // How zlib packs differs from version to version: what is inside counts.
    let script = "import gzip,pathlib,sys\nread=lambda p: gzip.decompress(p.read_bytes()) if p.suffix=='.gz' else p.read_bytes()\na,b=[{str(p.relative_to(r)):read(p) for p in pathlib.Path(r).rglob('*') if p.is_file()} for r in sys.argv[1:]]\nsys.exit(0 if a==b else 1)";
    let done = std::process::Command::new("python3")
        .args(["-c", script])
        .arg(demo.join("looks"))
        .arg(world.path("looks"))
        .output()
        .unwrap();
    assert!(done.status.success(), "deploy/demo/looks is not what estate.py makes: make demo");
}
