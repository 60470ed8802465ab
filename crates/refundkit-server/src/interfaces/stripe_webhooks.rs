//! The door for Stripe's notifications: whose they are, whether they are Stripe's, and that they are kept. Then 200, at once.
//!
//! What follows from one is decided by the worker `digest`. What is not believed is refused and counted; what is believed and
//! does not concern us is kept and means nothing.

use std::sync::Arc;

use axum::{
    Extension, Json, Router,
    body::{Body, to_bytes},
    extract::{Path, State, rejection::PathRejection},
    http::HeaderMap,
    response::{IntoResponse, Response},
    routing::post,
};
use refundkit::{
    ConnectionId, Environment, ErrorCode, RequestId,
    processors::stripe::webhook::{self, StripeEvent, WebhookError},
};
use serde_json::json;
use tokio::time::timeout;

use crate::{
    app::App,
    error::Error,
    limits, metrics, processors,
    store::{
        StoreError, Tenant, connections,
        connections::StoredConnection,
        processor_events::{self, Outcome, ProcessorEvent},
    },
};

const SIGNATURE_HEADER: &str = "stripe-signature";

/// The route of the door.
pub fn router() -> Router<Arc<App>> {
    Router::new().route("/webhooks/stripe/{connectionId}", post(receive))
}

/// Takes a notification: 200 once it is kept, 400 for one that is not believed, 404 for a connection that does not exist.
pub async fn receive(
    State(app): State<Arc<App>>,
    Extension(id): Extension<RequestId>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let taken = take(&app, path.ok().map(|Path(text)| text), &headers, body).await;
    let verdict = match &taken {
        Ok(verdict) => verdict,
        Err(refused) => refused.verdict,
    };
    ::metrics::counter!(metrics::NOTIFICATIONS, "verdict" => verdict).increment(1);
    match taken {
        Ok(_) => Json(json!({ "data": { "received": true }, "error": null })).into_response(),
        Err(refused) => {
            tracing::debug!(verdict, "a notification was refused");
            refused.error.response(id)
        }
    }
}

/// A notification that is not taken: the word it is counted under, and the answer.
struct Refused {
    verdict: &'static str,
    error: Error,
}

impl Refused {
    fn new(verdict: &'static str, error: Error) -> Self {
        Self { verdict, error }
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::new("unavailable", error)
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Error::from(error).into()
    }
}

/// Takes a notification in, and answers the word it is counted under.
async fn take(
    app: &App,
    connection_id: Option<String>,
    headers: &HeaderMap,
    body: Body,
) -> Result<&'static str, Refused> {
    if app.is_draining() {
        return Err(Error::unavailable("The server is shutting down; try again in a moment.").into());
    }
    let (tenant, stored) = find(app, connection_id).await?;
    let secrets = processors::webhook_secrets(app, &stored)?;
    if secrets.is_empty() {
        let error =
            Error::new(ErrorCode::ValidationError, "This connection has no webhook secret, so nothing is believed.");
        let hint = "Save the signing secret of the endpoint: PUT /v1/processors/stripe with `webhookSecret`.";
        return Err(Refused::new("no_secret", error.hint(hint)));
    }
    let signature = headers.get(SIGNATURE_HEADER).and_then(|value| value.to_str().ok());
    let signature = signature.ok_or_else(|| not_believed(WebhookError::MalformedSignature))?;
    // Taken before anything of a stranger's is kept in memory. What is turned away comes again, or is found without it.
    let Ok(_place) = app.notification_places.try_acquire() else {
        return Err(Error::unavailable("The server is taking as many notifications as it can.").into());
    };
    let payload = read(body).await?;
    let now = app.env.now();
    let event =
        webhook::verify(&payload, signature, &secrets, webhook::TOLERANCE_SECONDS, now).map_err(not_believed)?;
    let outcome = concerns_us(&event, tenant, &stored);
    let event = kept(event, tenant, &stored, now)?;
    let due_at = (outcome == processor_events::WAITING).then_some(now);
    let is_new = app
        .store
        .write::<_, StoreError, _>(move |connection| {
            Box::pin(async move { processor_events::insert(connection, &event, due_at, outcome).await })
        })
        .await?;
    if !is_new {
        return Ok("duplicate");
    }
    if due_at.is_some() {
        app.notified.notify_one();
    }
    Ok("stored")
}

