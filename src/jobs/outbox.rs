//! The outbox is the ledger: a mail that is queued and not sent goes out at the next chance, with the same Message-ID.

use super::report::{files, render};
use super::{Desk, JobError};
use crate::config::{MailContent, MailList};
use crate::evidence::record::Mail;
use crate::evidence::{Evidence, Kind, sha256_hex};
use crate::mail::{Attachment, Letter, Transport, masked};
use crate::report::{Report, Scope, html};
use crate::sources::told;
use crate::store::Store;
use std::collections::BTreeMap;

/// What sending came to.
#[derive(Clone, Debug, Default)]
pub struct MailStatus {
    /// Mails that went out.
    pub sent: u64,
    /// Why others did not; they stay queued.
    pub failed: Vec<String>,
}

/// A mail for each list, to be queued.
pub(super) fn queued(desk: &Desk, report: &Report) -> Vec<Evidence> {
    let domain = domain(desk);
    let mail = |(i, list): (usize, &MailList)| {
        let at = report.as_of.at;
        let message_id =
            format!("actledger-{}-{}-{i}@{domain}", at.to_string()[..10].replace('-', ""), report.as_of.size);
        let payload = Mail {
            message_id: message_id.clone(),
            list: i as u64,
            team: list.team.clone(),
            checkpoint: list.content == MailContent::Checkpoint,
            as_of: report.as_of.size,
            at,
            sha256: None,
        };
        Evidence::event(Kind::MailQueued, "actledger", message_id, "mail".into(), at, &payload)
    };
    desk.config.mail.iter().enumerate().map(mail).collect()
}

/// What stands behind the `@` of a Message-ID: the sender's domain.
pub(super) fn domain(desk: &Desk) -> String {
    let from = desk.config.smtp.as_ref().map(|s| s.from.as_str()).unwrap_or_default();
    let domain = from.rsplit('@').next().unwrap_or_default().trim_end_matches('>').trim();
    if domain.is_empty() { "localhost".into() } else { domain.to_owned() }
}

/// Sends what waits. A mail that cannot be made or go out stays queued, and holds up no other.
///
/// # Errors
/// The record does not verify; the store's reason.
pub fn flush(desk: &Desk, store: &mut Store, transport: &Transport) -> Result<MailStatus, JobError> {
    let mut status = MailStatus::default();
    for mail in waiting(store)? {
        let Some(list) = list_of(&desk.config.mail, &mail) else {
            status.failed.push(format!("{}: its list is no longer in the config", mail.message_id));
            continue;
        };
        let sent = match compose(desk, store, &mail, list) {
            Err(e @ (JobError::Broken(_) | JobError::Store(_))) => return Err(e),
            Err(e) => Err(e.to_string()),
            Ok(letter) => transport.send(&letter).map_err(|e| told(&e)),
        };
        match sent {
            Ok(bytes) => {
                let sent = Mail { sha256: Some(sha256_hex(&bytes)), ..mail.clone() };
                let now = desk.clock.now();
                let entry =
                    Evidence::event(Kind::MailSent, "actledger", mail.message_id, "mail".into(), now, &sent);
                store.append(&desk.writer(), vec![entry])?;
                status.sent += 1;
            }
            Err(e) => {
                let to = list.to.first().map(|t| masked(t)).unwrap_or_default();
                status.failed.push(format!("to {to}: {}", hidden(&e, &list.to)));
            }
        }
    }
    Ok(status)
}

/// The list that a mail is for. Lists may change their places in the config, and never get what another one was to get.
fn list_of<'c>(lists: &'c [MailList], mail: &Mail) -> Option<&'c MailList> {
    let is_it = |list: &&MailList| {
        list.team == mail.team && (list.content == MailContent::Checkpoint) == mail.checkpoint
    };
    let there = usize::try_from(mail.list).ok().and_then(|i| lists.get(i));
    there.filter(is_it).or_else(|| lists.iter().find(is_it))
}

/// A text without the addresses of a list, which a server may repeat.
fn hidden(text: &str, to: &[String]) -> String {
    to.iter().fold(text.to_owned(), |text, to| {
        let address = to.rsplit('<').next().unwrap_or(to).trim_end_matches('>').trim();
        text.replace(to.as_str(), &masked(address)).replace(address, &masked(address))
    })
}

