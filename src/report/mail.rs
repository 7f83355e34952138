//! The words of mails: subject, text and HTML. Templates place what the view model says.

use super::local::Zone;
use super::model::{LevelRow, Report, WHOLE};
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
    /// When they are too large to be attached: their bytes, the limit, and the folder of the reports where they are kept.
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
    new: usize,
    resolved: usize,
    reopened: usize,
    lost: usize,
}

#[derive(Template)]
#[template(path = "mail/report/body.txt")]
struct Body<'a> {
    r: &'a Report,
    about: Option<String>,
    estate: &'a str,
    wanted: Vec<String>,
    more: usize,
    lost: usize,
    sections: Vec<(&'static str, Vec<String>)>,
    not_seen: Vec<String>,
    note: &'a str,
    files: &'a Files,
    url: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "mail/report/body.html")]
struct BodyHtml<'a> {
    subject: &'a str,
    text: &'a str,
}

/// The nightly mail.
///
/// # Errors
/// The template's reason.
pub fn report(r: &Report, note: &str, files: &Files, url: Option<&str>) -> Result<Words, askama::Error> {
    let zone = Zone::named(&r.timezone);
    let day = zone.short_day(r.period.to);
    let of = |what: &str| r.changes.iter().filter(|c| c.what == what).count();
    let (new, resolved, reopened, lost) = (of("new"), of("resolved"), of("reopened"), of("not assessed"));
    let subject = Subject { r, day: &day, new, resolved, reopened, lost }.render()?;
    let wanted = r.wanted.iter().take(TOLD).map(|w| {
        let text = format!("{}, {} ({}): {}. {}. {}.", w.told(), w.level, w.marks(), w.what, w.who, w.duty);
        wrap(&format!(" {:<8} ", w.when), &text)
    });
    let sections = [
        ("NEW SINCE THE LAST REPORT", "new", '+'),
        ("REOPENED", "reopened", '*'),
        ("RESOLVED", "resolved", '-'),
        ("NO LONGER KNOWN", "unknown", '?'),
    ];
    let sections = sections.into_iter().map(|(title, what, sign)| {
        let lines = r.changes.iter().filter(|c| c.what == what).map(|c| {
            let system = if c.system.is_empty() { "estate" } else { &c.system };
            wrap(&format!(" {sign} "), &format!("{system} (#{}), {}: {}", c.number, c.control, c.note))
        });
        (title, lines.collect::<Vec<_>>())
    });
    let text = Body {
        r,
        about: (r.about != WHOLE).then(|| wrap("", &format!("Only {}.", r.about))),
        estate: &estate_line(r),
        wanted: wanted.collect(),
        more: r.wanted.len().saturating_sub(TOLD),
        lost,
        sections: sections
            .filter(|(t, l)| !l.is_empty() || ["NEW SINCE THE LAST REPORT", "RESOLVED"].contains(t))
            .collect(),
        not_seen: r.not_seen.iter().map(|l| wrap(" ", l)).collect(),
        note: note.trim_end(),
        files,
        url,
    }
    .render()?;
    let subject = subject.trim().to_owned();
    let html = BodyHtml { subject: &subject, text: &text }.render()?;
    Ok(Words { subject, text, html: Some(html) })
}

fn estate_line(r: &Report) -> String {
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
