//! `actledger population`: cases for auditors who pick their own.

use super::args;
use super::report::{as_of, span};
use super::{CliError, Ended, output};
use crate::evidence::{Kind, sha256_hex};
use crate::jobs::{self, AsOf, Desk};
use crate::report::csv;
use crate::report::population::{Drawing, Told};
use anyhow::Context;

pub(super) fn run(desk: &Desk, o: &args::Population) -> Result<Ended, CliError> {
    let kind = Kind::of(&o.kind).ok_or_else(|| {
        let known: Vec<&str> = Kind::ALL.iter().map(|k| k.name()).collect();
        CliError::Usage(format!("{}: one of {}", o.kind, known.join(", ")))
    })?;
    let told = o.sample.map_or(Told::All, |n| Told::Sample(usize::try_from(n).unwrap_or(0), o.seed.clone()));
    let span = span(desk, o.from.as_ref(), o.to.as_ref())?;
    let store = desk.store()?;
    let question = o.as_of.as_deref().map(as_of).transpose()?.unwrap_or(AsOf::Latest);
    let size = jobs::resolve(desk, &store, &question)?;
    let asked = Drawing { kind, source: o.source.clone(), span, told };
    let population = jobs::population(desk, &store, size, &asked)?;
    let as_json = o.out.extension().is_some_and(|e| e == "json");
    let bytes = if as_json {
        serde_json::to_vec_pretty(&population).context("it is no JSON")?
    } else {
        csv::population(&population).into_bytes()
    };
    jobs::put(&o.out, &bytes).with_context(|| format!("cannot write {}", o.out.display()))?;
    output::line(format!("{}  {}", sha256_hex(&bytes), o.out.display()));
    population.account().iter().for_each(output::line);
    Ok(if population.adds_up() { Ended::Well } else { Ended::Something })
}
