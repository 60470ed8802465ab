//! Lets time pass and sends what is due. Which deliveries are due, and what becomes of failed ones, the model decides.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::model::{DeliveryOutcome, DueDelivery};
use crate::sandbox::Sandbox;

/// How often time passes for the model.
const TICK: Duration = Duration::from_millis(50);
/// How long an endpoint may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Endpoints written to at the same time.
const SENDERS_MAX: usize = 32;

/// The client webhooks are sent with.
pub(crate) fn client() -> Result<reqwest::Client, reqwest::Error> {
    // Somebody in the process may have chosen a provider already; that one is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder()
        .timeout(TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .user_agent("Stripe/1.0 (+https://stripe.com/docs/webhooks)")
        .build()
}

/// Ticks until it is dropped; deliveries under way are dropped with it and come again later.
pub(crate) async fn run(sandbox: Sandbox, client: reqwest::Client) -> Infallible {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut senders = JoinSet::new();
    loop {
        ticks.tick().await;
        while senders.try_join_next().is_some() {}
        let due = sandbox.with_model(|model, now_ms| {
            model.advance(now_ms);
            if senders.len() < SENDERS_MAX { model.take_due_deliveries(now_ms) } else { Vec::new() }
        });
        if let Err(error) = sandbox.save().await {
            tracing::error!(%error, "the sandbox's state is not on disk");
        }
        for (_, deliveries) in by_url(due) {
            senders.spawn(send_in_order(sandbox.clone(), client.clone(), deliveries));
        }
    }
}

/// One endpoint's deliveries stay in order, like a quiet day at Stripe; different endpoints do not wait for each other.
fn by_url(due: Vec<DueDelivery>) -> BTreeMap<String, Vec<DueDelivery>> {
    let mut groups: BTreeMap<String, Vec<DueDelivery>> = BTreeMap::new();
    for delivery in due {
        groups.entry(delivery.url.clone()).or_default().push(delivery);
    }
    groups
}

async fn send_in_order(sandbox: Sandbox, client: reqwest::Client, deliveries: Vec<DueDelivery>) {
    for delivery in deliveries {
        let answer = client
            .post(&delivery.url)
            .header("Content-Type", "application/json; charset=utf-8")
            .header("Stripe-Signature", &delivery.signature)
            .body(delivery.body)
            .send()
            .await;
        let outcome = match answer {
            Ok(answer) if answer.status().is_success() => DeliveryOutcome::Delivered,
            Ok(answer) => {
                tracing::debug!(url = delivery.url, status = %answer.status(), "a webhook was refused");
                DeliveryOutcome::Failed
            }
            Err(error) => {
                tracing::debug!(url = delivery.url, error = %error.without_url(), "a webhook did not arrive");
                DeliveryOutcome::Failed
            }
        };
        sandbox.with_model(|model, now_ms| model.record_delivery(&delivery.id, outcome, now_ms));
    }
}
