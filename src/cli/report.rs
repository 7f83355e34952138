//! `actledger assess`, `report`, `export`

use super::args::{Export, Report};
use super::{CliError, Ended, output};
use crate::act::Status;
use crate::evidence::sha256_hex;
use crate::jobs::{self, AsOf, Desk, Request};
use crate::report::{Scope, Span, Zone, model, pdf};
use anyhow::Context;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

pub(super) fn assess(desk: &Desk) -> Result<Ended, CliError> {
    let _lock = desk.lock("report")?;
    let mut store = desk.store()?;
    let status = jobs::assess(desk, &mut store, false)?;
    for differs in &status.state_differs {
        output::line(format!("state.db was changed by somebody else and is built anew: {differs}"));
    }
    output::line(format!(
        "As of entry {}: {} open, {} transitions written.",
        status.as_of, status.open, status.changes
    ));
    Ok(if status.state_differs.is_empty() { Ended::Well } else { Ended::Something })
}

/// Sets a PDF from standard input to standard output, with a limit of memory.
pub(super) fn set_pdf() -> Result<Ended, CliError> {
    jobs::confine().context("limit of memory")?;
    let manuscript =
        serde_json::from_reader(std::io::stdin().lock()).context("standard input is no manuscript")?;
    let bytes = pdf::set(manuscript).context("it cannot be set")?;
    std::io::stdout().lock().write_all(&bytes).context("standard output")?;
    Ok(Ended::Well)
}

/// SIZE, TIME or a file with a checkpoint.
pub(super) fn as_of(text: &str) -> Result<AsOf, CliError> {
    if let Ok(size) = text.parse() {
        return Ok(AsOf::Size(size));
    }
    if let Ok(time) = text.parse() {
        return Ok(AsOf::Time(time));
    }
    let read = std::fs::read_to_string(text);
    read.map(AsOf::Checkpoint)
        .map_err(|e| CliError::Usage(format!("--as-of {text}: neither a size, a time nor a file ({e})")))
}

/// `--from` and `--to`: days in the zone of the organisation, from the beginning of one to the end of the other, or times.
pub(super) fn span(desk: &Desk, from: Option<&String>, to: Option<&String>) -> Result<Span, CliError> {
    let text = |text: Option<&String>| text.cloned().unwrap_or_default();
    let span = Zone::named(&desk.config.timezone).between(&text(from), &text(to));
    span.map_err(|why| CliError::Usage(format!("--{why}")))
}

pub(super) fn run(desk: &Desk, o: &Report) -> Result<Ended, CliError> {
    let known = ["html", "pdf", "json", "csv", "oscal", "ocsf"];
    if let Some(f) = o.format.iter().find(|f| !known.contains(&f.as_str())) {
        return Err(CliError::Usage(format!("--format {f}: one of {}", known.join(", "))));
    }
    let fail_on = o.fail_on.as_deref().map(status).transpose()?;
    let _lock = desk.lock("report")?;
    let mut store = desk.store()?;
    let (from, to) = span(desk, o.from.as_ref(), o.to.as_ref())?;
    let question = match (&o.as_of, to) {
        (Some(text), _) => as_of(text)?,
        (None, Some(t)) => AsOf::Time(t),
        (None, None) => {
            jobs::assess(desk, &mut store, false)?;
            AsOf::Latest
        }
    };
    let size = jobs::resolve(desk, &store, &question)?;
    let (systems, team) = (o.systems.clone(), o.team.clone());
    let scope = Scope { systems, team, from };
    let make_folder =
        || std::fs::create_dir_all(&o.out).with_context(|| format!("cannot make {}", o.out.display()));
    if scope == Scope::default()
        && fail_on.is_none()
        && let Some(jobs::AsIssued { files, verified_at }) = jobs::as_issued(desk, &store, size, &o.format)?
    {
        let zone = Zone::named(&desk.config.timezone);
        output::line(format!(
            "As of entry {size}, as issued on {}: all entries below it were verified then, and not again now.",
            zone.minute(verified_at)
        ));
        make_folder()?;
        return put(&o.out, &files).map(|()| Ended::Well);
    }
    let rendered = jobs::render(desk, &store, &jobs::Judged::of(desk, &store, size)?, &scope, &o.format)?;
    there(&rendered.report, &scope)?;
    make_folder()?;
    output::line(format!("As of entry {size}, judged from {}.", rendered.report.as_of.at_local));
    put(&o.out, &rendered.files)?;
    if !rendered.lacks.is_empty() {
        return Err(jobs::JobError::Render(rendered.lacks.join("; ")).into());
    }
    let t = rendered.report.totals;
    output::line(format!(
        "{} checks: {} satisfied, {} not, {} not assessed, {} not applicable.",
        t.checks, t.counts.satisfied, t.counts.not_satisfied, t.counts.not_assessed, t.counts.not_applicable
    ));
    let mut all = rendered.report.findings();
    Ok(if fail_on.is_some_and(|s| all.any(|f| f.status == s)) { Ended::FailOn } else { Ended::Well })
}

