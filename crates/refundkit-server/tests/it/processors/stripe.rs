//! Stripe's world, and what only Stripe has: a pinned version, connected accounts, transfers to take back.

use async_trait::async_trait;
use refundkit::{
    PaymentProcessor, StripeConnect, StripeProcessor,
    processor::ProcessorErrorKind,
    processors::{
        RefundQuery,
        stripe::{API_VERSION, StripeProcessorBuilder},
    },
};
use refundkit_sandbox::{
    DEV_ACCOUNT, DEV_CONNECTED_ACCOUNT, DEV_EXPIRED_KEY, DEV_LIVE_CHARGE, DEV_READ_ONLY_KEY, DEV_SECRET_KEY, Fault,
    FaultRule, Method,
};
use serde_json::{Value, json};

use super::{
    Asked, Credential, Payment, Payments, Refusal, Requests, Trouble, World, accepted, prepared, refunded, refused,
    request, unknown,
};
use crate::support::start_sandbox;

const UNKNOWN_KEY: &str = "sk_test_nobody_knows_this_key";

const PLAIN: Payment =
    Payment { id: "ch_1N4HbSKz9cXRvFYr", charge: "ch_1N4HbSKz9cXRvFYr", captured: 10_000, currency: "usd" };
const OTHERS: &[Payment] = &[
    Payment { id: "pi_1SandboxIntent", charge: "ch_1SandboxOfIntent", captured: 2_500, currency: "usd" },
    Payment { id: "py_1SandboxSepaDebit", charge: "py_1SandboxSepaDebit", captured: 3_000, currency: "eur" },
    Payment { id: "ch_1SandboxYen", charge: "ch_1SandboxYen", captured: 12_000, currency: "jpy" },
    Payment { id: "ch_1SandboxDinar", charge: "ch_1SandboxDinar", captured: 5_120, currency: "kwd" },
];
const PARTLY_REFUNDED: Payment =
    Payment { id: "ch_1SandboxPartlyRefunded", charge: "ch_1SandboxPartlyRefunded", captured: 10_000, currency: "usd" };
const ACTION_NEEDED: Payment =
    Payment { id: "py_1SandboxActionNeeded", charge: "py_1SandboxActionNeeded", captured: 8_000, currency: "jpy" };
const DISPUTED: Payment =
    Payment { id: "ch_1SandboxDisputed", charge: "ch_1SandboxDisputed", captured: 5_500, currency: "usd" };

/// A Stripe sandbox of its own.
pub(super) struct StripeWorld {
    url: String,
    http: reqwest::Client,
}

impl StripeWorld {
    pub(super) async fn new() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { url: start_sandbox().await, http: reqwest::Client::new() }
    }

    fn builder(&self, key: &str) -> StripeProcessorBuilder {
        StripeProcessor::builder(key).api_base(&self.url)
    }

    fn connected(&self, connect: StripeConnect) -> StripeProcessor {
        self.builder(DEV_SECRET_KEY).connect(connect).build().unwrap()
    }

    async fn control(&self, method: reqwest::Method, path: &str, body: Value) -> Value {
        let answer =
            self.http.request(method, format!("{}/_sandbox/{path}", self.url)).json(&body).send().await.unwrap();
        let status = answer.status();
        let body: Value = answer.json().await.unwrap();
        assert!(status.is_success(), "{path}: {body}");
        body
    }

    async fn log(&self) -> Vec<Value> {
        self.control(reqwest::Method::GET, "requests", json!({})).await["data"].as_array().unwrap().clone()
    }

    /// Takes a payment of 5000 USD; answers its charge.
    async fn charge(&self, account: Option<&str>, more: &str) -> Payment {
        let mut request = self.http.post(format!("{}/v1/charges", self.url)).bearer_auth(DEV_SECRET_KEY);
        if let Some(account) = account {
            request = request.header("Stripe-Account", account);
        }
        let form = format!("amount=5000&currency=usd&source=tok_visa{more}");
        let request = request.header("Content-Type", "application/x-www-form-urlencoded").body(form);
        let charge: Value = request.send().await.unwrap().json().await.unwrap();
        let id: &'static str = charge["id"].as_str().unwrap_or_else(|| panic!("{charge}")).to_owned().leak();
        Payment { id, charge: id, captured: 5000, currency: "usd" }
    }

    /// Which account a charge belongs to, in the sandbox's books.
    async fn account_of(&self, charge: &str) -> String {
        let ledger = self.control(reqwest::Method::GET, "ledger", json!({})).await;
        let found = ledger["data"].as_array().unwrap().iter().find(|entry| entry["charge"] == charge).unwrap();
        found["account"].as_str().unwrap().to_owned()
    }
}

