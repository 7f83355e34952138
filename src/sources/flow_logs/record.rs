//! One flow-log record: fields by name, in the order of a header line, the config, or the default of version 2.
//!
//! AWS, "Flow log records" (VPC user guide), versions 2 to 11. The number in `version` does not tell the fields.

use std::net::IpAddr;

const DEFAULT: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status";

const NAMES: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end \
action log-status vpc-id subnet-id instance-id tcp-flags type pkt-srcaddr pkt-dstaddr region az-id sublocation-type \
sublocation-id pkt-src-aws-service pkt-dst-aws-service flow-direction traffic-path resource-type tgw-id \
tgw-attachment-id tgw-src-vpc-account-id tgw-dst-vpc-account-id tgw-src-vpc-id tgw-dst-vpc-id tgw-src-subnet-id \
tgw-dst-subnet-id tgw-src-eni tgw-dst-eni tgw-src-az-id tgw-dst-az-id tgw-pair-attachment-id packets-lost-no-route \
packets-lost-blackhole packets-lost-mtu-exceeded packets-lost-ttl-expired ecs-cluster-arn ecs-cluster-name \
ecs-container-instance-arn ecs-container-instance-id ecs-container-id ecs-second-container-id ecs-service-name \
ecs-task-definition-arn ecs-task-arn ecs-task-id reject-reason resource-id encryption-status instance-tag \
instance-tag-2 interface-tag interface-tag-2 asg-tag asg-tag-2 interface-type next-hop-interface-id \
next-hop-subnet-id next-hop-az-id next-hop-vpc-id next-hop-interface-type";

/// The fields that are read, by their place in a line.
#[derive(Clone, Debug)]
pub(super) struct Format {
    names: Vec<String>,
    from_header: bool,
}

/// What a record says of delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LogStatus {
    Ok,
    NoData,
    SkipData,
    TransitGateway,
}

/// A parsed record.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub status: LogStatus,
    pub interface: String,
    pub start: Option<i64>,
    pub end: Option<i64>,
    pub accepted: bool,
    pub protocol: Option<u8>,
    pub source: Option<IpAddr>,
    pub destination: Option<IpAddr>,
    pub source_port: Option<u16>,
    pub destination_port: Option<u16>,
    pub bytes: u64,
    pub tcp_flags: Option<u16>,
}

impl Format {
    /// The format of the config, else the default of version 2.
    pub(super) fn configured(format: Option<&str>) -> Format {
        let text = format.unwrap_or(DEFAULT);
        let name = |n: &str| n.trim_start_matches("${").trim_end_matches('}').replace('_', "-");
        Format { names: text.split_whitespace().map(name).collect(), from_header: false }
    }

    /// The format that a header line gives: every word is the name of a field.
    pub(super) fn header(line: &[u8]) -> Option<Format> {
        let text = std::str::from_utf8(line).ok()?;
        let names: Vec<String> = text.split_whitespace().map(|n| n.replace('_', "-")).collect();
        let known = |n: &String| NAMES.split_whitespace().any(|k| k == n);
        let named = names.iter().filter(|n| known(n)).count();
        (named > 0 && named * 2 > names.len()).then_some(Format { names, from_header: true })
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Reads one line.
    pub(super) fn record(&self, line: &[u8]) -> Result<Record, String> {
        let text =
            std::str::from_utf8(line).map_err(|e| format!("byte {} is not UTF-8", e.valid_up_to() + 1))?;
        let fields: Vec<&str> = text.split_whitespace().collect();
        if fields.len() != self.names.len() {
            let who = if self.from_header { "the header names" } else { "the format has" };
            return Err(format!("{} fields where {who} {}", fields.len(), self.names.len()));
        }
        let field =
            |name: &str| self.names.iter().position(|n| n == name).map(|i| fields[i]).filter(|v| *v != "-");
        if field("tgw-id").is_some() {
            return Ok(Record { status: LogStatus::TransitGateway, ..empty() });
        }
        let status = match field("log-status") {
            None | Some("OK") => LogStatus::Ok,
            Some("NODATA") => LogStatus::NoData,
            Some("SKIPDATA") => LogStatus::SkipData,
            Some(other) => {
                return Err(format!("log-status is {other:?}: OK, NODATA or SKIPDATA would be right"));
            }
        };
        let accepted = match field("action") {
            Some("ACCEPT") => true,
            None | Some("REJECT") => false,
            Some(other) => return Err(format!("action is {other:?}: ACCEPT or REJECT would be right")),
        };
        let interface = field("interface-id").or(field("resource-id")).unwrap_or_default().to_owned();
        Ok(Record {
            status,
            accepted,
            interface,
            start: seconds(number(&field, "start")?),
            end: seconds(number(&field, "end")?),
            protocol: number(&field, "protocol")?,
            source: address(&field, "pkt-srcaddr", "srcaddr")?,
            destination: address(&field, "pkt-dstaddr", "dstaddr")?,
            source_port: number(&field, "srcport")?,
            destination_port: number(&field, "dstport")?,
            bytes: number(&field, "bytes")?.unwrap_or(0),
            tcp_flags: number(&field, "tcp-flags")?,
        })
    }
}

fn empty() -> Record {
    Record {
        status: LogStatus::Ok,
        interface: String::new(),
        start: None,
        end: None,
        accepted: false,
        protocol: None,
        source: None,
        destination: None,
        source_port: None,
        destination_port: None,
        bytes: 0,
        tcp_flags: None,
    }
}

fn number<'a, T: std::str::FromStr>(
    field: &impl Fn(&str) -> Option<&'a str>,
    name: &str,
) -> Result<Option<T>, String> {
    field(name)
        .map(|v| v.parse().map_err(|_| format!("{name} is {v:?}: a number in its range would be right")))
        .transpose()
}

fn address<'a>(
    field: &impl Fn(&str) -> Option<&'a str>,
    packet: &str,
    interface: &str,
) -> Result<Option<IpAddr>, String> {
    let parse = |v: &str| v.parse().map_err(|_| format!("{v:?} is no IP address"));
    field(packet).or(field(interface)).map(parse).transpose()
}

/// Unix seconds; rows of 2017 have milliseconds.
fn seconds(written: Option<i64>) -> Option<i64> {
    written.map(|s| if s > 100_000_000_000 { s / 1000 } else { s })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_format_and_its_faults() {
        let format = Format::configured(None);
        let line =
            b"2 111122223333 eni-1 10.0.0.1 10.0.0.2 40000 6006 6 10 840 1418530010 1418530070 ACCEPT OK";
        let record = format.record(line).unwrap();
        assert_eq!((record.destination_port, record.bytes, record.accepted), (Some(6006), 840, true));
        assert_eq!(format.record(b"2 1 eni-1").unwrap_err(), "3 fields where the format has 14");
        let nodata = b"2 1 eni-1 - - - - - - - 1431280876 1431280934 - NODATA";
        assert_eq!(format.record(nodata).unwrap().status, LogStatus::NoData);
        let odd = b"2 1 eni-1 - - - - - - - 1431280876 1431280934 - MAYBE";
        assert!(format.record(odd).unwrap_err().contains("MAYBE"));
    }

    #[test]
    fn a_header_line_gives_order_and_names() {
        let format = Format::header(b"bytes packets srcaddr dstaddr start end tcp-flags").unwrap();
        let record = format.record(b"840 10 10.0.0.1 10.0.0.2 1418530010 1418530070 2").unwrap();
        assert_eq!((record.bytes, record.tcp_flags), (840, Some(2)));
        assert!(Format::header(b"2 111122223333 eni-1 - -").is_none());
    }
}
