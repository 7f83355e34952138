//! People who sign in at a real OpenID provider (npm oidc-provider), as a browser would: redirects, forms, cookies.

use crate::pages::Served;
use crate::support::{World, lived_copy, node_modules, project, stdout};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

struct Provider {
    process: Child,
    issuer: String,
}

impl Provider {
    fn start(redirect: &str) -> Provider {
        let mut process = Command::new("node")
            .arg(project().join("tests/support/oidc.mjs"))
            .arg(node_modules())
            .arg(redirect)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node is installed by make test");
        let mut lines = BufReader::new(process.stdout.as_mut().unwrap()).lines();
        let port = lines.by_ref().map(Result::unwrap).find(|l| l.trim().parse::<u16>().is_ok()).unwrap();
        Provider { process, issuer: format!("http://127.0.0.1:{}", port.trim()) }
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A service whose people sign in at the provider.
fn service() -> (World, Provider, Served, String) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    let provider = Provider::start(&format!("{url}/oidc/callback"));
    let world = lived_copy();
    std::fs::write(world.path("secret"), "s3kr3t\n").unwrap();
    let text = std::fs::read_to_string(world.config()).unwrap();
    let issuer = &provider.issuer;
    let web = format!(
        "{text}\n[web]\nlisten = \"127.0.0.1:{port}\"\nauth = \"oidc\"\nurl = \"{url}\"\n[web.oidc]\nissuer = \"{issuer}\"\n\
         client_id = \"actledger\"\nclient_secret_file = \"secret\"\nscopes = [\"profile\", \"groups\"]\n\
         [[web.oidc.group]]\nname = \"ai-auditors\"\nrole = \"auditor\"\n\
         [[web.oidc.group]]\nname = \"nlp\"\nrole = \"team\"\nteam = \"nlp-team\"\n"
    );
    std::fs::write(world.config(), web).unwrap();
    let served = Served::again(&world);
    (world, provider, served, url)
}

/// A browser of one person: what it was last shown, and where it is.
struct Browser(PathBuf);

impl Browser {
    fn ask(&self, arguments: &[&str]) -> (String, String) {
        let done = Command::new("curl")
            .args(["-s", "-L", "-w", "\n%{url_effective}", "-H", "Accept: text/html", "-b"])
            .arg(&self.0)
            .arg("-c")
            .arg(&self.0)
            .args(arguments)
            .output()
            .unwrap();
        let text = stdout(&done);
        let (page, place) = text.rsplit_once('\n').unwrap();
        (page.to_owned(), place.to_owned())
    }

    /// Signs in as somebody, from a page of ours, and gives the page that it comes to.
    fn sign_in(&self, url: &str, name: &str) -> (String, String) {
        let action = |page: &str| {
            let action = page.split("action=\"").nth(1).and_then(|rest| rest.split('"').next());
            action.unwrap_or_else(|| panic!("no form: {page}")).to_owned()
        };
        let (page, _) = self.ask(&[&format!("{url}/oidc/login?next=%2Fsystems")]);
        let (page, _) = self.ask(&["-d", &format!("prompt=login&login={name}&password=x"), &action(&page)]);
        self.ask(&["-d", "prompt=consent", &action(&page)])
    }
}

#[test]
fn people_sign_in_with_their_account_and_see_what_their_groups_may() {
    let (world, provider, served, url) = service();
    assert!(served.get("/login", "").contains("Sign in with your account"));
    let folder = tempfile::tempdir().unwrap();
    let browser = |name: &str| Browser(folder.path().join(name));
    let (page, place) = browser("ann").sign_in(&url, "ann");
    assert!(place == format!("{url}/systems") && page.contains("footfall-analytics"), "{place}: {page}");
    let (page, place) = browser("nina").sign_in(&url, "nina");
    assert!(place.ends_with("/systems") && page.contains("cv-screening"), "{place}: {page}");
    assert!(!page.contains("footfall-analytics"), "a team sees another's");
    let (page, _) = browser("nina").ask(&[&format!("{url}/exports")]);
    assert!(page.contains("not for who is signed in as team nlp-team"), "{page}");
    let (page, _) = browser("bob").sign_in(&url, "bob");
    assert!(page.contains("none of your groups has a role here"), "{page}");
    let (_, place) = browser("bob").ask(&[&format!("{url}/systems")]);
    assert!(place.contains("/login?next="), "{place}");
    // An answer that this browser did not ask for begins no session: neither another's state, nor none.
    for query in ["code=x&state=y", "code=x", "", "error=access_denied&state=y"] {
        let (page, _) = browser("eve").ask(&[&format!("{url}/oidc/callback?{query}")]);
        assert!(page.contains("no answer to a sign-in that this browser began"), "{query}: {page}");
    }
    // Signing out ends it. A session that somebody writes into the table is not believed.
    let (page, _) = browser("ann").ask(&["-X", "POST", &format!("{url}/logout")]);
    assert!(page.contains("signed out"), "{page}");
    let (_, place) = browser("ann").ask(&[&format!("{url}/systems")]);
    assert!(place.contains("/login"), "{place}");
    let sessions =
        crate::support::sqlite(&world.path("var/state.db"), "SELECT name, roles, session_of FROM pass");
    assert!(sessions.contains("nina") && sessions.contains("oidc http://127.0.0.1"), "{sessions}");
    // A provider that is away is told, and nothing else.
    drop(provider);
    let (page, _) = browser("ann").ask(&[&format!("{url}/oidc/login")]);
    assert!(page.contains("could not be made") && !page.contains("127.0.0.1"), "{page}");
    drop(served);
}
