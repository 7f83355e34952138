//! Controls for which nobody provides evidence anywhere: a line for the estate, not one for each system. Findings and counts stay.

use super::super::model as m;
use super::Builder;
use crate::act::Status;
use std::collections::BTreeMap;

/// Reasons that say that nobody wrote anything down, or that no source that would show it is configured.
const NOTHING: [&str; 2] = ["register-incomplete", "not-collected"];

impl Builder<'_> {
    /// Marks the findings of these controls, in the order of the catalogue.
    pub(super) fn unprovided(&self, systems: &mut [m::System]) -> Vec<m::Unprovided> {
        // Of a part of the systems nothing follows for the others.
        if !self.s.scope.is_whole() {
            return Vec::new();
        }
        let mut asked: BTreeMap<String, Vec<&mut m::Finding>> = BTreeMap::new();
        for finding in systems.iter_mut().flat_map(|s| &mut s.findings) {
            if finding.status != Status::NotApplicable {
                asked.entry(finding.control.clone()).or_default().push(finding);
            }
        }
        let is_empty = |f: &m::Finding| {
            f.status == Status::NotAssessed
                && f.counts.satisfied == 0
                && f.units
                    .iter()
                    .all(|u| u.status != Status::NotAssessed || NOTHING.contains(&u.reason.as_str()))
        };
        let is_one = |all: &[&mut m::Finding]| all.iter().all(|f| is_empty(f) && f.reason == all[0].reason);
        asked.retain(|_, findings| findings.len() > 1 && is_one(findings));
        let mut line = |control: &crate::act::Control| {
            let mut findings = asked.remove(&control.id)?;
            findings.iter_mut().for_each(|f| f.unprovided = true);
            let first = findings.first()?;
            Some(m::Unprovided {
                control: first.control.clone(),
                title: first.title.clone(),
                systems: findings.len() as u64,
                why: first.units.first().map(|u| u.note.clone()).unwrap_or_default(),
                duty: first.duty.clone(),
                references: first.references.clone(),
                remediation: first.remediation.clone(),
            })
        };
        let lines = self.s.catalogue.controls.iter().filter_map(&mut line).collect();
        for system in systems {
            system.unprovided = system.findings.iter().filter(|f| f.unprovided).count() as u64;
        }
        lines
    }
}
