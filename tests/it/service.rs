//! How the service is: probes, metrics, status, TLS, who is slow or sends too much, what was looked at.

use crate::pages::{Served, said};
use crate::support::{World, lived_copy, sqlite, stderr, stdout, tls};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A new service, without sources, on the machine's clock.
pub(crate) fn fresh(more: &str) -> (World, Served) {
    let world = World { dir: tempfile::tempdir().unwrap() };
    assert_eq!(world.run(&["init"]).status.code(), Some(0));
    let text = std::fs::read_to_string(world.config()).unwrap();
    let (before, _) = text.split_once("[web]").unwrap();
    std::fs::write(world.config(), before).unwrap();
    let served = Served::start(&world, more);
    (world, served)
}

/// Waits for the first report.
pub(crate) fn wait_for_report(served: &Served) {
    let ready = (0..300).any(|_| {
        std::thread::sleep(Duration::from_millis(200));
        served.get("/healthz", "").contains("as of entry")
    });
    assert!(ready, "no report was made within a minute");
}

fn body(reply: &str) -> &str {
    reply.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default()
}

#[test]
fn metrics_are_what_promtool_takes_and_say_what_the_report_says() {
    let world = lived_copy();
    let served = Served::start(&world, "");
    let report = said(&served.get("/report.json", ""));
    served.get("/systems/nobody", "");
    let text = served.get("/metrics", "");
    assert!(text.contains("content-type: text/plain; version=0.0.4"), "{text}");
    let text = body(&text);
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is installed by make test");
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let checked = promtool.wait_with_output().unwrap();
    assert!(checked.status.success() && stderr(&checked).is_empty(), "{}", stderr(&checked));
    let value = |name: &str| {
        let line =
            text.lines().find_map(|l| l.strip_prefix(name)).unwrap_or_else(|| panic!("{name}: {text}"));
        line.trim().parse::<f64>().unwrap()
    };
    assert_eq!(value("actledger_findings{status=\"open\"}"), report["totals"]["open"].as_f64().unwrap());
    assert_eq!(value("actledger_record_intact"), 1.0);
    assert_eq!(
        value("actledger_ledger_entries"),
        sqlite(&world.ledger(), "SELECT count(*) FROM entry").trim().parse::<f64>().unwrap()
    );
    for c in report["coverage"].as_array().unwrap().iter().filter(|c| c["source"] != "register") {
        let (source, unit) = (c["source"].as_str().unwrap(), c["unit"].as_str().unwrap());
        let name = format!("actledger_coverage{{source=\"{source}\",unit=\"{unit}\",what=\"seen\"}}");
        assert_eq!(value(&name), c["seen"].as_f64().unwrap());
    }
    assert_eq!(value("actledger_http_requests_total{route=\"/systems/{id}\",status=\"404\"}"), 1.0);
}

#[test]
fn a_probe_is_told_what_there_is_and_a_broken_record_takes_the_pages_away() {
    let world = lived_copy();
    let served = Served::start(&world, "");
    let ready = served.get("/readyz", "");
    assert!(
        ready.starts_with("HTTP/1.1 200") && ready.contains("ledger ok") && ready.contains("mails"),
        "{ready}"
    );
    let status = served.get("/status", "");
    for source in ["vpc-ml", "ml-prod", "hcp-example"] {
        assert!(status.contains(source), "{source}: {status}");
    }
    drop(served);
    world.sql("var/ledger.db", "UPDATE entry SET bytes = zeroblob(32) WHERE seq = 17;");
    let served = Served::again(&world);
    let ready = served.get("/readyz", "");
    assert!(ready.starts_with("HTTP/1.1 503") && ready.contains("does not verify"), "{ready}");
    assert!(served.get("/metrics", "").contains("actledger_record_intact 0"));
}

#[test]
fn reports_are_handed_out_as_they_were_issued_or_not_at_all() {
    let world = lived_copy();
    let served = Served::start(&world, "");
    let reports = said(&served.get("/reports.json", ""));
    let rows = reports["reports"].as_array().unwrap();
    assert!(rows.len() >= 29, "{}", rows.len());
    let row = &rows[10];
    let size = row["as_of"].as_u64().unwrap();
    for file in row["files"].as_array().unwrap() {
        let (name, digest) = (file[0].as_str().unwrap(), file[1].as_str().unwrap());
        let (head, bytes) = served.bytes(&format!("/reports/{size}/{name}"), "");
        assert!(head.starts_with("HTTP/1.1 200"), "{name}: {head}");
        assert_eq!(actledger::evidence::sha256_hex(&bytes), digest, "{name}");
    }
    let page = served.get("/reports", "");
    assert!(
        page.contains(&format!("/reports/{size}/report.pdf")) && page.contains(&format!("/?as_of={size}"))
    );
    // One that was changed since is not the report that was issued.
    let folder = std::fs::read_dir(world.path("var/reports")).unwrap().map(|e| e.unwrap().path());
    let folder = folder.into_iter().find(|f| f.to_string_lossy().ends_with(&format!("-{size}"))).unwrap();
    std::fs::write(folder.join("report.html"), "changed").unwrap();
    let reply = served.get(&format!("/reports/{size}/report.html"), "");
    assert!(reply.starts_with("HTTP/1.1 404") && reply.contains("not kept as it was issued"), "{reply}");
    for path in
        ["/reports/1/report.html", "/reports/x/report.html", &format!("/reports/{size}/../../ledger.key")]
    {
        let reply = served.get(path, "");
        assert!(reply.starts_with("HTTP/1.1 40"), "{path}: {reply}");
    }
}

