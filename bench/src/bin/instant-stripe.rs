//! A Stripe that says yes at once: any charge exists with plenty left, any refund succeeds.
//!
//! It checks nothing and remembers nothing but how often it was called; it exists so that a measurement measures RefundKit.
//! Usage: `instant-stripe PORT`. `GET /calls` answers the number of calls since the start.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::{
    Json, Router,
    extract::{Path, Request},
    http::{HeaderName, HeaderValue},
    middleware::{Next, from_fn},
    response::Response,
    routing::get,
};
use serde_json::{Map, Value, json};

static CALLS: AtomicU64 = AtomicU64::new(0);
static REFUNDS: AtomicU64 = AtomicU64::new(0);

/// When everything was made: any second will do.
const CREATED: u64 = 1_767_225_600;
const CAPTURED: u64 = 999_999_999;

async fn charge(Path(id): Path<String>) -> Json<Value> {
    let refunds = json!({"object": "list", "url": format!("/v1/charges/{id}/refunds"), "has_more": false, "data": []});
    Json(json!({
        "id": id, "object": "charge", "amount": CAPTURED, "amount_captured": CAPTURED, "amount_refunded": 0,
        "captured": true, "paid": true, "refunded": false, "disputed": false, "status": "succeeded", "currency": "usd",
        "created": CREATED, "customer": null, "livemode": false, "payment_intent": null, "metadata": {},
        "payment_method_details": {"type": "card"}, "transfer_data": null, "refunds": refunds,
    }))
}

async fn create_refund(body: String) -> Json<Value> {
    let mut metadata = Map::new();
    let (mut amount, mut charge, mut reason) = (0u64, String::new(), Value::Null);
    for (key, value) in form_urlencoded::parse(body.as_bytes()) {
        match key.as_ref() {
            "amount" => amount = value.parse().unwrap_or(0),
            "charge" => charge = value.into_owned(),
            "reason" => reason = json!(value),
            other => {
                if let Some(name) = other.strip_prefix("metadata[").and_then(|rest| rest.strip_suffix(']')) {
                    metadata.insert(name.to_owned(), json!(value));
                }
            }
        }
    }
    let id = format!("re_instant{:014}", REFUNDS.fetch_add(1, Ordering::Relaxed));
    Json(json!({
        "id": id, "object": "refund", "amount": amount, "charge": charge, "created": CREATED, "currency": "usd",
        "metadata": metadata, "payment_intent": null, "reason": reason, "status": "succeeded",
        "balance_transaction": "txn_instant",
    }))
}

async fn list_refunds() -> Json<Value> {
    Json(json!({"object": "list", "url": "/v1/refunds", "has_more": false, "data": []}))
}

async fn account() -> Json<Value> {
    Json(json!({"id": "acct_instant", "object": "account"}))
}

async fn balance() -> Json<Value> {
    Json(json!({"object": "balance", "livemode": false, "available": [], "pending": []}))
}

/// Counts the call and names it, as Stripe does.
async fn count(request: Request, next: Next) -> Response {
    let number = CALLS.fetch_add(1, Ordering::Relaxed);
    let mut response = next.run(request).await;
    if let Ok(id) = HeaderValue::from_str(&format!("req_instant{number}")) {
        response.headers_mut().insert(HeaderName::from_static("request-id"), id);
    }
    response
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let port: u16 = std::env::args().nth(1).unwrap_or_default().parse()?;
    let stripe = Router::new()
        .route("/v1/charges/{id}", get(charge))
        .route("/v1/refunds", get(list_refunds).post(create_refund))
        .route("/v1/account", get(account))
        .route("/v1/balance", get(balance))
        .layer(from_fn(count))
        .route("/calls", get(|| async { Json(CALLS.load(Ordering::Relaxed)) }));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    axum::serve(listener, stripe).await?;
    Ok(())
}
