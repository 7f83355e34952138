//! Mail over a real SMTP server with STARTTLS, and a server that is not there.

use crate::support::{Server, World, lived_copy, stderr, stdout};
use std::process::Command;

/// The lived demo with its last mail still waiting, as an estate that is no demonstration and mails over SMTP.
fn over_smtp(port: u16, world: &World) {
    let text = std::fs::read_to_string(world.config()).unwrap();
    let text = text.replace(
        "url = \"folder:var/mail\"",
        &format!("url = \"smtp://localhost:{port}\"\nca_file = \"ca.pem\""),
    );
    let (before, _) = text.split_once("# Fixed clock").unwrap();
    let key = Command::new("openssl").args(["genpkey", "-algorithm", "ed25519"]).output().unwrap();
    std::fs::create_dir_all(world.path("keys")).unwrap();
    std::fs::write(world.path("keys/ledger.key"), key.stdout).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(world.path("keys/ledger.key"), mode).unwrap();
    std::fs::write(world.config(), before).unwrap();
}

#[test]
fn a_test_mail_goes_over_starttls_to_a_real_server() {
    let world = lived_copy();
    let server = Server::start("smtp_server.py", world.dir.path());
    over_smtp(server.port, &world);
    let done = world.run(&["mail", "test"]);
    assert_eq!(done.status.code(), Some(0), "{}{}", stdout(&done), stderr(&done));
    let mail = std::fs::read_to_string(world.path("received-0.eml")).unwrap();
    assert!(mail.contains("Auto-Submitted: auto-generated") && mail.contains("This is a test"), "{mail}");
    assert!(!stdout(&done).contains("ai-compliance@"), "recipients are masked: {}", stdout(&done));
}

#[test]
fn a_mail_that_cannot_go_out_stays_queued_and_goes_out_later_with_the_same_id() {
    let world = lived_copy();
    std::fs::remove_dir_all(world.path("var")).unwrap();
    let server = Server::start("smtp_server.py", world.dir.path());
    over_smtp(1, &world);
    // A night whose mail server is down.
    let desk = world.desk();
    let mut store = desk.store().unwrap();
    actledger::jobs::nightly(&desk, &mut store, &|_, _, _| {}).unwrap();
    drop(store);
    let done = world.run(&["mail", "send"]);
    assert_eq!(done.status.code(), Some(1), "{}", stdout(&done));
    assert!(stdout(&done).contains("1 stay queued"), "{}", stdout(&done));
    let text = std::fs::read_to_string(world.config())
        .unwrap()
        .replace("localhost:1\"", &format!("localhost:{}\"", server.port));
    std::fs::write(world.config(), text).unwrap();
    let done = world.run(&["mail", "send"]);
    assert_eq!(done.status.code(), Some(0), "{}{}", stdout(&done), stderr(&done));
    let mail = std::fs::read_to_string(world.path("received-0.eml")).unwrap();
    assert!(mail.contains("Message-ID: <actledger-") && mail.contains("report.pdf"));
    let done = world.run(&["mail", "send"]);
    assert!(stdout(&done).contains("0 sent"), "it goes out once: {}", stdout(&done));
    assert_eq!(world.run(&["verify"]).status.code(), Some(0));
}
