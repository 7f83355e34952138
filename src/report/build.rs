//! The view model from an assessment. Everything that any output says is worked out here, once.

use super::local::Zone;
use super::model as m;
use super::sentences::{count, duty, reason, summary};
use crate::act::{Catalogue, Level, SourceKind, Status};
use crate::assessment::estate::model_version;
use crate::assessment::facts::UnitState;
use crate::assessment::{Assessment, Basis, Facts, Finding, System, Unit};
use crate::evidence::record::AssessmentRun;
use crate::evidence::{Time, hex, sha256_hex};
use crate::ledger::Hash;
use std::collections::BTreeMap;

/// Units beyond those that are not satisfied or not assessed.
const OTHER_UNITS: usize = 20;

/// What a report is made from: a record that was checked, and the verdicts on it.
pub struct Source<'a> {
    /// Facts below the as-of, the assessment's own entries included.
    pub facts: &'a Facts,
    /// The catalogue.
    pub catalogue: &'a Catalogue,
    /// The `assessment.run` that ends the as-of.
    pub run: &'a AssessmentRun,
    /// The verdicts.
    pub assessment: &'a Assessment,
    /// Leaf hashes of the whole ledger.
    pub leaves: &'a [Hash],
    /// Size and root of the as-of, base64.
    pub as_of: (u64, String),
    /// Signed checkpoints up to the as-of.
    pub checkpoints: u64,
    /// Verifier key line of entry 0.
    pub key: String,
    /// Only these systems; empty for all.
    pub systems: Vec<String>,
    /// Start of the period, when it is asked for.
    pub from: Option<Time>,
}

/// Makes the view model.
pub fn build(s: &Source<'_>) -> m::Report {
    let zone = Zone::named(&s.run.config.timezone);
    let b = Builder { s, zone };
    let systems: Vec<m::System> = b.systems().map(|x| b.system(x)).collect();
    let estate: Vec<m::Finding> = s
        .assessment
        .findings
        .iter()
        .filter(|f| f.system.is_none() && s.systems.is_empty())
        .map(|f| b.finding(f))
        .collect();
    let changes = b.changes();
    let totals = b.totals(&systems, &estate);
    let wanted = b.wanted();
    m::Report {
        as_of: b.as_of(),
        period: b.period(),
        organization: s.run.config.organization.clone(),
        version: crate::assessment::RULES.to_owned(),
        timezone: s.run.config.timezone.clone(),
        demonstration: s.run.config.demonstration,
        scope: s.systems.clone(),
        integrity: b.integrity(),
        coverage: s.assessment.estate.coverage.values().map(|c| b.coverage(c)).collect(),
        opening: b.opening(&totals, &wanted),
        totals,
        levels: b.levels(&systems, &estate),
        wanted,
        exceptions: b.exceptions(),
        decisions: b.decisions(),
        changes,
        not_seen: b.not_seen(),
        controls: b.controls(),
        law: b.law(),
        systems,
        estate_findings: estate,
    }
}

struct Builder<'a> {
    s: &'a Source<'a>,
    zone: Zone,
}

