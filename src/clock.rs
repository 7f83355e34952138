//! Now and randomness, as values that are handed down; both stand still in a demonstration.

use crate::evidence::{Time, keyed};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Where the time comes from.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that is set, in a demonstration or a test.
    Set(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at a time until it is set anew.
    pub fn at(time: Time) -> Clock {
        Clock::Set(Arc::new(AtomicI64::new(time.millis())))
    }

    /// The time.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clock")]
    pub fn now(&self) -> Time {
        match self {
            Clock::System => jiff::Timestamp::now().into(),
            Clock::Set(ms) => Time::from_millis(ms.load(Ordering::SeqCst)),
        }
    }

    /// Moves a set clock; the machine's clock is left alone.
    pub fn set(&self, time: Time) {
        if let Clock::Set(ms) = self {
            ms.store(time.millis(), Ordering::SeqCst);
        }
    }
}

/// Where salts, keys and tokens come from.
#[derive(Clone, Debug)]
pub enum Randomness {
    /// The operating system.
    System,
    /// A seed: the same bytes in every run. Only a demonstration has this.
    Seeded([u8; 32]),
}

impl Randomness {
    /// The seed of a demonstration.
    pub fn seeded(seed: i64) -> Randomness {
        Randomness::Seeded(keyed(b"actledger demonstration", &seed.to_be_bytes()))
    }

    /// Random bytes; `label` tells the draws of a seeded source apart.
    ///
    /// # Errors
    /// The operating system gives none.
    pub fn bytes(&self, label: &str) -> std::io::Result<[u8; 32]> {
        match self {
            Randomness::Seeded(seed) => Ok(keyed(seed, label.as_bytes())),
            Randomness::System => {
                let mut out = [0; 32];
                getrandom::fill(&mut out).map_err(|e| std::io::Error::other(e.to_string()))?;
                Ok(out)
            }
        }
    }
}
