//! How far an organization was read: a cursor that a pass leaves and the next one begins with.

use crate::evidence::Time;
use serde::{Deserialize, Serialize};

/// Seconds before the newest run that was read in which a run may have come late into the list.
const OVERLAP: i64 = 600;

/// Pages of a scan that are so many that runs may have been deleted meanwhile, so that others moved past it unseen.
const LONG: u64 = 10;

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
    /// When runs of which something lacks are asked for again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<Time>,
}

/// A way down the list of runs, newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Scan {
    /// The next page.
    pub page: u64,
    /// It ends with the runs that were created before then; none: with the list.
    pub floor: Option<Time>,
    /// When the oldest run was created that it has seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reached: Option<Time>,
    /// Whether it looks for what a long scan may have missed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub checks: bool,
    /// Whether it goes on where another pass left it, and has not met yet what that one saw.
    #[serde(skip)]
    resumed: bool,
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
        for scan in &mut self.scans {
            scan.page = scan.page.saturating_sub(1).max(1);
            scan.resumed = true;
        }
        // One that did not begin yet reads what is new as well.
        if self.scans.first().is_some_and(|scan| !scan.checks && scan.reached.is_none()) {
            return;
        }
        let floor = self.runs.map(|t| t.plus_seconds(-OVERLAP)).or(since);
        self.scans.insert(0, Scan { page: 1, floor, ..Scan::default() });
    }

    /// Looks through the whole list once more, after all else.
    pub(super) fn check(&mut self, floor: Option<Time>) {
        // No floor is the lowest.
        let floors = self.scans.iter().filter(|scan| scan.checks).map(|scan| scan.floor);
        let floor = floors.fold(floor, Option::min);
        self.scans.retain(|scan| !scan.checks);
        self.scans.push(Scan { page: 1, floor, checks: true, ..Scan::default() });
    }

    /// Notes a page of the first scan: the times at which its newest and oldest run were created, and whether it is the last.
    pub(super) fn turned(&mut self, times: Option<(Time, Time)>, is_last: bool) {
        let (newest, oldest) = times.unzip();
        self.runs = self.runs.max(newest);
        let Some(scan) = self.scans.first_mut() else { return };
        // Nothing of what was seen before is here: so many runs were deleted that those in between have risen.
        if scan.resumed && scan.page > 1 && newest.is_none_or(|n| scan.reached.is_some_and(|r| n < r)) {
            scan.page -= 1;
            return;
        }
        scan.resumed = false;
        scan.page += 1;
        scan.reached = [scan.reached, oldest].into_iter().flatten().min();
        let is_below = scan.floor.zip(oldest).is_some_and(|(floor, oldest)| oldest < floor);
        if is_last || is_below || oldest.is_none() {
            let done = self.scans.remove(0);
            if done.page > LONG && !done.checks {
                self.check(done.floor);
            }
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

    #[test]
    fn passes_that_read_no_page_leave_one_scan() {
        let mut cursor = Cursor { runs: Some(at(9_000)), ..Cursor::default() };
        (0..5).for_each(|_| cursor.begin(None));
        assert_eq!(cursor.scans.len(), 1);
    }

    #[test]
    fn a_scan_goes_back_until_it_meets_what_it_saw() {
        let scan = Scan { page: 8, reached: Some(at(5_000)), ..Scan::default() };
        let mut cursor = Cursor { runs: Some(at(9_000)), scans: vec![scan], ..Cursor::default() };
        cursor.begin(None);
        cursor.turned(Some((at(9_000), at(8_000))), true);
        let pages = [(4_000, 3_000), (5_500, 4_500), (4_500, 4_000)].map(|(newest, oldest)| {
            cursor.turned(Some((at(newest), at(oldest))), false);
            cursor.scans[0].page
        });
        assert_eq!(pages, [6, 7, 8], "a page back, then forward again");
    }

    #[test]
    fn a_long_scan_is_followed_by_one_that_checks_it() {
        let mut cursor = Cursor::default();
        cursor.begin(Some(at(10)));
        (0..10).for_each(|_| cursor.turned(Some((at(900), at(800))), false));
        cursor.turned(Some((at(20), at(9))), false);
        let scans: Vec<_> = cursor.scans.iter().map(|s| (s.page, s.floor, s.checks)).collect();
        assert_eq!(scans, [(1, Some(at(10)), true)]);
        cursor.check(Some(at(700)));
        assert_eq!(cursor.scans[0].floor, Some(at(10)), "the deeper of two");
        cursor.check(None);
        assert_eq!(cursor.scans[0].floor, None, "the whole list is the deepest");
        (0..30).for_each(|_| cursor.turned(Some((at(900), at(800))), false));
        cursor.turned(None, true);
        assert_eq!(cursor.scans, []);
    }
}
