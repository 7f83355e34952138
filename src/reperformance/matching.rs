//! Gatekeeper's `spec.match` and a webhook's rules: does this object reach that gate?
//!
//! Gatekeeper docs, "Match"; Kubernetes API, LabelSelector and RuleWithOperations.

use crate::evidence::{Outside, unescape};
use serde_json::Value;

/// What matching needs of an object.
#[derive(Clone, Copy, Debug)]
pub struct Object<'a> {
    /// API group.
    pub group: &'a str,
    /// Kind.
    pub kind: &'a str,
    /// Namespace.
    pub namespace: &'a str,
    /// Labels of the object.
    pub labels: &'a Outside,
    /// Labels of its namespace; none when they were not read.
    pub namespace_labels: Option<&'a Outside>,
}

/// Whether a constraint's match selects an object; none when the namespace's labels decide and were not read.
pub fn in_match_scope(r#match: &Value, object: &Object<'_>) -> Option<bool> {
    let kinds = r#match["kinds"].as_array();
    let kind_fits = kinds.is_none_or(|list| {
        list.iter().any(|k| {
            let has = |member: &str, wanted: &str| {
                let names =
                    k[member].as_array().map(|l| l.iter().filter_map(Value::as_str).collect::<Vec<_>>());
                names.is_none_or(|n| n.contains(&wanted) || n.contains(&"*"))
            };
            has("apiGroups", object.group) && has("kinds", object.kind)
        })
    });
    let patterns = |member: &str| r#match[member].as_array().map(|l| l.iter().filter_map(Value::as_str));
    let namespace_fits = patterns("namespaces").is_none_or(|mut p| p.any(|p| wildcard(p, object.namespace)));
    let excluded =
        patterns("excludedNamespaces").is_some_and(|mut p| p.any(|p| wildcard(p, object.namespace)));
    let scope = r#match["scope"].as_str().unwrap_or("*");
    let scope_fits = scope == "*" || (scope == "Namespaced") != object.namespace.is_empty();
    if !kind_fits || !namespace_fits || excluded || !scope_fits {
        return Some(false);
    }
    if !selector_matches(&r#match["labelSelector"], object.labels) {
        return Some(false);
    }
    match (&r#match["namespaceSelector"], object.namespace_labels) {
        (Value::Null, _) => Some(true),
        (selector, Some(labels)) => Some(selector_matches(selector, labels)),
        (_, None) => None,
    }
}

/// Whether a webhook's selector and rules let CREATE and UPDATE of an object through to it.
pub fn covered_by_webhook(selector: &Value, rules: &Value, object: &Object<'_>) -> Option<bool> {
    let resource = format!("{}s", object.kind.to_lowercase());
    let covers = |operation: &str| {
        rules.as_array().into_iter().flatten().any(|rule| {
            let has = |member: &str, wanted: &str| {
                let list = rule[member].as_array().into_iter().flatten().filter_map(Value::as_str);
                list.into_iter().any(|v| v == wanted || v == "*" || v == "*/*")
            };
            has("apiGroups", object.group) && has("resources", &resource) && has("operations", operation)
        })
    };
    if !covers("CREATE") || !covers("UPDATE") {
        return Some(false);
    }
    match (selector, object.namespace_labels) {
        (Value::Null, _) => Some(true),
        (selector, Some(labels)) => Some(selector_matches(selector, labels)),
        (_, None) => None,
    }
}

/// A Kubernetes label selector; an absent or empty one selects everything.
pub fn selector_matches(selector: &Value, labels: &Outside) -> bool {
    let equal = selector["matchLabels"].as_object().into_iter().flatten();
    let mut equal = equal.map(|(name, value)| labels.get(&unescape(name)) == value.as_str());
    let mut expressions = selector["matchExpressions"].as_array().into_iter().flatten();
    equal.all(|fits| fits) && expressions.all(|e| expression(e, labels))
}

fn expression(e: &Value, labels: &Outside) -> bool {
    let value = labels.get(e["key"].as_str().unwrap_or_default());
    let listed = || e["values"].as_array().into_iter().flatten().any(|v| v.as_str() == value);
    match e["operator"].as_str() {
        Some("In") => value.is_some() && listed(),
        Some("NotIn") => value.is_none() || !listed(),
        Some("Exists") => value.is_some(),
        Some("DoesNotExist") => value.is_none(),
        _ => false,
    }
}

/// Gatekeeper's wildcard: a `*` at the beginning or the end.
pub fn wildcard(pattern: &str, text: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(rest), Some(_)) => text.contains(rest.trim_end_matches('*')),
        (Some(end), None) => text.ends_with(end),
        (None, Some(start)) => text.starts_with(start),
        (None, None) => pattern == text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn match_scope_by_kind_namespace_and_selectors() {
        let (labels, ns) = (Outside::default(), Outside([("env".to_owned(), "prod".to_owned())].into()));
        let object = Object {
            group: "apps",
            kind: "Deployment",
            namespace: "ml-a",
            labels: &labels,
            namespace_labels: Some(&ns),
        };
        let scope = |m: Value| in_match_scope(&m, &object);
        assert_eq!(scope(Value::Null), Some(true));
        assert_eq!(scope(json!({"kinds": [{"apiGroups": ["apps"], "kinds": ["Pod"]}]})), Some(false));
        assert_eq!(scope(json!({"excludedNamespaces": ["ml-*"]})), Some(false));
        assert_eq!(scope(json!({"namespaceSelector": {"matchLabels": {"env": "prod"}}})), Some(true));
        assert_eq!(
            scope(json!({"labelSelector": {"matchExpressions": [{"key": "x", "operator": "Exists"}]}})),
            Some(false)
        );
        let unread = Object { namespace_labels: None, ..object };
        assert_eq!(in_match_scope(&json!({"namespaceSelector": {}}), &unread), None);
    }
}
