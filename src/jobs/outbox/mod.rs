//! The outbox is the ledger: a mail that is queued and not sent goes out at the next chance, with the same Message-ID.

mod waiting;

use super::letter::{compose, domain};
use super::{Desk, JobError};
use crate::config::{MailContent, MailList};
use crate::evidence::record::Mail;
use crate::evidence::{Evidence, Kind, Time, sha256_hex};
use crate::mail::{Letter, MailError, Transport, hidden, masked};
use crate::report::Report;
use crate::sources::told;
use crate::store::Store;
use std::path::PathBuf;

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
        let mail = |n: usize| Mail {
            message_id: format!("actledger-{day}-{as_of}-{i}-{n}@{domain}"),
            list: i as u64,
            recipient: Some(n as u64),
            team: team.clone(),
            checkpoint,
            as_of,
            at,
            sha256: None,
            attempts: None,
        };
        (0..list.to.len()).map(mail).collect::<Vec<_>>()
    };
    let mails = desk.config.mail.iter().enumerate().flat_map(of_list);
    mails.map(|mail| entry(Kind::MailQueued, &mail, at)).collect()
}

fn entry(kind: Kind, mail: &Mail, at: Time) -> Evidence {
    let attempt = mail.attempts.as_ref().map_or_else(String::new, |a| format!(" {}", a.count));
    Evidence::event(kind, "actledger", format!("{}{attempt}", mail.message_id), "mail".into(), at, mail)
}

/// Sends what waits. A mail that cannot be made or go out stays queued, is tried again later and later, and holds up no other.
///
/// # Errors
/// The record does not verify; the store's reason; another process sends.
pub fn flush(
    desk: &Desk,
    store: &mut Store,
    transport: &Transport,
    which: Which,
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
    let (interrupted, mut last) = (interrupted(desk), None);
    for mut mail in mails {
        if interrupted.as_ref() == Some(&mail.message_id) {
            waiting::interrupted(&mut mail);
        }
        let done = match (recipient(&desk.config.mail, &mail), &reached) {
            (None, _) => Err(Failure::Gone),
            (Some(_), Err(e)) => Err(Failure::Refused(hidden(&told(e)))),
            (Some((list, to)), Ok(())) => attempt(desk, store, transport, &mail, (list, to), &mut last)?,
        };
        settle(desk, store, mail, done, &mut status)?;
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

/// One mail of a list, and the as-of and place of the one that it was written for last: its recipients get the same.
type Last = Option<(u64, u64, Letter)>;

fn attempt(
    desk: &Desk,
    store: &Store,
    transport: &Transport,
    mail: &Mail,
    (list, to): (&MailList, &[String]),
    last: &mut Last,
) -> Result<Result<String, Failure>, JobError> {
    if last.as_ref().is_none_or(|(as_of, list, _)| (*as_of, *list) != (mail.as_of, mail.list)) {
        *last = match compose(desk, store, mail, list) {
            Ok(letter) => Some((mail.as_of, mail.list, letter)),
            Err(e @ (JobError::Broken(_) | JobError::Store(_))) => return Err(e),
            Err(e) => return Ok(Err(Failure::Refused(hidden(&e.to_string())))),
        };
    }
    let Some((_, _, letter)) = last else { return Ok(Err(Failure::Gone)) };
    letter.to = to.to_vec();
    letter.message_id.clone_from(&mail.message_id);
    let mark = mark(desk);
    let failed = |e| JobError::Io(format!("cannot write {}", mark.display()), e);
    super::put(&mark, mail.message_id.as_bytes()).map_err(failed)?;
    Ok(transport.send(letter).map(|bytes| sha256_hex(&bytes)).map_err(|e| failure(&e)))
}

fn failure(e: &MailError) -> Failure {
    let why = hidden(&told(e));
    if e.may_have_arrived() { Failure::Unknown(why) } else { Failure::Refused(why) }
}

/// Writes down what an attempt came to.
fn settle(
    desk: &Desk,
    store: &mut Store,
    mut mail: Mail,
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
            let to = recipient(&desk.config.mail, &mail).and_then(|(_, to)| to.first()).map(|t| masked(t));
            status.failed.push(waiting::sentence(&mail, to.as_deref().unwrap_or("nobody")));
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

/// The list and the recipient that a mail is for. Lists may change their places in the config, and never get what another one
/// was to get.
fn recipient<'c>(lists: &'c [MailList], mail: &Mail) -> Option<(&'c MailList, &'c [String])> {
    let is_it = |list: &&MailList| {
        list.team == mail.team && (list.content == MailContent::Checkpoint) == mail.checkpoint
    };
    let there = usize::try_from(mail.list).ok().and_then(|i| lists.get(i));
    let list = there.filter(is_it).or_else(|| lists.iter().find(is_it))?;
    match mail.recipient {
        None => Some((list, &list.to)),
        Some(n) => usize::try_from(n).ok().and_then(|n| list.to.get(n..=n)).map(|to| (list, to)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_finds_its_list_wherever_it_stands() {
        let list = |to: &[&str], team: Option<&str>, content| {
            let (to, team) = (to.iter().map(|t| (*t).to_owned()).collect(), team.map(str::to_owned));
            MailList { to, team, attach: Vec::new(), content }
        };
        let mail = |list, recipient, team: Option<&str>, checkpoint| {
            let (message_id, at, team) = ("m".into(), Time::from_seconds(0), team.map(str::to_owned));
            let (sha256, attempts) = (None, None);
            Mail { message_id, list, recipient, team, checkpoint, as_of: 1, at, sha256, attempts }
        };
        let lists = [
            list(&["outside"], None, MailContent::Checkpoint),
            list(&["risk"], Some("risk"), MailContent::Report),
            list(&["all", "everybody"], None, MailContent::Report),
            list(&["all too"], None, MailContent::Report),
        ];
        let to = |list, n, team, checkpoint| {
            recipient(&lists, &mail(list, n, team, checkpoint)).map(|(_, to)| to.join(" "))
        };
        let is = |to: Option<String>, name: &str| to.as_deref() == Some(name);
        assert!(is(to(0, Some(0), None, false), "all"), "the report is not for those outside");
        assert!(
            is(to(3, Some(0), None, false), "all too") && is(to(2, Some(0), Some("risk"), false), "risk")
        );
        assert!(is(to(1, Some(0), None, true), "outside") && to(1, Some(0), Some("sold"), false).is_none());
        assert!(is(to(2, Some(1), None, false), "everybody") && to(2, Some(2), None, false).is_none());
        assert!(is(to(2, None, None, false), "all everybody"), "as in entries of the first versions");
    }
}
