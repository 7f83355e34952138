//! Lines out of blocks of text, and records out of lines. A line that is none is counted by the kind of its fault, and
//! located; it never stops the file.

use super::aggregate::Aggregate;
use super::fields::Format;
use super::record::{Cut, Record, record};
use super::scan::breaks;
use std::collections::BTreeMap;

/// Longest line: a record of all fields has less than two kilobytes.
const LONGEST_LINE: usize = 65_536;
/// What is looked at together; it stays in the processor's cache.
const BLOCK: usize = 32_768;
/// Bytes up to the space that part the fields of a line, a bit each.
const WITHIN: u64 = 1 << b' ' | 1 << b'\t' | 1 << b'\r';
/// Faults of one object that are kept word for word.
const MAX_FAULTS: usize = 20;

/// Reads the lines of one object.
pub(super) struct Lines<'s, 'n> {
    format: Format,
    sums: &'s mut Aggregate<'n>,
    /// Beginning of a line whose end has not come.
    rest: Vec<u8>,
    /// Whether the line that is being read is too long, and is left out up to its end.
    skipping: bool,
    /// Room for the places of a block's breaks.
    ends: Vec<u32>,
    number: u64,
    any: bool,
    faults: Faults,
}

/// What was wrong: how often by kind, and where, the first ones.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    pub kinds: BTreeMap<&'static str, u64>,
    pub located: Vec<(String, String)>,
}

impl Faults {
    pub(super) fn add(&mut self, kind: &'static str, place: String, what: String) {
        *self.kinds.entry(kind).or_default() += 1;
        if self.located.len() < MAX_FAULTS {
            self.located.push((place, what));
        }
    }
}

impl<'s, 'n> Lines<'s, 'n> {
    pub(super) fn new(format: Format, sums: &'s mut Aggregate<'n>) -> Lines<'s, 'n> {
        let (rest, ends, faults) = (Vec::new(), Vec::new(), Faults::default());
        Lines { format, sums, rest, skipping: false, ends, number: 0, any: false, faults }
    }

    /// Takes some text, cut anywhere.
    pub(super) fn feed(&mut self, mut text: &[u8]) {
        if self.skipping || !self.rest.is_empty() {
            let Some(end) = memchr::memchr(b'\n', text) else { return self.hold(text) };
            self.hold(&text[..=end]);
            let line = std::mem::take(&mut self.rest);
            if std::mem::take(&mut self.skipping) {
                self.number += 1
            } else {
                self.whole(&line)
            }
            text = &text[end + 1..];
        }
        while !text.is_empty() {
            let window = &text[..text.len().min(BLOCK)];
            let end = memchr::memrchr(b'\n', window).or_else(|| memchr::memchr(b'\n', text));
            let Some(end) = end else { return self.hold(text) };
            self.whole(&text[..=end]);
            text = &text[end + 1..];
        }
    }

    /// Ends the text: a last line without an end counts as one.
    pub(super) fn finish(mut self) -> (Format, Faults, u64) {
        if !self.rest.is_empty() {
            let mut line = std::mem::take(&mut self.rest);
            line.push(b'\n');
            self.whole(&line);
        }
        (self.format, self.faults, self.number)
    }

    /// Keeps the beginning of a line until its end comes, unless it is too long.
    fn hold(&mut self, text: &[u8]) {
        if self.skipping {
            return;
        }
        if self.rest.len() + text.len() > LONGEST_LINE {
            self.rest.clear();
            self.skipping = true;
            self.fault("line-length", self.number + 1, format!("is longer than {LONGEST_LINE} bytes"));
        } else {
            self.rest.extend_from_slice(text);
        }
    }

    /// Takes lines that end.
    fn whole(&mut self, text: &[u8]) {
        let mut ends = std::mem::take(&mut self.ends);
        ends.clear();
        breaks(text, |at| ends.push(at));
        let (mut rest, mut start) = (ends.as_slice(), 0);
        while !rest.is_empty() {
            self.number += 1;
            let count = self.format.columns().len();
            let line = match rest.get(..count) {
                Some(line) if is_plain(text, start, line) => {
                    self.line(Cut { block: text, start, ends: line });
                    line
                }
                _ => {
                    let end =
                        rest.iter().position(|at| text[*at as usize] == b'\n').unwrap_or(rest.len() - 1);
                    self.odd(&text[start as usize..rest[end] as usize]);
                    &rest[..=end]
                }
            };
            start = line.last().map_or(start, |end| end + 1);
            rest = &rest[line.len()..];
        }
        self.ends = ends;
    }

    /// Takes a line that has other fields than expected, or other things than a space between them.
    #[cold]
    fn odd(&mut self, line: &[u8]) {
        if line.iter().any(|b| *b < b' ' && 1 << b & WITHIN == 0) {
            return self.fault("not-text", self.number, "holds control characters".into());
        }
        let fields = line.split(|b| *b <= b' ').filter(|field| !field.is_empty());
        let (mut plain, mut ends) = (Vec::with_capacity(line.len() + 1), Vec::new());
        for field in fields {
            plain.extend_from_slice(field);
            ends.push(plain.len() as u32);
            plain.push(b' ');
        }
        if !ends.is_empty() {
            self.line(Cut { block: &plain, start: 0, ends: &ends });
        }
    }

    /// Out of line: the loop over the places of breaks stays small.
    #[inline(never)]
    fn line(&mut self, cut: Cut<'_, '_>) {
        let (start, end) = (cut.start as usize, cut.ends.last().map_or(0, |end| *end as usize));
        if end - start > LONGEST_LINE {
            return self.fault("line-length", self.number, format!("is longer than {LONGEST_LINE} bytes"));
        }
        let first = &cut.block[start..cut.ends[0] as usize];
        let may_be_header = !std::mem::replace(&mut self.any, true) || Format::begins_header(first);
        if may_be_header && let Some(header) = Format::header(&cut.block[start..end]) {
            for fault in header.faults() {
                self.faults.add("header", format!("line {}", self.number), fault);
            }
            self.format = header;
            return;
        }
        let mut r = Record::default();
        match record(&mut r, &self.format, &cut) {
            Ok(()) => self.sums.add(&r),
            Err(fault) => self.fault(fault.kind, self.number, fault.what),
        }
    }

    #[cold]
    fn fault(&mut self, kind: &'static str, line: u64, what: String) {
        self.sums.counts.quarantined += 1;
        self.faults.add(kind, format!("line {line}"), what);
    }
}

/// Whether a line is one of as many fields as it has ends, none of them empty, with a space after each and a break after the
/// last.
#[inline]
fn is_plain(text: &[u8], start: u32, ends: &[u32]) -> bool {
    let Some((last, others)) = ends.split_last() else { return false };
    let (mut from, mut odd) = (start, false);
    for end in others {
        odd |= text[*end as usize] != b' ' || *end == from;
        from = end + 1;
    }
    !odd && *last > from && text[*last as usize] == b'\n'
}
