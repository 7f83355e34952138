//! Outside witnesses against real ones: `openssl ts` as authority and as verifier, moto's S3 with Object Lock.

use crate::support::{AWS, Server, World, boto, stderr, stdout};
use actledger::jobs;
use std::path::Path;
use std::process::Command;

fn stamping(server: &Server, folder: &std::path::Path, path: &str, ca: &str) -> String {
    format!(
        "[timestamp]\nurl = \"http://127.0.0.1:{}{path}\"\nca_file = \"{}\"",
        server.port,
        folder.join(ca).display()
    )
}

/// One night with the anchors of the config.
fn night(world: &World) -> jobs::AnchorStatus {
    let desk = world.desk();
    let mut store = desk.store().unwrap();
    jobs::assess(&desk, &mut store, true).unwrap();
    jobs::anchor(&desk, &mut store, true).unwrap()
}

fn authority() -> (tempfile::TempDir, Server) {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start("tsa_server.py", folder.path());
    (folder, server)
}

#[test]
fn a_checkpoint_is_stamped_and_openssl_agrees() {
    let (folder, server) = authority();
    let world = World::init(&stamping(&server, folder.path(), "/good", "ca.pem"));
    for _ in 0..2 {
        let status = night(&world);
        assert!(status.failed.is_empty(), "{:?}", status.failed);
        assert_eq!(status.made.len(), 1);
    }
    let done = world.run(&["verify"]);
    assert_eq!(done.status.code(), Some(0), "{}", stdout(&done));
    assert!(stdout(&done).contains("2 time-stamps verify"), "{}", stdout(&done));
    // An auditor with the bundle, Python and openssl.
    assert_eq!(world.run(&["assess"]).status.code(), Some(0));
    let done = world.run(&["export", "--out", "b.zip"]);
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    let unzip = "import sys,zipfile; zipfile.ZipFile('b.zip').extractall('b')";
    assert!(
        Command::new("python3").args(["-c", unzip]).current_dir(world.dir.path()).status().unwrap().success()
    );
    let ca = folder.path().join("ca.pem");
    let says = |ca: &std::path::Path| {
        let script = world.path("b/verify.py");
        Command::new("python3").arg(script).arg(world.path("b.zip")).arg("--tsa-ca").arg(ca).output().unwrap()
    };
    let done = says(&ca);
    assert!(stdout(&done).contains("2 time-stamps good"), "{}", stdout(&done));
    assert!(stdout(&says(&folder.path().join("other-ca.pem"))).contains("DOES NOT HOLD: timestamps/"));
    assert_eq!(world.run(&["verify", "--bundle", "b.zip"]).status.code(), Some(0));
    for stamp in std::fs::read_dir(world.path("b/timestamps")).unwrap().map(|f| f.unwrap().path()) {
        if stamp.extension().is_some_and(|e| e == "tsr") {
            let data = stamp.with_extension("txt");
            let mut openssl = Command::new("openssl");
            openssl
                .args(["ts", "-verify", "-in"])
                .arg(&stamp)
                .arg("-data")
                .arg(&data)
                .arg("-CAfile")
                .arg(&ca);
            let done = openssl.output().unwrap();
            assert!(done.status.success(), "{}{}", stdout(&done), stderr(&done));
        }
    }
}

#[test]
fn stamps_of_other_authorities_forms_are_stamps() {
    let (folder, server) = authority();
    for path in ["/precise", "/older", "/cades"] {
        let world = World::init(&stamping(&server, folder.path(), path, "ca.pem"));
        let status = night(&world);
        assert_eq!(status.made.len(), 1, "{path}: {:?}", status.failed);
        let at = status.made[0].stamped_at.unwrap();
        assert_eq!(path == "/precise", at.millis() % 1000 != 0, "{path}: {at}");
        assert!(stdout(&world.run(&["verify"])).contains("1 time-stamps verify"), "{path}");
    }
}

#[test]
fn an_answer_that_does_not_verify_is_no_stamp() {
    let (folder, server) = authority();
    for (path, ca, why) in [
        ("/other", "ca.pem", "vouches"),
        ("/mixed", "ca.pem", "not for time-stamping alone"),
        ("/unnamed", "ca.pem", "name another certificate, or none"),
        ("/refuse", "ca.pem", "not granted"),
        ("/noise", "ca.pem", "no time-stamp response"),
        ("/good", "tsa.pem", "vouches"),
    ] {
        let world = World::init(&stamping(&server, folder.path(), path, ca));
        let status = night(&world);
        assert!(status.made.is_empty(), "{path} {ca}: {:?}", status.made);
        assert!(status.failed[0].error.contains(why), "{path}: {:?}", status.failed);
    }
    // The answer to an earlier question, as a man in the middle would give it.
    let world = World::init(&stamping(&server, folder.path(), "/replay", "ca.pem"));
    assert_eq!(night(&world).made.len(), 1);
    let status = night(&world);
    assert!(status.failed[0].error.contains("it stamps something else"), "{:?}", status.failed);
}

