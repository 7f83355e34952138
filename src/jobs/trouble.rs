//! The mail of a night without a report. It is made from the config and the error alone: no ledger holds it.

use super::letter::{domain, plain};
use super::{BrokenRecord, Desk, JobError};
use crate::evidence::Time;
use crate::mail::{Transport, hidden};
use crate::report::{Zone, mail as words};
use crate::schedule;
use crate::store::Reader;
use std::path::PathBuf;

/// Why there is none.
#[derive(Clone, Copy, Debug)]
pub enum Trouble<'a> {
    /// The record does not verify.
    Broken(&'a BrokenRecord),
    /// Something else, in words.
    Failed(&'a str),
}

/// Tells everybody of every list, once a night: when the report is due that was due since they were told last. Whether it was
/// due now.
///
/// # Errors
/// A mail that cannot be made or does not go out: it is due again then, to those who did not get it.
pub fn tell(desk: &Desk, trouble: Trouble<'_>) -> Result<bool, JobError> {
    let (now, c) = (desk.clock.now(), &desk.config);
    let Some(smtp) = &c.smtp else { return Ok(false) };
    let mut told = Told::read(desk);
    let (_, Some(night)) = schedule::fired(&c.schedule.report, &c.timezone, told.all, now) else {
        return Ok(false);
    };
    let day = Zone::named(&c.timezone).short_day(now);
    let (why, is_broken) = match trouble {
        Trouble::Broken(broken) => (format!("{broken}.{}", holds(desk, broken)), true),
        Trouble::Failed(why) => (why.to_owned(), false),
    };
    let said = words::without(&c.organization, &day, &why, is_broken);
    let said = said.map_err(|e| JobError::Render(e.to_string()))?;
    let transport = Transport::of(smtp)?;
    let mut failed = None;
    // Of what never ran there is no last time: the day stands for the night.
    let night = if told.all.is_some() { night.look_name() } else { now.to_string()[..10].replace('-', "") };
    told.some.retain(|id| id.contains(&night));
    for (i, list) in c.mail.iter().enumerate() {
        for (n, to) in list.to.iter().enumerate() {
            let id = format!("actledger-trouble-{night}-{i}-{n}@{}", domain(desk));
            if told.some.contains(&id) {
                continue;
            }
            let to = std::slice::from_ref(to);
            match transport.send(&plain(desk, to, id.clone(), said.subject.clone(), said.text.clone())) {
                Ok(_) => told.add(desk, id)?,
                Err(e) => failed = Some(JobError::Render(hidden(&crate::sources::told(&e)))),
            }
        }
    }
    match failed {
        Some(e) => Err(e),
        None => Told { all: Some(now), some: Vec::new() }.write(desk).map(|()| true),
    }
}

/// The last checkpoint before what does not hold, where there is one: it was checked on the way.
fn holds(desk: &Desk, broken: &BrokenRecord) -> String {
    let told = || {
        let reader = Reader::open(&desk.config.ledger.path).ok()?;
        let (size, _) = reader.checkpoint(broken.0.intact_up_to).ok()??;
        let at = reader.entry(size.checked_sub(1)?).ok()?.entry.recorded_at;
        let at = Zone::named(&desk.config.timezone).minute(at);
        Some(format!(" The checkpoint of {at} (size {size}) and the entries below it still hold."))
    };
    told().unwrap_or_default()
}

/// Who was told, also for the next process.
struct Told {
    /// When everybody was told last.
    all: Option<Time>,
    /// Mails of the night after, by Message-ID, that went out already.
    some: Vec<String>,
}

impl Told {
    fn path(desk: &Desk) -> PathBuf {
        desk.config.ledger.path.with_extension("trouble-told")
    }

    fn read(desk: &Desk) -> Told {
        let text = std::fs::read_to_string(Told::path(desk)).unwrap_or_default();
        let mut lines = text.lines();
        let all = lines.next().and_then(|t| t.trim().parse::<Time>().ok());
        Told { all, some: lines.map(str::to_owned).collect() }
    }

    fn add(&mut self, desk: &Desk, id: String) -> Result<(), JobError> {
        self.some.push(id);
        self.write(desk)
    }

    fn write(&self, desk: &Desk) -> Result<(), JobError> {
        let path = Told::path(desk);
        let first = self.all.map(|t| t.to_string()).unwrap_or_default();
        let text = std::iter::once(first).chain(self.some.iter().cloned()).collect::<Vec<_>>().join("\n");
        super::put(&path, text.as_bytes())
            .map_err(|e| JobError::Io(format!("cannot write {}", path.display()), e))
    }
}
