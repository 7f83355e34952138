//! A record that was checked and folded once, with the verdicts on it: reports of any part of it are made from there.

use super::assess::{ours, verified};
use super::{BrokenRecord, Desk, JobError};
use crate::act::{Catalogue, Overrides};
use crate::assessment::{self, Assessment, Facts};
use crate::evidence::Kind;
use crate::evidence::record::AssessmentRun;
use crate::ledger::entry::Placed;
use crate::ledger::tree::Frontier;
use crate::ledger::{Intact, verify};
use crate::report::exhibit::Aliases;
use crate::report::{Report, Scope, Source, build};
use crate::store::{Anew, Store};

/// An assessment with all that reports of it are made from.
pub struct Judged {
    run: AssessmentRun,
    catalogue: Catalogue,
    folded: Folded,
    assessment: Assessment,
}

/// Facts of entries, and the tree over them.
#[derive(Default)]
pub(super) struct Folded {
    /// The facts.
    pub facts: Facts,
    edge: Frontier,
}

impl Folded {
    fn add(&mut self, placed: &Placed) {
        self.facts.fold(placed);
        self.edge.push(placed.leaf);
    }

    /// Checks and folds every entry, and `state.db` anew.
    pub(super) fn anew(desk: &Desk, store: &Store) -> Result<(Folded, Intact, Anew), JobError> {
        let mut folded = Folded::default();
        let checked = store.verified_anew(|p| folded.add(p))?;
        let (intact, anew) = checked.map_err(|b| JobError::Broken(BrokenRecord(b)))?;
        ours(desk, &intact)?;
        Ok((folded, intact, anew))
    }
}

impl Judged {
    /// Checks the whole record, folds it up to an as-of, and judges as it was judged there.
    ///
    /// # Errors
    /// The record does not verify; the store's reason; no assessment ends there.
    pub fn of(desk: &Desk, store: &Store, size: u64) -> Result<Judged, JobError> {
        let end = store.reader().with_blobs(store.reader().entry(size.saturating_sub(1))?.entry)?;
        let run: Option<AssessmentRun> = Some(end)
            .filter(|e| e.kind == Kind::AssessmentRun)
            .and_then(|e| serde_json::from_value(e.payload).ok());
        let none = || JobError::AsOf(format!("entry {} is no assessment", size.saturating_sub(1)));
        let run = run.ok_or_else(none)?;
        let said = Overrides { timetable: &run.config.timetable, parameters: &run.config.parameters };
        let catalogue = Catalogue::with(said).map_err(|e| JobError::AsOf(format!("act.{e}")))?;
        let (mut folded, mut judged) = (Folded::default(), None);
        verified(desk, store, size, |p| {
            // The verdict saw neither its own transitions nor its own entry.
            if p.seq == run.size {
                judged = Some(assessment::assess(&folded.facts, &catalogue, &run));
                folded.facts.settle();
            }
            folded.add(p);
        })?;
        let assessment = judged.ok_or_else(none)?;
        Ok(Judged { run, catalogue, folded, assessment })
    }

    /// What was folded and judged just now, with the entries that the assessment itself wrote, up to a size.
    pub(super) fn written(
        desk: &Desk,
        store: &Store,
        (mut folded, size): (Folded, u64),
        run: AssessmentRun,
        assessment: Assessment,
    ) -> Result<Judged, JobError> {
        let reader = store.reader();
        folded.facts.settle();
        reader.each(run.size, size, |p| {
            folded.add(&Placed { entry: reader.with_blobs(p.entry)?, ..p });
            Ok(())
        })?;
        if folded.edge.root() != reader.root_at(size)? {
            return Judged::of(desk, store, size);
        }
        Ok(Judged { run, catalogue: desk.catalogue.clone(), folded, assessment })
    }

    /// Size of the as-of.
    pub fn size(&self) -> u64 {
        self.folded.edge.size()
    }

    /// Aliases of people.
    pub fn aliases(&self) -> &Aliases {
        &self.folded.facts.aliases
    }

    /// The view model of a part of it.
    ///
    /// # Errors
    /// The store's reason.
    pub fn report(&self, store: &Store, scope: &Scope) -> Result<Report, JobError> {
        let (reader, facts, size) = (store.reader(), &self.folded.facts, self.size());
        let units = self.assessment.findings.iter().flat_map(|f| &f.units);
        let cited = units.flat_map(|u| u.evidence.iter().copied()).collect();
        let source = Source {
            facts,
            catalogue: &self.catalogue,
            run: &self.run,
            assessment: &self.assessment,
            leaves: &reader.leaves(&cited)?,
            as_of: (size, verify::root_base64(&self.folded.edge.root())),
            checkpoints: reader.checkpoints_below(size)?,
            note: reader.checkpoint(size)?.map(|(_, n)| n).unwrap_or_default(),
            key: facts.own.opened.as_ref().map(|o| o.value.public_key.clone()).unwrap_or_default(),
            scope,
        };
        Ok(build(&source))
    }
}
