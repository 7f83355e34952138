//! Was the record altered, and who outside can say so.

use super::Builder;
use crate::report::model as m;

impl Builder<'_> {
    pub(super) fn integrity(&self) -> m::Integrity {
        let opened = self.s.facts.own.opened.as_ref().map(|o| &o.value);
        m::Integrity {
            status: "intact",
            size: self.s.as_of.0,
            root: self.s.as_of.1.clone(),
            first_bad: None,
            checkpoints: self.s.checkpoints,
            checkpoint: self.s.note.clone(),
            key: self.s.key.clone(),
            origin: opened.map(|o| o.origin.clone()).unwrap_or_default(),
            anchors: self.anchors(),
            predecessor: opened.and_then(|o| o.predecessor.clone()),
            follows: opened.and_then(|o| Some(self.follows(o.predecessor.as_ref()?, &o.reason))),
        }
    }

    fn anchors(&self) -> Vec<m::Anchor> {
        let own = &self.s.facts.own;
        let names: std::collections::BTreeSet<&String> =
            own.anchors.keys().chain(own.unreached.keys()).collect();
        names.into_iter().map(|name| self.anchor(name)).collect()
    }

    fn anchor(&self, name: &str) -> m::Anchor {
        let own = &self.s.facts.own;
        let (made, failed) = (own.anchors.get(name), own.unreached.get(name));
        let held = made.map(|a| {
            let entry = format!("entry {}", a.seq);
            match (&a.value.stamped_at, a.value.objects.first()) {
                (Some(at), _) => format!(
                    "{} time-stamped the checkpoint of size {} on {} ({entry})",
                    a.value.location,
                    a.value.size,
                    self.zone.minute(*at)
                ),
                (None, object) if name == "reports" => format!(
                    "{} holds {} copies of what was issued of size {}, locked until {}{} ({entry})",
                    a.value.location,
                    a.value.objects.len(),
                    a.value.size,
                    object.map(|o| self.zone.day(o.retain_until)).unwrap_or_default(),
                    if a.value.lacks.is_empty() {
                        String::new()
                    } else {
                        format!("; {} was not as it was issued", a.value.lacks.join(", "))
                    }
                ),
                (None, object) => format!(
                    "{} holds checkpoint and entries up to size {}, locked until {} ({entry})",
                    a.value.location,
                    a.value.size,
                    object.map(|o| self.zone.day(o.retain_until)).unwrap_or_default()
                ),
            }
        });
        let down = failed.map(|f| format!("not reached since {}: {}", self.zone.minute(f.at), f.value.error));
        let sentence = match (held, &down) {
            (Some(held), None) => format!("{held}."),
            (Some(held), Some(down)) => format!("{held}; {down}."),
            (None, Some(down)) => format!("{name}: {down}. It never held a checkpoint."),
            (None, None) => String::new(),
        };
        m::Anchor {
            anchor: name.to_owned(),
            location: made.map(|a| a.value.location.clone()).unwrap_or_default(),
            size: made.map(|a| a.value.size),
            entry: made.map(|a| a.seq),
            down,
            sentence,
        }
    }

    fn follows(&self, p: &crate::evidence::record::Predecessor, reason: &str) -> String {
        let size = crate::ledger::Checkpoint::unchecked(&p.checkpoint).map(|c| c.size).unwrap_or_default();
        let lost = match p.lost_from {
            Some(from) => format!("entries {from} to {} are lost", size.saturating_sub(1)),
            None => "no entry is lost".into(),
        };
        let last =
            p.last_recorded.map(|t| format!(", the last one there was recorded on {}", self.zone.minute(t)));
        format!(
            "It follows a ledger of size {size} that ended ({reason}): {lost}{} (entry 0).",
            last.unwrap_or_default()
        )
    }
}
