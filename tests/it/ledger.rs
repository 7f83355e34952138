//! What an outsider relies on: proofs, old checkpoints, keys and succession, erasure, backups, older tables.

use crate::support::{World, copy_of, lived, lived_copy, sqlite, stderr, stdout, verify_py};
use actledger::clock::Clock;
use actledger::evidence::{Evidence, Kind, Private};
use actledger::jobs;
use actledger::ledger::{Checkpoint, tree};
use actledger::store::Reader;
use base64::{Engine, engine::general_purpose::STANDARD};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

const REGISTER: &str = "[[system]]\nid = \"credit\"\nteam = \"lending\"\nrisk_level = \"high\"\n[[decision]]\nsystem = \"credit\"\nlevel = \"high\"\napprover = \"grace.hopper@example.com\"\ndate = 2026-11-01\nreason = \"Annex III 5(b)\"\n";

fn with_people() -> World {
    let world = World::init("");
    std::fs::write(world.path("systems.toml"), REGISTER).unwrap();
    assert_eq!(world.run(&["ingest"]).status.code(), Some(0));
    assert_eq!(world.run(&["assess"]).status.code(), Some(0));
    world
}

fn checkpoint(world: &World) -> String {
    stdout(&world.run(&["ledger", "checkpoint"]))
}

/// `verify --since` with a checkpoint in a file of its own: exit code and what it says.
fn since(world: &World, note: &str) -> (Option<i32>, String) {
    std::fs::write(world.path("old.txt"), note).unwrap();
    let done = world.run(&["verify", "--since", "old.txt"]);
    (done.status.code(), stdout(&done) + &stderr(&done))
}

#[test]
fn gos_own_sumdb_checks_checkpoints_and_proofs() {
    let world = lived();
    let reader = Reader::open(&world.ledger()).unwrap();
    let size = reader.size().unwrap();
    let base64 =
        |hashes: &[[u8; 32]]| hashes.iter().map(|h| STANDARD.encode(h)).collect::<Vec<_>>().join(",");
    let root = |n: u64| STANDARD.encode(reader.root_at(n).unwrap());
    let vkey = world.desk().signer.verifier().vkey();
    let folder = tempfile::tempdir().unwrap();
    let (mut commands, mut wrong) = (Vec::new(), Vec::new());
    let mut sizes: Vec<u64> = vec![1, 2, 255, 256, 257, 511, 512, 513, size - 1, size];
    let mut at = 0;
    while let Some((over, note)) = reader.covering(at).unwrap() {
        let file = folder.path().join(format!("{over}.txt"));
        std::fs::write(&file, &note).unwrap();
        commands.push(format!("note {vkey} {}", file.display()));
        sizes.push(over);
        at = over;
    }
    let changed = folder.path().join("changed.txt");
    std::fs::write(&changed, checkpoint(world).replacen(&size.to_string(), "7", 1)).unwrap();
    wrong.push(format!("note {vkey} {}", changed.display()));
    for seq in (0..size).step_by(7).chain([size - 1]) {
        let leaf = STANDARD.encode(tree::leaf(&reader.bytes(seq).unwrap()));
        let proof = base64(&reader.inclusion(seq, size).unwrap());
        commands.push(format!("inclusion {size} {} {seq} {leaf} {proof}", root(size)));
        wrong.push(format!("inclusion {size} {} {} {leaf} {proof}", root(size), (seq + 1) % size));
    }
    for old in sizes {
        let proof = base64(&reader.consistency(old, size).unwrap());
        let proof = if proof.is_empty() { "-".into() } else { proof };
        commands.push(format!("consistency {size} {} {old} {} {proof}", root(size), root(old)));
        wrong.push(format!("consistency {size} {} {old} {} {proof}", root(size), root(old - 1)));
    }
    let checker = folder.path().join("sumdb");
    let build = crate::support::project().join("tests/support/sumdb/build.sh");
    let built = Command::new(build).arg(&checker).output().unwrap();
    assert!(built.status.success(), "{}", stderr(&built));
    let said = |lines: &[String]| {
        let mut process =
            Command::new(&checker).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let text = lines.join("\n") + "\n";
        let mut input = process.stdin.take().unwrap();
        let writing = std::thread::spawn(move || input.write_all(text.as_bytes()));
        let output = process.wait_with_output().unwrap();
        writing.join().unwrap().unwrap();
        stdout(&output).lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let good = said(&commands);
    assert_eq!(good.len(), commands.len());
    for (command, said) in commands.iter().zip(&good) {
        assert_eq!(said, "ok", "{command}");
    }
    for (command, said) in wrong.iter().zip(said(&wrong)) {
        assert_ne!(said, "ok", "{command}");
    }
    assert!(commands.len() > 200, "{}", commands.len());
}

#[test]
fn an_old_checkpoint_is_a_prefix_or_it_is_said_why_not() {
    let world = with_people();
    let old = checkpoint(&world);
    let young = copy_of(&world);
    for _ in 0..2 {
        world.run(&["assess"]);
    }
    let (code, said) = since(&world, &old);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("unchanged: a consistency proof of"), "{said}");
    let now = checkpoint(&world);
    // An older file was put in place.
    let (code, said) = since(&young, &now);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("ROLLED BACK"), "{said}");
    // It went on, so that it is longer than the copy: it verifies in itself.
    for _ in 0..4 {
        young.run(&["assess"]);
    }
    let (code, said) = since(&young, &now);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("FORKED") && said.contains("Intact."), "{said}");
    // Its rows were changed.
    world.sql(
        "var/ledger.db",
        "UPDATE entry SET bytes = CAST(replace(CAST(bytes AS TEXT), 'lending', 'selling') AS BLOB);",
    );
    let (code, said) = since(&world, &now);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("FIRST BAD") && said.contains("selling") || said.contains("entry"), "{said}");
    // A checkpoint of somebody else says nothing of this ledger.
    let other = with_people();
    let (code, said) = since(&other, &now);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("ANOTHER KEY"), "{said}");
}

