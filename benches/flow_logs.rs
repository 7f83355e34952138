//! Reading a day of flow logs, beside `libdeflate-gunzip -c` over the same files, DuckDB and Polars, in the same run. CPU
//! is user and system time; ratios are what counts.
//!
//!     make bench                            ACTLEDGER_BENCH_RECORDS=20000000
#![expect(clippy::print_stdout, reason = "the table is what this is for")]
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on says so by panicking")]

mod measure;

use actledger::act::SourceKind;
use actledger::config::{Network, Source};
use actledger::evidence::Time;
use actledger::ledger::entry::take_blobs;
use actledger::sources::flow_logs::Selection;
use actledger::sources::{Context, gather};
use libdeflater::{CompressionLvl, Compressor};
use measure::{Measured, measured, own_peak};
use nix::sys::resource::UsageWho;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Objects of a day: one every five minutes.
const OBJECTS: usize = 288;
const MIDNIGHT: u64 = 1_767_225_600;

/// The same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ z >> 31) % n
    }
}

/// One object in the default format: 1,000 interfaces, one record in two hundred on a watched port, one in a hundred
/// without traffic.
fn object(number: usize, records: usize) -> String {
    let mut r = Random(number as u64 + 1);
    let mut text = String::with_capacity(records * 118);
    text.push_str("version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n");
    for _ in 0..records {
        let interface = r.below(1000);
        let start = MIDNIGHT + number as u64 * 300 + r.below(240);
        let (id, end) = (interface.wrapping_mul(0x9E37_79B9_7F4A_7C15), start + 30 + r.below(30));
        if r.below(100) == 0 {
            writeln!(text, "2 123456789012 eni-{id:017x} - - - - - - - {start} {end} - NODATA").unwrap();
            continue;
        }
        let ours = format!("10.{}.{}.{}", interface / 256, interface % 256, 4 + interface % 200);
        let watched = r.below(200) == 0;
        let service = if watched {
            [5000, 6006][r.below(2) as usize]
        } else {
            [443, 443, 443, 5432, 6379, 8080, 53, 9092][r.below(8) as usize]
        };
        let peer = match r.below(4) {
            _ if watched => format!("10.0.{}.{}", interface % 4, 4 + r.below(8)),
            0 => format!("198.51.{}.{}", r.below(256), 1 + r.below(254)),
            1 => format!("203.0.113.{}", 1 + r.below(254)),
            _ => format!("10.{}.{}.{}", r.below(4), r.below(256), 4 + r.below(200)),
        };
        let client = 32_768 + r.below(28_000);
        let bits = r.below(12);
        let packets = 1 + r.below(1 << bits);
        let bytes = packets * (40 + r.below(1400));
        let protocol = if service == 53 { 17 } else { 6 };
        let action = if r.below(20) == 0 { "REJECT" } else { "ACCEPT" };
        let ends = if r.below(2) == 0 {
            format!("{peer} {ours} {client} {service}")
        } else {
            format!("{ours} {peer} {service} {client}")
        };
        writeln!(
            text,
            "2 123456789012 eni-{id:017x} {ends} {protocol} {packets} {bytes} {start} {end} {action} OK"
        )
        .unwrap();
    }
    text
}

/// The day as gzip files in a folder of the target directory; made once.
fn day(records: usize) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("flow-logs-{records}"));
    let paths: Vec<_> = (0..OBJECTS).map(|n| folder.join(format!("{n:03}.log.gz"))).collect();
    if !folder.exists() {
        let part = folder.with_extension("part");
        std::fs::create_dir_all(&part).unwrap();
        for (n, path) in paths.iter().enumerate() {
            let text = object(n, records / OBJECTS);
            let mut gzip = Compressor::new(CompressionLvl::new(6).unwrap());
            let mut packed = vec![0; gzip.gzip_compress_bound(text.len())];
            let size = gzip.gzip_compress(text.as_bytes(), &mut packed).unwrap();
            std::fs::write(part.join(path.file_name().unwrap()), &packed[..size]).unwrap();
        }
        std::fs::rename(part, &folder).unwrap();
    }
    paths
}

