//! Which address an interface holds: the one that all its records have in common. The side of the interface is always its
//! primary private IPv4 address (AWS, "Flow log records").

use super::super::record::Record;
use std::net::{IpAddr, Ipv4Addr};

/// What the records of an interface say so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Holder {
    #[default]
    Unknown,
    /// One of the two.
    Either(Ipv4Addr, Ipv4Addr),
    /// More than one.
    None,
}

impl Holder {
    /// With one more record. IPv6 says nothing of it.
    pub(super) fn with(self, record: &Record<'_>) -> Holder {
        let (Some(IpAddr::V4(from)), Some(IpAddr::V4(to))) = (record.source, record.destination) else {
            return self;
        };
        let (a, b) = match record.egress {
            Some(true) => (from, from),
            Some(false) => (to, to),
            None => (from, to),
        };
        match self {
            Holder::Unknown => Holder::Either(a, b),
            Holder::Either(c, d) => match ([a, b].contains(&c), [a, b].contains(&d)) {
                (true, true) => self,
                (true, false) => Holder::Either(c, c),
                (false, true) => Holder::Either(d, d),
                (false, false) => Holder::None,
            },
            Holder::None => Holder::None,
        }
    }

    /// The address, when there is no doubt.
    pub(super) fn address(self) -> Option<Ipv4Addr> {
        match self {
            Holder::Either(a, b) if a == b => Some(a),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(records: &[(u8, u8, Option<bool>)]) -> Option<u8> {
        let at = |n: u8| Some(IpAddr::from([10, 0, 0, n]));
        let record = |(from, to, egress): &(u8, u8, Option<bool>)| Record {
            source: at(*from),
            destination: at(*to),
            egress: *egress,
            ..Record::default()
        };
        let holder = records.iter().fold(Holder::default(), |holder, r| holder.with(&record(r)));
        holder.address().map(|a| a.octets()[3])
    }

    #[test]
    fn an_interface_holds_what_its_records_have_in_common() {
        assert_eq!(of(&[(1, 2, None), (2, 1, None)]), None, "one peer alone leaves it open");
        assert_eq!(of(&[(1, 2, None), (2, 1, None), (3, 1, None)]), Some(1));
        assert_eq!(of(&[(1, 2, Some(false))]), Some(2), "unless the direction tells");
        assert_eq!(of(&[(1, 2, None), (3, 4, None), (1, 2, None)]), None);
        assert_eq!(of(&[]), None);
    }
}
