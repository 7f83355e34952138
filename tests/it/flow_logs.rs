//! Flow logs as they are delivered, good and bad, with DuckDB as the second opinion on every sum.

use crate::support::{World, project, sqlite, stderr, stdout};
use actledger::act::SourceKind;
use actledger::config::{Network, Source};
use actledger::evidence::Time;
use actledger::evidence::flow_logs::Traffic;
use actledger::evidence::record::Fault;
use actledger::sources::flow_logs::Selection;
use actledger::sources::{Context, Gathered, gather};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Reads objects in one look, every address taken for one of ours, every port watched.
fn read(format: Option<&str>, objects: &[(&str, Vec<u8>)]) -> Gathered {
    read_for(&[], format, objects)
}

/// The same, all traffic of some interfaces selected as well.
fn read_for(interfaces: &[String], format: Option<&str>, objects: &[(&str, Vec<u8>)]) -> Gathered {
    let format = format.map_or(String::new(), |f| format!("\nformat = '{f}'"));
    let source: Source = toml::from_str(&format!("name = 'vpc'\nlocation = 'file:x'{format}")).unwrap();
    let own = ["0.0.0.0/0", "::/0"].map(|n| n.parse().unwrap()).to_vec();
    let ports: Vec<u16> = (0..=u16::MAX).collect();
    let mut selection = Selection::new(Network { own, ..Network::default() }, &ports);
    selection.interfaces = interfaces.iter().map(|i| (i.clone(), [].into())).collect();
    let at: Time = "2026-11-22T12:00:00Z".parse().unwrap();
    let files = objects.iter().map(|(n, b)| ((*n).to_owned(), Ok(Cow::Borrowed(b.as_slice()))));
    gather(SourceKind::FlowLogs, &Context::new(&source, selection), Some(at), at, files)
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(text).unwrap();
    gzip.finish().unwrap()
}

const HEADER: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status";

fn line(n: u64) -> String {
    format!(
        "2 123456789012 eni-0a{:02} 10.0.0.{} 198.51.100.7 443 {} 6 {n} {} {} {} ACCEPT OK",
        n % 7,
        n % 250,
        40_000 + n % 9,
        n * 40,
        1_790_000_000 + n * 97,
        1_790_000_030 + n * 97
    )
}

fn lines(n: u64) -> String {
    (0..n).map(|i| line(i) + "\n").collect()
}

/// What the objects counted.
fn traffic(g: &Gathered) -> Vec<Traffic> {
    g.evidence.iter().map(|e| serde_json::from_value(e.payload.clone()).unwrap()).collect()
}

/// Sums over all objects: records with traffic, and their packets.
fn sums(g: &Gathered) -> (u64, u64) {
    let packets = |t: &Traffic| t.rows.iter().map(|r| r.packets).sum::<u64>() + t.other.packets;
    let all = traffic(g);
    (all.iter().map(|t| t.records.ok).sum(), all.iter().map(packets).sum())
}

#[test]
fn what_is_bad_is_located_and_the_good_records_around_it_are_kept() {
    let good = lines(50);
    let whole = sums(&read(None, &[("a.log", good.clone().into_bytes())]));
    assert_eq!(whole.0, 50);
    let head = format!("{HEADER}\n");
    let long: String = (0..200_000).map(|n| format!("{n} ")).collect();
    let cases: [(&str, Vec<u8>, &str, &str); 9] = [
        ("a.log", good.replace('\n', "\r\n").into_bytes(), "", ""),
        ("a.log", format!("{head}\n\n{good}{head}{head}").into_bytes(), "", ""),
        ("a.log", good.trim_end().as_bytes().to_vec(), "", ""),
        ("a.log", format!("{good}{}\n", "x".repeat(1 << 20)).into_bytes(), "line 51", "longer than 65536"),
        ("a.log.gz", gzip(format!("{long}\n{good}").as_bytes()), "line 1", "longer than 65536"),
        (
            "a.log",
            format!("{good}2 123456789012 eni-1\n").into_bytes(),
            "line 51",
            "3 fields where the format has 14",
        ),
        (
            "a.log",
            format!("{good}{}\n", line(9).replace(" 6 9 ", " 6 99999999999999999999 ")).into_bytes(),
            "line 51",
            "packets is",
        ),
        (
            "a.log",
            format!("{head}{good}{}\n", line(9).replace("10.0.0.9", "10.0.0.256")).into_bytes(),
            "line 52",
            "srcaddr is",
        ),
        ("a.log", [good.as_bytes(), b"2 \x01\x02 3\n"].concat(), "line 51", "control characters"),
    ];
    for (name, bytes, place, what) in cases {
        let g = read(None, &[(name, bytes)]);
        assert_eq!(sums(&g), whole, "{what}");
        let located = g.faults.iter().any(|f| f.place == place && f.what.contains(what));
        assert_eq!(located, !what.is_empty(), "{what}: {:?}", g.faults);
        assert_eq!(g.counts.quarantined, u64::from(!what.is_empty()), "{what}");
        assert_eq!(g.counts.read, g.counts.kept + g.counts.quarantined + g.counts.refused);
        let kinds = &g.evidence[0].payload["faults"];
        assert_eq!(
            kinds.as_object().map_or(0, serde_json::Map::len),
            usize::from(!what.is_empty()),
            "{kinds}"
        );
    }
}

