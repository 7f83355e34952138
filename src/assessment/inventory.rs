//! Which interfaces should speak: those that `DescribeNetworkInterfaces` lists, or, where nobody lists them, those of a
//! cluster's nodes. Beside them the pods, which have addresses of their own behind the interface of their node.

use super::facts::{Facts, Holder, Seen};
use crate::evidence::flow_logs::NetworkInterface;
use crate::evidence::gatekeeper::Address;
use crate::evidence::record::AssessmentConfig;
use crate::evidence::{Outside, Time};
use std::net::Ipv4Addr;
use std::rc::Rc;

/// An interface that was there for a time.
#[derive(Clone, Debug, Default)]
pub struct Interface {
    /// Subject of the state that shows it: the interface, or the node that holds it.
    pub subject: String,
    /// Source of flow logs that should record it.
    pub source: String,
    /// `eni-…`; empty of a node whose interface no record showed.
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
    /// The node of a cluster that alone tells it.
    pub node: Option<String>,
}

impl Interface {
    /// Whether it was there from the first minute of an hour to the last.
    pub fn covers(&self, hour: Time) -> bool {
        self.from <= hour && self.until.is_none_or(|u| hour.plus_seconds(3_600) <= u)
    }
}

/// A pod with addresses of its own, for a time.
#[derive(Clone, Debug)]
pub struct Pod {
    /// The entry that shows it.
    pub seq: u64,
    /// Source of flow logs that records its network.
    pub source: String,
    /// Subject of the workload that it runs for.
    pub workload: String,
    /// Its addresses.
    pub addresses: Vec<String>,
    /// Since when, as the cluster or our looks tell.
    pub from: Time,
    /// When a complete look no longer showed it, or another pod got its address.
    pub until: Option<Time>,
}

impl Pod {
    /// Whether it was there at some time of an hour.
    pub fn overlaps(&self, hour: Time) -> bool {
        self.from < hour.plus_seconds(3_600) && self.until.is_none_or(|u| u > hour)
    }

    /// Whether it runs for another workload and has an address of this one.
    pub fn is_other(&self, pod: &Pod) -> bool {
        self.workload != pod.workload && self.shares(pod)
    }

    fn shares(&self, pod: &Pod) -> bool {
        self.source == pod.source && self.addresses.iter().any(|a| pod.addresses.contains(a))
    }
}

/// Pods that were there at some time up to `at`, of clusters whose flow logs are known.
pub fn pods(facts: &Facts, config: &AssessmentConfig, at: Time) -> Vec<Pod> {
    let one = |(subject, history): (&Rc<str>, &Vec<Seen<Address>>)| {
        let (shown, Interface { from, until, .. }) = there(subject, history, at)?;
        let source = config.sources.get(&shown.source)?.flow_logs.clone()?;
        let Address { workload, addresses, started, .. } = shown.value.clone();
        let from = started.map_or(from, |s| s.min(from));
        Some(Pod { seq: shown.seq, source, workload: workload?, addresses, from, until })
    };
    let mut all: Vec<Pod> = facts.cluster.addresses.0.iter().filter_map(one).collect();
    all.sort_by(|a, b| (&a.addresses, a.from).cmp(&(&b.addresses, b.from)));
    // An address is given to one pod at a time: the next one tells when the one before had ended.
    for i in 1..all.len() {
        let (before, next) = (all[i - 1].clone(), all[i].from);
        if before.shares(&all[i]) {
            all[i - 1].until = Some(before.until.map_or(next, |u| u.min(next)));
        }
    }
    all
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

/// The interface that holds a node's address. Addresses are given again to others, so it is the one that held it for most of
/// the time of the node. While none is known, the node is expected from the time on at which records were searched for it.
fn node(
    facts: &Facts,
    config: &AssessmentConfig,
    subject: &str,
    history: &[Seen<Address>],
    at: Time,
) -> Option<Interface> {
    let (shown, mut interface) = there(subject, history, at).filter(|(s, _)| s.value.workload.is_none())?;
    let source = config.sources.get(&shown.source)?.flow_logs.clone()?;
    let Address { node, addresses, .. } = shown.value.clone();
    let (from, until) = (interface.from, interface.until.unwrap_or(at));
    let overlap = |h: &&Holder| h.to.min(until).seconds() - h.from.max(from).seconds();
    let holders = addresses.iter().flat_map(|a| facts.network.of(&source).holders(a));
    match holders.filter(|h| overlap(h) >= 0).max_by_key(overlap) {
        Some(holder) => interface.name.clone_from(&holder.interface),
        None => {
            let sought = addresses.iter().filter_map(|a| facts.network.of(&source).sought(a)).min();
            interface.from = from.max(sought.unwrap_or(at));
        }
    }
    Some(Interface { source, addresses, node: Some(node), ..interface })
}

/// The last state that showed something, and when it was there: a name that was gone for a time is another thing.
fn there<'s, T>(subject: &str, history: &'s [Seen<T>], at: Time) -> Option<(&'s Seen<T>, Interface)> {
    let known = history.iter().filter(|s| s.at <= at);
    let known: Vec<&Seen<T>> = known.collect();
    let last = known.iter().rposition(|s| !s.gone)?;
    let first = known[..last].iter().rposition(|s| s.gone).map_or(0, |gone| gone + 1);
    let (shown, first_look) = (known[last], known[first].at);
    let until = known.get(last + 1).map(|s| s.at);
    let (subject, from) = (subject.to_owned(), first_look);
    Some((shown, Interface { subject, from, until, first_look, seq: shown.seq, ..Interface::default() }))
}

