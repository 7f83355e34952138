//! The four Sentinel policies of the pack, on what a plan and an estimate say.

use crate::act::Pack;
use crate::evidence::Outside;
use crate::evidence::sentinel::{ComputeChange, Cost, ModelResource, PlanRead, Run, TaggedResources};
use std::collections::BTreeMap;

/// What shows that a resource is one of AI, if anything does.
pub fn ai_mark(pack: &Pack, kind: &str, tags: &Outside, instance_types: &[String]) -> Option<&'static str> {
    let named = ["ML-Team", "Model-Type", pack.risk_tag.as_str()];
    if named.iter().any(|t| tags.get(t).is_some()) {
        Some("tag ML-Team, Model-Type or AI-Risk-Level")
    } else if kind.starts_with("aws_sagemaker_") {
        Some("SageMaker resource")
    } else if instance_types.iter().any(|t| pack.is_gpu(t)) {
        Some("GPU instance type")
    } else {
        None
    }
}

/// What a policy of the pack says of a run by our own evaluation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Something was judged, and nothing speaks against it.
    Passes,
    /// Why it does not pass.
    Fails(String),
    /// The run holds nothing that the policy judges.
    Nothing,
    /// Why nothing can be said.
    Open(String),
}

/// What a gate is set to beside the pack, as parameters of the policy say.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Decimal; what the run's workspace may cost a month.
    pub limit: String,
    /// What persons approved for single resources, and holds now: address and instance type.
    pub approved: Vec<(String, String)>,
    /// Values that a tag may have, in small letters, by its name; any where it is not named.
    pub allowed_values: BTreeMap<String, Vec<String>>,
    /// Percent of the compute resources that may ask for a GPU; any where none is told.
    pub max_gpu_share: Option<usize>,
}

/// Evaluates the policy that a control reads on a run; none when it is not one of the pack's four.
pub fn judgement(pack: &Pack, control: &str, run: &Run, settings: &Settings) -> Option<Judgement> {
    let plan = &run.plan;
    if control == "spend-limit" {
        let cost = spending(run.cost.as_ref(), &settings.limit);
        return Some(match gpu_share(pack, plan, settings) {
            Some(why) if matches!(cost, Judgement::Passes | Judgement::Nothing) => Judgement::Fails(why),
            _ => cost,
        });
    }
    let judged = match control {
        "gpu-instance-control" => gpu_instances(pack, plan, settings),
        "ai-resource-tags" => resource_tags(pack, plan, settings),
        "model-deployment-rules" => deployment_rules(pack, plan),
        _ => return None,
    };
    Some(match plan.state.as_str() {
        "read" => judged,
        state => Judgement::Open(format!("the plan is {state}")),
    })
}

fn spending(estimate: Option<&Cost>, limit: &str) -> Judgement {
    let amount = estimate.and_then(|c| c.monthly.as_deref()).unwrap_or("nothing");
    match estimate.map(|c| cost(c, limit)) {
        Some(CostVerdict::Above) => Judgement::Fails(format!("{amount} a month estimated, limit {limit}")),
        Some(CostVerdict::Within) => Judgement::Passes,
        Some(CostVerdict::NothingPriced) => Judgement::Nothing,
        Some(CostVerdict::NotNumbers) => {
            Judgement::Open(format!("the estimate says {amount}, which is no number"))
        }
        Some(CostVerdict::Unfinished) | None => Judgement::Open("there is no finished estimate".into()),
    }
}

fn gpu_share(pack: &Pack, plan: &PlanRead, settings: &Settings) -> Option<String> {
    let gpu = plan.compute.iter().filter(|c| c.instance_types.iter().any(|t| pack.is_gpu(t))).count();
    let (all, most) = (plan.compute.len(), settings.max_gpu_share?);
    (gpu * 100 > all * most)
        .then(|| format!("{gpu} of {all} compute resources ask for a GPU, limit {most} %"))
}

