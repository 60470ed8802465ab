//! One story: its charges, callers, accidents and lives, all drawn from its seed.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Extension,
    extract::{Path, State},
    http::HeaderMap,
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use refundkit::{ConnectionStatus, Environment, OrganizationId, ProcessorConnection, ProcessorName, Timestamp};
use refundkit_sandbox::{
    DEV_SECRET_KEY, DeliveryOutcome, Fault, FaultPlan, Method, Model, Request, WebhookFault, World,
};
use refundkit_server::{
    app::App,
    interfaces::stripe_webhooks,
    processors,
    store::{
        StoreError, Tenant, connections,
        connections::{StoredConnection, WebhookSecrets},
        organizations,
    },
    workers,
};
use secrecy::SecretString;
use serde_json::json;

use super::{
    caller::{self, Ask, Ears},
    life::{Clock, Dangers, Life},
    twice, verdict,
};

/// When stories begin.
const BEGINNING: Timestamp = Timestamp::from_seconds(1_800_000_000);
const TENANT: Tenant = Tenant { organization_id: OrganizationId::from_bits(1), environment: Environment::Test };

/// The charges that callers race for, with sensible amounts.
const CHARGES: [(&str, [i64; 3]); 5] = [
    ("ch_1N4HbSKz9cXRvFYr", [10_000, 2_500, 6_000]),
    ("pi_1SandboxIntent", [2_500, 1_000, 2_000]),
    ("ch_1SandboxPending", [6_000, 2_000, 4_500]),
    ("ch_1SandboxFails", [7_000, 3_000, 100]),
    ("py_1SandboxActionNeeded", [1_000, 500, 300]),
];

/// What happened in stories.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) stories: u64,
    pub(crate) deaths: u64,
    pub(crate) refunds: u64,
    pub(crate) made: u64,
    pub(crate) calls: u64,
}

impl Told {
    pub(crate) fn add(&mut self, other: &Self) {
        self.stories += other.stories;
        self.deaths += other.deaths;
        self.refunds += other.refunds;
        self.made += other.made;
        self.calls += other.calls;
    }
}

/// Everything that outlives a process.
struct Stage<'a> {
    seed: u64,
    path: &'a std::path::Path,
    model: Arc<Mutex<Model>>,
    asks: Arc<Mutex<Vec<Ask>>>,
    ears: Arc<Mutex<Ears>>,
    now: Timestamp,
    /// Whether Stripe's notifications arrive; polling finds everything without them.
    has_news: bool,
    /// Whether every job is done twice.
    does_twice: bool,
}

/// Tells a story; says what went wrong in it, if anything did.
pub(crate) fn tell(seed: u64) -> Result<Told, String> {
    let mut random = StdRng::seed_from_u64(seed);
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage {
        seed,
        path: &folder.path().join("refundkit.db"),
        model: Arc::new(Mutex::new(World::Dev.build(seed, BEGINNING.as_millis()))),
        asks: Arc::new(Mutex::new(asks(&mut random))),
        ears: Arc::default(),
        now: BEGINNING,
        has_news: random.random_bool(0.6),
        does_twice: random.random_bool(0.3),
    };
    stage.live(0, Dangers::default(), Life::set_up);
    let mut deaths = 0;
    for number in 1..=random.random_range(1..=4) {
        let dangers = Dangers {
            dies_after: Some(random.random_range(1..250)),
            database_per_mille: *[0, 0, 20, 60].choose(&mut random).unwrap(),
            unreachable_per_mille: *[0, 0, 50].choose(&mut random).unwrap(),
        };
        stage.plan_faults(&mut random);
        let plan = Plan::draw(&mut random);
        let died = stage.live(number, dangers, async move |life, stage| life.work(stage, &plan).await);
        deaths += u64::from(died);
        stage.nothing_is_lost_from_sight()?;
        // Mostly it is started again soon. Sometimes nobody is there for so long that Stripe forgets the key.
        let away_s = *[1, 5, 70, 3_600, 76_000, 90_000, 200_000].choose(&mut random).unwrap();
        stage.now = stage.now.plus_millis(away_s * 1000);
    }
    stage.control("/_sandbox/fault_plan", &json!({}));
    stage.live(99, Dangers::default(), async |life, stage| life.work(stage, &Plan::to_the_end()).await);
    stage.verdict(deaths)
}

