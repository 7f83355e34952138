//! What policies said in a policy check, the older of the shapes: the engine's own result, else counts, else a status.

use super::docs::{Docs, path_part, related};
use super::outcomes::Said;
use serde_json::Value;

/// Every policy of every check.
pub(super) fn read(docs: &Docs) -> Vec<Said> {
    docs.all("policy-checks").flat_map(|(id, check, path)| of_check(id, check, path)).collect()
}

fn of_check(id: &str, check: &Value, path: &str) -> Vec<Said> {
    let run = related(check, "run").or(path_part(path, "runs")).unwrap_or_default();
    let attributes = &check["attributes"];
    let failed_at = failed_at(attributes);
    let said = |(set, policy, status): (String, String, String)| Said {
        ran_at: if status == "failed" { failed_at.to_owned() } else { String::new() },
        overridable: attributes["actions"]["is-overridable"].as_bool(),
        document: id.to_owned(),
        run: run.to_owned(),
        set,
        policy,
        status,
        stage: "check",
        stage_status: attributes["status"].as_str().unwrap_or_default().to_owned(),
        ..Said::default()
    };
    policies(check).into_iter().map(said).collect()
}

/// The level at which policies failed, where all failures are of one.
fn failed_at(check: &Value) -> &'static str {
    let count = |name: &str| check["result"][name].as_i64().unwrap_or(0) > 0;
    match ["hard-failed", "soft-failed", "advisory-failed"].map(count) {
        [true, false, false] => "hard-mandatory",
        [false, true, false] => "soft-mandatory",
        [false, false, true] => "advisory",
        [false, false, false] => match check["status"].as_str() {
            Some("hard_failed") => "hard-mandatory",
            Some("soft_failed") => "soft-mandatory",
            _ => "",
        },
        _ => "",
    }
}

/// (policy set, policy, status) of each policy of a check. Where the engine's own result is not given, the check
/// stands for all of its policies under the name `*`.
pub(super) fn policies(check: &Value) -> Vec<(String, String, String)> {
    let sentinel = &check["attributes"]["result"]["sentinel"];
    let mut sets: Vec<(String, &Value)> = Vec::new();
    if let Some(data) = sentinel["data"].as_object() {
        sets.extend(data.iter().map(|(name, set)| (name.clone(), set)));
    } else if sentinel["policies"].is_array() {
        sets.push((String::new(), sentinel));
    }
    let mut found = Vec::new();
    for (set, body) in sets {
        for policy in body["policies"].as_array().into_iter().flatten() {
            let full = policy["policy"].as_str().or(policy["policy"]["name"].as_str()).unwrap_or_default();
            let name = full.rsplit('/').next().unwrap_or(full).trim_end_matches(".sentinel");
            let status =
                match (policy["error"].is_null() || policy["error"] == "", policy["result"].as_bool()) {
                    (false, _) => "errored",
                    (true, Some(true)) => "passed",
                    (true, Some(false)) => "failed",
                    (true, None) => "unknown",
                };
            found.push((set.clone(), name.to_owned(), status.to_owned()));
        }
    }
    if found.is_empty() {
        found.push((String::new(), "*".to_owned(), whole(&check["attributes"]).to_owned()));
    }
    found
}

/// What a check says as a whole. One that is overridden failed before; one without policies proves nothing.
fn whole(check: &Value) -> &'static str {
    let result = &check["result"];
    match (result["result"].as_bool(), check["status"].as_str()) {
        (Some(true), _) if result["passed"].as_i64().is_some_and(|n| n > 0) => "passed",
        (Some(false), _) | (None, Some("hard_failed" | "soft_failed" | "overridden")) => "failed",
        (None, Some("errored")) => "errored",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn policies_of_a_check_in_all_its_shapes() {
        let newer = json!({"attributes": {"result": {"sentinel": {"data": {"set": {"policies": [
            {"policy": "set/cost.sentinel", "result": false, "error": null}]}}}}}});
        assert_eq!(policies(&newer), [("set".into(), "cost".into(), "failed".into())]);
        let older = json!({"attributes": {"result": {"sentinel": {"policies": [
            {"policy": "cost", "result": true, "error": "boom"}]}}}});
        assert_eq!(policies(&older)[0].2, "errored");
        let opaque = json!({"attributes": {"result": {"result": false, "sentinel": {}}}});
        assert_eq!(policies(&opaque), [(String::new(), "*".into(), "failed".into())]);
    }

    #[test]
    fn a_level_is_known_where_all_failures_are_of_one() {
        let failed = |hard: i64, soft: i64| json!({ "status": "soft_failed", "result": { "hard-failed": hard, "soft-failed": soft } });
        let levels = [(1, 0), (0, 2), (1, 1)].map(|(hard, soft)| failed_at(&failed(hard, soft)));
        assert_eq!(levels, ["hard-mandatory", "soft-mandatory", ""]);
        assert_eq!(failed_at(&json!({ "status": "overridden" })), "");
    }
}
