//! How often one address may ask.

use governor::clock::DefaultClock;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use std::net::IpAddr;
use std::num::NonZeroU32;

/// Requests of an address in a second, and at once.
const A_SECOND: (u32, u32) = (300, 600);
/// Tokens that an address types in a minute.
const A_MINUTE: u32 = 10;
/// Addresses that are remembered before those at rest are forgotten.
const ADDRESSES: usize = 10_000;

type Keyed = RateLimiter<IpAddr, HashMapStateStore<IpAddr>, DefaultClock>;

pub(super) struct Limits {
    all: Keyed,
    sign_in: Keyed,
}

const fn many(n: u32) -> NonZeroU32 {
    match NonZeroU32::new(n) {
        Some(n) => n,
        None => NonZeroU32::MIN,
    }
}

impl Default for Limits {
    fn default() -> Limits {
        let all = Quota::per_second(many(A_SECOND.0)).allow_burst(many(A_SECOND.1));
        let sign_in = Quota::per_minute(many(A_MINUTE));
        Limits { all: RateLimiter::hashmap(all), sign_in: RateLimiter::hashmap(sign_in) }
    }
}

impl Limits {
    /// Whether a request is answered.
    pub(super) fn allow(&self, from: IpAddr, signs_in: bool) -> bool {
        if self.all.len() > ADDRESSES {
            self.all.retain_recent();
            self.sign_in.retain_recent();
        }
        self.all.check_key(&from).is_ok() && (!signs_in || self.sign_in.check_key(&from).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eleven_tokens_in_a_minute_are_one_too_many_and_others_are_not_held_up() {
        let limits = Limits::default();
        let (one, other) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        assert!((0..10).all(|_| limits.allow(one, true)));
        assert!(!limits.allow(one, true));
        assert!(limits.allow(one, false) && limits.allow(other, true));
    }
}
