//! An axum service that refunds orders and believes signed notifications. It listens where `LISTEN` says.

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use refundkit::{
    Amount, Metadata, MetadataValue, Options, RefundKit, RefundReason, TransactionId, operations::CreateRefund, webhook,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// What this service's own callers send.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    order: String,
    transaction_id: TransactionId,
    amount: Option<Amount>,
    reason: RefundReason,
}

/// Refunds an order. Its number makes the idempotency key, so a form that is sent twice refunds once.
async fn refund(State(client): State<RefundKit>, Json(asked): Json<Asked>) -> (StatusCode, Json<Value>) {
    let options = Options::default().idempotency_key(format!("order-{}-refund", asked.order));
    let mut create = CreateRefund::new(asked.transaction_id, asked.reason);
    create.amount = asked.amount;
    create.metadata = Metadata::new([("order".to_owned(), MetadataValue::Text(asked.order))].into()).ok();
    match client.send_with(&create, options).await {
        Ok(answer) => {
            let (refund, status) = (answer.output, answer.status_code);
            let shown = json!({ "id": refund.id, "status": refund.status, "stage": refund.stage });
            (StatusCode::from_u16(status).unwrap_or_default(), Json(shown))
        }
        Err(error) => {
            let status = error.status_code.and_then(|status| StatusCode::from_u16(status).ok());
            let shown = json!({ "code": error.code, "message": error.message, "hint": error.hint });
            (status.unwrap_or(StatusCode::BAD_REQUEST), Json(shown))
        }
    }
}

/// Believes signed notifications only. The body is taken as it came: a signature is of bytes.
async fn receive(headers: HeaderMap, body: Bytes) -> (StatusCode, String) {
    let secret = std::env::var("REFUNDKIT_WEBHOOK_SECRET").unwrap_or_default();
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match webhook::verify(&body, header, &[secret.into()]) {
        Ok(event) => {
            println!("{}: {} is {}", event.event_type, event.data.id, event.data.status);
            (StatusCode::NO_CONTENT, String::new())
        }
        Err(error) => (StatusCode::BAD_REQUEST, error.message),
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let app = Router::new()
        .route("/refunds", post(refund))
        .route("/webhooks/refundkit", post(receive))
        .with_state(RefundKit::from_env()?);
    let address = std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
