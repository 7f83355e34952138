//! What pages are made from: the last assessment, or an earlier one, as everybody sees it who may.

use crate::evidence::Kind;
use crate::evidence::record::{AnchorMade, Mail};
use crate::jobs::{self, AsOf, Desk, JobError, Judged, resolve};
use crate::report::exhibit::Aliases;
use crate::report::html;
use crate::report::{Report, Scope, Zone};
use crate::store::Store;
use axum::body::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes of a form that are held when it was made: making a larger one takes little of the time that sending it does.
const HELD: usize = 16 << 20;

/// Everything that pages are made from.
pub enum Snapshot {
    /// Nothing was assessed yet.
    Empty,
    /// The last assessment.
    Ready(Assessed),
    /// The record does not verify: one page stands for all.
    Broken {
        /// The page.
        page: String,
    },
}

/// An assessment, as an auditor sees it and as each team does.
pub struct Assessed {
    /// Of the whole estate.
    pub(super) whole: Arc<View>,
    /// Of the systems of each team.
    teams: BTreeMap<String, Arc<View>>,
}

/// A report that pages are made from.
pub struct View {
    /// The view model.
    pub(super) report: Report,
    /// Whether it is the report of everybody, which is kept as it was issued.
    is_issued: bool,
    /// Files that were made when they were asked for.
    made: Mutex<BTreeMap<String, Bytes>>,
    /// Of a team: entries that its verdicts alone cite. None where everything is seen.
    own: Option<BTreeSet<u64>>,
    /// Aliases of people, as reports number them.
    pub(super) aliases: Arc<Aliases>,
    /// Checkpoints that lie elsewhere.
    pub(super) outside: Arc<Outside>,
}

/// Checkpoints that lie where we cannot change them: by size, where.
#[derive(Default)]
pub(super) struct Outside(BTreeMap<u64, BTreeSet<String>>);

/// Outside copies of which the page of an entry tells: the earliest say most.
const TOLD: usize = 3;

impl Outside {
    fn read(store: &Store, zone: &Zone, size: u64) -> Result<Outside, JobError> {
        let mut all: BTreeMap<u64, BTreeSet<String>> = BTreeMap::new();
        let below = |seq: &u64| *seq < size;
        for (_, at, mail) in store.own::<Mail>(Kind::MailSent)?.into_iter().filter(|(seq, _, _)| below(seq)) {
            all.entry(mail.as_of).or_default().insert(format!("in the mails of {}", zone.day(at)));
        }
        for (_, _, made) in
            store.own::<AnchorMade>(Kind::AnchorMade)?.into_iter().filter(|(seq, _, _)| below(seq))
        {
            let place = if made.anchor == "timestamp" { "time-stamped by" } else { "in the archive" };
            all.entry(made.size).or_default().insert(format!("{place} {}", made.location));
        }
        Ok(Outside(all))
    }

    /// The first of those over an entry.
    pub(super) fn over(&self, seq: u64) -> Vec<(u64, String)> {
        let over =
            self.0.range(seq + 1..).flat_map(|(size, places)| places.iter().map(|p| (*size, p.clone())));
        over.take(TOLD).collect()
    }
}

/// Kinds that speak of one thing of one system. Others name more: audits, flow logs, what a source was asked.
const OF_ONE: [Kind; 24] = [
    Kind::GatekeeperViolation,
    Kind::KubernetesWorkload,
    Kind::SentinelRun,
    Kind::SentinelOutcome,
    Kind::SentinelOverride,
    Kind::TerraformResource,
    Kind::ArtifactVersion,
    Kind::ArtifactDeleteMarker,
    Kind::ArtifactTags,
    Kind::ArtifactDetail,
    Kind::ArtifactHash,
    Kind::ArtifactManifest,
    Kind::RegisterSystem,
    Kind::RegisterDecision,
    Kind::RegisterRiskAssessment,
    Kind::RegisterException,
    Kind::RegisterStatement,
    Kind::RegisterOversight,
    Kind::RegisterChange,
    Kind::RegisterCorrectiveAction,
    Kind::RegisterIncident,
    Kind::AssessmentRiskLevel,
    Kind::AssessmentFinding,
    Kind::GatekeeperAdmission,
];

impl View {
    /// Whether an entry is shown: everything below the as-of, or, to a team, what is of its systems alone.
    pub(super) fn shows(&self, seq: u64, kind: &str) -> bool {
        let is_of_one = || OF_ONE.iter().any(|k| k.name() == kind);
        self.own.as_ref().is_none_or(|own| own.contains(&seq) && is_of_one())
    }

