//! Charts as SVG, the same in HTML and PDF: drawn in one colour, told apart by shape, and told in words beside them.

use super::local::Zone;
use super::model::{Coverage, Lane, Report, System, Timeline};
use crate::evidence::{DAY, Time, shortened};
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// A drawing and what it shows in words.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Chart {
    /// SVG 1.1, self-contained.
    pub svg: String,
    /// The same in a sentence or two.
    pub alt: String,
}

/// Width of every chart, in its own units; the text in it is made for 18 cm.
const WIDTH: f64 = 760.0;
const FONT: &str = "font-family=\"Libertinus Serif, Georgia, serif\" font-size=\"12\" fill=\"currentColor\"";

/// A drawing that grows line by line.
struct Drawing(String);

impl Drawing {
    fn new(height: f64, alt: &str) -> Drawing {
        Drawing(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
             role=\"img\" aria-label=\"{}\" {FONT}>",
            escaped(alt)
        ))
    }
    fn text(&mut self, x: f64, y: f64, anchor: &str, text: &str) {
        let _ = write!(
            self.0,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>",
            escaped(text)
        );
    }
    fn line(&mut self, from: (f64, f64), to: (f64, f64), style: &str) {
        let ((x1, y1), (x2, y2)) = (from, to);
        let _ = write!(
            self.0,
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"currentColor\" {style}/>"
        );
    }
    fn rect(&mut self, at: (f64, f64), size: (f64, f64), style: &str) {
        let ((x, y), (w, h)) = (at, size);
        let _ = write!(
            self.0,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{h:.1}\" {style}/>",
            w.max(1.0)
        );
    }
    fn steps(&mut self, points: &[(f64, f64)], style: &str) {
        let mut path = String::new();
        for (i, (x, y)) in points.iter().enumerate() {
            let _ = if i == 0 { write!(path, "M{x:.1} {y:.1}") } else { write!(path, "H{x:.1}V{y:.1}") };
        }
        let _ = write!(self.0, "<path d=\"{path}\" fill=\"none\" stroke=\"currentColor\" {style}/>");
    }
    fn end(mut self, alt: String) -> Chart {
        self.0.push_str("</svg>");
        Chart { svg: self.0, alt }
    }
}

