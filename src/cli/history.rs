//! `actledger ledger history`: the risk-level ledger of one system.

use super::{CliError, Ended, output};
use crate::assessment::Facts;
use crate::assessment::facts::Seen;
use crate::evidence::Time;
use crate::evidence::record::RiskLevelChange;
use crate::evidence::register::Decision;
use crate::jobs::{BrokenRecord, Desk, JobError};
use crate::report::Zone;
use crate::store::Store;
use serde_json::json;

pub(super) fn run(desk: &Desk, system: &str, on: Option<&str>, as_json: bool) -> Result<Ended, CliError> {
    let zone = Zone::named(&desk.config.timezone);
    let day = on.map(|text| zone.of_day(text).map(|(_, end)| end)).transpose().map_err(CliError::Usage)?;
    let store = Store::open(&desk.config.ledger.path)?;
    let mut facts = Facts::default();
    let checked = store.verified(u64::MAX, |placed| facts.fold(placed))?;
    checked.map_err(|broken| JobError::Broken(BrokenRecord(broken)))?;
    let all = facts.own.levels.get(system).map(Vec::as_slice).unwrap_or_default();
    if all.is_empty() {
        let known: Vec<&str> = facts.own.levels.keys().map(String::as_str).collect();
        let known = if known.is_empty() { "none yet".to_owned() } else { known.join(", ") };
        return Err(CliError::Usage(format!(
            "no assessment knows {system:?}; systems with a level: {known}"
        )));
    }
    let known = |t: Time| day.is_none_or(|end| t < end);
    let shown: Vec<_> = all.iter().filter(|change| known(change.value.at)).collect();
    // What somebody dated before the day, and no assessment of the day could know.
    let is_later = |d: &&Seen<Decision>| !known(d.at) && d.value.date.is_some_and(known);
    let decisions = facts.decisions.get(&format!("system:{system}"));
    let decisions: Vec<&Seen<Decision>> = decisions.into_iter().flatten().collect();
    let was_known = |d: &&&Seen<Decision>| {
        let same =
            |other: &Seen<Decision>| (&other.value.level, other.value.date) == (&d.value.level, d.value.date);
        decisions.iter().any(|other| known(other.at) && same(other))
    };
    let later: Vec<_> = decisions.iter().filter(|d| is_later(d) && !was_known(d)).collect();
    if as_json {
        let rows: Vec<_> = shown.iter().map(|c| json!({ "entry": c.seq, "change": c.value })).collect();
        let later: Vec<_> = later
            .iter()
            .map(
                |d| json!({ "entry": d.seq, "recorded": d.at, "level": d.value.level, "date": d.value.date }),
            )
            .collect();
        let level = shown.last().and_then(|c| c.value.to.clone());
        output::json(
            &json!({ "system": system, "on": on, "level": level, "changes": rows, "learned_later": later }),
        );
        return Ok(Ended::Well);
    }
    if let Some(on) = on {
        let level =
            shown.last().map_or("not known yet", |c| c.value.to.as_deref().unwrap_or("no longer there"));
        output::line(format!("{system} on {on}: {level}, as was known at the end of that day\n"));
    }
    shown.iter().for_each(|change| tell(&zone, change));
    for d in later {
        let dated = d.value.date.map(|t| zone.day(t)).unwrap_or_default();
        let (level, seen) = (&d.value.level, zone.minute(d.at));
        output::line(format!(
            "learned later: a decision for {level}, dated {dated}, seen {seen} (entry {})",
            d.seq
        ));
    }
    Ok(Ended::Well)
}

fn tell(zone: &Zone, change: &Seen<RiskLevelChange>) {
    let c = &change.value;
    let level = |l: &Option<String>| l.clone().unwrap_or_else(|| "-".into());
    let (from, to) = (level(&c.from), level(&c.to));
    output::line(format!("{}  {from} to {to} ({})  entry {}", zone.minute(c.at), c.basis, change.seq));
    for (source, said, entry) in &c.stated {
        output::line(format!("    {source} says {said} (entry {entry})"));
    }
}
