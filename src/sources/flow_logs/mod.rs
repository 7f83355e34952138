//! VPC flow logs: the records of a delivered object become counts per interface and hour, and rows of what is selected.
//!
//! Bytes go through `unpack` (gzip), `lines` (cut by `scan`), `record` (typed by `fields`) into `aggregate`.

mod aggregate;
mod fields;
mod inventory;
mod lines;
mod record;
mod scan;
mod selection;
mod unpack;

pub use selection::Selection;

use super::{Context, Gathered};
use crate::evidence::flow_logs::FlowObject;
use crate::evidence::{Evidence, Kind, Time};
use aggregate::{Aggregate, Written};
use fields::Format;
use lines::{Faults, Lines};
use unpack::Unpacker;

/// Parser of one look.
pub struct Parser<'a> {
    context: &'a Context<'a>,
    at: Time,
    out: Gathered,
    objects: u64,
    records: u64,
    unpacker: Unpacker,
    /// Digest of the selection.
    selection: String,
}

impl<'a> Parser<'a> {
    /// A parser of a look taken at a time.
    pub fn new(context: &'a Context<'a>, at: Time) -> Parser<'a> {
        Parser {
            context,
            at,
            out: Gathered::default(),
            objects: 0,
            records: 0,
            unpacker: Unpacker::default(),
            selection: context.selection.digest(),
        }
    }

    /// Takes one delivered object or one reply of a describe call, with its SHA-256.
    pub fn file(&mut self, path: &str, bytes: &[u8], sha256: &str) {
        let name = path.rsplit('/').next().unwrap_or(path);
        if name.ends_with(".log") || name.ends_with(".log.gz") {
            self.object(path, bytes, sha256);
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

    /// Reads one delivered object, which becomes one entry.
    fn object(&mut self, path: &str, delivered: &[u8], sha256: &str) {
        if delivered.is_empty() {
            return self.out.refuse(path, "is empty: a delivered object holds at least a header".into());
        }
        let mut sums = Aggregate::new(&self.context.selection);
        let format = Format::configured(self.context.source.format.as_deref());
        let mut lines = Lines::new(format, &mut sums);
        let unpacked = if path.ends_with(".gz") {
            self.unpacker.gzip(delivered, &mut |text| lines.feed(text))
        } else {
            lines.feed(delivered);
            Ok(())
        };
        let (format, mut faults, number) = lines.finish();
        if let Err(what) = unpacked {
            if number == 0 {
                return self.out.refuse(path, format!("is no gzip: {what}"));
            }
            sums.counts.quarantined += 1;
            let what = format!("the gzip ends early or is damaged ({what}); what comes before is kept");
            self.out.gap(format!("{path}: cut short after line {number}"));
            faults.add("cut-short", format!("line {number}"), what);
        }
        let binary = faults.kinds.get("not-text").copied().unwrap_or(0);
        if binary > 0 && binary == sums.counts.all() {
            return self.out.refuse(path, "is no text: it holds control characters".into());
        }
        self.keep(path, (delivered.len(), sha256), &format, sums, faults);
    }

    fn keep(
        &mut self,
        path: &str,
        (size, sha256): (usize, &str),
        format: &Format,
        sums: Aggregate<'_>,
        faults: Faults,
    ) {
        let (records, span) = (sums.counts, sums.span());
        let kept = records.all() - records.quarantined;
        self.out.keep(kept);
        self.out.quarantine_many(path, records.quarantined, faults.located);
        self.objects += 1;
        self.records += kept;
        if records.all() == 0 {
            return;
        }
        let Written { hours, rows, other } = sums.finish();
        let object = FlowObject {
            object: path.to_owned(),
            sha256: sha256.to_owned(),
            size: size as u64,
            format: format.names().map(str::to_owned).collect(),
            records,
            faults: faults.kinds.into_iter().map(|(kind, n)| (kind.to_owned(), n)).collect(),
            span,
            selection: self.selection.clone(),
            hours,
            rows,
            other,
        };
        let at = span.map_or(self.at, |(from, _)| from);
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
