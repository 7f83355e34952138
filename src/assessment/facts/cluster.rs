//! Clusters: constraints, audits, violations, webhooks, namespaces, workloads.

use super::{Seen, States, push, read};
use crate::evidence::gatekeeper::{
    Address, Admission, Audit, Config, Constraint, Namespace, Template, Violation, Webhook, Workload,
};
use crate::evidence::{Kind, Time};
use crate::ledger::entry::Placed;

/// What the clusters show.
#[derive(Default)]
pub struct Cluster {
    /// Constraints.
    pub constraints: States<Constraint>,
    /// Templates.
    pub templates: States<Template>,
    /// Audits, one subject per cluster.
    pub audits: States<Audit>,
    /// Violations.
    pub violations: States<Violation>,
    /// Requests that were denied, warned about or noted.
    pub admissions: Vec<Seen<Admission>>,
    /// What Gatekeeper's Config leaves out.
    pub configs: States<Config>,
    /// Webhook entries.
    pub webhooks: States<Webhook>,
    /// Namespaces.
    pub namespaces: States<Namespace>,
    /// Workloads.
    pub workloads: States<Workload>,
    /// Node addresses.
    pub addresses: States<Address>,
}

impl Cluster {
    pub(super) fn fold(&mut self, placed: &Placed) {
        match placed.entry.kind {
            Kind::GatekeeperConstraint => push(&mut self.constraints, placed),
            Kind::GatekeeperTemplate => push(&mut self.templates, placed),
            Kind::GatekeeperAudit => push(&mut self.audits, placed),
            Kind::GatekeeperViolation => push(&mut self.violations, placed),
            Kind::GatekeeperAdmission => self.admissions.extend(read(placed)),
            Kind::GatekeeperConfig => push(&mut self.configs, placed),
            Kind::KubernetesWebhook => push(&mut self.webhooks, placed),
            Kind::KubernetesNamespace => push(&mut self.namespaces, placed),
            Kind::KubernetesWorkload => push(&mut self.workloads, placed),
            Kind::KubernetesAddress => push(&mut self.addresses, placed),
            _ => {}
        }
    }

    /// A namespace of a source at a time.
    pub fn namespace(&self, source: &str, name: &str, at: Time) -> Option<&Seen<Namespace>> {
        self.namespaces.at(at).map(|(_, n)| n).find(|n| n.source == source && n.value.name == name)
    }
}
