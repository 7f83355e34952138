//! HTML pages. Templates place what the view model says.

use super::charts::{self, Chart};
use super::exhibit::Exhibit;
use super::listing::{self, Listing, Query};
use super::local::Zone;
use super::model::{Control, Coverage, Finding, NO_TEAM, Report, System};
use crate::act::{ControlKind, Level, Status, Tested};
use crate::evidence::Time;
use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Systems up to which the document is one file.
const ONE_FILE: usize = 60;
/// The folder of the pages of a larger one, beside `report.html`.
pub const PAGES: &str = "pages";
/// Rows of a table of the document; the JSON has all.
const ROWS: usize = 1_000;

/// Where a page stands, which says how it refers to others.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    /// Pages of the site: paths.
    Site,
    /// One document: anchors.
    One,
    /// The document of a large estate, whose systems and controls are pages beside it.
    Front,
    /// One of these pages.
    Beside,
}

/// Who reads a page of the site.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reader {
    /// Everything.
    Auditor,
    /// What is of one team.
    Team,
    /// How the service is.
    Operator,
}

/// How a page of the site is seen.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// Size of the as-of, where it is not the last one: links stay in it.
    pub as_of: Option<u64>,
    /// By whom.
    pub reader: Reader,
    /// Whether they signed in, and can sign out.
    pub is_signed_in: bool,
}

/// How pages refer to each other.
#[derive(Clone, Copy, Debug)]
pub struct Links {
    form: Form,
    seen: Seen,
}

impl Links {
    fn site_of(seen: Seen) -> Links {
        Links { form: Form::Site, seen }
    }
    fn document(form: Form) -> Links {
        Links { form, seen: Seen { as_of: None, reader: Reader::Auditor, is_signed_in: false } }
    }
    fn to(self, page: &str, anchor: &str) -> String {
        match (self.form, self.seen.as_of) {
            (Form::Site, Some(size)) => format!("/{page}?as_of={size}"),
            (form, _) => Links::present(form, page, anchor),
        }
    }
    fn present(form: Form, page: &str, anchor: &str) -> String {
        match form {
            Form::Site => format!("/{page}"),
            Form::One | Form::Front => format!("#{anchor}"),
            Form::Beside => format!("../report.html#{anchor}"),
        }
    }
    /// A page of its own where there are such.
    fn to_own(self, page: &str, anchor: &str) -> String {
        match self.form {
            Form::Site | Form::One => self.to(page, anchor),
            Form::Front => format!("{PAGES}/{anchor}.html"),
            Form::Beside => format!("{anchor}.html"),
        }
    }
    fn site(self) -> bool {
        self.form == Form::Site
    }
    /// Another page or file of the site.
    fn page(self, name: &str) -> String {
        self.to(name, name)
    }
    fn signed_in(self) -> bool {
        self.seen.is_signed_in
    }
    fn past(self) -> bool {
        self.seen.as_of.is_some()
    }
    fn for_auditor(self) -> bool {
        self.seen.reader == Reader::Auditor
    }
    fn for_operator(self) -> bool {
        self.seen.reader == Reader::Operator
    }
    /// Whether systems and controls are found by a search, as there are many.
    fn front(self) -> bool {
        self.form == Form::Front
    }
    /// The rows of a table that are shown: all where pages are asked for one by one.
    fn some<T>(self, rows: &[T]) -> &[T] {
        if self.site() { rows } else { &rows[..rows.len().min(ROWS)] }
    }
    /// Says how many others there are.
    fn others(self, all: usize) -> String {
        match all.saturating_sub(ROWS) {
            n if n > 0 && !self.site() => format!("<p>{n} more stand in report.json.</p>"),
            _ => String::new(),
        }
    }
    /// Whether a page stands alone.
    fn alone(self) -> bool {
        matches!(self.form, Form::Site | Form::Beside)
    }
    /// The heading of a page of the site, or of a chapter of the document.
    fn title(self) -> &'static str {
        if self.alone() { "h1" } else { "h2" }
    }
    /// A heading below it.
    fn part(self) -> &'static str {
        if self.alone() { "h2" } else { "h3" }
    }
    fn first(self) -> String {
        self.to("", "first")
    }
    fn decisions(self) -> String {
        self.to("decisions", "decisions")
    }
    fn systems(self) -> String {
        self.to("systems", "systems")
    }
    fn controls(self) -> String {
        self.to("controls", "controls")
    }
    fn sources(self) -> String {
        self.to("sources", "sources")
    }
    fn exceptions(self) -> String {
        self.to("exceptions", "exceptions")
    }
    fn integrity(self) -> String {
        self.to("integrity", "integrity")
    }
    fn system(self, anchor: &str) -> String {
        self.to_own(&format!("systems/{anchor}"), &format!("system-{anchor}"))
    }
    fn control(self, id: &str) -> String {
        self.to_own(&format!("controls/{id}"), &format!("control-{id}"))
    }
    fn source(self, name: &str) -> String {
        self.to(&format!("sources/{name}"), &format!("source-{name}"))
    }
    /// A count of findings, as a link to them where there is a list of them: `name=value` and a status.
    fn counted(self, n: &u64, name: &str, value: &str, status: &str) -> String {
        if !self.site() {
            return n.to_string();
        }
        let as_of = self.seen.as_of.map(|size| size.to_string()).unwrap_or_default();
        let mut q = Query { status: status.to_owned(), as_of, ..Query::default() };
        match name {
            "system" => value.clone_into(&mut q.system),
            "control" => value.clone_into(&mut q.control),
            "team" => value.clone_into(&mut q.team),
            _ => value.clone_into(&mut q.level),
        }
        let address = q.address("/findings", None).replace('&', "&amp;");
        format!("<a href=\"{address}\">{n}</a>")
    }
    /// Where evidence of a system or a control is taken away.
    fn export(self, name: &str, value: &str) -> String {
        let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
        let as_of = self.seen.as_of.map(|size| format!("&as_of={size}")).unwrap_or_default();
        format!("/exports?{name}={value}{as_of}")
    }
    /// A reference to an entry: a link where there are entry pages.
    fn entry(self, seq: &u64) -> String {
        if self.site() {
            format!("<a href=\"{}\">entry {seq}</a>", self.page(&format!("entries/{seq}")))
        } else {
            format!("entry {seq}")
        }
    }
}

