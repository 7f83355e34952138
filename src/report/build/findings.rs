//! A finding and its units: status, lifecycle, what they rest on; and the page of each control.

use super::super::model as m;
use super::super::sentences::{duty_in_full, name, reason, summary};
use super::{Builder, anchor};
use crate::act::Status;
use crate::assessment::due::Due;
use crate::assessment::facts::UnitState;
use crate::assessment::findings::OTHERS;
use crate::assessment::{Counts, Finding, Unit};
use crate::evidence::{Time, hex};
use regex::Regex;
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

impl<'a> Builder<'a> {
    pub(super) fn finding(&self, f: &Finding) -> m::Finding {
        let control = self.s.catalogue.control(&f.control);
        let text =
            |get: fn(&crate::act::Control) -> &String| control.map(|c| get(c).clone()).unwrap_or_default();
        let key = f.key();
        let mut others = 0;
        let shown: Vec<&Unit> = f
            .units
            .iter()
            .filter(|u| {
                let urgent = u.status <= Status::NotAssessed;
                others += usize::from(!urgent);
                urgent || others <= OTHERS
            })
            .collect();
        m::Finding {
            number: self.s.facts.own.numbers.get(&key).copied(),
            control: f.control.clone(),
            title: text(|c| &c.title),
            system: f.system.clone().unwrap_or_default(),
            kind: control.map_or(crate::act::ControlKind::House, |c| c.kind),
            severity: control.map(|c| f.severity(c).to_owned()).unwrap_or_default(),
            status: f.status,
            reason: f.reason.clone(),
            basis: f.basis.name(),
            tested: control.map_or(crate::act::Tested::AsOf, |c| c.tested),
            legal_state: f.law.state,
            applies_from: f.law.from,
            duty: duty_in_full(f, |t| self.zone.day(t)),
            may_bind: f.law.may_bind.clone(),
            house_rule: f.house.as_ref().map(|h| m::HouseRule {
                since: h.since,
                set_by: h.set_by.clone(),
                level: h.level.clone(),
            }),
            deadline: self.deadline(f),
            references: f.law.references.clone(),
            excepted: f.excepted,
            unprovided: false,
            counts: f.counts,
            summary: self.summary(f),
            remediation: text(|c| &c.remediation),
            limit: text(|c| &c.limit),
            units: shown.into_iter().map(|u| self.unit(f, &key, u)).collect(),
        }
    }

    /// What a finding showed, with the times of the house.
    pub(super) fn summary(&self, f: &Finding) -> String {
        self.told(&summary(f))
    }

    /// A sentence of a rule for people: times of the house, and no identifiers of clusters.
    pub(super) fn told(&self, text: &str) -> String {
        static CLUSTER: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\bk8s:[0-9a-f-]{36}/").ok());
        let text = self.zone.in_text(text);
        CLUSTER.as_ref().map_or(text.clone(), |cluster| cluster.replace_all(&text, "").into_owned())
    }

    /// By when an open finding is to be put right.
    pub(super) fn deadline(&self, f: &Finding) -> Option<m::Deadline> {
        let at = self.s.run.at;
        let due = Due::of(self.s.facts, self.s.catalogue, f, at).filter(|_| !f.excepted)?;
        let team = self.team_of(f.system.as_deref());
        let owner = due.action.and_then(|a| a.value.owner.clone()).unwrap_or_else(|| team.to_owned());
        let overdue = due.day().plus_days(1) <= at;
        let said = if overdue { "overdue since" } else { "due" };
        let by = if due.action.is_some() { "corrective action" } else { "house number" };
        Some(m::Deadline {
            day: due.day(),
            told: format!("{said} {} ({by}), {owner}", self.zone.day(due.day())),
            action: due.action.map(|a| a.seq),
            owner,
            overdue,
        })
    }