#[test]
fn headers_that_name_what_nobody_knows_or_one_thing_twice_are_said() {
    let header = "start end flavour bytes bytes srcaddr dstaddr srcport dstport packets interface-id";
    let text = format!("{header}\n1790000000 1790000060 sweet 7 8 10.0.0.1 10.0.0.2 1 2 3 eni-1\n");
    let g = read(None, &[("a.log", text.into_bytes())]);
    let said: Vec<&str> = g.faults.iter().map(|f| f.what.as_str()).collect();
    assert!(
        said.len() == 2 && said[0].contains("\"flavour\"") && said[1].contains("\"bytes\" once more"),
        "{said:?}"
    );
    assert_eq!((g.counts.kept, g.counts.quarantined), (1, 0));
    assert_eq!(traffic(&g)[0].rows[0].bytes, 7, "the first one counts");
    // CloudWatch and some deliveries have no header: then the config says it, as AWS writes it.
    let text = b"eni-9 1790000000 1790000060 OK\n".to_vec();
    let g = read(Some("${interface-id} ${start} ${end} ${log-status}"), &[("a.log", text)]);
    assert_eq!(traffic(&g)[0].hours[0].interfaces, [("eni-9".to_owned(), 1, 0, 0)]);
}

#[test]
fn gzip_that_is_cut_put_together_or_a_bomb() {
    let good = lines(5_000);
    let whole = gzip(good.as_bytes());
    let twice = sums(&read(None, &[("a.log.gz", [whole.clone(), whole.clone()].concat())]));
    assert_eq!(twice.0, 10_000, "both members are read");
    let g = read(None, &[("a.log.gz", whole[..whole.len() / 2].to_vec())]);
    assert!((1..5_000).contains(&sums(&g).0), "{:?}", sums(&g));
    assert!(g.gaps.iter().any(|gap| gap.contains("cut short after line")), "{:?}", g.gaps);
    let bomb = gzip(&[good.as_bytes(), &vec![b'\n'; 300 << 20]].concat());
    let g = read(None, &[("bomb.log.gz", bomb), ("b.log.gz", whole)]);
    assert_eq!(sums(&g).0, 10_000, "what came before is kept, and the next object is read");
    assert!(g.faults.iter().any(|f| f.file == "bomb.log.gz" && f.what.contains("a bomb")), "{:?}", g.faults);
}

#[test]
fn quiet_and_lost_are_told_apart_and_transit_gateways_are_counted() {
    let text = "2 unknown eni-1 - - - - - - - 1790000000 1790000060 - NODATA\n\
                2 unknown eni-1 - - - - - - - 1790000060 1790000120 - SKIPDATA\n\
                2 unknown eni-1 10.0.0.1 10.0.0.2 1 2 6 3 4 1790000060 1790000120 - SKIPDATA\n";
    let transit =
        "version tgw-id srcaddr dstaddr start end\n6 tgw-1 10.0.0.1 10.0.0.2 1790000000 1790000060\n";
    let g = read(None, &[("a.log", text.into()), ("t.log", transit.into())]);
    let records = |i: usize| g.evidence[i].payload["records"].clone();
    assert_eq!(
        records(0),
        json!({ "ok": 0, "nodata": 1, "skipdata": 2, "transit_gateway": 0, "quarantined": 0, "odd": 1 })
    );
    assert_eq!(records(1)["transit_gateway"], 1);
    assert_eq!(traffic(&g)[0].hours[0].interfaces, [("eni-1".to_owned(), 0, 1, 2)]);
    assert_eq!(traffic(&g)[1].hours, []);
}

