//! The dossier of a system: levels, findings, what ran, which files were stored, which runs were applied.

use super::super::model as m;
use super::super::sentences::name;
use super::{Builder, anchor, rank};
use crate::act::{Level, Status};
use crate::assessment::estate::model_version;
use crate::assessment::facts::{Seen, Version};
use crate::assessment::{Counts, System};
use crate::evidence::Time;
use crate::evidence::artifacts::Detail;
use std::collections::BTreeSet;

/// Artifact sets of a system that are printed, and files of each, the largest ones.
const SETS: usize = 10;
const FILES: usize = 10;

impl<'a> Builder<'a> {
    pub(super) fn system(&self, x: &System) -> m::System {
        let ours = self.s.assessment.findings.iter().filter(|f| f.system.as_ref() == Some(&x.id));
        let mut findings: Vec<m::Finding> = ours.map(|f| self.finding(f)).collect();
        findings.shrink_to_fit();
        findings.sort_by_key(|f| (f.status, f.excepted, rank(&f.severity)));
        let mut counts = Counts::default();
        findings.iter().for_each(|f| counts.add(f.status));
        let not_stated = || "not stated".to_owned();
        let (timeline, (ran, more_ran)) = (self.timeline(x), self.ran(x));
        let not = |f: &&m::Finding| f.status == Status::NotSatisfied;
        m::System {
            id: x.id.clone(),
            name: name(&x.id),
            anchor: anchor(&x.id),
            team: x.team().to_owned(),
            owner: x.register.owner.clone(),
            description: x.register.description.clone(),
            registered: x.registered.is_some(),
            entry: x.registered,
            role: x.role_said().map_or_else(not_stated, str::to_owned),
            annex: x.annex().map_or_else(not_stated, str::to_owned),
            in_use: x.register.put_into_service.map_or_else(|| "not stated".into(), |t| self.zone.day(t)),
            risk_level: self.risk_level(x),
            ran,
            more_ran,
            network: self.network(x, &timeline),
            timeline,
            counts,
            open: findings.iter().filter(|f| f.open()).count() as u64,
            accepted: findings.iter().filter(not).filter(|f| f.excepted).count() as u64,
            articles: self.articles(x, &findings),
            exceptions: Vec::new(),
            findings,
            unprovided: 0,
            workloads: self.workloads(x),
            runs: self.runs(x),
            artifacts: self.artifacts(x),
            more_artifacts: x.artifacts.len().saturating_sub(SETS) as u64,
        }
    }

