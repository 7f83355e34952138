//! What a mail says, and to whom: written from the as-of it speaks of.

use super::report::{files, render};
use super::{Desk, JobError, Judged};
use crate::config::{MailContent, MailList};
use crate::evidence::record::Mail;
use crate::evidence::sha256_hex;
use crate::mail::{Attachment, Letter};
use crate::report::{Files, Scope, html, mail as words};
use crate::store::Store;

/// What stands behind the `@` of a Message-ID: the sender's domain.
pub(super) fn domain(desk: &Desk) -> String {
    let from = desk.config.smtp.as_ref().map(|s| s.from.as_str()).unwrap_or_default();
    let domain = from.rsplit('@').next().unwrap_or_default().trim_end_matches('>').trim();
    if domain.is_empty() { "localhost".into() } else { domain.to_owned() }
}

/// A letter of a subject and a text alone, dated now.
pub fn plain(desk: &Desk, to: &[String], message_id: String, subject: String, text: String) -> Letter {
    let smtp = desk.config.smtp.as_ref();
    Letter {
        from: smtp.map(|s| s.from.clone()).unwrap_or_default(),
        bounce: smtp.and_then(|s| s.bounce.clone()),
        reply_to: smtp.and_then(|s| s.reply_to.clone()),
        to: to.to_vec(),
        subject,
        date: desk.clock.now(),
        message_id,
        text,
        html: None,
        attachments: Vec::new(),
    }
}

/// Writes a mail from the as-of it speaks of, to everybody of its list: the same bytes whenever it is written.
///
/// # Errors
/// The store's reason; an output that cannot be made.
pub fn compose(
    desk: &Desk,
    store: &Store,
    judged: &Judged,
    mail: &Mail,
    list: &MailList,
) -> Result<Letter, JobError> {
    let scope = Scope { team: list.team.clone(), ..Scope::default() };
    let asked: &[String] = if scope.is_whole() { &[] } else { &list.attach };
    let mut rendered = render(desk, store, judged, &scope, asked)?;
    let mut made = if scope.is_whole() {
        files(desk, store, judged, &scope, &list.attach)?
    } else {
        std::mem::take(&mut rendered.files)
    };
    made.retain(|name, _| !name.starts_with(html::PAGES));
    let day = mail.at.to_string()[..10].to_owned();
    let attachments = made.into_iter().map(|(name, bytes)| Attachment {
        media_type: if name.ends_with("pdf") { "application/pdf" } else { "application/json" },
        name: format!("actledger-{day}-{name}"),
        bytes,
    });
    let attachments: Vec<Attachment> = attachments.collect();
    let lacks = list.attach.iter().filter(|form| {
        let ending = format!("-report.{form}");
        !attachments.iter().any(|a| a.name.ends_with(&ending))
    });
    let lacks = lacks.map(|form| format!("report.{form}")).collect();
    let report = &rendered.report;
    let told = told(desk, mail, &attachments, lacks);
    let said = match list.content {
        MailContent::Report => words::report(report, &rendered.note, &told, desk.config.web.url.as_deref()),
        MailContent::Checkpoint => words::checkpoint(report, &rendered.note),
    };
    let said = said.map_err(|e| JobError::Render(e.to_string()))?;
    let letter = plain(desk, &list.to, mail.message_id.clone(), said.subject, said.text);
    let attachments = if told.is_attached() { attachments } else { Vec::new() };
    Ok(Letter { date: mail.at, html: said.html, attachments, ..letter })
}

/// What the mail says of its files: their digests, or where they are kept when they are too large to be attached.
fn told(desk: &Desk, mail: &Mail, attachments: &[Attachment], lacks: Vec<String>) -> Files {
    let limit = desk.config.smtp.as_ref().map_or(u64::MAX, |s| s.attach_mib.saturating_mul(1 << 20));
    let bytes: u64 = attachments.iter().map(|a| a.bytes.len() as u64).sum();
    let names = attachments.iter().map(|a| (a.name.clone(), sha256_hex(&a.bytes))).collect();
    let kept = match &mail.team {
        None => format!("in the folder {} of the reports", super::report::folder_name(mail.at, mail.as_of)),
        // The folder has the whole report alone.
        Some(team) => format!("made by: actledger report --team {team:?} --as-of {}", mail.as_of),
    };
    Files { names, lacks, too_large: (bytes > limit).then_some((bytes, limit, kept)) }
}
