//! Which thing belongs to which system: the register's selectors first, then the conventions, else it is discovered.

use super::artifact_sets::{Place, Set, Shared, Strays, sets};
use super::coverage::{All, Input, Unread};
use super::deployments::{Deployment, Production, Ran, by_version};
use super::facts::{Facts, Seen, States};
use super::inventory::{Interface, Pod, interfaces, pods};
use super::level::{Levels, Statement, decision};
use crate::act::{Catalogue, Level, Role, Route, SourceKind};
use crate::evidence::artifacts::Tags;
use crate::evidence::gatekeeper::Workload;
use crate::evidence::record::{AssessmentConfig, AssessmentRun};
use crate::evidence::sentinel::Resource;
use crate::evidence::{Outside, Time, register, shortened};
use crate::register::Selector;
use crate::reperformance::ai_mark;
use std::collections::{BTreeMap, BTreeSet};

/// A registered or discovered system and everything that was tied to it. Things are subjects of the ledger.
#[derive(Clone, Debug, Default)]
pub struct System {
    /// Its id.
    pub id: String,
    /// Entry of the register.
    pub registered: Option<u64>,
    /// What the register says.
    pub register: register::System,
    /// The decision on its level.
    pub decision: Option<register::Decision>,
    /// Workloads, present or past.
    pub workloads: BTreeSet<String>,
    /// Resources, present or past.
    pub resources: BTreeSet<String>,
    /// Workspaces.
    pub workspaces: BTreeSet<String>,
    /// Interfaces: (source, `eni-…`).
    pub interfaces: BTreeSet<(String, String)>,
    /// Artifact sets: model version to (bucket, prefix that ends in `/`).
    pub artifacts: BTreeMap<String, BTreeSet<(String, String)>>,
    /// What its workloads ran in production, by its start.
    pub ran: Vec<Ran>,
    /// Model versions that were in production.
    pub deployed: BTreeMap<String, Deployment>,
    /// Endpoints that served in production.
    pub endpoints: Vec<Deployment>,
    /// Its levels.
    pub levels: Option<Levels>,
}

impl System {
    /// Effective level.
    pub fn level(&self) -> Level {
        self.levels.as_ref().map_or(Level::Unclassified, |l| l.effective)
    }
    /// What was in production: model versions and endpoints.
    pub fn in_production(&self) -> impl Iterator<Item = &Deployment> {
        self.deployed.values().chain(&self.endpoints)
    }
    /// Whether nothing that any source ever showed belongs to it.
    pub fn is_idle(&self) -> bool {
        self.workloads.is_empty()
            && self.resources.is_empty()
            && self.workspaces.is_empty()
            && self.interfaces.is_empty()
            && self.artifacts.is_empty()
    }
    /// What the entries of the register are about.
    pub fn subject(&self) -> String {
        format!("system:{}", self.id)
    }
    /// Role: that of the decision, else that of the system's own entry.
    pub fn role(&self) -> Option<Role> {
        self.role_said().and_then(Role::stated)
    }
    /// The same as it is written.
    pub fn role_said(&self) -> Option<&str> {
        let decided = self.decision.as_ref().and_then(|d| d.role.as_deref());
        decided.filter(|role| Role::stated(role).is_some()).or(self.register.role.as_deref())
    }
    /// Annex point: that of the decision, else that of the system's own entry.
    pub fn annex(&self) -> Option<&str> {
        let decided = self.decision.as_ref().and_then(|d| d.annex.as_deref());
        decided.filter(|a| !a.trim().is_empty()).or(self.register.annex.as_deref())
    }
    /// Route, from the Annex point.
    pub fn route(&self) -> Option<Route> {
        self.annex().and_then(Route::of_annex_point)
    }
    /// The team that answers for it, or a dash.
    pub fn team(&self) -> &str {
        if self.register.team.is_empty() { "-" } else { &self.register.team }
    }
}

/// A thing that looks like AI, and who claims it.
#[derive(Clone, Debug)]
pub struct Thing {
    /// The unit's id.
    pub id: String,
    /// Registered systems that claim it.
    pub claimed: BTreeSet<String>,
    /// Whether one of them is shared infrastructure.
    pub shared: bool,
    /// Entries that show it.
    pub evidence: Vec<u64>,
    /// Why it looks like AI.
    pub why: String,
}