#[test]
fn the_pages_come_over_tls_where_there_is_a_certificate() {
    let world = lived_copy();
    tls::certificate(world.dir.path());
    let served =
        Served::start(&world, "auth = \"token\"\ncertificate = \"server.crt\"\nkey = \"server.key\"\n");
    let secret = stdout(&world.run(&["token", "add", "ada"])).trim().to_owned();
    let url = |path: &str| format!("https://{}{path}", served.address());
    let curl = |arguments: &[&str]| {
        let ca = world.path("server.crt");
        let done =
            Command::new("curl").args(["-s", "-i", "--cacert"]).arg(&ca).args(arguments).output().unwrap();
        stdout(&done)
    };
    let first = curl(&["-H", &format!("Authorization: Bearer {secret}"), &url("/")]);
    assert!(first.contains("200") && first.contains("AI compliance report"), "{first}");
    let begun = curl(&["-d", &format!("token={secret}"), &url("/login")]);
    assert!(begun.contains("__Host-actledger=") && begun.contains("; Secure"), "{begun}");
    assert!(begun.contains("strict-transport-security: max-age="), "{begun}");
    // What is not TLS is cut off, while it is being said or after.
    let mut plain = TcpStream::connect(served.address()).unwrap();
    let mut answer = Vec::new();
    let _ = plain.write_all(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    let _ = plain.read_to_end(&mut answer);
    assert!(!String::from_utf8_lossy(&answer).contains("HTTP/1.1"), "plain text is answered");
}

#[test]
fn who_is_slow_or_sends_too_much_is_cut_off_and_others_are_answered() {
    let world = lived_copy();
    let served = Served::start(&world, "");
    let begin = Instant::now();
    let mut slow: Vec<TcpStream> = (0..50)
        .map(|_| {
            let mut stream = TcpStream::connect(served.address()).unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ").unwrap();
            stream
        })
        .collect();
    // And some that say nothing at all.
    slow.extend((0..10).map(|_| TcpStream::connect(served.address()).unwrap()));
    assert!(served.get("/systems", "").starts_with("HTTP/1.1 200"));
    for stream in &mut slow {
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert!(!String::from_utf8_lossy(&rest).contains("200 OK"));
    }
    let waited = begin.elapsed();
    assert!(waited > Duration::from_secs(5) && waited < Duration::from_secs(18), "{waited:?}");
    let big = served.get("/", &format!("X-Big: {}\r\n", "a".repeat(100_000)));
    assert!(big.starts_with("HTTP/1.1 431"), "{big}");
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let big = served.ask("POST", "/exports", form, &format!("system={}", "a".repeat(2_000_000)));
    assert!(big.starts_with("HTTP/1.1 413"), "{}", &big[..big.len().min(200)]);
}

#[test]
fn what_was_looked_at_is_in_the_record_with_who_and_how_often() {
    let (world, served) = fresh("auth = \"token\"\n");
    wait_for_report(&served);
    let token = |name: &str, role: &str| {
        let done = world.run(&["token", "add", name, "--role", role]);
        format!("Authorization: Bearer {}\r\n", stdout(&done).trim())
    };
    let (ada, ops) = (token("ada", "auditor"), token("ops", "operator"));
    for path in
        ["/", "/systems", "/systems", "/entries/0", "/entries/0?private=open", "/report.json", "/nothing"]
    {
        served.get(path, &ada);
    }
    // Whoever was refused saw nothing.
    served.get("/systems", &ops);
    let begun = served.ask("POST", "/jobs/ingest", &ops, "");
    assert!(begun.starts_with("HTTP/1.1 303"), "{begun}");
    drop(served);
    let viewed = "SELECT bytes FROM entry WHERE CAST(bytes AS TEXT) LIKE '%access.viewed%' ORDER BY seq";
    let rows = sqlite(&world.ledger(), &viewed.replace("bytes FROM", "CAST(bytes AS TEXT) FROM"));
    let mut seen: Vec<(String, u64)> = rows
        .lines()
        .map(|line| {
            let entry: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(entry["payload"]["roles"], serde_json::json!(["auditor"]));
            assert!(entry["payload"]["viewer"]["$private"].is_string(), "{entry}");
            (
                entry["payload"]["class"].as_str().unwrap().to_owned(),
                entry["payload"]["count"].as_u64().unwrap(),
            )
        })
        .collect();
    seen.sort();
    let wanted = [("entries", 1), ("files", 1), ("pages", 3), ("private values", 1)];
    assert_eq!(seen, wanted.map(|(class, n)| (class.to_owned(), n)), "{rows}");
    assert!(world.run(&["verify"]).status.success());
}
