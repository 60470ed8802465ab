//! The real program, killed with -9 again and again while many clients repeat themselves and Stripe has accidents. Afterwards our
//! books, Stripe's and what clients were told agree, for every refund.
//!
//! `REFUNDKIT_TORTURE_SECONDS=600` tortures longer; what a long run found is recorded in docs/reliability.md.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use refundkit::{
    Environment, Refund, RefundId, RefundStatus, Timestamp,
    processor::{ProcessorRefund, ReportedStatus},
};
use refundkit_core::invariants;
use refundkit_sandbox::{DEV_SECRET_KEY, LedgerCharge};
use refundkit_server::{
    config::{DatabaseUrl, parse_database_url},
    store::{Store, Tenant},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    installation::Sandbox,
    program::{Program, between, control, http, run},
};
use crate::{
    simulation::all_refunds as all_refunds_of,
    support::{figures, postgres},
};

/// How long the short torture lasts.
const SECONDS: u64 = 8;
const CLIENTS: u64 = 12;
const CHARGES: usize = 40;
/// What each charge is worth.
const CHARGE: i64 = 10_000;
/// How long everything may take to settle: a killed attempt counts as dead after a minute.
const SETTLED_WITHIN: Duration = Duration::from_mins(4);

/// An installation whose servers are killed.
struct Rack {
    folder: TempDir,
    sandbox: Sandbox,
    database_url: String,
    organization: String,
    key: String,
    /// Where each server is now; none while it is dead.
    servers: RwLock<Vec<Option<(Program, String)>>>,
    charges: Vec<String>,
}

impl Rack {
    async fn new(database_url: String, servers: usize) -> Self {
        let folder = TempDir::new().unwrap();
        let sandbox = Sandbox::start(folder.path());
        let setup = ["setup", "--organization", "Acme", "--email", "owner@acme.example", "--json"];
        let made = run(folder.path(), &setup, &[("REFUNDKIT_DATABASE_URL", &database_url)]).json();
        let mut charges = Vec::new();
        for number in 0..CHARGES {
            let source = ["tok_visa", "tok_visa", "tok_pendingRefund", "tok_refundFail"][number % 4];
            let body = format!("amount={CHARGE}&currency=usd&source={source}");
            let request = http().post(format!("{}/v1/charges", sandbox.url)).bearer_auth(DEV_SECRET_KEY).body(body);
            let charge: Value = request.send().await.unwrap().json().await.unwrap();
            charges.push(charge["id"].as_str().unwrap().to_owned());
        }
        let rack = Self {
            folder,
            sandbox,
            database_url,
            organization: made["organizationId"].as_str().unwrap().to_owned(),
            key: made["testKey"].as_str().unwrap().to_owned(),
            servers: RwLock::new((0..servers).map(|_| None).collect()),
            charges,
        };
        (0..servers).for_each(|place| rack.start(place));
        let url = rack.url_of(0).unwrap();
        let connect = http().put(format!("{url}/v1/processors/stripe")).bearer_auth(&rack.key);
        let connected = connect.json(&json!({ "secretKey": DEV_SECRET_KEY })).send().await.unwrap();
        assert_eq!(connected.status(), 200);
        rack
    }

    fn start(&self, place: usize) {
        const LISTENING: &str = "listening on http://";
        let program = Program::start(
            self.folder.path(),
            &["serve"],
            &[
                ("REFUNDKIT_LISTEN", "127.0.0.1:0"),
                ("REFUNDKIT_METRICS_LISTEN", "off"),
                ("REFUNDKIT_DATABASE_URL", &self.database_url),
                ("REFUNDKIT_STRIPE_API_BASE", &self.sandbox.url),
                ("REFUNDKIT_SCHEDULE_SPEEDUP", "10000"),
                ("REFUNDKIT_RATE_LIMIT", "0"),
                ("REFUNDKIT_SUBMIT_DEADLINE_MS", "1000"),
            ],
        );
        let url = format!("http://{}", between(&program.stderr.until(LISTENING), LISTENING, "\""));
        self.servers.write().unwrap()[place] = Some((program, url));
    }

