//! Events: what happened, kept for 30 days, and handed to every webhook endpoint that listens.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::deliveries::Delivery;
use super::{API_VERSION, Cause, Scope, lists};
use crate::errors::StripeError;
use crate::faults::WebhookFault;
use crate::limits::{DELIVERIES_MAX, EVENT_AGE_MAX_MS, EVENTS_MAX};
use crate::params::Params;
use crate::table::Row;

/// One event, with the object as it was then.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) created: i64,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    object: Value,
    previous_attributes: Option<Value>,
    cause: Cause,
    /// Endpoints that have not answered with success yet.
    awaiting: Vec<String>,
}

impl Row for Event {
    fn id(&self) -> &str {
        &self.id
    }
}

/// `GET /v1/events/:id`.
pub(crate) fn retrieve(scope: &mut Scope<'_>, id: &str, mut params: Params) -> Result<Value, StripeError> {
    let expand = params.list("expand")?;
    params.finish()?;
    let event = scope.books.events.get(id).ok_or_else(|| {
        let found = scope.found_in_other_mode(|books| books.events.get(id).is_some());
        StripeError::no_such("event", id, "id", found)
    })?;
    scope.expanded(event.show(scope.livemode(), API_VERSION), &expand)
}

/// `GET /v1/events`.
pub(crate) fn list(scope: &mut Scope<'_>, mut params: Params) -> Result<Value, StripeError> {
    let wanted = params.page()?;
    let created = params.created()?;
    let kind = params.text("type")?;
    let kinds = params.list("types")?;
    let delivered = params.boolean("delivery_success")?;
    let expand = params.list("expand")?;
    params.finish()?;
    if kind.is_some() && !kinds.is_empty() {
        return Err(StripeError::exclusive_parameters(&["type", "types"]));
    }
    let kinds: Vec<String> = kind.into_iter().chain(kinds).collect();
    let fits = |event: &Event| {
        created.accepts(event.created)
            && (kinds.is_empty() || kinds.iter().any(|kind| matches_kind(kind, &event.kind)))
            && delivered.is_none_or(|delivered| event.awaiting.is_empty() == delivered)
    };
    let events = &scope.books.events;
    let page = lists::page(events, events.entries().filter(|(_, event)| fits(event)), &wanted, "event")?;
    let data: Vec<Value> = page.rows.iter().map(|event| event.show(scope.livemode(), API_VERSION)).collect();
    scope.expanded(lists::show(&data, page.has_more, "/v1/events"), &expand)
}

/// Whether a wanted type, which may end in `*`, means this one.
pub(crate) fn matches_kind(wanted: &str, kind: &str) -> bool {
    match wanted.strip_suffix('*') {
        Some(prefix) => kind.starts_with(prefix),
        None => wanted == kind,
    }
}

impl Scope<'_> {
    /// Writes an event down and queues its deliveries.
    pub(crate) fn emit(&mut self, kind: &str, object: Value, previous_attributes: Option<Value>) {
        let id = self.ids.object("evt_");
        let endpoints = &self.books.webhook_endpoints;
        let awaiting: Vec<String> =
            endpoints.iter().filter(|endpoint| endpoint.wants(kind)).map(|endpoint| endpoint.id.clone()).collect();
        for endpoint in &awaiting {
            let fault = self.faults.strike_webhook(kind, self.ids);
            self.queue_delivery(&id, endpoint, fault);
        }
        let created = self.now();
        let cause = self.cause.clone();
        self.books.events.insert(Event {
            id,
            created,
            kind: kind.to_owned(),
            object,
            previous_attributes,
            cause,
            awaiting,
        });
        self.forget_old_events();
    }

    fn queue_delivery(&mut self, event: &str, endpoint: &str, fault: Option<WebhookFault>) {
        let (copies, wait_ms) = match fault {
            None => (1, 0),
            Some(WebhookFault::Dropped) => return,
            Some(WebhookFault::Duplicate) => (2, 0),
            Some(WebhookFault::Late { ms }) => (1, ms),
            Some(WebhookFault::Reordered) => (1, WebhookFault::REORDERED_MS),
        };
        let due_at_ms = self.now_ms.saturating_add(i64::try_from(wait_ms).unwrap_or(i64::MAX));
        for _ in 0..copies {
            if self.deliveries.len() >= DELIVERIES_MAX {
                return;
            }
            let id = self.ids.object("whd_");
            self.deliveries.add(due_at_ms, Delivery::new(id, self.place.clone(), event, endpoint));
        }
    }

    fn forget_old_events(&mut self) {
        let events = &mut self.books.events;
        let expired_before = self.now_ms.saturating_sub(EVENT_AGE_MAX_MS).div_euclid(1000);
        while events.len() > EVENTS_MAX || events.oldest().is_some_and(|event| event.created < expired_before) {
            events.remove_oldest();
        }
    }
}

impl Event {
    /// An endpoint took it.
    pub(crate) fn mark_delivered(&mut self, endpoint: &str) {
        self.awaiting.retain(|awaiting| awaiting != endpoint);
    }

    pub(crate) fn show(&self, livemode: bool, api_version: &str) -> Value {
        let mut data = json!({ "object": self.object });
        if let Some(previous) = &self.previous_attributes {
            data["previous_attributes"] = previous.clone();
        }
        json!({
            "id": self.id,
            "object": "event",
            "api_version": api_version,
            "created": self.created,
            "data": data,
            "livemode": livemode,
            "pending_webhooks": self.awaiting.len(),
            "request": { "id": self.cause.request_id, "idempotency_key": self.cause.idempotency_key },
            "type": self.kind,
        })
    }
}
