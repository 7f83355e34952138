//! What ran when and what let it through, and whom a system talked with.

use super::super::model as m;
use super::super::sentences::count;
use super::Builder;
use crate::assessment::{Ran, System, dossier};

/// Most versions that ran, and peers in each direction, that are shown.
pub(super) const VERSIONS: usize = 10;
const PEERS: usize = 15;

impl Builder<'_> {
    /// What ran in production, the last one first.
    pub(super) fn ran(&self, x: &System) -> Vec<m::Ran> {
        let mut ran: Vec<&Ran> = x.ran.iter().collect();
        ran.sort_by_key(|r| std::cmp::Reverse((r.span.end.is_none(), r.span.seen)));
        ran.into_iter().take(VERSIONS).map(|r| self.one(x, r)).collect()
    }

    fn one(&self, x: &System, ran: &Ran) -> m::Ran {
        let span = &ran.span;
        let passed = dossier::passed(self.s.facts, x, ran);
        let workload = passed.workload.map(|w| &w.value);
        let files = x.artifacts.get(&ran.version).into_iter().flatten();
        let files = files.flat_map(|(bucket, prefix)| self.histories(bucket, prefix)).count() as u64;
        let gates = self.gates(&passed);
        // What ran before our first look passed what nobody saw.
        let is_older = span.start.is_none_or(|start| self.begin().is_none_or(|begin| start < begin));
        m::Ran {
            version: ran.version.clone(),
            workload: workload.map(|w| format!("{} {}/{}", w.kind, w.namespace, w.name)).unwrap_or_default(),
            from: span.start.map_or_else(|| "before the record began".into(), |t| self.zone.minute(t)),
            to: span.end.map_or_else(|| "now".into(), |t| self.zone.minute(t)),
            image: workload.and_then(|w| w.images.first().cloned()).unwrap_or_default(),
            files,
            let_through: match gates.is_empty() {
                true if is_older => "before the record began".into(),
                true => "nothing that a source of ours shows".into(),
                false => String::new(),
            },
            gates,
            entry: span.entries.first().copied().unwrap_or_default(),
        }
    }

    fn gates(&self, passed: &dossier::Passed<'_>) -> Vec<m::Gate> {
        let run = passed.run.into_iter().flat_map(|(found, run)| {
            let applied = self.zone.minute(run.value.applied.unwrap_or(run.at));
            let run = m::Gate { told: format!("{}, applied {applied}", run.value.run), entry: run.seq };
            let overridden = found.overrides.values().map(|o| m::Gate {
                told: format!("override of {}", o.value.policies.join(", ")),
                entry: o.seq,
            });
            std::iter::once(run).chain(overridden)
        });
        let constraint = |asked: &dossier::Asked<'_>| {
            let conditions =
                if asked.is_certain { "" } else { ", if the webhook's match conditions asked it" };
            let broken = if asked.is_broken { ", and it breaks it" } else { "" };
            let c = asked.constraint;
            m::Gate { told: format!("{} (deny{conditions}{broken})", c.value.name), entry: c.seq }
        };
        run.chain(passed.constraints.iter().map(constraint)).collect()
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
