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

/// Sets a value where its name stands, if the catalogue still has its form with it.
fn set_parameter(table: &mut toml::Table, name: &str, value: &Value) -> Result<(), OverrideError> {
    let refuse = |right: String| {
        Err(OverrideError { key: format!("parameters.{name}"), value: value.to_string(), right })
    };
    let has = |part: &&str| table.get(*part).and_then(|t| t.get(name)).is_some();
    let Some(part) = ["defaults", "pack"].into_iter().find(|part| has(part)) else {
        return refuse("no control has a parameter of this name; docs/controls.md lists them".into());
    };
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
            with(&[], &[("windows", json!(7))]).unwrap_err().contains("parameters.windows = 7: no control")
        );
        assert!(with(&[], &[("window_days", json!("7"))]).unwrap_err().contains("invalid type"));
        assert!(with(&[], &[("window_days", json!(1.5))]).is_err());
    }
}
