//! Flow logs where AWS puts them, on moto behind a network that can fail.

use crate::crash;
use crate::support::{AWS, Server, World, boto, sqlite, stderr, stdout};
use actledger::evidence::Time;
use actledger::evidence::flow_logs::{FlowRow, Traffic};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use tempfile::TempDir;

/// AWS on loopback, with a bucket `flow` that keeps versions.
pub(crate) struct Aws {
    folder: TempDir,
    pub(crate) server: Server,
}

/// A delivered object: its key below the bucket, and its text.
type Object = (String, String);

impl Aws {
    pub(crate) fn start() -> Aws {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start("aws_server.py", folder.path());
        let aws = Aws { folder, server };
        let place = "{'LocationConstraint': 'eu-central-1'}";
        aws.boto(&format!(
            "s3.create_bucket(Bucket='flow', CreateBucketConfiguration={place}); \
             s3.put_bucket_versioning(Bucket='flow', VersioningConfiguration={{'Status': 'Enabled'}})"
        ));
        aws
    }

    pub(crate) fn boto(&self, script: &str) -> String {
        boto(&self.server, script)
    }

    fn put(&self, objects: &[Object]) {
        let list = self.folder.path().join("objects.json");
        std::fs::write(&list, serde_json::to_vec(objects).unwrap()).unwrap();
        self.boto(&format!(
            "import gzip\nfor k, t in json.load(open('{}')):\n  s3.put_object(Bucket='flow', Key=k, Body=gzip.compress(t.encode(), mtime=0))",
            list.display()
        ));
    }

    /// The next requests that match meet these faults, `TIMES KIND PATTERN` each.
    pub(crate) fn faults(&self, lines: &str) {
        std::fs::write(self.folder.path().join("faults"), lines).unwrap();
    }

    pub(crate) fn asked(&self, pattern: &str) -> usize {
        let asked = std::fs::read_to_string(self.folder.path().join("asked")).unwrap();
        asked.lines().filter(|l| l.contains(pattern)).count()
    }

    /// A world that reads the bucket.
    fn world(&self, more: &str) -> World {
        self.world_at("s3://flow/logs", more)
    }

    fn world_at(&self, location: &str, more: &str) -> World {
        let port = self.server.port;
        World::init(&format!(
            "[[flow_logs]]\nname = \"vpc\"\nlocation = \"{location}\"\nregion = \"eu-central-1\"\nendpoint = \"http://127.0.0.1:{port}\"\n{more}\n{NETWORK}"
        ))
    }
}

const NETWORK: &str = "[[network.watch]]\nname = \"web\"\nports = [443, 6006]\n";

fn now() -> i64 {
    actledger::clock::Clock::System.now().seconds()
}

/// The key of an object that was delivered at a time, in one of the two manners.
fn key(account: &str, at: i64, named: bool) -> String {
    let t = jiff::Timestamp::from_second(at).unwrap().to_string();
    let (y, m, d) = (&t[..4], &t[5..7], &t[8..10]);
    let file = format!(
        "{account}_vpcflowlogs_eu-central-1_fl-1_{y}{m}{d}T{}{}Z_{at}.log.gz",
        &t[11..13],
        &t[14..16]
    );
    if named {
        return format!(
            "logs/AWSLogs/aws-account-id={account}/aws-service=vpcflowlogs/aws-region=eu-central-1/year={y}/month={m}/day={d}/{file}"
        );
    }
    format!("logs/AWSLogs/{account}/vpcflowlogs/eu-central-1/{y}/{m}/{d}/{file}")
}

const HEADER: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status";

fn text(seed: i64, at: i64) -> String {
    let line = |n: i64| {
        let (eni, peer) = ((seed + n) % 5, (seed * 7 + n) % 200);
        let port = if n % 3 == 0 { 6006 } else { 443 };
        let start = at + n % 250;
        format!(
            "2 111122223333 eni-{eni} 198.51.{peer}.7 10.0.0.{} {} {port} 6 {n} {} {start} {} {} OK\n",
            eni + 10,
            40_000 + n,
            n * 40,
            start + 59,
            if n % 4 == 0 { "REJECT" } else { "ACCEPT" }
        )
    };
    format!("{HEADER}\n{}", (0..40).map(line).collect::<String>())
}

/// Objects of two accounts, each of them every three hours since some days.
fn delivered(days: i64) -> Vec<Object> {
    let last = now() - 3600;
    let times = (0..days * 8).map(|n| last - n * 10_800);
    times
        .flat_map(|at| {
            [
                (key("111122223333", at, false), text(at, at)),
                (key("444455556666", at, true), text(at + 1, at)),
            ]
        })
        .collect()
}

