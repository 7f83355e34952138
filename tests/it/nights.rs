//! Nights as a mail server sees them: a server that refuses, is away, breaks off; a service that was down, or died.

use crate::support::{Server, World, stdout};
use actledger::clock::Clock;
use actledger::daemon::{LastPass, due_jobs};
use actledger::evidence::record::Mail;
use actledger::evidence::{Kind, Time};
use actledger::jobs::{self, Desk, Which};
use actledger::mail::Transport;
use std::collections::BTreeMap;
use std::fs::{read_to_string, write};
use std::path::Path;

const SMTP: &str =
    "from = 'Actledger <actledger@example.com>'\nbounce = 'bounces@example.com'\nca_file = 'ca.pem'";
const LISTS: &str = "[[mail]]\nto = ['Ann <ann@example.com>', 'bob@example.com']\nattach = ['pdf']\n\
                     [[mail]]\nto = ['witness@example.org']\ncontent = 'checkpoint'";

/// An estate without sources that mails to three people over a server of this folder.
fn world(smtp: &str) -> World {
    let world = World { dir: tempfile::tempdir().unwrap() };
    assert!(world.run(&["init"]).status.success());
    let text = read_to_string(world.config()).unwrap();
    let (before, _) = text.split_once("[web]").unwrap();
    let before = before.replace("ingest = \"", "ingest = \"0 12 * * *\" # ");
    assert!(before.contains("# "));
    write(world.config(), format!("{before}\n[smtp]\n{SMTP}\n{smtp}\n{LISTS}\n")).unwrap();
    world
}

fn desk_at(world: &World, at: &str) -> Desk {
    let mut desk = world.desk();
    desk.clock = Clock::at(at.parse().unwrap());
    desk
}

/// Message-ID to how often it was received and by whom, from the files of the server.
fn received(folder: &Path) -> BTreeMap<String, Vec<String>> {
    let mut mails = BTreeMap::<String, Vec<String>>::new();
    for file in std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()) {
        if file.extension().is_some_and(|e| e == "eml") {
            let text = read_to_string(&file).unwrap();
            let line = |name: &str| {
                text.lines()
                    .find_map(|l| l.strip_prefix(name))
                    .unwrap_or_else(|| panic!("{name} {text}"))
                    .to_owned()
            };
            assert!(line("X-Envelope: ").starts_with("bounces@example.com "), "{text}");
            mails.entry(line("Message-ID: ")).or_default().push(line("X-Envelope: "));
        }
    }
    mails
}

/// The entries of mails, in their order.
fn entries(desk: &Desk) -> Vec<(Kind, Mail)> {
    let (store, mut mails) = (desk.store().unwrap(), Vec::new());
    let size = store.reader().size().unwrap();
    let all = store.reader().each(0, size, |p| {
        if [Kind::MailQueued, Kind::MailSent].contains(&p.entry.kind) {
            mails.push((p.entry.kind, serde_json::from_value(p.entry.payload).unwrap()));
        }
        Ok(())
    });
    all.unwrap();
    mails
}

