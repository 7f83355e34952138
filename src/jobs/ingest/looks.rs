//! Looks in a folder: each new one becomes one batch.

use super::{Extra, SourceStatus, before, commit, context, cursor, failed, fits};
use crate::act::SourceKind;
use crate::config::Source;
use crate::evidence::{Kind, Time};
use crate::jobs::{Desk, JobError};
use crate::sources::files::Look;
use crate::sources::{Gathered, files, gather};
use crate::store::Store;
use std::time::{Duration, Instant};

/// Reads the looks of a folder that were not read before.
pub(super) fn looks(
    desk: &Desk,
    store: &mut Store,
    kind: SourceKind,
    source: &Source,
    Extra { again, .. }: Extra,
    progress: &dyn Fn(&str, u64, u64),
) -> Result<SourceStatus, JobError> {
    let mut status = SourceStatus { source: source.name.clone(), ..SourceStatus::default() };
    let looks = match files::looks(&source.folder(&desk.config.base)) {
        Ok(looks) => looks,
        Err(why) => return failed(desk, store, kind, status, why),
    };
    let cursor = cursor(store, source)?;
    let now = desk.clock.now();
    let first = source.since_days().filter(|_| cursor.is_none()).map(|d| now.plus_days(-d));
    let ahead = looks.iter().filter(|l| l.at.is_some_and(|t| t > now)).count();
    if ahead > 0 && desk.config.demo.is_none() {
        status.not_seen.push(format!("{ahead} looks are dated after the clock and wait"));
        status.waiting = 1;
    }
    let unread = |l: &Look| match (&cursor, l.at) {
        (Some(c), Some(_)) if Time::from_look_name(c).is_some() => l.name > *c,
        (c, _) => c.as_ref() != Some(&l.name),
    };
    let new: Vec<_> = looks
        .into_iter()
        .filter(|l| l.at.is_none_or(|t| t <= now && again.or(first).is_none_or(|f| t >= f)))
        .filter(|l| again.is_some() || unread(l))
        .collect();
    let (started, limit) = (Instant::now(), Duration::from_secs(60 * desk.config.schedule.pass_minutes));
    let mut context = context(desk, store, kind, source)?;
    let all = new.len() as u64;
    for (i, look) in new.iter().enumerate() {
        if started.elapsed() > limit {
            let left = new.len() - i;
            status
                .not_seen
                .push(format!("the pass took longer than its limit; {left} looks are left for the next"));
            break;
        }
        progress(&source.name, i as u64, all);
        before(store, kind, &mut context)?;
        let mut gathered = gather(kind, &context, look.at, now, files::read(look));
        fits::set_aside(&mut gathered);
        let mut name = &look.name;
        if again.is_some() {
            revise(store, &source.name, &context.selected, &mut gathered)?;
            name = cursor.as_ref().unwrap_or(name);
        }
        status.add(&gathered);
        commit(desk, store, &mut status, (kind, name, look.at), gathered)?;
        progress(&source.name, i as u64 + 1, all);
    }
    Ok(status)
}

/// Of a look that is read once more: objects that were read for something else, or have other bytes now, as revisions of
/// what was told. One that an earlier look held as well was told there. States of an old look are no longer news.
fn revise(store: &Store, source: &str, selection: &str, gathered: &mut Gathered) -> Result<(), JobError> {
    gathered.complete.clear();
    let mut revised = Vec::new();
    for mut evidence in std::mem::take(&mut gathered.evidence) {
        if evidence.kind != Kind::FlowLogObject {
            continue;
        }
        if let Some(known) = store.state().delivered(source, &evidence.subject)? {
            let sha256 = evidence.payload["sha256"].as_str().unwrap_or_default();
            let Some(n) = known.next(sha256, Some(selection)) else { continue };
            evidence.key = format!("{} {n}", evidence.key);
            evidence.payload["revision"] = n.into();
        }
        revised.push(evidence);
    }
    gathered.evidence = revised;
    Ok(())
}
