//! What one step of a pass reads, and what it could not.

use super::details;
use super::session::{Reply, Session};
use crate::sources::Gathered;
use crate::sources::http::Refusal;
use crate::sources::live::Step;
use crate::sources::sentinel::Parser;
use serde_json::Value;
use std::collections::BTreeSet;

/// Requests that fail one after the other before the API is asked whether it answers at all.
const FAILURES: usize = 5;

/// What one step reads.
pub(super) struct Look<'a> {
    pub parser: Parser<'a>,
    pub gathered: Gathered,
    /// Runs, each with a document that could not be read now.
    pub unread: BTreeSet<(String, String)>,
    /// Runs of which the token does not see a document.
    pub denied: BTreeSet<String>,
    digests: Vec<String>,
    asked: u64,
    failures: usize,
}

impl<'a> Look<'a> {
    /// Nothing yet, after so many requests.
    pub(super) fn new(parser: Parser<'a>, asked: u64) -> Look<'a> {
        Look {
            parser,
            gathered: Gathered::default(),
            unread: BTreeSet::new(),
            denied: BTreeSet::new(),
            digests: Vec::new(),
            asked,
            failures: 0,
        }
    }

    /// Takes replies.
    pub(super) fn take(&mut self, replies: Vec<Reply>) {
        self.note(&replies);
        replies.into_iter().for_each(|reply| self.parser.reply(&reply.path, reply.body));
        self.failures = 0;
    }

    /// Notes which replies were read.
    pub(super) fn note(&mut self, replies: &[Reply]) {
        self.digests.extend(replies.iter().map(|r| format!("{} {}", r.path, r.sha256)));
    }

    /// Notes what is not in the record for a refusal.
    pub(super) fn lacks(&mut self, refusal: Refusal, what: &str) {
        self.gathered.gap(format!("{}; not in the record: {what}", refusal.why()));
    }

    /// Notes what lacks of a run, which is then read again by a later pass unless it is refused for good.
    ///
    /// # Errors
    /// The token is refused, or the API answers nothing any more.
    pub(super) fn lacks_of_run(
        &mut self,
        session: &Session,
        run: &str,
        what: &str,
        refusal: Refusal,
    ) -> Result<(), String> {
        match &refusal {
            // Nothing that is asked with such a token says anything.
            Refusal::Unknown(_) => return Err(refusal.why()),
            Refusal::TooLong(_) if what == "plan" => self.parser.too_long(run),
            Refusal::Denied(_) | Refusal::NotServed(_) | Refusal::TooLong(_) => {
                self.parser.denied(run, what);
                self.denied.insert(run.to_owned());
            }
            Refusal::Expired(_) | Refusal::Failed(_) => {
                self.parser.unread(run, what);
                self.unread.insert((run.to_owned(), what.to_owned()));
                self.failures += 1;
            }
        }
        if self.failures == FAILURES {
            session
                .answers()
                .map_err(|why| format!("{why}; {FAILURES} requests failed one after the other"))?;
            self.failures = 0;
        }
        self.gathered.gap(refusal.why());
        Ok(())
    }

    /// Everything that is asked of runs beside their own document.
    ///
    /// # Errors
    /// The token is refused, or the API answers nothing any more.
    pub(super) fn runs(&mut self, session: &Session, runs: &[&Value]) -> Result<(), String> {
        let mut targets: Vec<String> = runs.iter().flat_map(|run| details::of_run(run)).collect();
        while !targets.is_empty() {
            let mut next = Vec::new();
            for (target, replies) in session.several(targets) {
                let path = target.split('?').next().unwrap_or(&target);
                let (of, what) = path.rsplit_once('/').unwrap_or((path, path));
                match replies {
                    Ok(replies) => {
                        let leads = |r: &Reply| details::of_reply(&r.body);
                        let (documents, overridden): (Vec<_>, Vec<_>) = replies.iter().map(leads).unzip();
                        self.take(replies);
                        next.extend(documents.into_iter().flatten());
                        if overridden.contains(&true) {
                            next.push(format!("runs/{}/comments", self.parser.run_of(of)));
                        }
                    }
                    Err(refusal) => {
                        let run = self.parser.run_of(of);
                        self.lacks_of_run(session, &run, what, refusal)?;
                    }
                }
            }
            next.sort();
            next.dedup();
            targets = next;
        }
        runs.iter().try_for_each(|run| self.plan(session, run))
    }

    fn plan(&mut self, session: &Session, run: &Value) -> Result<(), String> {
        let (Some(target), Some(id)) = (details::plan(run), run["id"].as_str()) else { return Ok(()) };
        match session.file(&target) {
            Ok(file) => {
                self.failures = 0;
                if !self.parser.plan(&format!("runs/{id}/plan.json"), file) {
                    self.unread.insert((id.to_owned(), "plan".into()));
                }
            }
            Err(refusal) => self.lacks_of_run(session, id, "plan", refusal)?,
        }
        Ok(())
    }

    /// The step that this was.
    pub(super) fn step(self, cursor: String, asked: u64, last: bool) -> Step {
        let mut gathered = self.parser.finish();
        gathered.absorb(self.gathered);
        gathered.requests = vec![format!("{} requests", asked - self.asked)];
        gathered.replied(self.digests);
        Step { look: cursor, gathered, last }
    }
}