async fn find(app: &App, connection_id: Option<String>) -> Result<(Tenant, StoredConnection), Refused> {
    let text = connection_id.unwrap_or_default();
    let found = match text.parse::<ConnectionId>() {
        Ok(id) => connections::find_with_tenant(&mut *app.store.read().await?, id).await?,
        Err(_) => None,
    };
    found.ok_or_else(|| {
        let error = Error::new(ErrorCode::NotFound, "There is no such processor connection.");
        Refused::new("unknown_connection", error.hint("`webhookUrl` of GET /v1/processors is the address to send to."))
    })
}

/// The body as it arrived, within bounds.
async fn read(body: Body) -> Result<axum::body::Bytes, Refused> {
    let reading = timeout(limits::NOTIFICATION_READ_MAX, to_bytes(body, limits::NOTIFICATION_BYTES_MAX)).await;
    let cut = || Refused::new("cut", Error::validation("", "The body did not arrive whole, or not in time."));
    reading.map_err(|_| cut())?.map_err(|error| {
        let cause = std::error::Error::source(&error);
        if cause.is_some_and(|cause| cause.to_string().contains("length limit")) {
            not_believed(WebhookError::TooLarge)
        } else {
            cut()
        }
    })
}

fn not_believed(error: WebhookError) -> Refused {
    let (verdict, code) = match error {
        WebhookError::TooLarge => ("too_large", ErrorCode::RequestTooLarge),
        WebhookError::MalformedSignature => ("malformed_signature", ErrorCode::ValidationError),
        WebhookError::WrongSignature => ("wrong_signature", ErrorCode::ValidationError),
        WebhookError::TooOld => ("too_old", ErrorCode::ValidationError),
        _ => ("unreadable", ErrorCode::ValidationError),
    };
    Refused::new(verdict, Error::new(code, error.to_string()))
}

/// Whether an event can be about a refund of ours: of our mode, our account, and of a type that tells of refunds.
fn concerns_us(event: &StripeEvent, tenant: Tenant, stored: &StoredConnection) -> Outcome {
    let shown = &stored.connection;
    // Which account a restricted key belongs to may not be known: then the look that follows tells.
    let own = [shown.connect.as_ref().and_then(|connect| connect.account.as_deref()), shown.account.as_deref()];
    let is_ours = |account: &str| own == [None, None] || own.contains(&Some(account));
    let type_name = event.event_type.strip_prefix("v1.").unwrap_or(&event.event_type);
    if event.livemode.is_some_and(|live| live != (tenant.environment == Environment::Live)) {
        "other_mode"
    } else if event.account.as_deref().is_some_and(|account| !is_ours(account)) {
        "other_account"
    } else if type_name.starts_with("refund.") || type_name.starts_with("charge.refund") {
        processor_events::WAITING
    } else {
        "unknown_type"
    }
}

/// What is kept of an event. Ids are as long as Stripe's may be, so that nobody fills the database with one.
fn kept(
    event: StripeEvent,
    tenant: Tenant,
    stored: &StoredConnection,
    received_at: refundkit::Timestamp,
) -> Result<ProcessorEvent, Refused> {
    let names = [Some(&event.id), Some(&event.event_type), event.object_id.as_ref(), event.charge.as_ref()];
    if names.into_iter().flatten().any(|name| name.len() > limits::EXTERNAL_ID_CHARACTERS_MAX) {
        return Err(not_believed(WebhookError::Unreadable));
    }
    let is_about_charge = event.refund.is_none() && event.charge.is_some() && event.charge == event.object_id;
    // A thin event names its object only; which kind it is, the type says.
    let is_about_charge = is_about_charge || event.event_type.ends_with("charge.refunded");
    let (object_id, charge) = (event.object_id, event.charge);
    Ok(ProcessorEvent {
        id: event.id,
        connection_id: stored.connection.id,
        tenant,
        event_type: event.event_type,
        received_at,
        reported: event.refund.as_ref().map(|refund| refund.status.clone()),
        refund_id: event.refund.as_ref().and_then(|refund| refund.refund_id),
        external_refund_id: if is_about_charge { None } else { object_id.clone() },
        charge: charge.or(if is_about_charge { object_id } else { None }),
    })
}
