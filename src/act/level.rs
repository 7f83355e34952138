//! Risk levels, roles and routes of Regulation (EU) 2024/1689.

use serde::{Deserialize, Serialize};

/// A risk level, the strictest first. "Limited" is common usage for Art. 50; the Act has no such word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Art. 5.
    Prohibited,
    /// Art. 6.
    High,
    /// Art. 50.
    Limited,
    /// No duty of its own.
    Minimal,
    /// Nobody stated one.
    Unclassified,
}

impl Level {
    /// All of them, the strictest first.
    pub const ALL: [Level; 5] =
        [Level::Prohibited, Level::High, Level::Limited, Level::Minimal, Level::Unclassified];

    /// The name in tags, labels and reports.
    pub fn name(self) -> &'static str {
        match self {
            Level::Prohibited => "prohibited",
            Level::High => "high",
            Level::Limited => "limited",
            Level::Minimal => "minimal",
            Level::Unclassified => "unclassified",
        }
    }

    /// The level that a text states, trimmed and case-folded. `unclassified` is no statement.
    pub fn stated(text: &str) -> Option<Level> {
        let text = text.trim().to_lowercase();
        Level::ALL.into_iter().find(|l| *l != Level::Unclassified && l.name() == text)
    }
}

/// The organisation's role for a system (Art. 3(3), (4)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Makes it, or has it made.
    Provider,
    /// Uses it.
    Deployer,
    /// Both.
    Both,
    /// Of a reference: whoever provides the general-purpose model in it (Art. 53).
    GpaiProvider,
}

impl Role {
    /// The role that a text names.
    pub fn stated(text: &str) -> Option<Role> {
        match text.trim().to_lowercase().as_str() {
            "provider" => Some(Role::Provider),
            "deployer" => Some(Role::Deployer),
            "both" => Some(Role::Both),
            _ => None,
        }
    }

    /// Whether a duty of `other` falls on this role.
    pub fn covers(self, other: Role) -> bool {
        other != Role::GpaiProvider && (self == Role::Both || other == Role::Both || self == other)
    }
}

/// The way by which a system is high-risk (Art. 6(1), 6(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Route {
    /// Art. 6(2): a use listed in Annex III.
    AnnexIii,
    /// Art. 6(1): a product under Annex I, Section A.
    AnnexI,
    /// Neither, as the register says.
    None,
    /// Of a reference: does not depend on the route.
    Any,
}

impl Route {
    /// The route of an Annex point as the register writes it: `III.4(a)`, `I.A`, `I.B`, `none`.
    /// A product under Section B follows its own law (Art. 2(2)).
    pub fn of_annex_point(point: &str) -> Option<Route> {
        let point = point.trim().to_uppercase();
        match point.as_str() {
            "NONE" | "I.B" => Some(Route::None),
            "I.A" => Some(Route::AnnexI),
            _ if point.starts_with("III.") => Some(Route::AnnexIii),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_state_a_level() {
        assert_eq!(Level::stated(" High "), Some(Level::High));
        assert_eq!(Level::stated("unclassified"), None);
        assert_eq!(Level::stated("very high"), None);
        assert_eq!(Route::of_annex_point("III.4(a)"), Some(Route::AnnexIii));
        assert_eq!(Route::of_annex_point("4(a)"), None);
    }
}
