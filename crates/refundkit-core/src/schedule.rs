//! When to look again: the delays between attempts to submit a refund and between looks at one that was accepted.
//!
//! Instants come out of the refund's age or its number of attempts, so that nothing about a schedule has to be stored. What
//! is done when an instant comes is decided in [`crate::lifecycle`].

use refundkit::Timestamp;

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// No delay is shorter, whatever the speed-up.
pub const DELAY_MS_MIN: i64 = 250;
/// A processor that asks for a longer pause than this is asked again after this: a refund must not be forgotten.
pub const RETRY_AFTER_MS_MAX: i64 = HOUR_MS;

/// The delays after the first attempts; later ones double up to [`SUBMIT_DELAY_MS_MAX`].
pub const SUBMIT_DELAYS_MS: [i64; 4] = [2 * SECOND_MS, 5 * SECOND_MS, 15 * SECOND_MS, MINUTE_MS];
/// The longest delay between two attempts.
pub const SUBMIT_DELAY_MS_MAX: i64 = 15 * MINUTE_MS;
/// How long an attempt may be under way before another process takes it for dead: longer than any call is waited for.
/// Never sped up, because it has to outlast a real call.
pub const ATTEMPT_LAPSE_MS: i64 = MINUTE_MS;

/// The shortest delay between two looks.
pub const POLL_DELAY_MS_MIN: i64 = 2 * SECOND_MS;
/// The longest delay in the first hour: with the queue and the call, a change is seen within a minute.
pub const POLL_FIRST_HOUR_MS_MAX: i64 = 50 * SECOND_MS;
/// The longest delay in the rest of the first day: a change is seen within 15 minutes.
pub const POLL_FIRST_DAY_MS_MAX: i64 = 14 * MINUTE_MS;
/// The longest delay later: a change is seen within 6 hours.
pub const POLL_LATER_MS_MAX: i64 = 6 * HOUR_MS - 15 * MINUTE_MS;
/// The delay between two looks at a refund that somebody asked to take back, and between two attempts to do so.
pub const CANCEL_DELAY_MS: i64 = 30 * SECOND_MS;

/// The longest delay after a look that the processor did not answer.
pub const FAILED_LOOK_DELAY_MS_MAX: i64 = 15 * MINUTE_MS;
/// The shortest time between two looks at one refund that a processor's news ask for.
pub const NEWS_DELAY_MS: i64 = MINUTE_MS;
/// The part of a wait at whose end a look in company is welcome: the last quarter.
const EARLY_SHARE: i64 = 4;

/// The delay between two looks at a completed refund.
pub const COMPLETED_DELAY_MS: i64 = DAY_MS;
/// How long a completed refund is looked at: Stripe takes a success back up to 30 days later
/// (<https://docs.stripe.com/refunds>).
pub const COMPLETED_WATCH_MS: i64 = 30 * DAY_MS;

/// How long a comparison of books waits for a processor that allows it no call.
pub const COMPARISON_PATIENCE_MS: i64 = 10 * MINUTE_MS;

/// When to try, and when to look, again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    speedup: u32,
}

impl Default for Schedule {
    fn default() -> Self {
        Self::sped_up(1)
    }
}

impl Schedule {
    /// A schedule whose delays are divided by `speedup` (development); 0 counts as 1. What rests on a processor's memory or
    /// on the length of a call is never divided.
    pub const fn sped_up(speedup: u32) -> Self {
        Self { speedup: if speedup == 0 { 1 } else { speedup } }
    }

    /// The time between two comparisons of our books with a processor's.
    pub const RECONCILE_DELAY_MS: i64 = DAY_MS;

    /// Books that were compared at this time or before are to be compared again now.
    pub fn reconciled_before(&self, now: Timestamp) -> Timestamp {
        let delay_ms = self.after(Self::RECONCILE_DELAY_MS, now).millis_since(now);
        now.plus_millis(delay_ms.saturating_neg())
    }

    /// When a comparison gives up that the processor last answered at this time.
    pub fn comparison_given_up_at(&self, answered_at: Timestamp) -> Timestamp {
        self.after(COMPARISON_PATIENCE_MS, answered_at)
    }

