//! Webhook endpoints: where events go. The secret is told once, at creation.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::events::matches_kind;
use super::{Scope, lists};
use crate::errors::StripeError;
use crate::limits::WEBHOOK_ENDPOINTS_MAX;
use crate::params::Params;
use crate::table::Row;

/// One endpoint.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct WebhookEndpoint {
    pub(crate) id: String,
    pub(crate) url: String,
    pub(crate) secret: String,
    pub(crate) api_version: Option<String>,
    created: i64,
    description: Option<String>,
    disabled: bool,
    enabled_events: Vec<String>,
    metadata: BTreeMap<String, String>,
}

impl Row for WebhookEndpoint {
    fn id(&self) -> &str {
        &self.id
    }
}

/// `POST /v1/webhook_endpoints`: the only answer that carries the secret.
pub(crate) fn create(scope: &mut Scope<'_>, mut params: Params) -> Result<Value, StripeError> {
    let url = params.text("url")?;
    let enabled_events = params.list("enabled_events")?;
    let description = params.text("description")?;
    let api_version = params.text("api_version")?;
    let metadata = params.metadata()?;
    params.list("expand")?;
    params.ignore(&["connect"]);
    params.finish()?;
    let url = checked_url(url.ok_or_else(|| StripeError::missing_parameter("url"))?)?;
    if enabled_events.is_empty() {
        return Err(StripeError::missing_parameter("enabled_events"));
    }
    let metadata = metadata.applied_to(&BTreeMap::new())?;
    if scope.books.webhook_endpoints.len() >= WEBHOOK_ENDPOINTS_MAX {
        let mode = if scope.livemode() { "live" } else { "test" };
        let message = format!("You have reached the maximum of {WEBHOOK_ENDPOINTS_MAX} {mode} webhook endpoints.");
        return Err(StripeError::state(message));
    }
    let endpoint = WebhookEndpoint {
        id: scope.ids.object("we_"),
        url,
        secret: scope.ids.object("whsec_"),
        api_version,
        created: scope.now(),
        description,
        disabled: false,
        enabled_events,
        metadata,
    };
    let mut shown = endpoint.show(scope.livemode());
    shown["secret"] = json!(endpoint.secret);
    scope.touch(&endpoint.id);
    scope.books.webhook_endpoints.insert(endpoint);
    Ok(shown)
}

/// `GET /v1/webhook_endpoints/:id`.
pub(crate) fn retrieve(scope: &mut Scope<'_>, id: &str, mut params: Params) -> Result<Value, StripeError> {
    params.list("expand")?;
    params.finish()?;
    Ok(scope.webhook_endpoint(id)?.show(scope.livemode()))
}

/// `GET /v1/webhook_endpoints`.
pub(crate) fn list(scope: &mut Scope<'_>, mut params: Params) -> Result<Value, StripeError> {
    let wanted = params.page()?;
    params.list("expand")?;
    params.finish()?;
    let endpoints = &scope.books.webhook_endpoints;
    let page = lists::page(endpoints, endpoints.entries(), &wanted, "webhook endpoint")?;
    let data: Vec<Value> = page.rows.iter().map(|endpoint| endpoint.show(scope.livemode())).collect();
    Ok(lists::show(&data, page.has_more, "/v1/webhook_endpoints"))
}

/// `POST /v1/webhook_endpoints/:id`.
pub(crate) fn update(scope: &mut Scope<'_>, id: &str, mut params: Params) -> Result<Value, StripeError> {
    let url = params.text("url")?;
    let enabled_events = params.list("enabled_events")?;
    let description = params.clearable_text("description")?;
    let disabled = params.boolean("disabled")?;
    let metadata = params.metadata()?;
    params.list("expand")?;
    params.finish()?;
    let mut endpoint = scope.webhook_endpoint(id)?.clone();
    if let Some(url) = url {
        endpoint.url = checked_url(url)?;
    }
    if !enabled_events.is_empty() {
        endpoint.enabled_events = enabled_events;
    }
    if let Some(description) = description {
        endpoint.description = Some(description).filter(|text| !text.is_empty());
    }
    endpoint.disabled = disabled.unwrap_or(endpoint.disabled);
    endpoint.metadata = metadata.applied_to(&endpoint.metadata)?;
    let shown = endpoint.show(scope.livemode());
    scope.touch(id);
    if let Some(place) = scope.books.webhook_endpoints.get_mut(id) {
        *place = endpoint;
    }
    Ok(shown)
}

/// `DELETE /v1/webhook_endpoints/:id`.
pub(crate) fn delete(scope: &mut Scope<'_>, id: &str, params: Params) -> Result<Value, StripeError> {
    params.finish()?;
    scope.webhook_endpoint(id)?;
    scope.books.webhook_endpoints.remove(id);
    scope.touch(id);
    Ok(json!({ "id": id, "object": "webhook_endpoint", "deleted": true }))
}

fn checked_url(url: String) -> Result<String, StripeError> {
    if url.starts_with("http://") || url.starts_with("https://") {
        return Ok(url);
    }
    Err(StripeError::invalid("url", "Invalid URL: An explicit scheme (such as https) must be provided."))
}

impl Scope<'_> {
    fn webhook_endpoint(&self, id: &str) -> Result<&WebhookEndpoint, StripeError> {
        self.books.webhook_endpoints.get(id).ok_or_else(|| {
            let found = self.found_in_other_mode(|books| books.webhook_endpoints.get(id).is_some());
            StripeError::no_such("webhook endpoint", id, "webhook_endpoint", found)
        })
    }
}

impl WebhookEndpoint {
    /// Whether events of this type are queued for it; a disabled endpoint gets none.
    pub(crate) fn wants(&self, kind: &str) -> bool {
        !self.disabled && self.enabled_events.iter().any(|wanted| matches_kind(wanted, kind))
    }

    fn show(&self, livemode: bool) -> Value {
        json!({
            "id": self.id,
            "object": "webhook_endpoint",
            "api_version": self.api_version,
            "application": null,
            "created": self.created,
            "description": self.description,
            "enabled_events": self.enabled_events,
            "livemode": livemode,
            "metadata": self.metadata,
            "status": if self.disabled { "disabled" } else { "enabled" },
            "url": self.url,
        })
    }
}
