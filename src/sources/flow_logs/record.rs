//! One flow-log record: a line, cut into fields, becomes values of their types; or it is said what is wrong with it.

use super::fields::{Field, Format};
use super::scan::{address_in, number};
use std::net::IpAddr;

/// What a record says of delivery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum LogStatus {
    /// Traffic.
    #[default]
    Ok,
    /// No traffic in the interval: a proof of silence.
    NoData,
    /// AWS lost records of the interval: a gap.
    SkipData,
    /// A record of a transit gateway: recognised, and taken for nothing else.
    TransitGateway,
}

/// A parsed record. What the format leaves out, or is `-`, is none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Record<'a> {
    pub status: LogStatus,
    pub interface: &'a [u8],
    pub start: Option<i64>,
    pub end: Option<i64>,
    pub accepted: Option<bool>,
    pub protocol: Option<u8>,
    pub source: Option<IpAddr>,
    pub destination: Option<IpAddr>,
    pub packet_source: Option<IpAddr>,
    pub packet_destination: Option<IpAddr>,
    pub source_port: Option<u16>,
    pub destination_port: Option<u16>,
    pub packets: u64,
    pub bytes: u64,
    pub tcp_flags: Option<u16>,
    pub egress: Option<bool>,
}

impl Record<'_> {
    /// Where it comes from, and where it goes to. What a packet says of itself is the truth behind a translated address.
    pub(super) fn ends(&self) -> (Option<IpAddr>, Option<IpAddr>) {
        (self.packet_source.or(self.source), self.packet_destination.or(self.destination))
    }
}

/// Why a line is no record: a kind that is counted, and what exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub kind: &'static str,
    pub what: String,
}

/// A line that was cut into fields with one byte between two: the block that it stands in, where it starts, and where each
/// field ends.
#[derive(Clone, Copy)]
pub(super) struct Cut<'a, 'c> {
    pub block: &'a [u8],
    pub start: u32,
    pub ends: &'c [u32],
}

impl<'a> Cut<'a, '_> {
    pub(super) fn text(&self, (from, to): (u32, u32)) -> &'a [u8] {
        &self.block[from as usize..to as usize]
    }
}

/// The fields of one record, wherever they stand.
pub(super) trait Fields<'a> {
    /// Where one stands.
    type Cell: Copy;
    /// How many there are.
    fn count(&self) -> usize;
    /// Where the n-th one stands.
    fn cell(&self, n: usize) -> Self::Cell;
    /// Whether it says nothing.
    fn is_absent(&self, cell: Self::Cell) -> bool;
    /// What it says, as text.
    fn text(&self, cell: Self::Cell) -> &'a [u8];
    /// As a whole number.
    fn number(&self, cell: Self::Cell) -> Option<u64>;
    /// As an IP address.
    fn address(&self, cell: Self::Cell) -> Option<IpAddr>;
    /// As people are shown it.
    fn shown(&self, cell: Self::Cell) -> String;
}

impl<'a> Fields<'a> for Cut<'a, '_> {
    type Cell = (u32, u32);

    #[inline]
    fn count(&self) -> usize {
        self.ends.len()
    }

    #[inline(always)]
    fn cell(&self, n: usize) -> (u32, u32) {
        (if n == 0 { self.start } else { self.ends[n - 1] + 1 }, self.ends[n])
    }

    #[inline]
    fn is_absent(&self, (from, to): (u32, u32)) -> bool {
        to - from == 1 && self.block[from as usize] == b'-'
    }

    #[inline]
    fn text(&self, cell: (u32, u32)) -> &'a [u8] {
        Cut::text(self, cell)
    }

    #[inline(always)]
    fn number(&self, (from, to): (u32, u32)) -> Option<u64> {
        number(self.block, from as usize, to as usize)
    }

    #[inline(always)]
    fn address(&self, (from, to): (u32, u32)) -> Option<IpAddr> {
        address_in(self.block, from as usize, to as usize)
    }

    fn shown(&self, cell: (u32, u32)) -> String {
        String::from_utf8_lossy(Cut::text(self, cell)).into_owned()
    }
}

