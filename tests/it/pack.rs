//! The policy pack under deploy/: what policies say of their samples, and that their text, the samples, the table of the catalogue and our
//! own evaluation say the same.

use crate::admission::yaml;
use crate::support::{project, stderr, stdout};
use actledger::act::Catalogue;
use actledger::evidence::Time;
use actledger::evidence::sentinel::{Cost, Run};
use actledger::reperformance::{Judgement, Settings, ai_mark, judgement};
use actledger::sources::sentinel::read_plan;
use serde_json::{Value, json};
use std::process::Command;
use std::sync::LazyLock;

/// What the Sentinel policies and their samples come to (see `tests/support/sentinel.py`).
static SENTINEL: LazyLock<Value> = LazyLock::new(|| {
    let script = project().join("tests/support/sentinel.py");
    let done =
        Command::new("python").arg(script).arg(project().join("deploy/policies/sentinel")).output().unwrap();
    assert!(done.status.success(), "{}{}", stdout(&done), stderr(&done));
    serde_json::from_str(&stdout(&done)).unwrap()
});

fn cases() -> &'static Vec<Value> {
    SENTINEL["cases"].as_array().unwrap()
}

#[test]
fn every_sample_of_a_sentinel_policy_gives_the_stated_result() {
    for case in cases() {
        assert_eq!(case["got"], case["wanted"], "{}: {}", case["case"], case["printed"]);
        let is_pass = case["case"].as_str().unwrap().starts_with("pass-");
        assert_eq!(case["wanted"]["main"], is_pass, "{}", case["case"]);
        // Who is refused is told why, and of what.
        let told = case["printed"].as_array().unwrap().len();
        assert!(is_pass || told > 0 || case["got"]["gpu_share"] == false, "{case}");
    }
    for policy in SENTINEL["levels"].as_object().unwrap().keys() {
        let of = |begin: &str| {
            let of_it = cases().iter().filter(|c| c["policy"] == **policy);
            of_it.filter(|c| c["case"].as_str().unwrap().starts_with(begin)).count()
        };
        assert!(of("pass-") >= 5 && of("fail-") >= 6, "{policy}: {} pass, {} fail", of("pass-"), of("fail-"));
    }
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect()
}

#[test]
fn sentinel_policies_ask_what_the_table_of_the_catalogue_says() {
    let pack = Catalogue::built_in().pack;
    let (params, module) = (&SENTINEL["params"], &SENTINEL["module"]);
    let levels: Vec<(&str, &str)> =
        pack.policies.iter().map(|p| (p.name.as_str(), p.level.as_str())).collect();
    let mut told: Vec<(&str, &str)> = SENTINEL["levels"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(n, l)| (n.as_str(), l.as_str().unwrap()))
        .collect();
    told.sort_by_key(|(name, _)| levels.iter().position(|(n, _)| n == name));
    assert_eq!(told, levels);
    let gpu = &params["gpu-instance-control"];
    assert_eq!(texts(&gpu["allowed_instance_types"]), pack.allowed_instance_types);
    assert_eq!(texts(&gpu["approved_gpu"]), pack.approved_gpu);
    assert_eq!(gpu["approvals"], json!([]));
    let tags = &params["ai-resource-tagging"];
    assert_eq!(texts(&tags["required_tags"]), pack.required_tags.all);
    assert_eq!(texts(&tags["required_ai_tags"]), pack.required_tags.ai);
    let environments = texts(&tags["allowed_values"]["Environment"]);
    assert!(pack.non_production.iter().all(|e| environments.contains(&e.as_str())));
    let levels = actledger::act::Level::ALL.map(actledger::act::Level::name);
    let mut allowed = texts(&tags["allowed_values"]["AI-Risk-Level"]);
    allowed.sort_unstable();
    let mut known = levels.to_vec();
    known.sort_unstable();
    assert_eq!(allowed, known);
    let spending = &params["ai-spending-limits"];
    assert_eq!(spending["max_monthly_cost"], pack.max_monthly_cost.as_str());
    assert_eq!(spending["ml_monthly_cost"], pack.ml_monthly_cost.as_str());
    let models = &params["model-deployment-rules"];
    assert_eq!(texts(&models["experiment_tags"]), pack.experiment_tags);
    assert_eq!(texts(&models["production_tags"]), pack.production_tags);
    assert_eq!(texts(&models["high_risk_tags"]), pack.high_risk_tags);
    assert_eq!(texts(&models["non_production"]), pack.non_production);
    assert_eq!(texts(&module["placeholders"]), pack.placeholders);
    assert_eq!(texts(&module["compute_types"]), actledger::evidence::sentinel::COMPUTE);
    assert_eq!(module["gpu_families"], format!("^(ml\\.)?({})[0-9]", pack.gpu_families.join("|")));
}