/// What else happens while the server lives.
struct Plan {
    lasts: Duration,
    by_hand: Vec<(Duration, ByHand)>,
}

/// What people and banks do at Stripe.
#[derive(Debug, Clone, Copy)]
enum ByHand {
    Refund(usize, i64),
    FailOne(usize),
}

impl Plan {
    fn draw(random: &mut StdRng) -> Self {
        let lasts = Duration::from_secs(*[30, 600, 7_200, 100_000].choose(random).unwrap());
        let by_hand = (0..random.random_range(0..3)).map(|_| {
            let at = lasts * random.random_range(0..100) / 100;
            let what = if random.random_bool(0.5) {
                ByHand::Refund(random.random_range(0..CHARGES.len()), random.random_range(1..3_000))
            } else {
                ByHand::FailOne(random.random_range(0..8))
            };
            (at, what)
        });
        let by_hand = by_hand.collect();
        Self { lasts, by_hand }
    }

    /// Long enough for every look that is due: the daily one of completed refunds, and the 24 hours after which what was never
    /// executed is known to be so.
    fn to_the_end() -> Self {
        Self { lasts: Duration::from_hours(3 * 24), by_hand: Vec::new() }
    }
}

fn asks(random: &mut StdRng) -> Vec<Ask> {
    (0..random.random_range(2..9))
        .map(|_| {
            let (charge, amounts) = CHARGES.choose(random).unwrap();
            let keyed = random.random_bool(0.7);
            Ask {
                charge,
                amount: random.random_bool(0.85).then(|| *amounts.choose(random).unwrap()),
                // Few keys, so that some callers share one.
                idempotency_key: keyed.then(|| format!("key-{}", random.random_range(0..6))),
                allow_duplicate: keyed && random.random_bool(0.2),
                at: Duration::from_millis(random.random_range(0..20_000)),
                cancels_after: random.random_bool(0.25).then(|| Duration::from_millis(random.random_range(0..9_000))),
                answered: false,
            }
        })
        .collect()
}

