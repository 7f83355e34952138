//! How fast an API may be asked: 30 requests a second per user, and the lists of runs 30 times a minute (HCP Terraform API,
//! "Rate limiting").

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A number of requests in a span, and how many of them may go at once.
pub(super) struct Pace {
    ahead: f64,
    each: Duration,
    /// Requests that may go at once, and when that was so.
    left: Mutex<(f64, Instant)>,
}

impl Pace {
    /// So many in a span, and so many at once.
    pub(super) fn of(most: u32, span: Duration, ahead: u32) -> Pace {
        Pace {
            ahead: ahead.into(),
            each: span / most.max(1),
            left: Mutex::new((ahead.into(), Instant::now())),
        }
    }

    /// How long the next request has to wait. It counts as made.
    fn take(&self, now: Instant) -> Duration {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, since) = *left;
        let grown = now.saturating_duration_since(since).div_duration_f64(self.each);
        let have = (known + grown).min(self.ahead) - 1.0;
        *left = (have, now.max(since));
        if have >= 0.0 { Duration::ZERO } else { self.each.mul_f64(-have) }
    }

    /// Waits until a request may go.
    pub(super) async fn wait(&self) {
        let wait = self.take(Instant::now());
        if wait > Duration::ZERO {
            tokio::time::sleep(wait).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_the_limit_waits_its_turn() {
        let pace = Pace::of(2, Duration::from_secs(1), 2);
        let now = Instant::now();
        let waits = [0, 0, 500, 1000].map(Duration::from_millis);
        assert_eq!(waits, std::array::from_fn(|_| pace.take(now)));
        let later = now + Duration::from_secs(2);
        assert_eq!(pace.take(later), Duration::ZERO);
    }
}
