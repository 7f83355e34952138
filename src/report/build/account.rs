//! What was not seen, and who accepted what is not satisfied.

use super::super::model as m;
use super::super::sentences::count;
use super::Builder;
use crate::act::{Control, SourceKind, Status};
use crate::assessment::coverage::{Gap, NO_RECORD, RESTATED};
use crate::assessment::{Finding, exceptions};
use crate::evidence::Time;
use std::collections::BTreeSet;

impl<'a> Builder<'a> {
    pub(super) fn coverage(&self, c: &crate::assessment::Coverage) -> m::Coverage {
        let gap = |g: &crate::assessment::coverage::Gap| m::Gap {
            from: g.from,
            to: g.to,
            when: self.zone.span(g.from, g.to),
            what: self.zone.in_text(&g.what),
            reason: g.reason,
            entry: g.entry,
        };
        // Files and places are of anybody: a team is told of a source what it means for it, and not them.
        let is_of_team = self.s.scope.team.is_some();
        let of_all = |told: Vec<String>| if is_of_team { Vec::new() } else { told };
        let none = Vec::new();
        let looks = self.s.facts.own.looks.get(&c.source).unwrap_or(&none);
        let look = |l: &crate::assessment::facts::Look| m::Look {
            entry: l.seq,
            when: l.value.looked_at.map_or_else(|| "look time unknown".into(), |t| self.zone.minute(t)),
            read: l.value.read.clone(),
            entries: l.value.entries,
            skipped: l.value.counts.quarantined + l.value.counts.refused,
            complete: l.value.complete,
            faults: of_all(
                l.value.faults.iter().map(|f| format!("{} {}: {}", f.file, f.place, f.what)).collect(),
            ),
        };
        let config = self.s.run.config.sources.get(&c.source);
        m::Coverage {
            source: c.source.clone(),
            kind: c.kind.name(),
            unit: c.unit.to_owned(),
            expected: c.expected,
            seen: c.seen,
            horizon: c.horizon,
            horizon_local: self.zone.minute(c.horizon),
            begin_local: c.begin.map_or_else(|| "never read".into(), |t| self.zone.minute(t)),
            stale: c.stale,
            off: c.off.clone(),
            location: config.filter(|_| !is_of_team).map(|x| x.location.clone()).unwrap_or_default(),
            delivery: c.delivery.clone(),
            gaps: c.gaps.iter().map(gap).collect(),
            late: c.late.iter().map(gap).collect(),
            truncated: of_all(c.truncated.clone()),
            outside_layout: self.outside_layout(&c.source).filter(|_| !is_of_team),
            calendar: self.calendar(c),
            looks: looks.iter().filter(|l| l.at >= self.s.assessment.estate.window).map(look).collect(),
        }
    }

    /// What was seen on each day since we look and up to which it can be judged. A day of which any part is missing is one in part;
    /// one that gaps of the whole source fill is one of which nothing was seen.
    fn calendar(&self, c: &crate::assessment::Coverage) -> Vec<m::Day> {
        let Some(begin) = c.begin.filter(|_| c.kind != SourceKind::Register) else { return Vec::new() };
        let from = begin.max(self.s.assessment.estate.window);
        // A gap of one interface leaves the others.
        let is_whole = |g: &&Gap| c.kind != SourceKind::FlowLogs || g.what == NO_RECORD;
        let state = |a: Time, b: Time| {
            let (a, b) = (a.max(from), b.min(c.horizon));
            let within = |g: &&Gap| g.from < b && g.to > a || g.from == g.to && g.from >= a && g.from < b;
            let mut seen_to = a;
            for gap in c.gaps.iter().filter(within).filter(is_whole) {
                // They are in the order of time.
                seen_to = if gap.from <= seen_to { seen_to.max(gap.to) } else { seen_to };
            }
            match c.gaps.iter().any(|g| within(&g)) {
                false => "seen",
                true if seen_to >= b => "none",
                true => "part",
            }
        };
        let days = self.zone.days(from, c.horizon).into_iter();
        days.map(|(a, b)| m::Day { begin: a, day: self.zone.short_day(a), state: state(a, b) }).collect()
    }