#[inline(always)]
fn whole<'a, T: TryFrom<u64>, R: Fields<'a>>(row: &R, cell: R::Cell, name: &str) -> Result<T, Fault> {
    match row.number(cell).and_then(|n| T::try_from(n).ok()) {
        Some(n) => Ok(n),
        None => wrong("number", name, row.shown(cell), "a number in its range"),
    }
}

#[inline]
fn address<'a, R: Fields<'a>>(
    into: &mut Option<IpAddr>,
    row: &R,
    cell: R::Cell,
    name: &str,
) -> Result<(), Fault> {
    *into = row.address(cell);
    match into {
        Some(_) => Ok(()),
        None => wrong("address", name, row.shown(cell), "an IP address"),
    }
}

/// Unix seconds; rows of 2017 have milliseconds.
#[inline(always)]
fn seconds<'a, R: Fields<'a>>(row: &R, cell: R::Cell, name: &str) -> Result<i64, Fault> {
    let written: u64 = whole(row, cell, name)?;
    let seconds = if written > 100_000_000_000 { written / 1_000 } else { written };
    if seconds < END_OF_TIME {
        Ok(seconds as i64)
    } else {
        wrong("number", name, row.shown(cell), "a time before the year 10000")
    }
}

/// 10000-01-01T00:00:00Z
const END_OF_TIME: u64 = 253_402_300_800;

/// Reads one record into `r`. It is given the room because a record that is handed back is copied.
#[inline(never)]
pub(super) fn record<'a>(r: &mut Record<'a>, format: &Format, row: &impl Fields<'a>) -> Result<(), Fault> {
    *r = Record::default();
    let columns = format.columns();
    if row.count() != columns.len() {
        let what = format!("{} fields where {} {}", row.count(), format.origin(), columns.len());
        return Err(Fault { kind: "field-count", what });
    }
    if format.is_default() {
        return default(r, row);
    }
    for (i, field) in columns.iter().enumerate() {
        if *field == Field::TransitGateway && !row.is_absent(row.cell(i)) {
            *r = Record { status: LogStatus::TransitGateway, ..Record::default() };
            return Ok(());
        }
        take(r, *field, row, row.cell(i))?;
    }
    Ok(())
}

/// Reads one record of the default format, field after field: which one comes next needs not be found out.
fn default<'a>(r: &mut Record<'a>, row: &impl Fields<'a>) -> Result<(), Fault> {
    take(r, Field::Number, row, row.cell(0))?;
    take(r, Field::Interface, row, row.cell(2))?;
    take(r, Field::Source, row, row.cell(3))?;
    take(r, Field::Destination, row, row.cell(4))?;
    take(r, Field::SourcePort, row, row.cell(5))?;
    take(r, Field::DestinationPort, row, row.cell(6))?;
    take(r, Field::Protocol, row, row.cell(7))?;
    take(r, Field::Packets, row, row.cell(8))?;
    take(r, Field::Bytes, row, row.cell(9))?;
    take(r, Field::Start, row, row.cell(10))?;
    take(r, Field::End, row, row.cell(11))?;
    take(r, Field::Action, row, row.cell(12))?;
    take(r, Field::Status, row, row.cell(13))
}

