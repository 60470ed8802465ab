//! How often somebody may try to sign in. Counted in this process: by network address; by the address that is tried, from each
//! network address; and, so that many machines together cannot guess for ever, by the address that is tried alone.
//!
//! That last count would let anybody with many machines lock a person out. It does not hold where the person signed in lately.

use std::{
    collections::HashMap,
    hash::Hash,
    net::IpAddr,
    num::NonZeroU32,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use governor::{
    DefaultKeyedRateLimiter, Quota,
    clock::{Clock as _, DefaultClock},
};
use refundkit::ErrorCode;

use crate::{accounts, error::Error, interfaces::network, limits};

/// Tries to sign in.
pub struct SignIns {
    from: DefaultKeyedRateLimiter<IpAddr>,
    from_wide: DefaultKeyedRateLimiter<IpAddr>,
    with_from: DefaultKeyedRateLimiter<String>,
    with_from_wide: DefaultKeyedRateLimiter<String>,
    with: DefaultKeyedRateLimiter<String>,
    /// Where each address signed in, and when last.
    known: Mutex<HashMap<String, Instant>>,
    clock: DefaultClock,
}

impl Default for SignIns {
    fn default() -> Self {
        Self {
            from: limiter(limits::SIGN_INS_FROM_MAX, limits::SIGN_IN_FROM_EVERY),
            from_wide: limiter(limits::SIGN_INS_FROM_WIDE_MAX, limits::SIGN_IN_FROM_WIDE_EVERY),
            with_from: limiter(limits::SIGN_INS_MAX, limits::SIGN_IN_EVERY),
            with_from_wide: limiter(limits::SIGN_INS_WIDE_MAX, limits::SIGN_IN_WIDE_EVERY),
            with: limiter(limits::SIGN_INS_ANYWHERE_MAX, limits::SIGN_IN_ANYWHERE_EVERY),
            known: Mutex::default(),
            clock: DefaultClock::default(),
        }
    }
}

fn limiter<K: Clone + Eq + Hash>(most: u32, every: Duration) -> DefaultKeyedRateLimiter<K> {
    DefaultKeyedRateLimiter::keyed(quota(most, every))
}

fn quota(most: u32, every: Duration) -> Quota {
    let quota = Quota::with_period(every).unwrap_or(Quota::per_minute(NonZeroU32::MIN));
    quota.allow_burst(NonZeroU32::new(most).unwrap_or(NonZeroU32::MIN))
}

impl SignIns {
    /// Counts a try with an e-mail address from a network address, or refuses it. Whether there is such an address makes no
    /// difference. What is refused where it comes from does not count against the e-mail address.
    pub fn check(&self, email: &str, from: IpAddr) -> Result<(), Error> {
        let place = network::place(from);
        let with_from = with_place(email, place);
        let mut checked = self.from.check_key(&place).and_then(|()| self.with_from.check_key(&with_from));
        if !self.is_known(&with_from) {
            if let Some(wide) = network::wide_place(from) {
                checked = checked
                    .and_then(|()| self.from_wide.check_key(&wide))
                    .and_then(|()| self.with_from_wide.check_key(&with_place(email, wide)));
            }
            checked = checked.and_then(|()| self.with.check_key(&accounts::token_hash(email)));
        }
        checked.map_err(|wait| {
            let seconds = wait.wait_time_from(self.clock.now()).as_secs().saturating_add(1);
            Error::new(ErrorCode::RateLimited, format!("Too many tries. Try again in {seconds} seconds."))
                .retry_after(seconds)
        })
    }

    /// Remembers that somebody signed in with an e-mail address from a network address.
    pub fn succeeded(&self, email: &str, from: IpAddr) {
        let (key, now) = (with_place(email, network::place(from)), Instant::now());
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= limits::SIGN_IN_PLACES_MAX && !known.contains_key(&key) {
            let oldest = known.iter().min_by_key(|(_, at)| **at).map(|(key, _)| key.clone());
            oldest.and_then(|oldest| known.remove(&oldest));
        }
        known.insert(key, now);
    }

    fn is_known(&self, with_from: &str) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(with_from).is_some_and(|at| at.elapsed() < limits::SIGN_IN_PLACE_KNOWN)
    }

    /// Forgets tries that no longer count.
    pub fn forget_idle(&self) {
        self.from.retain_recent();
        self.from_wide.retain_recent();
        self.with_from.retain_recent();
        self.with_from_wide.retain_recent();
        self.with.retain_recent();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, at| at.elapsed() < limits::SIGN_IN_PLACE_KNOWN);
    }
}