/// Addresses of the nodes whose interfaces records are to show, by source.
pub(super) fn sought(interfaces: &[Interface]) -> impl Iterator<Item = (&String, &String)> {
    let present = interfaces.iter().filter(|i| i.node.is_some() && i.until.is_none());
    let all = present.flat_map(|i| i.addresses.iter().map(move |a| (&i.source, a)));
    all.filter(|(_, address)| address.parse::<Ipv4Addr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::super::facts::folded;
    use super::*;
    use crate::evidence::flow_logs::{FlowObject, FlowSelection, Traffic};
    use crate::evidence::record::SourceConfig;
    use crate::evidence::{Evidence, Kind};
    use std::collections::BTreeMap;

    fn hour(n: i64) -> Time {
        Time::from_seconds(1_790_000_000).hour().plus_seconds(3_600 * n)
    }

    fn config() -> AssessmentConfig {
        let source = SourceConfig { flow_logs: Some("vpc".into()), ..SourceConfig::default() };
        AssessmentConfig {
            sources: BTreeMap::from([("ml".to_owned(), source)]),
            ..AssessmentConfig::default()
        }
    }

    fn address(name: &str, address: &str, at: Time, workload: Option<&str>) -> Evidence {
        let payload = Address {
            node: name.into(),
            addresses: vec![address.into()],
            workload: workload.map(str::to_owned),
            ..Address::default()
        };
        Evidence::state(Kind::KubernetesAddress, "ml", format!("k8s:c/{name}"), at, &payload)
    }

    fn gone(name: &str, at: Time) -> Evidence {
        Evidence::gone(Kind::KubernetesAddress, "ml", format!("k8s:c/{name}"), at)
    }

    /// An object in which an interface held an address.
    fn object(interface: &str, address: &str, at: Time) -> Evidence {
        let nodes = vec![(interface.to_owned(), address.to_owned())];
        let row =
            crate::evidence::flow_logs::HourRow { hour: at, interfaces: vec![(interface.into(), 9, 0, 0)] };
        let span = Some((at, at.plus_seconds(3_000)));
        let traffic = Traffic { span, nodes, hours: vec![row], ..Traffic::default() };
        let object = FlowObject { object: format!("{}", at.seconds()), traffic, ..FlowObject::default() };
        let (key, subject) = (object.object.clone(), format!("flow_log:{}", object.object));
        Evidence::event(Kind::FlowLogObject, "vpc", key, subject, at, &object)
    }

    fn selection(nodes: &[&str], at: Time) -> Evidence {
        let nodes = nodes.iter().map(|n| (*n).to_owned()).collect();
        let selection = FlowSelection { nodes, ..FlowSelection::default() };
        Evidence::state(Kind::FlowLogSelection, "actledger", "selection:vpc".into(), at, &selection)
    }

    #[test]
    fn a_node_is_expected_since_it_was_seen_and_one_without_interface_since_it_was_searched_for() {
        let facts = folded(vec![
            address("a", "10.0.0.1", hour(0), None),
            address("b", "10.0.0.2", hour(0), None),
            address("c", "10.0.0.3", hour(0), None),
            gone("c", hour(1)),
            selection(&["10.0.0.1", "10.0.0.2"], hour(2)),
            object("eni-1", "10.0.0.1", hour(3)),
        ]);
        let all = interfaces(&facts, &config(), hour(9));
        let told: Vec<_> = all.iter().map(|i| (i.name.as_str(), i.from, i.until)).collect();
        let unsought = ("", hour(9), Some(hour(1)));
        assert_eq!(told, [("eni-1", hour(0), None), ("", hour(2), None), unsought]);
    }

    #[test]
    fn a_name_and_an_address_that_come_back_are_another_node() {
        let facts = folded(vec![
            address("a", "10.0.0.1", hour(0), None),
            selection(&["10.0.0.1"], hour(0)),
            object("eni-1", "10.0.0.1", hour(1)),
            gone("a", hour(2)),
            address("a", "10.0.0.1", hour(5), None),
            object("eni-2", "10.0.0.1", hour(5)),
            object("eni-2", "10.0.0.1", hour(6)),
        ]);
        let all = interfaces(&facts, &config(), hour(9));
        assert_eq!((all[0].name.as_str(), all[0].from), ("eni-2", hour(5)));
        let before = interfaces(&facts, &config(), hour(4));
        assert_eq!((before[0].name.as_str(), before[0].until), ("eni-1", Some(hour(2))));
    }

    #[test]
    fn an_address_belongs_to_one_pod_at_a_time() {
        let facts = folded(vec![
            address("x", "10.0.5.7", hour(0), Some("k8s:c/ml/Deployment/api")),
            address("y", "10.0.5.7", hour(4), Some("k8s:c/ml/Deployment/web")),
            gone("x", hour(6)),
        ]);
        let pods = pods(&facts, &config(), hour(9));
        let told: Vec<_> =
            pods.iter().map(|p| (p.workload.rsplit('/').next().unwrap(), p.from, p.until)).collect();
        assert_eq!(told, [("api", hour(0), Some(hour(4))), ("web", hour(4), None)]);
        assert!(pods[0].overlaps(hour(3)) && !pods[0].overlaps(hour(4)) && pods[0].is_other(&pods[1]));
    }
}