#[test]
fn a_changed_token_or_checkpoint_is_named_by_verify() {
    let (folder, server) = authority();
    let config = stamping(&server, folder.path(), "/good", "ca.pem");
    let world = World::init(&config);
    night(&world);
    // Another authority is named instead: the token is as it was, and nobody vouches for it. Both together do.
    let text = std::fs::read_to_string(world.config()).unwrap();
    std::fs::write(world.config(), text.replace("/ca.pem", "/other-ca.pem")).unwrap();
    let done = world.run(&["verify"]);
    assert_eq!(done.status.code(), Some(1), "{}", stdout(&done));
    assert!(stdout(&done).contains("TIME-STAMP of size"), "{}", stdout(&done));
    assert!(stdout(&done).contains("it may hold several"), "{}", stdout(&done));
    let both = ["ca.pem", "other-ca.pem"].map(|f| std::fs::read_to_string(folder.path().join(f)).unwrap());
    std::fs::write(folder.path().join("other-ca.pem"), both.concat()).unwrap();
    assert_eq!(world.run(&["verify"]).status.code(), Some(0));
}

#[test]
fn an_authority_that_is_down_is_shown_and_tried_again() {
    let (folder, server) = authority();
    let port = server.port;
    let good = stamping(&server, folder.path(), "/good", "ca.pem");
    let world = World::init(&good.replace(&format!(":{port}/"), ":9/"));
    let failed = night(&world);
    assert_eq!(failed.failed.len(), 1, "ingestion goes on, the failure is told");
    let done = world.run(&["report", "--format", "html,json", "--out", "r"]);
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    let report = std::fs::read_to_string(world.path("r/report.html")).unwrap();
    assert!(report.contains("not reached since"), "the report says that the witness is down");
    let text = std::fs::read_to_string(world.config()).unwrap();
    std::fs::write(world.config(), text.replace(":9/", &format!(":{port}/"))).unwrap();
    // The next job, not only the next night.
    assert_eq!(world.run(&["ingest"]).status.code(), Some(0));
    assert_eq!(world.run(&["report", "--format", "json,html", "--out", "r"]).status.code(), Some(0));
    let report = std::fs::read_to_string(world.path("r/report.html")).unwrap();
    assert!(!report.contains("not reached since") && report.contains("time-stamped the checkpoint of size"));
}

/// S3 with the bucket `locked`, which locks objects and encrypts them with a key, and `plain`, which does neither.
fn archive_server(folder: &Path) -> Server {
    std::fs::write(folder.join("page"), "1000").unwrap();
    let server = Server::start("aws_server.py", folder);
    let script = r#"
place = {'LocationConstraint': 'eu-central-1'}
s3.create_bucket(Bucket='locked', CreateBucketConfiguration=place, ObjectLockEnabledForBucket=True)
s3.put_bucket_encryption(Bucket='locked', ServerSideEncryptionConfiguration={'Rules': [
    {'ApplyServerSideEncryptionByDefault': {'SSEAlgorithm': 'aws:kms', 'KMSMasterKeyID': 'k'}}]})
s3.create_bucket(Bucket='plain', CreateBucketConfiguration=place)
"#;
    boto(&server, script);
    server
}

fn archive(server: &Server, bucket: &str) -> String {
    format!(
        "[archive]\nlocation = \"s3://{bucket}/ledgers/main\"\nretention_days = 184\nregion = \"eu-central-1\"\nendpoint = \"http://127.0.0.1:{}\"",
        server.port
    )
}

