//! What notifications of a source said: that it is to be read soon, and who did something in it.

use crate::sources::Notice;
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Notices that are kept for passes, over all sources; older ones go.
const NOTICES: usize = 10_000;

/// What notifications said since the program started.
#[derive(Clone, Default)]
pub struct Hints(Arc<Mutex<Heard>>);

#[derive(Default)]
struct Heard {
    /// Names of sources that are to be read soon.
    waiting: BTreeSet<String>,
    notices: VecDeque<(String, Notice)>,
}

impl Hints {
    /// Adds a source, and what was said of its runs.
    pub fn add(&self, source: &str, notices: Vec<Notice>) {
        let mut heard = self.heard();
        heard.waiting.insert(source.to_owned());
        heard.notices.extend(notices.into_iter().map(|n| (source.to_owned(), n)));
        let over = heard.notices.len().saturating_sub(NOTICES);
        heard.notices.drain(..over);
    }

    /// All sources.
    pub fn waiting(&self) -> Vec<String> {
        self.heard().waiting.iter().cloned().collect()
    }

    /// Forgets some: a pass begins that reads them.
    pub fn forget(&self, sources: &[String]) {
        self.heard().waiting.retain(|name| !sources.contains(name));
    }

    /// What was said of the runs of a source.
    pub fn notices(&self, source: &str) -> Vec<Notice> {
        self.heard().notices.iter().filter(|(of, _)| of == source).map(|(_, n)| n.clone()).collect()
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