/// All systems and all coverage, as of an assessment.
pub struct Estate {
    /// The time judged from.
    pub at: Time,
    /// Start of the window.
    pub window: Time,
    /// Values of the config.
    pub config: AssessmentConfig,
    /// Systems by id; shared infrastructure left out.
    pub systems: BTreeMap<String, System>,
    /// What looks like AI.
    pub things: Vec<Thing>,
    /// Interfaces that should speak.
    pub interfaces: Vec<Interface>,
    /// Pods with addresses of their own.
    pub pods: Vec<Pod>,
    /// Coverage per source.
    pub coverage: All,
    /// Objects that are tagged as a risk assessment, and the system that their tag names.
    pub(super) risk_assessments: Vec<(String, Option<String>)>,
    /// Which sets of stored files have bytes in common.
    pub(super) shared: Shared,
    /// Stored files that fit no layout, per source.
    pub strays: BTreeMap<String, Strays>,
}

impl Estate {
    /// Ties everything below an assessment to systems.
    pub fn of(facts: &Facts, catalogue: &Catalogue, run: &AssessmentRun) -> Estate {
        let window = run.at.plus_days(-catalogue.defaults.window_days);
        let interfaces = interfaces(facts, &run.config, run.at);
        let input = Input { facts, catalogue, config: &run.config, interfaces: &interfaces, at: run.at };
        let coverage = input.since(window);
        let mut tying = Tying::begin(facts, catalogue, run.at, window);
        tying.workloads();
        tying.terraform();
        let (sets, strays) = sets(facts, &run.config, run.at, window);
        tying.artifacts(&sets);
        tying.network(&interfaces, &coverage);
        let (mut systems, things) = (tying.systems, tying.things);
        systems.retain(|_, s| !s.register.shared);
        let production = Production { facts, pack: &catalogue.pack, at: run.at };
        for system in systems.values_mut() {
            system.ran = production.ran(&system.workloads);
            system.deployed = by_version(&system.ran);
            system.endpoints = production.endpoints(&system.resources);
            let stated = statements(facts, catalogue, system, run.at);
            let decision = decision(facts, &system.id, run.at);
            system.decision = decision.map(|d| d.value.clone());
            system.levels = Some(Levels::of(stated, decision));
        }
        let shared = Shared::of(facts, &systems, &sets, run.at);
        let risk_assessments = risk_assessments(facts, catalogue, run.at);
        let (config, pods) = (run.config.clone(), pods(facts, &run.config, run.at));
        Estate {
            at: run.at,
            window,
            config,
            systems,
            things,
            interfaces,
            pods,
            coverage,
            risk_assessments,
            shared,
            strays,
        }
    }

    /// Coverage of the configured sources of a kind.
    pub fn sources(&self, kind: SourceKind) -> impl Iterator<Item = &super::Coverage> {
        self.coverage.values().filter(move |c| c.kind == kind)
    }

    /// Why an hour of a source was not read through, if it was not.
    pub fn unread(&self, source: &str, hour: Time) -> Option<&Unread> {
        self.coverage.get(source)?.unread.get(&hour)
    }

    /// Horizon of a source; `at` for one that is not configured.
    pub fn horizon(&self, source: &str) -> Time {
        self.coverage.get(source).map_or(self.at, |c| c.horizon)
    }
}

/// Whether a workload looks like AI, and why.
pub fn ai_workload(w: &Workload, catalogue: &Catalogue) -> Option<&'static str> {
    let pack = &catalogue.pack;
    let sets = || [Some(&w.labels), w.template_labels.as_ref()].into_iter().flatten();
    let notes = [&w.annotations, &w.template_annotations];
    if sets().any(|l| l.get("model-version").is_some() || l.get("ml-team").is_some()) {
        Some("label model-version or ml-team")
    } else if notes
        .iter()
        .any(|n| n.get(&pack.registry_annotation).or(n.get(&pack.risk_annotation)).is_some())
    {
        Some("annotation of the pack")
    } else if w.gpus > 0 {
        Some("requests a GPU")
    } else {
        None
    }
}

