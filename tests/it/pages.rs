//! The pages, served by the real program and opened in a real browser.

use crate::support::{World, lived_copy, project, stdout};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

pub(crate) struct Served {
    process: Child,
    address: String,
}

impl Served {
    /// Starts `serve` on a free port of loopback.
    pub(crate) fn start(world: &World, more: &str) -> Served {
        let text = std::fs::read_to_string(world.config()).unwrap();
        std::fs::write(world.config(), format!("{text}\n[web]\nlisten = \"127.0.0.1:0\"\n{more}")).unwrap();
        Served::again(world)
    }

    /// Starts `serve` with the config as it is.
    pub(crate) fn again(world: &World) -> Served {
        Served::within(world, &[])
    }

    /// The same in an environment.
    pub(crate) fn within(world: &World, environment: &[(&str, &str)]) -> Served {
        let mut process = crate::support::actledger(&world.config())
            .envs(environment.iter().copied())
            .arg("serve")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address =
            line.split("://").nth(1).and_then(|a| a.split(' ').next()).unwrap_or_default().to_owned();
        assert!(!address.is_empty(), "serve said {line:?}");
        Served { process, address }
    }

    /// Host and port.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn get(&self, path: &str, header: &str) -> String {
        self.ask("GET", path, header, "")
    }

    /// The reply to a request, head and body.
    pub(crate) fn ask(&self, method: &str, path: &str, header: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.address);
        let request = format!("{head}Content-Length: {}\r\n{header}\r\n{body}", body.len());
        // What is too long is answered and cut off while it is being said.
        let _ = stream.write_all(request.as_bytes());
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Head and body of a reply, the body as it came.
    pub(crate) fn bytes(&self, path: &str, header: &str) -> (String, Vec<u8>) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.address);
        write!(stream, "{head}{header}\r\n").unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        let body = bytes.split_off(end + 4);
        (String::from_utf8_lossy(&bytes).into_owned(), body)
    }

    /// The reply under another name of the host.
    pub(crate) fn as_host(&self, host: &str, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// What a browser makes of a page.
    pub(crate) fn browse(&self, path: &str) -> String {
        let profile = tempfile::tempdir().unwrap();
        let done = Command::new("chromium")
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--dump-dom",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(format!("http://{}{path}", self.address))
            .stderr(Stdio::null())
            .output()
            .expect("chromium is installed by make test");
        stdout(&done)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg("-TERM").arg(self.process.id().to_string()).status();
        let ended = self.process.wait();
        if !std::thread::panicking() {
            assert!(ended.unwrap().success(), "serve did not end well");
        }
    }
}

#[test]
fn an_auditor_walks_from_the_first_page_to_the_evidence() {
    let world = lived_copy();
    let served = Served::start(&world, "");
    assert!(served.get("/healthz", "").contains("ok, as of entry"));
    let first = served.browse("/");
    assert!(first.contains("AI compliance report") && first.contains("DEMONSTRATION"), "{first}");
    let fact = &world.expected()["facts"][3];
    let system = served.browse(&format!("/systems/{}", fact["system"].as_str().unwrap()));
    assert!(system.contains("models.shady.example"), "the registry that nobody approved");
    let entry = system.split("/entries/").nth(1).and_then(|r| r.split('"').next()).unwrap().to_owned();
    let page = served.browse(&format!("/entries/{entry}"));
    assert!(page.contains("canonical form") && page.contains("hashes to the root"), "{page}");
    for path in [
        "/systems",
        "/controls",
        "/controls/ml-port-segmentation",
        "/sources",
        "/sources/vpc-ml",
        "/exceptions",
        "/integrity",
        "/report.html",
    ] {
        assert!(served.get(path, "").starts_with("HTTP/1.1 200"), "{path}");
    }
    assert!(served.get("/report.pdf", "").contains("content-type: application/pdf"));
    let headers = served.get("/", "");
    assert!(headers.contains("content-security-policy: default-src 'none'"), "{headers}");
    for path in ["/systems/nobody", "/entries/99999999", "/../etc/passwd", "/nothing"] {
        assert!(served.get(path, "").starts_with("HTTP/1.1 404"), "{path}");
    }
    assert!(!served.get("/", "").to_lowercase().contains("<script"));
}

