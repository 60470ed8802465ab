//! One life of the server's process: it starts on the database that the one before left, works, and dies or ends.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::{FutureExt as _, future::BoxFuture};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use refundkit::Timestamp;
use refundkit_core::schedule::Schedule;
use refundkit_sandbox::Model;
use refundkit_server::{
    app::{App, Parts},
    env::Env,
    store::{
        Store,
        simulated::{Fate, Fates, Moment},
    },
    vault::Vault,
};
use secrecy::SecretString;
use tokio::{sync::Notify, time::Instant};

use super::stripe::InsteadOfStripe;

/// Workers that find nothing due rest this long: nobody else puts jobs.
const REST_MAX: Duration = Duration::from_hours(1);

/// The time of a life: where it began, and what the runtime's clock says has passed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    began: Instant,
    began_at: Timestamp,
}

impl Clock {
    pub(crate) fn starting(began_at: Timestamp) -> Self {
        Self { began: Instant::now(), began_at }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.began_at.plus_millis(i64::try_from(self.began.elapsed().as_millis()).unwrap())
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.now().as_millis()
    }
}

/// How dangerous a life is.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Dangers {
    /// After how many steps the process dies.
    pub(crate) dies_after: Option<u32>,
    /// Steps at the database that fail, of a thousand.
    pub(crate) database_per_mille: u32,
    /// Calls that do not reach Stripe, of a thousand.
    pub(crate) unreachable_per_mille: u32,
}

/// Decides at each step what becomes of the process, and lets others go first now and then.
pub(crate) struct SimulatedFates {
    dangers: Dangers,
    state: Mutex<(StdRng, u32)>,
    died: Notify,
}

impl SimulatedFates {
    fn new(seed: u64, dangers: Dangers) -> Arc<Self> {
        Arc::new(Self { dangers, state: Mutex::new((StdRng::seed_from_u64(seed), 0)), died: Notify::new() })
    }

    fn chance(&self, per_mille: u32) -> bool {
        per_mille > 0 && self.state.lock().unwrap().0.random_range(0..1000) < per_mille
    }

    pub(crate) fn is_unreachable(&self) -> bool {
        self.chance(self.dangers.unreachable_per_mille)
    }

    pub(crate) async fn died(&self) {
        self.died.notified().await;
    }
}

impl Fates for SimulatedFates {
    fn decide(&self, moment: Moment) -> BoxFuture<'_, Fate> {
        async move {
            let others_first = self.state.lock().unwrap().0.random_range(0..4_u32).saturating_sub(1);
            for _ in 0..others_first {
                tokio::task::yield_now().await;
            }
            let passed = {
                let mut state = self.state.lock().unwrap();
                state.1 += 1;
                state.1
            };
            if self.dangers.dies_after.is_some_and(|steps| passed > steps) {
                self.died.notify_one();
                return Fate::Die;
            }
            // Whether it was committed is unknown to whoever hears of trouble at the end of a commit.
            if self.chance(self.dangers.database_per_mille) && moment != Moment::Read { Fate::Fail } else { Fate::GoOn }
        }
        .boxed()
    }
}

/// A server's process on a database.
pub(crate) struct Life {
    pub(crate) app: Arc<App>,
    pub(crate) clock: Clock,
    pub(crate) fates: Arc<SimulatedFates>,
}

impl Life {
    /// Starts it, with its workers not yet running.
    pub(crate) fn start(
        path: &Path,
        model: &Arc<Mutex<Model>>,
        began_at: Timestamp,
        seed: u64,
        dangers: Dangers,
    ) -> Self {
        let fates = SimulatedFates::new(seed, dangers);
        let clock = Clock::starting(began_at);
        let carrier = InsteadOfStripe { model: Arc::clone(model), clock, fates: Arc::clone(&fates) };
        let app = App::start(Parts {
            env: Env::simulated(seed, began_at),
            store: Store::simulated(path, Arc::clone(&fates) as Arc<dyn Fates>).unwrap(),
            vault: Vault::new(&SecretString::from("5".repeat(64))).unwrap(),
            stripe_api_base: "http://127.0.0.1:1".to_owned(),
            stripe_carrier: Some(Arc::new(carrier)),
            public_url: "https://refunds.example".parse().unwrap(),
            trusted_proxies: refundkit_server::interfaces::network::TrustedProxies::default(),
            stripe_rate: None,
            submit_deadline: Duration::from_secs(10),
            schedule: Schedule::default(),
            worker_rest_max: REST_MAX,
            rate_limit: 0,
        });
        Self { app, clock, fates }
    }
}
