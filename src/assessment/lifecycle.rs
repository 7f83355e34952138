//! When the lifecycle rules of a bucket would hide or delete a file.
//!
//! Source: the user guide of Amazon S3, "Lifecycle configuration elements": `Expiration` hides the latest version of a bucket
//! with versioning, `NoncurrentVersionExpiration` deletes others; days count from when a version was stored, or became a
//! noncurrent one, and end at the next midnight in UTC.

use crate::evidence::{DAY, Outside, Time};
use serde_json::Value;

/// What rules look at.
pub(super) struct Stored<'a> {
    pub key: &'a str,
    pub size: u64,
    /// None where they were not read.
    pub tags: Option<&'a Outside>,
    pub since: Option<Time>,
    /// Since when another version lies over it.
    pub noncurrent: Option<Time>,
}

/// A rule that takes a file away.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Expiry {
    /// Its id, or its place.
    pub rule: String,
    /// When; none where that is not known.
    pub at: Option<Time>,
    /// Whether the rule is about tags that were not read: then it may be about other files.
    pub is_open: bool,
}

/// The first rule of a configuration, as `aws s3api get-bucket-lifecycle-configuration` prints it, that would hide a version, or delete
/// it where another one lies over it.
pub(super) fn expiry(configuration: &Value, file: &Stored<'_>) -> Option<Expiry> {
    let rules = configuration["Rules"].as_array().into_iter().flatten().enumerate();
    let expiring = rules.filter(|(_, rule)| rule["Status"] == "Enabled").filter_map(|(i, rule)| {
        let is_about = is_about(rule, file);
        let at = if is_about == Some(false) { None } else { end(rule, file) };
        at.map(|at| Expiry { rule: name(rule, i), at, is_open: is_about.is_none() })
    });
    expiring.min_by_key(|e| (e.is_open, e.at.is_none(), e.at))
}

/// The id of a rule, or its place.
fn name(rule: &Value, i: usize) -> String {
    let id = rule["ID"].as_str().filter(|id| !id.is_empty());
    id.map_or_else(|| format!("number {}", i + 1), |id| format!("\"{id}\""))
}

/// After how many days something below a prefix is deleted, and by which rule.
#[derive(Debug, PartialEq)]
pub(super) enum Kept {
    /// No rule deletes.
    Unlimited,
    /// The shortest time, noncurrent versions included.
    Days(i64, String),
    /// A rule deletes on a date of its own, or what its tags or sizes take.
    May(String),
}

/// The shortest time of any enabled rule that takes all that lies below a prefix, or a part of it; one that may take something is
/// told where no other deletes.
pub(super) fn kept_below(configuration: &Value, prefix: &str) -> Kept {
    let rules = configuration["Rules"].as_array().into_iter().flatten().enumerate();
    let touches = |of: &str| of.starts_with(prefix) || prefix.starts_with(of);
    let mut shortest: Option<(i64, String)> = None;
    let mut may = None;
    for (i, rule) in rules.filter(|(_, r)| r["Status"] == "Enabled" && touches(filter(r).1)) {
        let stated = [&rule["Expiration"]["Days"], &rule["NoncurrentVersionExpiration"]["NoncurrentDays"]];
        let days = stated.into_iter().filter_map(Value::as_i64).min();
        if !rule["Expiration"]["Date"].is_null() || days.is_some() && is_narrow(filter(rule).0) {
            may.get_or_insert_with(|| name(rule, i));
        } else if let Some(days) = days.filter(|d| shortest.as_ref().is_none_or(|(least, _)| d < least)) {
            shortest = Some((days, name(rule, i)));
        }
    }
    match (shortest, may) {
        (Some((days, rule)), _) => Kept::Days(days, rule),
        (None, Some(rule)) => Kept::May(rule),
        (None, None) => Kept::Unlimited,
    }
}

/// Whether a filter asks for tags or sizes.
fn is_narrow(filter: &Value) -> bool {
    ["Tag", "Tags", "ObjectSizeGreaterThan", "ObjectSizeLessThan"]
        .into_iter()
        .any(|member| !filter[member].is_null())
}

/// When a rule takes a version away; the inner none where it does, and nobody can say when.
fn end(rule: &Value, file: &Stored<'_>) -> Option<Option<Time>> {
    let (stated, since) = match file.noncurrent {
        None => (&rule["Expiration"], file.since),
        noncurrent => (&rule["NoncurrentVersionExpiration"], noncurrent),
    };
    let days = stated["Days"].as_i64().or(stated["NoncurrentDays"].as_i64());
    match (&stated["Date"], days) {
        (Value::Null, None) => None,
        (Value::Null, Some(days)) => Some(since.map(|since| midnight(since, days))),
        (date, _) => Some(date.as_str().and_then(|d| d.parse().ok())),
    }
}

fn midnight(since: Time, days: i64) -> Time {
    let end = since.seconds().saturating_add(days.saturating_mul(DAY)).saturating_add(DAY - 1);
    Time::from_seconds(end.div_euclid(DAY).saturating_mul(DAY))
}

/// What the filter of a rule, also in the form of old configurations, asks for, and its prefix.
fn filter(rule: &Value) -> (&Value, &str) {
    let filter = &rule["Filter"];
    let all = if filter["And"].is_object() { &filter["And"] } else { filter };
    (all, all["Prefix"].as_str().or(rule["Prefix"].as_str()).unwrap_or_default())
}

