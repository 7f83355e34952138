//! HTML pages. Templates place what the view model says.

mod links;
mod site;

pub use links::{Links, Reader, Seen};
pub use site::{
    ExportRow, HowItIs, IssuedRow, SourceRow, Wish, archive, broken, entry, export, exports, findings, login,
    notice, population, status,
};

use super::charts::{self, Chart};
use super::local::Zone;
use super::model::{self, Control, Coverage, Finding, Report, System};
use super::tables::Order;
use crate::act::{ControlKind, Status, Tested};
use crate::evidence::Time;
use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use links::Form;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Systems up to which the document is one file.
const ONE_FILE: usize = 60;
/// The folder of the pages of a larger one, beside `report.html`.
pub const PAGES: &str = "pages";
/// Rows of a table of the document; the JSON has all.
const ROWS: usize = 1_000;

macro_rules! template {
    ($(#[$doc:meta])* $name:ident $path:literal { $($field:ident: $type:ty),* }) => {
        $(#[$doc])*
        #[derive(Template)]
        #[template(path = $path)]
        struct $name<'a> { links: Links, $($field: $type),* }
    };
}
use template;

template!(Document "document.html" { r: &'a Report, title: &'a str, body: &'a str });
template!(First "first.html" { r: &'a Report, trend: Option<Chart> });
template!(Decisions "decisions.html" { r: &'a Report });
template!(Systems "systems.html" { r: &'a Report, order: &'a Order });
template!(SystemPage "system.html" { s: &'a System, zone: &'a Zone, timeline: Option<Chart> });
template!(FindingPart "finding.html" { f: &'a Finding, zone: &'a Zone });
template!(Controls "controls.html" { r: &'a Report, order: &'a Order });
template!(ControlPage "control.html" { c: &'a Control, estate: Vec<&'a Finding>, zone: &'a Zone });
template!(Sources "sources.html" { r: &'a Report, calendar: Option<Chart> });
template!(SourcePage "source.html" { s: &'a Coverage });
template!(Exceptions "exceptions.html" { r: &'a Report, order: &'a Order });
template!(Integrity "integrity.html" { r: &'a Report });
template!(Changes "changes.html" { r: &'a Report });

impl Changes<'_> {
    fn day(&self, t: Time) -> String {
        Zone::named(&self.r.timezone).iso_day(t)
    }
    fn from(&self) -> String {
        if self.r.period.asked { self.day(self.r.period.from) } else { String::new() }
    }
    fn to(&self) -> String {
        self.day(self.r.as_of.at)
    }
    fn csv(&self) -> String {
        let span = format!("from={}&to={}", self.from(), self.to());
        if self.r.period.asked { format!("/changes.csv?{span}") } else { self.links.page("changes.csv") }
    }
}
impl Exceptions<'_> {
    fn rows(&self) -> Vec<&model::Exception> {
        let mut rows = self.order.rows(&self.r.exceptions);
        rows.truncate(self.links.some(&self.r.exceptions).len());
        rows
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
pub fn page(r: &Report, page: &Page, order: &Order, seen: Seen) -> Result<Option<String>, askama::Error> {
    let links = Links::site_of(seen);
    let zone = Zone::named(&r.timezone);
    let (title, body) = match page {
        Page::First => {
            ("AI compliance report".to_owned(), First { links, r, trend: charts::trend(r) }.render()?)
        }
        Page::Decisions => ("Decisions".to_owned(), Decisions { links, r }.render()?),
        Page::Systems => ("Systems".to_owned(), Systems { links, r, order }.render()?),
        Page::Controls => ("Controls".to_owned(), Controls { links, r, order }.render()?),
        Page::Sources => {
            ("Sources".to_owned(), Sources { links, r, calendar: charts::calendar(&r.coverage) }.render()?)
        }
        Page::Exceptions => ("Exceptions".to_owned(), Exceptions { links, r, order }.render()?),
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

/// Whether a document of a large estate has a page of this name.
pub fn has_page(r: &Report, name: &str) -> bool {
    let Some(name) = name.strip_suffix(".html") else { return false };
    let is_system = |anchor| r.systems.iter().any(|s| s.anchor == anchor);
    let is_control = |id| r.controls.iter().any(|c| c.id == id);
    name.strip_prefix("system-").is_some_and(is_system)
        || name.strip_prefix("control-").is_some_and(is_control)
}

fn control(r: &Report, c: &Control, links: Links, zone: &Zone) -> Result<String, askama::Error> {
    let estate = r.estate_findings.iter().filter(|f| f.control == c.id).collect();
    ControlPage { links, c, estate, zone }.render()
}

/// The whole report as files that ask for nothing from outside: `report.html` alone, or, for a large estate, with a page for each
/// system and each control in the folder [`PAGES`], and an index and a search in `report.html`.
///
/// # Errors
/// The template's reason.
pub fn document(r: &Report) -> Result<BTreeMap<String, String>, askama::Error> {
    let is_large = r.systems.len() > ONE_FILE;
    let links = Links::document(if is_large { Form::Front } else { Form::One });
    let (zone, order) = (Zone::named(&r.timezone), &Order::default());
    let mut files = BTreeMap::new();
    let mut body = First { links, r, trend: charts::trend(r) }.render()?;
    body += &Decisions { links, r }.render()?;
    body += &Systems { links, r, order }.render()?;
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
    body += &Exceptions { links, r, order }.render()?;
    body += &Sources { links, r, calendar: charts::calendar(&r.coverage) }.render()?;
    for s in &r.coverage {
        body += &SourcePage { links, s }.render()?;
    }
    body += &Controls { links, r, order }.render()?;
    for c in &r.controls {
        page(&mut body, format!("control-{}", c.id), &c.id, control(r, c, own, &zone)?)?;
    }
    body += &Integrity { r, links }.render()?;
    let title = format!("AI compliance report · {} · {}", r.organization, r.period.to_local);
    files.insert("report.html".into(), Document { links, r, title: &title, body: &body }.render()?);
    Ok(files)
}

/// The one script of a large document: it shows the rows of the index that have what is typed.
const SEARCH: &str = include_str!("../../../templates/search.js");

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