impl<'a> Builder<'a> {
    fn systems(&self) -> impl Iterator<Item = &'a System> {
        let only = &self.s.systems;
        self.s.assessment.estate.systems.values().filter(move |x| only.is_empty() || only.contains(&x.id))
    }

    /// Findings of the asked systems and, for the whole estate, its own.
    fn findings(&self) -> impl Iterator<Item = &'a Finding> {
        let only = &self.s.systems;
        self.s.assessment.findings.iter().filter(move |f| match &f.system {
            Some(id) => only.is_empty() || only.contains(id),
            None => only.is_empty(),
        })
    }

    fn as_of(&self) -> m::AsOf {
        let at = self.s.run.at;
        m::AsOf { size: self.s.as_of.0, root: self.s.as_of.1.clone(), at, at_local: self.zone.minute(at) }
    }

    fn period(&self) -> m::Period {
        let last =
            self.s.from.or(self.s.facts.own.last_scheduled(self.s.run.at)).filter(|t| *t < self.s.run.at);
        let begin = self.s.assessment.estate.coverage.values().filter_map(|c| c.begin).min();
        let (from, to) = (last.or(begin).unwrap_or(self.s.run.at), self.s.run.at);
        let window =
            begin.map_or(self.s.assessment.estate.window, |b| b.max(self.s.assessment.estate.window));
        m::Period {
            from,
            to,
            from_local: self.zone.minute(from),
            to_local: self.zone.minute(to),
            first: last.is_none(),
            window_local: self.zone.day(window),
        }
    }

    fn integrity(&self) -> m::Integrity {
        m::Integrity {
            status: "intact",
            size: self.s.as_of.0,
            root: self.s.as_of.1.clone(),
            first_bad: None,
            checkpoints: self.s.checkpoints,
            key: self.s.key.clone(),
            origin: self.s.facts.own.opened.as_ref().map(|o| o.value.origin.clone()).unwrap_or_default(),
        }
    }

    fn coverage(&self, c: &crate::assessment::Coverage) -> m::Coverage {
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
            gaps: c.gaps.iter().map(gap).collect(),
            truncated: c.truncated.clone(),
            looks: looks.iter().filter(|l| l.at >= self.s.assessment.estate.window).map(look).collect(),
        }
    }

    fn system(&self, x: &System) -> m::System {
        let ours = self.s.assessment.findings.iter().filter(|f| f.system.as_ref() == Some(&x.id));
        let mut findings: Vec<m::Finding> = ours.map(|f| self.finding(f)).collect();
        findings.sort_by_key(|f| (f.status, f.excepted, rank(&f.severity)));
        let mut counts = m::Counts::default();
        findings.iter().for_each(|f| add(&mut counts, f.status));
        let dash = |t: &Option<String>| t.clone().unwrap_or_else(|| "not stated".into());
        let not = |f: &&m::Finding| f.status == Status::NotSatisfied;
        m::System {
            id: x.id.clone(),
            anchor: anchor(&x.id),
            team: x.team().to_owned(),
            owner: x.register.owner.clone(),
            description: x.register.description.clone(),
            registered: x.registered.is_some(),
            entry: x.registered,
            role: dash(&x.register.role),
            annex: dash(&x.register.annex),
            in_use: x.register.put_into_service.map_or_else(|| "not stated".into(), |t| self.zone.day(t)),
            risk_level: self.risk_level(x),
            counts,
            open: findings.iter().filter(not).filter(|f| !f.excepted).count() as u64,
            accepted: findings.iter().filter(not).filter(|f| f.excepted).count() as u64,
            findings,
            workloads: self.workloads(x),
            runs: self.runs(x),
            artifacts: self.artifacts(x),
        }
    }

    fn risk_level(&self, x: &System) -> m::RiskLevel {
        let levels = x.levels.as_ref();
        let mut stated: Vec<m::Stated> = levels
            .into_iter()
            .flat_map(|l| &l.stated)
            .map(|s| m::Stated { source: s.source.into(), level: s.raw.clone(), entry: s.entry })
            .collect();
        stated.dedup_by(|a, b| a.source == b.source && a.level == b.level);
        let history = self.s.facts.own.levels.get(&x.id).into_iter().flatten().map(|c| {
            let to = c.value.to.as_deref().unwrap_or("gone");
            format!("{}: {to} ({})", self.zone.day(c.value.at), c.value.basis)
        });
        m::RiskLevel {
            effective: x.level().name(),
            decided: levels.and_then(|l| l.decided).map(Level::name),
            decision: levels.and_then(|l| l.decision),
            disputed: levels.is_some_and(|l| l.disputed()),
            stated,
            history: history.collect(),
        }
    }

    fn finding(&self, f: &Finding) -> m::Finding {
        let control = self.s.catalogue.control(&f.control);
        let text =
            |get: fn(&crate::act::Control) -> &String| control.map(|c| get(c).clone()).unwrap_or_default();
        let key = f.key();
        let mut others = 0;
        let shown = f.units.iter().filter(|u| {
            let urgent = u.status <= Status::NotAssessed;
            others += usize::from(!urgent);
            urgent || others <= OTHER_UNITS
        });
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
            legal_state: f.legal_state,
            applies_from: f.applies_from,
            duty: duty(f, |t| self.zone.day(t)),
            references: f.references.clone(),
            excepted: f.excepted,
            counts: m::Counts {
                satisfied: f.counts.satisfied,
                not_satisfied: f.counts.not_satisfied,
                not_assessed: f.counts.not_assessed,
                not_applicable: f.counts.not_applicable,
            },
            summary: summary(f),
            remediation: text(|c| &c.remediation),
            limit: text(|c| &c.limit),
            units: shown.map(|u| self.unit(f, &key, u)).collect(),
        }
    }

    fn unit(&self, f: &Finding, key: &str, u: &Unit) -> m::Unit {
        let state = self.s.facts.own.units.get(&(key.to_owned(), u.id.clone()));
        let lifecycle = self.lifecycle(u.status, state);
        let leaf = |seq: &u64| {
            usize::try_from(*seq).ok().and_then(|i| self.s.leaves.get(i)).map(|h| hex(h)).unwrap_or_default()
        };
        let evidence: Vec<m::Evidence> =
            u.evidence.iter().map(|seq| m::Evidence { seq: *seq, leaf: leaf(seq) }).collect();
        let digest =
            sha256_hex(evidence.iter().map(|e| e.leaf.as_str()).collect::<Vec<_>>().join("\n").as_bytes());
        let until = state.filter(|_| u.status == Status::Satisfied).and_then(|s| s.resolved);
        m::Unit {
            id: u.id.clone(),
            status: u.status,
            reason: u.reason.clone(),
            lifecycle,
            cause: state.map(|s| s.cause.clone()).unwrap_or_default(),
            first_seen: state.and_then(|s| s.first_open),
            since: state.and_then(|s| s.since),
            until,
            note: if u.note.is_empty() { reason(&u.reason) } else { u.note.clone() },
            excepted: u.excepted.as_ref().map(|x| m::Accepted {
                how: x.how,
                entry: x.entry,
                until: x.until.map_or_else(|| "-".into(), |t| self.zone.day(t)),
            }),
            considered: m::Considered { looks: self.looks(f), count: evidence.len() as u64, digest },
            evidence,
        }
    }

    fn looks(&self, f: &Finding) -> u64 {
        let Some(control) = self.s.catalogue.control(&f.control) else { return 0 };
        let needed = self.s.assessment.estate.coverage.values().filter(|c| control.needed.contains(&c.kind));
        let looks = needed.filter_map(|c| self.s.facts.own.looks.get(&c.source)).flatten();
        looks.filter(|l| l.value.complete && l.at >= self.s.assessment.estate.window).count() as u64
    }

    fn lifecycle(&self, status: Status, state: Option<&UnitState>) -> &'static str {
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

    fn workloads(&self, x: &System) -> Vec<m::Workload> {
        let present = self.s.facts.cluster.workloads.at(self.s.run.at);
        let ours = present.filter(|(subject, _)| x.workloads.contains(*subject)).map(|(_, w)| w);
        ours.map(|w| {
            let version = model_version(&w.value).unwrap_or("-").to_owned();
            let since = w.value.version_starts.get(&version).or(w.value.created.as_ref());
            m::Workload {
                name: format!("{}/{}", w.value.namespace, w.value.name),
                cluster: w.source.clone(),
                since: since.map_or_else(|| "-".into(), |t| self.zone.minute(*t)),
                image: w.value.images.first().cloned().unwrap_or_default(),
                version,
                entry: w.seq,
            }
        })
        .collect()
    }

    fn runs(&self, x: &System) -> Vec<m::Run> {
        let window = self.s.assessment.estate.window;
        let all = self.s.facts.terraform.applied().into_iter();
        let ours = all.filter(|(_, r)| {
            x.workspaces.contains(&r.value.workspace) && r.value.applied.unwrap_or(r.at) >= window
        });
        ours.map(|(facts, r)| {
            let by = |status: &str| facts.outcomes.iter().filter(|o| o.value.status == status).count();
            let told = |o: &crate::assessment::facts::Seen<crate::evidence::sentinel::Override>| {
                let who =
                    o.value.actor.as_ref().map_or_else(|| "nobody named".into(), |a| self.s.facts.alias(a));
                let why = if o.value.reason_chars > 0 { "with a reason" } else { "no reason found" };
                format!("{} overridden by {who}, {why} (entry {})", o.value.policies.join(", "), o.seq)
            };
            m::Run {
                run: r.value.run.clone(),
                workspace: r.value.workspace.clone(),
                applied: self.zone.minute(r.value.applied.unwrap_or(r.at)),
                policies: format!("{} passed, {} failed", by("passed"), by("failed") + by("errored")),
                cost: r.value.cost.as_ref().and_then(|c| c.monthly.clone()).unwrap_or_else(|| "-".into()),
                overrides: facts.overrides.values().map(told).collect(),
                entry: r.seq,
            }
        })
        .collect()
    }

    fn artifacts(&self, x: &System) -> Vec<m::ArtifactSet> {
        let at = self.s.run.at;
        let set = |(version, places): (&String, &std::collections::BTreeSet<(String, String)>)| {
            let here = |b: &str, k: &str| {
                places.iter().any(|(bucket, prefix)| bucket == b && k.starts_with(prefix.as_str()))
            };
            let hidden =
                |k: &str| self.s.facts.markers.at(at).any(|(_, d)| d.value.key == k && d.value.latest);
            let versions = self.s.facts.versions.0.values().filter_map(|h| {
                let shown = h.iter().find(|s| !s.gone)?;
                here(&shown.value.bucket, &shown.value.key).then(|| (shown, h.last().is_some_and(|l| l.gone)))
            });
            let files = versions.map(|(v, gone)| m::File {
                key: v.value.key.clone(),
                version_id: v.value.version_id.clone(),
                size: v.value.size,
                stored: v.value.stored.map_or_else(|| "-".into(), |t| self.zone.minute(t)),
                state: if gone {
                    "gone"
                } else if hidden(&v.value.key) {
                    "hidden by a delete marker"
                } else {
                    "listed"
                },
                entry: v.seq,
            });
            m::ArtifactSet { version: version.clone(), files: files.collect() }
        };
        x.artifacts.iter().map(set).collect()
    }

    fn totals(&self, systems: &[m::System], estate: &[m::Finding]) -> m::Totals {
        let mut t = m::Totals { systems: systems.len() as u64, ..m::Totals::default() };
        t.unregistered = systems.iter().filter(|s| !s.registered).count() as u64;
        for f in systems.iter().flat_map(|s| &s.findings).chain(estate) {
            t.checks += 1;
            add(&mut t.counts, f.status);
            t.declared += u64::from(f.status == Status::Satisfied && f.basis == Basis::Declared.name());
            t.re_performed +=
                u64::from(f.status == Status::Satisfied && f.basis == Basis::ReEvaluated.name());
            if f.status == Status::NotSatisfied {
                t.accepted += u64::from(f.excepted);
                let open = u64::from(!f.excepted);
                t.open += open;
                match f.legal_state {
                    Some("in-force") => t.in_force += open,
                    Some(_) => t.to_come += open,
                    None => t.house += open,
                }
            }
        }
        t
    }

    fn levels(&self, systems: &[m::System], estate: &[m::Finding]) -> Vec<m::LevelRow> {
        let dates = [
            "in force (Art. 5)",
            "2 Dec 2027 at the earliest",
            "in force (Art. 50)",
            "none",
            "treated as high",
        ];
        let row = |(level, first_date): (Level, &'static str)| {
            let of = systems.iter().filter(|s| s.risk_level.effective == level.name());
            let sum = |f: fn(&m::System) -> u64| of.clone().map(f).sum();
            m::LevelRow {
                level: level.name(),
                systems: of.clone().count() as u64,
                open: sum(|s| s.open),
                accepted: sum(|s| s.accepted),
                not_assessed: sum(|s| s.counts.not_assessed),
                first_date,
            }
        };
        let mut rows: Vec<m::LevelRow> = Level::ALL.into_iter().zip(dates).map(row).collect();
        let of = |wanted: fn(&m::Finding) -> bool| estate.iter().filter(|f| wanted(f)).count() as u64;
        rows.push(m::LevelRow {
            level: "the estate",
            systems: 0,
            open: of(|f| f.status == Status::NotSatisfied && !f.excepted),
            accepted: of(|f| f.status == Status::NotSatisfied && f.excepted),
            not_assessed: of(|f| f.status == Status::NotAssessed),
            first_date: "",
        });
        let sum = |f: fn(&m::LevelRow) -> u64| rows.iter().map(f).sum();
        let (systems, open, accepted, not_assessed) =
            (sum(|r| r.systems), sum(|r| r.open), sum(|r| r.accepted), sum(|r| r.not_assessed));
        rows.push(m::LevelRow { level: "all", systems, open, accepted, not_assessed, first_date: "" });
        rows
    }

    /// Open findings by weight: severity first, then level, then number; and exceptions that end within 14 days.
    fn wanted(&self) -> Vec<m::Wanted> {
        let severity = |f: &Finding| self.s.catalogue.control(&f.control).map_or("", |c| f.severity(c));
        let mut open: Vec<&Finding> = self.findings().filter(|f| f.open()).collect();
        let level = |f: &Finding| {
            f.system
                .as_ref()
                .and_then(|id| self.s.assessment.estate.systems.get(id))
                .map_or(Level::Unclassified, System::level)
        };
        open.sort_by_key(|f| (rank(severity(f)), level(f), self.s.facts.own.numbers.get(&f.key()).copied()));
        let mut wanted: Vec<m::Wanted> = self.ending().collect();
        for f in open {
            let want = self.want(f, level(f));
            // One webhook that fails open is one decision, however many systems stand behind it.
            match wanted
                .iter_mut()
                .find(|w| w.control == want.control && w.what == want.what && w.duty == want.duty)
            {
                Some(same) => same.join(want),
                None => wanted.push(want),
            }
        }
        wanted
    }

    fn want(&self, f: &Finding, level: Level) -> m::Wanted {
        let key = f.key();
        let open = |u: &UnitState| u.status.as_deref() == Some(Status::NotSatisfied.name());
        let units = self.s.facts.own.units.iter().filter(|((k, _), u)| *k == key && open(u));
        let first = units.filter_map(|(_, u)| u.since).min();
        let days = first.map_or(0, |t| self.s.run.at.since(t).as_hours() / 24);
        let system = f.system.as_deref().and_then(|id| self.s.assessment.estate.systems.get(id));
        let control = self.s.catalogue.control(&f.control);
        m::Wanted {
            when: if days == 0 { "new".into() } else { format!("day {days}") },
            numbers: self.s.facts.own.numbers.get(&key).copied().into_iter().collect(),
            systems: vec![f.system.clone().unwrap_or_else(|| "estate".into())],
            level: level.name().to_owned(),
            severity: control.map(|c| f.severity(c).to_owned()).unwrap_or_default(),
            what: summary(f),
            who: system.map(System::team).filter(|t| *t != "-").unwrap_or("AI governance").to_owned(),
            action: control.map(|c| c.remediation.clone()).unwrap_or_default(),
            duty: duty(f, |t| self.zone.day(t)),
            control: f.control.clone(),
        }
    }

    fn ending(&self) -> impl Iterator<Item = m::Wanted> {
        let at = self.s.run.at;
        let soon = self.s.facts.exceptions.at(at).map(|(_, e)| e).filter(move |e| {
            e.value.expires.is_some_and(|t| t.plus_seconds(86_400) > at && t < at.plus_seconds(14 * 86_400))
        });
        soon.map(|e| {
            let v = &e.value;
            let key = crate::assessment::findings::key(
                &v.control,
                Some(v.system.as_str()).filter(|s| !s.is_empty()),
            );
            let system = self.s.assessment.estate.systems.get(&v.system);
            m::Wanted {
                when: v.expires.map(|t| self.zone.short_day(t)).unwrap_or_default(),
                numbers: self.s.facts.own.numbers.get(&key).copied().into_iter().collect(),
                systems: vec![v.system.clone()],
                level: system.map_or(Level::Unclassified, System::level).name().to_owned(),
                severity: "medium".into(),
                what: format!("the exception to {} ends", v.control),
                who: v.owner.clone().unwrap_or_else(|| "nobody named".into()),
                action: "Mend it, or write a new exception with another approver and expiry.".into(),
                duty: "house rule".into(),
                control: v.control.clone(),
            }
        })
    }

    fn exceptions(&self) -> Vec<m::Exception> {
        let (at, facts) = (self.s.run.at, self.s.facts);
        let only = &self.s.systems;
        let written = facts.exceptions.at(at).map(|(_, e)| {
            let v = &e.value;
            let over = v.expires.is_none_or(|t| t.plus_seconds(86_400) <= at);
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
                why: v.reason.clone().unwrap_or_else(|| "no reason given".into()),
                until: v.expires.map_or_else(|| "no end given".into(), |t| self.zone.day(t)),
                state: if over { "expired or without end" } else { "in force" }.into(),
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
        all.filter(|e| only.is_empty() || e.system.is_empty() || only.contains(&e.system)).collect()
    }

    fn decisions(&self) -> Vec<m::Decision> {
        let only = &self.s.systems;
        let all = self.s.facts.decisions.at(self.s.run.at).map(|(_, d)| d);
        let dash = |t: &Option<String>| t.clone().unwrap_or_else(|| "-".into());
        let day = |t: Option<Time>| t.map_or_else(|| "-".into(), |t| self.zone.day(t));
        all.filter(|d| only.is_empty() || only.contains(&d.value.system))
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

    /// Transitions within the period, put together by finding and kind of change.
    fn changes(&self) -> Vec<m::Change> {
        let period = self.period();
        if period.first {
            return Vec::new();
        }
        let mut found: BTreeMap<(usize, u64, &'static str), m::Change> = BTreeMap::new();
        for change in
            self.s.facts.own.changes.iter().filter(|c| c.value.at > period.from && c.value.at <= period.to)
        {
            let c = &change.value;
            let (control, system) = c.finding.split_once(' ').unwrap_or((&c.finding, ""));
            if !self.s.systems.is_empty() && !self.s.systems.iter().any(|s| s == system) {
                continue;
            }
            let state = self.s.facts.own.units.get(&(c.finding.clone(), c.unit.clone()));
            let Some((order, what)) = kind_of_change(c, state) else { continue };
            let finding = self.s.assessment.findings.iter().find(|f| f.key() == c.finding);
            let unit = finding.and_then(|f| f.units.iter().find(|u| u.id == c.unit));
            let entry = found.entry((order, c.number, what)).or_insert_with(|| m::Change {
                what,
                number: c.number,
                control: control.to_owned(),
                system: system.to_owned(),
                units: Vec::new(),
                cause: c.cause.clone(),
                note: unit
                    .map(|u| if u.note.is_empty() { reason(&u.reason) } else { u.note.clone() })
                    .unwrap_or_default(),
                entries: Vec::new(),
            });
            entry.units.push(c.unit.clone());
            entry.entries.push(change.seq);
        }
        found.into_values().collect()
    }

    fn not_seen(&self) -> Vec<String> {
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

    fn controls(&self) -> Vec<m::Control> {
        let asked = self.s.catalogue.controls.iter().filter(|c| self.findings().any(|f| f.control == c.id));
        asked
            .map(|c| {
                let findings: Vec<&Finding> = self.findings().filter(|f| f.control == c.id).collect();
                let mut counts = m::Counts::default();
                findings.iter().for_each(|f| add(&mut counts, f.status));
                let row = |f: &&Finding| m::ControlRow {
                    system: f.system.clone().unwrap_or_else(|| "estate".into()),
                    anchor: f.system.as_deref().map(anchor).unwrap_or_default(),
                    status: f.status,
                    excepted: f.excepted,
                    counts: m::Counts {
                        satisfied: f.counts.satisfied,
                        not_satisfied: f.counts.not_satisfied,
                        not_assessed: f.counts.not_assessed,
                        not_applicable: f.counts.not_applicable,
                    },
                    summary: summary(f),
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

    fn law(&self) -> m::Law {
        let law = &self.s.catalogue.law;
        let today = self.s.run.at;
        let next = self.s.catalogue.timeline.iter().find(|d| d.date.parse::<Time>().is_ok_and(|t| t > today));
        let day = |d: &str| d.parse::<Time>().map_or_else(|_| d.to_owned(), |t| self.zone.day(t));
        m::Law {
            text: format!("{} as amended by {}", law.base, law.amended_by),
            checked: day(&law.status_checked),
            catalogue: format!("{} (SHA-256 {}…)", self.s.catalogue.version, &self.s.catalogue.sha256[..8]),
            presumption: law.presumption_of_conformity.clone(),
            next: next.map(|d| format!("{}: {} ({})", day(&d.date), d.what, d.basis)).unwrap_or_default(),
            no_evidence: self
                .s
                .catalogue
                .no_evidence
                .iter()
                .map(|n| (n.article.clone(), n.why.clone()))
                .collect(),
        }
    }

    /// Two or three sentences for the reader who reads nothing else.
    fn opening(&self, t: &m::Totals, wanted: &[m::Wanted]) -> Vec<String> {
        let open = match t.open {
            0 => "No finding is open.".to_owned(),
            n => format!(
                "{}: {}, {}, {}.",
                count(n, "finding is open", "findings are open"),
                count(
                    t.in_force,
                    "concerns a duty of the Act in force",
                    "concern a duty of the Act in force"
                ),
                count(t.to_come, "a duty to come", "a duty to come"),
                count(t.house, "only a rule of the house", "only rules of the house"),
            ),
        };
        let first: Vec<String> = wanted.iter().take(3).map(|w| format!("{}: {}", w.told(), w.what)).collect();
        let seen = match self.not_seen().len() as u64 {
            0 => "Every source was read through.".to_owned(),
            n => format!("Not everything was seen: {}.", count(n, "thing is missing", "things are missing")),
        };
        let mut lines = vec![open];
        if !first.is_empty() {
            lines.push(format!("First: {}.", first.join("; ")));
        }
        lines.push(seen);
        if self.period().first {
            lines.push(
                "There is no earlier nightly report to compare with, so nothing is called new or resolved."
                    .into(),
            );
        }
        lines
    }
}

/// The most severe first.
fn rank(severity: &str) -> usize {
    ["critical", "high", "medium", "low"].iter().position(|x| *x == severity).unwrap_or(4)
}

impl m::Wanted {
    /// Adds another finding of which the same was seen.
    fn join(&mut self, other: m::Wanted) {
        self.numbers.extend(other.numbers);
        self.systems.extend(other.systems);
        if !self.who.split(", ").any(|w| w == other.who) {
            self.who = format!("{}, {}", self.who, other.who);
        }
        if !self.level.split(", ").any(|l| l == other.level) {
            self.level = format!("{}, {}", self.level, other.level);
        }
    }

    /// The first three systems, and how many more there are.
    pub fn told(&self) -> String {
        let first: Vec<&str> = self.systems.iter().take(3).map(String::as_str).collect();
        match self.systems.len().saturating_sub(3) {
            0 => first.join(", "),
            more => format!("{} and {more} more", first.join(", ")),
        }
    }

    /// The first four numbers.
    pub fn marks(&self) -> String {
        let first: Vec<String> = self.numbers.iter().take(4).map(|n| format!("#{n}")).collect();
        if self.numbers.len() > 4 { format!("{} …", first.join(" ")) } else { first.join(" ") }
    }
}

/// What a transition means for people; none when it only tells what is told elsewhere.
fn kind_of_change(
    c: &crate::evidence::record::FindingChange,
    state: Option<&UnitState>,
) -> Option<(usize, &'static str)> {
    let (from, to) = (c.from.as_deref(), c.to.as_deref());
    let open = |s: Option<&str>| s == Some("not-satisfied");
    match (open(from), open(to)) {
        (false, true) if state.is_some_and(|s| s.reopened) => Some((1, "reopened")),
        (false, true) if c.cause == "evidence" => Some((0, "new")),
        (true, false) if to == Some("not-assessed") => Some((3, "unknown")),
        (true, false) if ["evidence", "deleted"].contains(&c.cause.as_str()) => Some((2, "resolved")),
        (true, false) | (false, true) => Some((4, "other")),
        (false, false) if to == Some("not-assessed") => Some((5, "lost sight of")),
        _ => None,
    }
}

fn add(counts: &mut m::Counts, status: Status) {
    match status {
        Status::Satisfied => counts.satisfied += 1,
        Status::NotSatisfied => counts.not_satisfied += 1,
        Status::NotAssessed => counts.not_assessed += 1,
        Status::NotApplicable => counts.not_applicable += 1,
    }
}

/// A name for anchors and paths: letters, digits and hyphens.
pub fn anchor(id: &str) -> String {
    id.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' }).collect()
}
