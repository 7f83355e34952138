//! A system article by article: what the checks that give evidence for an article came to, and the articles without any.

use super::super::model as m;
use super::super::sentences::count;
use super::Builder;
use crate::act::{Level, Status};
use crate::assessment::{Counts, System};
use std::collections::BTreeMap;

/// The number of an article, in the order of the law.
fn number(reference: &str) -> Option<u32> {
    let rest = reference.strip_prefix("Art. ")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Findings of one article.
#[derive(Default)]
struct Row {
    counts: Counts,
    open: Vec<u64>,
    parts: Vec<String>,
}

impl Builder<'_> {
    pub(super) fn articles(&self, x: &System, findings: &[m::Finding]) -> Vec<m::Article> {
        let mut rows: BTreeMap<u32, Row> = BTreeMap::new();
        for f in findings {
            let of: BTreeMap<u32, &String> =
                f.references.iter().filter_map(|r| Some((number(r)?, r))).collect();
            for (article, reference) in of {
                let row = rows.entry(article).or_default();
                row.counts.add(f.status);
                if f.status == Status::NotSatisfied {
                    row.open.extend(f.number);
                }
                if !row.parts.contains(reference) {
                    row.parts.push(reference.clone());
                }
            }
        }
        let told = rows.into_iter().map(|(article, row)| (article, row.told()));
        // What is asked of high-risk systems alone is no gap of the others.
        let is_high = matches!(x.level(), Level::High | Level::Unclassified);
        let none = self.s.catalogue.no_evidence.iter().filter(|_| is_high);
        let none = none.filter_map(|n| {
            let (state, basis) = ("no evidence".to_owned(), n.why.clone());
            Some((number(&n.article)?, m::Article { article: n.article.clone(), state, basis }))
        });
        let mut all: Vec<(u32, m::Article)> = told.chain(none).collect();
        all.sort_by_key(|(article, _)| *article);
        all.into_iter().map(|(_, row)| row).collect()
    }
}

impl Row {
    fn told(self) -> m::Article {
        let c = self.counts;
        let open: Vec<String> = self.open.iter().take(4).map(|n| format!("#{n}")).collect();
        let parts = [
            (c.not_satisfied, format!("{} not satisfied ({})", c.not_satisfied, open.join(" "))),
            (c.not_assessed, format!("{} not assessed", c.not_assessed)),
            (c.satisfied, format!("{} satisfied", c.satisfied)),
            (c.not_applicable, format!("{} not applicable", c.not_applicable)),
        ];
        let state: Vec<String> = parts.into_iter().filter(|(n, _)| *n > 0).map(|(_, told)| told).collect();
        let all = c.satisfied + c.not_satisfied + c.not_assessed + c.not_applicable;
        m::Article {
            article: self.parts.join("; "),
            state: state.join(", "),
            basis: format!("{} of the catalogue", count(all, "check", "checks")),
        }
    }
}