    fn outside_layout(&self, source: &str) -> Option<m::OutsideLayout> {
        let strays = self.s.assessment.estate.strays.get(source)?;
        let layout = self.s.run.config.sources.get(source).and_then(|c| c.pattern.as_deref());
        let keys = strays.keys.iter().map(|(uri, entry)| m::Stray { uri: uri.clone(), entry: *entry });
        Some(m::OutsideLayout {
            layout: layout.unwrap_or(crate::config::LAYOUT).to_owned(),
            count: strays.count,
            keys: keys.collect(),
        })
    }

    /// What was read in the period of hours that a report had told of before.
    pub(super) fn restated(&self) -> Vec<String> {
        let (from, own) = (self.period().from, &self.s.facts.own);
        let told = own.reports.iter().rfind(|r| r.value.at <= from).map(|r| r.value.as_of);
        // Of an asked period before the first report, all that restates one.
        let told = told.or(self.s.scope.from.map(|_| 0));
        let Some(told) = told.filter(|_| self.s.scope.is_whole()) else { return Vec::new() };
        let late =
            self.s.assessment.estate.coverage.values().flat_map(|c| c.late.iter().map(move |g| (c, g)));
        let since = late.filter(|(_, g)| g.reason == RESTATED && g.entry.is_some_and(|e| e >= told));
        let line = |(c, g): (&crate::assessment::Coverage, &Gap)| {
            format!("{}, {}: {}", c.source, self.zone.span(g.from, g.to), self.zone.in_text(&g.what))
        };
        since.map(line).collect()
    }

    pub(super) fn exceptions(&self) -> Vec<m::Exception> {
        let facts = self.s.facts;
        let written = exceptions::written(facts, self.s.catalogue, self.s.assessment);
        let written = written.into_iter().map(|w| {
            let (e, v) = (w.seen, &w.seen.value);
            m::Exception {
                what: "exception",
                control: v.control.clone(),
                system: v.system.clone(),
                thing: v.thing.clone(),
                who: format!(
                    "{}, approved by {}",
                    v.owner.as_deref().unwrap_or("no owner"),
                    v.approver.as_ref().map_or_else(|| "nobody named".into(), |a| facts.alias(a))
                ),
                why: match (&v.reason, &v.ticket) {
                    (None, _) => "no reason given".into(),
                    (Some(reason), None) => reason.clone(),
                    (Some(reason), Some(ticket)) => format!("{reason} ({ticket})"),
                },
                until: v.expires.map_or_else(|| "no end given".into(), |t| self.zone.day(t)),
                state: w.told(),
                entry: Some(e.seq),
            }
        });
        let judged = self
            .findings()
            .filter(|f| ["override-accountable", "exemptions-written-down"].contains(&f.control.as_str()));
        let units =
            judged.flat_map(|f| f.units.iter().map(move |u| (f, u))).filter(|(_, u)| !u.evidence.is_empty());
        let unwritten = units.map(|(f, u)| {
            let over = f.control == "override-accountable";
            let (good, bad) =
                if over { ("accountable", "not accountable") } else { ("written down", "not written down") };
            m::Exception {
                what: if over { "override" } else { "exemption" },
                control: f.control.clone(),
                system: f.system.clone().unwrap_or_default(),
                thing: u.id.clone(),
                who: String::new(),
                why: u.note.clone(),
                until: "-".into(),
                state: match u.status {
                    Status::Satisfied => good,
                    Status::NotSatisfied => bad,
                    Status::NotAssessed | Status::NotApplicable => "not assessed",
                }
                .into(),
                entry: u.evidence.first().copied(),
            }
        });
        let all = written.chain(unwritten);
        let is_of_team = self.s.scope.team.is_some();
        all.filter(|e| if e.system.is_empty() { !is_of_team } else { self.asks(&e.system) }).collect()
    }

    pub(super) fn decisions(&self) -> Vec<m::Decision> {
        let all = self.s.facts.decisions.at(self.s.run.at).map(|(_, d)| d);
        let dash = |t: &Option<String>| t.clone().unwrap_or_else(|| "-".into());
        let day = |t: Option<Time>| t.map_or_else(|| "-".into(), |t| self.zone.day(t));
        all.filter(|d| self.asks(&d.value.system))
            .map(|d| m::Decision {
                system: d.value.system.clone(),
                level: d.value.level.clone(),
                annex: dash(&d.value.annex),
                approver: d.value.approver.as_ref().map_or_else(|| "-".into(), |a| self.s.facts.alias(a)),
                date: day(d.value.date),
                reason: dash(&d.value.reason),
                review_by: day(d.value.review_by),
                entry: d.seq,
            })
            .collect()
    }