fn gpu_instances(pack: &Pack, plan: &PlanRead, settings: &Settings) -> Judgement {
    let is_approved =
        |c: &ComputeChange, t: &str| settings.approved.iter().any(|(a, k)| *a == c.address && k == t);
    let wrong = |c: &ComputeChange| {
        c.instance_types.iter().find(|t| !pack.is_allowed(t) && !is_approved(c, t)).cloned()
    };
    let found = plan.compute.iter().find_map(|c| Some((&c.address, wrong(c)?)));
    match found {
        Some((address, kind)) => Judgement::Fails(format!("{address} asks for {kind}, which is not allowed")),
        None if plan.compute.is_empty() => Judgement::Nothing,
        None => match plan.compute.iter().find(|c| c.unknown) {
            Some(c) => {
                Judgement::Open(format!("the instance type of {} is known only after apply", c.address))
            }
            None => Judgement::Passes,
        },
    }
}

fn resource_tags(pack: &Pack, plan: &PlanRead, settings: &Settings) -> Judgement {
    let is_odd = |t: &TaggedResources, name: &str| {
        let (value, allowed) = (t.tags.get(name), settings.allowed_values.get(name));
        value.zip(allowed).is_some_and(|(value, allowed)| !allowed.contains(&value.trim().to_lowercase()))
    };
    let lacks = |t: &TaggedResources| {
        let is_ai = ai_mark(pack, &t.r#type, &t.tags, &t.instance_types).is_some();
        let (mut missing, later) = required_tags(pack, &t.tags, &t.unknown_tags, is_ai);
        let odd = asked_tags(pack, is_ai).filter(|name| is_odd(t, name));
        missing.extend(odd.map(|name| format!("{name} with a value it may have")));
        (missing, later)
    };
    by_tags(plan.tagged.iter().map(|t| (&t.address, lacks(t))))
}

fn deployment_rules(pack: &Pack, plan: &PlanRead) -> Judgement {
    let models = plan.models.iter().filter(|m| is_model_resource(m));
    by_tags(models.map(|m| (&m.address, deployment_tags(pack, m))))
}

/// Of resources with tags that are missing, and those known only after apply.
fn by_tags<'a>(resources: impl Iterator<Item = (&'a String, (Vec<String>, Vec<String>))>) -> Judgement {
    let (mut judged, mut open) = (Judgement::Nothing, None);
    for (address, (missing, later)) in resources {
        if !missing.is_empty() {
            return Judgement::Fails(format!("{address} has no tag {}", missing.join(", ")));
        }
        judged = Judgement::Passes;
        open = open.or((!later.is_empty()).then(|| format!("tags of {address} are known only after apply")));
    }
    open.map_or(judged, Judgement::Open)
}

/// Names of the tags that a resource has to carry.
fn asked_tags(pack: &Pack, ai: bool) -> impl Iterator<Item = &String> {
    pack.required_tags.all.iter().chain(pack.required_tags.ai.iter().filter(move |_| ai))
}

/// Required tags of a resource that are missing or say nothing, and those known only after apply.
pub fn required_tags(
    pack: &Pack,
    tags: &Outside,
    unknown: &[String],
    ai: bool,
) -> (Vec<String>, Vec<String>) {
    split(
        asked_tags(pack, ai),
        tags,
        unknown,
        |name, value| name == "Model-Type" && value.trim().eq_ignore_ascii_case("none"),
        pack,
    )
}

/// Deployment tags of a model resource that are missing, and those known only after apply.
pub fn deployment_tags(pack: &Pack, resource: &ModelResource) -> (Vec<String>, Vec<String>) {
    let (tags, unknown) = (&resource.tags, &resource.unknown_tags);
    let mut asked: Vec<&String> = Vec::new();
    if pack.is_production(tags.get(&pack.production_tag)) {
        asked.extend(&pack.production_tags);
    }
    if tags.get(&pack.risk_tag).is_some_and(|l| l.trim().eq_ignore_ascii_case("high")) {
        asked.extend(&pack.high_risk_tags);
    }
    let (mut missing, mut later) = split(asked.into_iter(), tags, unknown, |_, _| false, pack);
    let one_of: Vec<_> = split(pack.experiment_tags.iter(), tags, unknown, |_, _| false, pack).0;
    if one_of.len() == pack.experiment_tags.len() {
        missing.push(pack.experiment_tags.join(" or "));
    } else if !pack.experiment_tags.iter().any(|t| tags.get(t).is_some_and(|v| !pack.is_placeholder(v))) {
        later.push(pack.experiment_tags.join(" or "));
    }
    (missing, later)
}