    fn kill(&self, place: usize) {
        let killed = self.servers.write().unwrap()[place].take();
        if let Some((program, _)) = killed {
            program.kill();
        }
    }

    /// Stops all servers, so that the database can be looked into.
    fn stop(&self) {
        let places = self.servers.read().unwrap().len();
        (0..places).for_each(|place| self.kill(place));
    }

    fn url_of(&self, place: usize) -> Option<String> {
        self.servers.read().unwrap()[place].as_ref().map(|(_, url)| url.clone())
    }

    async fn get(&self, path: &str) -> Option<Value> {
        let answer = http().get(format!("{}{path}", self.url_of(0)?)).bearer_auth(&self.key).send().await.ok()?;
        answer.json().await.ok()
    }
}

/// What clients did and were told.
#[derive(Default)]
struct Heard {
    keys: Mutex<BTreeMap<String, RefundId>>,
    asked: AtomicU64,
    made: AtomicU64,
    refused: AtomicU64,
    unanswered: AtomicU64,
}

impl Heard {
    fn told(&self, key: &str, id: RefundId) {
        let first = *self.keys.lock().unwrap().entry(key.to_owned()).or_insert(id);
        invariants::key_names_one_refund(key, first, id).unwrap();
    }
}

/// A client: asks for one refund after the other, and repeats each request under its key until it is answered.
async fn client(rack: Arc<Rack>, heard: Arc<Heard>, number: u64, is_over: Arc<AtomicBool>) {
    let mut random = StdRng::seed_from_u64(number);
    let http = http();
    let mut asked = 0;
    while !is_over.load(Ordering::Relaxed) {
        asked += 1;
        // Now and then two clients share a key, as two copies of one program do.
        let key = if random.random_bool(0.1) { format!("shared-{asked}") } else { format!("{number}-{asked}") };
        let charge = rack.charges.choose(&mut random).unwrap();
        let amount = *[1_000, 2_500, 6_000, CHARGE].choose(&mut random).unwrap();
        let allow_duplicate = random.random_bool(0.5);
        let body = json!({
            "transactionId": charge, "amount": amount, "reason": "other", "allowDuplicate": allow_duplicate,
        });
        heard.asked.fetch_add(1, Ordering::Relaxed);
        for _ in 0..200 {
            let place = random.random_range(0..rack.servers.read().unwrap().len());
            if let Some(url) = rack.url_of(place) {
                let request = http.post(format!("{url}/v1/refunds")).bearer_auth(&rack.key);
                // A server that dies in the middle may leave its client waiting for ever.
                let request = request.timeout(Duration::from_secs(20));
                let sent = request.header("Idempotency-Key", &key).json(&body).send().await;
                if let Ok(answer) = sent
                    && let Ok(answer) = answer.json::<Value>().await
                {
                    if let Some(id) = answer["data"]["id"].as_str() {
                        heard.told(&key, id.parse().unwrap());
                        heard.made.fetch_add(1, Ordering::Relaxed);
                        break;
                    }
                    if answer["error"]["retryable"] != true {
                        heard.refused.fetch_add(1, Ordering::Relaxed);
                        break;
                    }
                } else {
                    heard.unanswered.fetch_add(1, Ordering::Relaxed);
                }
            }
            tokio::time::sleep(Duration::from_millis(random.random_range(5..60))).await;
        }
    }
}

/// Kills one server after the other, and starts each again.
async fn torturer(rack: Arc<Rack>, seconds: u64) -> u64 {
    let mut random = StdRng::seed_from_u64(7);
    let (began, mut kills) = (Instant::now(), 0);
    while began.elapsed() < Duration::from_secs(seconds) {
        tokio::time::sleep(Duration::from_millis(random.random_range(50..900))).await;
        let place = random.random_range(0..rack.servers.read().unwrap().len());
        let victim = Arc::clone(&rack);
        tokio::task::spawn_blocking(move || {
            victim.kill(place);
            victim.start(place);
        })
        .await
        .unwrap();
        kills += 1;
    }
    kills
}

