//! Pages that only the site has: lists, an entry, what is taken away, how the service is, and sentences in place of a page.

use super::links::{Links, Seen};
use super::{Document, template};
use crate::act::Level;
use crate::evidence::Time;
use crate::report::exhibit::Exhibit;
use crate::report::listing::{self, Listing, Query};
use crate::report::local::Zone;
use crate::report::model::{NO_TEAM, Report};
use crate::report::population::{self, Population, Wanted};
use askama::Template;
use serde::{Deserialize, Serialize};

template!(ExportsPage "exports.html" { r: &'a Report, wish: &'a Wish, rows: &'a [ExportRow] });
template!(ExportPage "export.html" { row: &'a ExportRow, open: bool });
template!(FindingsPage "findings.html" { r: &'a Report, q: &'a Query, page: &'a Listing<'a> });
template!(StatusPage "status.html" { r: &'a Report, s: &'a HowItIs });
template!(ArchivePage "archive.html" { r: &'a Report, rows: &'a [IssuedRow] });
template!(PopulationPage "population.html" { r: &'a Report, wanted: &'a Wanted, told: Option<&'a Population> });
template!(EntryPage "entry.html" { r: &'a Report, e: &'a Exhibit<'a>, opened: bool });

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage<'a> {
    organization: &'a str,
    oidc: bool,
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

impl PopulationPage<'_> {
    fn kinds(&self) -> Vec<&'static str> {
        population::kinds().map(crate::evidence::Kind::name).collect()
    }
    fn again(&self) -> Wanted {
        self.told.map_or_else(|| self.wanted.clone(), |told| self.wanted.again(told))
    }
    fn next(&self) -> Option<String> {
        let after = self.told.and_then(|told| told.next)?;
        Some(self.again().address("/population", Some(after)))
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

/// The page of populations.
///
/// # Errors
/// The template's reason.
pub fn population(
    r: &Report,
    wanted: &Wanted,
    told: Option<&Population>,
    seen: Seen,
) -> Result<String, askama::Error> {
    let links = Links::site_of(seen);
    let body = PopulationPage { links, r, wanted, told }.render()?;
    Document { links, r, title: &format!("Populations · {}", r.organization), body: &body }.render()
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

/// The page on which a token is typed, or that leads to the provider.
///
/// # Errors
/// The template's reason.
pub fn login(organization: &str, oidc: bool, next: &str, wrong: &str) -> Result<String, askama::Error> {
    LoginPage { organization, oidc, next, wrong }.render()
}

/// A sentence in place of a page.
///
/// # Errors
/// The template's reason.
pub fn notice(text: &str) -> Result<String, askama::Error> {
    NoticePage { text }.render()
}
