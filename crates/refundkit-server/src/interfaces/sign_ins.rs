//! How often somebody may try to sign in. Counted in this process: by network address; by the address that is tried, from each
//! network address; and, so that many machines together cannot guess for ever, by the address that is tried alone.

use std::{net::IpAddr, num::NonZeroU32, time::Duration};

use governor::{
    DefaultKeyedRateLimiter, Quota,
    clock::{Clock as _, DefaultClock},
};
use refundkit::ErrorCode;

use crate::{accounts, error::Error, interfaces::network, limits};

/// Tries to sign in.
pub struct SignIns {
    from: DefaultKeyedRateLimiter<IpAddr>,
    with_from: DefaultKeyedRateLimiter<String>,
    with: DefaultKeyedRateLimiter<String>,
    clock: DefaultClock,
}

impl Default for SignIns {
    fn default() -> Self {
        Self {
            from: DefaultKeyedRateLimiter::keyed(quota(limits::SIGN_INS_FROM_MAX, limits::SIGN_IN_FROM_EVERY)),
            with_from: DefaultKeyedRateLimiter::keyed(quota(limits::SIGN_INS_MAX, limits::SIGN_IN_EVERY)),
            with: DefaultKeyedRateLimiter::keyed(quota(limits::SIGN_INS_ANYWHERE_MAX, limits::SIGN_IN_ANYWHERE_EVERY)),
            clock: DefaultClock::default(),
        }
    }
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
        // Digested, so that a long text takes no more room than a short one.
        let (with_from, with) = (accounts::token_hash(&format!("{place} {email}")), accounts::token_hash(email));
        let checked = self.from.check_key(&place);
        let checked = checked.and_then(|()| self.with_from.check_key(&with_from));
        checked.and_then(|()| self.with.check_key(&with)).map_err(|wait| {
            let seconds = wait.wait_time_from(self.clock.now()).as_secs().saturating_add(1);
            Error::new(ErrorCode::RateLimited, format!("Too many tries. Try again in {seconds} seconds."))
                .retry_after(seconds)
        })
    }

    /// Forgets tries that no longer count.
    pub fn forget_idle(&self) {
        self.from.retain_recent();
        self.with_from.retain_recent();
        self.with.retain_recent();
    }
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
}
