//! What VPC flow logs state: per delivered object, never per record.

use super::{Outside, Private, Time};
use serde::{Deserialize, Serialize};

/// One delivered flow-log object: where it came from, what it counted, and the hourly rows that rules read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlowObject {
    /// Key of the object below its location.
    pub object: String,
    /// SHA-256 of the bytes as delivered.
    pub sha256: String,
    /// Size of the bytes as delivered.
    pub size: u64,
    /// Field names in the order of the file.
    pub format: Vec<String>,
    /// Records by log status, and what could not be read.
    pub records: RecordCounts,
    /// Earliest start and latest end of its records.
    pub span: Option<(Time, Time)>,
    /// One row per interface and hour.
    pub hours: Vec<InterfaceHour>,
    /// One row per hour, interface, watched port and class of peer, for accepted TCP records.
    pub accepted: Vec<PortRow>,
    /// Rows that did not fit into the limit and are not in `accepted`.
    #[serde(default)]
    pub other_rows: u64,
}

/// Records of one object. `ok + nodata + skipdata + transit_gateway + quarantined` is what was read.
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
}

/// What one interface had in one clock hour (UTC).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InterfaceHour {
    /// Start of the hour.
    pub hour: Time,
    /// `eni-…`
    pub interface: String,
    /// Records with traffic.
    pub ok: u64,
    /// Records without.
    pub nodata: u64,
    /// Records lost.
    pub skipdata: u64,
}

/// Accepted TCP records between a watched port and one class of peers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PortRow {
    /// Start of the hour.
    pub hour: Time,
    /// `eni-…`
    pub interface: String,
    /// The address on whose side the watched port is, when it lies in the organisation's networks.
    pub address: Option<String>,
    /// The watched port.
    pub port: u16,
    /// Name of a range of the config, or `own`, `private`, `public`.
    pub peer: String,
    /// Whether `allowed_from` of the port holds the peer.
    pub allowed: bool,
    /// Who opened the connection: the peer, the side of the port, or unknown.
    pub initiator: Initiator,
    /// Accepted records from the peer to the port.
    pub connections: u64,
    /// Bytes from the peer to the port.
    pub bytes_in: String,
    /// Bytes from the port to the peer.
    pub bytes_out: String,
    /// At most five peers by address, sealed.
    pub peers: Vec<Private>,
}

/// Who opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Initiator {
    /// The side without the watched port.
    Peer,
    /// The side with the watched port.
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
}