impl Stage<'_> {
    /// Lives one life; answers whether it ended by death. What is left of a dead process is what was committed.
    fn live(&mut self, number: u64, dangers: Dangers, during: impl AsyncFnOnce(&Life, &Stage<'_>)) -> bool {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let (died, now) = runtime.block_on(async {
            let seed = self.seed.wrapping_mul(1_000).wrapping_add(number);
            let life = Life::start(self.path, &self.model, self.now, seed, dangers);
            let died = tokio::select! {
                biased;
                () = life.fates.died() => true,
                () = during(&life, self) => false,
            };
            (died, life.clock.now())
        });
        drop(runtime);
        self.now = now.plus_millis(1);
        died
    }

    /// Lets accidents strike Stripe's answers by chance.
    fn plan_faults(&self, random: &mut StdRng) {
        let all = [
            Fault::Delay { ms: 400 },
            Fault::Delay { ms: 45_000 },
            Fault::DropBeforeEffect,
            Fault::DropAfterEffect,
            Fault::ErrorBefore { status: 500, stored: false },
            Fault::ErrorBefore { status: 500, stored: true },
            Fault::ErrorAfter { status: 503, stored: false },
            Fault::ErrorAfter { status: 500, stored: true },
            Fault::RateLimit { retry_after: None, reason: None },
            Fault::LockTimeout,
            Fault::Unreadable,
        ];
        let faults = all.iter().filter(|_| random.random_bool(0.5)).cloned().collect();
        let plan = FaultPlan {
            requests_per_mille: *[0, 100, 300, 700].choose(random).unwrap(),
            faults,
            webhooks_per_mille: *[0, 200, 600].choose(random).unwrap(),
            webhook_faults: vec![
                WebhookFault::Duplicate,
                WebhookFault::Late { ms: 40_000 },
                WebhookFault::Reordered,
                WebhookFault::Dropped,
            ],
        };
        self.control("/_sandbox/fault_plan", &serde_json::to_value(plan).unwrap());
    }

    /// Has the model tell of everything at this path; answers the secret that it signs with.
    fn register_webhooks(&self, path: &str) -> String {
        let body = format!("url=https://refunds.example{path}&enabled_events[]=*");
        let request = Request::new(Method::Post, "/v1/webhook_endpoints", body).with_api_key(DEV_SECRET_KEY);
        let answer = self.model.lock().unwrap().apply(&request, self.now.as_millis());
        let endpoint: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        endpoint["secret"].as_str().unwrap_or_else(|| panic!("{endpoint}")).to_owned()
    }

    /// Does at Stripe what no API request does. It may be impossible (nothing left to refund): then nothing happens.
    fn control(&self, path: &str, body: &serde_json::Value) {
        let request = Request::new(Method::Post, path, body.to_string());
        self.model.lock().unwrap().apply(&request, self.now.as_millis());
    }

    /// After a death: whatever is open has a job.
    fn nothing_is_lost_from_sight(&self) -> Result<(), String> {
        let sqlite = rusqlite::Connection::open(self.path).unwrap();
        let lost: i64 = sqlite
            .query_row(
                "SELECT COUNT(*) FROM refunds WHERE status IN ('pending', 'processing')
                    AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.refund_id = refunds.id)",
                [],
                |row| row.get(0),
            )
            .unwrap();
        if lost == 0 { Ok(()) } else { Err(format!("{lost} open refunds have no job")) }
    }

    fn verdict(&mut self, deaths: u64) -> Result<Told, String> {
        let mut verdict = Err("no verdict".to_owned());
        self.live(100, Dangers::default(), async |life, stage| {
            let mut connection = life.app.store.read().await.unwrap();
            let refunds = verdict::all_refunds(&mut connection, TENANT).await.len();
            let model = stage.model.lock().unwrap().clone();
            let ears = stage.ears.lock().unwrap().clone();
            verdict = verdict::find_wrong(&mut connection, TENANT, &model, &ears).await.map(|made| Told {
                stories: 1,
                deaths,
                refunds: u64::try_from(refunds).unwrap(),
                made: u64::try_from(made).unwrap(),
                calls: u64::try_from(model.requests().count()).unwrap(),
            });
        });
        verdict
    }
}

impl Life {
    /// The first life writes down whose refunds these are.
    async fn set_up(&self, stage: &Stage<'_>) {
        let (app, now) = (&self.app, self.app.env.now());
        let id = app.env.new_connection_id();
        let webhook_secret = SecretString::from(stage.register_webhooks(&format!("/webhooks/stripe/{id}")));
        let sealed_webhook_secret = app.vault.seal(&app.env, &processors::webhook_binding(id), &webhook_secret);
        let secret_key = SecretString::from(DEV_SECRET_KEY);
        let sealed_secret_key = app.vault.seal(&app.env, &processors::binding(id), &secret_key).unwrap();
        let stored = StoredConnection {
            connection: ProcessorConnection {
                id,
                processor: ProcessorName::Stripe,
                environment: TENANT.environment,
                status: ConnectionStatus::Active,
                secret_key_hint: "sk_test_…_key".to_owned(),
                webhook_secret_hint: None,
                webhook_url: String::new(),
                account: None,
                account_name: None,
                missing_permissions: Vec::new(),
                connect: None,
                created_at: now,
                updated_at: now,
            },
            sealed_secret_key,
            webhook_secrets: WebhookSecrets { sealed: Some(sealed_webhook_secret.unwrap()), replaced: Vec::new() },
        };
        let written: Result<(), StoreError> = app
            .store
            .write(move |connection| {
                Box::pin(async move {
                    organizations::insert(connection, TENANT.organization_id, "Acme", now).await?;
                    connections::put(connection, TENANT, &stored).await
                })
            })
            .await;
        written.unwrap();
    }

