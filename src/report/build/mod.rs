//! The view model from an assessment. Everything that any output says is worked out here, once.

mod account;
mod articles;
mod changes;
mod dossier;
mod findings;
mod integrity;
mod reminders;
mod systems;
mod timeline;
mod unprovided;
mod wanted;

use super::local::Zone;
use super::model as m;
use super::sentences::count;
use crate::act::{Catalogue, Level, Status};
use crate::assessment::{Assessment, Basis, Facts, Finding, System};
use crate::evidence::record::{AssessmentRun, Metric};
use crate::evidence::{DAY, Time, sha256_hex};
use crate::ledger::Hash;
use std::collections::{BTreeMap, BTreeSet};

/// What a report is made from: a record that was checked, and the verdicts on it.
pub struct Source<'a> {
    /// Facts below the as-of, the assessment's own entries included.
    pub facts: &'a Facts,
    /// The catalogue.
    pub catalogue: &'a Catalogue,
    /// The `assessment.run` that ends the as-of.
    pub run: &'a AssessmentRun,
    /// The verdicts.
    pub assessment: &'a Assessment,
    /// Leaf hashes of the entries that units cite.
    pub leaves: &'a [(u64, Hash)],
    /// Size and root of the as-of, base64.
    pub as_of: (u64, String),
    /// Signed checkpoints up to the as-of.
    pub checkpoints: u64,
    /// The signed checkpoint over the as-of.
    pub note: String,
    /// Verifier key line of entry 0.
    pub key: String,
    /// What part of it is asked for.
    pub scope: &'a Scope,
}

/// What part of an assessment a report is about: named systems and those of a team, or, where neither is named, the whole estate.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    /// Ids of systems.
    pub systems: Vec<String>,
    /// A team, which may have no system.
    pub team: Option<String>,
    /// Start of the period; by default the last scheduled report.
    pub from: Option<Time>,
}

impl Scope {
    /// Whether it is the whole estate.
    pub fn is_whole(&self) -> bool {
        self.systems.is_empty() && self.team.is_none()
    }

    /// In words, with the systems that it comes to: ten of them at most by name.
    fn about(&self, systems: &[m::System]) -> String {
        const NAMED: usize = 10;
        if self.is_whole() {
            return m::WHOLE.into();
        }
        let mut named: Vec<String> = systems.iter().take(NAMED).map(|s| s.id.clone()).collect();
        named.extend(systems.len().checked_sub(NAMED + 1).map(|n| format!("and {} more", n + 1)));
        let named = if named.is_empty() { "no system of it is known".into() } else { named.join(", ") };
        self.team.as_ref().map_or(named.clone(), |team| format!("team {team}: {named}"))
    }
}

/// Nights that trends go back.
const NIGHTS: usize = 90;

/// Makes the view model.
pub fn build(s: &Source<'_>) -> m::Report {
    let zone = Zone::named(&s.run.config.timezone);
    let b = Builder { s, zone };
    let mut systems: Vec<m::System> = b.systems().map(|x| b.system(x)).collect();
    let unprovided = b.unprovided(&mut systems);
    let estate: Vec<m::Finding> = s
        .assessment
        .findings
        .iter()
        .filter(|f| f.system.is_none() && s.scope.is_whole())
        .map(|f| b.finding(f))
        .collect();
    let changes = b.changes();
    let exceptions = b.exceptions();
    for e in &exceptions {
        // Of the estate's own there is no dossier.
        if let Some(system) = systems.iter_mut().find(|s| s.id == e.system) {
            system.exceptions.push(e.clone());
        }
    }
    let totals = b.totals(&systems, &estate);
    let wanted = b.wanted();
    let missing = b.missing();
    let not_seen = b.not_seen(&missing);
    m::Report {
        as_of: b.as_of(),
        period: b.period(),
        organization: s.run.config.organization.clone(),
        version: crate::assessment::RULES.to_owned(),
        timezone: s.run.config.timezone.clone(),
        demonstration: s.run.config.demonstration,
        about: s.scope.about(&systems),
        scope: if s.scope.is_whole() { Vec::new() } else { systems.iter().map(|x| x.id.clone()).collect() },
        integrity: b.integrity(),
        coverage: s.assessment.estate.coverage.values().map(|c| b.coverage(c)).collect(),
        opening: b.opening(&totals, &wanted, &missing),
        totals,
        levels: b.levels(&systems, &estate),
        teams: teams(&systems),
        trends: b.trends(),
        wanted,
        exceptions,
        decisions: b.decisions(),
        changes,
        restated: b.restated(),
        mails: b.mails(),
        not_seen,
        missing,
        controls: b.controls(),
        law: b.law(),
        systems,
        unprovided,
        estate_findings: estate,
    }
}

