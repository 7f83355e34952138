//! What was looked at: one entry per session, class of pages and hour, so that the auditors are audited too.

use super::Viewer;
use crate::evidence::record::AccessViewed;
use crate::evidence::{Evidence, Kind, Private, Time};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Classes of pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    Pages,
    Entries,
    PrivateValues,
    Files,
    Exports,
}

impl Class {
    fn name(self) -> &'static str {
        match self {
            Class::Pages => "pages",
            Class::Entries => "entries",
            Class::PrivateValues => "private values",
            Class::Files => "files",
            Class::Exports => "exports",
        }
    }
}

/// Session, class, and number of the hour.
type Key = (String, Class, i64);

/// What was looked at and is not written down yet: at most an hour of it is lost when the machine is.
#[derive(Default)]
pub(crate) struct Viewed(Mutex<BTreeMap<Key, (Viewer, u64)>>);

const HOUR: i64 = 3_600;

impl Viewed {
    pub(crate) fn note(&self, viewer: &Viewer, class: Class, now: Time) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (viewer.session.clone(), class, now.seconds() / HOUR);
        all.entry(key).or_insert_with(|| (viewer.clone(), 0)).1 += 1;
    }

    /// Takes what lies in hours that ended by a time; everything without one.
    pub(crate) fn take(&self, ended: Option<Time>) -> Taken {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |hour: i64| ended.is_none_or(|t| hour < t.seconds() / HOUR);
        let (over, rest) =
            std::mem::take(&mut *all).into_iter().partition(|((_, _, hour), _)| is_over(*hour));
        *all = rest;
        Taken(over)
    }

    /// Takes back what could not be written down.
    pub(crate) fn give_back(&self, taken: Taken) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, (viewer, count)) in taken.0 {
            all.entry(key).or_insert_with(|| (viewer, 0)).1 += count;
        }
    }
}

/// What was looked at and is being written down.
pub(crate) struct Taken(BTreeMap<Key, (Viewer, u64)>);

impl Taken {
    /// Whether nothing was.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// An entry each.
    pub(crate) fn entries(&self, now: Time) -> Vec<Evidence> {
        let all = self.0.iter();
        all.map(|((session, class, hour), seen)| entry(session.clone(), *class, *hour, seen.clone(), now))
            .collect()
    }
}

fn entry(session: String, class: Class, hour: i64, (viewer, count): (Viewer, u64), now: Time) -> Evidence {
    let hour = Time::from_seconds(hour * HOUR);
    let roles = viewer.roles.iter().map(super::Role::told).collect();
    // What is seen of an hour after a restart is an entry of its own.
    let key = format!("{session} {} {hour} {now}", class.name());
    let viewer = viewer.name.map(Private::of);
    let payload = AccessViewed { viewer, roles, session, class: class.name().into(), hour, count };
    Evidence::event(Kind::AccessViewed, "actledger", key, "access".into(), now, &payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_that_is_over_is_one_entry_with_its_count() {
        let (viewed, start) = (Viewed::default(), Time::from_seconds(7_200));
        for minute in 0..90 {
            viewed.note(&Viewer::local(), Class::Pages, start.plus_seconds(60 * minute));
        }
        let now = start.plus_seconds(5_400);
        let over = viewed.take(Some(now)).entries(now);
        assert_eq!((over.len(), over[0].payload["count"].as_u64()), (1, Some(60)));
        viewed.give_back(viewed.take(None));
        let rest = viewed.take(None).entries(now);
        assert_eq!((rest.len(), rest[0].payload["count"].as_u64()), (1, Some(30)));
        assert!(viewed.take(None).entries(now).is_empty());
    }
}
