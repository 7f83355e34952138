//! Everything that can be changed, changed: each table and column of both databases, each file of the bundle; and what
//! verification says of it.

use crate::support::{World, lived_copy, project, sqlite, stderr, stdout};
use actledger::export::bundle;
use actledger::jobs;
use actledger::ledger::Verification;
use actledger::store::{Access, Fold, Pass, Reader, Store};
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

/// Changes one thing and expects verify to name the place.
fn changed(statements: &str, place: &str) {
    let world = lived_copy();
    world.sql("var/ledger.db", statements);
    let done = world.run(&["verify"]);
    let said = stdout(&done);
    assert_eq!(done.status.code(), Some(1), "{statements}:\n{said}");
    assert!(
        said.contains("FIRST BAD") && said.contains(place),
        "{statements}: {place} is not named in\n{said}"
    );
    refuses_to_speak(&world);
}

fn refuses_to_speak(world: &World) {
    let before = sqlite(&world.ledger(), "SELECT count(*) FROM entry");
    for command in [&["report"][..], &["assess"], &["export", "--out", "b.zip"]] {
        let done = world.run(command);
        assert_eq!(done.status.code(), Some(1), "{command:?}: {}", stdout(&done));
    }
    assert!(!world.path("report.html").exists() && !world.path("b.zip").exists());
    assert_eq!(sqlite(&world.ledger(), "SELECT count(*) FROM entry"), before, "something was appended");
}

#[test]
fn an_untouched_ledger_is_intact() {
    let world = lived_copy();
    let done = world.run(&["verify"]);
    assert_eq!(done.status.code(), Some(0), "{}", stdout(&done));
    assert!(stdout(&done).contains("Intact."));
}

#[test]
fn a_byte_of_an_entry() {
    let change = |to: &str, which: &str| {
        format!(
            "UPDATE entry SET bytes = CAST(replace(CAST(bytes AS TEXT), ':true', ':{to}') AS BLOB)
             WHERE seq = (SELECT {which}(seq) FROM entry WHERE CAST(bytes AS TEXT) LIKE '%:true%');"
        )
    };
    changed(&change("tru3", "max"), "is no entry in canonical form");
    // In good form: a full tile tells which one it is; behind the last one, the checkpoints tell where.
    changed(&change("null", "min"), "tile 0/0 was made from other bytes than are stored now");
    changed(&change("null", "max"), "the change lies between the checkpoints of size");
}

#[test]
fn a_checkpoint() {
    changed(
        "UPDATE checkpoint SET note = substr(note, 1, length(note) - 6)
            || CASE substr(note, length(note) - 5, 1) WHEN 'x' THEN 'y' ELSE 'x' END || substr(note, length(note) - 4)
         WHERE size = (SELECT size FROM checkpoint ORDER BY size LIMIT 1 OFFSET 9);",
        "checkpoint of size",
    );
}

#[test]
fn a_cut_tail() {
    changed("DELETE FROM entry WHERE seq = (SELECT max(seq) FROM entry);", "was signed");
}

#[test]
fn a_tail_cut_at_a_checkpoint_shows_against_a_mail() {
    let world = lived_copy();
    let size: u64 =
        sqlite(&world.ledger(), "SELECT size FROM checkpoint ORDER BY size DESC LIMIT 1 OFFSET 20")
            .trim()
            .parse()
            .unwrap();
    world.sql(
        "var/ledger.db",
        &format!(
            "DELETE FROM entry WHERE seq >= {size}; DELETE FROM checkpoint WHERE size > {size};
             DELETE FROM opening WHERE seq >= {size};"
        ),
    );
    // Inside, everything may fit; the mail of the last night says more entries than there are.
    let mut mails: Vec<_> =
        std::fs::read_dir(world.path("var/mail")).unwrap().map(|f| f.unwrap().path()).collect();
    mails.sort();
    let decoded = mails.last().unwrap();
    let done = world.run(&["verify", "--since", decoded.to_str().unwrap()]);
    assert_eq!(done.status.code(), Some(1), "{}", stdout(&done));
    let untouched = lived_copy();
    let done = untouched.run(&["verify", "--since", decoded.to_str().unwrap()]);
    assert_eq!(done.status.code(), Some(0), "{}", stdout(&done));
    assert!(stdout(&done).contains("unchanged"));
}