/// The body of a reply, as JSON.
pub(crate) fn said(reply: &str) -> serde_json::Value {
    let body = reply.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
    serde_json::from_str(body).unwrap_or_else(|e| panic!("{e}: {reply}"))
}

#[test]
fn every_page_is_json_too_and_what_is_known_is_not_sent_again() {
    let world = lived_copy();
    let served = Served::start(&world, "");
    let first = said(&served.get("/first.json", ""));
    let report = said(&served.get("/report.json", ""));
    for member in ["as_of", "totals", "levels", "wanted", "not_seen", "integrity"] {
        assert_eq!(first[member], report[member], "{member}");
    }
    let systems = said(&served.get("/systems.json", ""));
    assert_eq!(systems["systems"].as_array().unwrap().len(), report["systems"].as_array().unwrap().len());
    for s in systems["systems"].as_array().unwrap() {
        let one = said(&served.get(&format!("/systems/{}.json", s["anchor"].as_str().unwrap()), ""));
        let whole = report["systems"].as_array().unwrap().iter().find(|x| x["id"] == s["id"]).unwrap();
        assert_eq!(one["system"], *whole);
    }
    for path in
        ["/decisions", "/controls", "/controls/ml-port-segmentation", "/sources/vpc-ml", "/exceptions"]
    {
        let asked = served.get(path, "Accept: application/json\r\n");
        assert!(asked.contains("content-type: application/json"), "{asked}");
        assert_eq!(said(&asked)["as_of"], report["as_of"], "{path}");
        assert_eq!(said(&asked), said(&served.get(&format!("{path}.json"), "")), "{path}");
    }
    let header = |reply: &str, name: &str| {
        let line = reply.lines().find(|l| l.to_lowercase().starts_with(name)).unwrap_or_default().to_owned();
        line.split_once(": ").map(|(_, value)| value.to_owned()).unwrap_or_default()
    };
    let tag = header(&served.get("/systems", ""), "etag");
    assert!(tag.len() == 34, "{tag}");
    let known = format!("If-None-Match: {tag}\r\n");
    assert!(served.get("/systems", &known).starts_with("HTTP/1.1 304"));
    for (path, more) in
        [("/controls", ""), ("/systems?x=1", ""), ("/systems", "Accept: application/json\r\n")]
    {
        let reply = served.get(path, &format!("{known}{more}"));
        assert!(!reply.starts_with("HTTP/1.1 304"), "{path} {more}");
    }
    assert!(served.get("/nobody.json", "").starts_with("HTTP/1.1 404"));
    assert!(served.get("/systems/nobody.json", "").starts_with("HTTP/1.1 404"));
}

