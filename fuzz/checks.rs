//! What must hold for whatever is delivered as a flow log. The fuzz targets try it on anything, the tests on the corpus
//! that was kept.

use actledger::config::{Network, Source};
use actledger::evidence::flow_logs::{RecordCounts, Traffic};
use actledger::evidence::{Time, sha256_hex};
use actledger::sources::flow_logs::{Parser, Selection};
use actledger::sources::{Context, Gathered};
use std::net::IpAddr;
use std::sync::LazyLock;

static SOURCE: LazyLock<Source> =
    LazyLock::new(|| toml::from_str("name = 'vpc'\nlocation = 'file:x'").expect("a source"));

/// Every port is watched and every address one of ours.
static CONTEXT: LazyLock<Context<'static>> = LazyLock::new(|| {
    let own = ["0.0.0.0/0", "::/0"].map(|n| n.parse().expect("a network")).to_vec();
    let ports: Vec<u16> = (0..=u16::MAX).collect();
    Context::new(&SOURCE, Selection::new(Network { own, ..Network::default() }, &ports))
});

/// Reads one object.
fn read(name: &str, bytes: &[u8]) -> Gathered {
    let mut parser = Parser::new(&CONTEXT, Time::from_seconds(1_790_000_000));
    parser.file(name, bytes, &sha256_hex(bytes));
    parser.finish()
}

/// Nothing panics, the counts add up, and what is written is read back as it was. The first byte says the form.
pub(super) fn delivered(data: &[u8]) {
    let Some((form, bytes)) = data.split_first() else { return };
    let g = read(["a.log", "a.log.gz", "a.parquet"][usize::from(form % 3)], bytes);
    assert_eq!(g.counts.read, g.counts.kept + g.counts.quarantined + g.counts.refused);
    assert!(g.fault_count >= g.faults.len() as u64 && g.faults.len() <= 100);
    assert!(g.counts.refused == 0 || !g.faults.is_empty());
    for evidence in &g.evidence {
        let traffic: Traffic = serde_json::from_value(evidence.payload.clone()).expect("its own form");
        let records = traffic.records;
        assert_eq!(records.all() - records.quarantined, g.counts.kept);
        let hours =
            traffic.hours.iter().flat_map(|h| &h.interfaces).map(|(_, a, b, c)| a + b + c).sum::<u64>();
        assert!(hours <= records.ok + records.nodata + records.skipdata);
        let again = serde_json::to_value(&traffic).expect("its own form");
        for (name, value) in again.as_object().expect("an object") {
            assert_eq!(evidence.payload.get(name), Some(value), "{name}");
        }
    }
}

/// Text in the default format counts what a plain reader of lines counts.
pub(super) fn twin(text: &[u8]) {
    let lines: Vec<&[u8]> = text.split(|b| *b == b'\n').collect();
    let plain = |b: &u8| matches!(b, b' ' | b'\t' | b'\r' | b'\n' | b'!'..=b'~');
    let header = |line: &&[u8]| words(line).next().is_some_and(|w| w[0].is_ascii_lowercase());
    if text.is_empty() || !text.iter().all(plain) || lines.iter().any(|l| l.len() > 60_000 || header(l)) {
        return;
    }
    let (mut counts, mut sums) = (RecordCounts::default(), [0u64; 3]);
    for line in lines {
        let fields: Vec<&[u8]> = words(line).collect();
        if fields.is_empty() {
            continue;
        }
        match record(&fields) {
            None => counts.quarantined += 1,
            Some((b"NODATA", flow)) => {
                counts.nodata += 1;
                counts.odd += u64::from(flow.source && flow.timed);
            }
            Some((b"SKIPDATA", flow)) => {
                counts.skipdata += 1;
                counts.odd += u64::from(flow.source && flow.timed);
            }
            Some((_, flow)) => {
                counts.ok += 1;
                if flow.timed && flow.ends {
                    sums[0] += 1;
                    sums[1] = sums[1].saturating_add(flow.packets);
                    sums[2] = sums[2].saturating_add(flow.bytes);
                }
            }
        }
    }
    let g = read("a.log", text);
    let traffic: Traffic = serde_json::from_value(g.evidence[0].payload.clone()).expect("its own form");
    assert_eq!(traffic.records, counts);
    let mut told = [traffic.other.flows, traffic.other.packets, traffic.other.bytes];
    for row in &traffic.rows {
        told[0] += row.flows;
        told[1] = told[1].saturating_add(row.packets);
        told[2] = told[2].saturating_add(row.bytes);
    }
    assert_eq!(told, sums);
}

/// What a plain reader makes of a line.
struct Flow {
    source: bool,
    ends: bool,
    timed: bool,
    packets: u64,
    bytes: u64,
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|b| matches!(b, b' ' | b'\t' | b'\r')).filter(|w| !w.is_empty())
}

/// A field by the standard library: none when it is no value, some none when it is `-`.
fn value<T>(field: &[u8], parse: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
    match field {
        b"-" => Some(None),
        text => Some(Some(parse(str::from_utf8(text).ok()?)?)),
    }
}

fn record<'l>(fields: &[&'l [u8]]) -> Option<(&'l [u8], Flow)> {
    let [version, _, _, source, destination, from, to, protocol, packets, bytes, start, end, action, status] =
        *fields
    else {
        return None;
    };
    let number =
        |f: &[u8], max: u64| value(f, |t| t.parse::<u64>().ok().filter(|n| *n <= max && !t.starts_with('+')));
    let address = |f: &[u8]| value(f, |t| t.parse::<IpAddr>().ok());
    let seconds = |f: &[u8]| {
        let n = number(f, u64::MAX)?;
        let n = n.map(|n| if n > 100_000_000_000 { n / 1_000 } else { n });
        n.is_none_or(|n| n < 253_402_300_800).then_some(n)
    };
    number(version, u64::MAX)?;
    let (source, destination) = (address(source)?, address(destination)?);
    number(from, 65_535)?;
    number(to, 65_535)?;
    number(protocol, 255)?;
    let (packets, bytes) = (number(packets, u64::MAX)?.unwrap_or(0), number(bytes, u64::MAX)?.unwrap_or(0));
    let (start, _) = (seconds(start)?, seconds(end)?);
    if ![&b"ACCEPT"[..], b"REJECT", b"-"].contains(&action) {
        return None;
    }
    let status = if status == b"-" { b"OK" } else { status };
    let known = [&b"OK"[..], b"NODATA", b"SKIPDATA"].contains(&status);
    let ends = source.is_some() && destination.is_some();
    known.then_some((status, Flow { source: source.is_some(), ends, timed: start.is_some(), packets, bytes }))
}