    /// A file that is made already.
    pub(super) fn held(&self, name: &str) -> Option<Bytes> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// A file of the report; none when there is no such form.
    ///
    /// # Errors
    /// It cannot be made.
    pub(super) fn file(&self, desk: &Desk, name: &str) -> Result<Option<Bytes>, JobError> {
        if let Some(bytes) = self.held(name) {
            return Ok(Some(bytes));
        }
        let Some(format) = jobs::format_of(name) else { return Ok(None) };
        if self.is_issued
            && let Some(bytes) = jobs::kept(desk, &desk.store()?, self.report.as_of.size, name)?
        {
            return Ok(Some(bytes.into()));
        }
        let (made, lacks) = jobs::forms(desk, &self.report, &[format.to_owned()])?;
        let made: BTreeMap<String, Bytes> = made.into_iter().map(|(name, b)| (name, b.into())).collect();
        let asked = made.get(name).cloned();
        if made.values().map(Bytes::len).sum::<usize>() <= HELD {
            self.made.lock().unwrap_or_else(PoisonError::into_inner).extend(made);
        }
        match asked {
            None if !lacks.is_empty() => Err(JobError::Render(lacks.join("; "))),
            asked => Ok(asked),
        }
    }
}

impl Snapshot {
    /// The pages of an assessment.
    ///
    /// # Errors
    /// The store's reason; an output that cannot be made.
    pub fn of(desk: &Desk, store: &Store, judged: &Judged) -> Result<Snapshot, JobError> {
        assessed(desk, store, judged, &Scope::default()).map(Snapshot::Ready)
    }

    /// What stands in place of all pages over a record that does not verify.
    ///
    /// # Errors
    /// The page cannot be made.
    pub fn broken(broken: &jobs::BrokenRecord) -> Result<Snapshot, JobError> {
        let b = &broken.0;
        let page = html::broken(&b.first_bad, &b.what, b.intact_up_to)
            .map_err(|e| JobError::Render(e.to_string()))?;
        Ok(Snapshot::Broken { page })
    }
}

/// The report of an assessment from a time on, for everybody who may see a part of it.
pub(super) fn assessed(
    desk: &Desk,
    store: &Store,
    judged: &Judged,
    scope: &Scope,
) -> Result<Assessed, JobError> {
    let report = judged.report(store, scope)?;
    let own = if desk.config.web.asks() { own(&report) } else { BTreeMap::new() };
    let zone = Zone::named(&report.timezone);
    let aliases = Arc::new(judged.aliases().clone());
    let outside = Arc::new(Outside::read(store, &zone, judged.size())?);
    let is_issued = scope.from.is_none();
    let view = |report, own: Option<_>| {
        let (aliases, outside) = (Arc::clone(&aliases), Arc::clone(&outside));
        let is_issued = is_issued && own.is_none();
        View { report, is_issued, made: Mutex::default(), own, aliases, outside }
    };
    let mut teams = BTreeMap::new();
    for (team, entries) in own {
        let scope = Scope { team: Some(team.clone()), ..scope.clone() };
        teams.insert(team, Arc::new(view(judged.report(store, &scope)?, Some(entries))));
    }
    Ok(Assessed { whole: Arc::new(view(report, None)), teams })
}

/// The entries that verdicts and dossiers of the systems of one team alone cite, for each team.
fn own(report: &Report) -> BTreeMap<String, BTreeSet<u64>> {
    let cited = |finding: &crate::report::model::Finding| -> Vec<u64> {
        finding.units.iter().flat_map(|u| u.evidence.iter().map(|e| e.seq)).collect()
    };
    let mut of: BTreeMap<u64, Option<&str>> =
        report.estate_findings.iter().flat_map(cited).map(|seq| (seq, None)).collect();
    for system in &report.systems {
        let told = system.entry.into_iter().chain(system.risk_level.stated.iter().map(|x| x.entry));
        let told =
            told.chain(system.runs.iter().map(|r| r.entry)).chain(system.workloads.iter().map(|w| w.entry));
        for seq in system.findings.iter().flat_map(cited).chain(told) {
            let team = of.entry(seq).or_insert(Some(&system.team));
            *team = team.filter(|team| *team == system.team);
        }
    }
    let mut own: BTreeMap<String, BTreeSet<u64>> =
        report.systems.iter().map(|s| (s.team.clone(), BTreeSet::new())).collect();
    for (seq, team) in of {
        if let Some(entries) = team.and_then(|team| own.get_mut(team)) {
            entries.insert(seq);
        }
    }
    own
}

impl Assessed {
    /// What the systems of a team come to, or the whole estate; none for a team that has no system.
    pub(super) fn seen_by(&self, team: Option<&str>) -> Option<Arc<View>> {
        team.map_or_else(|| Some(&self.whole), |team| self.teams.get(team)).cloned()
    }
}

/// Checks the record and makes the pages of its last assessment.
///
/// # Errors
/// The store's reason; an output that cannot be made. A broken record is a snapshot.
pub fn load(desk: &Desk, store: &Store) -> Result<Snapshot, JobError> {
    let size = match resolve(desk, store, &AsOf::Latest) {
        Ok(size) => size,
        Err(JobError::AsOf(_)) => return Ok(Snapshot::Empty),
        Err(e) => return Err(e),
    };
    match Judged::of(desk, store, size) {
        Ok(judged) => Snapshot::of(desk, store, &judged),
        Err(JobError::Broken(b)) => Snapshot::broken(&b),
        Err(e) => Err(e),
    }
}
