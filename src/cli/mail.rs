//! `actledger mail`

use super::args::Mail;
use super::{CliError, Ended, output};
use crate::evidence::record;
use crate::jobs::{self, AsOf, Desk, Judged, Which};
use crate::mail::{Transport, masked};

pub(super) fn run(desk: &Desk, command: &Mail) -> Result<Ended, CliError> {
    let Some(smtp) = &desk.config.smtp else {
        return Err(CliError::Usage("no [smtp] in the config: mail has no way out".into()));
    };
    match command {
        Mail::Send { dry_run: true } => dry_run(desk),
        Mail::Send { dry_run: false } => {
            let mut store = desk.store()?;
            let transport = Transport::of(smtp).map_err(jobs::JobError::from)?;
            let status = jobs::flush(desk, &mut store, &transport, Which::All, None)?;
            output::line(format!("{} sent, {} not", status.sent, status.failed.len()));
            status.failed.iter().for_each(|f| output::line(format!("  {f}")));
            Ok(if status.failed.is_empty() { Ended::Well } else { Ended::Something })
        }
        Mail::Test => test(desk, &Transport::of(smtp).map_err(jobs::JobError::from)?),
    }
}

/// What each list would get of the last assessment.
fn dry_run(desk: &Desk) -> Result<Ended, CliError> {
    let store = desk.store()?;
    let as_of = jobs::resolve(desk, &store, &AsOf::Latest)?;
    let judged = Judged::of(desk, &store, as_of)?;
    let at = store.reader().entry(as_of - 1)?.entry.occurred_at;
    for (i, list) in desk.config.mail.iter().enumerate() {
        let message_id = format!("dry-run-{i}@localhost");
        let mail = record::Mail {
            message_id,
            list: i as u64,
            recipient: None,
            to: None,
            team: None,
            checkpoint: false,
            as_of,
            at,
            sha256: None,
            attempts: None,
        };
        let letter = jobs::compose(desk, &store, &judged, &mail, list)?;
        let names: Vec<&str> = letter.attachments.iter().map(|a| a.name.as_str()).collect();
        output::line(format!("To: {}\nSubject: {}\n\n{}", letter.to.join(", "), letter.subject, letter.text));
        output::line(format!(
            "Attached: {}\n",
            if names.is_empty() { "nothing".into() } else { names.join(", ") }
        ));
    }
    Ok(Ended::Well)
}

fn test(desk: &Desk, transport: &Transport) -> Result<Ended, CliError> {
    let mut ended = Ended::Well;
    for (i, list) in desk.config.mail.iter().enumerate() {
        let id = format!("actledger-test-{}-{i}@localhost", desk.clock.now().millis());
        let subject = format!("[{}] Actledger test mail", desk.config.organization);
        let text = "This is a test. The nightly report will come to this address.\n".to_owned();
        let letter = jobs::plain(desk, &list.to, id, subject, text);
        let to: Vec<String> = list.to.iter().map(|t| masked(t)).collect();
        match transport.send(&letter) {
            Ok(_) => output::line(format!("sent to {}", to.join(", "))),
            Err(e) => {
                output::line(format!("NOT sent to {}: {e}", to.join(", ")));
                ended = Ended::Something;
            }
        }
    }
    Ok(ended)
}
