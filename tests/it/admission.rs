//! What the constraints of the policy pack admit, as our own re-performance evaluates them: their samples, workloads at random, recorded
//! ones, and namespaces.

use crate::properties::Dice;
use crate::support::{project, stderr, stdout};
use actledger::act::{Catalogue, Pack};
use actledger::evidence::Outside;
use actledger::reperformance::{Object, in_match_scope, kinds_fit, rego};
use actledger::sources::kubernetes::RESOURCES;
use serde_json::{Value, json};
use std::process::Command;

/// Documents of YAML files, in order.
pub(crate) fn yaml(paths: &[String]) -> Vec<Value> {
    let script = "import json, sys, yaml
print(json.dumps([yaml.safe_load(open(path)) for path in sys.argv[1:]]))";
    let done = Command::new("python")
        .args(["-c", script])
        .args(paths)
        .current_dir(project().join("deploy/policies/gatekeeper"))
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", stderr(&done));
    serde_json::from_str(&stdout(&done)).unwrap()
}

fn path(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[test]
fn every_sample_of_a_constraint_is_admitted_or_denied_as_stated() {
    let suite = &yaml(&["suite.yaml".into()])[0];
    let mut samples = 0;
    for test in suite["tests"].as_array().unwrap() {
        let cases = test["cases"].as_array().unwrap();
        let mut files = vec![path(&test["template"]), path(&test["constraint"])];
        files.extend(cases.iter().map(|case| path(&case["object"])));
        let documents = yaml(&files);
        let [template, constraint, objects @ ..] = &documents[..] else { panic!("{test}") };
        let rules = &template["spec"]["targets"];
        assert_eq!(template["spec"]["crd"]["spec"]["names"]["kind"], constraint["kind"]);
        let parameters = rego::parameters(&constraint["spec"]["parameters"]).unwrap();
        let mut template = rego::Template::new(rules).unwrap();
        for (case, object) in cases.iter().zip(objects) {
            let name = case["name"].as_str().unwrap();
            let group = object["apiVersion"].as_str().unwrap().split_once('/').map_or("", |(group, _)| group);
            let kind = object["kind"].as_str().unwrap();
            assert!(kinds_fit(&constraint["spec"]["match"], group, kind), "{name}: {kind} is not looked at");
            let denied = case["assertions"][0]["violations"] == true;
            assert_eq!(name.starts_with("fail-"), denied, "{name}");
            let outcome = template.evaluate(&rego::review(object).unwrap(), &parameters);
            let rego::Outcome::Violations(found) = outcome else { panic!("{name}: {outcome:?}") };
            assert_eq!(!found.is_empty(), denied, "{} {name}: {found:?}", test["name"]);
            // Who is refused is told of what, and for the reason that the sample is about.
            assert!(found.iter().all(|(message, _)| message.starts_with(kind)), "{name}: {found:?}");
            let wanted = case["assertions"][0]["message"].as_str();
            assert_eq!(wanted.is_some(), denied, "{name} says why");
            let is_said = |wanted| {
                let wanted = regex::Regex::new(wanted).unwrap();
                found.iter().any(|(message, _)| wanted.is_match(message))
            };
            assert!(wanted.is_none_or(is_said), "{name}: {found:?}");
            samples += 1;
        }
    }
    let files = |dir: &str| {
        let all = std::fs::read_dir(project().join("deploy/policies/gatekeeper").join(dir)).unwrap();
        all.map(|f| f.unwrap().path()).collect::<Vec<_>>()
    };
    let written: usize = files("samples")
        .iter()
        .filter(|place| place.is_dir())
        .map(|dir| {
            std::fs::read_dir(dir)
                .unwrap()
                .filter(|f| f.as_ref().unwrap().file_name() != "constraint.yaml")
                .count()
        })
        .sum();
    assert_eq!(samples, written, "a sample is in no test of the suite");
    assert_eq!(files("templates").len(), files("constraints").len());
}

/// A template of the pack with the parameters of its constraint.
fn rule(template: &str, constraint: &str) -> impl FnMut(&Value) -> bool {
    let files = yaml(&[format!("templates/{template}.yaml"), format!("constraints/{constraint}.yaml")]);
    let mut template = rego::Template::new(&files[0]["spec"]["targets"]).unwrap();
    let parameters = rego::parameters(&files[1]["spec"]["parameters"]).unwrap();
    move |object| match template.evaluate(&rego::review(object).unwrap(), &parameters) {
        rego::Outcome::Violations(found) => found.is_empty(),
        other => panic!("{object}: {other:?}"),
    }
}

fn deployment(labels: &Value, annotations: &Value) -> Value {
    let meta = json!({"name": "x", "namespace": "ml", "labels": labels, "annotations": annotations});
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": {"template": {"metadata": meta, "spec": {"containers": []}}}})
}

/// Every combination of one of each.
fn triples<'t>(a: &[&'t str], b: &[&'t str], c: &[&'t str]) -> Vec<(&'t str, &'t str, &'t str)> {
    let mut all = Vec::new();
    for x in a {
        for y in b {
            all.extend(c.iter().map(|z| (*x, *y, *z)));
        }
    }
    all
}