#[test]
fn any_row_of_state_is_noticed_by_the_next_assessment() {
    for change in [
        "UPDATE seen SET seq = seq + 1 WHERE event = (SELECT max(event) FROM seen);",
        "DELETE FROM latest WHERE subject = (SELECT min(subject) FROM latest);",
        "UPDATE cursor SET look = '20990101T000000Z' WHERE source = (SELECT min(source) FROM cursor);",
        "UPDATE finding SET status = 'satisfied' WHERE number = 1;",
    ] {
        let world = lived_copy();
        world.sql("var/state.db", change);
        let done = world.run(&["assess"]);
        assert_eq!(done.status.code(), Some(1), "{change}: {}", stdout(&done));
        assert!(stdout(&done).contains("state.db was changed by somebody else"), "{}", stdout(&done));
        assert_eq!(world.run(&["assess"]).status.code(), Some(0), "it was not built anew after {change}");
    }
}

#[test]
fn nothing_is_signed_on_top_of_a_forged_record() {
    // Somebody without the key takes the checkpoints away and hopes that the next pass signs what is left.
    for forgery in [
        "DELETE FROM checkpoint;",
        "DELETE FROM checkpoint WHERE size > 100;",
        "DELETE FROM entry WHERE seq >= 300; DELETE FROM opening WHERE seq >= 300;",
    ] {
        let world = lived_copy();
        world.sql("var/ledger.db", forgery);
        let before = sqlite(&world.ledger(), "SELECT count(*) FROM entry");
        let desk = world.desk();
        let mut store = desk.store().unwrap();
        let now = desk.clock.now();
        let kind = actledger::evidence::Kind::DaemonStarted;
        let payload = serde_json::json!({});
        let entry =
            actledger::evidence::Evidence::event(kind, "actledger", "x".into(), "x".into(), now, &payload);
        assert!(store.append(&desk.writer(), vec![entry]).is_err(), "signed over: {forgery}");
        assert_eq!(sqlite(&world.ledger(), "SELECT count(*) FROM entry"), before);
        assert_eq!(world.run(&["ingest"]).status.code(), Some(1), "{forgery}");
    }
}

#[test]
fn a_ledger_under_another_key_is_not_ours() {
    let world = lived_copy();
    let text = std::fs::read_to_string(world.config()).unwrap();
    std::fs::write(world.config(), text.replace("seed = 2026", "seed = 2027")).unwrap();
    let done = world.run(&["report", "--as-of", "100000"]);
    assert_eq!(done.status.code(), Some(1), "{}", stdout(&done));
    assert!(!world.path("report.html").exists());
}

#[test]
fn state_of_a_newer_ledger_is_evidence_of_a_rollback() {
    let world = lived_copy();
    let whole = sqlite(&world.path("var/state.db"), "SELECT upto FROM folded");
    std::fs::remove_file(world.ledger()).unwrap();
    for ending in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(world.path(&format!("var/ledger.db{ending}")));
    }
    // What state.db knows is evidence: no new ledger begins silently beside it.
    let refused = world.run(&["ingest"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("the ledger is missing"), "{}", stderr(&refused));
    std::fs::remove_file(world.path("var/state.db")).unwrap();
    assert_eq!(world.run(&["ingest"]).status.code(), Some(0));
    let now = sqlite(&world.path("var/state.db"), "SELECT upto FROM folded");
    assert!(now.trim().parse::<u64>().unwrap() < whole.trim().parse::<u64>().unwrap());
    assert_eq!(
        sqlite(&world.ledger(), "SELECT count(*) > 400 FROM entry").trim(),
        "1",
        "old looks were taken for read"
    );
}

/// A world whose every table has rows: assessed, with values erased, with a token.
fn furnished() -> World {
    let world = World::short_demo();
    // Objects with so many interfaces that their sums are kept as blobs.
    let mut looks: Vec<_> =
        std::fs::read_dir(world.path("looks/flow-logs")).unwrap().map(|f| f.unwrap().file_name()).collect();
    looks.sort();
    let look = world.path("looks/flow-logs").join(looks[3].to_str().unwrap().replace("00Z", "01Z"));
    std::fs::create_dir(&look).unwrap();
    for n in 0..3 {
        let line = |i: usize| {
            format!(
                "2 123456789012 eni-{n}{i:04} 10.0.0.1 10.0.0.2 1 2 6 1 40 1790000000 1790000060 ACCEPT OK\n"
            )
        };
        std::fs::write(look.join(format!("{n}.log")), (0..1_000).map(line).collect::<String>()).unwrap();
    }
    for arguments in [&["ingest"][..], &["assess"], &["token", "add", "ada"], &["token", "add", "bob"]] {
        let done = world.run(arguments);
        assert_eq!(done.status.code(), Some(0), "{arguments:?}: {}", stderr(&done));
    }
    let values =
        sqlite(&world.ledger(), "SELECT DISTINCT value FROM opening WHERE length(value) < 40 ORDER BY 1");
    for value in values.lines().take(2) {
        let done = world.run(&["ledger", "erase-private", "--value", value, "--reason", "asked for"]);
        assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    }
    world
}

