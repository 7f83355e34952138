//! `actledger check`

use super::{CliError, Ended, output};
use crate::act::SourceKind;
use crate::assessment::Facts;
use crate::config::{Source, cron};
use crate::jobs::{self, Desk, Tried};
use crate::mail::Transport;
use crate::report::Zone;
use crate::sources::{Context, Gathered, files, gather};
use crate::store::Reader;
use serde_json::{Value, json};

/// State of what cannot be tried.
const UNTRIED: &str = "-";

struct Line {
    what: String,
    name: String,
    state: &'static str,
    said: String,
    more: Vec<String>,
}

fn line(what: &str, name: impl Into<String>, ok: bool, said: impl Into<String>) -> Line {
    let state = if ok { "ok" } else { "PART" };
    Line { what: what.into(), name: name.into(), state, said: said.into(), more: Vec::new() }
}

pub(super) fn run(desk: &Desk, as_json: bool) -> Result<Ended, CliError> {
    let mut lines = vec![config(desk), key(desk), ledger(desk)];
    lines.extend(sources(desk));
    lines.push(register(desk));
    lines.push(mail(desk));
    lines.extend(archive(desk));
    let (stubs, idle) = stubs(desk);
    if let Some(register) = lines.iter_mut().find(|l| l.what == "register") {
        register.more.extend(idle.iter().map(|id| format!("{id}: nothing that was seen belongs to it")));
    }
    let zone = Zone::named(&desk.config.timezone);
    let next = |e: &str| {
        cron::next(e, &desk.config.timezone, desk.clock.now())
            .map_or_else(|| "never".into(), |t| zone.minute(t))
    };
    let (ingest, report) = (next(&desk.config.schedule.ingest), next(&desk.config.schedule.report));
    let tried = lines.iter().filter(|l| l.state != UNTRIED).count();
    let parts = lines.iter().filter(|l| l.state == "PART").count();
    if as_json {
        let rows: Vec<Value> = lines
            .iter()
            .map(
                |l| json!({"what": l.what, "name": l.name, "state": l.state, "said": l.said, "more": l.more}),
            )
            .collect();
        output::json(
            &json!({ "checks": rows, "stubs": stubs, "next": { "ingest": ingest, "report": report } }),
        );
    } else {
        for l in &lines {
            output::line(format!("{:<15} {:<21} {:<5} {}", l.what, l.name, l.state, l.said));
            l.more.iter().for_each(|m| output::line(format!("                {m}")));
        }
        if !stubs.is_empty() {
            output::line("\nSeen and not registered. If it is yours, add to the register:");
            stubs.iter().for_each(|s| output::line(format!("\n{s}")));
        }
        output::line(format!("\nnext runs   ingest {ingest} · report {report} ({})", desk.config.timezone));
        output::line(format!("{} of {tried} are well.", tried - parts));
    }
    Ok(if parts == 0 { Ended::Well } else { Ended::Something })
}

fn config(desk: &Desk) -> Line {
    let (sources, lists) = (desk.config.sources().count(), desk.config.mail.len());
    let register = if desk.config.register.is_some() { "a register" } else { "no register" };
    let said = format!("{sources} sources, {lists} mail lists, {register}");
    let mut l =
        line("config", &desk.config.organization, sources > 0 && desk.config.register.is_some(), said);
    if sources == 0 {
        l.more.push("no source is configured: nothing can be seen".into());
    }
    l
}

/// Whether the ledger is signed by this key, and whether the line that auditors are given is its own.
fn key(desk: &Desk) -> Line {
    let (path, vkey) = (&desk.config.ledger.signing_key, desk.signer.verifier().vkey());
    let public = path.with_extension("vkey");
    let told = std::fs::read_to_string(&public).ok();
    let is_other = told.is_some_and(|told| told.trim() != vkey);
    let signs = Reader::open(&desk.config.ledger.path).and_then(|r| r.in_force(desk.signer.verifier()));
    let is_strange = matches!(signs, Ok(false));
    let mut l = line("key", &desk.config.ledger.origin, !is_other && !is_strange, vkey.as_str());
    l.more.extend(
        is_strange.then(|| "the ledger is signed by another key: nothing can be appended".to_owned()),
    );
    let other = format!(
        "{} says another one, of another key or another origin: put this line there",
        public.display()
    );
    l.more.extend(is_other.then_some(other));
    l
}

/// What is written there stays, so nothing is tried.
fn archive(desk: &Desk) -> Option<Line> {
    let archive = desk.config.archive.as_ref()?;
    let said =
        "not tried, as what is written there stays: the log of the first ingest says whether it was taken";
    Some(Line { state: UNTRIED, ..line("archive", &archive.location, true, said) })
}

fn ledger(desk: &Desk) -> Line {
    let path = &desk.config.ledger.path;
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    if !path.exists() {
        return line("ledger", name, true, "not there yet: the first ingest makes it");
    }
    match Reader::open(path).and_then(|r| r.size()) {
        Ok(size) => line("ledger", name, true, format!("{size} entries; `actledger verify` checks them")),
        Err(e) => line("ledger", name, false, e.to_string()),
    }
}