#[test]
fn templates_say_of_references_environments_and_labels_what_the_table_says() {
    let pack = Catalogue::built_in().pack;
    let (mut registry, mut labels) = (
        rule("mlmodelregistry", "production-model-registry"),
        rule("k8srequiredlabels", "ml-model-governance"),
    );
    let (mut tried, mut admitted) = (0, 0);
    let schemes =
        ["mlflow", "MLflow", "kubeflow", "sagemaker", "azureml", "https", "HTTPS", "http", "ftp", "", "s3"];
    let users = ["", "ada@", "mlflow.internal@", "mlflow.internal:5000@"];
    let hosts = ["mlflow.internal", "MLFLOW.internal", "mlflow.internal.evil.example", "evil.example", ""];
    let rests = ["", "/", ":5000", ":5000/models", "/models?x=mlflow.internal", "#mlflow.internal", "?"];
    for scheme in schemes {
        for (user, host, rest) in triples(&users, &hosts, &rests) {
            let reference = format!("{scheme}://{user}{host}{rest}");
            let object = deployment(&json!({}), &json!({ pack.registry_annotation.as_str(): reference }));
            let is_approved = registry(&object);
            assert_eq!(is_approved, pack.approves_registry(&reference), "{reference}");
            tried += 1;
            admitted += usize::from(is_approved);
        }
    }
    for arn in
        ["arn:aws:sagemaker:eu:1:m/x", " ARN:aws:SageMaker:x ", "arn:aws:s3:::x", "xarn:aws:sagemaker:"]
    {
        let object = deployment(&json!({}), &json!({ pack.registry_annotation.as_str(): arn }));
        assert_eq!(registry(&object), pack.approves_registry(arn), "{arn}");
    }
    println!("{admitted} of {tried} references approved");
    assert!(admitted > 300 && tried - admitted > 300);
    // Without an approved registry, by environment.
    for environment in
        ["dev", " Dev ", "TEST", "staging", "Staging", "prod", "Production", "live", "", "demo", "qa "]
    {
        let object = deployment(&json!({ "environment": environment }), &json!({}));
        let is_asked = pack.is_production(Some(environment)) || pack.is_staging(Some(environment));
        assert_eq!(registry(&object), !is_asked, "{environment:?}");
    }
    // Every combination of values of the required labels.
    let values = ["credit", "3.2.0", "", "  ", "TBD", "n/a", "none", "x"];
    for (app, version, team) in triples(&values, &values, &values) {
        let object = deployment(&json!({"app": app, "model-version": version, "ml-team": team}), &json!({}));
        let says = ![app, version, team].iter().any(|value| pack.is_placeholder(value));
        assert_eq!(labels(&object), says, "{app:?} {version:?} {team:?}");
    }
}

/// The constraint of each template.
const RULES: [(&str, &str); 5] = [
    ("k8srequiredlabels", "ml-model-governance"),
    ("mlmodelregistry", "production-model-registry"),
    ("mlrisklevel", "eu-ai-act-risk-level"),
    ("mlimagedigest", "images-by-digest"),
    ("mlgpuapproved", "gpu-where-approved"),
];

/// A workload as a person reads its manifest: each metadata that answers for it, and the specification of its pods.
struct Manifest<'o> {
    metas: Vec<&'o Value>,
    pods: &'o Value,
}

