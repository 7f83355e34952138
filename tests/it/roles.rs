//! Who may see what: every route of the router that serves, asked by everybody.

use crate::pages::{Served, said};
use crate::support::{World, lived_copy, stdout};
use actledger::web::{Need, table};
use serde_json::Value;
use std::collections::BTreeSet;

/// Route by role: who gets an answer there. `n` nobody in particular, `t` a team, `a` an auditor, `o` an operator.
const TABLE: &str = "
GET /                           ta
GET /changes                    ta
GET /changes.csv                ta
GET /changes.json               ta
GET /controls                   ta
GET /controls.csv               ta
GET /controls.json              ta
GET /controls/{id}              ta
GET /decisions                  ta
GET /decisions.csv              ta
GET /decisions.json             ta
GET /entries/{seq}              ta
GET /exceptions                 ta
GET /exceptions.csv             ta
GET /exceptions.json            ta
GET /exports                     a
GET /exports.json                a
GET /exports/{id}                a
GET /exports/{id}/bundle.zip     a
GET /findings                   ta
GET /findings.csv               ta
GET /findings.json              ta
GET /first.json                 ta
GET /gaps.csv                   ta
GET /healthz                   ntao
GET /integrity                  ta
GET /integrity.json             ta
GET /level-decisions.csv        ta
GET /levels.csv                 ta
GET /login                     ntao
GET /looks.csv                  ta
GET /metrics                     ao
GET /oidc/callback             ntao
GET /oidc/login                ntao
GET /pages/{name}               ta
GET /population                  a
GET /population.csv              a
GET /population.json             a
GET /readyz                    ntao
GET /report.csv                 ta
GET /report.html                ta
GET /report.json                ta
GET /report.ocsf.ndjson         ta
GET /report.oscal.json          ta
GET /report.pdf                 ta
GET /reports                     a
GET /reports.json                a
GET /reports/{as_of}/{*name}     a
GET /sources                    ta
GET /sources.csv                ta
GET /sources.json               ta
GET /sources/{id}               ta
GET /status                      ao
GET /systems                    ta
GET /systems.csv                ta
GET /systems.json               ta
GET /systems/{id}               ta
GET /teams.csv                  ta
POST /exports                    a
POST /jobs/ingest                 o
POST /login                    ntao
POST /logout                   ntao
POST /webhooks/terraform/{source} ntao
";

fn token(world: &World, arguments: &[&str]) -> String {
    let mut all = vec!["token", "add"];
    all.extend(arguments);
    let done = world.run(&all);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    format!("Authorization: Bearer {}\r\n", stdout(&done).trim())
}

/// A world with a token for each role: auditor, operator, a team.
fn asked() -> (World, [String; 3]) {
    let world = lived_copy();
    let auditor = token(&world, &["ada"]);
    let operator = token(&world, &["ops", "--role", "operator"]);
    let team = token(&world, &["nina", "--role", "team", "--team", "nlp-team"]);
    (world, [auditor, operator, team])
}

fn status(reply: &str) -> u16 {
    reply.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or_default()
}

#[test]
fn every_route_answers_those_in_the_table_and_nobody_else() {
    let mut rows: Vec<String> = table()
        .into_iter()
        .map(|(method, path, need)| {
            let who = match need {
                Need::Nothing => "ntao",
                Need::Read => "ta",
                Need::Whole => "a",
                Need::Service => "ao",
                Need::Operate => "o",
            };
            format!("{method} {path} {who}")
        })
        .collect();
    rows.sort();
    let wanted: Vec<String> = TABLE
        .lines()
        .map(|l| l.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|l| !l.is_empty())
        .collect();
    assert_eq!(rows, wanted, "a route is in the router and not in the table, or the other way round");

    let (world, [auditor, operator, team]) = asked();
    let served = Served::start(&world, "auth = \"token\"\n");
    let wrong = "Authorization: Bearer act_00\r\n".to_owned();
    for row in wanted {
        let [method, path, who] = row.split(' ').collect::<Vec<_>>()[..] else { panic!("{row}") };
        let path = path
            .replace("{id}", "x")
            .replace("{seq}", "0")
            .replace("{*name}", "x")
            .replace("{as_of}", "0")
            .replace("{name}", "x")
            .replace("{source}", "x");
        for (letter, header) in [("n", ""), ("n", &wrong), ("a", &auditor), ("o", &operator), ("t", &team)] {
            let reply = served.ask(method, &path, header, "");
            let is_refused = matches!(status(&reply), 401 | 403);
            // What is typed at sign-in, and signed on a notification, is refused for itself.
            let by_itself = who == "ntao" && (method == "POST" || path.starts_with("/oidc"));
            assert!(
                status(&reply) > 0 && (status(&reply) != 500 || path == "/oidc/login"),
                "{row} for {letter}: {reply}"
            );
            assert_eq!(is_refused && !by_itself, !who.contains(letter), "{row} for {letter}: {reply}");
        }
    }
}

