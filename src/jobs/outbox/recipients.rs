//! Who a mail is for. Entries name no address: each has a keyed digest of it, by which the config is asked again.

use crate::config::{MailContent, MailList};
use crate::evidence::record::Mail;
use crate::evidence::{hex, keyed};

/// HMAC-SHA256 over a Message-ID and an address, behind the name of the key: two mails to one address have nothing in common but
/// that.
pub(super) fn digest(secret: &[u8; 32], message_id: &str, address: &str) -> String {
    let mac = keyed(secret, format!("actledger mail\n{message_id}\n{address}").as_bytes());
    format!("{}-{}", key_name(secret), hex(&mac))
}

fn key_name(secret: &[u8; 32]) -> String {
    hex(&keyed(secret, b"actledger mail key")[..4])
}

/// The list and the recipients that a mail is for, wherever both stand in the config by now. Nobody gets what another one was to get.
pub(super) fn recipients<'c>(
    secret: &[u8; 32],
    lists: &'c [MailList],
    mail: &Mail,
) -> Option<(&'c MailList, &'c [String])> {
    let is_it = |list: &&MailList| {
        list.team == mail.team && (list.content == MailContent::Checkpoint) == mail.checkpoint
    };
    let there = usize::try_from(mail.list).ok().and_then(|i| lists.get(i));
    let mut candidates = there.into_iter().chain(lists).filter(is_it);
    let ours = mail.to.as_ref().filter(|to| to.starts_with(&key_name(secret)));
    let Some(digest_of) = ours else {
        // By their places, as in entries of the first versions, and of a key that is in force no more.
        let (list, place) = (candidates.next()?, mail.recipient.map(usize::try_from));
        let to = place.map_or(Some(&list.to[..]), |n| n.ok().and_then(|n| list.to.get(n..=n)));
        return to.map(|to| (list, to));
    };
    candidates.find_map(|list| {
        let n = list.to.iter().position(|to| digest(secret, &mail.message_id, to) == *digest_of)?;
        Some((list, list.to.get(n..=n)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Time;

    const SECRET: [u8; 32] = [7; 32];

    #[test]
    fn a_mail_finds_its_recipient_wherever_list_and_recipient_stand() {
        let list = |to: &[&str], team: Option<&str>, content| {
            let (to, team) = (to.iter().map(|t| (*t).to_owned()).collect(), team.map(str::to_owned));
            MailList { to, team, attach: Vec::new(), content }
        };
        let mail = |list, to: Option<&str>, team: Option<&str>, checkpoint| {
            let (message_id, at, team) = ("m".into(), Time::from_seconds(0), team.map(str::to_owned));
            let (sha256, attempts, recipient) = (None, None, to.map(|_| 0));
            let to = to.map(|to| digest(&SECRET, "m", to));
            Mail { message_id, list, recipient, to, team, checkpoint, as_of: 1, at, sha256, attempts }
        };
        let lists = [
            list(&["outside"], None, MailContent::Checkpoint),
            list(&["risk"], Some("risk"), MailContent::Report),
            list(&["all", "everybody"], None, MailContent::Report),
            list(&["all too"], None, MailContent::Report),
        ];
        let to = |place, to, team, checkpoint| {
            recipients(&SECRET, &lists, &mail(place, to, team, checkpoint)).map(|(_, to)| to.join(" "))
        };
        let is = |to: Option<String>, name: &str| to.as_deref() == Some(name);
        assert!(
            is(to(0, Some("all"), None, false), "all") && is(to(9, Some("all too"), None, false), "all too")
        );
        assert!(is(to(2, Some("everybody"), None, false), "everybody"));
        assert!(to(0, Some("outside"), None, false).is_none(), "the report is not for those outside");
        assert!(is(to(1, Some("outside"), None, true), "outside"));
        assert!(is(to(2, Some("risk"), Some("risk"), false), "risk"));
        assert!(to(1, Some("risk"), Some("sold"), false).is_none());
        assert!(to(2, Some("gone"), None, false).is_none(), "who was taken from the list gets nothing");
        assert!(is(to(2, None, None, false), "all everybody"), "as in entries of the first versions");
        let later = Mail { recipient: Some(1), ..mail(2, Some("everybody"), None, false) };
        let told = recipients(&[8; 32], &lists, &later).map(|(_, to)| to.join(" "));
        assert!(is(told, "everybody"), "mail that waits while the signing key changes goes by its place");
    }
}
