//! When a call is sent again, and when it is not. The one place of the client that throws dice.

use std::time::Duration;

use super::answer::Failure;
use crate::{Error, ErrorCode};

/// The longest `Retry-After` that is waited for. Who is asked to wait longer gets the error at once: asking earlier than told
/// would be rude, and sleeping for minutes inside a call would be worse.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(30);
/// The pause before the first repeat; it doubles from there.
const PAUSE_FIRST: Duration = Duration::from_millis(500);
/// The longest pause that nobody asked for.
const PAUSE_MAX: Duration = Duration::from_secs(8);

/// The repeats of one call.
pub(super) struct Retries {
    left: u32,
    pause: Duration,
    in_doubt: bool,
}

impl Retries {
    pub(super) const fn new(retries_max: u32) -> Self {
        Self { left: retries_max, pause: PAUSE_FIRST, in_doubt: false }
    }

    /// How long to wait before the next attempt; none when this failure is the answer.
    pub(super) fn wait_after(&mut self, failure: &Failure) -> Option<Duration> {
        self.in_doubt |= failure.in_doubt;
        let passing = failure.error.retryable || failure.error.code == ErrorCode::RateLimited;
        let asked = failure.retry_after.unwrap_or_default();
        if !passing || self.left == 0 || asked > RETRY_AFTER_MAX {
            return None;
        }
        let pause = jittered(self.pause);
        self.left -= 1;
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        Some(if asked.is_zero() { pause } else { asked + pause / 4 })
    }

    /// The error to give the caller, in doubt after any attempt whose outcome nobody knows.
    pub(super) fn conclude(&self, failure: Failure, idempotency_key: Option<&str>) -> Error {
        failure.conclude(self.in_doubt, idempotency_key)
    }
}

/// Half of the pause for certain, the other half by chance, so that many callers do not come back in step.
fn jittered(pause: Duration) -> Duration {
    let half = pause / 2;
    let chance_ms = random_bits() % (half.as_millis() + 1);
    half + Duration::from_millis(u64::try_from(chance_ms).unwrap_or_default())
}

/// A key that no other call has: 128 random bits.
pub(super) fn new_idempotency_key() -> String {
    format!("{:032x}", random_bits())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a client has no Env to ask; jitter and keys of its own are all it needs"
)]
fn random_bits() -> u128 {
    rand::random()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(code: ErrorCode, retryable: bool, retry_after_s: Option<u64>) -> Failure {
        let error = Error { retryable, ..Error::new(code, "no") };
        Failure { error, retry_after: retry_after_s.map(Duration::from_secs), in_doubt: false }
    }

    #[test]
    fn pauses_grow_with_jitter_and_end() {
        let mut retries = Retries::new(20);
        let waits: Vec<_> =
            std::iter::from_fn(|| retries.wait_after(&failure(ErrorCode::ServiceUnavailable, true, None))).collect();
        assert_eq!(waits.len(), 20);
        for (position, wait) in waits.iter().enumerate() {
            let full = (PAUSE_FIRST * 2u32.pow(u32::try_from(position).unwrap().min(10))).min(PAUSE_MAX);
            assert!((full / 2..=full).contains(wait), "{position}: {wait:?} of {full:?}");
        }
    }

    #[test]
    fn what_the_server_asks_is_waited_for_or_not_repeated_at_all() {
        let asked = |seconds| Retries::new(2).wait_after(&failure(ErrorCode::RateLimited, true, Some(seconds)));
        let wait = asked(2).unwrap();
        assert!((Duration::from_secs(2)..Duration::from_secs(3)).contains(&wait), "{wait:?}");
        assert!(asked(30).is_some());
        assert_eq!(asked(31), None);
    }

    #[test]
    fn only_what_may_pass_is_repeated() {
        assert_eq!(Retries::new(2).wait_after(&failure(ErrorCode::ValidationError, false, None)), None);
        assert_eq!(Retries::new(0).wait_after(&failure(ErrorCode::NetworkError, true, None)), None);
        assert!(Retries::new(1).wait_after(&failure(ErrorCode::RateLimited, false, None)).is_some());
    }
}
