//! VPC flow logs: the records of a delivered object become counts per interface and hour, and rows of what is selected.
//!
//! Bytes go through `unpack` (gzip) and `lines` (cut by `scan`), or through `parquet`, then `record` (typed by `fields`)
//! into `aggregate`.

mod aggregate;
mod fields;
mod inventory;
mod layout;
mod lines;
mod parquet;
mod record;
mod scan;
mod selection;
mod unpack;
pub mod window;

pub use layout::{Place, is_organisation, service};
pub use selection::Selection;

use super::{Context, Gathered};
use crate::evidence::flow_logs::{FlowObject, FlowWindow, Traffic};
use crate::evidence::{Evidence, Kind, Time};
use aggregate::{Aggregate, Written};
use fields::Format;
use lines::{Faults, Lines};
use serde_json::Value;
use unpack::{Limits, Unpacker};

/// Whether a file is named as AWS names what it delivers.
pub fn is_delivered(name: &str) -> bool {
    [".log", ".log.gz", ".parquet"].iter().any(|end| name.ends_with(end))
}

/// Parser of one look.
pub struct Parser<'a> {
    context: &'a Context<'a>,
    /// What the names of files are told with: the look that they lie in.
    look: String,
    at: Time,
    out: Gathered,
    objects: u64,
    records: u64,
    limits: Limits,
    unpacker: Unpacker,
}

