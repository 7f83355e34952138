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

/// A ledger of many entries by the writer itself, every hundredth with a private value.
fn big_ledger(path: &Path, signer: &actledger::ledger::Signer, n: u64) {
    use actledger::ledger::private::Opening;
    use actledger::store::{Row, Store};
    let time =
        |commit: u64| actledger::evidence::Time::from_seconds(1_800_000_000 + i64::try_from(commit).unwrap());
    let key = [3; 32];
    let text = |seq: u64, kind: &str, payload: &str| {
        let (at, key) = (time(seq / 1_000), format!("k{seq}"));
        format!(
            r#"{{"key":"{key}","kind":"{kind}","occurred_at":"{at}","payload":{payload},"recorded_at":"{at}","source":"vpc-ml","subject":"s3:logs/é","v":1}}"#
        )
    };
    let row = |seq: u64| {
        let mut openings = Vec::new();
        let payload = match seq {
            0 => {
                let vkey = signer.verifier().vkey();
                format!(
                    r#"{{"format":1,"origin":"{}","predecessor":null,"public_key":"{vkey}","reason":"soak"}}"#,
                    signer.verifier().name()
                )
            }
            1 => format!(
                r#"{{"commitment":"{}","year":2027}}"#,
                actledger::ledger::private::key_commitment(&key)
            ),
            _ if seq.is_multiple_of(100) => {
                let mut opening =
                    Opening { commitment: String::new(), salt: [7; 16], value: format!("person-{seq}") };
                opening.commitment = opening.recomputed();
                let reference = actledger::ledger::private::reference(&key, &opening.value);
                let payload =
                    format!(r#"{{"actor":{{"$private":"{}","ref":"{reference}"}}}}"#, opening.commitment);
                openings.push(opening);
                payload
            }
            _ => format!(
                r#"{{"bytes":"{seq}","object":"AWSLogs/123456789012/vpcflowlogs/eu-central-1/{seq:020}.log.gz","records":{}}}"#,
                seq % 997
            ),
        };
        let kind = match seq {
            0 => "ledger.opened",
            1 => "private.key",
            _ => "flow_log.object",
        };
        Row { bytes: text(seq, kind, &payload).into_bytes(), openings, blobs: Vec::new() }
    };
    let mut store = Store::open_empty(path).unwrap();
    for from in (0..n).step_by(1_000) {
        let rows: Vec<Row> = (from..n.min(from + 1_000)).map(row).collect();
        store.commit(signer, rows).unwrap();
    }
    drop(store);
    let insert = format!("INSERT INTO pseudonym VALUES (2027, X'{}')", "03".repeat(32));
    crate::support::sqlite(path, &insert);
}

#[test]
#[ignore = "make soak: a million entries take minutes"]
fn a_million_entries_are_checked_by_verify_py() {
    use actledger::export::bundle::{self, Contents, Kept};
    use actledger::ledger::{Checkpoint, Signer, Verification};
    use actledger::store::{Fold, Reader};
    let n: u64 = std::env::var("ACTLEDGER_SOAK_ENTRIES").map_or(1_000_000, |n| n.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let (path, zip) = (folder.path().join("ledger.db"), folder.path().join("b.zip"));
    let signer = Signer::new("soak.example/ledger", &[5; 32]);
    big_ledger(&path, &signer, n);
    let reader = Reader::open(&path).unwrap();
    let result = reader.verify(None, Fold::Nothing, |_| {}).unwrap();
    let Verification::Intact(intact) = result else { panic!("{result:?}") };
    assert_eq!((intact.checkpoint.size, intact.openings), (n, (n - 1) / 100));
    let (mut entries, mut openings) = (Vec::new(), Vec::new());
    for seq in 0..n {
        entries.push((seq, reader.bytes(seq).unwrap()));
        openings.extend(reader.openings(seq).unwrap().into_iter().map(|o| (seq, Kept::Open(o))));
    }
    let contents = Contents {
        entries,
        checkpoint: Checkpoint::unchecked(&intact.note).unwrap(),
        note: intact.note.clone(),
        proofs: None,
        keys: Vec::new(),
        stamps: Vec::new(),
        blobs: Default::default(),
        openings: Some(openings),
        first_key: signer.verifier().vkey(),
        reports: Default::default(),
        scope: "soak".into(),
    };
    let (bytes, _) = bundle::write(contents, &signer).unwrap();
    assert_eq!(bundle::check(&bytes, None).unwrap().entries as u64, n);
    std::fs::write(&zip, bytes).unwrap();
    let script = "import resource,subprocess,sys,time\nt=time.time()\nr=subprocess.run([sys.executable,*sys.argv[1:]])\nu=resource.getrusage(resource.RUSAGE_CHILDREN)\nprint(f'{time.time()-t:.0f} s, {u.ru_maxrss/1024:.0f} MiB')\nsys.exit(r.returncode)";
    let verifier = crate::support::project().join("src/export/bundle/verify.py");
    let check = || {
        let mut python = Command::new("python3");
        python.args(["-c", script]).arg(&verifier).arg(&zip).args(["--key", &signer.verifier().vkey()]);
        python.output().unwrap()
    };
    let done = check();
    assert!(done.status.success(), "{}", stdout(&done));
    println!("{}", stdout(&done));
}
