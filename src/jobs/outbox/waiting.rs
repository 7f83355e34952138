//! Mails that wait: what the ledger says of each, and when it is tried again.

use super::Failure;
use crate::evidence::record::{Attempts, Mail};
use crate::evidence::{DAY, Kind, Time};
use crate::jobs::JobError;
use crate::store::Store;
use std::collections::BTreeMap;

const MINUTE: i64 = 60;
/// Attempts are at most so far apart.
const LONGEST: i64 = 240 * MINUTE;
/// A mail that failed is given up when it is so old (RFC 5321, 4.5.4.1 asks for four or five days).
const GIVE_UP: i64 = 5 * DAY;
/// Mails queued before are not looked for.
const HORIZON: i64 = 30 * DAY;

/// Mails that were neither sent nor given up, the oldest first; those of one list stand together.
pub(in crate::jobs) fn waiting(store: &Store, now: Time) -> Result<Vec<Mail>, JobError> {
    store.catch_up()?;
    let mut entries = Vec::new();
    for kind in [Kind::MailQueued, Kind::MailSent] {
        for seq in store.state().own_events(kind)?.into_iter().rev() {
            let entry = store.reader().entry(seq)?.entry;
            if now.seconds() - entry.recorded_at.seconds() > HORIZON {
                break;
            }
            entries.extend(serde_json::from_value::<Mail>(entry.payload).ok().map(|mail| (seq, kind, mail)));
        }
    }
    entries.sort_by_key(|(seq, ..)| *seq);
    let last: BTreeMap<String, (Kind, Mail)> =
        entries.into_iter().map(|(_, kind, mail)| (mail.message_id.clone(), (kind, mail))).collect();
    let is_given_up = |mail: &Mail| mail.attempts.as_ref().is_some_and(|a| a.again.is_none());
    let waits = last.into_values().filter(|(kind, mail)| *kind == Kind::MailQueued && !is_given_up(mail));
    let mut mails: Vec<Mail> = waits.map(|(_, mail)| mail).collect();
    mails.sort_by_key(|mail| (mail.as_of, mail.list, mail.recipient));
    Ok(mails)
}

pub(super) fn is_due(mail: &Mail, now: Time) -> bool {
    mail.attempts.as_ref().and_then(|a| a.again).is_none_or(|again| again <= now)
}

/// The program ended between handing the mail over and writing down what came of it.
pub(super) fn interrupted(mail: &mut Mail) {
    let attempts = mail.attempts.get_or_insert_default();
    attempts.count += 1;
    attempts.unknown += 1;
    attempts.why = "this program ended before the answer of the mail server was written down".into();
}

/// Notes a failed attempt: after 1, 2, 4 … minutes it is tried again, at most four hours apart, for five days.
pub(super) fn failed(mail: &mut Mail, failure: Failure, now: Time) {
    let age = now.seconds() - mail.at.seconds();
    let attempts = mail.attempts.get_or_insert_default();
    let wait = MINUTE << attempts.count.min(8);
    attempts.count += 1;
    attempts.again = (age < GIVE_UP).then(|| now.plus_seconds(wait.min(LONGEST)));
    match failure {
        Failure::Refused(why) => attempts.why = why,
        Failure::Unknown(why) => {
            attempts.unknown += 1;
            attempts.why = why;
        }
        Failure::Gone => {
            attempts.again = None;
            attempts.why = "its list or recipient is no longer in the config".into();
        }
    }
}

/// What became of a mail that did not go out.
pub(super) fn sentence(mail: &Mail, to: &str) -> String {
    let Attempts { count, why, again, .. } = mail.attempts.clone().unwrap_or_default();
    let then = match again {
        Some(again) => format!("attempt {count}, again after {again}"),
        None => format!("GIVEN UP after attempt {count}"),
    };
    format!("{}, to {to}: {why} ({then})", mail.message_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_further_and_further_apart_and_end_after_five_days() {
        let at = Time::from_seconds(1_790_000_000);
        let json = serde_json::json!({ "message_id": "m", "list": 0, "as_of": 1, "at": at, "sha256": null });
        let mut mail: Mail = serde_json::from_value(json).unwrap();
        let (mut now, mut waits) = (at, Vec::new());
        while is_due(&mail, now) {
            failed(&mut mail, Failure::Refused("451 later".into()), now);
            let Some(again) = mail.attempts.as_ref().and_then(|a| a.again) else { break };
            assert!(!is_due(&mail, now));
            waits.push((again.seconds() - now.seconds()) / 60);
            now = again;
        }
        assert_eq!(waits[..10], [1, 2, 4, 8, 16, 32, 64, 128, 240, 240]);
        assert!(now.seconds() - at.seconds() >= GIVE_UP && waits.len() > 30, "{}", waits.len());
        assert!(sentence(&mail, "a…@b").contains("GIVEN UP after attempt"), "{}", sentence(&mail, "a…@b"));
    }
}