    /// What was not seen, in a line each.
    pub(super) fn not_seen(&self, missing: &[m::Missing]) -> Vec<String> {
        let line = |m: &m::Missing, what: &String| {
            if m.unit.is_empty() { what.clone() } else { format!("{}: {what}", m.source) }
        };
        missing.iter().flat_map(|m| m.what.iter().map(move |what| line(m, what))).collect()
    }

    /// What was not seen of each source, and what could not be assessed for it.
    pub(super) fn missing(&self) -> Vec<m::Missing> {
        let sources = self.s.assessment.estate.coverage.values().map(|c| {
            let what = self.gaps(c);
            let effect = if what.is_empty() { String::new() } else { self.effect(c.kind, &reasons(c)) };
            let (source, unit) = (c.source.clone(), c.unit.to_owned());
            m::Missing { source, unit, expected: c.expected, seen: c.seen, what, effect }
        });
        let kinds =
            [SourceKind::FlowLogs, SourceKind::Gatekeeper, SourceKind::Sentinel, SourceKind::ModelArtifacts];
        let absent = kinds.into_iter().filter(|k| self.s.assessment.estate.sources(*k).next().is_none());
        let absent = absent.map(|kind| m::Missing {
            source: kind.name().into(),
            unit: String::new(),
            expected: 0,
            seen: 0,
            what: vec![format!("no source of kind {} is configured", kind.name())],
            effect: self.effect(kind, &["not-collected"]),
        });
        sources.chain(absent).collect()
    }

    fn gaps(&self, c: &crate::assessment::Coverage) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(off) = &c.off {
            lines.push(format!("it is switched off: {off}"));
        } else if c.begin.is_none() {
            lines.push("it was never read".into());
        } else if c.stale {
            lines.push("nothing complete was read within its limit".into());
        }
        let shown = c.gaps.iter().take(GAPS);
        lines.extend(
            shown.map(|g| format!("{}, {}", self.zone.span(g.from, g.to), self.zone.in_text(&g.what))),
        );
        if c.gaps.len() > GAPS {
            lines.push(format!("{} more gaps", c.gaps.len() - GAPS));
        }
        lines.extend(c.truncated.iter().cloned());
        lines
    }

    /// Which checks could not be assessed, as a whole or for a part, for one of these reasons of a kind of source.
    fn effect(&self, kind: SourceKind, reasons: &[&str]) -> String {
        let needs = |c: &&Control| c.needed.contains(&kind) || c.any_of.contains(&kind);
        let controls: BTreeSet<&str> =
            self.s.catalogue.controls.iter().filter(needs).map(|c| c.id.as_str()).collect();
        let lacks = |f: &&Finding| {
            let mut units = f.units.iter().filter(|u| u.status == Status::NotAssessed);
            f.status == Status::NotAssessed && reasons.contains(&f.reason.as_str())
                || units.any(|u| reasons.contains(&u.reason.as_str()))
        };
        let found: Vec<&Finding> =
            self.findings().filter(|f| controls.contains(f.control.as_str())).filter(lacks).collect();
        let systems: BTreeSet<&str> = found.iter().filter_map(|f| f.system.as_deref()).collect();
        let controls: BTreeSet<&str> = found.iter().map(|f| f.control.as_str()).collect();
        let whole = found.iter().filter(|f| f.status == Status::NotAssessed).count() as u64;
        let named: Vec<&str> = controls.iter().copied().take(3).collect();
        let more = controls.len().saturating_sub(named.len());
        match found.len() as u64 {
            0 => "nothing: no check was left unassessed for it".into(),
            n => format!(
                "{} of {}: {whole} not assessed at all, {} in part ({}{})",
                count(n, "check", "checks"),
                count(systems.len() as u64, "system", "systems"),
                n - whole,
                named.join(", "),
                if more > 0 { format!(" and {more} more") } else { String::new() },
            ),
        }
    }
}

/// Reason codes of what a source did not show.
fn reasons(c: &crate::assessment::Coverage) -> Vec<&'static str> {
    let truncated = if c.truncated.is_empty() { None } else { Some("truncated") };
    let whole = if c.off.is_some() || c.begin.is_none() { Some("not-collected") } else { None };
    let stale = if c.stale { Some("source-gap") } else { None };
    c.gaps.iter().map(|g| g.reason).chain(truncated).chain(whole).chain(stale).collect()
}

/// Gaps of a source that are told one by one.
const GAPS: usize = 5;