/// Parses the register and names what is no statement, with its line.
fn register(desk: &Desk) -> Line {
    let register = match jobs::register_now(desk) {
        Ok(register) => register,
        Err(why) => return line("register", "systems", false, why),
    };
    let odd = register.remarks(&desk.catalogue);
    let (systems, decisions) = (register.systems.len(), register.decisions.len());
    let mut l =
        line("register", "systems", odd.is_empty(), format!("{systems} systems, {decisions} decisions"));
    l.more = odd.iter().map(ToString::to_string).collect();
    l
}

/// What each source shows now. Nothing is written.
fn sources(desk: &Desk) -> Vec<Line> {
    desk.config.sources().map(|(kind, source)| of_source(desk, kind, source)).collect()
}

fn of_source(desk: &Desk, kind: SourceKind, source: &Source) -> Line {
    let of = |ok, said| line(kind.name(), &source.name, ok, said);
    if !source.collect {
        return of(false, format!("switched off: {}", source.reason.as_deref().unwrap_or_default()));
    }
    let tried = if source.is_folder() {
        newest(desk, kind, source)
    } else {
        jobs::tried(desk, kind, source).map(Some)
    };
    match tried {
        Ok(Some(Tried { said, gathered })) => {
            let mut l = of(gathered.gaps.is_empty() && gathered.counts.quarantined == 0, said);
            l.more = remarks(&gathered);
            l
        }
        Ok(None) => of(false, "no look".into()),
        Err(why) => {
            let mut l = of(false, why);
            l.more.push(lost(desk, kind));
            l
        }
    }
}

/// What the newest look in a folder shows; none where there is no look.
fn newest(desk: &Desk, kind: SourceKind, source: &Source) -> Result<Option<Tried>, String> {
    let looks = files::looks(&source.folder(&desk.config.base))?;
    let Some(last) = looks.last() else { return Ok(None) };
    let context = Context::new(source, desk.watched());
    let gathered = gather(kind, &context, last.at, desk.clock.now(), files::read(last));
    let when = if last.at.is_some() { last.name.as_str() } else { "look time unknown" };
    let said = format!("{} looks, newest {when}: {}", looks.len(), gathered.read);
    Ok(Some(Tried { said, gathered }))
}

fn remarks(g: &Gathered) -> Vec<String> {
    let faults = g.faults.iter().take(5).map(|f| format!("{} {}: {}", f.file, f.place, f.what));
    faults
        .chain(g.gaps.iter().take(5).map(|t| format!("missing: {t}")))
        .chain(g.truncated.iter().cloned())
        .collect()
}

/// What cannot be judged without a source.
fn lost(desk: &Desk, kind: SourceKind) -> String {
    let needs = desk.catalogue.controls.iter().filter(|c| c.needed.contains(&kind));
    let names: Vec<&str> = needs.map(|c| c.id.as_str()).collect();
    format!("until then not assessed: {}", names.join(", "))
}

fn mail(desk: &Desk) -> Line {
    let Some(smtp) = &desk.config.smtp else {
        return line("mail", "-", desk.config.mail.is_empty(), "no [smtp]: nobody is told by mail");
    };
    match Transport::of(smtp).and_then(|t| t.probe()) {
        Ok(()) => {
            line("mail", smtp.url.split("://").next().unwrap_or("mail"), true, "reached; nothing was sent")
        }
        Err(e) => line("mail", "smtp", false, e.to_string()),
    }
}

/// Register entries for discovered systems, and registered ones to which nothing belongs, as of the last assessment.
fn stubs(desk: &Desk) -> (Vec<String>, Vec<String>) {
    let none = || (Vec::new(), Vec::new());
    let Ok(reader) = Reader::open(&desk.config.ledger.path) else { return none() };
    let mut facts = Facts::default();
    let Ok(size) = reader.size() else { return none() };
    let folded = reader.each(0, size, |mut p| {
        p.entry = reader.with_blobs(p.entry)?;
        facts.fold(&p);
        Ok(())
    });
    let (Ok(()), Some(run)) = (folded, facts.own.runs.last().map(|r| r.value.clone())) else {
        return none();
    };
    let estate = crate::assessment::Estate::of(&facts, &desk.catalogue, &run);
    let idle = estate.systems.values().filter(|s| s.is_idle()).map(|s| s.id.clone());
    let discovered = estate.systems.values().filter(|s| s.registered.is_none());
    let stubs = discovered
        .map(|s| {
            let name = s.id.rsplit(':').next().unwrap_or(&s.id);
            format!(
                "[[system]]\nid = \"{name}\"\nadopts = [\"{}\"]\nteam = \"\"          # who answers for it\nrisk_level = \"\"    # prohibited, high, limited, minimal\nrole = \"\"          # provider, deployer, both",
                s.id
            )
        })
        .collect();
    (stubs, idle.collect())
}
