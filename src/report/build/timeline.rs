//! What happened to a system in the window: its planes on one axis.

use super::super::model as m;
use super::super::sentences::count;
use super::Builder;
use crate::act::SourceKind;
use crate::assessment::{Ran, System};
use crate::evidence::Time;
use std::collections::BTreeSet;

/// Gaps of a plane that are drawn.
const GAPS: usize = 50;

/// Spans of versions that are drawn, the last ones.
const BARS: usize = 50;

/// Versions that are named one after the other.
const NAMES: usize = 6;

impl Builder<'_> {
    pub(super) fn timeline(&self, x: &System) -> m::Timeline {
        let estate = &self.s.assessment.estate;
        let (from, to) = (self.begin().map_or(estate.window, |b| b.max(estate.window)), self.s.run.at);
        let lanes = vec![
            self.terraform(x, from),
            self.watched("admission", SourceKind::Gatekeeper, from),
            self.production(x, (from, to)),
            self.files(x, from),
            self.watched("network", SourceKind::FlowLogs, from),
            self.level_changes(x, from),
        ];
        m::Timeline { from, to, lanes }
    }

    fn terraform(&self, x: &System, from: Time) -> m::Lane {
        let runs = self.s.facts.terraform.applied(&x.workspaces).into_iter();
        let runs: Vec<_> =
            runs.map(|(f, r)| (f.overrides.len() as u64, r.value.applied.unwrap_or(r.at))).collect();
        let recent: Vec<_> = runs.iter().filter(|(_, at)| *at >= from).collect();
        let overrides: u64 = recent.iter().map(|(n, _)| n).sum();
        let told = format!(
            "{}, {}",
            count(recent.len() as u64, "run applied", "runs applied"),
            count(overrides, "override", "overrides")
        );
        lane("terraform", told, Vec::new(), recent.iter().map(|(_, at)| *at).collect())
    }

    fn production(&self, x: &System, (from, to): (Time, Time)) -> m::Lane {
        let mut bars: Vec<m::Bar> = Vec::new();
        for r in x.ran.iter().filter(|r| r.span.is_recent(from)) {
            // A look shows the end late: it is there when the workload begins with another version.
            let then = x.ran.iter().filter(|n| n.workload == r.workload && n.begin() > r.begin());
            let end = then.map(Ran::begin).chain(r.span.end).min().unwrap_or(to);
            let start = r.begin().max(from);
            // Several workloads that run one version at a time are one bar.
            match bars.iter_mut().find(|b| b.label == r.version && start <= b.to) {
                Some(bar) => bar.to = bar.to.max(end),
                None => bars.push(m::Bar { from: start, to: end, label: r.version.clone() }),
            }
        }
        bars.sort_by_key(|b| b.from);
        let is_aside = bars.windows(2).any(|pair| pair[1].from < pair[0].to);
        let mut names: Vec<&str> = bars.iter().map(|b| b.label.as_str()).collect();
        names.dedup();
        let each = BTreeSet::from_iter(&names).into_iter().copied().collect::<Vec<_>>().join(", ");
        let told = match names.len() {
            0 => "nothing was seen to run".into(),
            _ if is_aside => format!("{each}, some side by side"),
            1..=NAMES => names.join(", then "),
            _ => format!("{each} by turns, {}", count(bars.len() as u64, "span", "spans")),
        };
        bars.drain(..bars.len().saturating_sub(BARS));
        lane("in production", told, bars, Vec::new())
    }

    fn files(&self, x: &System, from: Time) -> m::Lane {
        let histories =
            x.artifacts.values().flatten().flat_map(|(bucket, prefix)| self.histories(bucket, prefix));
        let first = histories.filter_map(|history| history.first()).map(|seen| seen.value.stored);
        let mut stored: Vec<Time> = first.flatten().filter(|t| *t >= from).collect();
        stored.sort_unstable();
        let told = format!("{} stored in the window", count(stored.len() as u64, "file", "files"));
        stored.dedup_by_key(|t| t.seconds() / 3600);
        lane("model files", told, Vec::new(), stored)
    }

    /// Where the sources of a kind were read, as the network and the cluster are the same for all systems.
    fn watched(&self, name: &'static str, kind: SourceKind, from: Time) -> m::Lane {
        let sources = || self.s.assessment.estate.sources(kind);
        let (expected, seen) = sources().fold((0, 0), |(e, s), c| (e + c.expected, s + c.seen));
        let unit = sources().next().map_or("", |c| c.unit);
        let bars = sources()
            .filter_map(|c| Some(m::Bar { from: c.begin?.max(from), to: c.horizon, label: String::new() }));
        let gaps = || sources().flat_map(|c| &c.gaps).filter(|g| g.to > from);
        let more = gaps().count().saturating_sub(GAPS);
        let gaps = gaps().map(|g| m::Bar { from: g.from, to: g.to, label: g.what.clone() });
        let told =
            if unit.is_empty() { "not collected".into() } else { format!("{seen} of {expected} {unit}") };
        // From where the first of them begins to where the last ends.
        let bars: Vec<m::Bar> = bars.collect();
        let ends = bars.iter().map(|b| b.from).min().zip(bars.iter().map(|b| b.to).max());
        let bar = ends.map(|(from, to)| m::Bar { from, to, label: String::new() });
        let told = if more > 0 { format!("{told}; {more} more gaps") } else { told };
        let mut lane = lane(name, told, bar.into_iter().collect(), Vec::new());
        lane.gaps = gaps.take(GAPS).collect();
        lane
    }

    fn level_changes(&self, x: &System, from: Time) -> m::Lane {
        let changes = self.s.facts.own.levels.get(&x.id).into_iter().flatten();
        let at: Vec<Time> = changes.map(|c| c.value.at).filter(|t| *t >= from).collect();
        let told = format!(
            "{}, {}",
            x.level().name(),
            count(at.len() as u64, "statement or change", "statements or changes")
        );
        lane("risk level", told, Vec::new(), at)
    }
}

fn lane(name: &'static str, told: String, bars: Vec<m::Bar>, points: Vec<Time>) -> m::Lane {
    m::Lane { name, told, bars, points, gaps: Vec::new() }
}
