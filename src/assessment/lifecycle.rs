//! When the lifecycle rules of a bucket would hide or delete a file.
//!
//! Source: the user guide of Amazon S3, "Lifecycle configuration elements": `Expiration` hides the latest version of a bucket
//! with versioning, `NoncurrentVersionExpiration` deletes others; days count from when a version was stored, or became a
//! noncurrent one, and end at the next midnight in UTC.

use crate::evidence::{Outside, Time};
use serde_json::Value;

const DAY: i64 = 86_400;

/// What rules look at.
pub(super) struct Stored<'a> {
    pub key: &'a str,
    pub size: u64,
    /// None where they were not read: then a rule with tags may be about it.
    pub tags: Option<&'a Outside>,
    pub since: Option<Time>,
}

/// A rule that takes a file away.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Expiry {
    /// Its id, or its place.
    pub rule: String,
    /// When; none where it is not known since when the days count.
    pub at: Option<Time>,
}

/// The first rule of a configuration, as `aws s3api get-bucket-lifecycle-configuration` prints it, that would hide the latest
/// version of a key.
pub(super) fn expiry(configuration: &Value, file: &Stored<'_>) -> Option<Expiry> {
    let rules = configuration["Rules"].as_array().into_iter().flatten().enumerate();
    let enabled = rules.filter(|(_, rule)| rule["Status"] == "Enabled" && is_about(rule, file));
    let expiring = enabled.filter_map(|(i, rule)| {
        let named = rule["ID"].as_str().filter(|id| !id.is_empty());
        let rule_name = named.map_or_else(|| format!("number {}", i + 1), |id| format!("\"{id}\""));
        let expiration = &rule["Expiration"];
        let date = expiration["Date"].as_str().and_then(|d| d.parse().ok());
        let days = expiration["Days"].as_i64();
        let at = date.or(file.since.zip(days).map(|(since, days)| midnight(since.plus_seconds(days * DAY))));
        (date.is_some() || days.is_some()).then_some(Expiry { rule: rule_name, at })
    });
    expiring.min_by_key(|e| (e.at.is_none(), e.at))
}

fn midnight(time: Time) -> Time {
    Time::from_seconds((time.seconds() + DAY - 1).div_euclid(DAY) * DAY)
}

/// Whether the filter of a rule, also in the form of old configurations, takes a file.
fn is_about(rule: &Value, file: &Stored<'_>) -> bool {
    let filter = &rule["Filter"];
    let all = if filter["And"].is_object() { &filter["And"] } else { filter };
    let prefix = all["Prefix"].as_str().or(rule["Prefix"].as_str()).unwrap_or_default();
    let one = all["Tag"].is_object().then_some(&all["Tag"]);
    let has = |tag: &Value| {
        let (name, value) = (tag["Key"].as_str().unwrap_or_default(), tag["Value"].as_str());
        file.tags.is_none_or(|tags| tags.get(name) == value)
    };
    file.key.starts_with(prefix)
        && one.into_iter().chain(all["Tags"].as_array().into_iter().flatten()).all(has)
        && all["ObjectSizeGreaterThan"].as_u64().is_none_or(|least| file.size > least)
        && all["ObjectSizeLessThan"].as_u64().is_none_or(|most| file.size < most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(rule: Value, tags: Option<&Outside>) -> Option<Expiry> {
        let since = Some("2026-01-01T10:00:00Z".parse().unwrap());
        expiry(&json!({"Rules": [rule]}), &Stored { key: "models/a/v1/m.bin", size: 1_000, tags, since })
    }

    #[test]
    fn a_rule_takes_files_of_its_filter() {
        let tags = Outside([("keep".to_owned(), "no".to_owned())].into());
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
        assert!(of(days(json!({"Tag": {"Key": "keep", "Value": "yes"}})), None).is_some(), "it may be");
        let and = json!({"And": {"Prefix": "models/", "Tags": [{"Key": "keep", "Value": "no"}], "ObjectSizeLessThan": 500}});
        assert_eq!(of(days(and), Some(&tags)), None);
        assert_eq!(of(json!({"Status": "Disabled", "Expiration": {"Days": 1}}), None), None);
        let date = json!({"Status": "Enabled", "Prefix": "models", "Expiration": {"Date": "2027-01-01T00:00:00+00:00"}});
        let hit = of(date, None).unwrap();
        assert_eq!((hit.rule.as_str(), hit.at), ("number 1", "2027-01-01T00:00:00Z".parse().ok()));
        let others = json!({"Status": "Enabled", "NoncurrentVersionExpiration": {"NoncurrentDays": 1}});
        assert_eq!(of(others, None), None, "what is the latest version stays");
    }
}