/// Whether a plan's resource is a model resource: its Model-Type is neither none nor inference-only.
pub fn is_model_resource(resource: &ModelResource) -> bool {
    let kind = resource.tags.get("Model-Type").unwrap_or_default().trim().to_lowercase();
    !["none", "inference-only"].contains(&kind.as_str())
}

fn split<'a>(
    asked: impl Iterator<Item = &'a String>,
    tags: &Outside,
    unknown: &[String],
    allowed: impl Fn(&str, &str) -> bool,
    pack: &Pack,
) -> (Vec<String>, Vec<String>) {
    let (mut missing, mut later) = (Vec::new(), Vec::new());
    for name in asked {
        match tags.get(name) {
            Some(v) if !pack.is_placeholder(v) || allowed(name, v) => {}
            _ if unknown.iter().any(|u| u == name || u == "*") => later.push(name.clone()),
            _ => missing.push(name.clone()),
        }
    }
    (missing, later)
}

/// A decimal amount in millionths; money is never a float.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(i128);

impl Amount {
    /// From a decimal text with at most 18 digits before and any number behind the point; more than six are cut.
    pub fn parse(text: &str) -> Option<Amount> {
        let (whole, part) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        let unsigned = whole.strip_prefix('-').unwrap_or(whole);
        if unsigned.is_empty() || unsigned.len() > 18 || !digits(unsigned) || !digits(part) {
            return None;
        }
        let six: String = part.chars().chain("000000".chars()).take(6).collect();
        let value = unsigned.parse::<i128>().ok()? * 1_000_000 + six.parse::<i128>().ok()?;
        Some(Amount(if whole.starts_with('-') { -value } else { value }))
    }
}

/// What our own reading of an estimate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CostVerdict {
    /// More than the limit.
    Above,
    /// Within it.
    Within,
    /// No resource has a price.
    NothingPriced,
    /// Not finished: there is nothing to compare with.
    Unfinished,
    /// The amounts are no decimal numbers.
    NotNumbers,
}

/// Compares an estimate with a limit.
pub fn cost(estimate: &Cost, limit: &str) -> CostVerdict {
    if estimate.status != "finished" {
        return CostVerdict::Unfinished;
    }
    match (estimate.monthly.as_deref().and_then(Amount::parse), Amount::parse(limit)) {
        (Some(monthly), Some(limit)) if monthly > limit => CostVerdict::Above,
        (Some(_), Some(_)) if estimate.priced == 0 => CostVerdict::NothingPriced,
        (Some(_), Some(_)) => CostVerdict::Within,
        _ => CostVerdict::NotNumbers,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::act::Catalogue;

    #[test]
    fn amounts_are_decimal() {
        assert!(Amount::parse("8000.000001") > Amount::parse("8000"));
        assert!(Amount::parse("1211.10435") < Amount::parse("1211.2"));
        assert_eq!(Amount::parse("1e3"), None);
        assert_eq!(Amount::parse(""), None);
        let estimate =
            |m: &str| Cost { status: "finished".into(), monthly: Some(m.into()), delta: None, priced: 1 };
        assert_eq!(cost(&estimate("8000.01"), "8000"), CostVerdict::Above);
        assert_eq!(cost(&estimate("8000"), "8000"), CostVerdict::Within);
        assert_eq!(cost(&estimate("lots"), "8000"), CostVerdict::NotNumbers);
    }

    #[test]
    fn tags_that_say_nothing_are_missing() {
        let pack = Catalogue::built_in().pack;
        let said = [("Owner", "TBD"), ("Model-Type", "none")].map(|(n, v)| (n.to_owned(), v.to_owned()));
        let tags = Outside::from_iter(said);
        let (missing, later) = required_tags(&pack, &tags, &["Project".to_owned()], false);
        assert_eq!(
            (missing, later),
            (vec!["Environment".into(), "Owner".into(), "ML-Team".into()], vec!["Project".into()])
        );
        let model = ModelResource { tags, ..ModelResource::default() };
        assert!(!is_model_resource(&model));
        assert_eq!(deployment_tags(&pack, &model).0, ["Model-Version", "Experiment-ID or MLflow-Run-ID"]);
    }
}
