//! What ran when and what let it through, and whom a system talked with.

use super::super::model as m;
use super::super::sentences::count;
use super::Builder;
use crate::assessment::facts::Seen;
use crate::assessment::{Deployment, System, dossier};
use crate::evidence::Time;
use crate::evidence::gatekeeper::Constraint;

/// Versions, and peers in each direction, that are shown.
const VERSIONS: usize = 10;
const PEERS: usize = 15;

impl Builder<'_> {
    /// Model versions that were in production, the last one first.
    pub(super) fn ran(&self, x: &System) -> Vec<m::Ran> {
        let mut deployed: Vec<_> = x.deployed.iter().collect();
        deployed.sort_by_key(|(_, d)| std::cmp::Reverse((d.end.is_none(), d.seen)));
        deployed.into_iter().take(VERSIONS).filter_map(|(version, d)| self.one(x, version, d)).collect()
    }

    fn one(&self, x: &System, version: &str, d: &Deployment) -> Option<m::Ran> {
        let (s, entry) = (self.s, *d.entries.iter().min()?);
        let start = d.start.unwrap_or(Time::from_seconds(0));
        let passed = dossier::passed(s.facts, s.catalogue, &s.assessment.estate, x, (entry, start));
        let files = x.artifacts.get(version).into_iter().flatten();
        let files = files.flat_map(|(bucket, prefix)| self.histories(bucket, prefix)).count() as u64;
        let run = passed.as_ref().and_then(|p| p.run).map(|r| {
            let told =
                format!("{}, applied {}", r.value.run, self.zone.minute(r.value.applied.unwrap_or(r.at)));
            m::Gate { told, entry: r.seq }
        });
        let constraint =
            |c: &&Seen<Constraint>| m::Gate { told: format!("{} (deny)", c.value.name), entry: c.seq };
        let constraints = passed.iter().flat_map(|p| &p.constraints).map(constraint);
        let gates: Vec<m::Gate> = run.into_iter().chain(constraints).collect();
        // What ran before our first look passed what nobody saw.
        let is_older = self.begin().is_none_or(|begin| start < begin);
        Some(m::Ran {
            version: version.to_owned(),
            from: d.start.map_or_else(|| "before the record began".into(), |t| self.zone.minute(t)),
            to: d.end.map_or_else(|| "now".into(), |t| self.zone.minute(t)),
            image: passed.as_ref().and_then(|p| p.workload.value.images.first().cloned()).unwrap_or_default(),
            files,
            let_through: match gates.is_empty() {
                true if is_older => "before the record began".into(),
                true => "nothing that a source of ours shows".into(),
                false => String::new(),
            },
            gates,
            entry,
        })
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
