//! The server as one value: what every handler and worker shares.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use refundkit::{ProcessorName, processors::stripe::Carrier};
use refundkit_core::schedule::Schedule;
use tokio::sync::{Notify, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    budget::Budgets,
    config::PublicUrl,
    env::Env,
    interfaces::{
        dashboard::Places, idempotency::RunningKeys, network::TrustedProxies, rate_limit::RateLimits,
        request_log::RequestLog, sign_ins::SignIns,
    },
    limits,
    processors::Connected,
    store::{Memory, Store, Tenant, api_keys::FoundKey},
    vault::Vault,
    workers::watch::Densities,
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
    /// What carries requests to Stripe in place of the network.
    pub stripe_carrier: Option<Arc<dyn Carrier>>,
    /// Where people, agents and processors reach the server.
    pub public_url: PublicUrl,
    /// Whose word about where requests come from is believed.
    pub trusted_proxies: TrustedProxies,
    /// Keys by their hash.
    pub keys: Memory<String, FoundKey>,
    /// Connections that may make refunds.
    pub connections: Memory<(Tenant, ProcessorName), Connected>,
    /// The budgets of background calls.
    pub budgets: Budgets,
    /// How close together the refunds of each connection lie at its processor.
    pub densities: Densities,
    /// How long a create waits for the processor.
    pub submit_deadline: Duration,
    /// When to look at refunds again.
    pub schedule: Schedule,
    /// How long the workers rest when nothing is due and nothing wakes them.
    pub worker_rest_max: Duration,
    /// Requests a minute for each key.
    pub rate_limits: RateLimits,
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
    /// Wakes the worker that digests notifications: one was stored.
    pub notified: Notify,
    /// Places for operations that run at the same time.
    pub places: Semaphore,
    /// Places for notifications that are read at the same time: who sends them is not known yet.
    pub notification_places: Semaphore,
    /// Counts tries to sign in.
    pub sign_ins: SignIns,
    /// Places for passwords that are checked at the same time.
    pub password_places: Semaphore,
    /// Places for exports from the dashboard.
    pub export_places: Places,
    /// Places for pages that live.
    pub live_places: Places,
    /// Whether requests are turned away because the process is ending.
    draining: AtomicBool,
}

/// What an [`App`] is made of.
pub struct Parts {
    /// Time and randomness.
    pub env: Env,
    /// The database.
    pub store: Store,
    /// Seals credentials.
    pub vault: Vault,
    /// Where Stripe is.
    pub stripe_api_base: String,
    /// What carries requests to Stripe in place of the network: for simulations.
    pub stripe_carrier: Option<Arc<dyn Carrier>>,
    /// Where people, agents and processors reach the server.
    pub public_url: PublicUrl,
    /// Whose word about where requests come from is believed.
    pub trusted_proxies: TrustedProxies,
    /// Background calls a second for each connection: none for the default, 0 for no limit.
    pub stripe_rate: Option<u32>,
    /// How long a create waits for the processor.
    pub submit_deadline: Duration,
    /// Divides the schedules.
    pub schedule: Schedule,
    /// How long the workers rest when nothing is due: other instances may have put jobs meanwhile.
    pub worker_rest_max: Duration,
    /// Requests a minute for each key; 0 for no limit.
    pub rate_limit: u32,
}

impl App {
    /// Puts the parts together and starts the task that writes the request log.
    pub fn start(parts: Parts) -> Arc<Self> {
        let shutdown = CancellationToken::new();
        Arc::new(Self {
            env: parts.env,
            request_log: RequestLog::start(parts.store.clone()),
            store: parts.store,
            vault: parts.vault,
            stripe_api_base: parts.stripe_api_base,
            stripe_carrier: parts.stripe_carrier,
            keys: Memory::default(),
            connections: Memory::default(),
            budgets: Budgets::new(parts.stripe_rate),
            densities: Densities::default(),
            submit_deadline: parts.submit_deadline,
            schedule: parts.schedule,
            worker_rest_max: parts.worker_rest_max,
            rate_limits: RateLimits::new(parts.rate_limit),
            public_url: parts.public_url,
            trusted_proxies: parts.trusted_proxies,
            running_keys: RunningKeys::default(),
            tasks: TaskTracker::new(),
            shutdown,
            job_put: Arc::new(Notify::new()),
            notified: Notify::new(),
            places: Semaphore::new(limits::REQUESTS_AT_ONCE_MAX),
            notification_places: Semaphore::new(limits::NOTIFICATIONS_READ_MAX),
            sign_ins: SignIns::default(),
            password_places: Semaphore::new(limits::PASSWORDS_AT_ONCE_MAX),
            export_places: Places::new(limits::EXPORTS_AT_ONCE_MAX, limits::EXPORTS_OF_ONE_MAX),
            live_places: Places::new(limits::LIVE_STREAMS_MAX, limits::LIVE_STREAMS_OF_ONE_MAX),
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