impl<'a> Parser<'a> {
    /// A parser of a look taken at a time.
    pub fn new(context: &'a Context<'a>, at: Time) -> Parser<'a> {
        let (out, limits) = (Gathered::default(), Limits::of(context.source));
        let unpacker = Unpacker::new(limits);
        Parser { context, look: String::new(), at, out, objects: 0, records: 0, limits, unpacker }
    }

    /// Of a look in a folder: a file of the same name in another look is another object.
    pub fn within(self, look: String) -> Parser<'a> {
        Parser { look, ..self }
    }

    /// Takes one delivered object or one reply of a describe call, with its SHA-256.
    pub fn file(&mut self, path: &str, bytes: &[u8], sha256: &str) {
        let name = path.rsplit('/').next().unwrap_or(path);
        if is_delivered(name) {
            let subject = format!("flow_log:{}{path}", self.look);
            let object = FlowObject { object: path.to_owned(), ..FlowObject::default() };
            self.object(subject, object, bytes, sha256);
        } else if name.starts_with("describe-network-interfaces") && name.ends_with(".json") {
            if let Some(list) = inventory::list(&mut self.out, path, bytes, "NetworkInterfaces") {
                self.interfaces(path, self.context.source.region.as_deref(), &list);
            }
        } else if name.starts_with("describe-flow-logs") && name.ends_with(".json") {
            if let Some(list) = inventory::list(&mut self.out, path, bytes, "FlowLogs") {
                self.flow_logs(path, &list);
            }
        } else {
            let known =
                "*.log, *.log.gz, *.parquet, describe-network-interfaces.json or describe-flow-logs.json";
            self.out.refuse(path, format!("is no flow-log file: {known} would be"));
        }
    }

    /// Takes interfaces of a region as DescribeNetworkInterfaces shows them; without it, their zones tell.
    pub fn interfaces(&mut self, path: &str, region: Option<&str>, list: &[Value]) {
        inventory::interfaces(&mut self.out, self.context.source, region, path, list, self.at);
    }

    /// Takes flow logs as DescribeFlowLogs shows them.
    pub fn flow_logs(&mut self, path: &str, list: &[Value]) {
        inventory::flow_logs(&mut self.out, self.context.source, path, list, self.at);
    }

    /// Reads one delivered object, which becomes one entry about `subject`. `object` holds what is known of it beside its
    /// bytes.
    pub fn object(&mut self, subject: String, mut object: FlowObject, delivered: &[u8], sha256: &str) {
        object.sha256 = sha256.to_owned();
        object.size = delivered.len() as u64;
        let mut sums = Aggregate::new(&self.context.selection);
        match self.read(&object.object, delivered, &mut sums) {
            Ok((format, faults)) => object.traffic = self.counted(&object.object, &format, sums, faults),
            Err(why) => return self.unread(subject, object, why),
        }
        let Traffic { records, span, .. } = &object.traffic;
        // Records without a start belong to no hour.
        if records.quarantined > 0 || span.is_none() && records.all() > records.transit_gateway {
            object.unread = Some(object.may_span(self.at));
        }
        self.told(subject, &object);
    }

    /// Notes an object that cannot be read, which becomes an entry about `subject`: what it held is not known.
    pub fn unread(&mut self, subject: String, mut object: FlowObject, why: String) {
        self.out.refuse(&object.object, why.clone());
        object.unread = Some(object.may_span(self.at));
        object.refused = Some(why);
        self.told(subject, &object);
    }

    /// Notes an object that cannot be read, as the ledger knows already.
    pub fn refuse(&mut self, object: &str, why: String) {
        self.out.refuse_told(object, why);
    }

    /// Takes a file that is there and cannot be had: what it holds is not known.
    pub fn unreadable(&mut self, path: &str, why: String) {
        if path.ends_with(".json") {
            return self.out.refuse(path, why);
        }
        let object = FlowObject { object: path.to_owned(), ..FlowObject::default() };
        self.unread(format!("flow_log:{}{path}", self.look), object, why);
    }

    fn told(&mut self, subject: String, object: &FlowObject) {
        let (sha256, at) = (&object.sha256, object.traffic.span.or(object.unread));
        let at = at.map_or(self.at, |(from, _)| from);
        let key = match object.revision {
            0 if object.refused.is_some() => format!("{} {sha256} {at}", object.object),
            0 => format!("{} {sha256}", object.object),
            n => format!("{} {sha256} {n}", object.object),
        };
        let kind = Kind::FlowLogObject;
        self.out.evidence.push(Evidence::event(kind, &self.context.source.name, key, subject, at, object));
    }

    /// Reads the events of a window, a line each, which become one entry about `subject`.
    pub fn window(&mut self, subject: String, mut window: FlowWindow, text: &[u8]) {
        let name = format!("{} {}", window.group, window.from);
        let mut sums = Aggregate::new(&self.context.selection);
        let mut lines = Lines::new(Format::configured(self.context.source.format.as_deref()), &mut sums);
        lines.feed(text);
        let (format, faults, _) = lines.finish();
        window.traffic = self.counted(&name, &format, sums, faults);
        let (key, at) = (format!("{subject} {}", window.revision), window.from);
        let kind = Kind::FlowLogWindow;
        self.out.evidence.push(Evidence::event(kind, &self.context.source.name, key, subject, at, &window));
    }

    /// Counts records that the ledger holds already.
    pub fn known(&mut self, records: u64) {
        self.out.keep(records);
    }

    /// Notes what was not seen.
    pub fn gap(&mut self, what: String) {
        self.out.gap(what);
    }

    /// Sums the records of an object.
    ///
    /// # Errors
    /// Why nothing of it can be read.
    fn read(
        &mut self,
        path: &str,
        delivered: &[u8],
        sums: &mut Aggregate<'_>,
    ) -> Result<(Format, Faults), String> {
        if delivered.is_empty() {
            return Err("is empty: a delivered object holds at least a header".into());
        }
        if path.ends_with(".parquet") {
            let (format, faults, cut) = parquet::read(delivered, self.limits.unpacked, sums)?;
            if let Some(rows) = cut {
                self.out.gap(format!("{path}: cut short after row {rows}"));
            }
            return Ok((format, faults));
        }
        let mut lines = Lines::new(Format::configured(self.context.source.format.as_deref()), sums);
        let unpacked = if path.ends_with(".gz") {
            self.unpacker.gzip(delivered, &mut |text| lines.feed(text))
        } else {
            lines.feed(delivered);
            Ok(())
        };
        let (format, mut faults, number) = lines.finish();
        if let Err(what) = unpacked {
            if number == 0 {
                return Err(format!("is no gzip: {what}"));
            }
            sums.counts.quarantined += 1;
            let what = format!("the gzip ends early or is damaged ({what}); what comes before is kept");
            self.out.gap(format!("{path}: cut short after line {number}"));
            faults.add("cut-short", format!("line {number}"), what);
        }
        let binary = faults.kinds.get("not-text").copied().unwrap_or(0);
        if binary > 0 && binary == sums.counts.all() {
            return Err("is no text: it holds control characters".into());
        }
        Ok((format, faults))
    }

    fn counted(&mut self, path: &str, format: &Format, sums: Aggregate<'_>, faults: Faults) -> Traffic {
        let (records, span) = (sums.counts, sums.span());
        let kept = records.all() - records.quarantined;
        self.out.keep(kept);
        self.out.quarantine_many(path, records.quarantined, faults.located);
        self.objects += 1;
        self.records += kept;
        let Written { hours, rows, other, nodes } = sums.finish();
        Traffic {
            format: format.names().map(str::to_owned).collect(),
            records,
            faults: faults.kinds.into_iter().map(|(kind, n)| (kind.to_owned(), n)).collect(),
            span,
            selection: self.context.selected.clone(),
            hours,
            rows,
            other,
            nodes,
        }
    }

    /// What the look gave.
    pub fn finish(mut self) -> Gathered {
        self.out.read = format!("{} objects, {} records", self.objects, self.records);
        self.out
    }
}