#[test]
fn findings_are_asked_for_by_an_address_and_every_count_leads_to_what_it_counts() {
    let world = lived_copy();
    let served = Served::start(&world, "");
    let report = said(&served.get("/report.json", ""));
    let all = |query: &str| {
        let (mut found, mut next) = (Vec::new(), String::new());
        loop {
            let after =
                if next.is_empty() { String::new() } else { format!("&after={}", next.replace(' ', "%20")) };
            let page = said(&served.get(&format!("/findings.json?{query}{after}"), ""));
            found.extend(page["findings"].as_array().unwrap().clone());
            match page["next"].as_str() {
                Some(cursor) => cursor.clone_into(&mut next),
                None => {
                    assert_eq!(page["count"].as_u64().unwrap() as usize, found.len(), "{query}");
                    return found;
                }
            }
        }
    };
    let everything = all("");
    assert_eq!(everything.len() as u64, report["totals"]["checks"].as_u64().unwrap());
    assert_eq!(all("status=open").len() as u64, report["totals"]["open"].as_u64().unwrap());
    let text = all("text=shady%20registry");
    assert!(text.len() < 5 && text.iter().any(|f| f["control"] == "model-registry-approved"), "{text:?}");
    let mut names: Vec<String> = all("sort=-system").iter().map(|f| f["system"].to_string()).collect();
    names.dedup();
    assert_eq!(names.len(), report["systems"].as_array().unwrap().len() + 1, "systems stand together");
    // Every count of the tables of systems and controls is a link to as many findings.
    for path in ["/systems", "/controls"] {
        let page = served.get(path, "");
        let links: Vec<&str> = page.split("<a href=\"/findings?").skip(1).collect();
        assert!(links.len() > 30, "{path}");
        for link in links.iter().step_by(7) {
            let (query, rest) = link.split_once("\">").unwrap();
            let count: usize = rest.split('<').next().unwrap().parse().unwrap();
            assert_eq!(all(&query.replace("&amp;", "&")).len(), count, "{path} {query}");
        }
    }
    let csv = served.get("/findings.csv?status=not-assessed&sort=control", "");
    assert!(csv.contains("text/csv") && csv.contains("\r\nnumber,system,control,status"), "{csv}");
    let page = served.browse("/findings?level=high&status=open");
    assert!(
        page.contains("<option selected=\"\">high</option>") && page.contains("footfall-analytics"),
        "{page}"
    );
    for (query, why) in [
        ("status=bad", "status is one of open"),
        ("level=x", "level is one of prohibited"),
        ("sort=a", "sort is one of number"),
        ("nonsense=1", "team, level, status"),
        ("team=a&team=b", "each once"),
        ("text=%ff%00", "HTTP/1.1 200"),
        ("text=%3Cscript%3Ealert(1)%3C%2Fscript%3E", "HTTP/1.1 200"),
    ] {
        let reply = served.get(&format!("/findings?{query}"), "");
        assert!(reply.contains(why) && !reply.contains("<script"), "{query}: {reply}");
    }
    let long = format!("/findings?text={}", "a".repeat(100_000));
    let reply = served.get(&long, "");
    assert!(reply.starts_with("HTTP/1.1 4"), "{}", &reply[..reply.len().min(200)]);
}

#[test]
fn a_token_is_asked_for_and_a_forged_one_is_not_believed() {
    let world = lived_copy();
    let token = stdout(&world.run(&["token", "add", "auditor"])).trim().to_owned();
    let forged = "INSERT INTO pass VALUES ('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad', NULL, 'evil', '[\"auditor\"]', 0, 9000000000000, 'x');";
    world.sql("var/state.db", forged);
    let served = Served::start(&world, "auth = \"token\"\n");
    assert!(served.get("/", "").starts_with("HTTP/1.1 401"));
    assert!(served.get("/", "Authorization: Bearer wrong\r\n").starts_with("HTTP/1.1 401"));
    assert!(
        served.get("/", "Authorization: Bearer abc\r\n").starts_with("HTTP/1.1 401"),
        "the forged row is believed"
    );
    assert!(served.get("/", &format!("Authorization: Bearer {token}\r\n")).starts_with("HTTP/1.1 200"));
    assert!(served.get("/healthz", "").starts_with("HTTP/1.1 200"));
    drop(served);
    assert_eq!(world.run(&["token", "list"]).status.code(), Some(1), "the forged row is named");
    assert_eq!(world.run(&["token", "revoke", "auditor"]).status.code(), Some(0));
}

#[test]
fn a_broken_record_is_said_first_and_nothing_else() {
    let world = lived_copy();
    world.sql("var/ledger.db", "UPDATE entry SET bytes = zeroblob(32) WHERE seq = 17;");
    let served = Served::start(&world, "");
    for path in ["/", "/systems", "/report.html"] {
        let page = served.get(path, "");
        assert!(
            page.starts_with("HTTP/1.1 503") && page.contains("The record does not verify"),
            "{path}: {page}"
        );
        assert!(page.contains("entry 17"), "{page}");
    }
    assert!(served.get("/healthz", "").starts_with("HTTP/1.1 503"));
}

