//! `actledger ingest`

use super::args::Ingest;
use super::output::{self, Progress};
use super::{CliError, Ended};
use crate::config::Source;
use crate::evidence::Time;
use crate::jobs::{self, Desk, SourceStatus};

/// Most characters of what was not seen that stand in the table.
const SHORT: usize = 60;

pub(super) fn run(desk: &Desk, options: &Ingest) -> Result<Ended, CliError> {
    let known: Vec<&str> = desk.config.sources().map(|(_, s)| s.name.as_str()).chain(["register"]).collect();
    if let Some(name) = options.names.iter().find(|n| !known.contains(&n.as_str())) {
        return Err(CliError::Usage(format!("no source is named {name:?}; there are {}", known.join(", "))));
    }
    let _lock = desk.lock(if desk.config.demo.is_some() { "demo" } else { "ingest" })?;
    let mut store = desk.store()?;
    jobs::intact(desk, &store)?;
    let progress = Progress::new();
    let step = |name: &str, done, all| progress.step(name, done, all);
    let status = match again(desk, options)? {
        Some((source, from)) => jobs::ingest_again(desk, &mut store, &source, from, &step)?,
        None if options.hash => jobs::ingest_hashing(desk, &mut store, &buckets(desk, options)?, &step)?,
        None => jobs::ingest(desk, &mut store, &options.names, &step)?,
    };
    progress.finish();
    let ended = if status.failed() { Ended::Something } else { Ended::Well };
    if options.json {
        output::json(&status);
        return Ok(ended);
    }
    let head =
        ["source", "read", "new entries", "kept", "quarantined", "refused", "not seen"].map(str::to_owned);
    let mut rows = vec![head.to_vec()];
    rows.extend(status.sources.iter().map(row));
    output::table(&rows);
    let complete = status.sources.iter().filter(|s| s.failed.is_none()).count();
    let size = status.size;
    output::line(format!(
        "{complete} of {} sources read, {} new entries. Size {size}.",
        status.sources.len(),
        status.entries
    ));
    for s in &status.sources {
        not_seen(s);
        faults(s);
    }
    output::line("Next: actledger report");
    Ok(ended)
}

/// The one source that is to be read once more, and from when on.
fn again(desk: &Desk, options: &Ingest) -> Result<Option<(Source, Time)>, CliError> {
    let Some(from) = options.from.as_deref().filter(|_| options.again) else { return Ok(None) };
    let from: Time = from.parse().map_err(|e| CliError::Usage(format!("--from {from}: {e}")))?;
    if from > desk.clock.now() {
        return Err(CliError::Usage(format!("--from {from} is in the future")));
    }
    let [name] = options.names.as_slice() else {
        return Err(CliError::Usage("--again reads one source: ingest NAME --again --from T".into()));
    };
    let source = desk.config.flow_logs.iter().find(|s| s.name == *name);
    let source = source.ok_or_else(|| CliError::Usage(format!("{name} is no source of flow logs")))?;
    Ok(Some((source.clone(), from)))
}

/// Sources whose files are hashed: those that are named, or all.
fn buckets(desk: &Desk, options: &Ingest) -> Result<Vec<Source>, CliError> {
    let is_bucket = |name: &&String| {
        desk.config.model_artifacts.iter().any(|s| s.name == **name && !s.is_folder() && s.collect)
    };
    if let Some(name) = options.names.iter().find(|name| !is_bucket(name)) {
        return Err(CliError::Usage(format!(
            "--hash reads files in S3: {name} is no such bucket, or switched off"
        )));
    }
    let is_wanted = |s: &&Source| options.names.is_empty() || options.names.contains(&s.name);
    let all = desk.config.model_artifacts.iter().filter(is_wanted).filter(|s| !s.is_folder() && s.collect);
    let buckets: Vec<Source> = all.cloned().collect();
    if buckets.is_empty() {
        return Err(CliError::Usage(
            "--hash reads files in S3, and no such bucket is configured here".into(),
        ));
    }
    Ok(buckets)
}

fn row(s: &SourceStatus) -> Vec<String> {
    let read = match (&s.failed, s.looks) {
        (Some(_), _) => "FAILED".to_owned(),
        (None, 0) => "nothing new".to_owned(),
        (None, 1) => s.read.clone(),
        (None, n) => format!("{n} looks; last: {}", s.read),
    };
    let c = s.counts;
    let unseen = match s.not_seen.as_slice() {
        [] => "-".to_owned(),
        [one] if one.chars().count() <= SHORT => one.clone(),
        several => format!("{}, see below", several.len()),
    };
    vec![
        s.source.clone(),
        read,
        s.entries.to_string(),
        c.kept.to_string(),
        c.quarantined.to_string(),
        c.refused.to_string(),
        unseen,
    ]
}

/// What the table has no place for, in a line each.
fn not_seen(s: &SourceStatus) {
    if s.not_seen.len() > 1 || s.not_seen.iter().any(|one| one.chars().count() > SHORT) {
        output::line(format!("\n{}  not seen:", s.source));
        s.not_seen.iter().for_each(|one| output::line(format!("  {one}")));
    }
}

fn faults(s: &SourceStatus) {
    if let Some(why) = &s.failed {
        output::line(format!("\n{}  FAILED: {why}", s.source));
        output::line("  The gap is written in the record.");
    }
    if !s.faults.is_empty() {
        output::line(format!("\n{}  skipped, or kept with a remark:", s.source));
    }
    for fault in s.faults.iter().take(20) {
        output::line(format!(
            "  {}\n    {}: {}",
            fault.file,
            if fault.place.is_empty() { "whole file" } else { &fault.place },
            fault.what
        ));
    }
    if s.faults.len() > 20 {
        output::line(format!("  and {} more", s.faults.len() - 20));
    }
}