/// What `tamper.py` made: number, and the words that say what was changed.
fn tampered(what: &str, source: &Path, folder: &Path) -> Vec<(String, Vec<String>)> {
    std::fs::create_dir_all(folder).unwrap();
    let script = project().join("tests/support/tamper.py");
    let done = Command::new("python3").arg(script).arg(what).arg(source).arg(folder).output().unwrap();
    assert!(done.status.success(), "{}", stderr(&done));
    let words = |line: &str| line.split('\t').map(str::to_owned).collect::<Vec<_>>();
    stdout(&done).lines().map(|l| (words(l)[0].clone(), words(l)[1..].to_vec())).collect()
}

/// What must be named when a table of the ledger is changed; a table without a case fails the test.
fn place_of(table: &str) -> &'static [&'static str] {
    match table {
        "entry" => &["entry ", "checkpoint of size", "an erasure"],
        "tile" => &["tile"],
        "checkpoint" => &["checkpoint of size", "an entry from", "entry "],
        "opening" => &["private value of entry"],
        "blob" => &["blob"],
        "erasure" => &["erasure", "entry ", "private value of entry"],
        "pseudonym" => &["pseudonym key", "private value of entry", "entry "],
        other => panic!("the table {other} has no case here: say what a change of it must name"),
    }
}

/// What must come of a change of the derived tables: they are built anew, or the row is not believed.
fn state_case(table: &str) -> &'static str {
    match table {
        "folded" => "folded anew from the entries",
        "seen" | "own" | "latest" | "cursor" | "delivered" | "finding" => {
            "named by the next assessment, and built anew"
        }
        "pass" => "not accepted by the pages",
        other => panic!("the table {other} has no case here: say what becomes of a change of it"),
    }
}

/// Changes that fit each other, as somebody makes them who has no key: entry and tile anew; the end cut off at a
/// checkpoint, whatever stands on it with it.
fn consistent_rows(world: &World, table: &mut String) {
    let copy = crate::support::copy_of(world);
    let forge = project().join("tests/support/forge.py");
    let done = Command::new("python3").arg(forge).arg(copy.ledger()).args(["deny", "warn"]).output().unwrap();
    assert!(done.status.success(), "{}", stderr(&done));
    let result = Reader::open(&copy.ledger()).unwrap().verify(None, Fold::Nothing, |_| {}).unwrap();
    let Verification::Broken(b) = result else { panic!("a consistent rewrite passes") };
    assert!(b.between.is_some(), "{b:?}");
    let _ = writeln!(
        table,
        "| ledger.db | entry, tile | bytes, root, hashes | rewritten to fit each other | {}: {} |",
        b.first_bad, b.what
    );
    let said = "nothing, and `verify` says so; against an outside copy ROLLED BACK";
    let _ = writeln!(table, "| ledger.db | all | rows | cut off exactly at a checkpoint | {said} |");
}

fn ledger_rows(world: &World, table: &mut String) {
    for (number, what) in tampered("tables", &world.ledger(), &world.path("ledger-tampered")) {
        let file = world.path("ledger-tampered").join(format!("{number}.db"));
        let result = Reader::open(&file).and_then(|r| r.verify(None, Fold::Nothing, |_| {}));
        let Ok(Verification::Broken(b)) = result else { panic!("{what:?}: not noticed, {result:?}") };
        assert!(
            place_of(&what[0]).iter().any(|p| b.first_bad.contains(p)),
            "{what:?}: {} {}",
            b.first_bad,
            b.what
        );
        let place = b.first_bad.split(',').next().unwrap_or_default();
        let place = place.split(':').next().unwrap_or_default();
        let _ = writeln!(
            table,
            "| ledger.db | {} | {} | {} | {place}: {} |",
            what[0],
            what[1],
            what[2],
            generic(&b.what)
        );
    }
}

/// A reason without the names of this demo.
fn generic(what: &str) -> String {
    what.split_whitespace().map(|w| if w.len() > 60 { "…" } else { w }).collect::<Vec<_>>().join(" ")
}

