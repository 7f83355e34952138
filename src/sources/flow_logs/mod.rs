//! VPC flow logs: records of a delivered object become counts per interface and hour, and rows of watched ports.

mod aggregate;
mod inventory;
mod record;

use super::{Context, Gathered};
use crate::evidence::flow_logs::FlowObject;
use crate::evidence::{Evidence, Kind, Time};
use aggregate::Aggregate;
use record::Format;
use std::io::Read;

/// Most bytes that one object may have once unpacked.
const MAX_UNPACKED: u64 = 4 << 30;

/// Parser of one look.
pub struct Parser<'a> {
    context: &'a Context<'a>,
    at: Time,
    out: Gathered,
    objects: u64,
    records: u64,
}

impl<'a> Parser<'a> {
    /// A parser of a look taken at a time.
    pub fn new(context: &'a Context<'a>, at: Time) -> Parser<'a> {
        Parser { context, at, out: Gathered::default(), objects: 0, records: 0 }
    }

    /// Takes one delivered object or one reply of a describe call.
    pub fn file(&mut self, path: &str, bytes: &[u8]) {
        let name = path.rsplit('/').next().unwrap_or(path);
        if name.ends_with(".log") {
            self.object(path, bytes, bytes);
        } else if name.ends_with(".log.gz") {
            let unpacked = self.unpack(path, bytes);
            self.object(path, bytes, &unpacked);
        } else if name.ends_with(".parquet") {
            self.out.refuse(path, "Parquet is not read by this version; text and gzip are".into());
        } else if name.starts_with("describe-network-interfaces") && name.ends_with(".json") {
            let region = self.context.source.region.as_deref();
            inventory::interfaces(&mut self.out, self.context.source, region, path, bytes, self.at);
        } else if name.starts_with("describe-flow-logs") && name.ends_with(".json") {
            inventory::flow_logs(&mut self.out, self.context.source, path, bytes, self.at);
        } else {
            let known = "*.log, *.log.gz, describe-network-interfaces.json or describe-flow-logs.json";
            self.out.refuse(path, format!("is no flow-log file: {known} would be"));
        }
    }

    fn unpack(&mut self, path: &str, bytes: &[u8]) -> Vec<u8> {
        let mut unpacked = Vec::new();
        let read = flate2::read::MultiGzDecoder::new(bytes).take(MAX_UNPACKED).read_to_end(&mut unpacked);
        if let Err(e) = read {
            if unpacked.is_empty() {
                self.out.refuse(path, format!("is no gzip: {e}"));
            } else {
                let lines = unpacked.iter().filter(|b| **b == b'\n').count();
                let what = format!(
                    "the gzip ends early or is damaged ({e}); {lines} whole lines before that are kept"
                );
                unpacked.truncate(unpacked.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1));
                self.out.gap(format!("{path}: cut short after line {lines}"));
                self.out.quarantine(path, format!("line {}", lines + 1), what);
            }
        }
        unpacked
    }

    fn object(&mut self, path: &str, delivered: &[u8], text: &[u8]) {
        if text.is_empty() {
            if delivered.is_empty() {
                self.out.refuse(path, "is empty: a delivered object holds at least a header".into());
            }
            return;
        }
        if text.contains(&0) {
            self.out.refuse(path, "is no text: it holds zero bytes".into());
            return;
        }
        let mut format = Format::configured(self.context.source.format.as_deref());
        let mut sums = Aggregate::new(self.context.network, self.context.ports);
        for (number, line) in text.split(|b| *b == b'\n').enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            if let Some(header) = Format::header(line) {
                format = header;
                continue;
            }
            match format.record(line) {
                Ok(record) => {
                    sums.add(&record);
                    self.out.keep(1);
                }
                Err(what) => {
                    sums.counts.quarantined += 1;
                    self.out.quarantine(path, format!("line {}", number + 1), what);
                }
            }
        }
        self.objects += 1;
        self.records += sums.total();
        let object = FlowObject {
            object: path.to_owned(),
            sha256: crate::evidence::sha256_hex(delivered),
            size: delivered.len() as u64,
            format: format.names().map(str::to_owned).collect(),
            records: sums.counts,
            span: sums.span,
            other_rows: sums.other_rows(),
            hours: sums.hours(),
            accepted: sums.accepted(),
        };
        let at = sums.span.map_or(self.at, |(from, _)| from);
        let (key, subject) = (format!("{path} {}", object.sha256), format!("flow_log:{path}"));
        let kind = Kind::FlowLogObject;
        self.out.evidence.push(Evidence::event(kind, &self.context.source.name, key, subject, at, &object));
    }

    /// What the look gave.
    pub fn finish(mut self) -> Gathered {
        self.out.read = format!("{} objects, {} records", self.objects, self.records);
        self.out
    }
}