    pub(super) fn unit(&self, f: &Finding, key: &str, u: &Unit) -> m::Unit {
        let state = self.s.facts.own.units.get(&(key.to_owned(), u.id.clone()));
        let lifecycle = self.lifecycle(u.status, state);
        let leaves = self.s.leaves;
        let leaf = |seq: &u64| Some(leaves[leaves.binary_search_by_key(seq, |(n, _)| *n).ok()?].1);
        let evidence = u.evidence.iter().filter_map(|seq| Some(m::Evidence { seq: *seq, leaf: leaf(seq)? }));
        let mut evidence: Vec<m::Evidence> = evidence.collect();
        evidence.shrink_to_fit();
        let leaves: Vec<String> = evidence.iter().map(|e| hex(&e.leaf)).collect();
        let digest = Sha256::digest(leaves.join("\n").as_bytes()).into();
        let until = state.filter(|_| u.status == Status::Satisfied).and_then(|s| s.resolved);
        let number = u.line.filter(|_| matches!(u.status, Status::NotSatisfied | Status::NotAssessed));
        let rule = self.s.catalogue.control(&f.control).map_or(&[][..], |c| &c.rule);
        let line = number.and_then(|n| Some((n, rule.get(n - 1)?.when.clone())));
        m::Unit {
            id: u.id.clone(),
            status: u.status,
            reason: u.reason.clone(),
            lifecycle,
            cause: state.map(|s| s.cause.clone()).unwrap_or_default(),
            first_seen: state.and_then(|s| s.first_open),
            since: state.and_then(|s| s.since),
            until,
            note: if u.note.is_empty() { reason(&u.reason) } else { self.told(&u.note) },
            line,
            excepted: u.excepted.as_ref().map(|x| m::Accepted {
                how: x.how,
                entry: x.entry,
                until: x.until.map_or_else(|| "-".into(), |t| self.zone.day(t)),
            }),
            considered: m::Considered { looks: self.looks(f), count: evidence.len() as u64, digest },
            evidence,
        }
    }

    pub(super) fn looks(&self, f: &Finding) -> u64 {
        let Some(control) = self.s.catalogue.control(&f.control) else { return 0 };
        let needed = self.s.assessment.estate.coverage.values().filter(|c| control.needed.contains(&c.kind));
        let looks = needed.filter_map(|c| self.s.facts.own.looks.get(&c.source)).flatten();
        looks.filter(|l| l.value.complete && l.at >= self.s.assessment.estate.window).count() as u64
    }

    pub(super) fn lifecycle(&self, status: Status, state: Option<&UnitState>) -> &'static str {
        let Some(state) = state else { return "" };
        let fresh = |t: Option<Time>| t.is_some_and(|t| t > self.period().from);
        match status {
            Status::NotSatisfied if state.reopened => "reopened",
            Status::NotSatisfied if fresh(state.first_open) => "new",
            Status::NotSatisfied => "persisting",
            Status::NotAssessed if state.open_before => "unknown",
            Status::Satisfied | Status::NotApplicable if state.resolved.is_some() => "resolved",
            _ => "",
        }
    }

    pub(super) fn controls(&self) -> Vec<m::Control> {
        let asked = self.s.catalogue.controls.iter().filter(|c| self.findings().any(|f| f.control == c.id));
        asked
            .map(|c| {
                let findings: Vec<&Finding> = self.findings().filter(|f| f.control == c.id).collect();
                let mut counts = Counts::default();
                findings.iter().for_each(|f| counts.add(f.status));
                let row = |f: &&Finding| m::ControlRow {
                    system: f.system.as_deref().map_or_else(|| "estate".into(), name),
                    anchor: f.system.as_deref().map(anchor).unwrap_or_default(),
                    status: f.status,
                    excepted: f.excepted,
                    counts: f.counts,
                    summary: self.summary(f),
                };
                let line = |l: &crate::act::Line| {
                    let why = if l.reason.is_empty() { String::new() } else { format!(" ({})", l.reason) };
                    format!("{}: {}{why}", l.when, l.status.name().replace('-', " "))
                };
                m::Control {
                    id: c.id.clone(),
                    title: c.title.clone(),
                    question: c.question.clone(),
                    kind: c.kind,
                    sources: c.needed.iter().chain(&c.any_of).chain(&c.optional).map(|k| k.name()).collect(),
                    unit: c.unit.clone(),
                    tested: c.tested,
                    limit: c.limit.clone(),
                    remediation: c.remediation.clone(),
                    rule: c.rule.iter().map(line).collect(),
                    references: c.references.iter().map(|r| r.article.clone()).collect(),
                    counts,
                    findings: findings.iter().map(row).collect(),
                }
            })
            .collect()
    }
}