#[async_trait]
impl World for StripeWorld {
    fn payments(&self) -> Payments {
        use ProcessorErrorKind as Kind;
        let refusal = |kind, message, code| Refusal { kind, message, code };
        Payments {
            plain: PLAIN,
            others: OTHERS,
            partly_refunded: PARTLY_REFUNDED,
            refunded: 3_000,
            uncaptured: "pi_1SandboxUncaptured",
            unpaid: "pi_1SandboxUnpaid",
            action_needed: ACTION_NEEDED,
            refused: (
                DISPUTED,
                refusal(
                    Kind::Refused,
                    "Charge ch_1SandboxDisputed has been charged back; cannot issue a refund.",
                    Some("charge_disputed"),
                ),
            ),
            too_much: refusal(
                Kind::AmountTooLarge,
                "Refund amount ($70.01) is greater than unrefunded amount on charge ($70.00)",
                None,
            ),
            already_refunded: refusal(
                Kind::AlreadyRefunded,
                "Charge ch_1N4HbSKz9cXRvFYr has already been refunded.",
                Some("charge_already_refunded"),
            ),
            missing: ("ch_invalid", refusal(Kind::NotFound, "No such charge: 'ch_invalid'", Some("resource_missing"))),
            other_mode: DEV_LIVE_CHARGE,
            missing_refund: "re_1NotThere",
        }
    }

    fn processor_with(&self, credential: Credential) -> Box<dyn PaymentProcessor> {
        let key = match credential {
            Credential::Good => DEV_SECRET_KEY,
            Credential::Expired => DEV_EXPIRED_KEY,
            Credential::Unknown => UNKNOWN_KEY,
            Credential::ReadOnly => DEV_READ_ONLY_KEY,
        };
        Box::new(self.builder(key).build().unwrap())
    }

    async fn arm(&self, on: Requests, trouble: Trouble, times: u32) {
        let fault = match trouble {
            Trouble::LostBefore => Fault::DropBeforeEffect,
            Trouble::LostAfter => Fault::DropAfterEffect,
            Trouble::ErrorBefore => Fault::ErrorBefore { status: 503, stored: false },
            Trouble::ErrorAfter => Fault::ErrorAfter { status: 503, stored: false },
            Trouble::RememberedError => Fault::ErrorAfter { status: 500, stored: true },
            Trouble::Unreadable => Fault::Unreadable,
            Trouble::RateLimit { retry_after_seconds } => {
                Fault::RateLimit { retry_after: retry_after_seconds, reason: Some("global-rate".to_owned()) }
            }
            Trouble::Locked => Fault::LockTimeout,
        };
        let method = match on {
            Requests::Reads => Method::Get,
            Requests::Writes => Method::Post,
        };
        let rule = FaultRule { times, ..FaultRule::once(method, "/v1/", fault) };
        self.control(reqwest::Method::POST, "faults", serde_json::to_value(rule).unwrap()).await;
    }

    async fn refund_elsewhere(&self, charge: &str, amount: i64) {
        self.control(reqwest::Method::POST, "refunds", json!({ "charge": charge, "amount": amount })).await;
    }