#[test]
fn a_consistent_rewrite_shows_against_an_outside_copy_as_rewritten() {
    let world = with_people();
    let old = checkpoint(&world);
    let forge = crate::support::project().join("tests/support/forge.py");
    let done =
        Command::new("python3").arg(forge).arg(world.ledger()).args(["lending", "selling"]).output().unwrap();
    assert!(done.status.success(), "{}", stderr(&done));
    let (code, said) = since(&world, &old);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("between the checkpoints") && said.contains("REWRITTEN"), "{said}");
}

#[test]
fn both_keys_sign_the_change_and_each_is_good_for_its_span() {
    let world = with_people();
    let before = checkpoint(&world);
    let old_key = std::fs::read(world.path("keys/ledger.key")).unwrap();
    let old = world.desk();
    assert_eq!(world.run(&["ledger", "rotate-key"]).status.code(), Some(0));
    let handed = checkpoint(&world);
    assert_eq!(handed.lines().filter(|l| l.starts_with('\u{2014}')).count(), 2, "{handed}");
    let new = world.desk();
    assert!(old.signer.verifier().open(&handed).is_ok() && new.signer.verifier().open(&handed).is_ok());
    assert_eq!(world.run(&["assess"]).status.code(), Some(0));
    let after = checkpoint(&world);
    assert!(old.signer.verifier().open(&after).is_err() && new.signer.verifier().open(&after).is_ok());
    for note in [&before, &handed, &after] {
        let (code, said) = since(&world, note);
        assert_eq!(code, Some(0), "{said}");
    }
    // The report as of a mail from before the change.
    std::fs::write(world.path("mail.txt"), &before).unwrap();
    let done = world.run(&["report", "--as-of", "mail.txt", "--format", "json", "--out", "then"]);
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    // The first key is the one that was given to the auditor; the ledger leads from it to the one of today.
    let vkey = old.signer.verifier().vkey();
    let new_vkey = new.signer.verifier().vkey();
    for given in [&vkey, &new_vkey] {
        assert_eq!(world.run(&["verify", "--public-key", given]).status.code(), Some(0), "{given}");
    }
    assert_eq!(world.run(&["export", "--out", "b.zip"]).status.code(), Some(0));
    assert_eq!(world.run(&["verify", "--bundle", "b.zip", "--public-key", &new_vkey]).status.code(), Some(0));
    let done = verify_py(&world.path("b.zip"), &["--key", &vkey]);
    assert!(done.status.success(), "{}", stdout(&done));
    assert_eq!(world.run(&["verify", "--bundle", "b.zip", "--public-key", &vkey]).status.code(), Some(0));
    // The old key out of its span: a checkpoint of today that it signed is not believed.
    let checkpoint = Checkpoint::unchecked(&after).unwrap();
    let forged = old.signer.sign(&checkpoint.text());
    let (code, said) = since(&world, &forged);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("ANOTHER KEY"), "{said}");
    let sql = format!("UPDATE checkpoint SET note = '{forged}' WHERE size = {};", checkpoint.size);
    world.sql("var/ledger.db", &sql);
    assert_eq!(world.run(&["verify"]).status.code(), Some(1), "signed by a key whose span is over");
    std::fs::write(world.path("keys/ledger.key"), old_key).unwrap();
    let refused = world.run(&["assess"]);
    assert_eq!(refused.status.code(), Some(1));
}

