//! The words of mails: subject, text and HTML. Templates place what the view model says.

use super::local::Zone;
use super::model::{LevelRow, Missing, Report, Wanted};
use super::sections::{Section, sections};
use super::sentences::count;
use askama::Template;

/// Lines of a mail are at most this wide.
const WIDTH: usize = 78;
/// Decisions that a mail tells; the report has all.
const TOLD: usize = 12;

/// Files of a report, as a mail speaks of them.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// Name and SHA-256 of each.
    pub names: Vec<(String, String)>,
    /// Names of those that could not be made.
    pub lacks: Vec<String>,
    /// When they are too large to be attached: their bytes, the limit, and where they are.
    pub too_large: Option<(u64, u64, String)>,
}

impl Files {
    /// Whether they go with the mail.
    pub fn is_attached(&self) -> bool {
        self.too_large.is_none()
    }
}

/// Subject, text and HTML of a mail.
pub struct Words {
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// HTML.
    pub html: Option<String>,
}

#[derive(Template)]
#[template(path = "mail/report/subject.txt")]
struct Subject<'a> {
    r: &'a Report,
    day: &'a str,
    quiet: bool,
}

/// What both parts of the mail say.
struct Said<'a> {
    r: &'a Report,
    zone: Zone,
    about: Option<String>,
    estate: String,
    /// Nothing changed: what is still wanted stands in a line each.
    quiet: bool,
    sections: Vec<Section>,
    coming: Vec<&'a (String, String, String)>,
    note: &'a str,
    files: &'a Files,
    url: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "mail/report/body.txt")]
struct Body<'a> {
    r: &'a Report,
    said: &'a Said<'a>,
    wanted: Vec<String>,
    sections: Vec<(String, usize, Vec<String>)>,
    not_seen: Vec<String>,
}

#[derive(Template)]
#[template(path = "mail/report/body.html")]
struct BodyHtml<'a> {
    subject: &'a str,
    r: &'a Report,
    said: &'a Said<'a>,
}

impl Said<'_> {
    /// By when something is wanted, short enough for a column.
    fn by(&self, w: &Wanted) -> String {
        let year = |t| self.zone.day(t).split(' ').next_back().map(str::to_owned);
        match w.by {
            _ if w.overdue => "overdue".into(),
            Some(by) if year(by) == year(self.r.as_of.at) => self.zone.short_day(by),
            Some(by) => self.zone.day(by),
            None => "-".into(),
        }
    }
    fn wanted(&self) -> &[Wanted] {
        &self.r.wanted[..self.r.wanted.len().min(TOLD)]
    }
    fn more(&self) -> usize {
        self.r.wanted.len().saturating_sub(TOLD)
    }
    fn overdue(&self) -> usize {
        self.r.wanted.iter().filter(|w| w.overdue).count()
    }
    /// Sources of which something is missing.
    fn missing(&self) -> impl Iterator<Item = &Missing> {
        self.r.missing.iter().filter(|m| !m.what.is_empty())
    }
    fn wrapped(&self, text: &str) -> String {
        wrap("", text)
    }
    fn dated(&self, (day, what, basis): &(String, String, String)) -> String {
        wrap(&format!(" {day}  "), &format!("{what} ({basis})"))
    }
    fn listed(&self, text: &str) -> String {
        wrap(" ", text)
    }
    fn step(&self, w: &Wanted) -> String {
        let open = w.open();
        let head = if open.is_empty() { String::new() } else { format!("{}. ", first_up(&open)) };
        format!("{head}{}: {}. {}.", w.who, first_down(w.first_step()), first_up(&w.duty))
    }
}

fn first_up(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
}

fn first_down(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |c| c.to_lowercase().chain(chars).collect())
}