fn state_rows(world: &World, table: &mut String) {
    let whole = sqlite(&world.path("var/state.db"), "SELECT count(*) FROM seen");
    for (number, what) in tampered("tables", &world.path("var/state.db"), &world.path("state-tampered")) {
        let case = state_case(&what[0]);
        std::fs::copy(world.path("state-tampered").join(format!("{number}.db")), world.path("var/state.db"))
            .unwrap();
        let store = Store::open(&world.ledger()).unwrap();
        match what[0].as_str() {
            "pass" => {
                let desk = world.desk();
                let ours = |p: &&Pass| actledger::web::is_ours(desk.signer.secret(), p);
                let rows = Access::open(&world.ledger()).unwrap().tokens().unwrap();
                let believed = rows.iter().filter(ours).count();
                assert!(
                    believed <= 2 && (rows.len() > 2 || believed < 2),
                    "{what:?}: a changed token is believed"
                );
            }
            "folded" => {
                store.rebuild_state().unwrap();
            }
            _ => {
                let named = store.rebuild_state().unwrap();
                assert!(
                    named.iter().any(|n| n.contains(&format!("table {}", what[0]))),
                    "{what:?}: {named:?}"
                );
            }
        }
        drop(store);
        assert_eq!(sqlite(&world.path("var/state.db"), "SELECT count(*) FROM seen"), whole, "{what:?}");
        let _ = writeln!(table, "| state.db | {} | {} | {} | {case} |", what[0], what[1], what[2]);
    }
}

fn bundle_rows(world: &World, table: &mut String) {
    let done = world.run(&["export", "--out", "b.zip"]);
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    let folder = world.path("bundle-tampered");
    let made = tampered("files", &world.path("b.zip"), &folder);
    // The other verifier, as a module, so that one Python reads them all.
    let script = "import importlib.util, sys\nspec = importlib.util.spec_from_file_location('verify', sys.argv[1])\nv = importlib.util.module_from_spec(spec)\nspec.loader.exec_module(v)\nfor line in sys.stdin:\n    sys.argv = ['verify.py', line.strip()]\n    v.main()\n";
    let list = folder.join("list");
    let paths: String =
        made.iter().map(|(n, _)| format!("{}\n", folder.join(format!("{n}.zip")).display())).collect();
    std::fs::write(&list, paths).unwrap();
    let verifier = project().join("src/export/bundle/verify.py");
    let input = std::fs::File::open(&list).unwrap();
    let done = Command::new("python3").args(["-c", script]).arg(verifier).stdin(input).output().unwrap();
    let said: Vec<String> = stdout(&done).lines().map(str::to_owned).collect();
    assert_eq!(said.len(), made.len(), "{}", stderr(&done));
    for ((number, what), said) in made.iter().zip(&said) {
        assert!(said.starts_with("DOES NOT HOLD"), "verify.py, {what:?}: {said}");
        let bytes = std::fs::read(folder.join(format!("{number}.zip"))).unwrap();
        let ours = bundle::check(&bytes, None).expect_err(&format!("{what:?}"));
        if !what[0].starts_with("blobs/") {
            let _ = writeln!(
                table,
                "| bundle | {} | file | {} | {} |",
                what[0],
                what[1],
                generic(&ours.to_string())
            );
        }
    }
}

#[test]
fn every_change_of_every_table_column_and_file_is_noticed() {
    let world = furnished();
    let mut table = String::new();
    bundle_rows(&world, &mut table);
    let bundle = std::mem::take(&mut table);
    ledger_rows(&world, &mut table);
    consistent_rows(&world, &mut table);
    state_rows(&world, &mut table);
    table += &bundle;
    let rows = table.lines().count();
    println!("{table}{rows} changes, all noticed");
    assert!(rows > 150, "{rows}");
    let doc = project().join("docs/ledger-format.md");
    let text = std::fs::read_to_string(&doc).unwrap();
    let (before, rest) = text.split_once("<!-- tamper table -->\n").unwrap();
    let (old, after) = rest.split_once("<!-- end of tamper table -->").unwrap();
    let head =
        "| where | table or file | column | change | what is said |\n| --- | --- | --- | --- | --- |\n";
    let new = format!("{head}{table}");
    if std::env::var("ACTLEDGER_SPECIMEN").is_ok_and(|v| v == "write") {
        std::fs::write(
            &doc,
            format!("{before}<!-- tamper table -->\n{new}<!-- end of tamper table -->{after}"),
        )
        .unwrap();
        return;
    }
    assert!(old == new, "docs/ledger-format.md does not hold this table: make specimen");
}

