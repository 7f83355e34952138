//! The ledger at the size of ten years, beside the machine's raw limits in the same run: SQLite's own inserts of the
//! same bytes, and `openssl dgst -sha256` over them. CPU is user and system time of the process; ratios are what counts.
//!
//!     cargo bench --bench ledger            ACTLEDGER_BENCH_ENTRIES=1000000
#![expect(clippy::print_stdout, reason = "the table is what this is for")]
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a bench that cannot go on says so by panicking"
)]

mod measure;

use actledger::config::Config;
use actledger::jobs::{self, AsOf, Desk};
use actledger::ledger::tree::{self, Tiles};
use actledger::ledger::{Signer, Verification};
use actledger::store::{Fold, Reader, Row, Store};
use ed25519_dalek::pkcs8::EncodePrivateKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use measure::{Measured, measured, own_peak};
use nix::sys::resource::UsageWho;
use rusqlite::Connection;
use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

const BATCH: usize = 1_000;
const ROUNDS: usize = 3;
const ORIGIN: &str = "bench.example/ledger";

fn best(all: Vec<Measured>) -> Measured {
    all.into_iter().min_by(|a, b| a.cpu.total_cmp(&b.cpu)).unwrap()
}

/// Takes the files of the round before away, and waits until the disk has what was written.
fn empty(folder: &Path) {
    std::fs::read_dir(folder).unwrap().for_each(|f| std::fs::remove_file(f.unwrap().path()).unwrap());
    assert!(Command::new("sync").status().unwrap().success());
}

fn row(name: &str, m: &Measured, against: Option<(&str, &Measured, f64)>) {
    let ratio = against.map_or(String::new(), |(what, base, goal)| {
        let ratio = m.cpu / base.cpu;
        let met = if ratio <= goal { "met" } else { "MISSED" };
        format!("{ratio:.2} times {what} | at most {goal} | {met}")
    });
    let ratio = if ratio.is_empty() { "| |".to_owned() } else { ratio };
    println!("| {name} | {:.2} | {:.2} | {ratio} |", m.cpu, m.wall);
}