/// Writes the files of a report and tells their digests.
fn put(out: &Path, files: &BTreeMap<String, Vec<u8>>) -> Result<(), CliError> {
    for (name, bytes) in files {
        let path = out.join(name);
        jobs::put(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
        // The digests of pages stand in their SHA256SUMS.
        if !name.ends_with(".html") || name == "report.html" {
            output::line(format!("{}  {}", sha256_hex(bytes), path.display()));
        }
    }
    Ok(())
}

fn status(text: &str) -> Result<Status, CliError> {
    let all = [Status::NotSatisfied, Status::NotAssessed, Status::Satisfied, Status::NotApplicable];
    all.into_iter().find(|s| s.name() == text).ok_or_else(|| {
        CliError::Usage(format!("--fail-on {text}: one of {}", all.map(Status::name).join(", ")))
    })
}

/// Refuses a system or a team that a report of them does not know.
fn there(report: &model::Report, scope: &Scope) -> Result<(), CliError> {
    let unknown = scope.systems.iter().find(|id| !report.systems.iter().any(|s| s.id == **id));
    let has = |team: &String| report.systems.iter().any(|s| s.team == *team);
    let said = match unknown {
        Some(id) => format!("no system is named {id:?} as of entry {}", report.as_of.size),
        None if scope.team.as_ref().is_some_and(|team| !has(team)) => "no system belongs to this team".into(),
        None => return Ok(()),
    };
    Err(CliError::Usage(said))
}

pub(super) fn export(desk: &Desk, o: &Export) -> Result<Ended, CliError> {
    let _lock = desk.lock("report")?;
    let mut store = desk.store()?;
    let question = o.as_of.as_deref().map(as_of).transpose()?;
    let question = match question {
        Some(question) => question,
        None => {
            if matches!(jobs::resolve(desk, &store, &AsOf::Latest), Err(jobs::JobError::AsOf(_))) {
                jobs::assess(desk, &mut store, false)?;
            }
            AsOf::Latest
        }
    };
    let (from, to) = span(desk, o.from.as_ref(), o.to.as_ref())?;
    let request = Request {
        from,
        to,
        systems: o.systems.clone(),
        controls: o.controls.clone(),
        redact: o.redact,
        viewer: None,
    };
    let size = jobs::resolve(desk, &store, &question)?;
    let scope = Scope { systems: o.systems.clone(), ..Scope::default() };
    if !scope.is_whole() {
        there(&jobs::view(desk, &store, size, &scope)?, &scope)?;
    }
    if let Some(id) = o.controls.iter().find(|id| desk.catalogue.control(id).is_none()) {
        return Err(CliError::Usage(format!("no control is named {id:?}")));
    }
    let exported = jobs::export(desk, &mut store, &question, &request, &|_| {})?;
    jobs::put(&o.out, &exported.bytes).with_context(|| format!("cannot write {}", o.out.display()))?;
    output::line(format!("{}  {}", sha256_hex(&exported.bytes), o.out.display()));
    output::line(format!(
        "{} entries, as of entry {}. Check it without us: unzip it, then python3 verify.py .",
        exported.entries, exported.as_of
    ));
    Ok(Ended::Well)
}
