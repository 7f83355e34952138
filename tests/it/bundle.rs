//! The bundle, checked by `verify.py` with Python and openssl alone, before and after every kind of change.

use crate::support::{World, lived_copy, stdout};
use std::path::{Path, PathBuf};
use std::process::Command;

fn unpack(world: &World, zip: &str, to: &str) -> PathBuf {
    let folder = world.path(to);
    let script = "import sys,zipfile; zipfile.ZipFile(sys.argv[1]).extractall(sys.argv[2])";
    assert!(
        Command::new("python3")
            .args(["-c", script])
            .arg(world.path(zip))
            .arg(&folder)
            .status()
            .unwrap()
            .success()
    );
    folder
}

/// What verify.py, a copy of ours that the change cannot touch, says of a folder.
fn says(script: &Path, folder: &Path) -> (bool, String) {
    let done = Command::new("python3").arg(script).arg(folder).output().unwrap();
    (done.status.success(), stdout(&done))
}

/// Writes MANIFEST.sha256 anew, as somebody would who wants to hide a change.
fn recompute_manifest(folder: &Path) {
    let script = "import hashlib,pathlib,sys\nr=pathlib.Path(sys.argv[1])\nfiles=sorted(str(p.relative_to(r)) for p in r.rglob('*') if p.is_file() and not p.name.startswith('MANIFEST.'))\n(r/'MANIFEST.sha256').write_text(''.join(f'{hashlib.sha256((r/f).read_bytes()).hexdigest()}  {f}\\n' for f in files))";
    assert!(Command::new("python3").args(["-c", script]).arg(folder).status().unwrap().success());
}

type Change = (&'static str, fn(&Path));

const CHANGES: [Change; 7] = [
    ("a byte of an entry", |f| {
        let path = f.join("entries.ndjson");
        let text = std::fs::read_to_string(&path).unwrap().replacen("deny", "Deny", 1);
        std::fs::write(path, text).unwrap();
    }),
    ("a removed line", |f| {
        let path = f.join("entries.ndjson");
        let text = std::fs::read_to_string(&path).unwrap();
        let kept: Vec<&str> = text.lines().enumerate().filter(|(i, _)| *i != 5).map(|(_, l)| l).collect();
        std::fs::write(path, kept.join("\n") + "\n").unwrap();
    }),
    ("a cut tail", |f| {
        let path = f.join("entries.ndjson");
        let text = std::fs::read_to_string(&path).unwrap();
        let n = text.lines().count();
        std::fs::write(path, text.lines().take(n - 3).map(|l| format!("{l}\n")).collect::<String>()).unwrap();
    }),
    ("an added file", |f| std::fs::write(f.join("note.txt"), "all is well").unwrap()),
    ("a changed report", |f| {
        let path = f.join("report.html");
        let text = std::fs::read_to_string(&path).unwrap().replacen("not satisfied", "satisfied", 1);
        std::fs::write(path, text).unwrap();
    }),
    ("a changed checkpoint", |f| {
        let path = f.join("checkpoint.txt");
        let text = std::fs::read_to_string(&path).unwrap();
        let size = text.lines().nth(1).unwrap().to_owned();
        std::fs::write(path, text.replacen(&size, "7", 1)).unwrap();
    }),
    ("a changed private value", |f| {
        let path = f.join("openings.ndjson");
        let text = std::fs::read_to_string(&path).unwrap().replacen("\"value\":\"", "\"value\":\"x", 1);
        std::fs::write(path, text).unwrap();
    }),
];

#[test]
fn a_whole_bundle_holds_and_no_change_passes() {
    let world = lived_copy();
    let done = world.run(&["export", "--out", "b.zip"]);
    assert_eq!(done.status.code(), Some(0), "{}", stdout(&done));
    let script = world.path("verify.py");
    std::fs::write(&script, include_str!("../../src/export/bundle/verify.py")).unwrap();
    let good = unpack(&world, "b.zip", "good");
    let (holds, said) = says(&script, &good);
    assert!(holds, "{said}");
    assert!(says(&script, &world.path("b.zip")).0, "the ZIP itself is read as well");
    assert!(
        Command::new("sha256sum")
            .arg("-c")
            .arg("--quiet")
            .arg("MANIFEST.sha256")
            .current_dir(&good)
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(world.run(&["verify", "--bundle", "b.zip"]).status.code(), Some(0));
    for (i, (what, change)) in CHANGES.iter().enumerate() {
        for recompute in [false, true] {
            let bad = unpack(&world, "b.zip", &format!("bad-{i}-{recompute}"));
            change(&bad);
            if recompute {
                recompute_manifest(&bad);
            }
            let (holds, said) = says(&script, &bad);
            assert!(!holds, "{what} passes, manifest recomputed: {recompute}\n{said}");
            assert!(said.contains("DOES NOT HOLD"), "{what}: {said}");
        }
    }
}

#[test]
fn the_key_that_was_given_before_decides() {
    let world = lived_copy();
    world.run(&["export", "--out", "b.zip"]);
    let other = "actledger.example.com/demonstration+00000000+AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    assert_eq!(world.run(&["verify", "--bundle", "b.zip", "--public-key", other]).status.code(), Some(2));
    let folder = unpack(&world, "b.zip", "b");
    let ours = std::fs::read_to_string(folder.join("public-key.txt")).unwrap();
    let done = world.run(&["verify", "--bundle", "b.zip", "--public-key", ours.trim()]);
    assert_eq!(done.status.code(), Some(0), "{}", stdout(&done));
}

#[test]
fn picked_period_and_redacted_bundles_hold_too() {
    let world = lived_copy();
    let system = world.expected()["facts"][0]["system"].as_str().unwrap().to_owned();
    let asked: [&[&str]; 4] = [
        &["--redact"],
        &["--system", &system],
        &["--control", "override-accountable", "--redact"],
        &["--from", "2026-11-01", "--to", "2026-11-10"],
    ];
    for (i, more) in asked.iter().enumerate() {
        let zip = format!("{i}.zip");
        let done = world.run(&[&["export", "--out", &zip], *more].concat());
        assert_eq!(done.status.code(), Some(0), "{more:?}: {}", crate::support::stderr(&done));
        let folder = unpack(&world, &zip, &format!("folder-{i}"));
        let (holds, said) = says(&folder.join("verify.py"), &folder);
        assert!(holds, "{more:?}: {said}");
        assert_eq!(world.run(&["verify", "--bundle", &zip]).status.code(), Some(0), "{more:?}");
        assert_eq!(folder.join("openings.ndjson").exists(), !more.contains(&"--redact"));
    }
}

#[test]
fn the_same_request_gives_the_same_bytes() {
    let (a, b) = (lived_copy(), lived_copy());
    for world in [&a, &b] {
        world.run(&["export", "--as-of", "900", "--out", "b.zip"]);
    }
    assert!(std::fs::read(a.path("b.zip")).unwrap() == std::fs::read(b.path("b.zip")).unwrap());
}