    pub(super) fn risk_level(&self, x: &System) -> m::RiskLevel {
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
            approved: x.decision.as_ref().filter(|_| levels.is_some_and(|l| l.decided.is_some())).map(|d| {
                let who = d.approver.as_ref().map(|a| self.s.facts.alias(a));
                let on = d.date.map_or_else(|| "no date".into(), |t| self.zone.day(t));
                format!("{}, {on}", who.unwrap_or_else(|| "no approver".into()))
            }),
            disputed: levels.is_some_and(|l| l.disputed()),
            stated,
            history: history.collect(),
        }
    }

    pub(super) fn workloads(&self, x: &System) -> Vec<m::Workload> {
        let present = self.s.facts.cluster.workloads.at(self.s.run.at);
        let ours = present.filter(|(subject, _)| x.workloads.contains(*subject)).map(|(_, w)| w);
        ours.map(|w| {
            let version = model_version(&w.value).unwrap_or("-").to_owned();
            let ran = x.ran.iter().rfind(|r| r.span.entries.contains(&w.seq));
            let stated = w.value.version_starts.get(&version).map(|t| self.zone.minute(*t));
            m::Workload {
                name: format!("{}/{}", w.value.namespace, w.value.name),
                cluster: w.source.clone(),
                since: ran
                    .map(|r| self.since(r.span.start, r.span.seen))
                    .or(stated)
                    .unwrap_or_else(|| "-".into()),
                image: w.value.images.first().cloned().unwrap_or_default(),
                version,
                entry: w.seq,
            }
        })
        .collect()
    }

    pub(super) fn runs(&self, x: &System) -> Vec<m::Run> {
        let window = self.s.assessment.estate.window;
        let all = self.s.facts.terraform.applied(&x.workspaces).into_iter();
        let ours = all.filter(|(_, r)| r.value.applied.unwrap_or(r.at) >= window);
        ours.map(|(facts, r)| {
            let by = |status: &str| facts.outcomes.iter().filter(|o| o.value.status == status).count();
            let told = |o: &Seen<crate::evidence::sentinel::Override>| {
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

    /// Which bytes were in production, and when: sets of files, those that ran first.
    pub(super) fn artifacts(&self, x: &System) -> Vec<m::ArtifactSet> {
        let mut versions: Vec<_> = x.artifacts.iter().collect();
        versions.sort_by_key(|(version, _)| !x.deployed.contains_key(*version));
        let set = |(version, places): (&String, &BTreeSet<(String, String)>)| {
            let mut files: Vec<_> =
                places.iter().flat_map(|(bucket, prefix)| self.histories(bucket, prefix)).collect();
            let count = files.len();
            files.sort_by_key(|history| std::cmp::Reverse(history[0].value.size));
            files.truncate(FILES);
            files.sort_by(|a, b| {
                let (a, b) = (&a[0].value, &b[0].value);
                (a.key(), a.stored).cmp(&(b.key(), b.stored))
            });
            m::ArtifactSet {
                version: version.clone(),
                ran: x.deployed.contains_key(version),
                in_production: self.in_production(x, version),
                files: files.into_iter().filter_map(|history| self.file(history)).collect(),
                more: (count - count.min(FILES)) as u64,
            }
        };
        versions.into_iter().take(SETS).map(set).collect()
    }

    pub(super) fn histories(&self, bucket: &str, prefix: &str) -> Vec<&'a [Seen<Version>]> {
        self.s.facts.versions.below(&format!("s3:{bucket}/{prefix}")).map(|(_, history)| history).collect()
    }

    /// When a version of a system was in production, from its first start to its last end.
    fn in_production(&self, x: &System, version: &str) -> String {
        let Some(d) = x.deployed.get(version) else { return "never seen in production".into() };
        let to = d.end.map_or_else(|| "now".into(), |t| self.zone.minute(t));
        let mut until = d.start.unwrap_or(d.seen);
        let has_break = x.ran.iter().filter(|r| r.version == version).any(|r| {
            let is_late = r.begin() > until;
            until = until.max(r.span.end.unwrap_or(self.s.run.at));
            is_late && r.begin() > d.seen
        });
        let breaks = if has_break { ", with breaks" } else { "" };
        format!("in production from {} to {to}{breaks}", self.since(d.start, d.seen))
    }

    fn since(&self, start: Option<Time>, seen: Time) -> String {
        start.map_or_else(|| format!("before {}", self.zone.minute(seen)), |t| self.zone.minute(t))
    }

    fn file(&self, history: &[Seen<Version>]) -> Option<m::File> {
        let (facts, at) = (self.s.facts, self.s.run.at);
        let shown = history.iter().find(|s| !s.gone)?;
        let v = &shown.value;
        let state = if history.last().is_some_and(|last| last.gone) {
            "gone"
        } else if facts.is_hidden(v.bucket(), v.key(), at) {
            "hidden by a delete marker"
        } else {
            "listed"
        };
        // What is gone is shown with what was known of it.
        let mut details = facts.details.get(v.subject()).into_iter().flatten();
        let detail = details.rfind(|d| !d.gone && d.at <= at).map(|d| &d.value);
        let lock = |d: &Detail| match (&d.retention, d.legal_hold) {
            (_, true) => Some("legal hold".to_owned()),
            (Some(lock), false) => Some(format!("until {} ({})", self.zone.day(lock.until), lock.mode)),
            (None, false) => None,
        };
        let computed = facts.hash(v, at).map(|h| format!("SHA256 {} (computed)", h.value.sha256));
        let stated = |d: &Detail| d.sha256().map(|hex| format!("SHA256 {hex}")).or(d.checksum.clone());
        Some(m::File {
            bucket: v.bucket().to_owned(),
            key: v.key().to_owned(),
            version_id: v.version_id().to_owned(),
            size: v.size,
            stored: v.stored.map_or_else(|| "-".into(), |t| self.zone.minute(t)),
            state,
            checksum: computed.or(detail.and_then(stated)),
            locked: detail.and_then(lock),
            entry: shown.seq,
        })
    }
}
