//! What rows are told apart by, and what they sum.

use super::super::record::Record;
use super::super::selection::Peer;
use crate::evidence::flow_logs::{Direction, Initiator, Side};

/// What rows are told apart by, in three words.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// Hours since 1970, and the number of the interface.
    pub hour_and_interface: u64,
    pub peer: Peer,
    /// Number of the address on our side.
    pub address: u32,
    pub port: u16,
    pub protocol: u8,
    /// What [`Marks`] holds, packed.
    pub marks: u8,
}

/// What of a row is one of a few.
#[derive(Clone, Copy)]
pub(super) struct Marks {
    pub direction: Direction,
    pub service: Side,
    pub initiator: Initiator,
    pub accepted: Option<bool>,
    pub allowed: Option<bool>,
}

/// Sums of one row.
#[derive(Clone, Copy)]
pub(super) struct Sum {
    pub packets: u64,
    pub bytes: u64,
    pub flows: u32,
    /// Seconds after the beginning of the hour.
    pub first: u32,
    pub last: u32,
}

impl Sum {
    /// That of one record; `start` and `end` in seconds since 1970.
    pub(super) fn of(r: &Record<'_>, start: i64, end: i64) -> Sum {
        let offset = |t: i64| u32::try_from(t - start / super::HOUR * super::HOUR).unwrap_or(u32::MAX);
        Sum { packets: r.packets, bytes: r.bytes, flows: 1, first: offset(start), last: offset(end) }
    }

    pub(super) fn add(&mut self, other: &Sum) {
        self.packets = self.packets.saturating_add(other.packets);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.flows = self.flows.saturating_add(other.flows);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}

impl Marks {
    pub(super) fn packed(self) -> u8 {
        let three = |o: Option<bool>| o.map_or(2, u8::from);
        let of_three = [self.initiator as u8, three(self.accepted), three(self.allowed)];
        of_three.iter().fold((self.direction as u8) << 1 | self.service as u8, |all, n| all * 3 + n)
    }

    pub(super) fn unpacked(packed: u8) -> Marks {
        let of_three = |n: u8| (n < 2).then_some(n == 1);
        Marks {
            allowed: of_three(packed % 3),
            accepted: of_three(packed / 3 % 3),
            initiator: [Initiator::Peer, Initiator::Port, Initiator::Unknown][usize::from(packed / 9 % 3)],
            service: [Side::Ours, Side::Peer][usize::from(packed / 27 % 2)],
            direction: [Direction::In, Direction::Out][usize::from(packed / 54)],
        }
    }
}

const SYN: u16 = 2;
const ACK: u16 = 16;

/// Whether flags say that a record goes to the side that was called: SYN without ACK does, SYN with ACK comes back.
pub(super) fn opens(flags: Option<u16>) -> Option<bool> {
    flags.filter(|f| f & SYN != 0).map(|f| f & ACK == 0)
}

/// Who opened the connection: the side that sent SYN without ACK; without flags, the side without the service port.
/// `to_service` says whether the record goes to the service.
pub(super) fn initiator(flags: Option<u16>, to_service: bool, both_watched: bool) -> Initiator {
    match (flags, opens(flags)) {
        (_, Some(sender_opened)) if sender_opened == to_service => Initiator::Peer,
        (_, Some(_)) => Initiator::Port,
        (None, None) if !both_watched => Initiator::Peer,
        _ => Initiator::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_come_back_as_they_were() {
        for packed in 0..108 {
            assert_eq!(Marks::unpacked(packed).packed(), packed);
        }
    }

    #[test]
    fn flags_tell_who_opened() {
        assert_eq!(initiator(Some(2), true, false), Initiator::Peer);
        assert_eq!(initiator(Some(2), false, false), Initiator::Port);
        assert_eq!(initiator(Some(18), false, false), Initiator::Peer);
        assert_eq!(initiator(Some(0), true, false), Initiator::Unknown);
    }
}