impl<'o> Manifest<'o> {
    fn of(object: &'o Value) -> Manifest<'o> {
        let spec = &object["spec"];
        let job = &spec["jobTemplate"];
        let makes = [&spec["template"], job, &job["spec"]["template"]].into_iter().filter(|t| !t.is_null());
        let mut manifest = Manifest { metas: vec![&object["metadata"]], pods: spec };
        for made in makes {
            manifest.metas.push(&made["metadata"]);
            manifest.pods = &made["spec"];
        }
        manifest
    }

    fn every(&self, says: impl Fn(&Value) -> bool) -> bool {
        self.metas.iter().all(|meta| says(meta))
    }

    fn containers(&self) -> impl Iterator<Item = &'o Value> {
        let lists = ["containers", "initContainers", "ephemeralContainers"];
        let pods = self.pods;
        lists.into_iter().flat_map(|list| pods[list].as_array().into_iter().flatten())
    }
}

/// The value under a name, in small letters and without the space around it; empty where it is no text.
fn value(meta: &Value, part: &str, name: &str) -> String {
    meta[part][name].as_str().unwrap_or_default().trim().to_lowercase()
}

/// What the pack says of a workload, read from its table without any Rego: whether each of [`RULES`] admits it.
fn admits(pack: &Pack, object: &Value) -> [bool; 5] {
    let manifest = Manifest::of(object);
    let label = |meta: &Value, name: &String| value(meta, "labels", name);
    let holds_labels =
        manifest.every(|meta| pack.required_labels.iter().all(|l| !pack.is_placeholder(&label(meta, l))));
    let is_exempt = manifest.every(|meta| {
        let environment = label(meta, &"environment".to_owned());
        !pack.is_production(Some(&environment)) && !pack.is_staging(Some(&environment))
    });
    let registry = |meta: &Value| value(meta, "annotations", &pack.registry_annotation);
    let level = |meta: &Value| match value(meta, "annotations", &pack.risk_annotation).as_str() {
        "limited" | "minimal" => true,
        "high" => !pack.is_placeholder(&value(meta, "annotations", "risk-assessment")),
        _ => false,
    };
    let is_digest = |image: &Value| {
        let digest = image.as_str().unwrap_or_default().rsplit_once("@sha256:").map(|(_, digest)| digest);
        digest.is_some_and(|d| {
            d.len() == 64 && d.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c))
        })
    };
    let volumes = manifest.pods["volumes"].as_array().into_iter().flatten();
    let mut mounted = volumes.filter(|v| v["image"].is_object()).map(|v| &v["image"]["reference"]);
    let by_digest = manifest.containers().all(|c| is_digest(&c["image"])) && mounted.all(is_digest);
    [
        holds_labels,
        is_exempt || manifest.every(|meta| pack.approves_registry(&registry(meta))),
        manifest.every(level),
        is_exempt || by_digest,
        !asks_for_gpu(&manifest),
    ]
}

fn asks_for_gpu(manifest: &Manifest<'_>) -> bool {
    let pods = manifest.pods;
    let begins = [
        "nvidia.com/",
        "amd.com/gpu",
        "gpu.intel.com/",
        "aws.amazon.com/neuron",
        "habana.ai/",
        "google.com/tpu",
    ];
    let is_some = |(name, amount): (&String, &Value)| {
        begins.iter().any(|b| name.starts_with(b)) && amount.to_string().trim_matches('"') != "0"
    };
    let asks = |c: &Value| {
        let amounts = ["limits", "requests"]
            .iter()
            .any(|part| c["resources"][*part].as_object().into_iter().flatten().any(is_some));
        let told = c["env"].as_array().into_iter().flatten().any(|e| e["name"] == "NVIDIA_VISIBLE_DEVICES");
        amounts || told
    };
    manifest.containers().any(asks)
        || pods["resourceClaims"].as_array().is_some_and(|all| !all.is_empty())
        || ["nvidia", "nvidia-cdi", "nvidia-legacy"].iter().any(|r| pods["runtimeClassName"] == **r)
}

/// A workload of any kind, mostly one that is well described.
struct Generator(Dice);

