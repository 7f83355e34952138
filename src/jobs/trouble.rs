//! The mail of a night without a report. It is made from the config and the error alone: no ledger holds it.

use super::outbox::{domain, plain};
use super::{BrokenRecord, Desk, JobError};
use crate::evidence::Time;
use crate::mail::Transport;
use crate::report::{Zone, html};
use crate::schedule;
use std::path::PathBuf;

/// Why there is none.
#[derive(Clone, Copy, Debug)]
pub enum Trouble<'a> {
    /// The record does not verify.
    Broken(&'a BrokenRecord),
    /// Something else, in words.
    Failed(&'a str),
}

/// Tells every list, once a night: when the report is due that was due since it was told last. Whether it was due now.
///
/// # Errors
/// A mail that cannot be made or does not go out: it is due again then.
pub fn tell(desk: &Desk, trouble: Trouble<'_>) -> Result<bool, JobError> {
    let (now, c) = (desk.clock.now(), &desk.config);
    let Some(smtp) = &c.smtp else { return Ok(false) };
    let last = std::fs::read_to_string(mark(desk)).ok().and_then(|t| t.trim().parse::<Time>().ok());
    if !schedule::due(&c.schedule.report, &c.timezone, last, now) {
        return Ok(false);
    }
    let zone = Zone::named(&c.timezone);
    let day = zone.short_day(now);
    let (why, is_broken) = match trouble {
        Trouble::Broken(broken) => (format!("{broken}."), true),
        Trouble::Failed(why) => (why.to_owned(), false),
    };
    let words = html::mail_without_report(&c.organization, &day, &why, is_broken);
    let words = words.map_err(|e| JobError::Render(e.to_string()))?;
    let transport = Transport::of(smtp)?;
    for (i, list) in c.mail.iter().enumerate() {
        let id = format!("actledger-trouble-{}-{i}@{}", now.look_name(), domain(desk));
        transport.send(&plain(desk, list, id, words.subject.clone(), words.text.clone()))?;
    }
    let mark = mark(desk);
    super::put(&mark, now.to_string().as_bytes())
        .map_err(|e| JobError::Io(format!("cannot write {}", mark.display()), e))?;
    Ok(true)
}

/// Says when it was told last, also to the next process.
fn mark(desk: &Desk) -> PathBuf {
    desk.config.ledger.path.with_extension("trouble-told")
}
