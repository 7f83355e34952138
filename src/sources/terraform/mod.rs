//! Transport to HCP Terraform and Terraform Enterprise, which only reads. What comes back goes to the parser of Sentinel's
//! looks, as if it lay in a folder.

mod cursor;
mod details;
mod look;
mod pace;
mod runs;
mod session;
mod states;
mod trail;

use super::Context;
use super::http::Refusal;
use super::live::{Record, Start, Step};
use super::sentinel::Parser;
use crate::evidence::Time;
use crate::evidence::sentinel::GONE;
use cursor::Cursor;
use look::Look;
use serde_json::Value;
use session::{Reply, Session, documents};
use std::collections::BTreeSet;

/// Runs of a page, and of a step that reads open ones again.
const PAGE: usize = 100;
/// Seconds between two lists of all workspaces, and between two tries to read what lacks of a run.
const WORKSPACES: i64 = 6 * 3600;
const RETRY: i64 = 6 * 3600;
/// Seconds after which other runs of which something lacks are tried first.
const TURN: i64 = 900;

/// A pass over an organization: what applies to all of its runs first, runs that were under way, then what is new, newest first.
pub struct Pass<'a> {
    context: &'a Context<'a>,
    session: Session,
    now: Time,
    since: Option<Time>,
    cursor: Cursor,
    /// Policy sets and policies, which runs are read beside.
    beside: Vec<Reply>,
    /// Since when the audit trail was read for this pass.
    trail_from: Option<Time>,
    /// Whether every run that it names was read, so that the next pass may begin after it.
    trail_is_done: bool,
    /// Runs of which the trail tells an override.
    named: BTreeSet<String>,
    begun: bool,
    /// Runs that are to be read by their id; those of which something lacks, once all that is new was read.
    open: Vec<String>,
    lacking: Vec<String>,
    /// One of those of which the token did not see everything, to find out whether it does now.
    probe: Option<String>,
    /// Whether runs of which something lacked are read again, and whether something lacks of another.
    retries: bool,
    lacks_more: bool,
    /// Runs that this pass has read.
    done: BTreeSet<String>,
    /// Workspaces, by id and name, whose state was written since it was read.
    changed: Vec<Value>,
}