#[test]
fn a_cut_exactly_at_a_checkpoint_is_seen_from_outside_only_and_verify_says_so() {
    let world = World::short_demo();
    for arguments in [["ingest"], ["assess"]] {
        assert_eq!(world.run(&arguments).status.code(), Some(0));
    }
    let last = stdout(&world.run(&["ledger", "checkpoint"]));
    let size = sqlite(&world.ledger(), "SELECT size FROM checkpoint ORDER BY size DESC LIMIT 1 OFFSET 2");
    let size = size.trim();
    world.sql(
        "var/ledger.db",
        &format!(
            "DELETE FROM entry WHERE seq >= {size}; DELETE FROM checkpoint WHERE size > {size}; DELETE FROM opening WHERE seq >= {size};
             DELETE FROM blob WHERE seq >= {size}; DELETE FROM tile WHERE (idx + 1) * 256 > {size};"
        ),
    );
    let done = world.run(&["verify"]);
    assert_eq!(done.status.code(), Some(0), "{}", stdout(&done));
    assert!(
        stdout(&done).contains("without one, a cut exactly at a checkpoint does not show"),
        "{}",
        stdout(&done)
    );
    std::fs::write(world.path("mail.txt"), last).unwrap();
    let done = world.run(&["verify", "--since", "mail.txt"]);
    assert_eq!(done.status.code(), Some(1));
    assert!(stdout(&done).contains("ROLLED BACK"), "{}", stdout(&done));
    let desk = world.desk();
    assert!(
        jobs::resolve(
            &desk,
            &desk.store().unwrap(),
            &jobs::AsOf::Checkpoint(std::fs::read_to_string(world.path("mail.txt")).unwrap())
        )
        .is_err()
    );
}

/// Somebody without the key forges rows that end in a change of key to the key that is in force: nothing is signed over
/// them.
#[test]
fn a_forged_change_of_key_to_the_same_key_is_not_signed_over() {
    let world = World::short_demo();
    for arguments in [["ingest"], ["assess"]] {
        assert_eq!(world.run(&arguments).status.code(), Some(0));
    }
    let vkey = world.desk().signer.verifier().vkey();
    let forge = r#"
import hashlib, base64, json, sqlite3, sys
db = sqlite3.connect(sys.argv[1])
size = db.execute("SELECT max(seq) + 1 FROM entry").fetchone()[0]
leaves = [hashlib.sha256(b"\0" + b).digest() for (b,) in db.execute("SELECT bytes FROM entry ORDER BY seq")]
at = "2036-01-01T00:00:00.000Z"
def add(kind, payload):
    e = {"key": kind, "kind": kind, "occurred_at": at, "payload": payload, "recorded_at": at, "source": "actledger", "subject": "x", "v": 1}
    data = json.dumps(e, separators=(",", ":"), sort_keys=True).encode()
    leaf = hashlib.sha256(b"\0" + data).digest()
    db.execute("INSERT INTO entry VALUES (?,?)", (len(leaves), data)); leaves.append(leaf)
add("register.system", {"id": "forged"})
add("ledger.key", {"public_key": sys.argv[2]})
def root(h):
    if len(h) == 1: return h[0]
    k = 1
    while k * 2 < len(h): k *= 2
    return hashlib.sha256(b"\1" + root(h[:k]) + root(h[k:])).digest()
origin = sys.argv[2].split("+")[0]
raw = bytes.fromhex(sys.argv[2].split("+")[1]) + bytes(64)
note = f"{origin}\n{len(leaves)}\n{base64.b64encode(root(leaves)).decode()}\n\n\u2014 {origin} {base64.b64encode(raw).decode()}\n"
db.execute("INSERT INTO checkpoint VALUES (?,?)", (len(leaves), note)); db.commit()
"#;
    let done = Command::new("python3").args(["-c", forge]).arg(world.ledger()).arg(&vkey).output().unwrap();
    assert!(done.status.success(), "{}", stderr(&done));
    for command in [
        &["ledger", "erase-private", "--before", "2099-01-01", "--reason", "x"][..],
        &["assess"],
        &["ingest"],
    ] {
        let done = world.run(command);
        assert_eq!(
            done.status.code(),
            Some(1),
            "{command:?} signed over it: {}{}",
            stdout(&done),
            stderr(&done)
        );
    }
    let genuine = sqlite(&world.ledger(), "SELECT count(*) FROM checkpoint");
    assert_eq!(world.run(&["verify"]).status.code(), Some(1));
    assert_eq!(sqlite(&world.ledger(), "SELECT count(*) FROM checkpoint"), genuine);
}

#[test]
fn a_trigger_that_keeps_what_is_erased_is_named() {
    let world = World::short_demo();
    assert_eq!(world.run(&["ingest"]).status.code(), Some(0));
    sqlite(&world.ledger(), "CREATE TRIGGER quiet BEFORE DELETE ON opening BEGIN SELECT RAISE(IGNORE); END");
    let done = world.run(&["verify"]);
    assert_eq!(done.status.code(), Some(1));
    assert!(stdout(&done).contains("the table or trigger quiet"), "{}", stdout(&done));
}