#[test]
fn a_bundle_of_an_as_of_before_the_change_of_key_holds_too() {
    let world = with_people();
    let size = Checkpoint::unchecked(&checkpoint(&world)).unwrap().size.to_string();
    let vkey = world.desk().signer.verifier().vkey();
    world.run(&["ledger", "rotate-key"]);
    world.run(&["assess"]);
    let done = world.run(&["export", "--as-of", &size, "--out", "b.zip"]);
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    let done = verify_py(&world.path("b.zip"), &["--key", &vkey]);
    assert!(done.status.success(), "{}", stdout(&done));
    assert_eq!(world.run(&["verify", "--bundle", "b.zip", "--public-key", &vkey]).status.code(), Some(0));
}

#[test]
fn a_rotation_that_was_interrupted_is_finished_by_the_same_command() {
    let world = with_people();
    let old_key = std::fs::read(world.path("keys/ledger.key")).unwrap();
    assert_eq!(world.run(&["ledger", "rotate-key"]).status.code(), Some(0));
    let size = sqlite(&world.ledger(), "SELECT count(*) FROM entry");
    // As it stands after a crash between the commit and the renames.
    std::fs::rename(world.path("keys/ledger.key"), world.path("keys/ledger.key.next")).unwrap();
    std::fs::rename(world.path("keys/ledger.vkey"), world.path("keys/ledger.key.vkey")).unwrap();
    std::fs::write(world.path("keys/ledger.key"), old_key).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o640);
    std::fs::set_permissions(world.path("keys/ledger.key"), mode).unwrap();
    let refused = world.run(&["assess"]);
    assert!(stderr(&refused).contains("the signing key is"), "{}", stderr(&refused));
    let done = world.run(&["ledger", "rotate-key"]);
    assert_eq!(done.status.code(), Some(0), "{}{}", stdout(&done), stderr(&done));
    assert_eq!(sqlite(&world.ledger(), "SELECT count(*) FROM entry"), size, "the change was written once");
    assert_eq!(world.run(&["assess"]).status.code(), Some(0));
    assert_eq!(world.run(&["verify"]).status.code(), Some(0));
}

