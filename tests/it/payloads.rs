//! What people try on a site: markup, SQL, paths, line breaks and broken encodings, in every place of an address that takes text.

use crate::pages::{Served, said};
use crate::support::{World, lived_copy, project, sqlite, stdout};
use actledger::web::table;
use std::path::Path;
use std::process::Command;

const PAYLOADS: [&str; 32] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "'><svg/onload=alert(1)>",
    "\" onmouseover=\"alert(1)",
    "javascript:alert(1)",
    "</title><script>alert(1)</script>",
    "{{7*7}}",
    "${7*7}",
    "<%= 7*7 %>",
    "' OR '1'='1",
    "1; DROP TABLE entry;--",
    "1' UNION SELECT sqlite_version(),2,3--",
    "\" OR \"\"=\"",
    "%27%20OR%201=1",
    "1 AND randomblob(1000000000)",
    "../../../../etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "....//....//etc/passwd",
    "/etc/passwd",
    "file:///etc/passwd",
    "report.html\u{0}.pdf",
    "a\r\nSet-Cookie: x=y",
    "a\nLocation: https://evil.example",
    "\u{202e}gpj.exe",
    "\u{fffd}\u{d7ff}\u{10ffff}",
    "-1",
    "18446744073709551616",
    "1e309",
    "NaN",
    "null",
    "[]",
    "|| id",
];

fn encoded(text: &str) -> String {
    text.bytes().map(|b| format!("%{b:02X}")).collect()
}

fn holds(reply: &str, from: &str, payload: &str) {
    let (head, body) = reply.split_once("\r\n\r\n").unwrap_or((reply, ""));
    let status: u16 = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or_default();
    assert!((200..500).contains(&status), "{from} {payload:?}: {head}");
    let lower = head.to_lowercase();
    assert!(
        !lower.contains("set-cookie: x") && !lower.contains("evil.example"),
        "{from} {payload:?}: {head}"
    );
    let is_html = lower.contains("content-type: text/html");
    // The search of a large document is our own; a page of the site has none.
    for told in ["<script>alert", "<img src=x", "<svg/onload", "onmouseover=\"alert", "root:x:0", ">49<"] {
        assert!(!is_html || !body.contains(told), "{from} {payload:?} shows {told}");
    }
    assert!(
        !body.contains("SQLite")
            && !body.contains(&*project().to_string_lossy())
            && !body.contains("panicked"),
        "{from}: {body}"
    );
}

