//! The outbox is the ledger: a mail that is queued and not sent goes out at the next chance, with the same Message-ID.

mod recipients;
pub(super) mod waiting;
mod writing;

use super::letter::domain;
use super::{Desk, JobError, Judged};
use crate::config::{MailContent, MailList};
use crate::evidence::record::Mail;
use crate::evidence::{Evidence, Kind, Time, sha256_hex};
use crate::mail::{Letter, MailError, Transport, hidden, masked};
use crate::report::Report;
use crate::sources::told;
use crate::store::Store;
use recipients::recipients;
use std::path::PathBuf;
use writing::Writing;

/// What sending came to.
#[derive(Clone, Debug, Default)]
pub struct MailStatus {
    /// Mails that went out.
    pub sent: u64,
    /// Mails that did not, or not yet: to whom, why, and when they are tried again.
    pub failed: Vec<String>,
}

/// Which of the waiting mails are sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Which {
    /// Those whose next attempt is due.
    Due,
    /// All: somebody asks.
    All,
}

/// A mail for each recipient of each list, to be queued.
pub(super) fn queued(desk: &Desk, report: &Report) -> Vec<Evidence> {
    let (domain, at, as_of) = (domain(desk), report.as_of.at, report.as_of.size);
    let day = at.to_string()[..10].replace('-', "");
    let of_list = |(i, list): (usize, &MailList)| {
        let (team, checkpoint) = (list.team.clone(), list.content == MailContent::Checkpoint);
        let mail = |(n, to): (usize, &String)| {
            let message_id = format!("actledger-{day}-{as_of}-{i}-{n}@{domain}");
            Mail {
                to: Some(recipients::digest(desk.signer.secret(), &message_id, to)),
                message_id,
                list: i as u64,
                recipient: Some(n as u64),
                team: team.clone(),
                checkpoint,
                as_of,
                at,
                sha256: None,
                attempts: None,
            }
        };
        list.to.iter().enumerate().map(mail).collect::<Vec<_>>()
    };
    let mails = desk.config.mail.iter().enumerate().flat_map(of_list);
    mails.map(|mail| entry(Kind::MailQueued, &mail, at)).collect()
}

fn entry(kind: Kind, mail: &Mail, at: Time) -> Evidence {
    let attempt = mail.attempts.as_ref().map_or_else(String::new, |a| format!(" {}", a.count));
    Evidence::event(kind, "actledger", format!("{}{attempt}", mail.message_id), "mail".into(), at, mail)
}

/// Sends what waits; mails of the assessment that is given are made from it. A mail that cannot be made or go out stays queued, is
/// tried again later and later, and holds up no other.
///
/// # Errors
/// The record does not verify; the store's reason; another process sends.
pub fn flush(
    desk: &Desk,
    store: &mut Store,
    transport: &Transport,
    which: Which,
    judged: Option<&Judged>,
) -> Result<MailStatus, JobError> {
    let _lock = desk.lock("mail")?;
    let now = desk.clock.now();
    let mut mails = waiting::waiting(store, now)?;
    mails.retain(|mail| which == Which::All || waiting::is_due(mail, now));
    let mut status = MailStatus::default();
    if mails.is_empty() {
        return Ok(status);
    }
    let reached = transport.probe();
    let (interrupted, mut writing) = (interrupted(desk), Writing::from(judged));
    for mut mail in mails {
        if interrupted.as_ref() == Some(&mail.message_id) {
            waiting::interrupted(&mut mail);
        }
        let found = recipients(desk.signer.secret(), &desk.config.mail, &mail);
        let done = match (found, &reached) {
            (None, _) => Err(Failure::Gone),
            (Some(_), Err(e)) => Err(Failure::Refused(hidden(&told(e)))),
            (Some((list, to)), Ok(())) => match writing.letter(desk, store, &mail, list)? {
                Ok(letter) => attempt(desk, transport, &mail, letter, to)?,
                Err(why) => Err(Failure::Refused(why)),
            },
        };
        let to = found.and_then(|(_, to)| to.first());
        settle(desk, store, (mail, to), done, &mut status)?;
    }
    Ok(status)
}

/// Why an attempt came to nothing.
enum Failure {
    /// For certain it did not go out.
    Refused(String),
    /// Nobody knows whether it did.
    Unknown(String),
    /// Nobody is there any more to get it.
    Gone,
}

fn attempt(
    desk: &Desk,
    transport: &Transport,
    mail: &Mail,
    mut letter: Letter,
    to: &[String],
) -> Result<Result<String, Failure>, JobError> {
    letter.to = to.to_vec();
    letter.message_id.clone_from(&mail.message_id);
    let mark = mark(desk);
    let failed = |e| JobError::Io(format!("cannot write {}", mark.display()), e);
    super::put(&mark, mail.message_id.as_bytes()).map_err(failed)?;
    Ok(transport.send(&letter).map(|bytes| sha256_hex(&bytes)).map_err(|e| failure(&e)))
}

fn failure(e: &MailError) -> Failure {
    let why = hidden(&told(e));
    if e.may_have_arrived() { Failure::Unknown(why) } else { Failure::Refused(why) }
}

/// Writes down what an attempt came to.
fn settle(
    desk: &Desk,
    store: &mut Store,
    (mut mail, to): (Mail, Option<&String>),
    done: Result<String, Failure>,
    status: &mut MailStatus,
) -> Result<(), JobError> {
    let now = desk.clock.now();
    let kind = match done {
        Ok(sha256) => {
            status.sent += 1;
            mail.sha256 = Some(sha256);
            Kind::MailSent
        }
        Err(failure) => {
            waiting::failed(&mut mail, failure, now);
            let to = to.map_or_else(|| "nobody".into(), |to| masked(to));
            status.failed.push(waiting::sentence(&mail, &to));
            Kind::MailQueued
        }
    };
    store.append(&desk.writer(), vec![entry(kind, &mail, now)])?;
    match std::fs::remove_file(mark(desk)) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(JobError::Io(format!("cannot remove {}", mark(desk).display()), e))
        }
        _ => Ok(()),
    }
}

/// Names the mail that is being sent: where it is found later, its outcome was never written down.
fn mark(desk: &Desk) -> PathBuf {
    desk.config.ledger.path.with_extension("mail-sending")
}

fn interrupted(desk: &Desk) -> Option<String> {
    std::fs::read_to_string(mark(desk)).ok()
}
