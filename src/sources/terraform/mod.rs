//! Transport to HCP Terraform and Terraform Enterprise, which only reads. What comes back goes to the parser of Sentinel's
//! looks, as if it lay in a folder.

mod cursor;
mod details;
mod pace;
mod session;
mod trail;

use super::http::Refusal;
use super::live::{Knows, Start, Step};
use super::sentinel::Parser;
use super::{Context, Gathered};
use crate::evidence::Time;
use crate::evidence::sentinel::{SETTLED, is_final};
use cursor::Cursor;
use serde_json::{Value, json};
use session::{Reply, Session, documents};
use std::collections::BTreeSet;

/// Runs of a page, and of a step that reads open ones again.
const PAGE: usize = 100;
/// Seconds between two lists of all workspaces.
const WORKSPACES: i64 = 6 * 3600;
/// Requests that fail one after the other before a pass gives up.
const FAILURES: usize = 5;

/// A pass over an organization: what applies to all of its runs first, runs that were under way, then what is new, newest first.
pub struct Pass<'a> {
    context: &'a Context<'a>,
    session: Session,
    now: Time,
    organization: String,
    cursor: Cursor,
    /// Policy sets and policies, which runs are read beside.
    beside: Vec<Reply>,
    /// Since when the audit trail was read for this pass.
    trail_from: Option<Time>,
    /// Whether every run that it names was read, so that the next pass may begin after it.
    trail_is_done: bool,
    /// Runs of which the trail tells an override.
    named: Vec<String>,
    begun: bool,
    /// Runs that were not final when they were read, or of which something lacked.
    open: Vec<String>,
    /// Runs that this pass has read.
    done: BTreeSet<String>,
    /// Workspaces, by id and name, whose state was written since it was read.
    changed: Vec<Value>,
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