/// Whether the filter of a rule takes a file; none when its tags decide and were not read.
fn is_about(rule: &Value, file: &Stored<'_>) -> Option<bool> {
    let (all, prefix) = filter(rule);
    let fits = file.key.starts_with(prefix)
        && all["ObjectSizeGreaterThan"].as_u64().is_none_or(|least| file.size > least)
        && all["ObjectSizeLessThan"].as_u64().is_none_or(|most| file.size < most);
    let one = all["Tag"].is_object().then_some(&all["Tag"]);
    let mut asked = one.into_iter().chain(all["Tags"].as_array().into_iter().flatten()).peekable();
    match file.tags {
        _ if !fits => Some(false),
        None => asked.peek().is_none().then_some(true),
        Some(tags) => {
            Some(asked.all(|tag| tags.get(tag["Key"].as_str().unwrap_or_default()) == tag["Value"].as_str()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(rule: Value, tags: Option<&Outside>) -> Option<Expiry> {
        let since = Some("2026-01-01T10:00:00Z".parse().unwrap());
        expiry(
            &json!({"Rules": [rule]}),
            &Stored { key: "models/a/v1/m.bin", size: 1_000, tags, since, noncurrent: None },
        )
    }

    #[test]
    fn the_shortest_rule_that_may_touch_a_prefix_counts() {
        let rule = |prefix: &str, days: i64| json!({"ID": prefix, "Status": "Enabled", "Filter": {"Prefix": prefix}, "Expiration": {"Days": days}});
        let of = |rules: Value| kept_below(&json!({ "Rules": rules }), "logs/scoring/");
        assert_eq!(of(json!([])), Kept::Unlimited);
        assert_eq!(of(json!([rule("models/", 1)])), Kept::Unlimited);
        assert_eq!(of(json!([rule("", 400), rule("logs/", 90)])), Kept::Days(90, "\"logs/\"".into()));
        assert_eq!(of(json!([rule("logs/scoring/old/", 7)])), Kept::Days(7, "\"logs/scoring/old/\"".into()));
        let others = json!({"Status": "Enabled", "NoncurrentVersionExpiration": {"NoncurrentDays": 30}});
        assert_eq!(of(json!([others])), Kept::Days(30, "number 1".into()));
        let dated = json!({"Status": "Enabled", "Expiration": {"Date": "2027-01-01"}});
        assert_eq!(of(json!([dated])), Kept::May("number 1".into()));
        assert_eq!(of(json!([dated, rule("logs/", 7)])), Kept::Days(7, "\"logs/\"".into()));
        let tagged = json!({"Status": "Enabled", "Filter": {"Tag": {"Key": "temp", "Value": "yes"}}, "Expiration": {"Days": 7}});
        assert_eq!(of(json!([tagged])), Kept::May("number 1".into()));
    }

    #[test]
    fn a_rule_takes_files_of_its_filter() {
        let tags = Outside::from_iter([("keep".to_owned(), "no".to_owned())]);
        let days = |filter: Value| json!({"ID": "old", "Status": "Enabled", "Filter": filter, "Expiration": {"Days": 30}});
        let hit = of(days(json!({})), None).unwrap();
        assert_eq!(
            (hit.rule.as_str(), hit.at.unwrap().to_string()),
            ("\"old\"", "2026-02-01T00:00:00.000Z".into())
        );
        assert!(of(days(json!({"Prefix": "models/a/"})), None).is_some());
        assert_eq!(of(days(json!({"Prefix": "models/b/"})), None), None);
        assert!(of(days(json!({"Tag": {"Key": "keep", "Value": "no"}})), Some(&tags)).is_some());
        assert_eq!(of(days(json!({"Tag": {"Key": "keep", "Value": "yes"}})), Some(&tags)), None);
        assert!(
            of(days(json!({"Tag": {"Key": "keep", "Value": "yes"}})), None).unwrap().is_open,
            "it may be"
        );
        let and = json!({"And": {"Prefix": "models/", "Tags": [{"Key": "keep", "Value": "no"}], "ObjectSizeLessThan": 500}});
        assert_eq!(of(days(and), Some(&tags)), None);
        assert_eq!(of(json!({"Status": "Disabled", "Expiration": {"Days": 1}}), None), None);
        let date = json!({"Status": "Enabled", "Prefix": "models", "Expiration": {"Date": "2027-01-01T00:00:00+00:00"}});
        let hit = of(date, None).unwrap();
        assert_eq!((hit.rule.as_str(), hit.at), ("number 1", "2027-01-01T00:00:00Z".parse().ok()));
        let others = json!({"Status": "Enabled", "NoncurrentVersionExpiration": {"NoncurrentDays": 1}});
        assert_eq!(of(others.clone(), None), None, "what is the latest version stays");
        let noncurrent = "2026-03-01T10:00:00Z".parse().ok();
        let file = Stored { key: "models/a/v1/m.bin", size: 1, tags: None, since: None, noncurrent };
        let hit = expiry(&json!({"Rules": [others]}), &file).unwrap();
        assert_eq!(hit.at, "2026-03-03T00:00:00Z".parse().ok(), "and what lies under it is deleted");
        let strange = json!({"Status": "Enabled", "Expiration": {"Date": 1_800_000_000}});
        assert_eq!(of(strange, None).unwrap().at, None, "it takes it away, nobody can say when");
        let late = json!({"Status": "Enabled", "Expiration": {"Days": i64::MAX}});
        assert!(of(late, None).unwrap().at > "2100-01-01T00:00:00Z".parse().ok());
    }
}