/// The answer, asked for again where it was asked for too often.
fn patient(served: &Served, method: &str, path: &str, header: &str, body: &str) -> String {
    loop {
        let reply = served.ask(method, path, header, body);
        if !reply.starts_with("HTTP/1.1 429") {
            return reply;
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
}

#[test]
fn whatever_is_typed_into_an_address_is_text() {
    let world: World = lived_copy();
    let served = Served::start(&world, "");
    let before = sqlite(&world.ledger(), "SELECT count(*) FROM entry");
    let html = "Accept: text/html\r\n";
    let places = |path: &str| {
        ["{id}", "{seq}", "{name}", "{*name}", "{as_of}", "{source}"].iter().any(|place| path.contains(place))
    };
    let queries = [
        "/findings?text=",
        "/findings?team=",
        "/findings?system=",
        "/findings?sort=",
        "/findings?after=",
        "/systems?as_of=",
        "/changes?from=",
        "/changes?to=",
        "/entries/17?private=",
        "/exports?system=",
        "/exports?from=",
        "/login?next=",
        "/oidc/callback?state=",
        "/first.json?as_of=",
        "/findings.csv?text=",
        "/findings?source=",
        "/findings?from=",
        "/systems?sort=",
        "/exceptions.csv?sort=",
        "/population?kind=",
        "/population?kind=sentinel.run&sample=",
        "/population?kind=sentinel.run&sample=1&seed=",
        "/population.json?kind=sentinel.run&after=",
    ];
    for payload in PAYLOADS {
        let text = encoded(payload);
        for (method, path, _) in table().into_iter().filter(|(_, path, _)| places(path)) {
            let mut path = path;
            for place in ["{id}", "{seq}", "{name}", "{*name}", "{as_of}", "{source}"] {
                path = path.replace(place, &text);
            }
            holds(&patient(&served, method, &path, html, ""), &path, payload);
        }
        for query in queries {
            holds(&patient(&served, "GET", &format!("{query}{text}"), html, ""), query, payload);
        }
        let form = format!("{html}Content-Type: application/x-www-form-urlencoded\r\n");
        for field in ["system", "control", "from", "to", "as_of"] {
            let reply = patient(&served, "POST", "/exports", &form, &format!("{field}={text}"));
            holds(&reply, field, payload);
            assert!(
                reply.starts_with("HTTP/1.1 400") || reply.starts_with("HTTP/1.1 404"),
                "{field} {payload:?}: {reply}"
            );
        }
    }
    // Nothing was written.
    assert_eq!(sqlite(&world.ledger(), "SELECT count(*) FROM entry"), before);
}

/// What things are called in the looks of an estate that somebody hostile named: a workload and its system, a namespace, a file.
const NAMES: [(&str, &str); 4] = [
    ("churn-forecast", "<script>alert(1)</script>"),
    ("ml-production", "\"><img src=x onerror=alert(1)>"),
    ("model.onnx", "'><svg/onload=alert(1)>.onnx"),
    ("demand-planner", "=cmd|' /C calc'!A1</title>{{7*7}}"),
];

/// Copies looks with other names in them.
fn renamed(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for item in std::fs::read_dir(from).unwrap().map(|f| f.unwrap().path()) {
        let place = to.join(item.file_name().unwrap());
        if item.is_dir() {
            renamed(&item, &place);
        } else if item.extension().is_some_and(|e| e == "json") {
            let json = |text: &str| serde_json::to_string(text).unwrap().trim_matches('"').to_owned();
            let text = std::fs::read_to_string(&item).unwrap();
            let named = NAMES.iter().fold(text, |text, (name, other)| text.replace(name, &json(other)));
            std::fs::write(place, named).unwrap();
        } else {
            std::fs::copy(&item, place).unwrap();
        }
    }
}

#[test]
fn whatever_things_are_called_is_text() {
    let world = World::short_demo();
    let looks = world.path("looks");
    renamed(&looks, &world.path("hostile"));
    std::fs::remove_dir_all(&looks).unwrap();
    std::fs::rename(world.path("hostile"), &looks).unwrap();
    let served = Served::start(&world, "");
    let report = said(&served.get("/report.json", ""));
    let text = report.to_string();
    for (_, name) in NAMES {
        let json = serde_json::to_string(name).unwrap();
        assert!(text.contains(json.trim_matches('"')), "{name} is nowhere in the report");
    }
    let ids = |list: &str, name: &str, path: &str| -> Vec<String> {
        let all = report[list].as_array().unwrap().iter();
        all.map(|x| format!("/{path}/{}", encoded(x[name].as_str().unwrap()))).collect()
    };
    let mut paths: Vec<String> = table()
        .into_iter()
        .filter(|(method, path, _)| *method == "GET" && !path.contains('{'))
        .map(|r| r.1)
        .collect();
    paths.extend(ids("systems", "anchor", "systems").into_iter().chain(ids("controls", "id", "controls")));
    paths.extend(ids("coverage", "source", "sources"));
    let size = report["as_of"]["size"].as_u64().unwrap();
    paths.extend(
        (0..size).flat_map(|seq| [format!("/entries/{seq}"), format!("/entries/{seq}?private=open")]),
    );
    paths.extend(NAMES.map(|(_, name)| format!("/findings?text={}", encoded(name))));
    paths.push("/population?kind=kubernetes.workload".into());
    let mut told = 0;
    for path in paths.iter().filter(|path| *path != "/report.pdf") {
        let reply = patient(&served, "GET", path, "Accept: text/html\r\n", "");
        holds(&reply, path, "a name");
        told += reply.matches("alert(1)").count();
        let is_csv = reply.contains("content-type: text/csv");
        let formula =
            |line: &str| line.split(',').any(|cell| cell.trim_start_matches('"').starts_with("=cmd"));
        assert!(!is_csv || !reply.lines().any(formula), "{path}: {reply}");
    }
    assert!(told > 100, "the names are told {told} times only");
    for file in std::fs::read_dir(world.path("var/mail")).unwrap().map(|f| f.unwrap().path()) {
        let script = "import email, email.policy, sys
mail = email.message_from_bytes(open(sys.argv[1], 'rb').read(), policy=email.policy.default)
print('\\r\\n'.join(f'{k}: {v}' for k, v in mail.items()), end='\\r\\ncontent-type: text/html\\r\\n\\r\\n')
print(mail.get_body(('html',)).get_content())";
        let done = Command::new("python3").args(["-c", script]).arg(&file).output().unwrap();
        let mail = format!("HTTP/1.1 200 as a page\r\n{}", stdout(&done));
        holds(&mail, "the mail", "a name");
    }
    // What a browser makes of them: no element that we did not write.
    let anchor =
        report["systems"].as_array().unwrap().iter().find(|s| s["id"].as_str().unwrap().contains("script"));
    let anchor = anchor.map(|s| encoded(s["anchor"].as_str().unwrap())).unwrap();
    for path in ["/systems".to_owned(), format!("/systems/{anchor}"), "/findings".to_owned()] {
        let page = served.browse(&path);
        assert!(page.contains("alert(1)"), "{path}: {page}");
        for element in ["<script", "<img", "onerror=\"", "onload=\""] {
            assert!(!page.contains(element), "{path} has {element}");
        }
    }
}