/// An e-mail address and a place: digested, so that a long text takes no more room than a short one.
fn with_place(email: &str, place: IpAddr) -> String {
    accounts::token_hash(&format!("{place} {email}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tries(sign_ins: &SignIns, email: &str, from: &str, times: u32) -> usize {
        (0..times).filter(|_| sign_ins.check(email, from.parse().unwrap()).is_ok()).count()
    }

    #[test]
    fn a_burst_from_one_place_locks_nobody_out_elsewhere() {
        let sign_ins = SignIns::default();
        assert_eq!(tries(&sign_ins, "ada@example.com", "192.0.2.1", 200), 10);
        assert_eq!(tries(&sign_ins, "ada@example.com", "192.0.2.2", 1), 1);
        assert_eq!(tries(&sign_ins, "bob@example.com", "192.0.2.3", 1), 1);
    }

    #[test]
    fn one_place_tries_so_many_addresses_and_no_more() {
        let sign_ins = SignIns::default();
        let each = |number: u32| tries(&sign_ins, &format!("{number}@example.com"), "2001:db8:1:2::7", 1);
        assert_eq!((0..200).map(each).sum::<usize>(), 60);
        // A network of IPv6 is one place, however many addresses it has.
        assert_eq!(tries(&sign_ins, "ada@example.com", "2001:db8:1:2:ffff::1", 1), 0);
        assert_eq!(tries(&sign_ins, "ada@example.com", "2001:db8:1:3::1", 1), 1);
    }

    #[test]
    fn many_places_together_cannot_guess_for_ever() {
        let sign_ins = SignIns::default();
        let from =
            |number: u32| tries(&sign_ins, "ada@example.com", &format!("198.51.{}.{}", number / 250, number % 250), 1);
        assert_eq!((0..400).map(from).sum::<usize>(), 100);
    }

    #[test]
    fn nobody_is_locked_out_of_where_they_signed_in_lately() {
        let sign_ins = SignIns::default();
        let (home, email) = ("192.0.2.1", "ada@example.com");
        assert_eq!(tries(&sign_ins, email, home, 1), 1);
        sign_ins.succeeded(email, home.parse().unwrap());
        for number in 0..400 {
            tries(&sign_ins, email, &format!("198.51.{}.{}", number / 250, number % 250), 1);
        }
        assert_eq!(tries(&sign_ins, email, "192.0.2.2", 1), 0, "elsewhere everybody waits");
        // There, the place's own count holds as before.
        assert_eq!(tries(&sign_ins, email, home, 200), 9);
    }

    #[test]
    fn a_large_network_cannot_use_up_what_counts_everywhere() {
        let sign_ins = SignIns::default();
        let from = |number: u32| tries(&sign_ins, "ada@example.com", &format!("2001:db8:1:{number:x}::1"), 1);
        assert_eq!((0..400).map(from).sum::<usize>(), 30);
        assert_eq!(tries(&sign_ins, "ada@example.com", "2001:db8:2::1", 1), 1);
    }

    #[test]
    fn places_are_remembered_within_bounds() {
        let sign_ins = SignIns::default();
        let from = "192.0.2.1".parse().unwrap();
        for number in 0..=limits::SIGN_IN_PLACES_MAX {
            sign_ins.succeeded(&format!("{number}@example.com"), from);
        }
        assert_eq!(sign_ins.known.lock().unwrap().len(), limits::SIGN_IN_PLACES_MAX);
    }
}
