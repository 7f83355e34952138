//! What an organisation sets otherwise: a date of the timetable, a number of its own rules. The law is a date in a table here,
//! so that a new one does not need a new program; reports name what was set.

use super::Catalogue;
use serde_json::Value;
use std::collections::BTreeMap;

/// Dates of the timetable and values of `[defaults]` and `[pack]`, by name.
#[derive(Clone, Copy, Debug)]
pub struct Overrides<'a> {
    /// An id of the timetable, and the day.
    pub timetable: &'a BTreeMap<String, String>,
    /// A name in `[defaults]` or `[pack]`, and its value: whole numbers, texts, lists and tables of them.
    pub parameters: &'a BTreeMap<String, Value>,
}

/// Why an override is refused.
#[derive(Debug, thiserror::Error)]
#[error("{key} = {value}: {right}")]
pub struct OverrideError {
    /// Path of the key below `[act]`.
    pub key: String,
    /// What stands there.
    pub value: String,
    /// What would be right.
    pub right: String,
}

impl Catalogue {
    /// The catalogue of this program with what an organisation sets otherwise.
    ///
    /// # Errors
    /// A name that is not there, a day that is none, a value of another type.
    pub fn with(overrides: Overrides<'_>) -> Result<Catalogue, OverrideError> {
        let mut catalogue = Catalogue::built_in();
        for (id, day) in overrides.timetable {
            catalogue.set_date(id, day)?;
        }
        if overrides.parameters.is_empty() {
            return Ok(catalogue);
        }
        let mut table = Catalogue::table();
        for (name, value) in overrides.parameters {
            set_parameter(&mut table, name, value)?;
        }
        // One at a time was tried above: together they fit too.
        let Ok(Catalogue { defaults, pack, .. }) = table.try_into() else { return Ok(catalogue) };
        Ok(Catalogue { defaults, pack, ..catalogue })
    }

    fn set_date(&mut self, id: &str, day: &str) -> Result<(), OverrideError> {
        let refuse = |right: String| {
            Err(OverrideError { key: format!("timetable.{id}"), value: format!("{day:?}"), right })
        };
        let known: Vec<String> = self.timetable.iter().map(|d| d.id.clone()).collect();
        if day.len() != 10 || day.parse::<crate::evidence::Time>().is_err() {
            return refuse("a day, for example \"2027-12-02\"".into());
        }
        match self.timetable.iter_mut().find(|d| d.id == id) {
            None => return refuse(format!("the timetable has {}", known.join(", "))),
            Some(date) => {
                day.clone_into(&mut date.date);
                date.is_own = true;
            }
        }
        self.timetable.sort_by(|a, b| a.date.cmp(&b.date));
        Ok(())
    }
}

/// Parameters that are the house's own to set. Numbers that an article gives, and how verdicts treat time, are none of them.
const OF_THE_HOUSE: [&str; 26] = [
    "allowed_instance_types",
    "allowed_keys",
    "approved_gpu",
    "days_to_close",
    "days_to_plan",
    "exception_max_days",
    "experiment_tags",
    "grace_days",
    "habit_days",
    "high_risk_tags",
    "literacy_max_age_days",
    "manifest_names",
    "max_monthly_cost",
    "max_overrides",
    "min_reason_chars",
    "ml_monthly_cost",
    "non_production",
    "override_reason_days",
    "placeholders",
    "production_tags",
    "record_days",
    "require_kms_for",
    "review_max_age_days",
    "staging",
    "training_max_age_days",
    "window_days",
];

/// The largest number that a parameter may have: a hundred years of days.
const MOST: i64 = 36_500;

/// Whether every number in a value is one that can be counted with.
fn is_in_range(value: &Value) -> bool {
    match value {
        Value::Number(n) => n.as_i64().is_some_and(|n| (0..=MOST).contains(&n)),
        Value::Array(items) => items.iter().all(is_in_range),
        Value::Object(members) => members.values().all(is_in_range),
        _ => true,
    }
}

