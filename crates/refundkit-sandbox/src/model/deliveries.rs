//! Webhook deliveries: which are due, what exactly is sent, and what happens when an endpoint does not answer.
//!
//! The sending itself is the caller's: it takes what is due and reports back. A delivery that was taken and never
//! reported becomes due again, so a crash delivers twice rather than never.

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::{API_VERSION, Model, Place};
use crate::limits::{DELIVERY_ATTEMPTS_MAX, DELIVERY_BATCH_MAX, DELIVERY_LEASE_MS};

/// One event on its way to one endpoint.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Delivery {
    id: String,
    place: Place,
    event: String,
    endpoint: String,
    attempts: u32,
}

impl Delivery {
    pub(crate) fn new(id: String, place: Place, event: &str, endpoint: &str) -> Delivery {
        Delivery { id, place, event: event.to_owned(), endpoint: endpoint.to_owned(), attempts: 0 }
    }
}

/// A delivery ready to be sent: POST the body as `application/json` with the signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DueDelivery {
    /// What to report the outcome under.
    pub id: String,
    /// Where to send it.
    pub url: String,
    /// The event's type, for logs.
    pub event_type: String,
    /// The `Stripe-Signature` header.
    pub signature: String,
    /// The exact bytes that were signed.
    pub body: String,
}

/// How a delivery went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeliveryOutcome {
    /// The endpoint answered 2xx.
    Delivered,
    /// It answered something else, or nothing.
    Failed,
}

impl Model {
    /// Takes the deliveries that are due, in order, at most a batch of them.
    pub fn take_due_deliveries(&mut self, now_ms: i64) -> Vec<DueDelivery> {
        let now_ms = now_ms.saturating_add(self.clock_offset_ms);
        let mut taken = Vec::new();
        while taken.len() < DELIVERY_BATCH_MAX
            && let Some((_, mut delivery)) = self.deliveries.pop_due(now_ms)
        {
            self.revision += 1;
            delivery.attempts += 1;
            if let Some(due) = self.write_out(&delivery, now_ms) {
                taken.push(due);
                self.deliveries.add(now_ms.saturating_add(DELIVERY_LEASE_MS), delivery);
            }
        }
        taken
    }

    /// Notes how a delivery went; a failed one is due again later, until it was tried often enough.
    pub fn record_delivery(&mut self, id: &str, outcome: DeliveryOutcome, now_ms: i64) {
        let now_ms = now_ms.saturating_add(self.clock_offset_ms);
        let Some(delivery) = self.deliveries.remove_where(|delivery| delivery.id == id) else { return };
        self.revision += 1;
        match outcome {
            DeliveryOutcome::Delivered => {
                let account = self.accounts.get_mut(&delivery.place.account);
                let books =
                    account.map(|account| if delivery.place.livemode { &mut account.live } else { &mut account.test });
                if let Some(event) = books.and_then(|books| books.events.get_mut(&delivery.event)) {
                    event.mark_delivered(&delivery.endpoint);
                }
            }
            DeliveryOutcome::Failed if delivery.attempts < DELIVERY_ATTEMPTS_MAX => {
                let pause_ms = self.settings.webhook_retry_delay_ms.saturating_mul(i64::from(delivery.attempts));
                self.deliveries.add(now_ms.saturating_add(pause_ms), delivery);
            }
            DeliveryOutcome::Failed => {}
        }
    }

    /// The event as this endpoint gets it now; nothing when either is gone, or tries are used up.
    fn write_out(&self, delivery: &Delivery, now_ms: i64) -> Option<DueDelivery> {
        let books = self.books(&delivery.place)?;
        let endpoint = books.webhook_endpoints.get(&delivery.endpoint)?;
        let event = books.events.get(&delivery.event)?;
        if delivery.attempts > DELIVERY_ATTEMPTS_MAX {
            return None;
        }
        let api_version = endpoint.api_version.as_deref().unwrap_or(API_VERSION);
        let body = event.show(delivery.place.livemode, api_version).to_string();
        Some(DueDelivery {
            id: delivery.id.clone(),
            url: endpoint.url.clone(),
            event_type: event.kind.clone(),
            signature: sign(&endpoint.secret, now_ms.div_euclid(1000), &body),
            body,
        })
    }
}

/// Stripe's signature header: the MAC of `timestamp.body` under the whole `whsec_...` string.
fn sign(secret: &str, timestamp: i64, body: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(timestamp.to_string().as_bytes());
    mac.update(b".");
    mac.update(body.as_bytes());
    format!("t={timestamp},v1={}", hex::encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_the_one_openssl_computes() {
        // printf '1700000000.{"id":"evt_1"}' | openssl dgst -sha256 -hmac whsec_test
        let expected = "t=1700000000,v1=c89214b5b5da833daed6f0b8c5bb6bd58cea9022bd80ccc78230f3942d632925";
        assert_eq!(sign("whsec_test", 1_700_000_000, "{\"id\":\"evt_1\"}"), expected);
    }
}
