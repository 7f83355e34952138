//! What ran when and what let it through, and whom a system talked with.

use super::super::model as m;
use super::super::sentences::count;
use super::Builder;
use crate::assessment::{Ran, System, dossier};
use std::collections::BTreeSet;

/// Most spans of versions, and peers in each direction, that are shown.
const VERSIONS: usize = 10;
const PEERS: usize = 15;

const BEFORE: &str = "before the record began";

/// Of a subject of a Job its name without the number that a CronJob gives it.
fn job(workload: &str) -> Option<&str> {
    let (place, name) = workload.rsplit_once('/')?;
    let stem =
        name.rsplit_once('-').filter(|(_, n)| n.bytes().all(|b| b.is_ascii_digit())).map_or(name, |(s, _)| s);
    place.ends_with("/Job").then(|| &workload[..place.len() + 1 + stem.len()])
}

impl Builder<'_> {
    /// What ran in production, the last one first: of each version the last span before further ones, and of jobs of one name
    /// the last alone.
    pub(super) fn ran(&self, x: &System) -> (Vec<m::Ran>, u64) {
        let order = |r: &&Ran| std::cmp::Reverse((r.span.end.is_none(), r.span.seen));
        let mut all: Vec<&Ran> = x.ran.iter().collect();
        all.sort_by_key(order);
        let mut jobs = BTreeSet::new();
        all.retain(|r| job(&r.workload).is_none_or(|job| jobs.insert((job, r.version.as_str()))));
        let mut versions = BTreeSet::new();
        let (mut shown, further): (Vec<&Ran>, Vec<&Ran>) =
            all.into_iter().partition(|r| versions.insert(r.version.as_str()));
        shown.extend(further);
        let more = shown.len().saturating_sub(VERSIONS) as u64;
        shown.truncate(VERSIONS);
        shown.sort_by_key(order);
        (shown.into_iter().filter_map(|r| self.one(x, r)).collect(), more)
    }

    fn one(&self, x: &System, ran: &Ran) -> Option<m::Ran> {
        let (span, passed) = (&ran.span, dossier::passed(self.s.facts, x, ran)?);
        let w = &passed.workload.value;
        let files = x.artifacts.get(&ran.version).into_iter().flatten();
        let files = files.flat_map(|(bucket, prefix)| self.histories(bucket, prefix)).count() as u64;
        // What ran before our first look passed what nobody saw.
        let first = self.s.assessment.estate.coverage.get(&passed.workload.source).and_then(|c| c.begin);
        let is_older = first.is_none_or(|first| span.start.map_or(span.seen <= first, |start| start < first));
        let gates = if is_older { Vec::new() } else { self.gates(&passed) };
        let jobs = job(&ran.workload).map(|name| {
            x.ran.iter().filter(|r| job(&r.workload) == Some(name) && r.version == ran.version).count()
        });
        let last = jobs.filter(|n| *n > 1).map_or_else(String::new, |n| format!(", the last of {n}"));
        Some(m::Ran {
            version: ran.version.clone(),
            workload: format!("{} {}/{}{last}", w.kind, w.namespace, w.name),
            from: match span.start {
                Some(start) => self.zone.minute(start),
                None if is_older => BEFORE.into(),
                None => format!("before {}", self.zone.minute(span.seen)),
            },
            to: span.end.map_or_else(|| "now".into(), |t| self.zone.minute(t)),
            image: w.images.first().cloned().unwrap_or_default(),
            files,
            let_through: match gates.is_empty() {
                true if is_older => BEFORE.into(),
                true => "nothing that a source of ours shows".into(),
                false => String::new(),
            },
            gates,
            entry: passed.workload.seq,
        })
    }

    fn gates(&self, passed: &dossier::Passed<'_>) -> Vec<m::Gate> {
        let run = passed.run.into_iter().flat_map(|(found, run)| {
            let applied = self.zone.minute(run.value.applied.unwrap_or(run.at));
            let run = m::Gate { told: format!("{}, applied {applied}", run.value.run), entry: run.seq };
            let overridden = found.overrides.values().map(|o| {
                let what =
                    if o.value.policies.is_empty() { "a policy".into() } else { o.value.policies.join(", ") };
                m::Gate { told: format!("override of {what}"), entry: o.seq }
            });
            std::iter::once(run).chain(overridden)
        });
        let constraint = |asked: &dossier::Asked<'_>| {
            let (c, condition) =
                (asked.constraint, if asked.is_certain { "" } else { ", if the webhook asked it" });
            let told = format!("{}/{} (deny{condition})", c.value.kind, c.value.name);
            let broken = asked.broken.map(|v| m::Gate {
                told: format!("which an audit found broken, {}", self.zone.minute(v.at)),
                entry: v.seq,
            });
            std::iter::once(m::Gate { told, entry: c.seq }).chain(broken)
        };
        run.chain(passed.constraints.iter().flat_map(constraint)).collect()
    }

    /// Accepted traffic of the window.
    pub(super) fn network(&self, x: &System, timeline: &m::Timeline) -> m::Network {
        let s = self.s;
        let Some(peers) = dossier::peers(s.facts, s.catalogue, &s.assessment.estate, x) else {
            let told =
                "No address of it is known in the flow logs, so nothing is told of its traffic.".into();
            return m::Network { told, peers: Vec::new() };
        };
        let seen = timeline.lanes.iter().find(|l| l.name == "network").map_or("", |l| &l.told);
        let public = peers.iter().filter(|p| p.peer.starts_with("public ")).count();
        let public = match public {
            0 => "none with public addresses of no named range".to_owned(),
            n => format!("{n} of them with public addresses of no named range"),
        };
        let kinds = count(peers.len() as u64, "kind of accepted traffic", "kinds of accepted traffic");
        let of = |inbound| peers.iter().filter(move |p| p.inbound == inbound).take(PEERS);
        let more = match peers.len() - of(true).count() - of(false).count() {
            0 => String::new(),
            n => format!(" Those with the most records are told, {n} are left out."),
        };
        let told = format!("{kinds}, {public}. The network was seen for {seen}.{more}");
        let peer = |p: &dossier::Peer| m::Peer {
            direction: if p.inbound { "in" } else { "out" },
            peer: match p.peer.as_str() {
                "own" | "private" => format!("{} networks", p.peer),
                named => named.to_owned(),
            },
            port: p.port,
            records: p.records,
            hours: p.hours.len() as u64,
            entry: p.entry,
        };
        m::Network { told, peers: of(true).chain(of(false)).map(peer).collect() }
    }
}