fn escaped(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Numbers of this size are exact.
#[expect(clippy::cast_precision_loss, reason = "places in a drawing")]
fn f(n: u64) -> f64 {
    n as f64
}

/// Open and not assessed findings of the whole estate, night by night; none for a single night.
pub fn trend(r: &Report) -> Option<Chart> {
    let zone = Zone::named(&r.timezone);
    let levels: Vec<_> = r.trends.rows.iter().filter(|t| t.of == "level").collect();
    let nights = r.trends.nights.len();
    if nights < 2 || levels.is_empty() {
        return None;
    }
    let sum = |of: fn(&super::model::Trend) -> &Vec<u64>| -> Vec<u64> {
        (0..nights).map(|n| levels.iter().filter_map(|t| of(t).get(n)).sum()).collect()
    };
    let (open, not_assessed) = (sum(|t| &t.open), sum(|t| &t.not_assessed));
    let most = open.iter().chain(&not_assessed).copied().max().unwrap_or_default().max(1);
    let (left, right, top, bottom) = (40.0, 610.0, 12.0, 132.0);
    let x = |n: usize| left + (right - left) * f(n as u64) / f(nights as u64);
    let y = |value: u64| bottom - (bottom - top) * f(value) / f(most);
    let [first, last] = [r.trends.nights.first(), r.trends.nights.last()]
        .map(|t| t.map_or_else(String::new, |t| zone.short_day(*t)));
    let told = |name: &str, numbers: &[u64]| {
        let (from, to) =
            (numbers.first().copied().unwrap_or_default(), numbers.last().copied().unwrap_or_default());
        format!("{name}: {from} on {first}, {to} on {last}.")
    };
    let alt = format!(
        "Findings of all systems in {nights} nights. {} {}",
        told("Open", &open),
        told("Not assessed", &not_assessed)
    );
    let mut d = Drawing::new(156.0, &alt);
    for value in [0, most.div_ceil(2), most] {
        d.line((left, y(value)), (right, y(value)), "stroke-width=\"0.5\" opacity=\"0.35\"");
        d.text(left - 6.0, y(value) + 4.0, "end", &value.to_string());
    }
    let points = |numbers: &[u64]| {
        let nights = numbers.iter().chain(numbers.last()).enumerate();
        nights.map(|(n, v)| (x(n), y(*v))).collect::<Vec<_>>()
    };
    d.steps(&points(&open), "stroke-width=\"2.2\"");
    d.steps(&points(&not_assessed), "stroke-width=\"1.6\" stroke-dasharray=\"4 3\"");
    let [o, n] = [&open, &not_assessed].map(|l| l.last().copied().unwrap_or_default());
    // Labels that would lie on each other move apart.
    let (mut high, mut low) = (y(o.max(n)) + 4.0, y(o.min(n)) + 4.0);
    if low - high < 14.0 {
        (high, low) = (high - 7.0 + (low - high) / 2.0, high + 7.0 + (low - high) / 2.0);
    }
    let (y_open, y_not) = if o >= n { (high, low) } else { (low, high) };
    d.text(right + 8.0, y_open, "start", &format!("{o} open (solid)"));
    d.text(right + 8.0, y_not, "start", &format!("{n} not assessed (dashed)"));
    d.text(left, 150.0, "start", &first);
    d.text(right, 150.0, "end", &last);
    Some(d.end(alt))
}

/// What was seen of each source on each day of the window.
pub fn calendar(all: &[Coverage]) -> Option<Chart> {
    // The register is read, not watched: its days say nothing.
    let coverage: Vec<&Coverage> = all.iter().filter(|c| c.kind != "register").collect();
    let days = coverage.iter().map(|c| c.calendar.len()).max().unwrap_or_default();
    if days == 0 {
        return None;
    }
    let begin = coverage.iter().filter_map(|c| c.calendar.first()).map(|d| d.begin).min()?;
    let end = coverage.iter().filter_map(|c| c.calendar.last()).map(|d| d.begin).max()?;
    let span = usize::try_from((end.seconds() - begin.seconds() + 43_200) / DAY).unwrap_or_default() + 1;
    let (left, right, row) = (130.0, 750.0, 22.0);
    let width = (right - left) / f(span as u64);
    let names = |c: &Coverage, state: &str| {
        let days: Vec<&str> =
            c.calendar.iter().filter(|d| d.state == state).map(|d| d.day.as_str()).collect();
        let more = days.len().saturating_sub(6);
        format!(
            "{}{}",
            days[..days.len().min(6)].join(", "),
            if more > 0 { format!(" and {more} more") } else { String::new() }
        )
    };
    let told = coverage.iter().map(|c| match (names(c, "part"), names(c, "none")) {
        _ if c.calendar.is_empty() => format!("{}: not read in the window.", c.source),
        (part, none) if part.is_empty() && none.is_empty() => format!("{}: every day whole.", c.source),
        (part, none) if none.is_empty() => format!("{}: in part on {part}.", c.source),
        (part, none) if part.is_empty() => format!("{}: nothing on {none}.", c.source),
        (part, none) => format!("{}: in part on {part}; nothing on {none}.", c.source),
    });
    let alt = format!("What was seen of each source, day by day. {}", told.collect::<Vec<_>>().join(" "));
    let mut d = Drawing::new(row * f(coverage.len() as u64) + 40.0, &alt);
    for (i, c) in coverage.iter().enumerate() {
        let y = row * f(i as u64) + 4.0;
        d.text(left - 8.0, y + 12.0, "end", &shortened(&c.source, 18));
        for day in &c.calendar {
            let n = (day.begin.seconds() - begin.seconds() + 43_200) / DAY;
            let x = left + width * f(u64::try_from(n).unwrap_or_default());
            let (w, h) = (width - 2.0, row - 6.0);
            d.rect((x, y), (w, h), "fill=\"none\" stroke=\"currentColor\" stroke-width=\"0.6\"");
            match day.state {
                "seen" => d.rect((x, y), (w, h), "fill=\"currentColor\" fill-opacity=\"0.55\""),
                "part" => {
                    d.rect((x, y + h / 2.0), (w, h / 2.0), "fill=\"currentColor\" fill-opacity=\"0.55\"")
                }
                _ => d.line((x, y + h), (x + w, y), "stroke-width=\"0.9\""),
            }
        }
    }
    let foot = row * f(coverage.len() as u64) + 16.0;
    let day = |c: Option<&super::model::Day>| c.map(|d| d.day.clone()).unwrap_or_default();
    d.text(
        left,
        foot,
        "start",
        &day(coverage.iter().filter_map(|c| c.calendar.first()).min_by_key(|d| d.begin)),
    );
    d.text(
        right,
        foot,
        "end",
        &day(coverage.iter().filter_map(|c| c.calendar.last()).max_by_key(|d| d.begin)),
    );
    d.text(
        left,
        foot + 16.0,
        "start",
        "filled: whole   ·   half filled: in part   ·   struck out: nothing seen   ·   no box: not asked",
    );
    Some(d.end(alt))
}

/// What happened to a system, all planes on one axis of time.
pub fn timeline(s: &System, zone: &Zone) -> Option<Chart> {
    let Timeline { from, to, lanes } = &s.timeline;
    if lanes.is_empty() || to <= from {
        return None;
    }
    let (left, right, row) = (116.0, 500.0, 26.0);
    let whole = (to.seconds() - from.seconds()).max(1);
    let x = |t: Time| {
        let part = (t.seconds() - from.seconds()).clamp(0, whole);
        left + (right - left) * f(part.unsigned_abs()) / f(whole.unsigned_abs())
    };
    let told: Vec<String> = lanes.iter().map(|l| format!("{}: {}.", l.name, l.told)).collect();
    let alt = format!("{} from {} to {}. {}", s.name, zone.day(*from), zone.day(*to), told.join(" "));
    let bottom = row * f(lanes.len() as u64) + 4.0;
    let mut d = Drawing::new(bottom + 18.0, &alt);
    for (i, lane) in lanes.iter().enumerate() {
        let y = row * f(i as u64) + 14.0;
        d.text(0.0, y + 4.0, "start", lane.name);
        d.line((left, y), (right, y), "stroke-width=\"0.4\" opacity=\"0.4\"");
        draw(&mut d, lane, y, x);
        d.text(right + 10.0, y + 4.0, "start", &shortened(&lane.told, 46));
    }
    let days = (whole + 43_200) / DAY;
    for n in 0..=4 {
        let t = from.plus_seconds(whole * n / 4);
        let anchor = if n == 0 {
            "start"
        } else if n == 4 {
            "end"
        } else {
            "middle"
        };
        if n == 0 || n == 4 || days >= 4 {
            d.text(x(t), bottom + 14.0, anchor, &zone.short_day(t));
        }
    }
    Some(d.end(alt))
}

fn draw(d: &mut Drawing, lane: &Lane, y: f64, x: impl Fn(Time) -> f64) {
    for (i, bar) in lane.bars.iter().enumerate() {
        let (from, to) = (x(bar.from), x(bar.to));
        // Bars that follow each other are told apart by their height, never by colour.
        let (up, high) = if lane.bars.len() > 1 && i % 2 == 1 { (4.0, 8.0) } else { (6.0, 12.0) };
        d.rect(
            (from, y - up),
            (to - from, high),
            "fill=\"currentColor\" fill-opacity=\"0.25\" stroke=\"currentColor\" stroke-width=\"0.7\"",
        );
        if to - from > 7.0 * f(bar.label.chars().count() as u64) {
            d.text((from + to) / 2.0, y + 4.0, "middle", &bar.label);
        }
    }
    for gap in &lane.gaps {
        let (from, to) = (x(gap.from), x(gap.to));
        d.rect(
            (from, y - 6.0),
            ((to - from).max(3.0), 12.0),
            "fill=\"#ffffff\" stroke=\"currentColor\" stroke-width=\"0.9\"",
        );
        d.line((from, y + 6.0), (from + (to - from).max(3.0), y - 6.0), "stroke-width=\"0.9\"");
    }
    for point in &lane.points {
        let at = x(*point);
        let _ = write!(d.0, "<circle cx=\"{at:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"currentColor\"/>");
    }
}