#[test]
fn full_addresses_of_peers_are_kept_when_asked_for_and_sealed_then() {
    let world = World::init("");
    let look = world.path("looks/20261120T120000Z");
    std::fs::create_dir_all(&look).unwrap();
    let text =
        "2 123456789012 eni-1 198.51.100.77 10.0.0.9 51000 6006 6 1 40 1763600000 1763600060 ACCEPT OK\n";
    std::fs::write(look.join("a.log"), text).unwrap();
    let config = std::fs::read_to_string(world.config()).unwrap();
    for (name, more, openings) in [("plain", "", "0"), ("asked", "peer_addresses = true\n", "1")] {
        let source = format!("\n[[flow_logs]]\nname = \"{name}\"\nlocation = \"file:looks\"\n{more}");
        std::fs::write(world.config(), format!("{config}{source}")).unwrap();
        let done = world.run(&["ingest", name]);
        assert_eq!(done.status.code(), Some(0), "{}{}", stdout(&done), stderr(&done));
        let bytes = sqlite(
            &world.ledger(),
            "SELECT CAST(bytes AS TEXT) FROM entry WHERE CAST(bytes AS TEXT) LIKE '%flow_log.object%'",
        );
        assert!(bytes.contains("public 198.51.100.0/24") && !bytes.contains("198.51.100.77"), "{bytes}");
        let query = "SELECT count(*) FROM opening WHERE value LIKE '%198.51.100.77%'";
        assert_eq!(sqlite(&world.ledger(), query).trim(), openings, "{name}");
    }
    assert_eq!(world.run(&["verify"]).status.code(), Some(0));
}

/// Files of our own beside the real samples, where a folder of them is named.
fn texts(folder: &Path) -> Vec<PathBuf> {
    let v5 = "start dstaddr srcaddr pkt-srcaddr pkt-dstaddr flow-direction tcp-flags log-status interface-id protocol \
              dstport srcport bytes packets end action account-id version";
    let mut custom = format!("{v5}\n");
    for n in 0..500u64 {
        let ends =
            if n % 5 == 0 { "2001:db8:1::7 2001:db8::1 - -" } else { "10.1.0.9 10.0.0.3 100.64.0.9 -" };
        let at = 1_790_000_000 + n * 61;
        custom += &format!(
            "{at} {ends} {} {} OK eni-{} 17 {} 53 {} {} {} {} 123456789012 5\n",
            if n % 3 == 0 { "egress" } else { "-" },
            n % 4,
            n % 3,
            n % 11,
            n * n,
            n,
            at + 59,
            if n % 7 == 0 { "REJECT" } else { "ACCEPT" }
        );
    }
    let own = [
        ("default.log", format!("{HEADER}\n{}", lines(3_000))),
        ("bare.log", lines(700)),
        ("custom.log", custom),
    ];
    let mut all: Vec<PathBuf> = own.iter().map(|(name, _)| folder.join(name)).collect();
    own.iter().for_each(|(name, text)| std::fs::write(folder.join(name), text).unwrap());
    if let Some(samples) = std::env::var_os("ACTLEDGER_SAMPLES") {
        let samples =
            std::fs::read_dir(Path::new(&samples).join("vpcflow")).unwrap().map(|f| f.unwrap().path());
        let is_text =
            |p: &PathBuf| p.extension().is_some_and(|e| e == "log") && !p.to_string_lossy().contains(".bad.");
        let before = all.len();
        all.extend(samples.filter(is_text));
        assert!(all.len() > before, "no sample was read");
    }
    all
}

