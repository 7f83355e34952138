//! How far an organization was read: a cursor that a pass leaves and the next one begins with.

use crate::evidence::Time;
use serde::{Deserialize, Serialize};

/// Seconds before the newest run that was read in which a run may have come late into the list.
const OVERLAP: i64 = 600;

/// How far an organization was read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Cursor {
    /// Runs created up to then were read, but for those of scans that go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runs: Option<Time>,
    /// Scans that were not finished, newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scans: Vec<Scan>,
    /// The audit trail was read up to then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trail: Option<Time>,
    /// When all workspaces were listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspaces: Option<Time>,
}

/// A way down the list of runs, newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Scan {
    /// The next page.
    pub page: u64,
    /// It ends with the runs that were created before then; none: with the list.
    pub floor: Option<Time>,
}

impl Cursor {
    /// As a pass left it. What is no cursor begins anew: nothing is written twice.
    pub(super) fn of(look: &str) -> Cursor {
        serde_json::from_str(look).unwrap_or_default()
    }

    /// As it is kept.
    pub(super) fn look(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Begins a scan over what is new. Scans that others left go on a page before the one where they ended: runs that are new
    /// push others down, and those that were deleted let them rise.
    pub(super) fn begin(&mut self, since: Option<Time>) {
        self.scans.iter_mut().for_each(|scan| scan.page = scan.page.saturating_sub(1).max(1));
        let floor = self.runs.map(|t| t.plus_seconds(-OVERLAP)).or(since);
        self.scans.insert(0, Scan { page: 1, floor });
    }

    /// Notes a page of the first scan: the times at which its newest and oldest run were created, and whether it is the last.
    pub(super) fn turned(&mut self, times: Option<(Time, Time)>, is_last: bool) {
        let (newest, oldest) = times.unzip();
        self.runs = self.runs.max(newest);
        let Some(scan) = self.scans.first_mut() else { return };
        scan.page += 1;
        let is_below = scan.floor.zip(oldest).is_some_and(|(floor, oldest)| oldest < floor);
        if is_last || is_below || oldest.is_none() {
            self.scans.remove(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Time {
        Time::from_seconds(seconds)
    }

    #[test]
    fn a_scan_that_was_left_goes_on_after_what_is_new() {
        let mut cursor = Cursor::default();
        cursor.begin(None);
        cursor.turned(Some((at(10_000), at(9_000))), false);
        cursor.turned(Some((at(9_000), at(8_000))), false);
        assert_eq!(Cursor::of(&cursor.look()), cursor);
        cursor.begin(None);
        let floors: Vec<_> = cursor.scans.iter().map(|s| (s.page, s.floor)).collect();
        assert_eq!(floors, [(1, Some(at(9_400))), (2, None)]);
        cursor.turned(Some((at(11_000), at(9_300))), false);
        assert_eq!((cursor.runs, cursor.scans.len()), (Some(at(11_000)), 1));
        cursor.turned(Some((at(9_000), at(8_000))), true);
        assert_eq!(cursor.scans, []);
        assert_eq!(Cursor::of("no cursor"), Cursor::default());
    }
}