#[test]
fn a_new_ledger_names_the_one_that_it_follows_and_what_was_lost() {
    let world = with_people();
    let young = copy_of(&world);
    world.run(&["assess"]);
    let last = checkpoint(&world);
    let size = Checkpoint::unchecked(&last).unwrap().size;
    let had = Checkpoint::unchecked(&checkpoint(&young)).unwrap().size;
    std::fs::write(young.path("mail.txt"), format!("Good morning\n> {}", last.replace('\n', "\n> ")))
        .unwrap();
    let done = young.run(&[
        "ledger",
        "succeed",
        "--predecessor",
        "mail.txt",
        "--reason",
        "restored from the backup of Friday",
    ]);
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    assert!(stdout(&done).contains(&format!("entries {had} to {} are lost", size - 1)), "{}", stdout(&done));
    assert_eq!(young.run(&["ingest"]).status.code(), Some(0));
    let report = young.run(&["report", "--format", "html,json", "--out", "r"]);
    assert_eq!(report.status.code(), Some(0), "{}", stderr(&report));
    let html = std::fs::read_to_string(young.path("r/report.html")).unwrap();
    assert!(
        html.contains("restored from the backup of Friday") && html.contains("are lost"),
        "the report says so"
    );
    let (code, said) = since(&young, &last);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("the ledger that this one follows"), "{said}");
    let ended = young.path(&format!("var/ledger.ended-{had}.db"));
    let done = young.run(&["verify", "--ledger", ended.to_str().unwrap()]);
    assert_eq!(done.status.code(), Some(0), "the old file stays as evidence: {}", stdout(&done));
    // A ledger that only says that it follows: its key is nobody's that is known.
    let stranger = World::init("");
    let note = STANDARD.encode(&last);
    assert!(!note.is_empty());
    std::fs::write(stranger.path("mail.txt"), &last).unwrap();
    std::fs::copy(world.path("keys/ledger.vkey"), stranger.path("theirs.vkey")).unwrap();
    std::fs::create_dir_all(stranger.path("var")).unwrap();
    std::fs::copy(young.path(&format!("var/ledger.ended-{had}.db")), stranger.path("var/ledger.db")).unwrap();
    let done = stranger.run(&["ledger", "succeed", "--predecessor", "mail.txt", "--reason", "it was so"]);
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    let theirs = std::fs::read_to_string(stranger.path("theirs.vkey")).unwrap();
    let done = stranger.run(&["verify", "--ledger", "var/ledger.db", "--since", "mail.txt"]);
    assert_eq!(done.status.code(), Some(1), "{}", stdout(&done));
    assert!(stdout(&done).contains("NOT PROVED"), "{}", stdout(&done));
    let done = stranger.run(&["verify", "--ledger", "var/ledger.db", "--public-key", theirs.trim()]);
    assert_eq!(done.status.code(), Some(1), "another key than was given: {}", stdout(&done));
    // A lost key: the whole ledger is there, and nobody can write to it any more.
    std::fs::remove_file(world.path("keys/ledger.key")).unwrap();
    std::fs::remove_file(world.path("keys/ledger.vkey")).unwrap();
    assert_eq!(world.run(&["init"]).status.code(), Some(0));
    let refused = world.run(&["ingest"]);
    assert!(stderr(&refused).contains("ledger succeed"), "the remedy is named: {}", stderr(&refused));
    let done =
        world.run(&["ledger", "succeed", "--predecessor", "var/ledger.db", "--reason", "the key was lost"]);
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    assert!(stdout(&done).contains("no entry is lost"));
    assert_eq!(world.run(&["ingest"]).status.code(), Some(0));
    assert_eq!(world.run(&["verify"]).status.code(), Some(0));
}

/// Files of the ledger, the log and the shared memory included, that hold some bytes.
fn files_with(world: &World, text: &str) -> Vec<String> {
    let files = std::fs::read_dir(world.path("var")).unwrap().map(|f| f.unwrap().path());
    let holds = |p: &Path| std::fs::read(p).unwrap().windows(text.len()).any(|w| w == text.as_bytes());
    files.filter(|p| p.is_file() && holds(p)).map(|p| p.display().to_string()).collect()
}

