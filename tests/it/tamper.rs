//! One byte of anything changed with the sqlite3 shell, and what `verify` says of it.

use crate::support::{World, lived_copy, sqlite, stdout};

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
    changed(
        "UPDATE entry SET bytes = CAST(replace(CAST(bytes AS TEXT), 'true', 'tru3') AS BLOB) WHERE seq = (SELECT max(seq) FROM entry WHERE CAST(bytes AS TEXT) LIKE '%:true%');",
        "the stored leaf was made from other bytes",
    );
}

#[test]
fn a_leaf_of_an_entry() {
    changed("UPDATE entry SET leaf = zeroblob(32) WHERE seq = 17;", "entry 17");
}

#[test]
fn an_entry_and_its_leaf_together() {
    // Both fit each other and are canonical: only the signed roots tell.
    let world = lived_copy();
    let forge = crate::support::project().join("tests/support/forge.py");
    let arguments = ["hard-mandatory", "soft-mandatory"];
    let done = std::process::Command::new("python3")
        .arg(forge)
        .arg(world.ledger())
        .args(arguments)
        .output()
        .unwrap();
    assert!(done.status.success());
    let done = world.run(&["verify"]);
    assert_eq!(done.status.code(), Some(1));
    assert!(stdout(&done).contains("the change lies between the checkpoints"), "{}", stdout(&done));
}

#[test]
fn a_missing_entry() {
    changed("DELETE FROM entry WHERE seq = 40;", "entry 40");
}

#[test]
fn a_tile() {
    changed("UPDATE tile SET hashes = zeroblob(8192) WHERE level = 0 AND idx = 1;", "tile 0/1");
}

#[test]
fn a_missing_tile() {
    changed("DELETE FROM tile WHERE idx = 0;", "tile");
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
fn a_blob() {
    changed(
        "UPDATE blob SET bytes = CAST(substr(bytes, 1, length(bytes) - 1) || 'x' AS BLOB) WHERE rowid = 1;",
        "blob sha256:",
    );
}

#[test]
fn a_missing_blob() {
    changed("DELETE FROM blob WHERE rowid = 1;", "blob sha256:");
}

#[test]
fn an_opening() {
    changed(
        "UPDATE opening SET value = value || 'x' WHERE seq = (SELECT min(seq) FROM opening);",
        "private value of entry",
    );
}

#[test]
fn a_missing_opening() {
    changed("DELETE FROM opening WHERE seq = (SELECT max(seq) FROM opening);", "private value of entry");
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
        "UPDATE seen SET seq = seq + 1 WHERE key = (SELECT max(key) FROM seen);",
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
fn state_of_a_newer_ledger_is_built_anew() {
    let world = lived_copy();
    let whole = sqlite(&world.path("var/state.db"), "SELECT upto FROM folded");
    std::fs::remove_file(world.ledger()).unwrap();
    for ending in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(world.path(&format!("var/ledger.db{ending}")));
    }
    assert_eq!(world.run(&["ingest"]).status.code(), Some(0));
    let now = sqlite(&world.path("var/state.db"), "SELECT upto FROM folded");
    assert!(now.trim().parse::<u64>().unwrap() < whole.trim().parse::<u64>().unwrap());
    assert_eq!(
        sqlite(&world.ledger(), "SELECT count(*) > 400 FROM entry").trim(),
        "1",
        "old looks were taken for read"
    );
}