    async fn books(&self, charge: &str) -> Vec<i64> {
        let ledger = self.control(reqwest::Method::GET, "ledger", json!({})).await;
        let found = ledger["data"].as_array().unwrap().iter().find(|entry| entry["charge"] == charge).unwrap();
        let refunds = found["refunds"].as_array().unwrap().iter().filter(|refund| refund["live"] == true);
        refunds.map(|refund| refund["amount"].as_i64().unwrap()).collect()
    }

    async fn asked(&self) -> Vec<Asked> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let asked = |entry: Value| Asked {
            method: text(&entry["method"]).unwrap(),
            path: text(&entry["path"]).unwrap(),
            body: text(&entry["body"]).unwrap(),
            idempotency_key: text(&entry["idempotency_key"]),
            api_version: text(&entry["stripe_version"]),
        };
        self.log().await.into_iter().map(asked).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_names_the_version_of_the_api_it_was_written_for() {
    let world = StripeWorld::new().await;
    let processor = world.processor();
    processor.verify_credentials().await.unwrap();
    for id in [PLAIN.id, "pi_1SandboxIntent"] {
        processor.retrieve_charge(&id.parse().unwrap()).await.unwrap();
    }
    let (id, made) = refunded(processor.as_ref(), &ACTION_NEEDED, 100).await;
    processor.retrieve_refund(&made.id).await.unwrap();
    processor.find_refund(ACTION_NEEDED.charge, id).await.unwrap();
    processor.list_refunds(&RefundQuery { limit: 10, ..RefundQuery::default() }).await.unwrap();
    accepted(processor.cancel_refund(&made.id, "cancel-1").await);
    let asked = world.asked().await;
    assert!(asked.len() >= 8, "{asked:?}");
    for asked in asked {
        assert_eq!(asked.api_version.as_deref(), Some(API_VERSION), "{asked:?}");
        assert_eq!(asked.idempotency_key.is_some(), asked.method == "POST", "{asked:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_carries_stripes_reason_our_metadata_and_what_the_connection_says() {
    let world = StripeWorld::new().await;
    let charge = world
        .charge(None, &format!("&transfer_data[destination]={DEV_CONNECTED_ACCOUNT}&application_fee_amount=500"))
        .await;
    let connect = StripeConnect { account: None, reverse_transfer: Some(true), refund_application_fee: Some(true) };
    let processor = world.connected(connect);
    assert!(processor.retrieve_charge(&charge.id.parse().unwrap()).await.unwrap().has_transfer);
    let (id, _) = refunded(&processor, &charge, 100).await;
    let sent = world.asked().await.pop().unwrap();
    assert_eq!(
        sent.body,
        format!(
            "charge={}&amount=100&reason=requested_by_customer&metadata%5BorderId%5D=1001+%26+more+%3D+%C3%BC\
             &metadata%5Brefundkit_refund_id%5D={id}&reverse_transfer=true&refund_application_fee=true",
            charge.id
        )
    );
    // Stripe would refuse what the connection says of a payment without a transfer: so it was sent, and read.
    let error = refused(processor.submit_refund(&prepared(&processor, &PLAIN, 100)).await);
    assert!(error.detail.message.contains("no transfer to reverse"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_of_a_connected_account_is_made_for_it() {
    let world = StripeWorld::new().await;
    let charge = world.charge(Some(DEV_CONNECTED_ACCOUNT), "").await;
    let connect = StripeConnect { account: Some(DEV_CONNECTED_ACCOUNT.to_owned()), ..StripeConnect::default() };
    let processor = world.connected(connect);
    // The payment is in the connected account's books only, so each of these proves its header.
    assert_eq!(processor.verify_credentials().await.unwrap().account.as_deref(), Some(DEV_CONNECTED_ACCOUNT));
    assert_eq!(processor.retrieve_charge(&charge.id.parse().unwrap()).await.unwrap().id, charge.id);
    let (id, made) = refunded(&processor, &charge, 100).await;
    assert_eq!(processor.retrieve_refund(&made.id).await.unwrap().id, made.id);
    assert_eq!(processor.find_refund(charge.id, id).await.unwrap().unwrap().id, made.id);
    let listed = processor.list_refunds(&RefundQuery { limit: 10, ..RefundQuery::default() }).await.unwrap();
    assert_eq!(listed.refunds.len(), 1);
    let error = refused(PaymentProcessor::cancel_refund(&processor, &made.id, "cancel-1").await);
    assert_eq!(error.kind, ProcessorErrorKind::NotCancellable, "found, and too late");
    assert_eq!(
        (world.account_of(charge.id).await.as_str(), world.books(charge.id).await),
        (DEV_CONNECTED_ACCOUNT, vec![100])
    );

    let platform = world.processor();
    let error = platform.retrieve_charge(&charge.id.parse().unwrap()).await.unwrap_err();
    assert_eq!(error.kind, ProcessorErrorKind::NotFound);
    assert_eq!(platform.verify_credentials().await.unwrap().account.as_deref(), Some(DEV_ACCOUNT));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_refund_keeps_its_account_though_the_connection_changed() {
    let world = StripeWorld::new().await;
    let charge = world.charge(Some(DEV_CONNECTED_ACCOUNT), "").await;
    let connect = StripeConnect { account: Some(DEV_CONNECTED_ACCOUNT.to_owned()), ..StripeConnect::default() };
    let prepared = world.connected(connect).prepare_refund(&request(&charge, 100).1);
    accepted(world.processor().submit_refund(&prepared).await);
    assert_eq!(world.books(charge.id).await, [100]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_the_key_may_not_act_for_is_a_missing_permission() {
    let world = StripeWorld::new().await;
    let connect = StripeConnect { account: Some("acct_1Stranger".to_owned()), ..StripeConnect::default() };
    let error = world.connected(connect).verify_credentials().await.unwrap_err();
    assert_eq!(error.kind, ProcessorErrorKind::MissingPermission);
    assert!(error.hint.unwrap().contains("connected account"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_rolled_between_two_tries_leaves_the_outcome_unknown() {
    let world = StripeWorld::new().await;
    let processor = world.processor();
    // The first try is executed and its answer comes late, while the key is being rolled.
    world.arm(Requests::Writes, Trouble::LostAfter, 1).await;
    let prepared = prepared(processor.as_ref(), &PLAIN, 100);
    let roll = async {
        while world.books(PLAIN.charge).await.is_empty() {
            tokio::task::yield_now().await;
        }
        let key = json!({ "secret": DEV_SECRET_KEY, "account": DEV_ACCOUNT, "expired": true });
        world.control(reqwest::Method::POST, "api_keys", key).await;
    };
    let (outcome, ()) = tokio::join!(processor.submit_refund(&prepared), roll);
    let error = unknown(outcome);
    assert_eq!(
        (error.kind, error.detail.code.as_deref()),
        (ProcessorErrorKind::InvalidCredential, Some("api_key_expired"))
    );
    assert_eq!(world.books(PLAIN.charge).await, [100], "it had happened: calling it refused would have been a lie");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_cannot_lead_a_request_astray() {
    let world = StripeWorld::new().await;
    let processor = world.processor();
    let odd = ["", ".", "..", "re/1", "../charges/ch_1", "re_1?expand=x", "re_1#", "a b", "%2e%2e", "re_1\r\nX: y"];
    for (number, odd) in odd.into_iter().enumerate() {
        assert_eq!(processor.retrieve_refund(odd).await.unwrap_err().kind, ProcessorErrorKind::NotFound, "{odd}");
        let error = refused(processor.cancel_refund(odd, &format!("cancel-{number}")).await);
        assert_eq!(error.kind, ProcessorErrorKind::NotFound, "{odd}");
    }
    for asked in world.asked().await {
        let rest = asked.path.strip_prefix("/v1/refunds/").unwrap_or_else(|| panic!("{asked:?}"));
        let rest = rest.strip_suffix("/cancel").unwrap_or(rest);
        assert!(!rest.is_empty() && !rest.contains('/'), "{asked:?}");
    }
}