/// Samples in Parquet that others wrote, where a folder of them is named.
fn parquet_samples() -> Vec<PathBuf> {
    let Some(samples) = std::env::var_os("ACTLEDGER_SAMPLES") else { return Vec::new() };
    let samples = std::fs::read_dir(Path::new(&samples).join("vpcflow")).unwrap().map(|f| f.unwrap().path());
    let found: Vec<_> = samples.filter(|p| p.extension().is_some_and(|e| e == "parquet")).collect();
    assert!(!found.is_empty(), "no sample was read");
    found
}

#[test]
fn duckdb_finds_the_same_sums() {
    let folder = tempfile::tempdir().unwrap();
    let mut told = Vec::new();
    for path in texts(folder.path()).into_iter().chain(parquet_samples()) {
        let name = path.file_name().unwrap().to_str().unwrap();
        let object = [(name, std::fs::read(&path).unwrap())];
        let hours = traffic(&read(None, &object)).remove(0).hours;
        let names: Vec<String> = hours.into_iter().flat_map(|h| h.interfaces).map(|i| i.0).collect();
        let g = read_for(&names, None, &object);
        let right = |f: &Fault| ["protocol is", "there is no start"].iter().any(|w| f.what.starts_with(w));
        assert!(g.faults.iter().all(right), "{}: {:?}", path.display(), g.faults);
        told.push(json!({ "file": path, "object": g.evidence[0].payload }));
    }
    let all = folder.path().join("told.json");
    std::fs::write(&all, serde_json::to_vec(&told).unwrap()).unwrap();
    let script = project().join("tests/support/duckdb_flows.py");
    let done = Command::new("python3").arg(script).arg(&all).output().unwrap();
    assert!(done.status.success(), "{}{}", stdout(&done), stderr(&done));
    println!("{}", stdout(&done));
    assert!(stdout(&done).lines().count() >= 3);
}

/// What an object counted, without what is told of its form.
fn counted(object: &Value) -> Value {
    let mut counted = object.clone();
    for member in ["object", "sha256", "size", "format"] {
        counted.as_object_mut().unwrap().remove(member);
    }
    counted
}

#[test]
fn parquet_gives_the_same_facts_as_text() {
    let folder = tempfile::tempdir().unwrap();
    let texts = texts(folder.path());
    let list = folder.path().join("list.json");
    std::fs::write(&list, serde_json::to_vec(&texts).unwrap()).unwrap();
    let script = project().join("tests/support/parquet_flows.py");
    let done = Command::new("python3").arg(script).arg(&list).arg(folder.path()).output().unwrap();
    assert!(done.status.success(), "{}{}", stdout(&done), stderr(&done));
    for text in &texts {
        let of_text = read(None, &[("a.log", std::fs::read(text).unwrap())]);
        for form in ["plain", "rewritten"] {
            let stem = text.file_stem().unwrap().to_str().unwrap();
            let path = folder.path().join(format!("{stem}.{form}.parquet"));
            let g = read(None, &[("a.parquet", std::fs::read(&path).unwrap())]);
            assert_eq!(
                counted(&g.evidence[0].payload),
                counted(&of_text.evidence[0].payload),
                "{}",
                path.display()
            );
            assert_eq!((g.counts, g.fault_count), (of_text.counts, of_text.fault_count), "{:?}", g.faults);
        }
    }
    let file = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    let g = read(None, &[("retyped.parquet", file("retyped.parquet"))]);
    assert_eq!((g.counts.kept, g.evidence[0].payload["faults"]["column-type"].clone()), (3_000, json!(1)));
    assert!(
        g.faults.iter().any(|f| f.place.contains("packets") && f.what.contains("INT64")),
        "{:?}",
        g.faults
    );
    let g = read(None, &[("missing.parquet", file("missing.parquet"))]);
    assert!(g.faults.iter().any(|f| f.what.contains("there is no start")), "{:?}", g.faults);
    let g = read(None, &[("negative.parquet", file("negative.parquet"))]);
    assert_eq!((g.counts.kept, g.counts.quarantined), (2_997, 3), "{:?}", g.faults);
    let (place, what) = (&g.faults[2].place, &g.faults[2].what);
    assert!(place == "row 1005" && what.contains("bytes is \"-1\""), "{:?}", g.faults);
    // Of three groups of rows the second one is damaged.
    let mut damaged = file("groups.parquet");
    let middle = damaged.len() / 2;
    damaged[middle - 20..middle + 20].fill(0x5A);
    let g = read(None, &[("groups.parquet", damaged)]);
    assert!((4_096..6_144).contains(&g.counts.kept) && g.counts.quarantined == 1, "{:?}", g.counts);
    assert!(g.faults[0].what.contains("all others are kept") && !g.evidence[0].payload["unread"].is_null());
    // Damaged in the middle, cut, and none at all.
    let whole = file("default.plain.parquet");
    let mut damaged = whole.clone();
    let middle = whole.len() / 2;
    damaged[middle..middle + 40].fill(0x5A);
    let g =
        read(None, &[("a.parquet", damaged), ("b.parquet", whole[..middle].to_vec()), ("c.parquet", whole)]);
    assert!(g.counts.kept >= 3_000 && g.faults.len() >= 2, "{:?} {:?}", g.counts, g.faults);
    assert!(
        g.faults.iter().any(|f| f.file == "b.parquet" && f.what.contains("is no Parquet")),
        "{:?}",
        g.faults
    );
    assert_eq!(g.counts.read, g.counts.kept + g.counts.quarantined + g.counts.refused);
}

