//! The server as one value: what every handler and worker shares.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use refundkit_core::schedule::Schedule;
use tokio::sync::{Notify, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    config::PublicUrl,
    env::Env,
    interfaces::{idempotency::RunningKeys, rate_limit::RateLimits, request_log::RequestLog},
    limits,
    store::Store,
    vault::Vault,
};

/// What every handler and worker shares.
pub struct App {
    /// Time and randomness.
    pub env: Env,
    /// The database.
    pub store: Store,
    /// Seals credentials.
    pub vault: Vault,
    /// Where Stripe is.
    pub stripe_api_base: String,
    /// How long a create waits for the processor.
    pub submit_deadline: Duration,
    /// When to look at refunds again.
    pub schedule: Schedule,
    /// Requests a minute for each key.
    pub rate_limits: RateLimits,
    /// How the server is reached from outside.
    pub public_url: Option<PublicUrl>,
    /// Idempotency keys whose first request is running in this process.
    pub running_keys: RunningKeys,
    /// The request log.
    pub request_log: RequestLog,
    /// What must finish before the process may end: submissions under way, jobs under way.
    pub tasks: TaskTracker,
    /// Set when the process is to end.
    pub shutdown: CancellationToken,
    /// Wakes the workers: a job was put that may be due sooner than they think.
    pub job_put: Arc<Notify>,
    /// Places for operations that run at the same time.
    pub places: Semaphore,
    /// Whether requests are turned away because the process is ending.
    draining: AtomicBool,
}

/// What an [`App`] is made of.
pub struct Parts {
    /// The database.
    pub store: Store,
    /// Seals credentials.
    pub vault: Vault,
    /// Where Stripe is.
    pub stripe_api_base: String,
    /// How long a create waits for the processor.
    pub submit_deadline: Duration,
    /// Divides the schedules.
    pub schedule: Schedule,
    /// Requests a minute for each key; 0 for no limit.
    pub rate_limit: u32,
    /// How the server is reached from outside.
    pub public_url: Option<PublicUrl>,
}

impl App {
    /// Puts the parts together and starts the task that writes the request log.
    pub fn start(parts: Parts) -> Arc<Self> {
        let shutdown = CancellationToken::new();
        Arc::new(Self {
            env: Env::default(),
            request_log: RequestLog::start(parts.store.clone()),
            store: parts.store,
            vault: parts.vault,
            stripe_api_base: parts.stripe_api_base,
            submit_deadline: parts.submit_deadline,
            schedule: parts.schedule,
            rate_limits: RateLimits::new(parts.rate_limit),
            public_url: parts.public_url,
            running_keys: RunningKeys::default(),
            tasks: TaskTracker::new(),
            shutdown,
            job_put: Arc::new(Notify::new()),
            places: Semaphore::new(limits::REQUESTS_AT_ONCE_MAX),
            draining: AtomicBool::new(false),
        })
    }

    /// Begins to turn requests away.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        self.shutdown.cancel();
    }

    /// Whether requests are turned away because the process is ending.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}
