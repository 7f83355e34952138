//! How pages refer to each other: by paths on the site, by anchors in the document.

use super::{PAGES, ROWS};
use crate::report::listing::Query;
use crate::report::tables::Order;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// Where a page stands, which says how it refers to others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Form {
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
    pub(super) form: Form,
    seen: Seen,
}

impl Links {
    pub(super) fn site_of(seen: Seen) -> Links {
        Links { form: Form::Site, seen }
    }
    pub(super) fn document(form: Form) -> Links {
        Links { form, seen: Seen { as_of: None, reader: Reader::Auditor, is_signed_in: false } }
    }
    pub(super) fn to(self, page: &str, anchor: &str) -> String {
        match (self.form, self.seen.as_of) {
            (Form::Site, Some(size)) => format!("/{page}?as_of={size}"),
            (form, _) => Links::present(form, page, anchor),
        }
    }
    pub(super) fn present(form: Form, page: &str, anchor: &str) -> String {
        match form {
            Form::Site => format!("/{page}"),
            Form::One | Form::Front => format!("#{anchor}"),
            Form::Beside => format!("../report.html#{anchor}"),
        }
    }
    /// A page of its own where there are such.
    pub(super) fn to_own(self, page: &str, anchor: &str) -> String {
        match self.form {
            Form::Site | Form::One => self.to(page, anchor),
            Form::Front => format!("{PAGES}/{anchor}.html"),
            Form::Beside => format!("{anchor}.html"),
        }
    }
    pub(super) fn site(self) -> bool {
        self.form == Form::Site
    }
    /// Another page or file of the site.
    pub(super) fn page(self, name: &str) -> String {
        self.to(name, name)
    }
    pub(super) fn signed_in(self) -> bool {
        self.seen.is_signed_in
    }
    pub(super) fn past(self) -> bool {
        self.seen.as_of.is_some()
    }
    pub(super) fn for_auditor(self) -> bool {
        self.seen.reader == Reader::Auditor
    }
    pub(super) fn for_operator(self) -> bool {
        self.seen.reader == Reader::Operator
    }
    /// Whether systems and controls are found by a search, as there are many.
    pub(super) fn front(self) -> bool {
        self.form == Form::Front
    }
    /// The rows of a table that are shown: all where pages are asked for one by one.
    pub(super) fn some<T>(self, rows: &[T]) -> &[T] {
        if self.site() { rows } else { &rows[..rows.len().min(ROWS)] }
    }
    /// Says how many others there are.
    pub(super) fn others(self, all: usize) -> String {
        match all.saturating_sub(ROWS) {
            n if n > 0 && !self.site() => format!("<p>{n} more stand in report.json.</p>"),
            _ => String::new(),
        }
    }
    /// Whether a page stands alone.
    pub(super) fn alone(self) -> bool {
        matches!(self.form, Form::Site | Form::Beside)
    }
    /// The heading of a page of the site, or of a chapter of the document.
    pub(super) fn title(self) -> &'static str {
        if self.alone() { "h1" } else { "h2" }
    }
    /// A heading below it.
    pub(super) fn part(self) -> &'static str {
        if self.alone() { "h2" } else { "h3" }
    }
    pub(super) fn first(self) -> String {
        self.to("", "first")
    }
    pub(super) fn decisions(self) -> String {
        self.to("decisions", "decisions")
    }
    pub(super) fn systems(self) -> String {
        self.to("systems", "systems")
    }
    pub(super) fn controls(self) -> String {
        self.to("controls", "controls")
    }
    pub(super) fn sources(self) -> String {
        self.to("sources", "sources")
    }
    pub(super) fn exceptions(self) -> String {
        self.to("exceptions", "exceptions")
    }
    pub(super) fn integrity(self) -> String {
        self.to("integrity", "integrity")
    }
    pub(super) fn system(self, anchor: &str) -> String {
        self.to_own(&format!("systems/{anchor}"), &format!("system-{anchor}"))
    }
    pub(super) fn control(self, id: &str) -> String {
        self.to_own(&format!("controls/{id}"), &format!("control-{id}"))
    }
    pub(super) fn source(self, name: &str) -> String {
        self.to(&format!("sources/{name}"), &format!("source-{name}"))
    }
    /// The head of a column; on the site it leads to the table in its order, or the other way round.
    pub(super) fn column(self, table: &str, name: &str, label: &str, order: &Order) -> String {
        let class = if name.starts_with("counts.") { " class=\"n\"" } else { "" };
        if !self.site() {
            return format!("<th scope=\"col\"{class}>{label}</th>");
        }
        let (sorted, sign, next) = match order.sort.strip_prefix('-') {
            Some(by) if by == name => (" aria-sort=\"descending\"", " \u{25be}", name.to_owned()),
            None if order.sort == name => (" aria-sort=\"ascending\"", " \u{25b4}", format!("-{name}")),
            _ => ("", "", name.to_owned()),
        };
        let page = self.page(table);
        let address = format!("{page}{}sort={next}", if page.contains('?') { "&amp;" } else { "?" });
        format!("<th scope=\"col\"{class}{sorted}><a href=\"{address}\">{label}</a>{sign}</th>")
    }
    /// Where the site gives a table as a file.
    pub(super) fn csv(self, table: &str) -> String {
        if !self.site() {
            return String::new();
        }
        format!(
            "<p class=\"soft\"><a href=\"{}\">This table as CSV</a></p>\n",
            self.page(&format!("{table}.csv"))
        )
    }
    /// A count of findings, as a link to them where there is a list of them: `name=value` and a status.
    pub(super) fn counted(self, n: &u64, name: &str, value: &str, status: &str) -> String {
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
    /// Findings of controls that are judged from sources like this one.
    pub(super) fn findings_of(self, source: &str) -> String {
        let as_of = self.seen.as_of.map(|size| size.to_string()).unwrap_or_default();
        Query { source: source.to_owned(), as_of, ..Query::default() }.address("/findings", None)
    }
    /// Where evidence of a system or a control is taken away.
    pub(super) fn export(self, name: &str, value: &str) -> String {
        let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
        let as_of = self.seen.as_of.map(|size| format!("&as_of={size}")).unwrap_or_default();
        format!("/exports?{name}={value}{as_of}")
    }
    /// A reference to an entry: a link where there are entry pages.
    pub(super) fn entry(self, seq: &u64) -> String {
        if self.site() {
            format!("<a href=\"{}\">entry {seq}</a>", self.page(&format!("entries/{seq}")))
        } else {
            format!("entry {seq}")
        }
    }
}