/// Model version of a workload: label of the pod template, else of the object.
pub fn model_version(w: &Workload) -> Option<&str> {
    w.template_labels.as_ref().and_then(|l| l.get("model-version")).or(w.labels.get("model-version"))
}

/// A label of the workload's object or pod template.
pub fn label<'w>(w: &'w Workload, name: &str) -> Option<&'w str> {
    w.labels.get(name).or(w.template_labels.as_ref().and_then(|l| l.get(name)))
}

/// An annotation of the workload's object or pod template.
pub fn annotation<'w>(w: &'w Workload, name: &str) -> Option<&'w str> {
    w.annotations.get(name).or(w.template_annotations.get(name))
}

/// Whether a taggable resource looks like AI, and why.
pub fn ai_resource(r: &Resource, catalogue: &Catalogue) -> Option<&'static str> {
    ai_mark(&catalogue.pack, &r.r#type, r.tags.as_ref()?, &r.instance_types)
}

/// Most characters of a stated level that are told.
const RAW: usize = 100;

/// The tag of objects that may be a risk assessment.
const RISK_ASSESSMENT_TAG: (&str, &str) = ("evidence-type", "risk-assessment");

struct Tying<'a> {
    facts: &'a Facts,
    catalogue: &'a Catalogue,
    at: Time,
    window: Time,
    selectors: Vec<(String, Selector)>,
    names: BTreeMap<String, String>,
    systems: BTreeMap<String, System>,
    things: Vec<Thing>,
}

