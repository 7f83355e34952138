//! What is kept as rows: watched ports, and the interfaces and addresses of known systems. All else is in the totals.

use crate::config::Network;
use crate::evidence::sha256_hex;
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What is kept, and how peers are called.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// The organisation's networks.
    pub network: Network,
    /// One bit per watched port.
    ports: Vec<u64>,
    /// Interfaces of known systems, with their addresses where an inventory tells them.
    pub interfaces: BTreeMap<String, BTreeSet<IpAddr>>,
    /// Addresses of pods of known systems.
    pub addresses: BTreeSet<IpAddr>,
    /// Addresses of nodes, whose interfaces are looked for.
    pub nodes: BTreeSet<Ipv4Addr>,
    /// Whether full addresses of peers are kept, sealed.
    pub keeps_addresses: bool,
}

/// The class of a peer, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Peer {
    /// The organisation's own networks.
    Own,
    /// A named range, by its place in the config.
    Range(u16),
    /// Another private network.
    Private,
    /// A public IPv4 network of 24 bits.
    Public4(u32),
    /// A public IPv6 network of 48 bits.
    Public6([u8; 6]),
}

impl Peer {
    /// Whether its address may be a person's.
    pub(super) fn is_foreign(self) -> bool {
        self != Peer::Own
    }
}

impl Selection {
    /// A selection of watched ports alone.
    pub fn new(network: Network, watched: &[u16]) -> Selection {
        let mut ports = vec![0; 1024];
        watched.iter().for_each(|p| ports[usize::from(p / 64)] |= 1 << (p % 64));
        Selection { network, ports, ..Selection::default() }
    }

    pub(super) fn watches(&self, port: u16) -> bool {
        self.ports.get(usize::from(port / 64)).is_some_and(|word| word >> (port % 64) & 1 == 1)
    }

    /// SHA-256 over all that rows depend on as canonical JSON: objects that were read with another one kept other rows.
    pub fn digest(&self) -> String {
        let texts = |nets: &[IpNet]| nets.iter().map(ToString::to_string).collect::<Vec<_>>();
        let watch = self.network.watch.iter().map(|w| (&w.ports, w.allowed_from.as_deref().map(texts)));
        let range = self.network.range.iter().map(|r| (&r.name, r.cidr.to_string()));
        let all = serde_json::json!({
            "addresses": self.addresses,
            "interfaces": self.interfaces.iter().collect::<Vec<_>>(),
            "own": texts(&self.network.own),
            "peer_addresses": self.keeps_addresses,
            "ports": (0..=u16::MAX).filter(|p| self.watches(*p)).collect::<Vec<_>>(),
            "range": range.collect::<Vec<_>>(),
            "watch": watch.collect::<Vec<_>>(),
        });
        sha256_hex(all.to_string().as_bytes())
    }

    /// Whether an address is the organisation's. Without own networks in the config, private ones count.
    pub(super) fn is_ours(&self, address: IpAddr) -> bool {
        match self.peer(address) {
            Peer::Own => true,
            Peer::Private => self.network.own.is_empty(),
            _ => false,
        }
    }

    /// Whether a record goes to our side, as far as the addresses tell: those of the interface, where they are known,
    /// else those of the own networks.
    pub(super) fn inward(
        &self,
        interface: Option<&str>,
        source: IpAddr,
        destination: IpAddr,
    ) -> Option<bool> {
        let told = |from: bool, to: bool| (from != to).then_some(to);
        let here = interface.and_then(|i| self.interfaces.get(i));
        here.and_then(|a| told(a.contains(&source), a.contains(&destination)))
            .or_else(|| told(self.is_ours(source), self.is_ours(destination)))
    }

    pub(super) fn peer(&self, address: IpAddr) -> Peer {
        let holds = |n: &IpNet| n.contains(&address);
        if let Some(i) = self.network.range.iter().position(|r| holds(&r.cidr)) {
            return Peer::Range(i as u16);
        }
        match address {
            _ if self.network.own.iter().any(holds) => Peer::Own,
            _ if Network::is_private(address) => Peer::Private,
            IpAddr::V4(a) => Peer::Public4(a.to_bits() & 0xFFFF_FF00),
            IpAddr::V6(a) => Peer::Public6(std::array::from_fn(|i| a.octets()[i])),
        }
    }

    /// The class as it is written down: `own`, the name of a range, `private`, or `public` and the network.
    pub(super) fn peer_name(&self, peer: Peer) -> String {
        match peer {
            Peer::Own => "own".into(),
            Peer::Range(i) => self.network.range[usize::from(i)].name.clone(),
            Peer::Private => "private".into(),
            Peer::Public4(bits) => format!("public {}/24", Ipv4Addr::from_bits(bits)),
            Peer::Public6(octets) => {
                let mut all = [0; 16];
                all[..6].copy_from_slice(&octets);
                format!("public {}/48", Ipv6Addr::from(all))
            }
        }
    }
}