/// What the ledger holds of a kind: payload by subject, the latest.
fn entries(world: &World, kind: &str) -> BTreeMap<String, Value> {
    let query = format!(
        "SELECT CAST(bytes AS TEXT) FROM entry WHERE CAST(bytes AS TEXT) LIKE '%\"kind\":\"{kind}\"%' ORDER BY seq"
    );
    let lines = sqlite(&world.ledger(), &query);
    let entries = lines.lines().map(|l| serde_json::from_str::<Value>(l).unwrap());
    entries.map(|e| (e["subject"].as_str().unwrap().to_owned(), e["payload"].clone())).collect()
}

fn count(world: &World, kind: &str) -> usize {
    let query = format!("SELECT count(*) FROM entry WHERE CAST(bytes AS TEXT) LIKE '%\"kind\":\"{kind}\"%'");
    sqlite(&world.ledger(), &query).trim().parse().unwrap()
}

/// Facts of flow logs: hour, interface, address, direction, class, protocol, port … and what was counted.
fn facts(payloads: impl Iterator<Item = Value>) -> BTreeMap<String, [u64; 3]> {
    let mut sums = BTreeMap::<String, [u64; 3]>::new();
    let mut add = |place: String, counts: [u64; 3]| {
        let sum = sums.entry(place).or_default();
        sum.iter_mut().zip(counts).for_each(|(s, n)| *s += n);
    };
    for payload in payloads {
        let traffic: Traffic = serde_json::from_value(payload).expect("all stands in the entry");
        for row in traffic.rows {
            let sums = [row.flows, row.packets, row.bytes];
            let nothing = Time::default();
            add(
                format!(
                    "{:?}",
                    FlowRow { flows: 0, packets: 0, bytes: 0, first: nothing, last: nothing, ..row }
                ),
                sums,
            );
        }
        for hour in traffic.hours {
            for (interface, ok, nodata, skipdata) in hour.interfaces {
                add(format!("{} {interface}", hour.hour), [ok, nodata, skipdata]);
            }
        }
    }
    sums
}

fn ingest(world: &World) -> Value {
    let done = world.run_with(&AWS, &["ingest", "--json"]);
    let said = format!("{}{}", stdout(&done), stderr(&done));
    serde_json::from_slice::<Value>(&done.stdout).unwrap_or_else(|_| panic!("{said}"))["sources"][0].clone()
}

#[test]
fn a_bucket_is_read_completely_and_once() {
    let aws = Aws::start();
    let objects = delivered(4);
    aws.put(&objects);
    let world = aws.world("");
    let done = world.run_with(&AWS, &["check"]);
    assert!(stdout(&done).contains("2 accounts and regions; 64 objects to read since"), "{}", stdout(&done));
    assert!(!stdout(&done).contains("missing: "), "{}", stdout(&done));
    // What may be listed and not read is found out before the first night.
    aws.faults("99 denied x-id=GetObject");
    let done = world.run_with(&AWS, &["check"]);
    assert!(stdout(&done).contains("denied: AccessDenied"), "{}", stdout(&done));
    aws.faults("");
    let before = aws.asked("x-id=GetObject");
    let first = ingest(&world);
    assert_eq!(
        (first["entries"].clone(), first["counts"]["kept"].clone()),
        (json!(64), json!(64 * 40)),
        "{first}"
    );
    assert_eq!(first["not_seen"], json!([]));
    assert_eq!(ingest(&world)["entries"], 0);
    assert_eq!(aws.asked("x-id=GetObject"), before + 64, "each object is fetched once");
    assert!(aws.asked("continuation-token") > 0, "days are listed page by page");
    // A late one, and one that somebody replaced: with other bytes it stands in the place of the first.
    let yesterday = now() - 86_400;
    let late = (key("111122223333", yesterday - 77, false), text(5, yesterday));
    let other = (objects[0].0.clone(), text(9, now() - 3600));
    aws.put(&[late.clone(), other.clone()]);
    assert_eq!(ingest(&world)["entries"], 2);
    let told = entries(&world, "flow_log.object");
    let revised = &told[&format!("s3:flow/{}", other.0)];
    assert_eq!(revised["revision"], 1);
    assert_eq!(told.len(), 65);
    let state = sqlite(&world.path("var/state.db"), "SELECT revision, count(*) FROM delivered GROUP BY 1");
    assert_eq!(state.trim(), "0|64\n1|1");
    // The same objects from a folder give the same facts.
    let mut all: BTreeMap<String, String> = objects.into_iter().collect();
    all.extend([late, other]);
    assert_eq!(facts(told.into_values()), facts(entries(&folder(&all), "flow_log.object").into_values()));
    assert_eq!(world.run(&["verify"]).status.code(), Some(0));
}