/// Takes what a column says, unless it says nothing.
#[inline(always)]
fn take<'a, R: Fields<'a>>(r: &mut Record<'a>, field: Field, row: &R, cell: R::Cell) -> Result<(), Fault> {
    if row.is_absent(cell) {
        return Ok(());
    }
    match field {
        Field::Interface => r.interface = row.text(cell),
        Field::Source => address(&mut r.source, row, cell, "srcaddr")?,
        Field::Destination => address(&mut r.destination, row, cell, "dstaddr")?,
        Field::SourcePort => r.source_port = Some(whole(row, cell, "srcport")?),
        Field::DestinationPort => r.destination_port = Some(whole(row, cell, "dstport")?),
        Field::Protocol => r.protocol = Some(whole(row, cell, "protocol")?),
        Field::Packets => r.packets = whole(row, cell, "packets")?,
        Field::Bytes => r.bytes = whole(row, cell, "bytes")?,
        Field::Start => r.start = Some(seconds(row, cell, "start")?),
        Field::End => r.end = Some(seconds(row, cell, "end")?),
        Field::Action => {
            r.accepted = match row.text(cell) {
                b"ACCEPT" => Some(true),
                b"REJECT" => Some(false),
                _ => return wrong("word", "action", row.shown(cell), "ACCEPT or REJECT"),
            }
        }
        Field::Status => {
            r.status = match row.text(cell) {
                b"OK" => LogStatus::Ok,
                b"NODATA" => LogStatus::NoData,
                b"SKIPDATA" => LogStatus::SkipData,
                _ => return wrong("word", "log-status", row.shown(cell), "OK, NODATA or SKIPDATA"),
            }
        }
        Field::TcpFlags => r.tcp_flags = Some(whole(row, cell, "tcp-flags")?),
        Field::PacketSource => address(&mut r.packet_source, row, cell, "pkt-srcaddr")?,
        Field::PacketDestination => address(&mut r.packet_destination, row, cell, "pkt-dstaddr")?,
        Field::Direction => {
            r.egress = match row.text(cell) {
                b"egress" => Some(true),
                b"ingress" => Some(false),
                _ => return wrong("word", "flow-direction", row.shown(cell), "ingress or egress"),
            }
        }
        Field::Resource if r.interface.is_empty() => r.interface = row.text(cell),
        Field::Number => drop(whole::<u64, _>(row, cell, "a number")?),
        Field::Resource | Field::TransitGateway | Field::Text | Field::Unknown => {}
    }
    Ok(())
}

#[cold]
fn wrong<T>(kind: &'static str, name: &str, shown: String, right: &str) -> Result<T, Fault> {
    let shown: String = shown.chars().take(60).collect();
    Err(Fault { kind, what: format!("{name} is {shown:?}: {right} would be right") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'a>(format: &Format, line: &'a str) -> Result<Record<'a>, Fault> {
        let mut ends: Vec<u32> = line.match_indices(' ').map(|(at, _)| at as u32).collect();
        ends.push(line.len() as u32);
        let mut r = Record::default();
        record(&mut r, format, &Cut { block: line.as_bytes(), start: 0, ends: &ends }).map(|()| r)
    }

    #[test]
    fn the_default_format_and_its_faults() {
        let format = Format::configured(None);
        let good =
            "2 111122223333 eni-1 10.0.0.1 10.0.0.2 40000 6006 6 10 840 1418530010 1418530070 ACCEPT OK";
        let r = read(&format, good).unwrap();
        assert_eq!((r.destination_port, r.bytes, r.accepted), (Some(6006), 840, Some(true)));
        assert_eq!(read(&format, "2 1 eni-1").unwrap_err().what, "3 fields where the format has 14");
        let nodata = "2 111122223333 eni-1 - - - - - - - 1431280876 1431280934 - NODATA";
        assert_eq!(read(&format, nodata).unwrap().status, LogStatus::NoData);
        for (from, to, kind) in [
            ("OK", "MAYBE", "word"),
            ("ACCEPT", "accept", "word"),
            (" 6006 ", " 65536 ", "number"),
            (" 6 ", " 256 ", "number"),
            (" 840 ", " 18446744073709551616 ", "number"),
            (" 840 ", " -1 ", "number"),
            ("10.0.0.1", "10.0.0.1.1", "address"),
            ("1418530010", "99999999999999999", "number"),
        ] {
            assert_eq!(read(&format, &good.replace(from, to)).unwrap_err().kind, kind, "{to}");
        }
    }

    #[test]
    fn what_the_packet_says_comes_before_what_the_interface_says() {
        let format = Format::header(b"srcaddr dstaddr pkt-srcaddr pkt-dstaddr flow-direction").unwrap();
        let r = read(&format, "10.0.0.5 10.0.1.9 100.64.3.7 - ingress").unwrap();
        assert_eq!(r.ends(), ("100.64.3.7".parse().ok(), "10.0.1.9".parse().ok()));
        assert_eq!(r.egress, Some(false));
    }
}