/// About 316 bytes, as a delivered flow-log object or a violation has them: three events to one state.
fn entry(seq: usize, signer: &Signer) -> Vec<u8> {
    let at = format!(
        "2026-01-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        1 + seq / 80_000_000,
        seq / BATCH / 3600 % 24,
        seq / BATCH / 60 % 60,
        seq / BATCH % 60,
        0
    );
    if seq == 0 {
        let key = signer.verifier().vkey();
        return format!(r#"{{"key":"opened","kind":"ledger.opened","occurred_at":"{at}","payload":{{"format":1,"origin":"{ORIGIN}","predecessor":null,"public_key":"{key}","reason":"bench"}},"recorded_at":"{at}","source":"actledger","subject":"ledger:{ORIGIN}","v":1}}"#).into_bytes();
    }
    // Spread over the keys, as digests and object names are.
    let mixed = (seq as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    if seq.is_multiple_of(4) {
        let n = mixed % 50_000;
        let subject = format!("k8s:0f7c/team-{}/Deployment/model-{n:06}", n % 40);
        return format!(r#"{{"key":"{subject}","kind":"gatekeeper.violation","occurred_at":"{at}","payload":{{"constraint":"required-labels","enforcement":"deny","message":"label {seq} is missing: risk-level","namespace":"team-{}"}},"recorded_at":"{at}","source":"ml-prod","subject":"{subject}","v":1}}"#, n % 40).into_bytes();
    }
    let object = format!("AWSLogs/123456789012/vpcflowlogs/eu-central-1/2026/01/{mixed:016x}.log.gz");
    format!(r#"{{"key":"{object}","kind":"flow_log.object","occurred_at":"{at}","payload":{{"bytes":"18812","records":{},"sha256":"{mixed:016x}{mixed:016x}"}},"recorded_at":"{at}","source":"vpc-ml","subject":"s3:logs","v":1}}"#, seq % 1000).into_bytes()
}

fn raw_inserts(path: &Path, entries: &[Vec<u8>]) {
    let mut db = Connection::open(path).unwrap();
    db.pragma_update(None, "journal_mode", "WAL").unwrap();
    db.pragma_update(None, "synchronous", "FULL").unwrap();
    db.execute_batch("CREATE TABLE raw (seq INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT").unwrap();
    for (n, batch) in entries.chunks(BATCH).enumerate() {
        let tx = db.transaction().unwrap();
        for (i, bytes) in batch.iter().enumerate() {
            let mut insert = tx.prepare_cached("INSERT INTO raw (seq, bytes) VALUES (?1, ?2)").unwrap();
            insert.execute(((n * BATCH + i) as i64, bytes)).unwrap();
        }
        tx.commit().unwrap();
    }
}

/// Leaf hashes and tree over the stored rows, the canonical form left alone.
fn hashes_and_tree(path: &Path) {
    let db = Connection::open(path).unwrap();
    let mut statement = db.prepare("SELECT bytes FROM entry ORDER BY seq").unwrap();
    let mut rows = statement.query([]).unwrap();
    let mut tiles = Tiles::default();
    while let Some(r) = rows.next().unwrap() {
        tiles.push(tree::leaf(r.get_ref(0).unwrap().as_blob().unwrap()));
    }
    let last = Reader::open(path).unwrap().root_at(tiles.size()).unwrap();
    assert_eq!(tiles.root(), last);
}

fn verify(path: &Path) {
    let result = Reader::open(path).unwrap().verify(None, Fold::Nothing, |_| {}).unwrap();
    assert!(matches!(result, Verification::Intact(_)), "{result:?}");
}

/// Peak memory of a verification, MiB.
fn peak(path: &Path) -> f64 {
    measure::peak(&["--verify", path.to_str().unwrap()])
}

fn fill(path: &Path, rows: Vec<Row>, signer: &Signer) {
    let mut store = Store::open_empty(path).unwrap();
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        store.commit(signer, rows.by_ref().take(BATCH).collect()).unwrap();
    }
}

/// Opening the ledger and giving out the report that the night made of it.
fn as_issued(folder: &Path, ledger: &Path) -> Measured {
    let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]).to_pkcs8_pem(LineEnding::LF).unwrap();
    std::fs::write(folder.join("ledger.key"), key.as_bytes()).unwrap();
    std::fs::set_permissions(folder.join("ledger.key"), Permissions::from_mode(0o600)).unwrap();
    let text = format!(
        "organization = \"Bench\"\nreports_dir = \"reports\"\n[ledger]\npath = \"{}\"\norigin = \"{ORIGIN}\"\nsigning_key = \"ledger.key\"\n",
        ledger.display()
    );
    let desk = Desk::lay(Config::parse(&text, "bench", folder).unwrap()).unwrap();
    let night = measured(UsageWho::RUSAGE_SELF, || {
        jobs::nightly(&desk, &mut desk.store().unwrap(), &|_, _, _| {}).unwrap();
    });
    println!("the night that verified, judged and reported it: {:.1} s", night.wall);
    let formats = ["html", "pdf", "json"].map(str::to_owned);
    measured(UsageWho::RUSAGE_SELF, || {
        let store = desk.store().unwrap();
        let size = jobs::resolve(&desk, &store, &AsOf::Latest).unwrap();
        assert!(jobs::as_issued(&desk, &store, size, &formats).unwrap().is_some());
    })
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(i) = arguments.iter().position(|a| a == "--verify") {
        verify(Path::new(&arguments[i + 1]));
        println!("{}", own_peak());
        return;
    }
    let n: usize = std::env::var("ACTLEDGER_BENCH_ENTRIES").map_or(1_000_000, |n| n.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let signer = Signer::new(ORIGIN, &[7; 32]);
    let entries: Vec<Vec<u8>> = (0..n).map(|seq| entry(seq, &signer)).collect();
    let bytes: usize = entries.iter().map(Vec::len).sum();
    println!(
        "{n} entries of {} bytes, transactions of {BATCH}, synchronous=FULL; inserts: the best of {ROUNDS} rounds\n",
        bytes / n
    );
    println!("| work | CPU s | wall s | ratio | goal | |\n| --- | --- | --- | --- | --- | --- |");

    // By turns, each at its best: writing back of dirty pages falls on whoever comes later.
    let ledger = folder.path().join("ledger.db");
    let (raws, appends): (Vec<_>, Vec<_>) = (0..ROUNDS)
        .map(|_| {
            empty(folder.path());
            let raw =
                measured(UsageWho::RUSAGE_SELF, || raw_inserts(&folder.path().join("raw.db"), &entries));
            let rows = entries.iter().map(|b| Row { bytes: b.clone(), ..Row::default() }).collect();
            (raw, measured(UsageWho::RUSAGE_SELF, || fill(&ledger, rows, &signer)))
        })
        .unzip();
    let (raw, append) = (best(raws), best(appends));
    row("raw inserts of the same bytes", &raw, None);
    row("append: entries, tiles, signed checkpoints", &append, Some(("raw inserts", &raw, 1.4)));
    let store = Store::open(&ledger).unwrap();
    let fold = measured(UsageWho::RUSAGE_SELF, || store.catch_up().unwrap());
    row("state.db folded afterwards", &fold, Some(("raw inserts", &raw, 2.0)));
    drop(store);

    let file = folder.path().join("entries");
    let mut all = std::io::BufWriter::new(std::fs::File::create(&file).unwrap());
    entries.iter().for_each(|b| all.write_all(b).unwrap());
    all.flush().unwrap();
    drop((all, entries));
    let openssl = || {
        assert!(
            Command::new("openssl").args(["dgst", "-sha256"]).arg(&file).output().unwrap().status.success()
        )
    };
    openssl();
    let digest = measured(UsageWho::RUSAGE_CHILDREN, openssl);
    row("openssl dgst -sha256 over the same bytes", &digest, None);
    let hashes = measured(UsageWho::RUSAGE_SELF, || hashes_and_tree(&ledger));
    row("verification: hashes and tree", &hashes, Some(("openssl", &digest, 2.5)));
    let whole = measured(UsageWho::RUSAGE_SELF, || verify(&ledger));
    row("verification: all, canonical form as well", &whole, Some(("openssl", &digest, 6.0)));

    let size = std::fs::metadata(&ledger).unwrap().len() as f64;
    println!("\ndisk: ledger.db is {:.3} times the entry bytes (at most 1.35)", size / bytes as f64);
    let tenth = folder.path().join("tenth.db");
    let some: Vec<Row> =
        (0..n / 10).map(|seq| Row { bytes: entry(seq, &signer), ..Row::default() }).collect();
    fill(&tenth, some, &signer);
    println!(
        "memory of a verification: {:.1} MiB at {} entries, {:.1} MiB at {n}",
        peak(&tenth),
        n / 10,
        peak(&ledger)
    );
    let issued = as_issued(folder.path(), &ledger);
    println!("report of the verified prefix, html, pdf and json: {:.3} s", issued.wall);
    let reader = Reader::open(&ledger).unwrap();
    let proofs = measured(UsageWho::RUSAGE_SELF, || {
        for i in 0..1_000 {
            reader.inclusion((i * 997) % n as u64, n as u64).unwrap();
            reader.consistency(1 + (i * 997) % n as u64, n as u64).unwrap();
        }
    });
    println!("proofs: {:.0} µs for one of inclusion and one of consistency", proofs.wall * 1e3);
}