#[test]
fn three_weeks_of_nights_with_outages_are_one_mail_per_night_and_recipient() {
    let world = world("url = 'smtp://localhost:1'");
    let server = Server::start("smtp_server.py", world.dir.path());
    let there = format!("smtp://localhost:{}", server.port);
    let mut desk = desk_at(&world, "2026-10-12T12:00:00+02:00");
    let script = |lines: &str| write(world.path("script"), lines).unwrap();
    let (start, mut nights) = (desk.clock.now(), 0);
    let hours = |at: Time| (at.seconds() - start.seconds()) / 3600;
    let mut last = LastPass::default();
    while hours(desk.clock.now()) < 21 * 24 {
        desk.clock.set(desk.clock.now().plus_seconds(20 * 60));
        let now = desk.clock.now();
        // The server is away for three days; the service for two nights, and its process is another one after that.
        let is_away = (100..172).contains(&hours(now));
        desk.config.smtp.as_mut().unwrap().url =
            if is_away { "smtp://localhost:1".into() } else { there.clone() };
        if (228..276).contains(&hours(now)) {
            last = LastPass::default();
            continue;
        }
        // Each night something else: refused for a while, for one of them, greylisted, broken off before and after the message.
        match hours(now) % 24 {
            12 if hours(now) / 24 == 1 => script("mail 451 try later\nmail 451 try later"),
            12 if hours(now) / 24 == 2 => {
                script("rcpt 550 no such user\nrcpt 450 greylisted\nrcpt 450 greylisted")
            }
            12 if hours(now) / 24 == 7 => script("end 552 over quota\nmail cut"),
            12 if hours(now) / 24 == 14 => script("end cut"),
            _ => {}
        }
        nights += usize::from(due_jobs(&desk, &last).unwrap().is_some());
    }
    // The first report is made at once; 2 nights of 21 are made up by one.
    assert_eq!(nights, 1 + 21 - 1);
    let mails = received(world.dir.path());
    assert_eq!(mails.len(), nights * 3, "one for each night and recipient");
    let twice: Vec<_> = mails.values().filter(|m| m.len() > 1).collect();
    assert_eq!(twice.len(), 1, "only the one whose end nobody knew came again: {twice:?}");
    assert!(twice[0].len() == 2 && twice[0][0] == twice[0][1]);
    for to in ["ann@example.com", "bob@example.com", "witness@example.org"] {
        let got = mails.values().filter(|m| m[0].ends_with(to)).count();
        assert_eq!(got, nights, "{to}");
    }
    // The record tells the same: all that was queued was sent once, attempts are written down, one of them with an unknown end.
    let entries = entries(&desk);
    let sent: Vec<&Mail> = entries.iter().filter(|(k, _)| *k == Kind::MailSent).map(|(_, m)| m).collect();
    assert_eq!(sent.len(), nights * 3);
    let unknown =
        |m: &&&Mail| m.attempts.as_ref().is_some_and(|a| a.unknown > 0 && a.why.contains("network"));
    assert_eq!(
        sent.iter().filter(unknown).count(),
        2,
        "cut before and after the message: nobody can tell them apart"
    );
    let away = sent.iter().filter_map(|m| m.attempts.as_ref()).map(|a| a.count).max();
    assert!((14..40).contains(&away.unwrap()), "later and later: {away:?}");
    assert!(entries.iter().all(|(_, m)| m.attempts.as_ref().is_none_or(|a| !a.why.contains("ann@"))));
    let made_up = std::fs::read_dir(world.path("var/reports")).unwrap();
    let texts = made_up.map(|d| read_to_string(d.unwrap().path().join("report.json")).unwrap());
    assert_eq!(texts.filter(|t| t.contains("\"nights\": 2")).count(), 1, "one stands for two");
    assert_eq!(world.run(&["verify"]).status.code(), Some(0));
}

#[test]
fn exim_takes_mail_over_implicit_tls_and_over_starttls_after_a_login() {
    let world = world("url = 'smtps://localhost:1'\nusername = 'night'\npassword_file = 'password'");
    let server = Server::start("exim.py", world.dir.path());
    let starttls = read_to_string(world.path("starttls.port")).unwrap();
    write(world.path("password"), "owl-in-the-dark\n").unwrap();
    let mut desk = desk_at(&world, "2026-10-12T12:00:00+02:00");
    let mut store = desk.store().unwrap();
    jobs::nightly(&desk, &mut store, &|_, _, _| {}).unwrap();
    let urls = [format!("smtps://localhost:{}", server.port), format!("smtp://localhost:{starttls}")];
    let smtp = |desk: &Desk| Transport::of(desk.config.smtp.as_ref().unwrap()).unwrap();
    // A wrong password is refused by the server, and written down as that.
    desk.config.smtp.as_mut().unwrap().url.clone_from(&urls[0]);
    write(world.path("password"), "wrong").unwrap();
    let status = jobs::flush(&desk, &mut store, &smtp(&desk), Which::Due, None).unwrap();
    assert!(status.sent == 0 && status.failed.iter().all(|f| f.contains("535")), "{:?}", status.failed);
    write(world.path("password"), "owl-in-the-dark\n").unwrap();
    assert_eq!(
        jobs::flush(&desk, &mut store, &smtp(&desk), Which::Due, None).unwrap().sent,
        0,
        "not due yet"
    );
    assert_eq!(jobs::flush(&desk, &mut store, &smtp(&desk), Which::All, None).unwrap().sent, 3);
    desk.clock.set("2026-10-13T12:00:00+02:00".parse().unwrap());
    jobs::nightly(&desk, &mut store, &|_, _, _| {}).unwrap();
    desk.config.smtp.as_mut().unwrap().url.clone_from(&urls[1]);
    assert_eq!(jobs::flush(&desk, &mut store, &smtp(&desk), Which::Due, None).unwrap().sent, 3);
    let box_ = read_to_string(world.path("box.path")).unwrap();
    let read = std::process::Command::new("python3").args(["-c", PARSE, &box_]).output().unwrap();
    let told = stdout(&read);
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 6, "{told}{}", crate::support::stderr(&read));
    assert!(lines.iter().all(|l| l.contains("esmtpsa") && l.contains("bounces@example.com")), "{told}");
    let full = "text/plain text/html application/pdf:%PDF";
    assert_eq!(lines.iter().filter(|l| l.contains(full)).count(), 4, "{told}");
}

/// Reads mails with Python's own parser: how it came, sender of the envelope, parts.
const PARSE: &str = r#"
import email, email.policy, pathlib, sys, time
box = pathlib.Path(sys.argv[1])
for _ in range(100):
    if len(list(box.glob("q*"))) == 6: break
    time.sleep(0.1)