/// A world that read the same objects from a folder.
fn folder(objects: &BTreeMap<String, String>) -> World {
    let world = World::init(&format!("[[flow_logs]]\nname = \"vpc\"\nlocation = \"file:looks\"\n{NETWORK}"));
    let look = world.path("looks/20261120T120000Z");
    for (key, text) in objects {
        let path = look.join(key.trim_end_matches(".gz"));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let status = ingest(&world);
    assert_eq!(status["entries"], objects.len(), "{status}");
    world
}

#[test]
fn since_bounds_the_first_pass_and_closed_days_are_not_listed_again() {
    let aws = Aws::start();
    aws.put(&delivered(5));
    let world = aws.world("since = \"2d\"\nquiet_hours = 1");
    let n = ingest(&world)["entries"].as_u64().unwrap();
    assert!((32..=48).contains(&n), "{n} objects of two days, from midnight on");
    // Objects that have just come keep their day open, whatever the day is.
    let runs = entries(&world, "source.run");
    let look: jiff::civil::Date = runs["source:vpc"]["look"].as_str().unwrap().parse().unwrap();
    let first =
        jiff::Timestamp::from_second(now() - 2 * 86_400).unwrap().to_zoned(jiff::tz::TimeZone::UTC).date();
    assert_eq!(look, first);
    assert!(runs["source:vpc"]["requests"].to_string().contains("objects, 0 to read") || n > 0);
}

#[test]
fn a_network_that_fails_loses_nothing_and_doubles_nothing() {
    let aws = Aws::start();
    let objects = delivered(2);
    aws.put(&objects);
    let quiet = aws.world("");
    ingest(&quiet);
    let right = facts(entries(&quiet, "flow_log.object").into_values());
    let fetch = "GET /flow/.*x-id=GetObject";
    for (faults, passes) in [
        (format!("3 500 {fetch}"), 1),
        ("2 slow GET /flow/?.*list-type=2.*".to_owned(), 1),
        (format!("2 cut {fetch}"), 1),
        (format!("1 stall {fetch}"), 1),
        (format!("2 checksum {fetch}"), 1),
        (format!("40 500 {fetch}"), 2),
        (format!("1 expired {fetch}"), 2),
        ("1 expired list-type=2".to_owned(), 2),
        ("99 endless list-type=2".to_owned(), 2),
        (format!("1 kms {fetch}"), 2),
    ] {
        aws.faults(&faults);
        let world = aws.world("");
        let mut statuses = vec![ingest(&world)];
        if passes > 1 {
            aws.faults("");
            statuses.push(ingest(&world));
        }
        assert_eq!(facts(entries(&world, "flow_log.object").into_values()), right, "{faults}: {statuses:#?}");
        assert_eq!(entries(&world, "flow_log.object").len(), objects.len(), "{faults}");
        for (i, status) in statuses.iter().enumerate() {
            let c = |n: &str| status["counts"][n].as_u64().unwrap();
            assert_eq!(c("read"), c("kept") + c("quarantined") + c("refused"), "{faults}");
            let clean = status["failed"].is_null() && status["not_seen"] == json!([]);
            assert_eq!(clean, i + 1 == passes, "{faults}: pass {i}: {status:#}");
        }
        let said = format!("{}{}", statuses[0]["failed"], statuses[0]["not_seen"]);
        let expected = match faults.split(' ').nth(1).unwrap() {
            "expired" => "ExpiredToken: The provided token has expired.",
            "endless" => "leads back to a page before",
            "kms" => "kms:Decrypt on its key is missing",
            _ if passes > 1 => "InternalError",
            _ => "",
        };
        assert!(said.contains(expected), "{faults}: {said}");
    }
}

#[test]
fn an_object_that_is_replaced_between_listing_and_fetching_is_read_as_what_it_is() {
    let aws = Aws::start();
    let objects = delivered(1);
    aws.put(&objects);
    aws.faults("1 replaced GET /flow/.*x-id=GetObject");
    let world = aws.world("");
    let first = ingest(&world);
    assert!(first["not_seen"].to_string().contains("replaced between listing and fetching"), "{first}");
    assert_eq!(count(&world, "flow_log.object"), objects.len());
    let second = ingest(&world);
    assert_eq!(count(&world, "flow_log.object"), objects.len() + 1, "{second}");
    // The one who replaced it did not pack it.
    assert_eq!(second["counts"]["refused"], 1);
    assert_eq!(
        ingest(&world)["counts"]["refused"],
        0,
        "what cannot be read is written down, and not fetched again"
    );
}

#[test]
fn a_role_of_the_account_that_owns_the_logs_is_taken_on_and_named() {
    let aws = Aws::start();
    aws.put(&delivered(1));
    let role = "role_arn = \"arn:aws:iam::444455556666:role/reader\"\nexternal_id = \"audit-7\"";
    let world = aws.world(&format!("{role}\ninventory = true"));
    let sts = format!("http://127.0.0.1:{}", aws.server.port);
    let environment: Vec<_> = AWS.into_iter().chain([("AWS_ENDPOINT_URL_STS", sts.as_str())]).collect();
    let done = world.run_with(&environment, &["ingest", "vpc"]);
    assert_eq!(done.status.code(), Some(0), "{}{}", stdout(&done), stderr(&done));
    assert_eq!(aws.asked("Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A444455556666%3Arole%2Freader&RoleSessionName=actledger&ExternalId=audit-7"), 1, "once for a pass");
    let run = &entries(&world, "source.run")["source:vpc"];
    assert_eq!(run["identity"], "arn:aws:sts::444455556666:assumed-role/reader", "{run:#}");
}

#[test]
fn an_object_that_may_not_be_read_is_an_entry_until_it_is_read() {
    let aws = Aws::start();
    let objects = delivered(1);
    aws.put(&objects);
    let (denied, world) = (&objects[2].0, aws.world(""));
    let subject = format!("s3:flow/{denied}");
    for entry in [objects.len(), 0] {
        aws.faults(&format!("9 kms GET /flow/{denied}.*x-id=GetObject"));
        let status = ingest(&world);
        assert_eq!(status["entries"], entry, "said each time, and written down once: {status:#}");
        assert!(status["faults"].to_string().contains("kms:Decrypt on its key is missing"), "{status:#}");
        assert_eq!(status["not_seen"] != json!([]), entry > 0, "a gap when it is new: {status:#}");
        assert_eq!(status["counts"]["refused"], 1);
        let told = &entries(&world, "flow_log.object")[&subject];
        assert_eq!((told["sha256"].as_str(), told["hours"].as_array().unwrap().len()), (Some(""), 0));
        let (from, to): (Time, Time) = serde_json::from_value(told["unread"].clone()).unwrap();
        assert_eq!(to.seconds() - from.seconds(), 1_200, "what its name says");
        let run = &entries(&world, "source.run")["source:vpc"];
        let through: Time = serde_json::from_value(run["through"].clone()).unwrap();
        assert!(now() - through.seconds() < 60, "everything else is read: {run:#}");
    }
    let done = world.run_with(&AWS, &["verify", "--refetch", "99"]);
    assert!(stdout(&done).contains("15 of 15 objects have the bytes"), "{}", stdout(&done));
    aws.faults("");
    let status = ingest(&world);
    assert_eq!((&status["entries"], &status["not_seen"]), (&json!(1), &json!([])), "{status:#}");
    let told = &entries(&world, "flow_log.object")[&subject];
    assert!(told["revision"] == 1 && told["unread"].is_null() && told["refused"].is_null(), "{told}");
    assert_eq!(ingest(&world)["entries"], 0);
}

#[test]
fn a_bucket_without_flow_logs_or_without_rights_is_said() {
    let aws = Aws::start();
    for (location, faults, why) in [
        ("s3://flow/else", "", "s3://flow/else/AWSLogs/ holds no vpcflowlogs of any account"),
        ("s3://missing/x", "", "NoSuchBucket"),
        ("s3://flow/logs", "9 denied list-type=2", "denied: AccessDenied: Access Denied"),
    ] {
        aws.faults(faults);
        let world = aws.world_at(location, "");
        let done = world.run_with(&AWS, &["check"]);
        assert!(done.status.code() == Some(1) && stdout(&done).contains(why), "{}", stdout(&done));
        let status = ingest(&world);
        assert!(status["failed"].as_str().unwrap().contains(why), "{status}");
        assert!(entries(&world, "source.run")["source:vpc"]["error"].as_str().unwrap().contains(why));
    }
    assert!(Path::new(&aws.folder.path().join("asked")).exists());
}

/// Puts the records of objects into a log group, a stream per interface, as the service that delivers them does.
fn log(aws: &Aws, objects: &[Object]) {
    let list = aws.folder.path().join("objects.json");
    std::fs::write(&list, serde_json::to_vec(objects).unwrap()).unwrap();
    aws.boto(&format!(
        r#"
from botocore.exceptions import ClientError
streams = {{}}
for _, text in json.load(open('{}')):
    for line in text.splitlines()[1:]:
        f = line.split()
        streams.setdefault(f[2] + '-all', []).append({{'timestamp': int(f[10]) * 1000, 'message': line}})
for make in [lambda: logs.create_log_group(logGroupName='/vpc/flow')] + [lambda s=s: logs.create_log_stream(logGroupName='/vpc/flow', logStreamName=s) for s in streams]:
    try: make()
    except ClientError as e: assert 'AlreadyExists' in str(e), e
for name, events in streams.items():
    events.sort(key=lambda e: e['timestamp'])
    for i in range(0, len(events), 500):
        logs.put_log_events(logGroupName='/vpc/flow', logStreamName=name, logEvents=events[i:i + 500])
"#,
        list.display()
    ));
}

/// Objects whose records all lie in windows that are due, each record once.
fn logged(hours: i64) -> Vec<Object> {
    let last = (now() - 4_000).div_euclid(300) * 300;
    (0..hours * 2)
        .map(|n| last - n * 1_800)
        .map(|at| (key("111122223333", at, false), text(at, at)))
        .collect()
}

#[test]
fn a_log_group_gives_the_same_facts_as_a_bucket() {
    let aws = Aws::start();
    let objects = logged(30);
    aws.put(&objects);
    log(&aws, &objects);
    let bucket = aws.world("");
    assert_eq!(ingest(&bucket)["counts"]["kept"], 60 * 40);
    let group = aws.world_at("cloudwatch:/vpc/flow", "since = \"2d\"");
    let check = group.run_with(&AWS, &["check"]);
    assert!(stdout(&check).contains("windows of five minutes to read"), "{}", stdout(&check));
    let status = ingest(&group);
    assert_eq!((&status["counts"]["kept"], &status["failed"]), (&json!(60 * 40), &Value::Null), "{status}");
    let (objects, windows) = (entries(&bucket, "flow_log.object"), entries(&group, "flow_log.window"));
    assert_eq!(facts(windows.values().cloned()), facts(objects.into_values()));
    assert_eq!(windows.len(), 60, "a window without events is no entry");
    assert!(windows.values().all(|w| w.get("events").is_some() && !w.to_string().contains("eventId")));
    assert_eq!(ingest(&group)["entries"], 0);
    assert_eq!(group.run(&["verify"]).status.code(), Some(0));
}

#[test]
fn a_window_that_changed_is_a_revision_and_what_did_not_is_none() {
    let aws = Aws::start();
    let objects = logged(2);
    log(&aws, &objects);
    let world = aws.world_at("cloudwatch:/vpc/flow", "since = \"1d\"");
    assert_eq!(ingest(&world)["entries"], 4);
    // Records of the first window that were delivered late.
    log(&aws, &[(String::new(), text(77, now() - 4_000 - 5 * 1_800))]);
    let at = jiff::Timestamp::from_second(now() - 86_400).unwrap().to_string();
    let again = |world: &World| world.run_with(&AWS, &["ingest", "vpc", "--again", "--from", &at]);
    let done = again(&world);
    assert_eq!(done.status.code(), Some(0), "{}{}", stdout(&done), stderr(&done));
    let told = entries(&world, "flow_log.window");
    let mut all = objects;
    all.push((key("1", 0, false), text(77, now() - 4_000 - 5 * 1_800)));
    let records: u64 = told.values().map(|w| w["records"]["ok"].as_u64().unwrap()).sum();
    assert_eq!(records, 5 * 40, "{told:#?}");
    let n = count(&world, "flow_log.window");
    again(&world);
    assert_eq!(count(&world, "flow_log.window"), n, "the same once more is no news");
}

#[test]
fn a_log_group_behind_a_network_that_fails_is_read_to_its_real_end() {
    let aws = Aws::start();
    let objects = logged(4);
    log(&aws, &objects);
    let at = "cloudwatch:/vpc/flow";
    let quiet = aws.world_at(at, "since = \"1d\"");
    ingest(&quiet);
    let right = facts(entries(&quiet, "flow_log.window").into_values());
    for (faults, passes, why) in [
        ("2 throttled FilterLogEvents", 1, ""),
        ("2 500 FilterLogEvents", 1, ""),
        ("1 cut FilterLogEvents", 1, ""),
        ("9 expired FilterLogEvents", 2, "ExpiredToken"),
        ("99 endless FilterLogEvents", 2, "leads back to a page before"),
        ("1 more FilterLogEvents", 1, ""),
    ] {
        aws.faults(faults);
        let world = aws.world_at(at, "since = \"1d\"");
        let first = ingest(&world);
        if passes > 1 {
            assert!(format!("{}{}", first["failed"], first["not_seen"]).contains(why), "{faults}: {first}");
            aws.faults("");
            ingest(&world);
        } else {
            assert_eq!(
                (&first["failed"], &first["not_seen"]),
                (&Value::Null, &json!([])),
                "{faults}: {first}"
            );
        }
        assert_eq!(facts(entries(&world, "flow_log.window").into_values()), right, "{faults}");
        assert_eq!(count(&world, "flow_log.window"), 8, "{faults}");
    }
    let world = aws.world_at("cloudwatch:/no/such", "");
    assert!(ingest(&world)["failed"].as_str().unwrap().contains("there is no such log group"));
}

#[test]
fn the_inventory_tells_which_interfaces_should_speak() {
    let aws = Aws::start();
    aws.put(&delivered(1));
    let id = aws.boto(
        "vpc = ec2.create_vpc(CidrBlock='10.0.0.0/16')['Vpc']['VpcId']\n\
         subnet = ec2.create_subnet(VpcId=vpc, CidrBlock='10.0.1.0/24')['Subnet']['SubnetId']\n\
         eni = ec2.create_network_interface(SubnetId=subnet, PrivateIpAddress='10.0.1.9')['NetworkInterface']['NetworkInterfaceId']\n\
         ec2.create_flow_logs(ResourceType='VPC', ResourceIds=[vpc], TrafficType='REJECT', LogDestinationType='s3', LogDestination='arn:aws:s3:::flow')\n\
         print(eni)",
    );
    let world = aws.world("inventory = true");
    let status = ingest(&world);
    assert_eq!(status["not_seen"], json!([]), "{status}");
    let interfaces = entries(&world, "network.interface");
    let (subject, interface) = interfaces
        .iter()
        .find(|(s, _)| s.ends_with(id.trim()))
        .unwrap_or_else(|| panic!("{id} is not among {interfaces:#?}: {status}"));
    assert!(subject.starts_with("aws:123456789012:eu-central-1:eni-"), "{subject}");
    assert_eq!(interface["addresses"], json!(["10.0.1.9"]));
    let logs = entries(&world, "flow_log.configuration");
    let log = logs.values().next().unwrap();
    assert_eq!((&log["traffic"], &log["destination"]), (&json!("REJECT"), &json!("arn:aws:s3:::flow")));
    // Interfaces of other accounts and regions than the one that holds the logs.
    aws.boto(
        "sts = boto3.client('sts', endpoint_url=s3.meta.endpoint_url, region_name='eu-west-1', aws_access_key_id='test', aws_secret_access_key='test')\n\
         c = sts.assume_role(RoleArn='arn:aws:iam::444455556666:role/reader', RoleSessionName='reader')['Credentials']\n\
         there = boto3.client('ec2', endpoint_url=s3.meta.endpoint_url, region_name='eu-west-1', aws_access_key_id=c['AccessKeyId'], aws_secret_access_key=c['SecretAccessKey'], aws_session_token=c['SessionToken'])\n\
         vpc = there.create_vpc(CidrBlock='10.9.0.0/16')['Vpc']['VpcId']\n\
         subnet = there.create_subnet(VpcId=vpc, CidrBlock='10.9.1.0/24')['Subnet']['SubnetId']\n\
         there.create_network_interface(SubnetId=subnet, PrivateIpAddress='10.9.1.9')",
    );
    let sts = format!("http://127.0.0.1:{}", aws.server.port);
    let environment: Vec<_> = AWS.into_iter().chain([("AWS_ENDPOINT_URL_STS", sts.as_str())]).collect();
    let role = "role_arn = \"arn:aws:iam::444455556666:role/reader\"";
    let both =
        aws.world(&format!("inventory = true\ninventory_of = [{{ }}, {{ region = \"eu-west-1\", {role} }}]"));
    let done = both.run_with(&environment, &["ingest", "vpc"]);
    assert_eq!(done.status.code(), Some(0), "{}{}", stdout(&done), stderr(&done));
    let subjects: Vec<String> = entries(&both, "network.interface").into_keys().collect();
    let of = |account: &str| subjects.iter().any(|s| s.starts_with(account));
    assert!(
        of("aws:123456789012:eu-central-1:eni-") && of("aws:444455556666:eu-west-1:eni-"),
        "{subjects:?}"
    );
    // One that is deleted is gone with the next look; one that cannot be listed is not.
    aws.boto(&format!("ec2.delete_network_interface(NetworkInterfaceId='{}')", id.trim()));
    aws.faults("9 denied Action=DescribeNetworkInterfaces");
    let status = ingest(&world);
    aws.faults("");
    ingest(&world);
    let gone = &entries(&world, "network.interface")[subject];
    assert_eq!(gone, &json!({ "gone": true }), "{status}");
}

#[test]
fn objects_are_fetched_again_and_compared_with_the_record() {
    let aws = Aws::start();
    let objects = delivered(1);
    aws.put(&objects);
    let world = aws.world("");
    ingest(&world);
    let done = world.run_with(&AWS, &["verify", "--refetch", "5"]);
    assert!(
        stdout(&done).contains("5 of 5 objects have the bytes that the record states (16 are recorded)"),
        "{}",
        stdout(&done)
    );
    assert_eq!(done.status.code(), Some(0));
    // The version that was read is still there behind what replaced it; one that is deleted for good is not.
    aws.put(&[(objects[0].0.clone(), text(99, now()))]);
    aws.boto(&format!(
        "k = '{}'\nfor v in s3.list_object_versions(Bucket='flow', Prefix=k)['Versions']: s3.delete_object(Bucket='flow', Key=k, VersionId=v['VersionId'])",
        objects[1].0
    ));
    let done = world.run_with(&AWS, &["verify", "--refetch", "99"]);
    assert!(stdout(&done).contains("15 of 16 objects have the bytes"), "{}", stdout(&done));
    assert!(stdout(&done).contains(&objects[1].0) && done.status.code() == Some(1), "{}", stdout(&done));
}

#[test]
fn what_is_selected_later_is_read_once_more_on_demand() {
    let aws = Aws::start();
    let objects = delivered(2);
    aws.put(&objects);
    let world = aws.world("");
    ingest(&world);
    let config = std::fs::read_to_string(world.config()).unwrap();
    std::fs::write(world.config(), config.replace("ports = [443, 6006]", "ports = [6006]")).unwrap();
    let from = jiff::Timestamp::from_second(now() - 3 * 86_400).unwrap().to_string();
    let cursor = || sqlite(&world.path("var/state.db"), "SELECT look FROM cursor WHERE source = 'vpc'");
    let before = cursor();
    for n in [32, 0] {
        let done = world.run_with(&AWS, &["ingest", "vpc", "--again", "--from", &from, "--json"]);
        let status: Value = serde_json::from_slice(&done.stdout).unwrap();
        assert_eq!(status["sources"][0]["entries"], n, "{status}");
    }
    assert_eq!(cursor(), before, "reading once more moves no cursor");
    let told = entries(&world, "flow_log.object");
    assert!(told.values().all(|o| o["revision"] == 1 && !o["rows"].to_string().contains(",443,")));
    for (arguments, why) in [
        (&["ingest", "--again", "--from", "2026-01-01"][..], "reads one source"),
        (&["ingest", "register", "--again", "--from", "2026-01-01"], "no source of flow logs"),
        (&["ingest", "vpc", "--again"], "--from"),
        (&["ingest", "vpc", "--again", "--from", "2999-01-01"], "in the future"),
    ] {
        let done = world.run_with(&AWS, arguments);
        assert!(
            done.status.code() == Some(2) && stderr(&done).contains(why),
            "{arguments:?}: {}",
            stderr(&done)
        );
    }
}

/// `ACTLEDGER_CRASHES` deaths, 20 unless told, spread over all that a pass changes on the disk: in turn while a bucket and
/// while a log group is read, each in several commits.
#[test]
fn a_pass_that_dies_is_taken_up_where_it_was() {
    let wanted: usize = std::env::var("ACTLEDGER_CRASHES").map_or(20, |n| n.parse().unwrap());
    let aws = Aws::start();
    let (objects, records) = (delivered(9), logged(16));
    aws.put(&objects);
    log(&aws, &records);
    let read = |world: &World| {
        let evidence = crash::evidence(world).into_iter();
        evidence.filter(|e| e.starts_with("flow_log.")).collect::<Vec<_>>()
    };
    let sources = [("s3://flow/logs", ""), ("cloudwatch:/vpc/flow", "since = \"1d\"")];
    let whole = sources.map(|(location, more)| {
        let world = aws.world_at(location, more);
        let log = world.dir.path().with_extension("log");
        let settings = [&AWS[..], &[("FAULT_LOG", log.to_str().unwrap())]].concat();
        let done = crash::run(&world, &["ingest"], &settings);
        assert_eq!(done.status.code(), Some(0), "{}{}", stdout(&done), stderr(&done));
        assert!(count(&world, "source.run") > 3, "several commits");
        let steps = std::fs::read_to_string(&log).unwrap().lines().count();
        std::fs::remove_file(&log).unwrap();
        (read(&world), steps)
    });
    for n in 0..wanted {
        let ((location, more), (evidence, steps)) = (sources[n % 2], &whole[n % 2]);
        let at = (1 + n * steps / wanted).to_string();
        let mode = if n % 4 < 2 { "kill" } else { "torn" };
        let world = aws.world_at(location, more);
        let settings = [&AWS[..], &[("FAULT_AT", &at), ("FAULT_MODE", mode)]].concat();
        let done = crash::run(&world, &["ingest"], &settings);
        let said = format!("{}{}", stdout(&done), stderr(&done));
        assert_eq!(done.status.code(), None, "{location}: not killed at {at} of {steps}: {said}");
        let status = ingest(&world);
        assert_eq!(status["failed"], Value::Null, "{status}");
        assert!(read(&world) == *evidence, "{location}, {mode} at {at}: lost or doubled");
        assert_eq!(world.run(&["verify"]).status.code(), Some(0));
    }
    println!("{wanted} deaths; a pass changes the disk {} and {} times", whole[0].1, whole[1].1);
}

/// The gaps of the source, as a report tells them.
fn gaps(world: &World) -> String {
    let done = world.run(&["report", "--format", "json", "--out", "r"]);
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    let report: Value = serde_json::from_slice(&std::fs::read(world.path("r/report.json")).unwrap()).unwrap();
    let source = report["coverage"].as_array().unwrap().iter().find(|c| c["source"] == "vpc").unwrap();
    source["gaps"].to_string()
}

#[test]
fn a_log_group_whose_passes_break_off_leaves_no_hour_open() {
    let aws = Aws::start();
    log(&aws, &logged(20));
    let world = aws.world_at("cloudwatch:/vpc/flow", "since = \"1d\"");
    // The first pass is refused after some steps, the next one goes on.
    aws.faults("100-400 denied FilterLogEvents");
    assert!(ingest(&world)["not_seen"].to_string().contains("AccessDenied"));
    assert!(
        count(&world, "flow_log.window") > 3 && gaps(&world).contains("not read to its end"),
        "{}",
        gaps(&world)
    );
    aws.faults("");
    assert_eq!(ingest(&world)["failed"], Value::Null);
    assert!(!gaps(&world).contains("not read to its end"), "{}", gaps(&world));
}

#[test]
fn reading_once_more_before_the_first_pass_leaves_open_what_it_did_not_reach() {
    let aws = Aws::start();
    aws.put(&delivered(6));
    let world = aws.world("since = \"2d\"");
    ingest(&world);
    assert!(!gaps(&world).contains("not read to its end"), "{}", gaps(&world));
    assert!(gaps(&world).contains("no inventory of interfaces: those that are silent are not known"));
    let day =
        |days: i64| jiff::Timestamp::from_second(now() - days * 86_400).unwrap().to_string()[..10].to_owned();
    let again = || world.run_with(&AWS, &["ingest", "vpc", "--again", "--from", &day(5), "--json"]);
    // It reads the first days, and then it may no longer list.
    aws.faults(&format!("99 denied list-type=2.*{}", day(3).replace('-', "(%2F|/)")));
    assert!(stdout(&again()).contains("denied: AccessDenied"), "{}", stdout(&again()));
    assert!(gaps(&world).contains("not read to its end"), "{}", gaps(&world));
    aws.faults("");
    assert_eq!(again().status.code(), Some(0));
    assert!(!gaps(&world).contains("not read to its end"), "{}", gaps(&world));
}

#[test]
fn two_looks_with_other_bytes_under_one_name_are_two_objects() {
    let world = World::init(
        "[[flow_logs]]\nname = \"vpc\"\nlocation = \"file:looks\"\n[[network.watch]]\nname = \"web\"\nports = [443, 6006]\n",
    );
    for (look, seed) in [("20261120T120000Z", 1), ("20261120T130000Z", 2)] {
        std::fs::create_dir_all(world.path("looks").join(look)).unwrap();
        std::fs::write(world.path("looks").join(look).join("flows.log"), text(seed, 1_790_000_000)).unwrap();
    }
    ingest(&world);
    let config = std::fs::read_to_string(world.config()).unwrap();
    std::fs::write(world.config(), config.replace("ports = [443, 6006]", "ports = [6006]")).unwrap();
    let done = world.run(&["ingest", "vpc", "--again", "--from", "2026-11-01"]);
    assert_eq!(done.status.code(), Some(0), "{}{}", stdout(&done), stderr(&done));
    let told = entries(&world, "flow_log.object");
    assert_eq!(told.len(), 2, "{:?}", told.keys());
    assert!(
        told.values().all(|o| o["revision"] == 1 && !o["rows"].to_string().contains(",443,")),
        "{told:#?}"
    );
}