impl<'a> Tying<'a> {
    fn begin(facts: &'a Facts, catalogue: &'a Catalogue, at: Time, window: Time) -> Tying<'a> {
        let (mut selectors, mut names, mut systems) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        for (_, seen) in facts.systems.at(at) {
            let s = &seen.value;
            let parsed = s.select.iter().filter_map(|v| serde_json::from_value(v.clone()).ok());
            selectors.extend(parsed.map(|sel: Selector| (s.id.clone(), sel)));
            names.extend(
                [&s.id].into_iter().chain(&s.was).chain(&s.adopts).map(|n| (n.clone(), s.id.clone())),
            );
            let system = System {
                id: s.id.clone(),
                registered: Some(seen.seq),
                register: s.clone(),
                ..System::default()
            };
            systems.insert(s.id.clone(), system);
        }
        Tying { facts, catalogue, at, window, selectors, names, systems, things: Vec::new() }
    }

    /// Selectors, else the name that a convention gives, else an adopted discovery.
    fn claims(
        &self,
        matches: impl Fn(&Selector) -> bool,
        names: &[Option<&str>],
        discovered: &str,
    ) -> BTreeSet<String> {
        let by_selector: BTreeSet<String> =
            self.selectors.iter().filter(|(_, s)| matches(s)).map(|(id, _)| id.clone()).collect();
        if !by_selector.is_empty() {
            return by_selector;
        }
        let named = names.iter().flatten().find_map(|n| self.names.get(*n));
        named.or(self.names.get(discovered)).into_iter().cloned().collect()
    }

    /// Ties a thing to those who claim it, else to a discovered system when it looks like AI.
    fn tie(&mut self, thing: Thing, discovered: &str, tie: impl Fn(&mut System)) {
        if thing.claimed.is_empty() && thing.why.is_empty() {
            return;
        }
        let mut ids: Vec<String> = thing.claimed.iter().cloned().collect();
        if ids.is_empty() {
            ids.push(discovered.to_owned());
        }
        for id in ids {
            let new = || System { id: id.clone(), ..System::default() };
            tie(self.systems.entry(id.clone()).or_insert_with(new));
        }
        if !thing.why.is_empty() {
            self.things.push(thing);
        }
    }

    fn thing(&self, id: String, claimed: BTreeSet<String>, evidence: Vec<u64>, why: Option<&str>) -> Thing {
        let shared = claimed.iter().any(|c| self.systems.get(c).is_some_and(|s| s.register.shared));
        Thing { id, claimed, shared, evidence, why: why.unwrap_or_default().to_owned() }
    }

    fn workloads(&mut self) {
        for (subject, history) in &self.facts.cluster.workloads.0 {
            let Some((seen, recent)) = last_shown(history, self.at, self.window) else { continue };
            let w = &seen.value;
            let matches = |s: &Selector| match s {
                Selector::Kubernetes { cluster, namespace, app, name } => {
                    let uid =
                        subject.strip_prefix("k8s:").and_then(|s| s.split('/').next()).unwrap_or_default();
                    let cluster_fits = cluster.as_ref().is_none_or(|c| *c == seen.source || c == uid);
                    cluster_fits
                        && fits(namespace, &w.namespace)
                        && fits(app, label(w, "app").unwrap_or_default())
                        && fits(name, &w.name)
                }
                _ => false,
            };
            let pack = &self.catalogue.pack;
            let names = [
                label(w, &pack.system_label),
                label(w, "app.kubernetes.io/part-of"),
                label(w, "app"),
                Some(&w.name),
            ];
            let discovered = format!("discovered:kubernetes:{}/{}:{}", seen.source, w.namespace, w.name);
            let claimed = self.claims(matches, &names, &discovered);
            let why = ai_workload(w, self.catalogue).filter(|_| recent);
            let thing = self.thing(subject.to_string(), claimed, vec![seen.seq], why);
            self.tie(thing, &discovered, |s| {
                s.workloads.insert(subject.to_string());
            });
        }
    }

    fn terraform(&mut self) {
        for (subject, history) in &self.facts.terraform.resources.0 {
            let Some((seen, recent)) = last_shown(history, self.at, self.window) else { continue };
            let r = &seen.value;
            let matches = |s: &Selector| match s {
                Selector::Terraform { workspace, address } => {
                    fits(workspace, &r.workspace) && fits(address, &r.address)
                }
                _ => false,
            };
            let none = Outside::default();
            let tags = r.tags.as_ref().unwrap_or(&none);
            let names = [tags.get(&self.catalogue.pack.system_tag), tags.get("Project")];
            let discovered = format!("discovered:terraform:{}:{}", seen.source, r.workspace);
            let claimed = self.claims(matches, &names, &discovered);
            let why = ai_resource(r, self.catalogue).filter(|_| recent);
            let thing = self.thing(subject.to_string(), claimed, vec![seen.seq], why);
            self.tie(thing, &discovered, |s| {
                s.resources.insert(subject.to_string());
                s.workspaces.insert(r.workspace.clone());
            });
        }
        let terraform = &self.facts.terraform;
        let runs = terraform.runs.values().filter_map(|r| Some(&r.run.as_ref()?.value.workspace));
        let listed = terraform.workspaces.at(self.at).map(|(_, w)| &w.value.name);
        let known: BTreeSet<&String> = runs.chain(listed).collect();
        for (id, selector) in &self.selectors {
            if let (Selector::Terraform { workspace: Some(pattern), .. }, Some(system)) =
                (selector, self.systems.get_mut(id))
            {
                let named = known.iter().filter(|w| matches_text(pattern, w));
                system.workspaces.extend(named.map(|w| (*w).clone()));
            }
        }
    }

    fn artifacts(&mut self, sets: &BTreeMap<Place, Set>) {
        for (Place { bucket, system: name, version, prefix }, set) in sets {
            let matches = |s: &Selector| match s {
                Selector::S3 { bucket: b, prefix: p } => b == bucket && prefix.starts_with(p.as_str()),
                _ => false,
            };
            let discovered = format!("discovered:s3:{}/{bucket}:{name}", set.source);
            let claimed = self.claims(matches, &[Some(name)], &discovered);
            let why = set.is_recent.then_some("key layout of model artifacts");
            let thing = self.thing(format!("s3:{bucket}/{prefix}"), claimed, set.entries.clone(), why);
            self.tie(thing, &discovered, |s| {
                s.artifacts.entry(version.clone()).or_default().insert((bucket.clone(), prefix.clone()));
            });
        }
    }

    /// What rows of flow logs show counts up to the horizon of their source.
    fn network(&mut self, interfaces: &[Interface], coverage: &All) {
        for i in interfaces.iter().filter(|i| !i.name.is_empty()) {
            let matches = |s: &Selector| match s {
                Selector::Network { interface, address } => {
                    fits(interface, &i.name) && address.as_ref().is_none_or(|a| i.addresses.contains(a))
                }
                _ => false,
            };
            let discovered = format!("discovered:network:{}:{}", i.source, i.name);
            let names = [i.tags.get(&self.catalogue.pack.system_tag), i.tags.get("ai-system")];
            let claimed = self.claims(matches, &names, &discovered);
            let delivered = self.facts.network.of(&i.source);
            let rows = delivered.rows(&delivered.ports, &i.name);
            let horizon = coverage.get(&i.source).map_or(self.at, |c| c.horizon);
            let is_in_window = |hour: Time| {
                let end = hour.plus_seconds(3_600);
                end > self.window && end <= horizon
            };
            let watched = rows.filter(|r| r.records > 0 && r.place.allowed.is_some() && is_in_window(r.hour));
            let ports: Vec<u64> = watched.map(|r| r.seq).take(19).collect();
            let why = (!ports.is_empty()).then_some("accepts connections on a watched port");
            let evidence = [i.seq].into_iter().chain(ports).collect();
            let thing = self.thing(i.subject.clone(), claimed, evidence, why);
            self.tie(thing, &discovered, |s| {
                s.interfaces.insert((i.source.clone(), i.name.clone()));
            });
        }
    }
}

