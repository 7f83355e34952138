//! What VPC flow logs state: per delivered object, never per record.

mod written;

use super::{Outside, Private, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use written::Written;

/// One delivered flow-log object: where it came from and what it counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FlowObject {
    /// Key of the object below its location.
    pub object: String,
    /// SHA-256 of the bytes as delivered.
    pub sha256: String,
    /// Size of the bytes as delivered.
    pub size: u64,
    /// The S3 version that was read; none where the bucket keeps no versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// The S3 entity tag by which a listing shows that the object was replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// When S3 got it: the delay of its delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<Time>,
    /// How many entries before this one told the same object: this one stands in their place.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub revision: u64,
    /// Why nothing of it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// From when to when records of it may lie that were not read: it was refused, cut short, or holds lines that are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<(Time, Time)>,
    /// What its records counted.
    #[serde(flatten)]
    pub traffic: Traffic,
}

impl FlowObject {
    /// From when to when its records may lie, as far as its name or its delivery tells. The name holds the minute in which
    /// the object begins; records are aggregated for ten minutes at most, and an object holds five minutes of them (AWS,
    /// "Flow log files"). Without that minute its records tell as well, a day before and after at most. `looked_at` bounds
    /// what is known of one that tells nothing: a day.
    pub fn may_span(&self, looked_at: Time) -> (Time, Time) {
        let begun = self.object.rsplit('/').next().and_then(|name| name.split('_').find_map(minute));
        let (from, to) = match (begun, self.modified) {
            (Some(begun), _) => return (begun.plus_seconds(-600), begun.plus_seconds(600)),
            (None, Some(modified)) => (modified.plus_seconds(-2_700), modified),
            (None, None) => (looked_at.plus_days(-1), looked_at),
        };
        let (earliest, latest) = (from.plus_days(-1), to.plus_days(1));
        let told = |(a, b): (Time, Time)| (from.min(a).max(earliest), to.max(b).min(latest));
        self.traffic.span.map_or((from, to), told)
    }
}

/// `YYYYMMDDTHHmmZ`
fn minute(part: &str) -> Option<Time> {
    let digits = part.strip_suffix('Z').filter(|d| d.len() == 13)?;
    Time::from_look_name(&format!("{digits}00Z"))
}

/// Five minutes of a CloudWatch log group, by the start of the records: what S3 delivers as objects.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FlowWindow {
    /// Name of the log group.
    pub group: String,
    /// Its start; it ends five minutes later.
    pub from: Time,
    /// Events that were read, each once.
    pub events: u64,
    /// Sum of the SHA-256 digests of all messages modulo 2^128, hex: the same for the same messages in any order.
    pub digest: String,
    /// How many entries before this one told the same window: this one stands in their place.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub revision: u64,
    /// What its records counted.
    #[serde(flatten)]
    pub traffic: Traffic,
}

/// What a number of records counted, and the hourly rows that rules read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Traffic {
    /// Field names in the order of the records.
    pub format: Vec<String>,
    /// Records by log status, and what could not be read.
    pub records: RecordCounts,
    /// Lines that are no record, by kind of fault.
    pub faults: BTreeMap<String, u64>,
    /// Earliest start and latest end of its records.
    pub span: Option<(Time, Time)>,
    /// What was selected for rows (watched ports, systems, networks), as a digest: rows of another selection are other
    /// rows.
    pub selection: String,
    /// Records by hour and interface, all of them.
    pub hours: Vec<HourRow>,
    /// Traffic of what is selected.
    pub rows: Vec<FlowRow>,
    /// What was selected and did not fit into the limit of rows.
    pub other: Other,
    /// Interfaces that hold an address of a node that the selection names, and that address.
    pub nodes: Vec<(String, String)>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// Of which interfaces all traffic is kept as rows, beside that of watched ports: those of systems, as of an assessment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FlowSelection {
    /// Interface (`eni-…`) and its private addresses.
    pub interfaces: Vec<(String, Vec<String>)>,
    /// IPv4 addresses of a cluster's nodes, whose interfaces are looked for: no inventory tells them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<String>,
    /// Addresses of pods of systems.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pods: Vec<String>,
}

/// Records of one object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RecordCounts {
    /// Records with traffic.
    pub ok: u64,
    /// Records that say that there was none.
    pub nodata: u64,
    /// Records that say that AWS lost some.
    pub skipdata: u64,
    /// Transit-gateway records: recognised, not taken for a VPC record.
    pub transit_gateway: u64,
    /// Lines that are no record.
    pub quarantined: u64,
    /// Of those without or with lost traffic: the ones that state traffic nevertheless.
    #[serde(default)]
    pub odd: u64,
}

impl RecordCounts {
    /// Lines that were read, headers and blank ones left out.
    pub fn all(&self) -> u64 {
        self.ok + self.nodata + self.skipdata + self.transit_gateway + self.quarantined
    }
}