/// A day of five-minute objects of a thousand interfaces, one record in two hundred on a watched port, one object in
/// twenty with a few interfaces that the others do not have.
#[test]
fn a_day_of_records_is_few_entries_and_few_megabytes() {
    const OBJECTS: u64 = 24;
    const RECORDS: u64 = 20_000_000 / 288;
    let mut objects = Vec::new();
    for n in 0..OBJECTS {
        let mut text = String::new();
        for i in 0..RECORDS {
            let mixed = (n * RECORDS + i).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let eni = (mixed >> 3) % 1_000 + if n == 7 { 3 } else { 0 };
            let port = if (mixed >> 11).is_multiple_of(200) { 6006 } else { 443 };
            let start = 1_767_225_600 + n * 300 + mixed % 240;
            text += &format!(
                "2 123456789012 eni-{:017x} 10.0.{}.{} 10.{}.{}.9 {} {port} 6 {} {} {start} {} ACCEPT OK\n",
                eni * 0x9E37_79B9_7F4A,
                mixed >> 60,
                4 + (mixed >> 50) % 8,
                eni >> 8,
                eni & 255,
                32_768 + (mixed >> 40) % 28_000,
                1 + (mixed >> 30) % 900,
                40 + (mixed >> 20) % 1_000_000,
                start + 40
            );
        }
        objects.push((format!("{n:03}.log"), text.into_bytes()));
    }
    let objects: Vec<(&str, Vec<u8>)> = objects.iter().map(|(n, t)| (n.as_str(), t.clone())).collect();
    let source: Source = toml::from_str("name = 'vpc'\nlocation = 'file:x'").unwrap();
    let own = ["10.0.0.0/8".parse().unwrap()].to_vec();
    let selection = Selection::new(Network { own, ..Network::default() }, &[6006]);
    let at: Time = "2026-11-22T12:00:00Z".parse().unwrap();
    let files = objects.iter().map(|(n, b)| ((*n).to_owned(), Ok(Cow::Borrowed(b.as_slice()))));
    let g = gather(SourceKind::FlowLogs, &Context::new(&source, selection), Some(at), at, files);
    assert_eq!(g.counts.kept, OBJECTS * RECORDS);
    // As the ledger keeps it: members over 8 KiB once each, by their digest.
    let (mut entries, mut bytes, mut blobs) = (0, 0, std::collections::BTreeSet::new());
    for evidence in &g.evidence {
        let mut payload = evidence.payload.clone();
        for blob in actledger::ledger::entry::take_blobs(&mut payload).unwrap() {
            bytes += if blobs.insert(blob.sha256) { blob.bytes.len() } else { 0 };
        }
        (entries, bytes) = (entries + 1, bytes + payload.to_string().len());
    }
    let (entries, megabytes) = (entries * 288 / OBJECTS, bytes as f64 * 288.0 / OBJECTS as f64 / 1e6);
    println!("20,000,000 records a day: {entries} entries, {megabytes:.1} MB");
    assert!(entries <= 300 && megabytes <= 11.0, "{entries} entries, {megabytes:.1} MB");
}