impl Generator {
    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.0.below(of.len())].clone()
    }

    /// The usual value, or once in a while another one; none leaves it out.
    fn mostly(&mut self, usual: &str, others: &[Value]) -> Value {
        if self.0.below(12) > 0 { usual.into() } else { self.one(others) }
    }

    fn meta(&mut self, environment: &str) -> Value {
        let nothing =
            [Value::Null, json!(""), json!(" TBD "), json!("\u{a0}"), json!("-"), json!(7), json!("x")];
        let mut labels = json!({});
        for (name, usual) in [("app", "credit"), ("model-version", "3.2.0"), ("ml-team", "lending")] {
            labels[name] = self.mostly(usual, &nothing);
        }
        labels["environment"] =
            self.mostly(environment, &[Value::Null, json!("Production"), json!(" QA "), json!("live")]);
        let registries = [
            Value::Null,
            json!("ftp://mlflow.internal/x"),
            json!("HTTPS://MLflow.internal/x"),
            json!("mlflow://"),
        ];
        let levels =
            [Value::Null, json!("unclassified"), json!("prohibited"), json!(" Minimal "), json!("hoch")];
        let level = self.one(&["high", "limited", "minimal"]);
        let annotations = json!({
            "model-registry-url": self.mostly("mlflow://models/credit/3", &registries),
            "eu-ai-act-risk": self.mostly(level, &levels),
            "risk-assessment": self.mostly("RA-2026-7", &nothing),
        });
        let without_null = |v: Value| -> Value {
            v.as_object().unwrap().clone().into_iter().filter(|(_, v)| !v.is_null()).collect()
        };
        json!({ "name": "w", "namespace": "ml", "labels": without_null(labels), "annotations": without_null(annotations) })
    }

    fn container(&mut self) -> Value {
        let digest = format!("registry/credit@sha256:{}", "0a".repeat(32));
        let tagged = [
            json!("registry/credit:3"),
            json!(format!("{digest}0")),
            json!(digest.to_uppercase()),
            json!(format!("{digest}-x")),
        ];
        let mut container = json!({ "name": "c", "image": self.mostly(&digest, &tagged) });
        let amounts = [
            json!({"limits": {"nvidia.com/gpu": 1}}),
            json!({"requests": {"amd.com/gpu": "2"}}),
            json!({"limits": {"nvidia.com/gpu": "0"}}),
            json!({"limits": {"nvidia.com/mig-1g.5gb": "1"}}),
        ];
        match self.0.below(12) {
            0 | 1 => container["resources"] = self.one(&amounts),
            2 => {
                container["env"] =
                    json!([{"name": self.one(&["NVIDIA_VISIBLE_DEVICES", "HOME"]), "value": "all"}])
            }
            _ => container["resources"] = json!({"limits": {"cpu": "1"}}),
        }
        container
    }

    fn pods(&mut self) -> Value {
        let mut spec = json!({});
        for list in ["containers", "initContainers", "ephemeralContainers"] {
            let least = usize::from(list == "containers");
            let n = least + usize::from(self.0.below(3) == 0);
            spec[list] = (0..n).map(|_| self.container()).collect();
        }
        match self.0.below(16) {
            0 => spec["resourceClaims"] = json!([{"name": "g"}]),
            1 => spec["resourceClaims"] = json!([]),
            2 => spec["runtimeClassName"] = self.one(&["nvidia", "gvisor"]).into(),
            3 => spec["volumes"] = json!([{"name": "model", "image": {"reference": "registry/model:3"}}]),
            4 => spec["volumes"] = json!([{"name": "scratch", "emptyDir": {}}]),
            _ => {}
        }
        spec
    }

    fn workload(&mut self) -> Value {
        let kinds = [
            ("apps/v1", "Deployment"),
            ("apps/v1", "StatefulSet"),
            ("apps/v1", "DaemonSet"),
            ("apps/v1", "ReplicaSet"),
            ("batch/v1", "Job"),
            ("batch/v1", "CronJob"),
            ("v1", "Pod"),
            ("v1", "ReplicationController"),
        ];
        let (version, kind) = self.one(&kinds);
        let environment = self.one(&["production", "staging", "dev", "test"]);
        let meta = self.meta(environment);
        let template = |g: &mut Generator| json!({ "metadata": g.meta(environment), "spec": g.pods() });
        let spec = match kind {
            "Pod" => self.pods(),
            "CronJob" => {
                let metadata = self.meta(environment);
                json!({ "schedule": "@daily", "jobTemplate": { "metadata": metadata, "spec": { "template": template(self) } } })
            }
            _ => json!({ "template": template(self) }),
        };
        json!({ "apiVersion": version, "kind": kind, "metadata": meta, "spec": spec })
    }
}