impl<'a> Pass<'a> {
    /// Finds the tokens.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn open(context: &'a Context<'a>, start: Start) -> Result<Pass<'a>, String> {
        let mut cursor = Cursor::of(&context.look);
        cursor.begin(start.since);
        Ok(Pass {
            context,
            session: Session::open(context.source)?,
            now: start.now,
            since: start.since,
            cursor,
            beside: Vec::new(),
            trail_from: None,
            trail_is_done: true,
            named: BTreeSet::new(),
            begun: false,
            open: context.runs.open.clone(),
            lacking: Vec::new(),
            probe: None,
            retries: false,
            lacks_more: false,
            done: BTreeSet::new(),
            changed: Vec::new(),
        })
    }

    /// Reads the next step.
    ///
    /// # Errors
    /// The API is not reached, or refuses the token.
    pub fn step(&mut self, record: &dyn Record) -> Result<Step, String> {
        if !std::mem::replace(&mut self.begun, true) {
            return self.first(record);
        }
        if !self.open.is_empty() {
            return self.by_id();
        }
        if !self.cursor.scans.is_empty() {
            return self.page(record);
        }
        if !self.lacking.is_empty() {
            let lacking = std::mem::take(&mut self.lacking);
            self.open.extend(lacking.into_iter().filter(|id| !self.done.contains(id)));
        }
        if self.open.is_empty() { self.states(record) } else { self.by_id() }
    }

    /// Whether nothing is left to read.
    fn is_done(&self) -> bool {
        let runs = [&self.open, &self.lacking].into_iter().all(Vec::is_empty);
        runs && self.cursor.scans.is_empty() && self.changed.is_empty()
    }

    /// Policy sets, workspaces and the audit trail.
    fn first(&mut self, record: &dyn Record) -> Result<Step, String> {
        let mut look = self.look();
        let sets = self.sets(&mut look)?;
        if self.cursor.workspaces.is_none_or(|t| self.now.since(t).as_secs() >= WORKSPACES) {
            let workspaces =
                format!("organizations/{}/workspaces?page%5Bsize%5D=100", self.session.organization);
            match self.session.all(&workspaces) {
                Ok(replies) => {
                    self.workspaces(&replies, record)?;
                    look.take(replies);
                    look.parser.workspaces_are_whole();
                    sets.iter().for_each(|sets| policies(&self.session, &mut look, sets));
                }
                Err(refusal) => look.lacks(refusal, "names of workspaces, and which have no policies"),
            }
        }
        self.beside = sets.unwrap_or_default();
        if let Some(overrides) = trail::read(&self.session, &mut look, &self.cursor, self.now) {
            self.named.extend(overrides.runs);
            self.beside.extend(overrides.told);
            self.trail_from = Some(overrides.from);
        }
        self.begin_again();
        self.pass_trail();
        Ok(self.took(look))
    }

    /// Policy sets with their policies; none for a token that may not see them, but sees runs all the same.
    fn sets(&self, look: &mut Look<'_>) -> Result<Option<Vec<Reply>>, String> {
        let sets = format!(
            "organizations/{}/policy-sets?page%5Bsize%5D=100&include=policies,workspaces,workspace_exclusions,projects,current_version",
            self.session.organization
        );
        match self.session.all(&sets) {
            Ok(sets) => {
                look.take(sets.clone());
                look.parser.sets_are_whole();
                Ok(Some(sets))
            }
            Err(refusal @ (Refusal::Denied(_) | Refusal::NotServed(_))) => {
                look.lacks(refusal, "policy sets: levels that policies declare, and where they apply");
                Ok(None)
            }
            Err(refusal) => Err(refusal.why()),
        }
    }

    /// Notes workspaces whose state was written, and looks for runs of those that the token did not see before.
    fn workspaces(&mut self, replies: &[Reply], record: &dyn Record) -> Result<(), String> {
        self.changed = states::changed(replies, record)?;
        for workspace in documents(replies, "data") {
            let created = workspace["attributes"]["created-at"].as_str().and_then(|t| t.parse::<Time>().ok());
            let is_older = created.zip(self.cursor.runs).is_some_and(|(created, read)| created < read);
            let id = workspace["id"].as_str().unwrap_or_default();
            let is_seen_anew = record.delivered(id)?.is_none_or(|k| k.mark == GONE);
            if self.cursor.workspaces.is_some() && is_older && is_seen_anew {
                self.cursor.check(self.since);
            }
        }
        self.cursor.workspaces = Some(self.now);
        Ok(())
    }

    /// Queues runs that are read by their id: those that the trail names, and later those of which something lacks.
    fn begin_again(&mut self) {
        let known = &self.context.runs;
        let open: BTreeSet<String> = self.open.iter().cloned().collect();
        self.open.extend(self.named.difference(&open).cloned());
        self.retries = self.cursor.retry.is_none_or(|t| t <= self.now);
        if self.retries {
            // Others come first each time, should not all be reached.
            let turn = usize::try_from(self.now.seconds() / TURN).unwrap_or_default();
            self.lacking = known.lacking.clone();
            self.lacking.rotate_left(turn % known.lacking.len().max(1));
            self.probe = known.denied.get(turn % known.denied.len().max(1)).cloned();
            self.lacking.extend(self.probe.clone());
        }
        self.plan_retry();
    }

    /// Notes when runs of which something lacks are read again: by the next pass, if it lacks since this one.
    fn plan_retry(&mut self) {
        if self.lacks_more {
            self.cursor.retry = Some(self.now);
        } else if self.retries && self.open.is_empty() && self.lacking.is_empty() {
            self.cursor.retry = Some(self.now.plus_seconds(RETRY));
        }
    }

    /// Notes that the audit trail was read up to now, once the runs that it names were read with it.
    fn pass_trail(&mut self) {
        if self.trail_from.is_some() && self.trail_is_done && self.open.is_empty() {
            self.cursor.trail = Some(self.now);
        }
    }

    fn look(&self) -> Look<'a> {
        let mut parser = Parser::new(self.context.source, self.now)
            .with_trail_from(self.trail_from)
            .with_notices(self.context.notices.clone());
        self.beside.iter().for_each(|reply| parser.beside(&reply.path, reply.body.clone()));
        Look::new(parser, self.session.asked())
    }

    fn took(&self, look: Look<'_>) -> Step {
        look.step(self.cursor.look(), self.session.asked(), self.is_done())
    }

    /// What a pass would read, in words.
    ///
    /// # Errors
    /// The API is not reached, or refuses a token.
    pub fn waiting(self) -> Result<String, String> {
        let organization = self
            .session
            .get(&format!("organizations/{}", self.session.organization))
            .map_err(Refusal::why)?;
        let name = organization.body["data"]["attributes"]["name"]
            .as_str()
            .unwrap_or(&self.session.organization)
            .to_owned();
        let runs = format!("organizations/{name}/runs?page%5Bsize%5D=1");
        self.session.get(&runs).map_err(Refusal::why)?;
        let trail = trail::waiting(&self.session, self.now)?;
        Ok(format!("{} shows {name} and its runs; {trail}", self.session.base()))
    }
}

/// Texts of the policies that sets hold.
fn policies(session: &Session, look: &mut Look<'_>, sets: &[Reply]) {
    let policies =
        documents(sets, "included").filter(|d| d["type"] == "policies").filter_map(|d| d["id"].as_str());
    let targets: BTreeSet<String> = policies.map(|id| format!("policies/{id}/download")).collect();
    let mut is_whole = true;
    for (target, text) in session.texts(targets.into_iter().collect()) {
        match text {
            Ok(text) => look.parser.policy(target.split('/').nth(1).unwrap_or_default(), text),
            Err(refusal) => {
                is_whole = false;
                look.lacks(refusal, "the text of a policy");
            }
        }
    }
    if is_whole {
        look.parser.policies_are_whole();
    }
}
