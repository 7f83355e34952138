//! `[network]`: which addresses are the organisation's, and who may connect to which port.

use ipnet::IpNet;
use serde::Deserialize;
use std::net::IpAddr;

/// `[network]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// The organisation's own networks.
    pub own: Vec<IpNet>,
    /// `[[network.watch]]`: watched ports beside those of the catalogue, or other rules for the same port.
    pub watch: Vec<Watch>,
    /// `[[network.range]]`: names for ranges that people know.
    pub range: Vec<Range>,
}

/// A watched service.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    /// What listens there.
    pub name: String,
    /// Its ports.
    pub ports: Vec<u16>,
    /// Who may connect. Default: the own networks.
    pub allowed_from: Option<Vec<IpNet>>,
}

/// A named range.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// Its name.
    pub name: String,
    /// Its addresses.
    pub cidr: IpNet,
}

impl Network {
    /// Whether an address is private: RFC 1918, RFC 6598, RFC 4193, link-local, loopback.
    pub fn is_private(address: IpAddr) -> bool {
        match address {
            IpAddr::V4(v4) => v4.is_private() || v4.is_link_local() || v4.is_loopback() || is_shared(v4),
            IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local() || v6.is_loopback(),
        }
    }

    /// Whether `peer` may connect to a watched port.
    pub fn allows(&self, port: u16, peer: IpAddr) -> bool {
        let rule = self.watch.iter().find(|w| w.ports.contains(&port)).and_then(|w| w.allowed_from.as_ref());
        rule.unwrap_or(&self.own).iter().any(|n| n.contains(&peer))
    }

    /// All watched ports: those given and those of the config.
    pub fn watched(&self, catalogue: &[crate::act::Port]) -> Vec<u16> {
        let ours = self.watch.iter().flat_map(|w| w.ports.iter().copied());
        let mut ports: Vec<u16> = catalogue.iter().map(|p| p.port).chain(ours).collect();
        ports.sort_unstable();
        ports.dedup();
        ports
    }
}

fn is_shared(v4: std::net::Ipv4Addr) -> bool {
    v4.octets()[0] == 100 && v4.octets()[1] & 0xC0 == 64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watched_port_is_for_the_own_networks_unless_others_are_named() {
        let network: Network = toml::from_str(
            "own = ['10.0.0.0/16']\n[[watch]]\nname = 'x'\nports = [9]\nallowed_from = ['203.0.113.0/24']",
        )
        .unwrap();
        let allows = |port, peer: &str| network.allows(port, peer.parse().unwrap());
        assert!(allows(9, "203.0.113.9") && !allows(9, "10.0.0.1"));
        assert!(allows(6006, "10.0.0.1") && !allows(6006, "203.0.113.9"));
        assert!(Network::is_private("100.64.1.1".parse().unwrap()));
    }
}