/// Holds all rules of the pack to what [`admits`] says of workloads; counts those that each admits and denies.
fn compare(workloads: impl Iterator<Item = Value>) -> [(usize, usize); 5] {
    let pack = Catalogue::built_in().pack;
    let mut rules: Vec<_> = RULES.iter().map(|(template, constraint)| rule(template, constraint)).collect();
    let mut counts = [(0, 0); 5];
    for object in workloads {
        let expected = admits(&pack, &object);
        for (n, rule) in rules.iter_mut().enumerate() {
            assert_eq!(rule(&object), expected[n], "{} of {object:#}", RULES[n].1);
            *if expected[n] { &mut counts[n].0 } else { &mut counts[n].1 } += 1;
        }
    }
    println!("admitted and denied: {counts:?}");
    counts
}

#[test]
fn every_template_says_of_workloads_at_random_what_the_pack_says() {
    let mut generator = Generator(Dice(2026));
    let counts = compare((0..2000).map(|_| generator.workload()));
    assert!(counts.iter().all(|(admitted, denied)| *admitted > 100 && *denied > 100), "{counts:?}");
}

#[test]
fn every_template_says_of_recorded_workloads_what_the_pack_says() {
    let files = [
        "deployments-limit20-page1.json",
        "deployments-limit20-page2.json",
        "replicasets-ml-staging.json",
        "pods-running.json",
    ];
    let objects = files.into_iter().flat_map(|file| {
        let text = std::fs::read_to_string(project().join("tests/data/kubernetes").join(file)).unwrap();
        let list: Value = serde_json::from_str(&text).unwrap();
        let kind = list["kind"].as_str().unwrap().trim_end_matches("List").to_owned();
        let items = list["items"].as_array().unwrap().clone();
        items.into_iter().map(move |mut item| {
            item["kind"] = kind.clone().into();
            item["apiVersion"] = list["apiVersion"].clone();
            item
        })
    });
    let counts = compare(objects);
    // Made for the constraints that were recorded: each lacks something of the pack, and none asks for a GPU.
    let [labels, registry, level, digest, gpu] = counts;
    assert!(
        [labels, registry, level, digest].iter().all(|(admitted, denied)| *admitted == 0 && *denied > 40),
        "{counts:?}"
    );
    assert!(gpu.1 == 0 && gpu.0 > 40, "{counts:?}");
}

#[test]
fn whatever_a_constraint_matches_is_listed_for_its_own_evaluation() {
    let constraints = yaml(&RULES.map(|(_, constraint)| format!("constraints/{constraint}.yaml")));
    for constraint in &constraints {
        let kinds = constraint["spec"]["match"]["kinds"].as_array().unwrap();
        for (group, kind) in kinds.iter().flat_map(|k| {
            let group = k["apiGroups"][0].as_str().unwrap();
            k["kinds"].as_array().unwrap().iter().map(move |kind| (group, kind))
        }) {
            assert!(RESOURCES.iter().any(|r| *kind == r.kind && r.group == group), "{group} {kind}");
        }
    }
}

#[test]
fn a_namespace_is_left_out_by_its_label_and_never_by_its_name() {
    let constraints = yaml(&RULES.map(|(_, constraint)| format!("constraints/{constraint}.yaml")));
    let marked = Outside::of(Some(&json!({ "actledger.io/not-for-models": "" })));
    let others =
        [json!({}), json!({ "kubernetes.io/metadata.name": "kube-system" }), json!({ "not-for-models": "" })];
    let others = others.map(|labels| Outside::of(Some(&labels)));
    let none = Outside::default();
    for constraint in &constraints {
        for namespace in ["ml-production", "kube-system", "gatekeeper-system", "actledger", "actledger.io"] {
            let is_asked = |labels| {
                let object = Object {
                    group: "apps",
                    kind: "Deployment",
                    namespace,
                    name: "w",
                    labels: &none,
                    namespace_labels: Some(labels),
                };
                in_match_scope(&constraint["spec"]["match"], &object)
            };
            assert_eq!(is_asked(&marked), Some(false), "{namespace}");
            assert!(others.iter().all(|labels| is_asked(labels) == Some(true)), "{namespace}");
        }
    }
}
