//! The fields of a flow-log record by name, and which column of a file is which.
//!
//! AWS, "Flow log records" (VPC user guide), versions 2 to 11. The number in `version` does not tell the fields: a header
//! line does, the configured format, or the default.

/// The 14 fields of version 2, in the order of the default format.
const DEFAULT: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status";

/// What is read of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Interface,
    Source,
    Destination,
    SourcePort,
    DestinationPort,
    Protocol,
    Packets,
    Bytes,
    Start,
    End,
    Action,
    Status,
    TcpFlags,
    PacketSource,
    PacketDestination,
    Direction,
    Resource,
    TransitGateway,
    /// A whole number that nothing reads: it must be one.
    Number,
    /// A text that nothing reads.
    Text,
    /// No field of any version that is known.
    Unknown,
}

/// Fields of all versions that nothing reads, version 6 (transit gateway) with them.
const TEXTS: &str = "account-id vpc-id subnet-id instance-id type region az-id sublocation-type sublocation-id \
pkt-src-aws-service pkt-dst-aws-service resource-type tgw-attachment-id tgw-src-vpc-account-id tgw-dst-vpc-account-id \
tgw-src-vpc-id tgw-dst-vpc-id tgw-src-subnet-id tgw-dst-subnet-id tgw-src-eni tgw-dst-eni tgw-src-az-id tgw-dst-az-id \
tgw-pair-attachment-id ecs-cluster-arn ecs-cluster-name ecs-container-instance-arn ecs-container-instance-id \
ecs-container-id ecs-second-container-id ecs-service-name ecs-task-definition-arn ecs-task-arn ecs-task-id \
reject-reason instance-tag instance-tag-2 interface-tag interface-tag-2 asg-tag asg-tag-2 interface-type \
next-hop-interface-id next-hop-subnet-id next-hop-az-id next-hop-vpc-id next-hop-interface-type";

const NUMBERS: &str = "version traffic-path packets-lost-no-route packets-lost-blackhole packets-lost-mtu-exceeded \
packets-lost-ttl-expired encryption-status";

impl Field {
    fn named(name: &str) -> Field {
        let among = |list: &str| list.split_whitespace().any(|n| n == name);
        match name {
            "interface-id" => Field::Interface,
            "srcaddr" => Field::Source,
            "dstaddr" => Field::Destination,
            "srcport" => Field::SourcePort,
            "dstport" => Field::DestinationPort,
            "protocol" => Field::Protocol,
            "packets" => Field::Packets,
            "bytes" => Field::Bytes,
            "start" => Field::Start,
            "end" => Field::End,
            "action" => Field::Action,
            "log-status" => Field::Status,
            "tcp-flags" => Field::TcpFlags,
            "pkt-srcaddr" => Field::PacketSource,
            "pkt-dstaddr" => Field::PacketDestination,
            "flow-direction" => Field::Direction,
            "resource-id" => Field::Resource,
            "tgw-id" => Field::TransitGateway,
            _ if among(NUMBERS) => Field::Number,
            _ if among(TEXTS) => Field::Text,
            _ => Field::Unknown,
        }
    }
}

/// The columns of a file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Format {
    names: Vec<String>,
    columns: Vec<Field>,
    from_header: bool,
    is_default: bool,
}

impl Format {
    /// The format of the config (`${version} ${account-id} …`, or the bare names), else the default of version 2.
    pub(super) fn configured(format: Option<&str>) -> Format {
        let name = |n: &str| n.trim_start_matches("${").trim_end_matches('}').to_owned();
        Format::of(format.unwrap_or(DEFAULT).split_whitespace().map(name), false)
    }

    /// The format that a header line gives: most of its words are names of fields.
    pub(super) fn header(line: &[u8]) -> Option<Format> {
        let text = str::from_utf8(line).ok()?;
        let format = Format::of(text.split_whitespace().map(str::to_owned), true);
        let known = format.columns.iter().filter(|f| **f != Field::Unknown).count();
        (known > 0 && known * 2 > format.names.len()).then_some(format)
    }

    /// The format that the columns of a file give.
    pub(super) fn columns_named(names: impl Iterator<Item = String>) -> Format {
        Format::of(names, true)
    }

    /// Whether anything reads a column.
    pub(super) fn is_read(&self, column: usize) -> bool {
        !matches!(self.columns[column], Field::Text | Field::Unknown)
    }