async fn torture(database_url: String, servers: usize) {
    let seconds = std::env::var("REFUNDKIT_TORTURE_SECONDS").map_or(SECONDS, |text| text.parse().unwrap());
    let rack = Arc::new(Rack::new(database_url, servers).await);
    // All but the one that Stripe remembers for a day without having done anything: what it takes to end that is told by the
    // simulation, which has days.
    let accidents = json!({
        "requests_per_mille": 200,
        "faults": [
            { "kind": "delay", "ms": 300 },
            { "kind": "delay", "ms": 3_000 },
            { "kind": "drop_before_effect" },
            { "kind": "drop_after_effect" },
            { "kind": "error_before", "status": 500 },
            { "kind": "error_after", "status": 503 },
            { "kind": "error_after", "status": 500, "stored": true },
            { "kind": "rate_limit" },
            { "kind": "lock_timeout" },
            { "kind": "unreadable" },
        ],
    });
    control(&rack.sandbox.url, reqwest::Method::POST, "fault_plan", accidents).await;

    let (heard, is_over) = (Arc::new(Heard::default()), Arc::new(AtomicBool::new(false)));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| tokio::spawn(client(Arc::clone(&rack), Arc::clone(&heard), number, Arc::clone(&is_over))))
        .collect();
    let kills = torturer(Arc::clone(&rack), seconds).await;
    is_over.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    control(&rack.sandbox.url, reqwest::Method::POST, "fault_plan", json!({})).await;

    let began = Instant::now();
    // Settled for a while: the sandbox's banks take successes back for some hundred milliseconds more.
    let mut settled = 0;
    while settled < 4 {
        match first_unsettled(&rack).await {
            None => settled += 1,
            Some(open) => {
                assert!(began.elapsed() < SETTLED_WITHIN, "not settled: {open}");
                settled = 0;
            }
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let settled_after = began.elapsed();
    let (refunds, given_back) = agree(&rack, &heard).await;
    rack.stop();
    figures_agree(&rack).await;
    println!(
        "{seconds} s, {servers} server(s): {kills} kills, {} requests, {} answered with a refund, {} refused, {} unanswered tries, \
         {refunds} refunds written, {given_back} made at Stripe, all settled after {} s",
        heard.asked.load(Ordering::Relaxed),
        heard.made.load(Ordering::Relaxed),
        heard.refused.load(Ordering::Relaxed),
        heard.unanswered.load(Ordering::Relaxed),
        settled_after.as_secs(),
    );
    // Torture in which nothing happens proves nothing.
    assert!(kills > seconds / 2 && refunds > 10 && given_back > 10);
}

/// A refund that is not settled here, or was not followed to what Stripe says by now.
async fn first_unsettled(rack: &Rack) -> Option<Value> {
    for status in ["pending", "processing"] {
        let page = rack.get(&format!("/v1/refunds?status={status}&limit=1")).await;
        let Some(page) = page else { return Some(json!("no answer")) };
        if let Some(open) = page["data"].as_array().and_then(|refunds| refunds.first()) {
            return Some(open.clone());
        }
    }
    let ledger = ledger(rack).await;
    let refunds = all_refunds(rack).await;
    let behind = refunds.iter().find(|refund| {
        let copy = copy_of(&ledger, refund);
        invariants::books_agree(refund.id, refund.amount.minor(), refund.status, copy.as_ref()).is_err()
    });
    behind.map(|refund| json!(refund))
}

async fn ledger(rack: &Rack) -> Vec<LedgerCharge> {
    let ledger = control(&rack.sandbox.url, reqwest::Method::GET, "ledger", Value::Null).await;
    serde_json::from_value(ledger["data"].clone()).unwrap()
}

async fn all_refunds(rack: &Rack) -> Vec<Refund> {
    let mut refunds = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = rack.get(&format!("/v1/refunds?limit=100{cursor}")).await.unwrap();
        refunds.extend(serde_json::from_value::<Vec<Refund>>(page["data"].clone()).unwrap());
        match page["page"]["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return refunds,
        }
    }
}