/// Workspaces of a list whose current state is not in the record.
fn changed(replies: &[Reply], known: &Knows<'_>) -> Result<Vec<Value>, String> {
    let mut found = Vec::new();
    for workspace in documents(replies, "data") {
        let state = workspace["relationships"]["current-state-version"]["data"]["id"].as_str();
        if let Some(state) = state.filter(|s| !s.is_empty())
            && known(state)?.is_none()
        {
            let name = json!({ "name": workspace["attributes"]["name"] });
            found.push(json!({ "type": "workspaces", "id": workspace["id"], "attributes": name }));
        }
    }
    Ok(found)
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
            organization: context.source.organization.clone().unwrap_or_default(),
            cursor,
            beside: Vec::new(),
            trail_from: None,
            trail_is_done: true,
            named: Vec::new(),
            begun: false,
            open: context.open.clone(),
            done: BTreeSet::new(),
            changed: Vec::new(),
        })
    }

    /// Reads the next step.
    ///
    /// # Errors
    /// The API is not reached, or refuses the token.
    pub fn step(&mut self, known: &Knows<'_>) -> Result<Step, String> {
        if !std::mem::replace(&mut self.begun, true) {
            return self.first(known);
        }
        if !self.open.is_empty() {
            return self.under_way();
        }
        if !self.cursor.scans.is_empty() {
            return self.page(known);
        }
        self.states()
    }

    /// Policy sets, workspaces and the audit trail.
    fn first(&mut self, known: &Knows<'_>) -> Result<Step, String> {
        let mut look = Look::new(self);
        let sets = format!(
            "organizations/{}/policy-sets?page%5Bsize%5D=100&include=policies,workspaces,workspace_exclusions,current_version",
            self.organization
        );
        let sets = self.session.all(&sets).map_err(Refusal::why)?;
        look.take(&sets);
        look.parser.sets_are_whole();
        if self.cursor.workspaces.is_none_or(|t| self.now.since(t).as_secs() >= WORKSPACES) {
            let workspaces = format!("organizations/{}/workspaces?page%5Bsize%5D=100", self.organization);
            match self.session.all(&workspaces) {
                Ok(replies) => {
                    look.take(&replies);
                    look.parser.workspaces_are_whole();
                    self.cursor.workspaces = Some(self.now);
                    self.changed = changed(&replies, known)?;
                    policies(&self.session, &mut look, &sets);
                }
                Err(refusal) => look.lacks(refusal, "names of workspaces, and which have no policies"),
            }
        }
        self.beside = sets;
        if let Some(overrides) = trail::read(&self.session, &mut look, &self.cursor, self.now) {
            self.named.clone_from(&overrides.runs);
            let new = overrides.runs.into_iter().filter(|run| !self.open.contains(run));
            self.open.extend(new.collect::<Vec<_>>());
            self.beside.extend(overrides.told);
            self.trail_from = Some(overrides.from);
        }
        self.pass_trail();
        Ok(look.step(self, false))
    }

    /// Runs that were under way, or of which something lacked, a page of them at a time.
    fn under_way(&mut self) -> Result<Step, String> {
        let mut look = Look::new(self);
        let left = self.open.split_off(self.open.len().min(PAGE));
        let ids = std::mem::replace(&mut self.open, left);
        let targets = ids.iter().map(|id| format!("runs/{id}?{}", details::INCLUDED)).collect();
        let mut runs = Vec::new();
        for (id, (_, reply)) in ids.iter().zip(self.session.several(targets)) {
            match reply {
                Ok(replies) => {
                    runs.extend(replies.iter().map(|r| r.body["data"].clone()));
                    look.take(&replies);
                }
                Err(Refusal::NotServed(why)) => {
                    look.parser.deleted(id);
                    look.gathered.gap(format!("{why}; the run was deleted, or the token no longer sees it"));
                }
                Err(refusal) => look.lacks_of_run(id, "runs", refusal)?,
            }
        }
        look.runs(&self.session, &runs)?;
        self.done.extend(ids);
        // An override of a run that goes on is read with the run once it is final.
        let goes_on = |run: &Value| {
            let is_named = self.named.iter().any(|named| run["id"] == **named);
            is_named && !is_final(run["attributes"]["status"].as_str().unwrap_or_default())
        };
        self.trail_is_done &= !look.lacks_some && !runs.iter().any(goes_on);
        self.pass_trail();
        Ok(look.step(self, false))
    }

    /// Notes that the audit trail was read up to now, once the runs that it names were read with it.
    fn pass_trail(&mut self) {
        if self.trail_from.is_some() && self.trail_is_done && self.open.is_empty() {
            self.cursor.trail = Some(self.now);
        }
    }

    /// A page of the list of runs.
    fn page(&mut self, known: &Knows<'_>) -> Result<Step, String> {
        let mut look = Look::new(self);
        let page = self.cursor.scans.first().map_or(1, |scan| scan.page);
        let target = format!(
            "organizations/{}/runs?page%5Bsize%5D={PAGE}&page%5Bnumber%5D={page}&{}",
            self.organization,
            details::INCLUDED
        );
        let mut reply = self.session.get(&target).map_err(Refusal::why)?;
        let listed = reply.body["data"].as_array().cloned().unwrap_or_default();
        let created = |run: &Value| run["attributes"]["created-at"].as_str()?.parse::<Time>().ok();
        let times: Vec<Time> = listed.iter().filter_map(created).collect();
        let mut new = Vec::new();
        for run in listed {
            let id = run["id"].as_str().unwrap_or_default().to_owned();
            let is_settled = known(&id)?.is_some_and(|k| k.mark == SETTLED);
            if !is_settled && self.done.insert(id) {
                new.push(run);
            }
        }
        reply.body["data"] = new.clone().into();
        let is_last = reply.body["meta"]["pagination"]["next-page"].is_null();
        look.take(&[reply]);
        look.runs(&self.session, &new)?;
        self.cursor.turned(times.iter().max().copied().zip(times.iter().min().copied()), is_last);
        let last = self.cursor.scans.is_empty() && self.changed.is_empty();
        Ok(look.step(self, last))
    }

    /// Versions of the states of workspaces whose state is another one than the record has.
    fn states(&mut self) -> Result<Step, String> {
        let mut look = Look::new(self);
        let left = self.changed.split_off(self.changed.len().min(PAGE));
        let workspaces = std::mem::replace(&mut self.changed, left);
        let targets = workspaces.iter().filter_map(|w| {
            Some(format!("workspaces/{}/state-versions?page%5Bsize%5D=100", w["id"].as_str()?))
        });
        let asked = self.session.heads(targets.collect());
        look.parser.beside("workspaces", json!({ "data": workspaces }));
        for (_, reply) in asked {
            match reply {
                Ok(reply) => look.take(&[reply]),
                Err(refusal) => {
                    // The next list of workspaces asks again.
                    self.cursor.workspaces = None;
                    look.lacks(refusal, "states that were written without a run");
                }
            }
        }
        let last = self.changed.is_empty();
        Ok(look.step(self, last))
    }

    /// What a pass would read, in words.
    ///
    /// # Errors
    /// The API is not reached, or refuses a token.
    pub fn waiting(self) -> Result<String, String> {
        let organization =
            self.session.get(&format!("organizations/{}", self.organization)).map_err(Refusal::why)?;
        let name =
            organization.body["data"]["attributes"]["name"].as_str().unwrap_or(&self.organization).to_owned();
        let runs = format!("organizations/{name}/runs?page%5Bsize%5D=1");
        self.session.get(&runs).map_err(Refusal::why)?;
        let trail = trail::waiting(&self.session, self.now)?;
        Ok(format!("{} shows {name} and its runs; {trail}", self.session.base()))
    }
}

