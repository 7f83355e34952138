//! One mail: text first, HTML after it, attachments last (RFC 2046), marked as made by a machine (RFC 3834).

use super::MailError;
use crate::evidence::Time;
use lettre::Message;
use lettre::address::Envelope;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment as Part, Mailbox, MultiPart, SinglePart};

/// What a mail is made of.
#[derive(Clone, Debug)]
pub struct Letter {
    /// Sender.
    pub from: String,
    /// Where mail servers report what they cannot deliver; the sender when it is none (RFC 5321, 4.4).
    pub bounce: Option<String>,
    /// Where answers go.
    pub reply_to: Option<String>,
    /// Recipients.
    pub to: Vec<String>,
    /// Subject, one line.
    pub subject: String,
    /// `Date` header; written in UTC.
    pub date: Time,
    /// `Message-ID` without brackets, the same on every retry.
    pub message_id: String,
    /// Plain text.
    pub text: String,
    /// HTML.
    pub html: Option<String>,
    /// Files.
    pub attachments: Vec<Attachment>,
}

/// An attached file.
#[derive(Clone, Debug)]
pub struct Attachment {
    /// ASCII file name.
    pub name: String,
    /// Media type.
    pub media_type: &'static str,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Letter {
    pub(super) fn message(&self) -> Result<Message, MailError> {
        let bad = |e: &dyn std::fmt::Display| MailError::Message(e.to_string());
        let mailbox = |a: &str| a.parse::<Mailbox>().map_err(|e| MailError::Message(format!("{a:?}: {e}")));
        let mut builder = Message::builder()
            .from(mailbox(&self.from)?)
            .subject(one_line(&self.subject))
            .message_id(Some(format!("<{}>", self.message_id)))
            .date(self.date.timestamp().into())
            .raw_header(raw("Auto-Submitted", "auto-generated")?)
            .raw_header(raw("X-Auto-Response-Suppress", "All")?);
        for to in &self.to {
            builder = builder.to(mailbox(to)?);
        }
        if let Some(reply) = &self.reply_to {
            builder = builder.reply_to(mailbox(reply)?);
        }
        if let Some(bounce) = &self.bounce {
            let address = |a: &str| mailbox(a).map(|m| m.email);
            let to = self.to.iter().map(|to| address(to)).collect::<Result<_, _>>()?;
            builder = builder.envelope(Envelope::new(Some(address(bounce)?), to).map_err(|e| bad(&e))?);
        }
        let text = SinglePart::plain(self.text.clone());
        let body = match &self.html {
            // A fixed boundary: the same mail is the same bytes.
            Some(html) => MultiPart::alternative()
                .boundary("actledger-alternative")
                .singlepart(text)
                .singlepart(SinglePart::html(html.clone())),
            None => MultiPart::alternative().boundary("actledger-alternative").singlepart(text),
        };
        let mut mixed = MultiPart::mixed().boundary("actledger-mixed").multipart(body);
        for a in &self.attachments {
            let kind = ContentType::parse(a.media_type).map_err(|e| bad(&e))?;
            mixed = mixed.singlepart(Part::new(a.name.clone()).body(a.bytes.clone(), kind));
        }
        builder.multipart(mixed).map_err(|e| bad(&e))
    }
}

fn raw(name: &'static str, value: &str) -> Result<HeaderValue, MailError> {
    let name = HeaderName::new_from_ascii(name.to_owned()).map_err(|e| MailError::Message(e.to_string()))?;
    Ok(HeaderValue::new(name, one_line(value)))
}

/// A header value without line breaks, whatever came in.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(subject: &str) -> Letter {
        Letter {
            from: "Actledger <a@example.com>".into(),
            bounce: None,
            reply_to: None,
            to: vec!["b@example.com".into()],
            subject: subject.into(),
            date: "2026-11-22T05:30:00+01:00".parse().unwrap(),
            message_id: "1@example.com".into(),
            text: "Grüße".into(),
            html: Some("<p>Grüße</p>".into()),
            attachments: vec![Attachment {
                name: "r.pdf".into(),
                media_type: "application/pdf",
                bytes: vec![1],
            }],
        }
    }

    #[test]
    fn a_subject_cannot_add_a_header() {
        let bytes = letter("x\r\nBcc: evil@example.com").message().unwrap().formatted();
        let text = String::from_utf8(bytes).unwrap();
        assert!(!text.lines().any(|l| l.starts_with("Bcc")), "{text}");
        assert!(
            text.contains("Auto-Submitted: auto-generated")
                && text.contains("Date: Sun, 22 Nov 2026 04:30:00 +0000")
        );
    }

    #[test]
    fn the_same_letter_is_the_same_bytes() {
        assert_eq!(letter("a").message().unwrap().formatted(), letter("a").message().unwrap().formatted());
    }
}