/// Stripe's copies of a charge's refunds.
fn copies(charge: &LedgerCharge) -> Vec<ProcessorRefund> {
    let copy = |refund: &refundkit_sandbox::LedgerRefund| ProcessorRefund {
        id: refund.refund.clone(),
        charge: Some(charge.charge.clone()),
        amount: refund.amount,
        currency: "usd".parse().unwrap(),
        status: match refund.status.as_str() {
            "succeeded" => ReportedStatus::Completed,
            "pending" => ReportedStatus::Processing,
            "failed" => ReportedStatus::Failed,
            "canceled" => ReportedStatus::Canceled,
            other => ReportedStatus::Unrecognised(other.to_owned()),
        },
        failure_reason: None,
        refund_id: refund.metadata.get("refundkit_refund_id").and_then(|id| id.parse().ok()),
        created_at: Timestamp::from_millis(0),
        request_id: None,
    };
    charge.refunds.iter().map(copy).collect()
}

fn copy_of(ledger: &[LedgerCharge], refund: &Refund) -> Option<ProcessorRefund> {
    let charge = ledger.iter().find(|charge| charge.charge == refund.external_transaction_id)?;
    copies(charge).into_iter().find(|copy| copy.refund_id == Some(refund.id))
}

/// Holds our books, Stripe's and what clients heard against each other; answers how many refunds there are here and there.
async fn agree(rack: &Rack, heard: &Heard) -> (usize, usize) {
    let (ledger, refunds) = (ledger(rack).await, all_refunds(rack).await);
    let ours: BTreeMap<RefundId, &Refund> = refunds.iter().map(|refund| (refund.id, refund)).collect();
    for (key, id) in heard.keys.lock().unwrap().iter() {
        assert!(ours.contains_key(id), "{key} was answered with {id}, which does not exist");
    }
    let mut made = 0;
    for charge in ledger.iter().filter(|charge| rack.charges.contains(&charge.charge)) {
        let there = copies(charge);
        for copy in &there {
            let id = copy.refund_id.unwrap_or_else(|| panic!("{} carries no id of ours", copy.id));
            assert!(ours.contains_key(&id), "{} was made for {id}, which our books do not have", copy.id);
            invariants::made_once(id, &there).unwrap();
            made += 1;
        }
        let live = charge.refunds.iter().filter(|refund| refund.live).map(|refund| refund.amount);
        invariants::never_more_than_captured(&charge.charge, CHARGE, live).unwrap();
    }
    for refund in &refunds {
        assert_ne!(refund.status, RefundStatus::Pending, "{refund:?}");
        let copy = copy_of(&ledger, refund);
        invariants::books_agree(refund.id, refund.amount.minor(), refund.status, copy.as_ref()).unwrap();
    }
    (refunds.len(), made)
}

/// The figures of each day are those of the refunds, after all those deaths.
async fn figures_agree(rack: &Rack) {
    let url = match parse_database_url(&rack.database_url).unwrap() {
        DatabaseUrl::Sqlite { path } => DatabaseUrl::Sqlite { path: rack.folder.path().join(path) },
        url @ DatabaseUrl::Postgres { .. } => url,
    };
    let store = Store::open(&url).await.unwrap();
    let mut connection = store.read().await.unwrap();
    let organization_id = rack.organization.parse().unwrap();
    let tenant = Tenant { organization_id, environment: Environment::Test };
    let refunds = all_refunds_of(&mut connection, tenant).await;
    figures::days_agree(&mut connection, tenant, &refunds).await.unwrap();
    assert!(!refunds.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_server_on_sqlite_survives_torture() {
    torture("sqlite://./.refundkit/refundkit.db".to_owned(), 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_on_postgresql_survive_torture() {
    let url = tokio::task::spawn_blocking(|| postgres::server().new_database_url()).await.unwrap();
    torture(url, 2).await;
}