/// Who talks to whom, in a format that shows who opened.
fn flow(eni: &str, from: &str, to: &str, ports: (u16, u16), flags: u8, start: i64) -> String {
    let (a, b) = ports;
    format!("{eni} {from} {to} {a} {b} 6 9 9000 {start} {} ACCEPT OK {flags}\n", start + 50)
}

#[test]
fn where_a_system_connects_to_is_compared_with_what_it_declares() {
    let world =
        World::init("[[flow_logs]]\nname = \"vpc\"\nlocation = \"file:looks\"\n[act]\nprofile = \"full\"\n");
    let register = |egress: &str| {
        let text =
            format!("[[system]]\nid = \"credit\"\nteam = \"lending\"\nrisk_level = \"high\"\n{egress}\n");
        std::fs::write(world.path("systems.toml"), text).unwrap();
    };
    let now = actledger::clock::Clock::System.now().hour();
    let ago = |hours: i64| now.plus_seconds(-3_600 * hours);
    let header = "interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status tcp-flags\n";
    let look = |at: Time, text: String, enis: &[&str]| {
        let name = at.look_name();
        let folder = world.path("looks").join(name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{}.log", at.seconds())), format!("{header}{text}")).unwrap();
        let eni = |id: &&str| {
            let system = if *id == "eni-1" { "credit" } else { "" };
            json!({ "NetworkInterfaceId": id, "OwnerId": "111122223333", "VpcId": "vpc-1", "SubnetId": "s",
                "AvailabilityZone": "eu-central-1a", "PrivateIpAddresses": [{ "PrivateIpAddress": "10.0.0.9" }],
                "Attachment": { "AttachTime": "2026-01-01T00:00:00Z" },
                "TagSet": [{ "Key": "ai-system", "Value": system }] })
        };
        let all: Vec<Value> = enis.iter().map(eni).collect();
        std::fs::write(
            folder.join("describe-network-interfaces.json"),
            json!({ "NetworkInterfaces": all }).to_string(),
        )
        .unwrap();
        let log = json!({ "FlowLogs": [{ "FlowLogId": "fl-1", "ResourceId": "vpc-1", "TrafficType": "ALL", "DeliverLogsStatus": "FAILED", "DeliverLogsErrorMessage": "Access error" }] });
        std::fs::write(folder.join("describe-flow-logs.json"), log.to_string()).unwrap();
    };
    let out =
        |to: &str, hours: i64| flow("eni-1", "10.0.0.9", to, (40_000, 443), 2, ago(hours).seconds() + 5);
    register("egress = [\"203.0.113.0/24\"]");
    // Before anybody knew the system, its traffic was kept in totals only.
    look(ago(9), [out("203.0.113.7", 13), out("198.51.100.7", 12)].concat(), &["eni-1"]);
    assert_eq!(world.run(&["ingest"]).status.code(), Some(0));
    assert_eq!(world.run(&["assess"]).status.code(), Some(0));
    let answer = flow("eni-1", "10.0.0.9", "192.0.2.8", (443, 50_000), 18, ago(5).seconds() + 5);
    let served = flow("eni-1", "10.0.7.7", "10.0.0.9", (50_000, 8_443), 2, ago(3).seconds() + 9);
    let unknown = flow("eni-1", "10.0.0.9", "198.51.100.9", (40_000, 443), 0, ago(4).seconds() + 5);
    let later = [out("203.0.113.77", 7), out("198.51.100.7", 6), answer, unknown, out("10.2.3.4", 3), served]
        .concat();
    look(ago(1), later, &["eni-1", "eni-2"]);
    let judged = || {
        assert_eq!(world.run(&["ingest"]).status.code(), Some(0));
        let done = world.run(&["report", "--format", "json", "--out", "r"]);
        assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
        let report: Value =
            serde_json::from_slice(&std::fs::read(world.path("r/report.json")).unwrap()).unwrap();
        let system =
            report["systems"].as_array().unwrap().iter().find(|s| s["id"] == "credit").unwrap().clone();
        let finding = system["findings"]
            .as_array()
            .unwrap()
            .iter()
            .find(|f| f["control"] == "egress-declared")
            .unwrap()
            .clone();
        (finding, report["coverage"].to_string())
    };
    let (finding, _) = judged();
    let unit = |hours: i64| {
        let id = ago(hours).to_string();
        let units = finding["units"].as_array().unwrap();
        units.iter().find(|u| u["id"] == id.as_str()).unwrap_or_else(|| panic!("{id}: {units:#?}")).clone()
    };
    let notes = finding.to_string();
    assert_eq!(finding["status"], "not-satisfied", "{finding:#}");
    assert_eq!(unit(6)["status"], "not-satisfied");
    assert!(notes.contains("to port 443 in 198.51.100.0/24"), "{notes}");
    assert_eq!(
        (unit(12)["status"].clone(), unit(12)["reason"].clone()),
        (json!("not-assessed"), json!("source-gap"))
    );
    assert!(notes.contains("kept in total only"), "{notes}");
    let _ = (unit(7), unit(5), unit(4));
    assert_eq!(unit(3)["status"], "satisfied");
    // The last look came before all records of this hour were delivered.
    let units = finding["units"].as_array().unwrap();
    let early = units.iter().find(|u| u["id"] == ago(2).to_string().as_str());
    assert!(early.is_none_or(|u| u["status"] == "not-assessed" && u["reason"] == "source-gap"), "{early:#?}");
    // What was read before is read once more, for what is selected now.
    let from = ago(30).to_string();
    assert_eq!(world.run(&["ingest", "vpc", "--again", "--from", &from]).status.code(), Some(0));
    let (finding, _) = judged();
    let units = finding["units"].as_array().unwrap();
    let early = units.iter().find(|u| u["id"] == ago(12).to_string().as_str()).unwrap();
    assert_eq!(early["status"], "not-satisfied", "{early:#}");
    // An object that cannot be read leaves its hour open.
    look(ago(0), String::new(), &["eni-1", "eni-2"]);
    let minute = ago(3).plus_seconds(1_800).timestamp().strftime("%Y%m%dT%H%MZ").to_string();
    let damaged = format!("111122223333_vpcflowlogs_eu-central-1_fl-1_{minute}_a.log.gz");
    std::fs::write(world.path("looks").join(ago(0).look_name()).join(damaged), "no gzip").unwrap();
    let (finding, coverage) = judged();
    let units = finding["units"].as_array().unwrap();
    let open = units.iter().find(|u| u["id"] == ago(3).to_string().as_str()).unwrap();
    assert_eq!(
        (&open["status"], &open["reason"]),
        (&json!("not-assessed"), &json!("source-gap")),
        "{open:#}"
    );
    assert!(coverage.contains("records were delivered that could not be read"), "{coverage}");
    assert!(coverage.contains("eni-2 is in the inventory and in no record"), "{coverage}");
    assert!(coverage.contains("fl-1 of vpc-1 is not delivered: Access error"), "{coverage}");
    // A register that says nothing is not assessed.
    register("");
    let (finding, _) = judged();
    assert_eq!(
        (&finding["status"], &finding["reason"]),
        (&json!("not-assessed"), &json!("register-incomplete"))
    );
    // What its owner calls prohibited, and answers on a port that it serves.
    let text = "[[system]]\nid = \"credit\"\nteam = \"lending\"\nrisk_level = \"prohibited\"\nannex = \"5(1)(c)\"\nrole = \"deployer\"\nserving_ports = [8443]\n";
    std::fs::write(world.path("systems.toml"), text).unwrap();
    assert_eq!(world.run(&["ingest"]).status.code(), Some(0));
    assert_eq!(world.run(&["report", "--format", "json", "--out", "r"]).status.code(), Some(0));
    let report: Value = serde_json::from_slice(&std::fs::read(world.path("r/report.json")).unwrap()).unwrap();
    let systems = report["systems"].as_array().unwrap();
    let system = systems.iter().find(|s| s["id"] == "credit").unwrap();
    let findings = system["findings"].as_array().unwrap();
    let finding = findings.iter().find(|f| f["control"] == "prohibited-not-running").unwrap();
    assert_eq!(finding["status"], "not-satisfied", "{finding:#}");
    assert!(finding.to_string().contains("port 8443 accepted 1 connection in the hour from"), "{finding:#}");
    assert!(finding.to_string().contains("Art. 5(1)(a) to (h)"), "{finding:#}");
    assert_eq!(world.run(&["verify"]).status.code(), Some(0));
}
