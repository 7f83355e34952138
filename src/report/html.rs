//! HTML pages. Templates place what the view model says.

use super::local::Zone;
use super::model::{Control, Coverage, Finding, Report, System};
use crate::act::{ControlKind, Status, Tested};
use crate::evidence::Time;
use askama::Template;

/// How pages refer to each other: anchors of one document, or paths of a site.
#[derive(Clone, Copy, Debug)]
pub struct Links {
    /// Whether the pages are a site.
    pub site: bool,
}

impl Links {
    fn to(self, page: &str, anchor: &str) -> String {
        if self.site { format!("/{page}") } else { format!("#{anchor}") }
    }
    /// The heading of a page of the site, or of a chapter of the document.
    fn title(self) -> &'static str {
        if self.site { "h1" } else { "h2" }
    }
    /// A heading below it.
    fn part(self) -> &'static str {
        if self.site { "h2" } else { "h3" }
    }
    fn first(self) -> String {
        self.to("", "first")
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
        self.to(&format!("systems/{anchor}"), &format!("system-{anchor}"))
    }
    fn control(self, id: &str) -> String {
        self.to(&format!("controls/{id}"), &format!("control-{id}"))
    }
    fn source(self, name: &str) -> String {
        self.to(&format!("sources/{name}"), &format!("source-{name}"))
    }
    /// A reference to an entry: a link where there are entry pages.
    fn entry(self, seq: &u64) -> String {
        if self.site { format!("<a href=\"/entries/{seq}\">entry {seq}</a>") } else { format!("entry {seq}") }
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
page!(First "first.html" { r: &'a Report });
page!(Systems "systems.html" { r: &'a Report });
page!(SystemPage "system.html" { s: &'a System, zone: &'a Zone });
page!(FindingPart "finding.html" { f: &'a Finding, zone: &'a Zone });
page!(Controls "controls.html" { r: &'a Report });
page!(ControlPage "control.html" { c: &'a Control, estate: Vec<&'a Finding>, zone: &'a Zone });
page!(Sources "sources.html" { r: &'a Report });
page!(SourcePage "source.html" { s: &'a Coverage });
page!(Exceptions "exceptions.html" { r: &'a Report });
page!(Integrity "integrity.html" { r: &'a Report });
page!(EntryPage "entry.html" { r: &'a Report, seq: u64, kind: &'a str, subject: &'a str, source: &'a str, occurred: &'a str, recorded: &'a str, canonical: &'a str, blobs: &'a [(String, String)], leaf: &'a str, proof: &'a [String], used: Vec<&'a Finding> });

#[derive(Template)]
#[template(path = "broken.html")]
struct BrokenPage<'a> {
    first_bad: &'a str,
    what: &'a str,
    intact: u64,
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
    fn open(&self) -> bool {
        self.status == Status::NotSatisfied && !self.excepted
    }
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
}

/// What an entry's page shows.
pub struct EntryView<'a> {
    /// Sequence number.
    pub seq: u64,
    /// Kind.
    pub kind: &'a str,
    /// Subject.
    pub subject: &'a str,
    /// Source.
    pub source: &'a str,
    /// When it happened.
    pub occurred: Time,
    /// When it was recorded.
    pub recorded: Time,
    /// Canonical bytes as text.
    pub canonical: &'a str,
    /// Blobs that it names: digest and text.
    pub blobs: &'a [(String, String)],
    /// Leaf hash, hex.
    pub leaf: &'a str,
    /// Inclusion proof, hex.
    pub proof: &'a [String],
}

/// One page of the site; none when there is no such thing.
///
/// # Errors
/// The template's reason.
pub fn page(r: &Report, page: &Page) -> Result<Option<String>, askama::Error> {
    let links = Links { site: true };
    let zone = Zone::named(&r.timezone);
    let (title, body) = match page {
        Page::First => ("AI compliance report".to_owned(), First { links, r }.render()?),
        Page::Systems => ("Systems".to_owned(), Systems { links, r }.render()?),
        Page::Controls => ("Controls".to_owned(), Controls { links, r }.render()?),
        Page::Sources => ("Sources".to_owned(), Sources { links, r }.render()?),
        Page::Exceptions => ("Exceptions".to_owned(), Exceptions { links, r }.render()?),
        Page::Integrity => ("Integrity".to_owned(), Integrity { r, links }.render()?),
        Page::System(anchor) => match r.systems.iter().find(|s| s.anchor == *anchor) {
            Some(s) => (s.id.clone(), SystemPage { links, s, zone: &zone }.render()?),
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

/// The page of an entry.
///
/// # Errors
/// The template's reason.
pub fn entry(r: &Report, e: &EntryView<'_>) -> Result<String, askama::Error> {
    let links = Links { site: true };
    let zone = Zone::named(&r.timezone);
    let cites = |f: &&Finding| f.units.iter().any(|u| u.evidence.iter().any(|x| x.seq == e.seq));
    let used = r.systems.iter().flat_map(|s| &s.findings).chain(&r.estate_findings).filter(cites).collect();
    let EntryView { seq, kind, subject, source, canonical, blobs, leaf, proof, .. } = *e;
    let (occurred, recorded) =
        (e.occurred.to_string(), format!("{} ({})", e.recorded, zone.minute(e.recorded)));
    let (occurred, recorded) = (occurred.as_str(), recorded.as_str());
    let body = EntryPage {
        links,
        r,
        seq,
        kind,
        subject,
        source,
        occurred,
        recorded,
        canonical,
        blobs,
        leaf,
        proof,
        used,
    }
    .render()?;
    let title = format!("Entry {seq} · {}", r.organization);
    Document { links, r, title: &title, body: &body }.render()
}

/// The page that stands in place of all others when the record does not verify.
///
/// # Errors
/// The template's reason.
pub fn broken(first_bad: &str, what: &str, intact: u64) -> Result<String, askama::Error> {
    BrokenPage { first_bad, what, intact }.render()
}

/// The whole report as one file that asks for nothing from outside.
///
/// # Errors
/// The template's reason.
pub fn document(r: &Report) -> Result<String, askama::Error> {
    let links = Links { site: false };
    let zone = Zone::named(&r.timezone);
    let mut body = First { links, r }.render()?;
    body += &Systems { links, r }.render()?;
    for s in &r.systems {
        body += &SystemPage { links, s, zone: &zone }.render()?;
    }
    body += &Exceptions { links, r }.render()?;
    body += &Sources { links, r }.render()?;
    for s in &r.coverage {
        body += &SourcePage { links, s }.render()?;
    }
    body += &Controls { links, r }.render()?;
    for c in &r.controls {
        body += &control(r, c, links, &zone)?;
    }
    body += &Integrity { r, links }.render()?;
    let title = format!("AI compliance report · {} · {}", r.organization, r.period.to_local);
    Document { links, r, title: &title, body: &body }.render()
}
