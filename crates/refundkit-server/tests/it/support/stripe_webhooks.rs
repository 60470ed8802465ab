//! Stripe's side of a notification: endpoints at the sandbox, and events that are signed here as Stripe signs them.

use hmac::{Hmac, KeyInit as _, Mac as _};
use refundkit::ProcessorName;
use refundkit_server::store::{StoreError, connections, processor_events};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Answer, Stage, send};

/// A signing secret that no endpoint has by chance.
pub(crate) const SECRET: &str = "whsec_aTestEndpointsSigningSecret4242";

/// The header that Stripe would send with this body, stamped `seconds_ago`.
pub(crate) fn signature(secret: &str, body: &str, at_seconds: i64) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{at_seconds}.{body}").as_bytes());
    format!("t={at_seconds},v1={}", hex::encode(mac.finalize().into_bytes()))
}

/// An event with a refund in it, as Stripe would send it. Distinct `id`s are distinct events.
pub(crate) fn snapshot(id: &str, event_type: &str, refund: &Value) -> Value {
    json!({ "id": id, "object": "event", "type": event_type, "created": 1_700_000_000, "livemode": false,
        "data": { "object": refund }, "request": null })
}

/// A thin event, which names the refund only.
pub(crate) fn thin(id: &str, event_type: &str, refund_id: &str) -> Value {
    json!({ "id": id, "object": "v2.core.event", "type": event_type, "created": "2026-02-22T10:30:00.000Z",
        "livemode": false, "related_object": { "id": refund_id, "type": "refund", "url": "" } })
}

impl Stage {
    /// The path at which the connection's notifications arrive.
    pub(crate) async fn webhook_path(&self) -> String {
        let listed = self.get("/v1/processors").await;
        let url = listed.data(200)[0]["webhookUrl"].as_str().unwrap().to_owned();
        url.strip_prefix("https://refunds.example").unwrap().to_owned()
    }

    /// Saves a signing secret.
    pub(crate) async fn save_webhook_secret(&self, secret: &str) {
        self.put("/v1/processors/stripe", json!({ "webhookSecret": secret })).await.data(200);
    }

    /// Moves the end of every replaced signing secret a day nearer.
    pub(crate) async fn a_day_passes_for_replaced_secrets(&self) {
        let tenant = self.tenant().await;
        let moved = self.app.store.write::<_, StoreError, _>(move |connection| {
            Box::pin(async move {
                let found = connections::find(connection, tenant, ProcessorName::Stripe).await?;
                let mut stored = found.unwrap();
                for replaced in &mut stored.webhook_secrets.replaced {
                    replaced.valid_until = replaced.valid_until.plus_millis(-24 * 60 * 60 * 1000);
                }
                connections::put(connection, tenant, &stored).await
            })
        });
        moved.await.unwrap();
    }

    /// Has the sandbox send its notifications here.
    pub(crate) async fn listen_to_stripe(&self) {
        let url = format!("{}{}", self.url, self.webhook_path().await);
        let form = [("url", &*url), ("enabled_events[]", "refund.*"), ("enabled_events[]", "charge.refunded")];
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let made = self.at_stripe(Method::POST, "/v1/webhook_endpoints", &form).await;
        self.save_webhook_secret(made["secret"].as_str().unwrap()).await;
    }

    /// Asks the sandbox as anybody with the account's key could.
    pub(crate) async fn at_stripe(&self, method: Method, path: &str, form: &str) -> Value {
        let request = self.http.request(method, format!("{}{path}", self.sandbox_url));
        let request = request.bearer_auth(refundkit_sandbox::DEV_SECRET_KEY).body(form.to_owned());
        request.send().await.unwrap().json().await.unwrap()
    }

    /// Sends an event as Stripe would.
    pub(crate) async fn notify(&self, event: &Value) -> Answer {
        let (path, body) = (self.webhook_path().await, event.to_string());
        let header = signature(SECRET, &body, self.app.env.now().as_seconds());
        self.deliver(&path, Some(&header), body).await
    }

    /// Sends anything to the door.
    pub(crate) async fn deliver(&self, path: &str, signature: Option<&str>, body: String) -> Answer {
        let mut request = self.http.post(format!("{}{path}", self.url)).body(body);
        if let Some(signature) = signature {
            request = request.header("Stripe-Signature", signature);
        }
        send(request).await
    }

    /// How many notifications came to what.
    pub(crate) async fn outcomes(&self) -> Vec<(String, i64)> {
        let listed = self.get("/v1/processors").await;
        let id = listed.data(200)[0]["id"].as_str().unwrap().parse().unwrap();
        processor_events::count_by_outcome(&mut self.app.store.read().await.unwrap(), id).await.unwrap()
    }

    /// Waits until notifications came to this.
    pub(crate) async fn until_outcomes(&self, expected: &[(&str, i64)]) {
        let waited = std::time::Instant::now();
        loop {
            let outcomes = self.outcomes().await;
            if outcomes.iter().map(|(outcome, count)| (outcome.as_str(), *count)).eq(expected.iter().copied()) {
                return;
            }
            assert!(waited.elapsed() < super::PATIENCE, "{outcomes:?}, not {expected:?}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// How often the sandbox was asked for this, by method and beginning of the path.
    pub(crate) async fn calls(&self, method: &str, path: &str) -> usize {
        let fits = |request: &&Value| {
            request["method"].as_str().unwrap().eq_ignore_ascii_case(method)
                && request["path"].as_str().unwrap().starts_with(path)
        };
        self.asked_of_stripe().await.iter().filter(fits).count()
    }
}
