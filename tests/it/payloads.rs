//! What people try on a site: markup, SQL, paths, line breaks and broken encodings, in every place of an address that takes text.

use crate::pages::Served;
use crate::support::{World, lived_copy, project, sqlite};
use actledger::web::table;

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
