//! How many requests a minute a key may make. Counted in this process.

use std::{num::NonZeroU32, sync::Arc};

use governor::{
    DefaultKeyedRateLimiter, Quota,
    clock::{Clock as _, DefaultClock},
};
use refundkit::ErrorCode;

use crate::{app::App, caller::CountedBy, error::Error, limits};

/// Requests a minute for each key.
pub struct RateLimits {
    limiter: Option<DefaultKeyedRateLimiter<CountedBy>>,
    clock: DefaultClock,
    per_minute: u32,
}

impl RateLimits {
    /// So many a minute for each key; 0 for no limit.
    pub fn new(per_minute: u32) -> Self {
        let quota = NonZeroU32::new(per_minute).map(Quota::per_minute);
        Self { limiter: quota.map(DefaultKeyedRateLimiter::keyed), clock: DefaultClock::default(), per_minute }
    }

    /// Counts a request, or refuses it.
    pub fn check(&self, caller: CountedBy) -> Result<(), Error> {
        let Some(limiter) = &self.limiter else { return Ok(()) };
        limiter.check_key(&caller).map_err(|wait| {
            let seconds = wait.wait_time_from(self.clock.now()).as_secs().saturating_add(1);
            let who = match caller {
                CountedBy::Key(_) => "This key has",
                CountedBy::Member(_) => "You have",
            };
            let message = format!("{who} made more than {} requests a minute.", self.per_minute);
            Error::new(ErrorCode::RateLimited, message).retry_after(seconds)
        })
    }

    /// The limit, for the `RateLimit-Limit` header; none when there is no limit.
    pub fn per_minute(&self) -> Option<u32> {
        self.limiter.is_some().then_some(self.per_minute)
    }

    /// Forgets keys that have not called for a while.
    pub fn forget_idle(&self) {
        if let Some(limiter) = &self.limiter {
            limiter.retain_recent();
        }
    }
}

/// Forgets keys that have not called for a while, now and then, until the process is to end.
pub async fn run(app: Arc<App>) {
    loop {
        tokio::select! {
            () = app.shutdown.cancelled() => return,
            () = tokio::time::sleep(limits::CALLERS_FORGOTTEN_EVERY) => {
                app.rate_limits.forget_idle();
                app.sign_ins.forget_idle();
            }
        }
    }
}