fn waiting(store: &Store) -> Result<Vec<Mail>, JobError> {
    let reader = store.reader();
    let mut open: BTreeMap<String, Mail> = BTreeMap::new();
    reader.each(0, reader.size()?, |p| {
        match (p.entry.kind, serde_json::from_value::<Mail>(p.entry.payload)) {
            (Kind::MailQueued, Ok(mail)) => {
                open.insert(mail.message_id.clone(), mail);
            }
            (Kind::MailSent, Ok(mail)) => {
                open.remove(&mail.message_id);
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(open.into_values().collect())
}

/// A letter of a subject and a text alone, dated now.
pub fn plain(desk: &Desk, list: &MailList, message_id: String, subject: String, text: String) -> Letter {
    let smtp = desk.config.smtp.as_ref();
    Letter {
        from: smtp.map(|s| s.from.clone()).unwrap_or_default(),
        reply_to: smtp.and_then(|s| s.reply_to.clone()),
        to: list.to.clone(),
        subject,
        date: desk.clock.now(),
        message_id,
        text,
        html: None,
        attachments: Vec::new(),
    }
}

/// Writes a mail from the as-of it speaks of: the same bytes whenever it is written.
///
/// # Errors
/// The record does not verify; an output that cannot be made.
pub fn compose(desk: &Desk, store: &Store, mail: &Mail, list: &MailList) -> Result<Letter, JobError> {
    let scope = Scope { team: list.team.clone(), ..Scope::default() };
    let mut rendered = render(desk, store, mail.as_of, &scope, &[])?;
    rendered.files = files(desk, store, mail.as_of, &scope, &list.attach)?;
    let day = mail.at.to_string()[..10].to_owned();
    let attachments = rendered.files.iter().map(|(name, bytes)| Attachment {
        name: format!("actledger-{day}-{name}"),
        media_type: if name.ends_with("pdf") { "application/pdf" } else { "application/json" },
        bytes: bytes.clone(),
    });
    let failed = |e: askama::Error| JobError::Render(e.to_string());
    let report = &rendered.report;
    let digest = rendered.files.get("report.pdf").map(|b| sha256_hex(b));
    let words = match list.content {
        MailContent::Report => {
            html::mail(report, &rendered.note, digest.as_deref(), desk.config.web.url.as_deref())
        }
        MailContent::Checkpoint => html::checkpoint_mail(report, &rendered.note),
    };
    let words = words.map_err(failed)?;
    let letter = plain(desk, list, mail.message_id.clone(), words.subject, words.text);
    Ok(Letter { date: mail.at, html: words.html, attachments: attachments.collect(), ..letter })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Time;

    #[test]
    fn a_mail_finds_its_list_wherever_it_stands() {
        let list = |to: &str, team: Option<&str>, content| {
            let (to, team) = (vec![to.to_owned()], team.map(str::to_owned));
            MailList { to, team, attach: Vec::new(), content }
        };
        let mail = |list, team: Option<&str>, checkpoint| {
            let (message_id, at, team) = ("m".into(), Time::from_seconds(0), team.map(str::to_owned));
            Mail { message_id, list, team, checkpoint, as_of: 1, at, sha256: None }
        };
        let lists = [
            list("outside", None, MailContent::Checkpoint),
            list("risk", Some("risk"), MailContent::Report),
            list("all", None, MailContent::Report),
            list("all too", None, MailContent::Report),
        ];
        let to =
            |list, team, checkpoint| list_of(&lists, &mail(list, team, checkpoint)).map(|l| l.to[0].as_str());
        assert_eq!(to(0, None, false), Some("all"), "the report is not for those outside");
        assert_eq!((to(3, None, false), to(2, Some("risk"), false)), (Some("all too"), Some("risk")));
        assert_eq!((to(1, None, true), to(1, Some("sold"), false)), (Some("outside"), None));
    }

    #[test]
    fn what_a_server_says_is_told_without_the_addresses() {
        let to = ["Ann <ann@example.com>".to_owned(), "bob@example.org".to_owned()];
        let said = "550 <ann@example.com>: no such user; \"Ann <ann@example.com>\", bob@example.org";
        assert_eq!(
            hidden(said, &to),
            "550 <a…@example.com>: no such user; \"a…@example.com\", b…@example.org"
        );
    }
}