/// The last state that showed a thing, and whether it was there at some time in the window.
pub(super) fn last_shown<T>(history: &[Seen<T>], at: Time, window: Time) -> Option<(&Seen<T>, bool)> {
    let shown = history.iter().rev().find(|s| !s.gone && s.at <= at)?;
    let gone = history.iter().find(|s| s.gone && s.at > shown.at && s.at <= at);
    Some((shown, gone.is_none_or(|g| g.at >= window)))
}

fn fits(pattern: &Option<String>, text: &str) -> bool {
    pattern.as_ref().is_none_or(|p| matches_text(p, text))
}

fn matches_text(pattern: &str, text: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == text, |start| text.starts_with(start))
}

/// Objects that their tags call a risk assessment, with the system that they name.
fn risk_assessments(facts: &Facts, catalogue: &Catalogue, at: Time) -> Vec<(String, Option<String>)> {
    let (name, value) = RISK_ASSESSMENT_TAG;
    let tagged = facts.object_tags.at(at).map(|(_, t)| &t.value).filter(|t| t.tags.get(name) == Some(value));
    let system = |t: &Tags| t.tags.get(&catalogue.pack.system_tag).map(str::to_owned);
    tagged.map(|t| (format!("s3://{}/{}", t.bucket, t.key), system(t))).collect()
}

/// Every level that somebody wrote down for a system.
fn statements(facts: &Facts, catalogue: &Catalogue, system: &System, at: Time) -> Vec<Statement> {
    let mut found = Vec::new();
    let mut add = |source, raw: Option<&str>, entry| {
        if let Some(raw) = raw.filter(|r| !catalogue.pack.is_placeholder(r)) {
            let raw = shortened(raw.trim(), RAW);
            found.push(Statement { source, level: Level::stated(&raw), raw, entry });
        }
    };
    add("register", system.register.risk_level.as_deref(), system.registered.unwrap_or(0));
    let present =
        |states: &States<Resource>, subject: &String| states.of(subject, at).filter(|s| !s.gone).cloned();
    for r in system.resources.iter().filter_map(|s| present(&facts.terraform.resources, s)) {
        let tag = r.value.tags.as_ref().and_then(|t| t.get(&catalogue.pack.risk_tag));
        add("terraform tag", tag, r.seq);
    }
    for w in system.workloads.iter().filter_map(|s| facts.cluster.workloads.of(s, at)).filter(|w| !w.gone) {
        add("annotation", annotation(&w.value, &catalogue.pack.risk_annotation), w.seq);
    }
    for (bucket, prefix) in system.artifacts.values().flatten() {
        let beginning = format!("s3:{bucket}/{prefix}");
        for tags in facts.object_tags.there(&beginning, at) {
            add("object tag", tags.value.tags.get(&catalogue.pack.risk_tag), tags.seq);
        }
    }
    found
}