#[test]
fn entries_and_checkpoints_go_to_a_bucket_that_nobody_can_empty() {
    let folder = tempfile::tempdir().unwrap();
    let server = archive_server(folder.path());
    let world = World::init(&archive(&server, "locked"));
    for _ in 0..3 {
        let done = world.run_with(&AWS, &["ingest"]);
        assert_eq!(done.status.code(), Some(0), "{}{}", stdout(&done), stderr(&done));
        world.run_with(&AWS, &["assess"]);
    }
    world.run_with(&AWS, &["ingest"]);
    // All entries are there once, in order, and the last checkpoint covers them: checked by a program that is not ours.
    let script = r#"
import hashlib, base64
from botocore.exceptions import ClientError
keys = [o['Key'] for o in s3.list_objects_v2(Bucket='locked')['Contents']]
lines = [l for k in keys if '/entries/' in k for l in s3.get_object(Bucket='locked', Key=k)['Body'].read().splitlines()]
peaks = []
for n, line in enumerate(lines):
    head, _, rest = line.partition(b',"entry":')
    assert head == b'{"seq":%d' % n, head
    h, height = hashlib.sha256(b'\0' + rest[:-1]).digest(), 0
    while peaks and peaks[-1][0] == height:
        h, height = hashlib.sha256(b'\1' + peaks.pop()[1] + h).digest(), height + 1
    peaks.append((height, h))
root = peaks.pop()[1]
while peaks: root = hashlib.sha256(b'\1' + peaks.pop()[1] + root).digest()
last = [k for k in keys if '/checkpoints/' in k][-1]
note = s3.get_object(Bucket='locked', Key=last)['Body'].read().decode().splitlines()
assert note[1] == str(len(lines)) and note[2] == base64.b64encode(root).decode(), note
for v in s3.list_object_versions(Bucket='locked')['Versions']:
    lock = s3.head_object(Bucket='locked', Key=v['Key'], VersionId=v['VersionId'])
    assert lock['ObjectLockMode'] == 'COMPLIANCE', lock
    try:
        s3.delete_object(Bucket='locked', Key=v['Key'], VersionId=v['VersionId'], BypassGovernanceRetention=True)
        raise SystemExit('deleted ' + v['Key'])
    except ClientError as e:
        assert e.response['Error']['Code'] == 'AccessDenied', e
print(len(lines), len(keys))
"#;
    let said = boto(&server, script);
    assert!(said.split(' ').next().unwrap().parse::<u64>().unwrap() > 5, "{said}");
    let done = world.run(&["verify"]);
    assert!(
        stdout(&done).contains("s3://locked/ledgers/main holds entries and checkpoint up to size"),
        "{}",
        stdout(&done)
    );
    // Nothing new but the witness's own entries: nothing more is copied.
    let before = boto(&server, "print(len(s3.list_object_versions(Bucket='locked')['Versions']))");
    world.run_with(&AWS, &["ingest"]);
    world.run_with(&AWS, &["ingest"]);
    assert_eq!(boto(&server, "print(len(s3.list_object_versions(Bucket='locked')['Versions']))"), before);
}

#[test]
fn reports_and_redacted_bundles_join_the_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let server = archive_server(folder.path());
    let world = World::init(&(archive(&server, "locked") + "\ncontent = [\"report\", \"bundle\"]"));
    // The archive is down each night; the next job copies what was issued.
    let night = || {
        let mut desk = world.desk();
        desk.config.archive = None;
        let issued = jobs::nightly(&desk, &mut desk.store().unwrap(), &|_, _, _| {}).unwrap().issued;
        let done = world.run_with(&AWS, &["ingest"]);
        assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
        issued
    };
    let (first, second) = (night(), night());
    let pull = format!(
        "import pathlib\n\
         for v in s3.list_object_versions(Bucket='locked')['Versions']:\n  \
           lock = s3.head_object(Bucket='locked', Key=v['Key'], VersionId=v['VersionId'])\n  \
           assert lock['ObjectLockMode'] == 'COMPLIANCE', lock\n  \
           at = pathlib.Path('{}') / v['Key']\n  at.parent.mkdir(parents=True, exist_ok=True)\n  \
           assert not at.exists(), 'twice'\n  \
           at.write_bytes(s3.get_object(Bucket='locked', Key=v['Key'])['Body'].read())",
        world.path("pulled").display()
    );
    boto(&server, &pull);
    let main = world.path("pulled/ledgers/main");
    for issued in [&first, &second] {
        for name in ["report.html", "report.pdf", "report.json"] {
            let kept = std::fs::read(main.join(format!("reports/{:012}/{name}", issued.as_of))).unwrap();
            assert!(kept == std::fs::read(issued.folder.join(name)).unwrap(), "{name}");
        }
    }
    let spans = [(0, first.as_of), (first.as_of, second.as_of)];
    for (from, to) in spans {
        let zip = main.join(format!("bundles/{from:012}-{to:012}.zip"));
        let done = world.run(&["verify", "--bundle", zip.to_str().unwrap()]);
        assert_eq!(done.status.code(), Some(0), "{}{}", stdout(&done), stderr(&done));
        let listed = Command::new("python3").args(["-m", "zipfile", "-l"]).arg(&zip).output().unwrap();
        assert!(
            stdout(&listed).contains("report.pdf") && !stdout(&listed).contains("openings"),
            "{}",
            stdout(&listed)
        );
    }
    let report = jobs::view(
        &world.desk(),
        &world.desk().store().unwrap(),
        second.as_of,
        &actledger::report::Scope::default(),
    );
    let said =
        report.unwrap().integrity.anchors.into_iter().find(|a| a.anchor == "reports").unwrap().sentence;
    assert!(said.contains(&format!("holds 4 copies of what was issued of size {}", first.as_of)), "{said}");
    // A file that was changed since is no copy of what was issued.
    let mut desk = world.desk();
    desk.config.archive = None;
    let third = jobs::nightly(&desk, &mut desk.store().unwrap(), &|_, _, _| {}).unwrap().issued;
    std::fs::write(third.folder.join("report.html"), "other").unwrap();
    assert_eq!(world.run_with(&AWS, &["ingest"]).status.code(), Some(0));
    let made = crate::cluster::entries(&world, "anchor.made").pop().unwrap().1;
    assert_eq!(
        (&made["lacks"], made["objects"].as_array().unwrap().len()),
        (&serde_json::json!(["report.html"]), 3),
        "{made}"
    );
}