/// What one step reads.
struct Look<'a> {
    parser: Parser<'a>,
    gathered: Gathered,
    digests: Vec<String>,
    asked: u64,
    failures: usize,
    /// Whether something of a run could not be read, which the next pass may read.
    lacks_some: bool,
}

impl<'a> Look<'a> {
    fn new(pass: &Pass<'a>) -> Look<'a> {
        let mut parser = Parser::new(pass.context.source, pass.now).with_trail_from(pass.trail_from);
        pass.beside.iter().for_each(|reply| parser.beside(&reply.path, reply.body.clone()));
        let asked = pass.session.asked();
        Look {
            parser,
            gathered: Gathered::default(),
            digests: Vec::new(),
            asked,
            failures: 0,
            lacks_some: false,
        }
    }

    fn take(&mut self, replies: &[Reply]) {
        self.note(replies);
        replies.iter().for_each(|reply| self.parser.reply(&reply.path, reply.body.clone()));
        self.failures = 0;
    }

    /// Notes which replies were read.
    fn note(&mut self, replies: &[Reply]) {
        self.digests.extend(replies.iter().map(|r| format!("{} {}", r.path, r.sha256)));
    }

    fn lacks(&mut self, refusal: Refusal, what: &str) {
        self.gathered.gap(format!("{}; not in the record: {what}", refusal.why()));
    }

    /// Notes what lacks of a run, which is then read again by the next pass unless it is refused for good.
    fn lacks_of_run(&mut self, run: &str, what: &str, refusal: Refusal) -> Result<(), String> {
        let is_for_good = matches!(refusal, Refusal::Denied(_) | Refusal::NotServed(_));
        // The token itself is refused: nothing that is asked with it says anything.
        let is_of_token = matches!(refusal, Refusal::Unknown(_));
        let why = refusal.why();
        if is_of_token {
            return Err(why);
        }
        if is_for_good {
            self.parser.denied(run, what);
        } else {
            self.parser.unread(run, what);
            self.lacks_some = true;
            self.failures += 1;
        }
        if self.failures == FAILURES {
            return Err(format!("{why}; {FAILURES} requests failed one after the other"));
        }
        self.gathered.gap(why);
        Ok(())
    }

    /// Everything that is asked of runs beside their own document.
    fn runs(&mut self, session: &Session, runs: &[Value]) -> Result<(), String> {
        let mut targets: Vec<String> = runs.iter().flat_map(details::of_run).collect();
        while !targets.is_empty() {
            let mut next = Vec::new();
            for (target, replies) in session.several(targets) {
                match replies {
                    Ok(replies) => {
                        next.extend(replies.iter().flat_map(|r| details::of_reply(&r.path, &r.body)));
                        self.take(&replies);
                    }
                    Err(refusal) => {
                        let path = target.split('?').next().unwrap_or(&target);
                        let (of, what) = path.rsplit_once('/').unwrap_or((path, path));
                        let run = self.parser.run_of(of);
                        self.lacks_of_run(&run, what, refusal)?;
                    }
                }
            }
            targets = next;
        }
        for run in runs {
            let (Some(target), Some(id)) = (details::plan(run), run["id"].as_str()) else { continue };
            match session.file(&target) {
                Ok(file) => {
                    self.failures = 0;
                    self.parser.plan(&format!("runs/{id}/plan.json"), file);
                }
                Err(refusal) => self.lacks_of_run(id, "plan", refusal)?,
            }
        }
        Ok(())
    }

    fn step(self, pass: &Pass<'_>, last: bool) -> Step {
        let mut gathered = self.parser.finish();
        gathered.absorb(self.gathered);
        gathered.requests = vec![format!("{} requests", pass.session.asked() - self.asked)];
        gathered.replied(self.digests);
        Step { look: pass.cursor.look(), gathered, last }
    }
}
