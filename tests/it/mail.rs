//! Mail over a real SMTP server with STARTTLS, and a server that is not there.

use crate::support::{Server, World, lived, lived_copy, stderr, stdout};
use actledger::evidence::Kind;
use actledger::evidence::record::Mail;
use actledger::jobs::{AsOf, Trouble};
use actledger::report::Scope;
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
    assert!(stdout(&done).contains("1 not"), "{}", stdout(&done));
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

/// The last mail of a folder, by name.
fn last_mail(folder: &std::path::Path) -> (usize, String) {
    let mut mails: Vec<_> =
        std::fs::read_dir(folder).into_iter().flatten().map(|f| f.unwrap().path()).collect();
    mails.sort();
    (mails.len(), mails.last().map(|mail| std::fs::read_to_string(mail).unwrap()).unwrap_or_default())
}

#[test]
fn a_team_without_systems_gets_a_mail_that_says_so_and_nothing_of_others() {
    let world = lived();
    let desk = world.desk();
    let store = desk.store().unwrap();
    let as_of = actledger::jobs::resolve(&desk, &store, &AsOf::Latest).unwrap();
    let judged = actledger::jobs::Judged::of(&desk, &store, as_of).unwrap();
    let whole = judged.report(&store, &Scope::default()).unwrap();
    let mut list = desk.config.mail[0].clone();
    let at = whole.as_of.at;
    let message_id = "m@example.com".into();
    let (recipient, to, team, attempts) = (None, None, None, None);
    let mail = Mail {
        message_id,
        list: 0,
        recipient,
        to,
        team,
        checkpoint: false,
        as_of,
        at,
        sha256: None,
        attempts,
    };
    list.attach = vec!["json".into()];
    for (team, is_known) in [("nobody".to_owned(), false), (whole.systems[0].team.clone(), true)] {
        list.team = Some(team.clone());
        let letter = actledger::jobs::compose(&desk, &store, &judged, &mail, &list).unwrap();
        let json = String::from_utf8(letter.attachments[0].bytes.clone()).unwrap();
        let report: serde_json::Value = serde_json::from_str(&json).unwrap();
        let told = |id: &str| {
            let wanted = report["wanted"].as_array().unwrap().iter();
            let systems = report["systems"].as_array().unwrap();
            systems.iter().any(|s| s["id"] == id)
                || wanted.flat_map(|w| w["systems"].as_array()).flatten().any(|s| s == id)
        };
        let others = whole.systems.iter().filter(|s| s.team != team);
        assert!(others.clone().count() > 3 && !others.map(|s| s.id.as_str()).any(told), "{team}");
        assert_eq!(told(&whole.systems[0].id), is_known);
        let named = if is_known { &whole.systems[0].id } else { "no system of it is known" };
        assert!(letter.text.contains(&format!("Only team {team}: {named}")), "{}", letter.text);
    }
}

#[test]
fn a_report_and_its_mails_are_one_commit() {
    let desk = lived().desk();
    let store = desk.store().unwrap();
    let (mut kinds, reader) = (Vec::new(), store.reader());
    let kept = reader.each(0, reader.size().unwrap(), |p| {
        kinds.push(p.entry.kind);
        Ok(())
    });
    kept.unwrap();
    let issued: Vec<usize> = (0..kinds.len()).filter(|i| kinds[*i] == Kind::ReportIssued).collect();
    assert!(issued.len() >= 30 && issued.iter().all(|i| kinds[i + 1] == Kind::MailQueued));
    // Nothing is signed between the two.
    let signed = crate::support::sqlite(&lived().ledger(), "SELECT size FROM checkpoint");
    let signed: Vec<usize> = signed.lines().map(|n| n.parse().unwrap()).collect();
    assert!(
        issued.iter().all(|i| !signed.contains(&(i + 1)) && signed.contains(&(i + 2))),
        "{issued:?} {signed:?}"
    );
}

#[test]
fn a_night_without_a_report_is_told_once_and_each_night_anew() {
    let world = lived_copy();
    let (desk, folder) = (world.desk(), world.path("var/mail"));
    let at = |t: &str| desk.clock.set(t.parse().unwrap());
    let (before, _) = last_mail(&folder);
    at("2026-11-23T04:31:00Z");
    let why = "the disk is full";
    assert!(actledger::jobs::tell(&desk, Trouble::Failed(why)).unwrap());
    at("2026-11-23T23:00:00Z");
    assert!(!actledger::jobs::tell(&desk, Trouble::Failed(why)).unwrap(), "not twice for one night");
    let (n, mail) = last_mail(&folder);
    assert_eq!(n, before + 1);
    assert!(
        mail.contains("NO REPORT COULD BE MADE") && mail.contains(why) && mail.contains("Auto-Submitted"),
        "{mail}"
    );
    // The next process knows of it, and the next night is told anew.
    let desk = world.desk();
    desk.clock.set("2026-11-24T04:31:00Z".parse().unwrap());
    assert!(actledger::jobs::tell(&desk, Trouble::Failed(why)).unwrap());
    // One that does not go out is due again.
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::write(&folder, "").unwrap();
    desk.clock.set("2026-11-25T04:31:00Z".parse().unwrap());
    assert!(actledger::jobs::tell(&desk, Trouble::Failed(why)).is_err());
    std::fs::remove_file(&folder).unwrap();
    assert!(actledger::jobs::tell(&desk, Trouble::Failed(why)).unwrap());
}

#[test]
fn a_daemon_that_starts_over_a_changed_record_says_so_by_mail_once() {
    let world = World { dir: tempfile::tempdir().unwrap() };
    assert!(world.run(&["init"]).status.success());
    let text = std::fs::read_to_string(world.config()).unwrap();
    let (before, _) = text.split_once("[web]").unwrap();
    let mail = "[smtp]\nurl = 'folder:mail'\nfrom = 'a@example.com'\n[[mail]]\nto = ['b@example.com']";
    std::fs::write(world.config(), format!("{before}[web]\nlisten = '127.0.0.1:0'\n{mail}\n")).unwrap();
    assert!(world.run(&["assess"]).status.success());
    world.sql("var/ledger.db", "UPDATE entry SET bytes = CAST(replace(CAST(bytes AS TEXT), 'actledger', 'actledgex') AS BLOB) WHERE seq = (SELECT max(seq) FROM entry);");
    let mut daemon = crate::support::actledger(&world.config()).arg("serve").spawn().unwrap();
    let told = (0..300).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        last_mail(&world.path("mail")).0 > 0
    });
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    assert!(told, "nobody was told");
    let mut again = crate::support::actledger(&world.config()).arg("serve").spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_secs(3));
    again.kill().unwrap();
    again.wait().unwrap();
    let (n, mail) = last_mail(&world.path("mail"));
    assert!(
        n == 1 && mail.contains("THE RECORD DOES NOT VERIFY") && mail.contains("still hold"),
        "{n}: {mail}"
    );
}