/// What the interfaces had in one clock hour (UTC).
#[derive(Clone, Debug, PartialEq)]
pub struct HourRow {
    /// Start of the hour.
    pub hour: Time,
    /// Interface (`eni-…`), records with traffic, without, lost.
    pub interfaces: Vec<(String, u64, u64, u64)>,
}

/// Traffic of one hour between one address of ours and one class of peers, over one service port.
#[derive(Clone, Debug, PartialEq)]
pub struct FlowRow {
    /// Start of the hour, by start of the record.
    pub hour: Time,
    /// `eni-…`
    pub interface: String,
    /// The address on our side.
    pub address: String,
    /// Whether the records go to our side, or from it.
    pub direction: Direction,
    /// Name of a range of the config, or `own`, `private`, `public` with the network of 24 bits (IPv6: 48).
    pub peer: String,
    /// IANA number.
    pub protocol: u8,
    /// The service port: the watched one of the two, else the lower one; 0 where the protocol has none.
    pub port: u16,
    /// On whose side the service port is.
    pub service: Side,
    /// Who opened the connection: the peer of the service, its side, or unknown.
    pub initiator: Initiator,
    /// ACCEPT or REJECT; none where the format does not tell.
    pub accepted: Option<bool>,
    /// Whether `allowed_from` of a watched port on our side holds the peer; none for other ports.
    pub allowed: Option<bool>,
    /// Records.
    pub flows: u64,
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
    /// Earliest start.
    pub first: Time,
    /// Latest end.
    pub last: Time,
    /// At most five peers by address, sealed, where the config asks for them.
    pub peers: Vec<Private>,
}

impl FlowRow {
    /// What rows of one object are sorted by, and told apart by.
    pub fn place(&self) -> impl Ord + use<'_> {
        let r = self;
        (
            (r.hour, &r.interface, &r.address, &r.peer, r.protocol, r.port),
            (r.direction, r.service, r.initiator, r.accepted, r.allowed),
        )
    }
}

/// Sums of rows that did not fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Other {
    /// How many rows they would be, at least.
    pub rows: u64,
    /// Records.
    pub flows: u64,
    /// Packets, as text.
    #[serde(with = "as_text")]
    pub packets: u64,
    /// Bytes, as text.
    #[serde(with = "as_text")]
    pub bytes: u64,
}

impl Other {
    /// Adds what does not fit.
    pub fn add(&mut self, rows: u64, flows: u64, packets: u64, bytes: u64) {
        self.rows += rows;
        self.flows += flows;
        self.packets = self.packets.saturating_add(packets);
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

/// A 64-bit counter: JSON's numbers end at 2^53.
mod as_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub(super) fn serialize<S: Serializer>(n: &u64, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(n)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<u64, D::Error> {
        String::deserialize(d)?.parse().map_err(D::Error::custom)
    }
}

/// Which way records go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// To our side.
    In,
    /// From it.
    Out,
}

/// One of the two sides of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// Ours.
    Ours,
    /// The peer's.
    Peer,
}

/// Who opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Initiator {
    /// The side without the service port.
    Peer,
    /// The side with the service port.
    Port,
    /// The records do not tell.
    Unknown,
}

/// A network interface as `DescribeNetworkInterfaces` tells it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NetworkInterface {
    /// No longer listed.
    #[serde(default)]
    pub gone: bool,
    /// `eni-…`
    #[serde(default)]
    pub interface: String,
    /// `vpc-…`
    #[serde(default)]
    pub vpc: String,
    /// `subnet-…`
    #[serde(default)]
    pub subnet: String,
    /// `i-…`, where it is attached to an instance.
    #[serde(default)]
    pub instance: Option<String>,
    /// Private addresses, the primary one first.
    #[serde(default)]
    pub addresses: Vec<String>,
    /// Tags of the interface.
    #[serde(default)]
    pub tags: Outside,
    /// When it was attached, as AWS states it.
    #[serde(default)]
    pub attached: Option<Time>,
}

/// A flow log as `DescribeFlowLogs` tells it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FlowLogConfiguration {
    /// No longer listed.
    #[serde(default)]
    pub gone: bool,
    /// `fl-…`
    #[serde(default)]
    pub id: String,
    /// The VPC, subnet or interface that it covers.
    #[serde(default)]
    pub resource: String,
    /// ALL, ACCEPT or REJECT.
    #[serde(default)]
    pub traffic: String,
    /// The format string, which never changes.
    #[serde(default)]
    pub format: Option<String>,
    /// Longest aggregation interval in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<i64>,
    /// Bucket or log group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// SUCCESS or FAILED.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<String>,
    /// Why delivery fails: `Rate limited`, `Access error` or `Unknown error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