    /// Leaves a column out: what it holds cannot be read, and nobody shall think that it was.
    pub(super) fn leave_out(&mut self, column: usize) {
        self.columns[column] = Field::Unknown;
        self.is_default = false;
        self.names[column].push_str(" (not read)");
    }

    /// Whether a line within a file may be a header: files are concatenated. Its first word is the name of a field.
    pub(super) fn begins_header(word: &[u8]) -> bool {
        word.first().is_some_and(u8::is_ascii_lowercase)
            && !word.iter().any(u8::is_ascii_digit)
            && str::from_utf8(word).is_ok_and(|w| Field::named(&w.replace('_', "-")) != Field::Unknown)
    }

    fn of(names: impl Iterator<Item = String>, from_header: bool) -> Format {
        let names: Vec<String> = names.map(|n| n.replace('_', "-")).collect();
        let columns = names.iter().map(|n| Field::named(n)).collect();
        let is_default = names.iter().map(String::as_str).eq(DEFAULT.split(' '));
        let mut format = Format { names, columns, from_header, is_default };
        // What a file names twice is read where it stands first.
        for place in format.repeated() {
            format.columns[place] = Field::Unknown;
        }
        format
    }

    fn repeated(&self) -> Vec<usize> {
        (0..self.names.len()).filter(|i| self.names[..*i].contains(&self.names[*i])).collect()
    }

    /// What is strange about it: fields that no version has, fields that are named twice.
    pub(super) fn faults(&self) -> Vec<String> {
        let twice = self.repeated();
        let unknown = |i: &usize| self.columns[*i] == Field::Unknown && !twice.contains(i);
        let unknown = (0..self.names.len()).filter(unknown).map(|i| {
            format!("column {} is called {:?}, which is no field of versions 2 to 11", i + 1, self.names[i])
        });
        let told = twice
            .iter()
            .map(|i| format!("column {} is {:?} once more: the first one counts", i + 1, self.names[*i]));
        let timed = self.columns.iter().any(|c| matches!(c, Field::Start | Field::TransitGateway));
        let missing = (!timed).then(|| "there is no start: its records belong to no hour".to_owned());
        unknown.chain(told).chain(missing).collect()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Whether its fields are those of the default format, in that order.
    pub(super) fn is_default(&self) -> bool {
        self.is_default
    }

    pub(super) fn columns(&self) -> &[Field] {
        &self.columns
    }

    /// Who says how many fields there are.
    pub(super) fn origin(&self) -> &'static str {
        if self.from_header { "the header names" } else { "the format has" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_line_gives_order_and_names() {
        let format = Format::header(b"bytes packets srcaddr dstaddr start end tcp_flags").unwrap();
        assert_eq!(format.columns()[0], Field::Bytes);
        assert_eq!(format.names().last(), Some("tcp-flags"));
        assert!(Format::header(b"2 111122223333 eni-1 - -").is_none());
        assert!(Format::header(b"").is_none());
    }

    #[test]
    fn the_default_format_is_known_by_its_fields_in_their_order() {
        use Field::*;
        let ends = [Source, Destination, SourcePort, DestinationPort];
        let sums = [Protocol, Packets, Bytes, Start, End, Action, Status];
        let format = Format::configured(None);
        assert_eq!(format.columns(), [&[Number, Text, Interface][..], &ends, &sums].concat());
        assert!(format.is_default() && Format::header(DEFAULT.as_bytes()).unwrap().is_default());
        assert!(
            !Format::header(DEFAULT.replace("srcport dstport", "dstport srcport").as_bytes())
                .unwrap()
                .is_default()
        );
    }

    #[test]
    fn strange_and_repeated_fields_are_named_and_the_others_read() {
        let format = Format::header(b"start end bytes flavour bytes").unwrap();
        let faults = format.faults();
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert!(faults[0].contains("flavour") && faults[1].contains("column 5 is \"bytes\" once more"));
        assert_eq!(format.columns()[2..], [Field::Bytes, Field::Unknown, Field::Unknown]);
    }

    #[test]
    fn every_field_of_every_version_is_known() {
        let read = DEFAULT.replace("version account-id ", "");
        let all = format!(
            "{read} {TEXTS} {NUMBERS} tcp-flags pkt-srcaddr pkt-dstaddr flow-direction resource-id tgw-id"
        );
        assert_eq!(all.split_whitespace().count(), 14 + 15 + 18 + 10 + 1 + 1 + 1 + 12);
        assert!(Format::configured(Some(&all)).faults().is_empty());
    }
}