#[test]
fn a_daemon_with_the_real_clock_makes_its_first_report_and_ends_well() {
    let world = World { dir: tempfile::tempdir().unwrap() };
    assert_eq!(world.run(&["init"]).status.code(), Some(0));
    let text = std::fs::read_to_string(world.config()).unwrap();
    let (before, _) = text.split_once("[web]").unwrap();
    std::fs::write(world.config(), before).unwrap();
    let served = Served::start(&world, "");
    let ready = (0..300).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(200));
        served.get("/healthz", "").contains("as of entry")
    });
    assert!(ready, "no report was made within a minute");
    assert!(served.get("/", "").contains("was never read") || served.get("/", "").contains("is configured"));
    let second = world.run(&["serve"]);
    assert_eq!(second.status.code(), Some(1), "a second daemon is refused: {}", stdout(&second));
    drop(served);
    assert_eq!(world.run(&["verify"]).status.code(), Some(0));
    assert!(std::fs::read_dir(world.path("var/reports")).unwrap().count() == 1, "the night's report is kept");
}

/// Levels of the headings of a page, in their order.
fn headings(page: &str) -> Vec<usize> {
    let levels = page.match_indices("<h").filter_map(|(at, _)| {
        let rest = &page.as_bytes()[at + 2..];
        (rest.len() > 1 && rest[0].is_ascii_digit() && b" >".contains(&rest[1]))
            .then(|| usize::from(rest[0] - b'0'))
    });
    levels.collect()
}

#[test]
fn axe_finds_nothing_and_each_page_has_one_first_heading_and_leaves_out_no_level() {
    let world = lived_copy();
    let served = Served::start(&world, "");
    let system = world.expected()["orderly"].as_str().unwrap().to_owned();
    let paths = [
        "",
        "decisions",
        "systems",
        "controls",
        "sources",
        "exceptions",
        "integrity",
        "status",
        "entries/17",
        "entries/17?private=open",
        "findings?status=open",
        "controls/ml-port-segmentation",
        "changes?from=2026-11-01&to=2026-11-10",
        "systems?as_of=2026-11-10",
        "exports?system=cv-screening",
        "reports",
        "population?kind=sentinel.run&sample=5",
        "systems?sort=-counts.not_satisfied",
        "login",
    ];
    let paths = paths.into_iter().map(str::to_owned).chain([format!("systems/{system}")]);
    let mut pages: Vec<(String, String)> =
        paths.map(|p| (p.clone(), served.get(&format!("/{p}"), ""))).collect();
    pages.push(("a sentence in place of a page".into(), served.get("/nobody", "Accept: text/html\r\n")));
    pages.push((
        "the document".into(),
        std::fs::read_to_string(project().join("reports/report.html")).unwrap(),
    ));
    for (name, page) in &pages {
        let levels = headings(page);
        assert!(
            levels.first() == Some(&1) && levels.iter().filter(|l| **l == 1).count() == 1,
            "{name}: {levels:?}"
        );
        assert!(levels.windows(2).all(|w| w[1] <= w[0] + 1), "{name}: {levels:?}");
    }
    let mail = last_mail_html(&world.path("var/mail"));
    assert!(mail.contains("Decisions wanted"), "{mail}");
    pages.push(("the mail".into(), mail));
    let files = pages.iter().enumerate().map(|(i, (_, page))| {
        let path = world.path(&format!("page-{i}.html"));
        // What the server says before the page.
        std::fs::write(&path, &page[page.find("<!doctype").unwrap()..]).unwrap();
        path
    });
    let files: Vec<_> = files.collect();
    let done =
        Command::new("python3").arg(project().join("tests/support/axe.py")).args(&files).output().unwrap();
    assert!(done.status.success(), "{}{}", stdout(&done), crate::support::stderr(&done));
}

/// The HTML part of the last mail of a folder, as Python's parser takes it out.
fn last_mail_html(folder: &std::path::Path) -> String {
    let script = "import email, email.policy, pathlib, sys
path = max(pathlib.Path(sys.argv[1]).iterdir())
mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
print(mail.get_body(('html',)).get_content())";
    stdout(&Command::new("python3").args(["-c", script]).arg(folder).output().unwrap())
}
