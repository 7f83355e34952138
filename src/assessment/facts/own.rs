//! Acts of our own: looks, earlier assessments, transitions of findings, issued reports, mails.

use super::{Seen, read};
use crate::evidence::record::{
    AnchorFailed, AnchorMade, AssessmentRun, FindingChange, LedgerOpened, LedgerVerified, Mail, ReportIssued,
    RiskLevelChange, SourceRun,
};
use crate::evidence::{Kind, Time};
use crate::ledger::entry::Placed;
use std::collections::BTreeMap;

/// One collection, as its `source.run` tells it.
pub type Look = Seen<SourceRun>;

/// A unit of a finding as its transitions tell it.
#[derive(Clone, Debug, Default)]
pub struct UnitState {
    /// Number of its finding.
    pub number: u64,
    /// Status now; null when the unit is gone.
    pub status: Option<String>,
    /// Why it came to that.
    pub cause: String,
    /// First time that it was not satisfied.
    pub first_open: Option<Time>,
    /// Since when it has its status.
    pub since: Option<Time>,
    /// When it was last resolved.
    pub resolved: Option<Time>,
    /// Whether it was resolved once and came back.
    pub reopened: bool,
    /// Whether it was open before it could not be told.
    pub open_before: bool,
}

/// Acts of our own.
#[derive(Default)]
pub struct Own {
    /// Entry 0.
    pub opened: Option<Seen<LedgerOpened>>,
    /// Looks per source, oldest first.
    pub looks: BTreeMap<String, Vec<Look>>,
    /// Assessments, oldest first.
    pub runs: Vec<Seen<AssessmentRun>>,
    /// Units by (finding, unit).
    pub units: BTreeMap<(String, String), UnitState>,
    /// Every transition, oldest first.
    pub changes: Vec<Seen<FindingChange>>,
    /// Numbers of findings.
    pub numbers: BTreeMap<String, u64>,
    /// Changes of levels per system, oldest first.
    pub levels: BTreeMap<String, Vec<Seen<RiskLevelChange>>>,
    /// Issued reports, oldest first.
    pub reports: Vec<Seen<ReportIssued>>,
    /// Mails that wait, by message id.
    pub waiting: BTreeMap<String, Seen<Mail>>,
    /// Mails that went out.
    pub sent: u64,
    /// Checks of the whole record.
    pub verified: Vec<Seen<LedgerVerified>>,
    /// The last checkpoint that each outside witness holds.
    pub anchors: BTreeMap<String, Seen<AnchorMade>>,
    /// Outside witnesses that cannot be reached, since when.
    pub unreached: BTreeMap<String, Seen<AnchorFailed>>,
}

impl Own {
    pub(super) fn fold(&mut self, placed: &Placed) {
        match placed.entry.kind {
            Kind::LedgerOpened => self.opened = read(placed),
            Kind::SourceRun => {
                if let Some(look) = read(placed) {
                    self.looks.entry(placed.entry.source.clone()).or_default().push(look);
                }
            }
            Kind::AssessmentRun => self.runs.extend(read(placed)),
            Kind::AssessmentFinding => {
                if let Some(change) = read::<FindingChange>(placed) {
                    self.change(change);
                }
            }
            Kind::AssessmentRiskLevel => {
                if let Some(change) = read::<RiskLevelChange>(placed) {
                    self.levels.entry(change.value.system.clone()).or_default().push(change);
                }
            }
            Kind::ReportIssued => self.reports.extend(read(placed)),
            Kind::MailQueued => {
                if let Some(mail) = read::<Mail>(placed) {
                    self.waiting.insert(mail.value.message_id.clone(), mail);
                }
            }
            Kind::MailSent => {
                if let Some(mail) = read::<Mail>(placed) {
                    self.waiting.remove(&mail.value.message_id);
                    self.sent += 1;
                }
            }
            Kind::LedgerVerified => self.verified.extend(read(placed)),
            Kind::AnchorMade => {
                if let Some(made) = read::<AnchorMade>(placed) {
                    self.anchors.insert(made.value.anchor.clone(), made);
                }
            }
            Kind::AnchorFailed => match read::<AnchorFailed>(placed) {
                Some(failed) => {
                    self.unreached.entry(failed.value.anchor.clone()).or_insert(failed);
                }
                None => {
                    self.unreached.retain(|anchor, _| placed.entry.subject != format!("anchor:{anchor}"));
                }
            },
            _ => {}
        }
    }

    fn change(&mut self, change: Seen<FindingChange>) {
        let c = &change.value;
        self.numbers.entry(c.finding.clone()).or_insert(c.number);
        let unit = self.units.entry((c.finding.clone(), c.unit.clone())).or_default();
        let was_open = unit.status.as_deref() == Some("not-satisfied");
        let is_open = c.to.as_deref() == Some("not-satisfied");
        if is_open {
            unit.first_open.get_or_insert(c.at);
            unit.reopened |= unit.resolved.is_some();
        }
        if (was_open || unit.open_before) && !is_open && ["evidence", "deleted"].contains(&c.cause.as_str()) {
            unit.resolved = Some(c.at);
        }
        unit.open_before = c.to.as_deref() == Some("not-assessed") && (was_open || unit.open_before);
        unit.number = c.number;
        unit.status = c.to.clone();
        unit.cause = c.cause.clone();
        unit.since = Some(c.at);
        self.changes.push(change);
    }

    /// The units of a finding that transitions told of.
    pub fn units_of<'u>(&'u self, finding: &str) -> impl Iterator<Item = (&'u str, &'u UnitState)> + use<'u> {
        let (from, finding) = ((finding.to_owned(), String::new()), finding.to_owned());
        let all = self.units.range(from..).take_while(move |((f, _), _)| *f == finding);
        all.map(|((_, unit), state)| (unit.as_str(), state))
    }

    /// The `at` of the last scheduled report before a time.
    pub fn last_scheduled(&self, before: Time) -> Option<Time> {
        self.reports.iter().rev().find(|r| r.value.scheduled && r.value.at < before).map(|r| r.value.at)
    }
}
