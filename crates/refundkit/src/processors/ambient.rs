//! What the processors ask the world for: randomness, and the time where the processor tells none.
//!
//! Nothing that decides about money lives here.

use crate::Timestamp;

/// A whole number from 50 to 100: the share of a delay that is waited, so that many callers do not return at once.
#[expect(clippy::disallowed_methods, reason = "spreading retries needs no reproducible randomness")]
pub(super) fn jitter_percent() -> u32 {
    50 + rand::random::<u32>() % 51
}

/// An idempotency key that nobody else uses.
#[expect(clippy::disallowed_methods, reason = "a processor used without a server has no Env to ask")]
pub(super) fn fresh_idempotency_key() -> String {
    format!("refundkit-{:032x}", rand::random::<u128>())
}

/// The time now.
#[expect(clippy::disallowed_methods, reason = "a processor used without a server has no Env to ask")]
pub(super) fn now() -> Timestamp {
    Timestamp::from_millis(jiff::Timestamp::now().as_millisecond())
}
