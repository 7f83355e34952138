//! Tables of pages as rows of text, for a spreadsheet and for the order that somebody asks for: the members of their JSON.

use super::html::Page;
use super::json;
use super::model::Report;
use serde_json::Value;
use std::cmp::Ordering;

/// A table of the report.
pub struct Table {
    /// Its name, which its file has.
    pub name: &'static str,
    page: Page,
    /// Where its rows stand in the JSON of the page; of two names the second stands in each row of the first.
    at: &'static [&'static str],
    /// Members that are its columns, `.` before the member of a member.
    pub columns: &'static [&'static str],
}

/// All tables but that of findings, which has filters and pages (see [`super::listing`]).
pub static TABLES: [Table; 11] = [
    Table {
        name: "systems",
        page: Page::Systems,
        at: &["systems"],
        columns: &[
            "name",
            "id",
            "team",
            "risk_level.effective",
            "risk_level.disputed",
            "registered",
            "counts.satisfied",
            "counts.not_satisfied",
            "counts.not_assessed",
            "counts.not_applicable",
            "open",
            "accepted",
        ],
    },
    Table {
        name: "controls",
        page: Page::Controls,
        at: &["controls"],
        columns: &[
            "title",
            "id",
            "kind",
            "sources",
            "counts.satisfied",
            "counts.not_satisfied",
            "counts.not_assessed",
            "counts.not_applicable",
        ],
    },
    Table {
        name: "sources",
        page: Page::Sources,
        at: &["coverage"],
        columns: &["source", "kind", "unit", "expected", "seen", "horizon", "stale", "off", "location"],
    },
    Table {
        name: "gaps",
        page: Page::Sources,
        at: &["coverage", "gaps"],
        columns: &["source", "from", "to", "what", "reason", "entry"],
    },
    Table {
        name: "looks",
        page: Page::Sources,
        at: &["coverage", "looks"],
        columns: &["source", "when", "read", "entries", "skipped", "complete", "faults", "entry"],
    },
    Table {
        name: "exceptions",
        page: Page::Exceptions,
        at: &["exceptions"],
        columns: &["what", "control", "system", "thing", "who", "why", "until", "state", "entry"],
    },
    Table {
        name: "level-decisions",
        page: Page::Exceptions,
        at: &["decisions"],
        columns: &["system", "level", "annex", "approver", "date", "reason", "review_by", "entry"],
    },
    Table {
        name: "decisions",
        page: Page::Decisions,
        at: &["wanted"],
        columns: &[
            "when",
            "open_days",
            "numbers",
            "systems",
            "level",
            "severity",
            "what",
            "who",
            "action",
            "duty",
            "control",
        ],
    },
    Table {
        name: "changes",
        page: Page::Changes,
        at: &["changes"],
        columns: &["what", "number", "system", "control", "note", "cause", "units", "entries"],
    },
    Table {
        name: "levels",
        page: Page::First,
        at: &["levels"],
        columns: &["level", "systems", "open", "accepted", "not_assessed", "first_date"],
    },
    Table {
        name: "teams",
        page: Page::First,
        at: &["teams"],
        columns: &[
            "team",
            "systems",
            "high",
            "counts.satisfied",
            "counts.not_satisfied",
            "counts.not_assessed",
            "counts.not_applicable",
            "open",
            "accepted",
        ],
    },
];

impl Table {
    fn rows(&self, r: &Report) -> Vec<Vec<String>> {
        let page = json::page(r, &self.page).unwrap_or_default();
        let mut rows = Vec::new();
        self.collect(&page, self.at, None, &mut rows);
        rows
    }

    fn collect(&self, within: &Value, at: &[&str], above: Option<&Value>, rows: &mut Vec<Vec<String>>) {
        let Some((first, rest)) = at.split_first() else {
            let cell =
                |c: &&str| member(within, c).or_else(|| member(above?, c)).map(text).unwrap_or_default();
            return rows.push(self.columns.iter().map(cell).collect());
        };
        for row in within[*first].as_array().into_iter().flatten() {
            self.collect(row, rest, Some(within), rows);
        }
    }

    /// Its rows with their places in the report, in the order of a column; with `-` before its name the other way round, and as the
    /// report has them where nothing is asked.
    ///
    /// # Errors
    /// There is no such column.
    pub fn sorted(&self, r: &Report, sort: &str) -> Result<Vec<(usize, Vec<String>)>, String> {
        let mut rows: Vec<(usize, Vec<String>)> = self.rows(r).into_iter().enumerate().collect();
        if sort.is_empty() {
            return Ok(rows);
        }
        let column = self.columns.iter().position(|c| *c == sort.strip_prefix('-').unwrap_or(sort));
        let column = column.ok_or_else(|| format!("sort is one of {}", self.columns.join(", ")))?;
        rows.sort_by(|(_, a), (_, b)| {
            let by = compared(&a[column], &b[column]);
            if sort.starts_with('-') { by.reverse() } else { by }
        });
        Ok(rows)
    }
}

/// The order of the first table of a page.
#[derive(Clone, Debug, Default)]
pub struct Order {
    /// The column, as it was asked for; empty for none.
    pub sort: String,
    places: Vec<usize>,
}

impl Order {
    /// As it was asked for.
    ///
    /// # Errors
    /// The page has no such column, or no order but its own.
    pub fn of(r: &Report, page: &Page, sort: String) -> Result<Order, String> {
        if sort.is_empty() {
            return Ok(Order::default());
        }
        let can_be = matches!(page, Page::Systems | Page::Controls | Page::Exceptions);
        let table = TABLES.iter().find(|t| t.page == *page).filter(|_| can_be);
        let table = table.ok_or("this page has an order of its own; its tables as CSV take sort")?;
        let places = table.sorted(r, &sort)?.into_iter().map(|(place, _)| place).collect();
        Ok(Order { sort, places })
    }

    /// The rows in this order.
    pub fn rows<'r, T>(&self, all: &'r [T]) -> Vec<&'r T> {
        if self.sort.is_empty() {
            return all.iter().collect();
        }
        self.places.iter().filter_map(|&place| all.get(place)).collect()
    }
}

fn member<'v>(of: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(of, |value, name| value.get(name))
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(all) => all.iter().map(text).collect::<Vec<_>>().join("; "),
        other => other.to_string(),
    }
}

/// Numbers by size, then all else by its letters.
fn compared(a: &str, b: &str) -> Ordering {
    let key = |text: &str| text.parse::<u64>().map_or((true, 0), |number| (false, number));
    key(a).cmp(&key(b)).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::compared;

    #[test]
    fn numbers_stand_before_words_and_every_order_is_one() {
        let mut all = ["1a", "9", "b", "10", "01", "1", "0a", ""];
        all.sort_by(|a, b| compared(a, b));
        assert_eq!(all, ["01", "1", "9", "10", "", "0a", "1a", "b"]);
    }
}