for path in sorted(box.glob("q*")):
    mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert not mail.defects, mail.defects
    assert mail["Auto-Submitted"] == "auto-generated" and mail["To"].count("@") == 1, mail.items()
    parts = [p for p in mail.walk() if not p.is_multipart()]
    told = [p.get_content_type() + (":" + p.get_content()[:4].decode() if p.get_filename() else "") for p in parts]
    print(" ".join(mail["Received"].split()), mail["Return-path"], *told)
"#;

#[test]
fn a_process_that_dies_while_it_sends_is_written_down_as_an_unknown_end() {
    let world = world("url = 'folder:mail'");
    let mut desk = desk_at(&world, "2026-10-12T12:00:00+02:00");
    let mut store = desk.store().unwrap();
    jobs::nightly(&desk, &mut store, &|_, _, _| {}).unwrap();
    let queued = entries(&desk);
    write(world.path("var/ledger.mail-sending"), &queued[1].1.message_id).unwrap();
    // One recipient left meanwhile: their mail is given up, and holds up no other.
    desk.config.mail.pop();
    let smtp = desk.config.smtp.clone().unwrap();
    let transport = Transport::of(&smtp).unwrap();
    let status = jobs::flush(&desk, &mut store, &transport, Which::Due, None).unwrap();
    assert_eq!(status.sent, 2);
    assert!(status.failed.len() == 1 && status.failed[0].contains("GIVEN UP"), "{:?}", status.failed);
    let sent: Vec<(Kind, Mail)> = entries(&desk).into_iter().skip(3).collect();
    assert!(sent[0].1.attempts.is_none());
    let attempts = sent[1].1.attempts.clone().unwrap();
    assert!(
        (attempts.count, attempts.unknown) == (1, 1) && attempts.why.contains("ended before"),
        "{attempts:?}"
    );
    let again = jobs::flush(&desk, &mut store, &transport, Which::All, None).unwrap();
    assert!(again.sent == 0 && again.failed.is_empty(), "{again:?}");
    assert!(!world.path("var/ledger.mail-sending").exists());
}

#[test]
fn files_over_the_limit_are_named_and_not_attached() {
    let world = world("url = 'folder:mail'\nattach_mib = 0");
    let desk = desk_at(&world, "2026-10-12T12:00:00+02:00");
    let mut store = desk.store().unwrap();
    let judged = jobs::nightly(&desk, &mut store, &|_, _, _| {}).unwrap().judged;
    let (_, mail) = &entries(&desk)[0];
    let letter = jobs::compose(&desk, &store, &judged, mail, &desk.config.mail[0]).unwrap();
    assert!(letter.attachments.is_empty());
    let folder = std::fs::read_dir(world.path("var/reports")).unwrap().next().unwrap().unwrap();
    let folder = folder.file_name().into_string().unwrap();
    assert!(
        letter.text.contains(&format!("folder {folder}")) && letter.text.contains("-report.pdf, SHA-256"),
        "{}",
        letter.text
    );
}

#[test]
fn what_is_read_after_a_report_of_its_hours_is_told_as_restated() {
    let world = world("url = 'folder:mail'");
    let text = read_to_string(world.config()).unwrap();
    let source = "[[flow_logs]]\nname = 'vpc'\nlocation = 'file:looks'\n";
    write(world.config(), format!("{text}\n{source}")).unwrap();
    let object = |look: &str, name: &str, hour: i64| {
        let folder = world.path("looks").join(look);
        std::fs::create_dir_all(&folder).unwrap();
        let from = 1_791_698_400 + hour * 3_600;
        let line = format!(
            "2 111122223333 eni-1 10.0.0.1 10.0.0.2 40000 8443 6 10 840 {from} {} ACCEPT OK\n",
            from + 50
        );
        write(folder.join(name), line).unwrap();
    };
    let night = |at: &str| {
        let desk = desk_at(&world, at);
        let mut store = desk.store().unwrap();
        let made = jobs::nightly(&desk, &mut store, &|_, _, _| {}).unwrap();
        let report = made.judged.report(&store, &actledger::report::Scope::default()).unwrap();
        let letter = {
            let mail = entries(&desk).pop().unwrap().1;
            jobs::compose(&desk, &store, &made.judged, &mail, &desk.config.mail[0]).unwrap()
        };
        (report.restated, letter.text)
    };
    object("20261012T040000Z", "a.log", 0);
    object("20261012T040000Z", "b.log", 9);
    assert!(night("2026-10-12T12:00:00+02:00").0.is_empty());
    object("20261013T040000Z", "late.log", 3);
    let (restated, text) = night("2026-10-13T12:00:00+02:00");
    assert!(restated.len() == 1 && restated[0].contains("1 object read after the report"), "{restated:?}");
    assert!(restated[0].starts_with("vpc, 11 Oct 11:00") && text.contains("RESTATED"), "{restated:?} {text}");
    assert!(night("2026-10-14T12:00:00+02:00").0.is_empty(), "told once");
}