/// The same day as Parquet, made by DuckDB once.
fn parquet(paths: &[PathBuf]) -> Vec<PathBuf> {
    let name = |p: &PathBuf| {
        p.with_file_name(p.file_name().unwrap().to_string_lossy().replace(".log.gz", ".parquet"))
    };
    let made: Vec<PathBuf> = paths.iter().map(name).collect();
    if !made.last().unwrap().exists() {
        child("python3", &[&script("parquet_day")], paths);
    }
    made
}

/// Two hours of the day in one object, 190 MB of text, more than AWS ever puts into one: read as a stream. Made once.
fn big(paths: &[PathBuf]) -> PathBuf {
    let path = paths[0].with_file_name("two-hours.log.gz");
    if !path.exists() {
        let mut text = String::new();
        let records = paths[0]
            .parent()
            .unwrap()
            .to_string_lossy()
            .rsplit('-')
            .next()
            .unwrap()
            .parse::<usize>()
            .unwrap();
        (0..OBJECTS / 12).for_each(|n| text += &object(n, records / OBJECTS));
        let mut gzip = Compressor::new(CompressionLvl::new(6).unwrap());
        let mut packed = vec![0; gzip.gzip_compress_bound(text.len())];
        let size = gzip.gzip_compress(text.as_bytes(), &mut packed).unwrap();
        std::fs::write(&path, &packed[..size]).unwrap();
    }
    path
}

fn script(name: &str) -> String {
    format!("{}/benches/{name}.py", env!("CARGO_MANIFEST_DIR"))
}

/// Reads objects as `ingest` does: SHA-256, inflate, every field of every record, sums, entries.
fn read(paths: &[PathBuf], ports: &[u16]) -> (u64, usize) {
    let source: Source = toml::from_str("name = 'bench'\nlocation = 'file:x'").unwrap();
    let own = ["10.0.0.0/8".parse().unwrap()].to_vec();
    let selection = Selection::new(Network { own, ..Network::default() }, ports);
    let context = Context::new(&source, selection);
    let name = |p: &PathBuf| p.file_name().unwrap().to_string_lossy().into_owned();
    let (mut kept, mut size, mut blobs) = (0, 0, BTreeSet::new());
    for batch in paths.chunks(8) {
        let files = batch.iter().map(|p| (name(p), std::fs::read(p).map(Cow::Owned)));
        let at = Time::from_seconds(MIDNIGHT as i64 + 86_400);
        let gathered = gather(SourceKind::FlowLogs, &context, Some(at), at, files);
        kept += gathered.counts.kept;
        for mut payload in gathered.evidence.into_iter().map(|e| e.payload) {
            let kept =
                take_blobs(&mut payload).unwrap().into_iter().filter(|b| blobs.insert(b.sha256.clone()));
            size += kept.map(|b| b.bytes.len()).sum::<usize>() + payload.to_string().len();
        }
    }
    (kept, size)
}

const WATCHED: [u16; 2] = [5000, 6006];

/// Peak memory of reading, MiB.
fn peak(kind: &str, records: usize) -> f64 {
    measure::peak(&["--peak", kind, &records.to_string()])
}

fn child(program: &str, arguments: &[&str], paths: &[PathBuf]) -> Measured {
    measured(UsageWho::RUSAGE_CHILDREN, || {
        let mut command = Command::new(program);
        let done = command.args(arguments).args(paths).stdout(std::process::Stdio::null()).status();
        assert!(done.is_ok_and(|s| s.success()), "{program} is needed: make bench installs it");
    })
}