/// The nightly mail.
///
/// # Errors
/// The template's reason.
pub fn report(r: &Report, note: &str, files: &Files, url: Option<&str>) -> Result<Words, askama::Error> {
    let zone = Zone::named(&r.timezone);
    let quiet = r.changes.is_empty() && !r.period.first;
    let subject = Subject { r, day: &zone.short_day(r.period.to), quiet }.render()?.trim().to_owned();
    let month = r.law.dates.iter().filter(|(day, ..)| within_a_month(r, &zone, day)).collect();
    let said = Said {
        r,
        about: r.is_partial().then(|| format!("Only {}.", r.about)),
        estate: estate_line(r),
        quiet,
        sections: sections(r),
        coming: month,
        note: note.trim_end(),
        files,
        url,
        zone,
    };
    let wanted = said.wanted().iter().map(|w| {
        let head = format!(" {:<8} ", said.by(w));
        if quiet {
            wrap(&head, &format!("{} ({}): {}. {}.", w.told(), w.marks(), w.what, w.who))
        } else {
            wrap(&head, &format!("{}, {} ({}): {}. {}", w.told(), w.level, w.marks(), w.what, said.step(w)))
        }
    });
    let sections = said.sections.iter().map(|Section { title, sign, lines, count }| {
        let line = |(what, told): &(String, String)| wrap(&format!(" {sign} "), &format!("{what}: {told}"));
        (title.to_uppercase(), *count, lines.iter().map(line).collect())
    });
    let not_seen = said.missing().map(|m| {
        let counted = match m.expected {
            0 => String::new(),
            expected => format!(" ({} of {expected} {})", m.seen, m.unit),
        };
        let effect = if m.effect.is_empty() { String::new() } else { format!(" -> {}", m.effect) };
        wrap(" ", &format!("{}{counted}: {}.{effect}", m.source, m.what.join("; ")))
    });
    let text = Body {
        r,
        said: &said,
        wanted: wanted.collect(),
        sections: sections.collect(),
        not_seen: not_seen.collect(),
    }
    .render()?;
    let html = BodyHtml { subject: &subject, r, said: &said }.render()?;
    Ok(Words { subject, text, html: Some(html) })
}

/// Whether a date of the law is one of the next 31 days.
fn within_a_month(r: &Report, zone: &Zone, day: &str) -> bool {
    zone.days(r.as_of.at, r.as_of.at.plus_days(31)).iter().any(|(t, _)| zone.day(*t) == day)
}

fn estate_line(r: &Report) -> String {
    if r.systems.is_empty() {
        return "No AI system is known.".into();
    }
    let of = |l: &&LevelRow| l.systems > 0 && l.level != "all";
    let levels: Vec<String> =
        r.levels.iter().filter(of).map(|l| format!("{} {}", l.systems, l.level)).collect();
    let disputed = r.systems.iter().filter(|s| s.risk_level.disputed).count() as u64;
    let disputed = if disputed > 0 { format!(" ({disputed} disputed)") } else { String::new() };
    let stray = match r.totals.unregistered {
        0 => String::new(),
        n => format!("; {n} not registered"),
    };
    format!("{}: {}{disputed}{stray}.", count(r.totals.systems, "AI system", "AI systems"), levels.join(", "))
}

#[derive(Template)]
#[template(path = "mail/checkpoint/subject.txt")]
struct CheckpointSubject<'a> {
    r: &'a Report,
}

#[derive(Template)]
#[template(path = "mail/checkpoint/body.txt")]
struct CheckpointBody<'a> {
    r: &'a Report,
    note: &'a str,
}

/// The mail to a witness: a checkpoint and what it is for.
///
/// # Errors
/// The template's reason.
pub fn checkpoint(r: &Report, note: &str) -> Result<Words, askama::Error> {
    let subject = CheckpointSubject { r }.render()?.trim().to_owned();
    Ok(Words { subject, text: CheckpointBody { r, note: note.trim_end() }.render()?, html: None })
}

#[derive(Template)]
#[template(path = "mail/without/subject.txt")]
struct WithoutSubject<'a> {
    organization: &'a str,
    day: &'a str,
    is_broken: bool,
}

#[derive(Template)]
#[template(path = "mail/without/body.txt")]
struct WithoutBody<'a> {
    sentence: &'a str,
    is_broken: bool,
}

/// The mail of a night without a report, from config and error alone: the record does not verify, or the report cannot be made.
///
/// # Errors
/// The template's reason.
pub fn without(organization: &str, day: &str, why: &str, is_broken: bool) -> Result<Words, askama::Error> {
    let subject = WithoutSubject { organization, day, is_broken }.render()?.trim().to_owned();
    let sentence = wrap(if is_broken { "" } else { " " }, why);
    Ok(Words { subject, text: WithoutBody { sentence: &sentence, is_broken }.render()?, html: None })
}

/// Text after a head, in lines of at most 78 characters, the next lines indented to the head.
fn wrap(head: &str, text: &str) -> String {
    let indent = " ".repeat(head.chars().count());
    let (mut out, mut width) = (head.to_owned(), head.chars().count());
    for (i, word) in text.split_whitespace().enumerate() {
        let long = word.chars().count();
        if i > 0 && width + 1 + long > WIDTH {
            out.push('\n');
            out.push_str(&indent);
            width = indent.len();
        } else if i > 0 {
            out.push(' ');
            width += 1;
        }
        out.push_str(word);
        width += long;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn lines_are_short_and_indented() {
        let text = wrap(" today   ", &"word ".repeat(40));
        assert!(text.lines().all(|l| l.chars().count() <= 78), "{text}");
        assert!(text.lines().skip(1).all(|l| l.starts_with("         word")));
    }
}