macro_rules! page {
    ($(#[$doc:meta])* $name:ident $path:literal { $($field:ident: $type:ty),* }) => {
        $(#[$doc])*
        #[derive(Template)]
        #[template(path = $path)]
        struct $name<'a> { links: Links, $($field: $type),* }
    };
}

page!(Document "document.html" { r: &'a Report, title: &'a str, body: &'a str });
page!(First "first.html" { r: &'a Report, trend: Option<Chart> });
page!(Decisions "decisions.html" { r: &'a Report });
page!(Systems "systems.html" { r: &'a Report });
page!(SystemPage "system.html" { s: &'a System, zone: &'a Zone, timeline: Option<Chart> });
page!(FindingPart "finding.html" { f: &'a Finding, zone: &'a Zone });
page!(Controls "controls.html" { r: &'a Report });
page!(ControlPage "control.html" { c: &'a Control, estate: Vec<&'a Finding>, zone: &'a Zone });
page!(Sources "sources.html" { r: &'a Report, calendar: Option<Chart> });
page!(SourcePage "source.html" { s: &'a Coverage });
page!(Exceptions "exceptions.html" { r: &'a Report });
page!(Integrity "integrity.html" { r: &'a Report });
page!(Changes "changes.html" { r: &'a Report });
page!(ExportsPage "exports.html" { r: &'a Report, wish: &'a Wish, rows: &'a [ExportRow] });
page!(ExportPage "export.html" { row: &'a ExportRow, open: bool });
page!(FindingsPage "findings.html" { r: &'a Report, q: &'a Query, page: &'a Listing<'a> });
page!(StatusPage "status.html" { r: &'a Report, s: &'a HowItIs });
page!(ArchivePage "archive.html" { r: &'a Report, rows: &'a [IssuedRow] });
page!(EntryPage "entry.html" { r: &'a Report, e: &'a Exhibit<'a>, opened: bool });

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage<'a> {
    organization: &'a str,
    next: &'a str,
    wrong: &'a str,
}

#[derive(Template)]
#[template(path = "notice.html")]
struct NoticePage<'a> {
    text: &'a str,
}

#[derive(Template)]
#[template(path = "broken.html")]
struct BrokenPage<'a> {
    first_bad: &'a str,
    what: &'a str,
    intact: u64,
}

impl FindingsPage<'_> {
    fn levels(&self) -> [&'static str; 5] {
        Level::ALL.map(Level::name)
    }
    fn states(&self) -> [&'static str; 6] {
        listing::STATES
    }
    fn sorts(&self) -> Vec<String> {
        listing::SORTS.into_iter().flat_map(|s| [s.to_owned(), format!("-{s}")]).collect()
    }
    /// What is asked for with a row of the table of teams.
    fn team<'t>(&self, name: &'t str) -> &'t str {
        if name == NO_TEAM { "-" } else { name }
    }
}
impl Changes<'_> {
    fn day(&self, t: Time) -> String {
        let zone = Zone::named(&self.r.timezone);
        zone.iso_day(t)
    }
    fn from(&self) -> String {
        if self.r.period.asked { self.day(self.r.period.from) } else { String::new() }
    }
    fn to(&self) -> String {
        self.day(self.r.as_of.at)
    }
}
impl EntryPage<'_> {
    fn local(&self, t: &Time) -> String {
        Zone::named(&self.r.timezone).minute(*t)
    }
    fn is_open(&self) -> bool {
        self.opened
    }
    fn open(&self) -> String {
        let page = self.links.page(&format!("entries/{}", self.e.seq));
        format!("{page}{}private=open", if page.contains('?') { '&' } else { '?' })
    }
    fn json(&self) -> String {
        self.links.page(&format!("entries/{}.json", self.e.seq))
    }
}
impl SystemPage<'_> {
    fn finding(&self, f: &Finding) -> String {
        part(f, self.links, self.zone)
    }
}
impl ControlPage<'_> {
    fn finding(&self, f: &Finding) -> String {
        part(f, self.links, self.zone)
    }
}
impl FindingPart<'_> {
    fn local(&self, t: &Time) -> String {
        self.zone.minute(*t)
    }
}

fn part(f: &Finding, links: Links, zone: &Zone) -> String {
    FindingPart { links, f, zone }.render().unwrap_or_default()
}

impl Finding {
    fn urgent(&self) -> bool {
        self.status <= Status::NotAssessed && !self.unprovided
    }
    fn settled(&self) -> bool {
        self.status > Status::NotAssessed
    }
    fn throughout(&self) -> bool {
        self.tested == Tested::Throughout
    }
}

impl Control {
    fn by_act(&self) -> bool {
        self.kind == ControlKind::Act
    }
}

/// A page of the site.
#[derive(Clone, Debug, PartialEq)]
pub enum Page {
    /// The first page.
    First,
    /// Decisions wanted, and what changed.
    Decisions,
    /// All systems.
    Systems,
    /// One, by its anchor.
    System(String),
    /// All controls.
    Controls,
    /// One, by its id.
    Control(String),
    /// All sources.
    Sources,
    /// One, by its name.
    Source(String),
    /// Exceptions and decisions.
    Exceptions,
    /// Integrity.
    Integrity,
    /// What changed between two dates.
    Changes,
}

/// One page of the site; none when there is no such thing.
///
/// # Errors
/// The template's reason.
pub fn page(r: &Report, page: &Page, seen: Seen) -> Result<Option<String>, askama::Error> {
    let links = Links::site_of(seen);
    let zone = Zone::named(&r.timezone);
    let (title, body) = match page {
        Page::First => {
            ("AI compliance report".to_owned(), First { links, r, trend: charts::trend(r) }.render()?)
        }
        Page::Decisions => ("Decisions".to_owned(), Decisions { links, r }.render()?),
        Page::Systems => ("Systems".to_owned(), Systems { links, r }.render()?),
        Page::Controls => ("Controls".to_owned(), Controls { links, r }.render()?),
        Page::Sources => {
            ("Sources".to_owned(), Sources { links, r, calendar: charts::calendar(&r.coverage) }.render()?)
        }
        Page::Exceptions => ("Exceptions".to_owned(), Exceptions { links, r }.render()?),
        Page::Integrity => ("Integrity".to_owned(), Integrity { r, links }.render()?),
        Page::Changes => ("Changes".to_owned(), Changes { links, r }.render()?),
        Page::System(anchor) => match r.systems.iter().find(|s| s.anchor == *anchor) {
            Some(s) => (
                s.name.clone(),
                SystemPage { links, s, zone: &zone, timeline: charts::timeline(s, &zone) }.render()?,
            ),
            None => return Ok(None),
        },
        Page::Control(id) => match r.controls.iter().find(|c| c.id == *id) {
            Some(c) => (c.id.clone(), control(r, c, links, &zone)?),
            None => return Ok(None),
        },
        Page::Source(name) => match r.coverage.iter().find(|c| c.source == *name) {
            Some(s) => (s.source.clone(), SourcePage { links, s }.render()?),
            None => return Ok(None),
        },
    };
    let title = format!("{title} · {}", r.organization);
    Document { links, r, title: &title, body: &body }.render().map(Some)
}

fn control(r: &Report, c: &Control, links: Links, zone: &Zone) -> Result<String, askama::Error> {
    let estate = r.estate_findings.iter().filter(|f| f.control == c.id).collect();
    ControlPage { links, c, estate, zone }.render()
}

/// The page of an entry, with its private values or without.
///
/// # Errors
/// The template's reason.
pub fn entry(r: &Report, e: &Exhibit<'_>, opened: bool, seen: Seen) -> Result<String, askama::Error> {
    let links = Links::site_of(seen);
    let body = EntryPage { links, r, e, opened }.render()?;
    Document { links, r, title: &format!("Entry {} · {}", e.seq, r.organization), body: &body }.render()
}

/// The page of the list of findings.
///
/// # Errors
/// The template's reason.
pub fn findings(r: &Report, q: &Query, seen: Seen) -> Result<String, askama::Error> {
    let links = Links::site_of(seen);
    let body = FindingsPage { links, r, q, page: &q.page(r) }.render()?;
    Document { links, r, title: &format!("Findings · {}", r.organization), body: &body }.render()
}

/// What somebody wishes to export, as a form tells it. What is empty asks for everything.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Wish {
    /// Id of a system.
    pub system: String,
    /// Id of a control.
    pub control: String,
    /// First day.
    pub from: String,
    /// Last day.
    pub to: String,
    /// `no` where private values are wanted.
    pub redact: String,
    /// Size, time or day.
    pub as_of: String,
}

impl Wish {
    /// Whether private values are withheld.
    pub fn is_redacted(&self) -> bool {
        self.redact != "no"
    }

    /// In words.
    pub fn told(&self) -> String {
        let parts =
            [("system", &self.system), ("control", &self.control), ("from", &self.from), ("to", &self.to)];
        let said = parts.into_iter().filter(|(_, value)| !value.trim().is_empty());
        let said: Vec<String> = said.map(|(name, value)| format!("{name} {value}")).collect();
        let what = if said.is_empty() { "The whole record".to_owned() } else { said.join(", ") };
        let private = if self.is_redacted() { "private values withheld" } else { "with private values" };
        format!("{what}, {private}")
    }
}

/// A bundle that was asked for.
#[derive(Clone, Debug, Serialize)]
pub struct ExportRow {
    /// Its id.
    pub id: String,
    /// Of what.
    pub asked: String,
    /// When it was asked for.
    pub at: String,
    /// Until when it is kept.
    pub ends: String,
    /// How far it is.
    pub state: String,
    /// SHA-256, hex, when it is made.
    pub sha256: Option<String>,
}

/// The page on which a bundle is asked for.
///
/// # Errors
/// The template's reason.
pub fn exports(r: &Report, wish: &Wish, rows: &[ExportRow], seen: Seen) -> Result<String, askama::Error> {
    let links = Links::site_of(seen);
    let body = ExportsPage { links, r, wish, rows }.render()?;
    Document { links, r, title: &format!("Evidence to take away · {}", r.organization), body: &body }.render()
}

/// How far a bundle is.
///
/// # Errors
/// The template's reason.
pub fn export(r: &Report, row: &ExportRow, open: bool, seen: Seen) -> Result<String, askama::Error> {
    let links = Links::site_of(seen);
    let body = ExportPage { links, row, open }.render()?;
    Document { links, r, title: &format!("{} · {}", row.asked, r.organization), body: &body }.render()
}

/// How the service is.
#[derive(Clone, Debug)]
pub struct HowItIs {
    /// Next pass.
    pub ingest: String,
    /// Next report.
    pub report: String,
    /// Entries of the record.
    pub size: u64,
    /// When the last report was issued.
    pub issued: String,
    /// Mails that wait.
    pub waiting: u64,
    /// The night of the oldest.
    pub oldest: Option<String>,
    /// Sources as they were last read.
    pub sources: Vec<SourceRow>,
    /// Whether the reader may begin a pass.
    pub may_begin: bool,
}

/// A source as it was last read.
#[derive(Clone, Debug)]
pub struct SourceRow {
    /// Name.
    pub name: String,
    /// When.
    pub read: String,
    /// What was read.
    pub what: String,
    /// New entries.
    pub entries: u64,
    /// What it came to.
    pub state: String,
}

/// A report that was issued.
#[derive(Clone, Debug, Serialize)]
pub struct IssuedRow {
    /// The entry that says so.
    pub seq: u64,
    /// Size of its as-of.
    pub as_of: u64,
    /// The time judged from.
    pub at: String,
    /// Files with their SHA-256, hex.
    pub files: Vec<(String, String)>,
}

/// The page that says whether the service works, and when it does what next.
///
/// # Errors
/// The template's reason.
pub fn status(r: &Report, s: &HowItIs, seen: Seen) -> Result<String, askama::Error> {
    let links = Links::site_of(seen);
    let body = StatusPage { links, r, s }.render()?;
    Document { links, r, title: &format!("Status · {}", r.organization), body: &body }.render()
}

/// Reports as they were issued.
///
/// # Errors
/// The template's reason.
pub fn archive(r: &Report, rows: &[IssuedRow], seen: Seen) -> Result<String, askama::Error> {
    let links = Links::site_of(seen);
    let body = ArchivePage { links, r, rows }.render()?;
    Document { links, r, title: &format!("Reports as issued · {}", r.organization), body: &body }.render()
}

/// The page that stands in place of all others when the record does not verify.
///
/// # Errors
/// The template's reason.
pub fn broken(first_bad: &str, what: &str, intact: u64) -> Result<String, askama::Error> {
    BrokenPage { first_bad, what, intact }.render()
}

/// The page on which a token is typed.
///
/// # Errors
/// The template's reason.
pub fn login(organization: &str, next: &str, wrong: &str) -> Result<String, askama::Error> {
    LoginPage { organization, next, wrong }.render()
}

/// A sentence in place of a page.
///
/// # Errors
/// The template's reason.
pub fn notice(text: &str) -> Result<String, askama::Error> {
    NoticePage { text }.render()
}

/// The whole report as files that ask for nothing from outside: `report.html` alone, or, for a large estate, with a page for each
/// system and each control in the folder [`PAGES`], and an index and a search in `report.html`.
///
/// # Errors
/// The template's reason.
pub fn document(r: &Report) -> Result<BTreeMap<String, String>, askama::Error> {
    let is_large = r.systems.len() > ONE_FILE;
    let links = Links::document(if is_large { Form::Front } else { Form::One });
    let zone = Zone::named(&r.timezone);
    let mut files = BTreeMap::new();
    let mut body = First { links, r, trend: charts::trend(r) }.render()?;
    body += &Decisions { links, r }.render()?;
    body += &Systems { links, r }.render()?;
    let own = Links::document(if is_large { Form::Beside } else { Form::One });
    let mut page = |body: &mut String, anchor: String, title: &str, part: String| {
        if is_large {
            let title = format!("{title} · {}", r.organization);
            let page = Document { links: own, r, title: &title, body: &part }.render()?;
            files.insert(format!("{PAGES}/{anchor}.html"), page);
        } else {
            body.push_str(&part);
        }
        Ok::<_, askama::Error>(())
    };
    for s in &r.systems {
        let part =
            SystemPage { links: own, s, zone: &zone, timeline: charts::timeline(s, &zone) }.render()?;
        page(&mut body, format!("system-{}", s.anchor), &s.name, part)?;
    }
    body += &Exceptions { links, r }.render()?;
    body += &Sources { links, r, calendar: charts::calendar(&r.coverage) }.render()?;
    for s in &r.coverage {
        body += &SourcePage { links, s }.render()?;
    }
    body += &Controls { links, r }.render()?;
    for c in &r.controls {
        page(&mut body, format!("control-{}", c.id), &c.id, control(r, c, own, &zone)?)?;
    }
    body += &Integrity { r, links }.render()?;
    let title = format!("AI compliance report · {} · {}", r.organization, r.period.to_local);
    files.insert("report.html".into(), Document { links, r, title: &title, body: &body }.render()?);
    Ok(files)
}

/// The one script of a large document: it shows the rows of the index that have what is typed.
const SEARCH: &str = include_str!("../../templates/search.js");

impl Document<'_> {
    /// What a page may load: itself, and of scripts only the search, by its digest.
    fn policy(&self) -> String {
        if self.links.front() { search_policy() } else { POLICY.to_owned() }
    }
    fn search(&self) -> &'static str {
        SEARCH
    }
}

/// Nothing but the inline style of a page.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// The same, and the search by its digest (Content Security Policy, level 2).
pub fn search_policy() -> String {
    format!("{POLICY}; script-src 'sha256-{}'", STANDARD.encode(Sha256::digest(SEARCH.as_bytes())))
}
