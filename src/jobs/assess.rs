//! Bringing findings and risk levels up to date: check and fold the whole record, judge, write what changed.

use super::judged::{Folded, Judged};
use super::{BrokenRecord, Desk, JobError};
use crate::assessment::{self, Assessment, changes, metrics, selection};
use crate::evidence::record::{AssessmentRun, LedgerVerified};
use crate::evidence::{Evidence, Kind, Time, hex};
use crate::ledger::Intact;
use crate::schedule;
use crate::store::{Store, StoreError};
use sha2::{Digest, Sha256};

/// What an assessment wrote.
#[derive(Clone, Debug)]
pub struct AssessStatus {
    /// Size of the ledger with the `assessment.run` as its last entry: the as-of.
    pub as_of: u64,
    /// Transitions of findings and levels.
    pub changes: u64,
    /// Findings that are not satisfied and not accepted.
    pub open: u64,
    /// What was found wrong in state.db, and mended.
    pub state_differs: Vec<String>,
}

/// Checks every entry, folds them, judges, and writes an `assessment.run`.
///
/// # Errors
/// The record does not verify; the store's reason.
pub fn assess(desk: &Desk, store: &mut Store, scheduled: bool) -> Result<AssessStatus, JobError> {
    write(desk, store, scheduled).map(|(status, ..)| status)
}

/// The same, for the reports that are made from it at once.
pub(super) fn judge(desk: &Desk, store: &mut Store, scheduled: bool) -> Result<Judged, JobError> {
    let (status, folded, run, judged) = write(desk, store, scheduled)?;
    Judged::written(desk, store, (folded, status.as_of), run, judged)
}

/// Writes an assessment; with what was folded and judged for it.
fn write(
    desk: &Desk,
    store: &mut Store,
    scheduled: bool,
) -> Result<(AssessStatus, Folded, AssessmentRun, Assessment), JobError> {
    let (folded, verified, anew) = Folded::anew(desk, store)?;
    let facts = &folded.facts;
    let state_differs = store.put_right(anew)?;
    let at = desk.clock.now();
    let mut run = AssessmentRun {
        at,
        size: facts.size,
        scheduled,
        nights: if scheduled { nights(desk, store, at)? } else { 1 },
        catalogue: (desk.catalogue.version.clone(), desk.catalogue.sha256.clone()),
        rules: assessment::RULES.into(),
        config: desk.assessment_config(),
        verdicts: String::new(),
        metrics: Vec::new(),
    };
    let judged = assessment::assess(facts, &desk.catalogue, &run);
    run.verdicts = digest(&judged);
    run.metrics = metrics::metrics(&judged);
    let changes = changes::between(facts, &desk.catalogue, &run, &judged);
    let (transitions, open) = (changes.count() as u64, judged.findings.iter().filter(|f| f.open()).count());
    let selections = selection::states(&judged.estate, at);
    let key = format!("{at} {}", run.size);
    let closing = Evidence::event(Kind::AssessmentRun, "actledger", key, "assessment".into(), at, &run);
    let batch = std::iter::once(record(&verified, &state_differs, &run))
        .chain(changes.evidence(&run))
        .chain(selections)
        .chain([closing]);
    let as_of = store.append(&desk.writer(), batch)?.size;
    let status = AssessStatus { as_of, changes: transitions, open: open as u64, state_differs };
    Ok((status, folded, run, judged))
}

/// Nights since the last report: this one stands for them all.
fn nights(desk: &Desk, store: &Store, at: Time) -> Result<u64, StoreError> {
    let (c, last) = (&desk.config, schedule::last_report(&store.reader())?);
    Ok(schedule::fired(&c.schedule.report, &c.timezone, last, at).0.max(1))
}

/// Refuses a record that does not verify: nothing more is appended to it.
///
/// # Errors
/// What does not hold; the store's reason.
pub fn intact(desk: &Desk, store: &Store) -> Result<(), JobError> {
    verified(desk, store, 0, |_| {}).map(|_| ())
}

/// Checks the record and folds entries below `upto`. A record that fits in itself and is signed by another key than
/// ours is somebody else's.
///
/// # Errors
/// The record does not verify; the store's reason.
pub(super) fn verified(
    desk: &Desk,
    store: &Store,
    upto: u64,
    fold: impl FnMut(&crate::ledger::entry::Placed),
) -> Result<Intact, JobError> {
    let intact = store.verified(upto, fold)?.map_err(|b| JobError::Broken(BrokenRecord(b)))?;
    ours(desk, &intact)?;
    Ok(intact)
}

/// Refuses a record that another key than ours signed.
pub(super) fn ours(desk: &Desk, intact: &Intact) -> Result<(), JobError> {
    let ours = desk.signer.verifier();
    match intact.signer() {
        Some(theirs) if theirs != ours => {
            Err(StoreError::WrongKey { given: ours.vkey(), expected: theirs.vkey() }.into())
        }
        _ => Ok(()),
    }
}

fn record(intact: &Intact, differs: &[String], run: &AssessmentRun) -> Evidence {
    let payload = LedgerVerified {
        size: intact.checkpoint.size,
        root: intact.checkpoint.root_base64(),
        state_differs: differs.to_vec(),
    };
    let key = format!("{} {}", run.at, run.size);
    Evidence::event(Kind::LedgerVerified, "actledger", key, "ledger".into(), run.at, &payload)
}

/// One digest over the counts and the units of every finding: two assessments of the same entries have the same.
pub(super) fn digest(judged: &Assessment) -> String {
    let mut hash = Sha256::new();
    for f in &judged.findings {
        let key = f.key();
        hash.update(format!("{key}\t{:?}\n", f.counts));
        for u in &f.units {
            let (id, status, reason) = (&u.id, u.status.name(), &u.reason);
            hash.update(format!("{key}\t{id}\t{status}\t{reason}\t{:?}\n", u.evidence));
        }
    }
    hex(&hash.finalize())
}