/// The run that the mocks of a case show.
fn run(case: &Value) -> Run {
    let plan = &case["mocks"]["tfplan/v2"];
    let changes: Vec<&Value> = plan["resource_changes"].as_object().unwrap().values().collect();
    let plan = json!({"format_version": "1.2", "resource_changes": changes}).to_string();
    let monthly = &case["mocks"]["tfrun"]["cost_estimate"]["proposed_monthly_cost"];
    let cost = monthly.as_str().map(|monthly| Cost {
        status: "finished".into(),
        monthly: Some(monthly.to_owned()),
        delta: None,
        priced: 1,
    });
    Run { plan: read_plan(plan.as_bytes()).unwrap(), cost, ..Run::default() }
}

/// The parameters of a case, as our own evaluation takes them.
fn settings(case: &Value, run: &Run, now: Time) -> Settings {
    let pack = Catalogue::built_in().pack;
    let policy = case["policy"].as_str().unwrap();
    let set = |name: &str| case["params"].get(name).unwrap_or(&SENTINEL["params"][policy][name]);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let approvals = set("approvals").as_array().into_iter().flatten();
    let holds = |a: &&Value| {
        !text(&a["approved_by"]).is_empty() && text(&a["expires"]).parse::<Time>().unwrap() > now
    };
    let project = text(&case["mocks"]["tfrun"]["project"]["name"]);
    let is_ai =
        run.plan.tagged.iter().any(|t| ai_mark(&pack, &t.r#type, &t.tags, &t.instance_types).is_some());
    let usual = if is_ai { &pack.ml_monthly_cost } else { &pack.max_monthly_cost };
    Settings {
        limit: set("budgets").get(&project).map_or(usual.clone(), text),
        approved: approvals.filter(holds).map(|a| (text(&a["address"]), text(&a["instance_type"]))).collect(),
        allowed_values: serde_json::from_value(set("allowed_values").clone()).unwrap_or_default(),
        max_gpu_share: set("max_gpu_share").as_u64().map(|n| usize::try_from(n).unwrap()),
    }
}

#[test]
fn our_own_evaluation_says_of_every_sample_what_the_policy_says() {
    let now = actledger::clock::Clock::System.now();
    for case in cases() {
        let mut pack = Catalogue::built_in().pack;
        if let Some(approved) = case["params"].get("approved_gpu") {
            pack.approved_gpu = serde_json::from_value(approved.clone()).unwrap();
        }
        let policy = pack.policies.iter().find(|p| case["policy"] == p.name.as_str()).unwrap().clone();
        let run = run(case);
        let ours = judgement(&pack, &policy.control, &run, &settings(case, &run, now)).unwrap();
        // What nobody can tell does not get through the gate.
        let passes = matches!(ours, Judgement::Passes | Judgement::Nothing);
        assert_eq!(case["got"]["main"], passes, "{} {}: {ours:?}", case["policy"], case["case"]);
    }
}

#[test]
fn constraints_ask_what_the_table_of_the_catalogue_says() {
    let pack = Catalogue::built_in().pack;
    let names = [
        "ml-model-governance",
        "production-model-registry",
        "eu-ai-act-risk-level",
        "images-by-digest",
        "gpu-where-approved",
    ];
    let constraints = yaml(&names.map(|name| format!("constraints/{name}.yaml")));
    let [labels, registry, level, digest, gpu] = &constraints[..] else { panic!() };
    let kinds: Vec<&str> = constraints[..2].iter().map(|c| c["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, pack.constraints.iter().map(|c| c.kind.as_str()).collect::<Vec<_>>());
    let of = |constraint: &'static str, c: &Value| {
        assert_eq!(c["spec"]["enforcementAction"], "deny", "{constraint}");
        c["spec"]["parameters"].clone()
    };
    let asked = of("labels", labels);
    let keys: Vec<&str> =
        asked["labels"].as_array().unwrap().iter().map(|l| l["key"].as_str().unwrap()).collect();
    assert_eq!(keys, pack.required_labels);
    assert_eq!(texts(&asked["placeholders"]), pack.placeholders);
    let asked = of("registry", registry);
    assert_eq!(asked["annotation"], pack.registry_annotation.as_str());
    let exempt: Vec<&String> = pack.non_production.iter().filter(|e| !pack.staging.contains(e)).collect();
    assert_eq!(texts(&asked["exemptEnvironments"]).iter().collect::<Vec<_>>(), exempt);
    let all = |of: fn(&actledger::act::Registry) -> Vec<String>| -> Vec<String> {
        pack.registries.iter().flat_map(of).collect()
    };
    assert_eq!(texts(&asked["schemes"]), all(|r| r.schemes.clone()));
    assert_eq!(texts(&asked["hosts"]), all(|r| r.hosts.clone()));
    assert_eq!(texts(&asked["arnPrefixes"]), all(|r| r.arn_prefix.iter().cloned().collect()));
    assert_eq!(of("digest", digest)["exemptEnvironments"], asked["exemptEnvironments"]);
    assert_eq!(of("gpu", gpu)["approved"], json!([]));
    let asked = of("level", level);
    assert_eq!(asked["annotation"], pack.risk_annotation.as_str());
    assert_eq!(texts(&asked["placeholders"]), pack.placeholders);
    // What is prohibited is not admitted, and unclassified is no statement.
    let mut stated = texts(&asked["levels"]);
    stated.sort_unstable();
    assert_eq!(stated, ["high", "limited", "minimal"]);
}