struct Builder<'a> {
    s: &'a Source<'a>,
    zone: Zone,
}

impl<'a> Builder<'a> {
    fn systems(&self) -> impl Iterator<Item = &'a System> {
        self.s.assessment.estate.systems.values().filter(|x| self.asks(&x.id))
    }

    fn system_of(&self, id: Option<&str>) -> Option<&'a System> {
        id.and_then(|id| self.s.assessment.estate.systems.get(id))
    }

    /// Who answers for a system: its team, else those who govern AI.
    fn team_of(&self, id: Option<&str>) -> &'a str {
        self.system_of(id).map(System::team).filter(|team| *team != "-").unwrap_or("AI governance")
    }

    /// Whether a system is asked for.
    fn asks(&self, id: &str) -> bool {
        let Scope { systems, team, .. } = self.s.scope;
        let of_team = |team: &str| self.s.assessment.estate.systems.get(id).is_some_and(|s| s.team() == team);
        self.s.scope.is_whole() || systems.iter().any(|s| s == id) || team.as_deref().is_some_and(of_team)
    }

    /// Findings of the asked systems and, for the whole estate, its own.
    fn findings(&self) -> impl Iterator<Item = &'a Finding> {
        self.s.assessment.findings.iter().filter(|f| match &f.system {
            Some(id) => self.asks(id),
            None => self.s.scope.is_whole(),
        })
    }

    fn as_of(&self) -> m::AsOf {
        let at = self.s.run.at;
        m::AsOf { size: self.s.as_of.0, root: self.s.as_of.1.clone(), at, at_local: self.zone.minute(at) }
    }

    /// Since when any source was looked at.
    fn begin(&self) -> Option<Time> {
        self.s.assessment.estate.coverage.values().filter_map(|c| c.begin).min()
    }

    fn period(&self) -> m::Period {
        let last = self
            .s
            .scope
            .from
            .or(self.s.facts.own.last_scheduled(self.s.run.at))
            .filter(|t| *t < self.s.run.at);
        let begin = self.begin();
        let (from, to) = (last.or(begin).unwrap_or(self.s.run.at), self.s.run.at);
        let window =
            begin.map_or(self.s.assessment.estate.window, |b| b.max(self.s.assessment.estate.window));
        m::Period {
            from,
            to,
            from_local: self.zone.minute(from),
            to_local: self.zone.minute(to),
            first: last.is_none(),
            nights: self.s.run.nights,
            asked: self.s.scope.from.is_some(),
            window_local: self.zone.day(window),
        }
    }

    fn totals(&self, systems: &[m::System], estate: &[m::Finding]) -> m::Totals {
        let mut t = m::Totals { systems: systems.len() as u64, ..m::Totals::default() };
        t.unregistered = systems.iter().filter(|s| !s.registered).count() as u64;
        for f in systems.iter().flat_map(|s| &s.findings).chain(estate) {
            t.checks += 1;
            t.counts.add(f.status);
            t.declared += u64::from(f.status == Status::Satisfied && f.basis == Basis::Declared.name());
            t.re_performed +=
                u64::from(f.status == Status::Satisfied && f.basis == Basis::ReEvaluated.name());
            if f.status == Status::NotSatisfied {
                t.accepted += u64::from(f.excepted);
                let open = u64::from(!f.excepted);
                t.open += open;
                match f.legal_state {
                    Some("in-force") => t.in_force += open,
                    Some(_) => t.to_come += open,
                    None => t.house += open,
                }
            }
        }
        t
    }

    fn levels(&self, systems: &[m::System], estate: &[m::Finding]) -> Vec<m::LevelRow> {
        let dates = [
            format!("{} (Art. 5)", self.in_force("prohibitions")),
            format!("{} at the earliest (Annex III)", self.in_force("high-risk-annex-iii")),
            format!("{} (Art. 50)", self.in_force("general")),
            "none".into(),
            "treated as high".into(),
        ];
        let row = |(level, first_date): (Level, String)| {
            let of = systems.iter().filter(|s| s.risk_level.effective == level.name());
            let sum = |f: fn(&m::System) -> u64| of.clone().map(f).sum();
            m::LevelRow {
                level: level.name(),
                systems: of.clone().count() as u64,
                open: sum(|s| s.open),
                accepted: sum(|s| s.accepted),
                not_assessed: sum(|s| s.counts.not_assessed),
                first_date,
            }
        };
        let mut rows: Vec<m::LevelRow> = Level::ALL.into_iter().zip(dates).map(row).collect();
        let of = |wanted: fn(&m::Finding) -> bool| estate.iter().filter(|f| wanted(f)).count() as u64;
        rows.push(m::LevelRow {
            level: "the estate",
            systems: 0,
            open: of(m::Finding::open),
            accepted: of(|f| f.status == Status::NotSatisfied && f.excepted),
            not_assessed: of(|f| f.status == Status::NotAssessed),
            first_date: String::new(),
        });
        let sum = |f: fn(&m::LevelRow) -> u64| rows.iter().map(f).sum();
        let (systems, open, accepted, not_assessed) =
            (sum(|r| r.systems), sum(|r| r.open), sum(|r| r.accepted), sum(|r| r.not_assessed));
        rows.push(m::LevelRow {
            level: "all",
            systems,
            open,
            accepted,
            not_assessed,
            first_date: String::new(),
        });
        rows
    }

    /// What the organisation set otherwise than the catalogue.
    fn own(&self) -> Vec<String> {
        let config = &self.s.run.config;
        let dates = config.timetable.iter().map(|(id, day)| format!("{id} = {day}"));
        dates.chain(config.parameters.iter().map(|(name, value)| format!("{name} = {value}"))).collect()
    }

    /// Whether a date of the timetable has come, else the day.
    fn in_force(&self, id: &str) -> String {
        match self.s.catalogue.date(id) {
            Some(day) if day > self.s.run.at => self.zone.day(day),
            _ => "in force".into(),
        }
    }

    /// Open and not assessed findings in the last scheduled assessments, this one included.
    fn trends(&self) -> m::Trends {
        // A night that was tried again counts once: by the attempt that came to a report.
        let own = &self.s.facts.own;
        let issued: BTreeSet<u64> = own.reports.iter().map(|r| r.value.as_of).collect();
        let runs = own.runs.iter().filter(|r| issued.contains(&(r.seq + 1)) || r.value.at == self.s.run.at);
        let runs = runs.map(|r| &r.value);
        let told: Vec<&AssessmentRun> = runs
            .filter(|r| {
                r.at <= self.s.run.at && (r.scheduled || r.at == self.s.run.at) && !r.metrics.is_empty()
            })
            .collect();
        let nights = &told[told.len().saturating_sub(NIGHTS)..];
        // They count the whole estate.
        let now = nights
            .last()
            .filter(|_| self.s.scope.is_whole())
            .map(|r| r.metrics.as_slice())
            .unwrap_or_default();
        let of = |metric: &Metric| {
            let then = |r: &&AssessmentRun| {
                r.metrics
                    .iter()
                    .find(|m| (&m.of, &m.name) == (&metric.of, &metric.name))
                    .cloned()
                    .unwrap_or_default()
            };
            let told: Vec<Metric> = nights.iter().map(then).collect();
            m::Trend {
                of: metric.of.clone(),
                name: if metric.name == "-" { m::NO_TEAM.into() } else { metric.name.clone() },
                open: told.iter().map(|m| m.not_satisfied - m.accepted).collect(),
                not_assessed: told.iter().map(|m| m.not_assessed).collect(),
            }
        };
        let mut rows: Vec<m::Trend> = now.iter().map(of).collect();
        let rank =
            |name: &str| Level::ALL.iter().position(|level| level.name() == name).unwrap_or(Level::ALL.len());
        rows.sort_by_key(|row| (row.of != "level", rank(&row.name)));
        m::Trends { nights: nights.iter().map(|r| r.at).collect(), rows }
    }

    /// Mails of the last month that wait or were given up, in a sentence each; of reports on everything, which all lists read.
    fn mails(&self) -> Vec<String> {
        const MONTH: i64 = 31 * DAY;
        let at = self.s.run.at;
        let waiting = self.s.facts.own.waiting.values().map(|w| &w.value);
        let recent = waiting.filter(|m| self.s.scope.is_whole() && at.seconds() - m.at.seconds() < MONTH);
        let told = recent.map(|mail| {
            let list = mail.list + 1;
            let to = mail.recipient.map_or_else(String::new, |n| format!(" to recipient {}", n + 1));
            let state = match &mail.attempts {
                Some(a) if a.again.is_none() => {
                    format!("was given up after {}", count(a.count, "attempt", "attempts"))
                }
                Some(a) => format!("still waits after {}", count(a.count, "attempt", "attempts")),
                None => "still waits".into(),
            };
            format!("The mail of {}{to} of list {list} {state}.", self.zone.day(mail.at))
        });
        told.take(10).collect()
    }

    /// Dates of the timetable in the next year.
    fn dates(&self) -> Vec<(String, String, String)> {
        let (today, year) = (self.s.run.at, self.s.run.at.plus_years(1));
        let dates = self.s.catalogue.timetable.iter().filter_map(|d| Some((d, d.date.parse::<Time>().ok()?)));
        let mut soon: Vec<_> = dates.filter(|(_, t)| *t > today && *t <= year).collect();
        soon.sort_by_key(|(_, t)| *t);
        soon.iter().map(|(d, t)| (self.zone.day(*t), d.what.clone(), d.basis.clone())).collect()
    }

    fn law(&self) -> m::Law {
        let law = &self.s.catalogue.law;
        let today = self.s.run.at;
        let next =
            self.s.catalogue.timetable.iter().find(|d| d.date.parse::<Time>().is_ok_and(|t| t > today));
        let day = |d: &str| d.parse::<Time>().map_or_else(|_| d.to_owned(), |t| self.zone.day(t));
        m::Law {
            text: format!("{} as amended by {}", law.base, law.amended_by),
            checked: day(&law.status_checked),
            catalogue: format!("{} (SHA-256 {}…)", self.s.catalogue.version, &self.s.catalogue.sha256[..8]),
            presumption: law.presumption_of_conformity.clone(),
            own: self.own(),
            dates: self.dates(),
            next: next.map(|d| format!("{}: {} ({})", day(&d.date), d.what, d.basis)).unwrap_or_default(),
            no_evidence: self
                .s
                .catalogue
                .no_evidence
                .iter()
                .map(|n| (n.article.clone(), n.why.clone()))
                .collect(),
        }
    }

    /// Three or four sentences for the reader who reads nothing else.
    fn opening(&self, t: &m::Totals, wanted: &[m::Wanted], missing: &[m::Missing]) -> Vec<String> {
        let overdue = wanted.iter().filter(|w| w.overdue).count() as u64;
        let mut lines = vec![match wanted.len() as u64 {
            0 => "No decision is wanted.".to_owned(),
            n => format!(
                "{}{}.",
                count(n, "decision is wanted", "decisions are wanted"),
                if overdue > 0 { format!(", {overdue} of them overdue") } else { String::new() }
            ),
        }];
        if !wanted.is_empty() {
            let first = wanted.iter().take(3).map(|w| format!("{}: {}", w.told(), w.what));
            lines.push(format!("First: {}.", first.collect::<Vec<_>>().join("; ")));
        }
        lines.push(match (t.open, t.in_force) {
            (0, _) => "No finding is open.".to_owned(),
            (_, 0) => "No open finding concerns a duty of the Act that is in force today.".to_owned(),
            (n, k) => format!(
                "Of {}, {}.",
                count(n, "open finding", "open findings"),
                count(
                    k,
                    "concerns a duty of the Act in force today",
                    "concern a duty of the Act in force today"
                )
            ),
        });
        lines.push(match missing.iter().filter(|m| !m.what.is_empty()).count() as u64 {
            0 => "Every source was read through.".to_owned(),
            n => format!("Not everything was seen: {}.", count(n, "source has gaps", "sources have gaps")),
        });
        let period = self.period();
        if period.first {
            lines.push(
                "There is no earlier nightly report to compare with, so nothing is called new or resolved."
                    .into(),
            );
        } else if period.nights > 1 && !period.asked {
            lines.push(format!(
                "No report was made between {} and {}: this one stands for {} nights.",
                period.from_local, period.to_local, period.nights
            ));
        }
        lines
    }
}

/// Systems and their findings by team.
fn teams(systems: &[m::System]) -> Vec<m::TeamRow> {
    let mut teams: BTreeMap<&str, m::TeamRow> = BTreeMap::new();
    for s in systems {
        let team = if s.team == "-" { m::NO_TEAM } else { &s.team };
        let row =
            teams.entry(team).or_insert_with(|| m::TeamRow { team: team.into(), ..m::TeamRow::default() });
        row.systems += 1;
        row.high += u64::from(s.risk_level.effective == Level::High.name());
        row.accepted += s.accepted;
        row.open += s.open;
        s.findings.iter().for_each(|f| row.counts.add(f.status));
    }
    teams.into_values().collect()
}

/// The most severe first.
fn rank(severity: &str) -> usize {
    ["critical", "high", "medium", "low"].iter().position(|x| *x == severity).unwrap_or(4)
}

/// A name for anchors and paths: letters, digits and hyphens.
pub fn anchor(id: &str) -> String {
    const MOST: usize = 100;
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' };
    let name: String = id.chars().map(plain).take(MOST).collect();
    // Two ids never have one name.
    if name == id { name } else { format!("{name}-{}", &sha256_hex(id.as_bytes())[..8]) }
}