/// What is of other teams, in words that nothing else has.
fn of_others(report: &Value) -> BTreeSet<String> {
    let others = report["systems"].as_array().unwrap().iter().filter(|s| s["team"] != "nlp-team");
    others.map(|s| s["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_team_reaches_nothing_of_another_team() {
    let (world, [auditor, _, team]) = asked();
    let served = Served::start(&world, "auth = \"token\"\n");
    let report = said(&served.get("/report.json", &auditor));
    let others = of_others(&report);
    assert!(others.len() > 3, "{others:?}");
    let mut paths: Vec<String> = table().into_iter().filter(|r| r.0 == "GET").map(|r| r.1).collect();
    let mut of = |list: &str, name: &str, path: &str| {
        let ids = report[list].as_array().unwrap().iter().map(|x| x[name].as_str().unwrap().to_owned());
        paths.extend(ids.flat_map(|id| [format!("{path}/{id}"), format!("{path}/{id}.json")]));
    };
    of("systems", "anchor", "/systems");
    of("controls", "id", "/controls");
    of("coverage", "source", "/sources");
    let size = report["as_of"]["size"].as_u64().unwrap();
    paths.extend((0..size).map(|seq| format!("/entries/{seq}")));
    let middle = size / 2;
    for query in ["system=footfall-analytics", "team=vision-team", "text=footfall", "as_of=2026-11-10"] {
        paths.push(format!("/findings.json?{query}"));
        paths.push(format!("/findings.csv?{query}"));
    }
    paths.push(format!("/systems?as_of={middle}"));
    paths.push("/changes?from=2026-10-25&to=2026-11-20".into());
    let (mut shown, mut entries) = (0, 0);
    // As fast as one address may ask.
    let patient = |path: &str| loop {
        let reply = served.get(path, &team);
        if status(&reply) != 429 {
            return reply;
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    };
    for path in &paths {
        let reply = patient(path);
        let body = reply.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
        shown += usize::from(status(&reply) == 200);
        entries += usize::from(status(&reply) == 200 && path.starts_with("/entries"));
        for other in &others {
            let asked_for_it = path.contains(other.as_str()) && status(&reply) != 200;
            assert!(!body.contains(other.as_str()) || asked_for_it, "{path} shows {other}");
        }
    }
    println!("{shown} pages, {entries} entries of {}", paths.len());
    assert!(shown > 60 && entries > 5, "{shown} pages, {entries} entries");
    let own = patient("/systems/cv-screening");
    assert!(status(&own) == 200 && own.contains("cv-screening"));
    assert_eq!(status(&patient("/systems/footfall-analytics")), 404);
}

#[test]
fn a_team_is_told_of_a_broken_record_and_not_of_the_entry() {
    let (world, [auditor, _, team]) = asked();
    world.sql("var/ledger.db", "UPDATE entry SET bytes = zeroblob(32) WHERE seq = 17;");
    let served = Served::start(&world, "auth = \"token\"\n");
    let told = served.get("/systems", &auditor);
    assert!(status(&told) == 503 && told.contains("entry 17"), "{told}");
    let told = served.get("/systems", &team);
    assert!(status(&told) == 503 && told.contains("does not verify") && !told.contains("entry 17"), "{told}");
}

#[test]
fn a_session_begins_with_a_token_and_ends_with_it() {
    let (world, _) = asked();
    let done = world.run(&["token", "add", "eve"]);
    let secret = stdout(&done).trim().to_owned();
    let served = Served::start(&world, "auth = \"token\"\n");
    let html = "Accept: text/html\r\n";
    let asked = served.get("/systems?x=1", html);
    assert!(status(&asked) == 303 && asked.contains("location: /login?next=%2Fsystems%3Fx%3D1"), "{asked}");
    assert!(served.get("/login?next=%2Fsystems", html).contains("value=\"/systems\""));
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let wrong = served.ask("POST", "/login", form, "token=act_1&next=/");
    assert!(status(&wrong) == 401 && wrong.contains("no token of this service"), "{wrong}");
    let begun = served.ask("POST", "/login", form, &format!("token={secret}&next=//evil.example"));
    assert!(status(&begun) == 303 && begun.contains("location: /\r\n"), "{begun}");
    assert!(begun.contains("HttpOnly; SameSite=Lax"), "{begun}");
    let cookie = begun.split("set-cookie: ").nth(1).and_then(|c| c.split(';').next()).unwrap();
    let cookie = format!("Cookie: {cookie}\r\n");
    assert_eq!(status(&served.get("/systems", &cookie)), 200);
    // The secret of a session is no token, nor that of a token a session.
    let value = cookie.split('=').nth(1).unwrap().trim();
    assert_eq!(status(&served.get("/", &format!("Authorization: Bearer {value}\r\n"))), 401);
    assert_eq!(status(&served.get("/", &format!("Cookie: actledger={secret}\r\n"))), 401);
    // Nothing is changed for a page of another site.
    let body = "system=&control=&redact=yes";
    for foreign in ["Sec-Fetch-Site: cross-site\r\n", "Origin: http://evil.example\r\n"] {
        let reply = served.ask("POST", "/exports", &format!("{cookie}{form}{foreign}"), body);
        assert_eq!(status(&reply), 403, "{reply}");
    }
    // Signing out ends one session; revoking the token ends all.
    let again = served.ask("POST", "/login", form, &format!("token={secret}&next=/"));
    let other = again.split("set-cookie: ").nth(1).and_then(|c| c.split(';').next()).unwrap().to_owned();
    assert_eq!(status(&served.ask("POST", "/logout", &cookie, "")), 200);
    assert_eq!(status(&served.get("/systems", &cookie)), 401);
    let other = format!("Cookie: {other}\r\n");
    assert_eq!(status(&served.get("/systems", &other)), 200);
    assert!(world.run(&["token", "revoke", "eve"]).status.success());
    assert_eq!(status(&served.get("/systems", &other)), 401);
    // Eleven tokens in a minute are too many.
    let replies: Vec<u16> = (0..11).map(|_| status(&served.ask("POST", "/login", form, "token=x"))).collect();
    assert!(replies.contains(&429), "{replies:?}");
}

#[test]
fn a_service_that_asks_nobody_answers_under_a_name_of_this_machine_only() {
    let world = lived_copy();
    let served = Served::start(&world, "");
    let rebound = served.as_host("attacker.example", "/");
    assert_eq!(status(&rebound), 421, "{rebound}");
    assert_eq!(status(&served.as_host("localhost:8080", "/")), 200);
    assert_eq!(status(&served.as_host("[::1]:8080", "/")), 200);
}
