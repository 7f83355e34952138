//! Which interfaces should speak: those that `DescribeNetworkInterfaces` lists, or, where nobody lists them, those of a
//! cluster's nodes.

use super::facts::{Facts, Seen};
use crate::evidence::flow_logs::NetworkInterface;
use crate::evidence::gatekeeper::Address;
use crate::evidence::record::AssessmentConfig;
use crate::evidence::{Outside, Time};
use std::net::Ipv4Addr;

/// An interface that was there for a time.
#[derive(Clone, Debug, Default)]
pub struct Interface {
    /// Subject of the state that shows it: the interface, or the node that holds it.
    pub subject: String,
    /// Source of flow logs that should record it.
    pub source: String,
    /// `eni-…`; of a node whose interface no record showed, its name.
    pub name: String,
    /// `vpc-…`; empty of a node's.
    pub vpc: String,
    /// `subnet-…`; empty of a node's.
    pub subnet: String,
    /// Private addresses.
    pub addresses: Vec<String>,
    /// Its tags.
    pub tags: Outside,
    /// Since when it was there, as AWS or our looks tell.
    pub from: Time,
    /// When a complete look no longer showed it.
    pub until: Option<Time>,
    /// The first look that showed it.
    pub first_look: Time,
    /// Entry of the last state that showed it.
    pub seq: u64,
    /// Whether only a node of a cluster tells it.
    pub is_node: bool,
}

impl Interface {
    /// Whether it was there from the first minute of an hour to the last.
    pub fn covers(&self, hour: Time) -> bool {
        self.from <= hour && self.until.is_none_or(|u| hour.plus_seconds(3_600) <= u)
    }
}

/// Interfaces that were there at some time up to `at`.
pub fn interfaces(facts: &Facts, config: &AssessmentConfig, at: Time) -> Vec<Interface> {
    let listed = facts.network.interfaces.0.iter();
    let mut all: Vec<_> = listed.filter_map(|(subject, history)| listed_one(subject, history, at)).collect();
    let nodes = facts.cluster.addresses.0.iter();
    let nodes = nodes.filter_map(|(subject, history)| node(facts, config, subject, history, at));
    let unlisted: Vec<_> = nodes.filter(|n| !all.iter().any(|i| i.source == n.source)).collect();
    all.extend(unlisted);
    all
}

fn listed_one(subject: &str, history: &[Seen<NetworkInterface>], at: Time) -> Option<Interface> {
    let (shown, mut interface) = there(subject, history, at)?;
    let NetworkInterface { interface: name, vpc, subnet, addresses, tags, attached, .. } =
        shown.value.clone();
    interface.source.clone_from(&shown.source);
    interface.from = attached.map_or(interface.from, |a| a.min(interface.from));
    Some(Interface { name, vpc, subnet, addresses, tags, ..interface })
}

/// The interface that holds a node's address. Addresses are given again to others, so it is the last one that held it
/// while the node was there.
fn node(
    facts: &Facts,
    config: &AssessmentConfig,
    subject: &str,
    history: &[Seen<Address>],
    at: Time,
) -> Option<Interface> {
    let (shown, mut interface) = there(subject, history, at)?;
    interface.source.clone_from(config.sources.get(&shown.source)?.flow_logs.as_ref()?);
    let Address { node, addresses, .. } = shown.value.clone();
    let held = |address: &String| {
        let holders = facts.network.holders(&interface.source, address);
        let while_there =
            holders.filter(|h| h.to >= interface.from && interface.until.is_none_or(|u| h.from <= u));
        while_there.max_by_key(|h| h.to).map(|h| h.interface.clone())
    };
    let name = addresses.iter().find_map(held).unwrap_or_else(|| format!("node {node}"));
    Some(Interface { name, addresses, is_node: true, ..interface })
}

/// The last state that showed something, and when it was there.
fn there<'s, T>(subject: &str, history: &'s [Seen<T>], at: Time) -> Option<(&'s Seen<T>, Interface)> {
    let known = || history.iter().filter(|s| s.at <= at);
    let shown = known().rfind(|s| !s.gone)?;
    let first_look = known().find(|s| !s.gone).map_or(shown.at, |s| s.at);
    let until = known().find(|s| s.gone && s.at > shown.at).map(|s| s.at);
    let (subject, from) = (subject.to_owned(), first_look);
    Some((shown, Interface { subject, from, until, first_look, seq: shown.seq, ..Interface::default() }))
}

/// Addresses of the nodes whose interfaces records are to show, by source.
pub(super) fn sought(interfaces: &[Interface]) -> impl Iterator<Item = (&String, &String)> {
    let present = interfaces.iter().filter(|i| i.is_node && i.until.is_none());
    let all = present.flat_map(|i| i.addresses.iter().map(move |a| (&i.source, a)));
    all.filter(|(_, address)| address.parse::<Ipv4Addr>().is_ok())
}