    /// Works until the plan is over: whoever has no answer yet asks (again), the workers run, people act at Stripe.
    async fn work(&self, stage: &Stage<'_>, plan: &Plan) {
        if stage.does_twice {
            tokio::spawn(twice::run(Arc::clone(&self.app)));
        } else {
            tokio::spawn(workers::run(Arc::clone(&self.app)));
        }
        tokio::spawn(workers::digest::run(Arc::clone(&self.app)));
        if stage.has_news {
            tokio::spawn(bring_news(Arc::clone(&self.app), Arc::clone(&stage.model), self.clock));
        }
        let unanswered: Vec<(usize, Duration)> = {
            let asks = stage.asks.lock().unwrap();
            asks.iter().enumerate().filter(|(_, ask)| !ask.answered).map(|(place, ask)| (place, ask.at)).collect()
        };
        for (place, at) in unanswered {
            let (app, asks, ears) = (Arc::clone(&self.app), Arc::clone(&stage.asks), Arc::clone(&stage.ears));
            tokio::spawn(async move {
                tokio::time::sleep(at).await;
                caller::ask(app, TENANT, asks, place, ears).await;
            });
        }
        for (at, what) in &plan.by_hand {
            let (model, clock, at, what) = (Arc::clone(&stage.model), self.clock, *at, *what);
            tokio::spawn(async move {
                tokio::time::sleep(at).await;
                by_hand(&model, clock.now_ms(), what);
            });
        }
        tokio::time::sleep(plan.lasts).await;
    }
}

/// Brings what the model has to tell to the server's door, and tells the model how that went.
async fn bring_news(app: Arc<App>, model: Arc<Mutex<Model>>, clock: Clock) {
    loop {
        let next = {
            let mut model = model.lock().unwrap();
            model.advance(clock.now_ms());
            model.next_due_at_ms()
        };
        let wait_ms = next.map_or(60_000, |next| (next - clock.now_ms()).clamp(200, 60_000));
        tokio::time::sleep(Duration::from_millis(wait_ms.unsigned_abs())).await;
        let due = model.lock().unwrap().take_due_deliveries(clock.now_ms());
        for delivery in due {
            let path = delivery.url.rsplit('/').next().unwrap().to_owned();
            let mut headers = HeaderMap::new();
            headers.insert("stripe-signature", delivery.signature.parse().unwrap());
            let id = Extension(app.env.new_request_id());
            let app = State(Arc::clone(&app));
            let answer = stripe_webhooks::receive(app, id, Ok(Path(path)), headers, delivery.body.into()).await;
            let outcome = if answer.status() == 200 { DeliveryOutcome::Delivered } else { DeliveryOutcome::Failed };
            model.lock().unwrap().record_delivery(&delivery.id, outcome, clock.now_ms());
        }
    }
}

fn by_hand(model: &Mutex<Model>, now_ms: i64, what: ByHand) {
    let mut model = model.lock().unwrap();
    let (path, body) = match what {
        ByHand::Refund(charge, amount) => {
            ("/_sandbox/refunds".to_owned(), json!({ "charge": CHARGES[charge].0, "amount": amount }))
        }
        ByHand::FailOne(number) => {
            let ledger = model.ledger();
            let mut refunds = ledger.iter().flat_map(|charge| &charge.refunds).filter(|refund| refund.live);
            let Some(refund) = refunds.nth(number) else { return };
            (format!("/_sandbox/refunds/{}/fail", refund.refund), json!({}))
        }
    };
    // It may be impossible (nothing left to refund): then nothing happens.
    model.apply(&Request::new(Method::Post, &path, body.to_string()), now_ms);
}