#[test]
fn an_erased_value_is_gone_from_the_disk_and_its_place_is_proved() {
    let world = with_people();
    let person = "grace.hopper@example.com";
    assert!(!files_with(&world, person).is_empty());
    let full = world.run(&["report", "--as-of", "100000", "--format", "html,json,pdf", "--out", "before"]);
    assert_eq!(full.status.code(), Some(0));
    assert_eq!(world.run(&["ledger", "backup", "copy.db"]).status.code(), Some(0));
    assert_eq!(world.run(&["export", "--redact", "--out", "early-redacted.zip"]).status.code(), Some(0));
    assert_eq!(world.run(&["export", "--out", "early.zip"]).status.code(), Some(0));
    let seq = sqlite(&world.ledger(), "SELECT min(seq) FROM opening WHERE value LIKE '%grace%'");
    let shown = stdout(&world.run(&["ledger", "show", seq.trim()]));
    assert!(shown.contains(person), "{shown}");
    let refused = world.run(&["ledger", "erase-private", "--value", person]);
    assert_eq!(refused.status.code(), Some(2), "younger than keep_days, and nobody says why");
    assert!(!files_with(&world, person).is_empty(), "nothing was erased");
    let done = world.run(&["ledger", "erase-private", "--before", "2099-01-01", "--reason", "Art. 17 GDPR"]);
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    assert!(stdout(&done).contains("still in the backup copy.db"), "{}", stdout(&done));
    assert_eq!(stdout(&done).matches("still in the export of").count(), 1, "{}", stdout(&done));
    assert_eq!(files_with(&world, person), Vec::<String>::new());
    let verified = world.run(&["verify"]);
    assert_eq!(verified.status.code(), Some(0), "{}", stdout(&verified));
    let erasing = sqlite(&world.ledger(), "SELECT seq FROM erasure");
    let shown = stdout(&world.run(&["ledger", "show", seq.trim()]));
    assert!(shown.contains(&format!("erased (entry {})", erasing.trim())), "{shown}");
    // No verdict and no count changes.
    let again = world.run(&["report", "--as-of", "5", "--format", "json", "--out", "none"]);
    assert_ne!(again.status.code(), Some(0), "no assessment by then");
    let size = serde_json::from_slice::<serde_json::Value>(
        &std::fs::read(world.path("before/report.json")).unwrap(),
    )
    .unwrap();
    let size = size["as_of"]["size"].to_string();
    world.run(&["report", "--as-of", &size, "--format", "html,json,pdf", "--out", "after"]);
    for file in ["report.html", "report.json", "report.pdf"] {
        let read = |folder: &str| std::fs::read(world.path(folder).join(file)).unwrap();
        assert!(read("before") == read("after"), "{file} changed with the erasure");
    }
    // The copy says what it predates, and is not written over.
    let there = world.run(&["ledger", "backup", "copy.db"]);
    assert_eq!(there.status.code(), Some(2));
    assert!(
        stderr(&there).contains(&format!("predates the erasures of entry {}", erasing.trim())),
        "{}",
        stderr(&there)
    );
    // Redacted and full exports verify to one root, and neither holds the value.
    for (name, more) in [("full.zip", None), ("redacted.zip", Some("--redact"))] {
        let arguments: Vec<&str> =
            ["export", "--as-of", &size, "--out", name].into_iter().chain(more).collect();
        assert_eq!(world.run(&arguments).status.code(), Some(0));
        assert_eq!(world.run(&["verify", "--bundle", name]).status.code(), Some(0));
    }
    let root = |zip: &str| {
        let script = "import sys,zipfile; z=zipfile.ZipFile(sys.argv[1]); print(z.read('checkpoint.txt').decode().split()[2], any(b'grace.hopper' in z.read(n) for n in z.namelist()))";
        stdout(&Command::new("python3").args(["-c", script]).arg(world.path(zip)).output().unwrap())
    };
    assert_eq!(root("full.zip"), root("redacted.zip"));
    assert!(root("full.zip").ends_with("False\n"));
}

#[test]
fn a_value_that_was_erased_cannot_be_put_back() {
    let world = with_people();
    let row = sqlite(
        &world.ledger(),
        "SELECT 'INSERT INTO opening VALUES (' || seq || ',' || quote(commitment) || ',' || quote(salt) || ',' || quote(value) || ');' FROM opening LIMIT 1",
    );
    world.run(&["ledger", "erase-private", "--before", "2099-01-01", "--reason", "asked for"]);
    sqlite(&world.ledger(), &row);
    let done = world.run(&["verify"]);
    assert_eq!(done.status.code(), Some(1));
    assert!(stdout(&done).contains("erased it, and it is here again"), "{}", stdout(&done));
}

#[test]
fn a_year_without_values_loses_its_pseudonym_key() {
    let world = World::init("");
    let mut desk = world.desk();
    let person = |who: &str, at: &str| {
        let payload = serde_json::json!({ "actor": Private::of(who.to_owned()) });
        Evidence::event(Kind::SentinelOverride, "hcp", at.into(), "run".into(), at.parse().unwrap(), &payload)
    };
    for at in ["2026-05-01T00:00:00Z", "2027-05-01T00:00:00Z", "2028-05-01T00:00:00Z"] {
        desk.clock = Clock::at(at.parse().unwrap());
        let mut store = desk.store().unwrap();
        store.append(&desk.writer(), vec![person("ada", at)]).unwrap();
    }
    assert_eq!(sqlite(&world.ledger(), "SELECT group_concat(year) FROM pseudonym").trim(), "2026,2027,2028");
    let mut store = desk.store().unwrap();
    let below = store.reader().first_recorded("2027-12-31T00:00:00Z".parse().unwrap()).unwrap();
    assert_eq!(store.erase(&desk.writer(), below, &[], "kept long enough").unwrap(), 2);
    assert_eq!(sqlite(&world.ledger(), "SELECT group_concat(year) FROM pseudonym").trim(), "2028");
    let done = world.run(&["verify"]);
    assert_eq!(done.status.code(), Some(0), "{}", stdout(&done));
    let named = sqlite(
        &world.ledger(),
        "SELECT CAST(bytes AS TEXT) FROM entry WHERE seq = (SELECT max(seq) FROM erasure)",
    );
    assert!(named.contains("\"years\":[2026,2027]"), "{named}");
}

