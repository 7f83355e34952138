//! Why a result may not be Gatekeeper's: noted by a function while a template is evaluated.

use std::sync::{Arc, Mutex, PoisonError};

/// The first reason of an evaluation, shared with the functions that the engine calls.
#[derive(Clone, Debug, Default)]
pub(super) struct Doubt(Arc<Mutex<Option<String>>>);

impl Doubt {
    /// The value, or none with a reason.
    pub(super) fn unless<T>(&self, value: Option<T>, why: &str) -> Option<T> {
        if value.is_none() {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| why.to_owned());
        }
        value
    }

    /// Takes the reason, for the next evaluation to begin without one.
    pub(super) fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