/// Sets a value where its name stands, if the catalogue still has its form with it.
fn set_parameter(table: &mut toml::Table, name: &str, value: &Value) -> Result<(), OverrideError> {
    let refuse = |right: String| {
        Err(OverrideError { key: format!("parameters.{name}"), value: value.to_string(), right })
    };
    if !OF_THE_HOUSE.contains(&name) {
        return refuse(format!(
            "no parameter of this name is the organisation's to set; these are: {}",
            OF_THE_HOUSE.join(", ")
        ));
    }
    if !is_in_range(value) {
        return refuse(format!("whole numbers from 0 to {MOST}"));
    }
    let has = |part: &&str| table.get(*part).and_then(|t| t.get(name)).is_some();
    let Some(part) = ["defaults", "pack"].into_iter().find(|part| has(part)) else {
        return refuse("the catalogue does not hold it".into());
    };
    let keys = |v: &toml::Value| v.as_table().map(|t| t.keys().cloned().collect::<Vec<_>>());
    let (before, after) = (table.get(part).and_then(|t| t.get(name)).and_then(keys), value.as_object());
    if let (Some(before), Some(after)) = (before, after)
        && before.iter().any(|key| !after.contains_key(key))
    {
        return refuse(format!("a value for each of {}", before.join(", ")));
    }
    let Ok(written) = toml::Value::try_from(value) else {
        return refuse("a whole number, a text, a list or a table".into());
    };
    let mut tried = table.clone();
    if let Some(members) = tried.get_mut(part).and_then(toml::Value::as_table_mut) {
        members.insert(name.to_owned(), written);
    }
    match tried.clone().try_into::<Catalogue>() {
        Ok(_) => *table = tried,
        Err(e) => return refuse(e.message().to_owned()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn with(timetable: &[(&str, &str)], parameters: &[(&str, Value)]) -> Result<Catalogue, String> {
        let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let timetable = timetable.iter().map(|(id, day)| ((*id).to_owned(), (*day).to_owned())).collect();
        Catalogue::with(Overrides { timetable: &timetable, parameters: &parameters })
            .map_err(|e| e.to_string())
    }

    #[test]
    fn dates_and_numbers_may_be_set_and_nothing_else() {
        let moved = with(&[("high-risk-annex-iii", "2029-01-01")], &[]).unwrap();
        assert_eq!(moved.date("high-risk-annex-iii"), "2029-01-01".parse().ok());
        assert!(moved.timetable.iter().is_sorted_by_key(|d| &d.date));
        assert_eq!(moved.timetable.iter().filter(|d| d.is_own).count(), 1);
        let two = [("window_days", json!(7)), ("max_monthly_cost", json!("500"))];
        let set = with(&[], &two).unwrap();
        assert_eq!((set.defaults.window_days, set.pack.max_monthly_cost.as_str()), (7, "500"));
        let levels = json!({"high": 90, "prohibited": 90, "unclassified": 90, "limited": 1, "minimal": 1});
        assert!(with(&[], &[("review_max_age_days", levels)]).is_ok());

        assert!(with(&[("annex-iii", "2029-01-01")], &[]).unwrap_err().contains("high-risk-annex-iii"));
        assert!(
            with(&[("general", "soon")], &[]).unwrap_err().contains("timetable.general = \"soon\": a day")
        );
        assert!(
            with(&[], &[("windows", json!(7))]).unwrap_err().contains("parameters.windows = 7: no parameter")
        );
        assert!(with(&[], &[("six_months_days", json!(1))]).is_err(), "an article gives it");
        assert!(with(&[], &[("window_days", json!(-1))]).unwrap_err().contains("from 0 to 36500"));
        assert!(with(&[], &[("days_to_plan", json!({}))]).unwrap_err().contains("critical, high"));
        assert!(with(&[], &[("window_days", json!("7"))]).unwrap_err().contains("invalid type"));
        assert!(with(&[], &[("window_days", json!(1.5))]).is_err());
    }
}