#[test]
fn a_backup_is_made_while_the_ledger_is_written_to() {
    let world = lived_copy();
    let desk = world.desk();
    let writing = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut store = desk.store().unwrap();
            for i in 0..200 {
                let (key, now) = (format!("busy {i}"), desk.clock.now());
                let payload = serde_json::json!({ "text": "x".repeat(4000) });
                let entry =
                    Evidence::event(Kind::DaemonStarted, "actledger", key, "daemon".into(), now, &payload);
                store.append(&desk.writer(), vec![entry]).unwrap();
            }
            store.reader().size().unwrap()
        });
        let done = world.run(&["ledger", "backup", "copy.db"]);
        assert_eq!(done.status.code(), Some(0), "{}{}", stdout(&done), stderr(&done));
        writer.join().unwrap()
    });
    let copied: u64 = sqlite(&world.path("copy.db"), "SELECT count(*) FROM entry").trim().parse().unwrap();
    assert!(copied <= writing + 1);
    assert_eq!(world.run(&["verify", "--ledger", "copy.db"]).status.code(), Some(0));
    assert!(!world.path("copy.db.part").exists());
    assert_eq!(world.run(&["verify"]).status.code(), Some(0));
    // A ledger that does not verify has no backup that does.
    world.sql("var/ledger.db", "UPDATE entry SET bytes = zeroblob(32) WHERE seq = 3;");
    let done = world.run(&["ledger", "backup", "second.db"]);
    assert_eq!(done.status.code(), Some(1));
    assert!(!world.path("second.db").exists() && !world.path("second.db.part").exists());
}

#[test]
fn tables_of_the_first_version_are_brought_up_to_date_and_keep_every_leaf() {
    let world = World::demo();
    std::fs::create_dir_all(world.path("var")).unwrap();
    for name in ["ledger", "state"] {
        let dump = crate::support::project().join(format!("tests/data/{name}-tables-1.sql.gz"));
        let command = format!(
            "zcat '{}' | sqlite3 '{}'",
            dump.display(),
            world.path(&format!("var/{name}.db")).display()
        );
        assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success());
    }
    let leaves = |world: &World| {
        sqlite(&world.ledger(), "SELECT seq, hex(bytes) FROM entry WHERE seq < 316 ORDER BY seq")
    };
    let before = leaves(&world);
    let note = sqlite(&world.ledger(), "SELECT note FROM checkpoint ORDER BY size DESC LIMIT 1");
    assert_eq!(before.lines().count(), 316);
    let done = world.run(&["verify"]);
    assert!(stderr(&done).contains("written by an earlier version"), "{}", stderr(&done));
    let info = world.run(&["ledger", "info"]);
    assert!(stdout(&info).contains("source ml-core      2026"), "{}", stdout(&info));
    assert!(before == leaves(&world), "a leaf changed");
    let done = world.run(&["verify"]);
    assert_eq!(done.status.code(), Some(0), "{}", stdout(&done));
    assert!(stdout(&done).contains("9 erased"), "{}", stdout(&done));
    // It goes on in the format of today: the looks after it are read, and the old checkpoint stays a prefix.
    let done = world.run(&["ingest"]);
    assert_eq!(done.status.code(), Some(0), "{}{}", stdout(&done), stderr(&done));
    let (code, said) = since(&world, &note);
    assert_eq!(code, Some(0), "{said}");
    assert!(before == leaves(&world), "a leaf changed");
    let desk = world.desk();
    jobs::assess(&desk, &mut desk.store().unwrap(), true).unwrap();
}

#[test]
fn a_clock_behind_the_ledger_is_refused_with_the_remedy() {
    let world = with_people();
    let mut desk = world.desk();
    desk.clock = Clock::at(desk.clock.now().plus_seconds(-200));
    let size = sqlite(&world.ledger(), "SELECT count(*) FROM entry");
    let error = jobs::assess(&desk, &mut desk.store().unwrap(), true).unwrap_err().to_string();
    assert!(error.contains("set the clock; nothing was written"), "{error}");
    assert_eq!(sqlite(&world.ledger(), "SELECT count(*) FROM entry"), size);
    desk.clock = Clock::at(desk.clock.now().plus_seconds(150));
    jobs::assess(&desk, &mut desk.store().unwrap(), true).unwrap();
}
