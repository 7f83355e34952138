//! How many findings have which status, per level, team and control: what an assessment writes down, so that nights compare.
//!
//! A number of open findings alone gets better when less is seen; what is not assessed stands beside it.

use super::findings::{Assessment, Finding};
use crate::act::Status;
use crate::evidence::record::Metric;
use std::collections::BTreeMap;

/// Counts of an assessment, by what they are of and by name.
pub fn metrics(judged: &Assessment) -> Vec<Metric> {
    let mut all: BTreeMap<(&str, String), Metric> = BTreeMap::new();
    for finding in &judged.findings {
        for (of, name) in places(judged, finding) {
            let metric = all.entry((of, name.clone())).or_insert_with(|| Metric {
                of: of.to_owned(),
                name,
                ..Metric::default()
            });
            match finding.status {
                Status::Satisfied => metric.satisfied += 1,
                Status::NotSatisfied => metric.not_satisfied += 1,
                Status::NotAssessed => metric.not_assessed += 1,
                Status::NotApplicable => metric.not_applicable += 1,
            }
            metric.accepted += u64::from(finding.is_unsatisfied() && finding.excepted);
        }
    }
    all.into_values().collect()
}

/// The level, team and control of a finding.
fn places(judged: &Assessment, finding: &Finding) -> [(&'static str, String); 3] {
    let system = finding.system.as_ref().and_then(|id| judged.estate.systems.get(id));
    let (level, team) = system.map_or(("the estate", "-"), |s| (s.level().name(), s.team()));
    [("level", level.to_owned()), ("team", team.to_owned()), ("control", finding.control.clone())]
}
