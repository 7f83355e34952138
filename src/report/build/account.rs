//! What was not seen, and who accepted what is not satisfied.

use super::super::model as m;
use super::Builder;
use crate::act::{SourceKind, Status};
use crate::assessment::exceptions;
use crate::evidence::Time;

impl<'a> Builder<'a> {
    pub(super) fn coverage(&self, c: &crate::assessment::Coverage) -> m::Coverage {
        let gap = |g: &crate::assessment::coverage::Gap| m::Gap {
            from: g.from,
            to: g.to,
            when: self.zone.span(g.from, g.to),
            what: g.what.clone(),
            reason: g.reason,
            entry: g.entry,
        };
        let none = Vec::new();
        let looks = self.s.facts.own.looks.get(&c.source).unwrap_or(&none);
        let look = |l: &crate::assessment::facts::Look| m::Look {
            entry: l.seq,
            when: l.value.looked_at.map_or_else(|| "look time unknown".into(), |t| self.zone.minute(t)),
            read: l.value.read.clone(),
            entries: l.value.entries,
            skipped: l.value.counts.quarantined + l.value.counts.refused,
            complete: l.value.complete,
            faults: l.value.faults.iter().map(|f| format!("{} {}: {}", f.file, f.place, f.what)).collect(),
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
            location: config.map(|x| x.location.clone()).unwrap_or_default(),
            delivery: c.delivery.clone(),
            gaps: c.gaps.iter().map(gap).collect(),
            late: c.late.iter().map(gap).collect(),
            truncated: c.truncated.clone(),
            outside_layout: self.outside_layout(&c.source),
            looks: looks.iter().filter(|l| l.at >= self.s.assessment.estate.window).map(look).collect(),
        }
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
        all.filter(|e| e.system.is_empty() || self.asks(&e.system)).collect()
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

    pub(super) fn not_seen(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for c in self.s.assessment.estate.coverage.values() {
            if let Some(off) = &c.off {
                lines.push(format!("{} is switched off: {off}", c.source));
            } else if c.begin.is_none() {
                lines.push(format!("{} was never read", c.source));
            } else if c.stale {
                lines.push(format!("{}: nothing complete was read within its limit", c.source));
            }
            let shown = c.gaps.iter().take(5);
            lines
                .extend(shown.map(|g| format!("{}: {}, {}", c.source, self.zone.span(g.from, g.to), g.what)));
            if c.gaps.len() > 5 {
                lines.push(format!("{}: {} more gaps", c.source, c.gaps.len() - 5));
            }
            lines.extend(c.truncated.iter().map(|t| format!("{}: {t}", c.source)));
        }
        for kind in
            [SourceKind::FlowLogs, SourceKind::Gatekeeper, SourceKind::Sentinel, SourceKind::ModelArtifacts]
        {
            if self.s.assessment.estate.sources(kind).next().is_none() {
                lines.push(format!("no source of kind {} is configured", kind.name()));
            }
        }
        lines
    }
}