#[test]
fn what_a_broken_attempt_has_locked_is_not_put_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = archive_server(folder.path());
    let world = World::init("");
    let systems: String = (0..10_010).map(|n| format!("[[system]]\nid = \"s{n}\"\nteam = \"t\"\n")).collect();
    std::fs::write(world.path("systems.toml"), systems).unwrap();
    assert_eq!(world.run(&["ingest"]).status.code(), Some(0));
    let copy = |from: &str, to: &str| {
        let done = Command::new("cp").arg("-r").arg(world.path(from)).arg(world.path(to)).status();
        assert!(done.unwrap().success());
    };
    copy("var", "before");
    let text = std::fs::read_to_string(world.config()).unwrap();
    std::fs::write(world.config(), format!("{text}{}\n", archive(&server, "locked"))).unwrap();
    let attempt = || {
        let done = world.run_with(&AWS, &["ingest"]);
        assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
        let script = "print(sum('000000000000-000000010000' in v['Key'] for v in s3.list_object_versions(Bucket='locked')['Versions']), len(s3.list_object_versions(Bucket='locked')['Versions']))";
        boto(&server, script)
    };
    assert_eq!(attempt().trim(), "1 3");
    // The process ended before it wrote down what it had put there.
    std::fs::remove_dir_all(world.path("var")).unwrap();
    copy("before", "var");
    assert!(attempt().starts_with("1 "), "ten thousand entries were copied twice");
}

#[test]
fn a_bucket_that_locks_nothing_is_no_archive() {
    let folder = tempfile::tempdir().unwrap();
    let server = archive_server(folder.path());
    for bucket in ["plain", "missing"] {
        let world = World::init(&archive(&server, bucket));
        let done = world.run_with(&AWS, &["ingest"]);
        assert_eq!(done.status.code(), Some(0), "ingestion goes on: {}", stderr(&done));
        assert!(stderr(&done).contains("no outside copy was made"), "{}", stderr(&done));
        let done = world.run(&["verify"]);
        assert!(!stdout(&done).contains("holds entries"), "{}", stdout(&done));
    }
}

#[test]
fn no_private_value_and_no_opening_leaves_for_the_archive() {
    let folder = tempfile::tempdir().unwrap();
    let server = archive_server(folder.path());
    let world = World::init(&archive(&server, "locked"));
    let register = "[[system]]\nid = \"credit\"\nteam = \"lending\"\nrisk_level = \"high\"\n[[decision]]\nsystem = \"credit\"\nlevel = \"high\"\napprover = \"grace.hopper@example.com\"\ndate = 2026-11-01\nreason = \"Annex III 5(b)\"\n";
    std::fs::write(world.path("systems.toml"), register).unwrap();
    let done = world.run_with(&AWS, &["ingest"]);
    assert_eq!(done.status.code(), Some(0), "{}{}", stdout(&done), stderr(&done));
    assert!(
        crate::support::sqlite(&world.ledger(), "SELECT count(*) FROM opening WHERE value LIKE '%grace%'")
            .trim()
            != "0"
    );
    let all = boto(
        &server,
        "print([s3.get_object(Bucket='locked', Key=o['Key'])['Body'].read() for o in s3.list_objects_v2(Bucket='locked')['Contents']])",
    );
    assert!(all.contains("register.decision") && !all.contains("grace") && !all.contains("salt"));
}