    /// When to submit again after `attempts` attempts: 2 s, 5 s, 15 s, 60 s, then twice the one before, at most 15 minutes.
    pub fn submit_again_at(&self, attempts: u32, now: Timestamp) -> Timestamp {
        let [.., last] = SUBMIT_DELAYS_MS;
        let index = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
        let delay_ms = SUBMIT_DELAYS_MS.get(index).copied().unwrap_or_else(|| {
            let doublings = index.saturating_sub(SUBMIT_DELAYS_MS.len()).saturating_add(1);
            let factor = u32::try_from(doublings).ok().and_then(|doublings| 2_i64.checked_pow(doublings));
            last.saturating_mul(factor.unwrap_or(i64::MAX)).min(SUBMIT_DELAY_MS_MAX)
        });
        self.after(delay_ms, now)
    }

    /// When to look again for a refund first submitted at `first_attempt_at`, after a look that failed: after as long as has
    /// passed already, 2 seconds to 15 minutes.
    pub fn look_again_at(&self, first_attempt_at: Timestamp, now: Timestamp) -> Timestamp {
        self.after(now.millis_since(first_attempt_at).clamp(POLL_DELAY_MS_MIN, SUBMIT_DELAY_MS_MAX), now)
    }

    /// When an attempt that begins now is taken for dead.
    pub const fn lapse_at(now: Timestamp) -> Timestamp {
        now.plus_millis(ATTEMPT_LAPSE_MS)
    }

    /// When to look again at an open refund: after as long as it has lived already, within bounds that widen with its age.
    pub fn poll_at(&self, created_at: Timestamp, now: Timestamp) -> Timestamp {
        let age_ms = now.millis_since(created_at);
        let longest_ms = match age_ms {
            ..HOUR_MS => POLL_FIRST_HOUR_MS_MAX,
            HOUR_MS..DAY_MS => POLL_FIRST_DAY_MS_MAX,
            DAY_MS.. => POLL_LATER_MS_MAX,
        };
        self.after(age_ms.clamp(POLL_DELAY_MS_MIN, longest_ms), now)
    }

    /// When to look again at a refund that somebody asked to take back.
    pub fn cancel_again_at(&self, now: Timestamp) -> Timestamp {
        self.after(CANCEL_DELAY_MS, now)
    }

    /// When to look again at a completed refund: daily for 30 days, then never.
    pub fn completed_poll_at(&self, settled_at: Timestamp, now: Timestamp) -> Option<Timestamp> {
        is_watched(settled_at, now).then(|| self.after(COMPLETED_DELAY_MS, now))
    }

    /// When to look again after a look that the processor did not answer, at the latest.
    pub fn failed_look_again_at(&self, now: Timestamp) -> Timestamp {
        self.after(FAILED_LOOK_DELAY_MS_MAX, now)
    }

    /// When news may ask for a look again, that asked for one at `asked_at`.
    pub fn news_again_at(&self, asked_at: Timestamp) -> Timestamp {
        self.after(NEWS_DELAY_MS, asked_at)
    }

    fn after(self, delay_ms: i64, now: Timestamp) -> Timestamp {
        let delay_ms = delay_ms.checked_div(i64::from(self.speedup)).unwrap_or(delay_ms);
        now.plus_millis(delay_ms.max(DELAY_MS_MIN))
    }
}

/// Whether a refund completed at `settled_at` is still looked at.
fn is_watched(settled_at: Timestamp, now: Timestamp) -> bool {
    now.millis_since(settled_at) < COMPLETED_WATCH_MS
}

/// From when on a look that is planned for `run_at` may be made early, because its neighbours are looked at in the same call.
pub const fn look_from(run_at: Timestamp, now: Timestamp) -> Timestamp {
    let wait_ms = run_at.millis_since(now);
    if wait_ms <= 0 { run_at } else { run_at.plus_millis((wait_ms / EARLY_SHARE).saturating_neg()) }
}

/// Puts an instant off until the pause is over that a processor asked for.
pub fn not_before(at: Timestamp, retry_after_ms: Option<i64>, now: Timestamp) -> Timestamp {
    at.max(now.plus_millis(retry_after_ms.unwrap_or(0).clamp(0, RETRY_AFTER_MS_MAX)))
}

#[cfg(test)]
mod tests;
