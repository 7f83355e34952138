//! A pass over flow logs in AWS: what was delivered in steps, the inventory with the first one.

use super::{Objects, Session, Windows, inventory};
use crate::evidence::Time;
use crate::sources::Context;
use crate::sources::live::{Record, Start, Step};
use std::rc::Rc;

/// A pass over flow logs in AWS.
pub struct Pass<'a> {
    context: &'a Context<'a>,
    now: Time,
    /// Whether the inventory is still to be read.
    inventory: bool,
    session: Rc<Session>,
    from: From<'a>,
}

enum From<'a> {
    Objects(Objects<'a>),
    Windows(Windows<'a>),
}

impl<'a> Pass<'a> {
    /// Reaches the source and finds out where things lie.
    ///
    /// # Errors
    /// Why it cannot be reached or read.
    pub fn open(context: &'a Context<'a>, start: Start) -> Result<Pass<'a>, String> {
        let session = Rc::new(Session::open(&context.source.access())?);
        let from = if context.source.location.starts_with("cloudwatch:") {
            From::Windows(Windows::open(Rc::clone(&session), context, start)?)
        } else {
            From::Objects(Objects::open(Rc::clone(&session), context, start)?)
        };
        Ok(Pass { context, now: start.now, inventory: context.source.inventory, session, from })
    }

    /// What it delivers is called.
    pub fn unit(&self) -> &'static str {
        match self.from {
            From::Objects(_) => "objects",
            From::Windows(_) => "windows",
        }
    }

    /// Reads the next step.
    ///
    /// # Errors
    /// Why the source cannot be read on.
    pub fn step(&mut self, record: &dyn Record) -> Result<Step, String> {
        let mut step = match &mut self.from {
            From::Objects(pass) => pass.step(record),
            From::Windows(pass) => pass.step(record),
        }?;
        if std::mem::take(&mut self.inventory) {
            let listed = inventory(&self.session, self.context, self.now);
            step.gathered.complete.clone_from(&listed.complete);
            step.gathered.requests.extend(listed.requests.iter().cloned());
            step.gathered.absorb(listed);
        }
        step.gathered.identity.clone_from(&self.session.identity);
        Ok(step)
    }

    /// What it would read, in words.
    ///
    /// # Errors
    /// Why it cannot be listed.
    pub fn waiting(self, record: &dyn Record) -> Result<String, String> {
        match self.from {
            From::Objects(pass) => pass.waiting(record),
            From::Windows(pass) => Ok(pass.waiting()),
        }
    }
}