fn row(name: &str, m: Measured, base: Measured, goal: &str) {
    println!("| {name} | {:.2} | {:.2} | {:.2} | {goal} |", m.cpu, m.wall, m.cpu / base.cpu);
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(i) = arguments.iter().position(|a| a == "--peak") {
        let paths = day(arguments[i + 2].parse().unwrap());
        match arguments[i + 1].as_str() {
            "few" => drop(read(&paths, &WATCHED)),
            "big" => drop(read(&[big(&paths)], &(0..=u16::MAX).collect::<Vec<_>>())),
            _ => drop(read(&paths, &(0..=u16::MAX).collect::<Vec<_>>())),
        }
        return println!("{}", own_peak());
    }
    let records: usize = std::env::var("ACTLEDGER_BENCH_RECORDS").map_or(20_000_000, |n| n.parse().unwrap());
    let paths = day(records);
    let packed: u64 = paths.iter().map(|p| p.metadata().unwrap().len()).sum();
    println!("{records} records in {} objects, {} MB of gzip\n", paths.len(), packed / 1_000_000);
    println!("| work | CPU s | wall s | CPU ratio | goal |\n| --- | --- | --- | --- | --- |");
    child("libdeflate-gunzip", &["-c"], &paths);
    let base = child("libdeflate-gunzip", &["-c"], &paths);
    row("libdeflate-gunzip -c", base, base, "");
    let mut said = (0, 0);
    let ours = measured(UsageWho::RUSAGE_SELF, || said = read(&paths, &WATCHED));
    row("actledger, one thread", ours, base, "at most 2.7");
    let kept = said.0;
    assert_eq!(kept, (records / OBJECTS * OBJECTS) as u64, "every record is kept");
    let (few, small) = (records / 20, day(records / 20));
    let part = measured(UsageWho::RUSAGE_SELF, || said.0 = read(&small, &WATCHED).0);
    let each = |m: Measured, n: u64| 1e9 * m.cpu / n as f64;
    let linear =
        format!("{:.0} ns a record of {few}, {:.0} ns of {records}", each(part, said.0), each(ours, kept));
    let two = measured(UsageWho::RUSAGE_SELF, || {
        let (a, b) = paths.split_at(paths.len() / 2);
        std::thread::scope(|s| {
            s.spawn(|| read(a, &WATCHED));
            read(b, &WATCHED);
        });
    });
    row(
        "actledger, two threads",
        two,
        base,
        &format!("wall {:.2} of its own, at most 1.4", two.wall / base.wall),
    );
    for (name, peer) in [("DuckDB", "duckdb_peer"), ("Polars", "polars_peer")] {
        let peer = child("python3", &[&script(peer)], &paths);
        row(name, peer, base, &format!("actledger has {:.2} of its CPU", ours.cpu / peer.cpu));
    }
    let one = [big(&paths)];
    child("libdeflate-gunzip", &["-c"], &one);
    let big_base = child("libdeflate-gunzip", &["-c"], &one);
    row("libdeflate-gunzip -c, one object of two hours", big_base, big_base, "");
    let streamed = measured(UsageWho::RUSAGE_SELF, || assert!(read(&one, &WATCHED).0 > 0));
    row("actledger, that object as a stream", streamed, big_base, "at most 3.6");
    let columns = parquet(&paths);
    let ours = measured(UsageWho::RUSAGE_SELF, || said = (read(&columns, &WATCHED).0, said.1));
    assert_eq!(said.0, (records / OBJECTS * OBJECTS) as u64, "every row is kept");
    let peer = child("python3", &[&script("duckdb_parquet_peer")], &columns);
    row("DuckDB, Parquet", peer, base, "");
    let goal = format!("{:.2} of DuckDB's, at most 1.2", ours.cpu / peer.cpu);
    row("actledger, Parquet", ours, base, &goal);
    println!("\n{linear}");
    println!("{} entries, {:.1} MB of payload for the day", paths.len(), said.1 as f64 / 1e6);
    println!(
        "peak memory: {:.0} MiB, {:.0} MiB with all ports watched, {:.0} MiB for one object of a million groups",
        peak("few", records),
        peak("many", records),
        peak("big", records)
    );
}
