//! The client against scripted servers on loopback: what it sends, what it makes of the answers, and when it asks again.

#![cfg(feature = "client")]
#![expect(clippy::unwrap_used, reason = "a scripted server that fails is a failed test")]

mod server;

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use refundkit::{
    ErrorCode, Options, RefundId, RefundKit, RefundReason, RefundStage, RefundStatus, Scope,
    client::check_ready,
    operations::{
        CheckPolicy, ConnectStripe, CreateApiKey, CreateRefund, DisconnectStripe, GetRefund, GetTransaction,
        ListRefundEvents, ListRefunds, api_keys::KeyName,
    },
    page::{Cursor, Limit},
};
use serde_json::{Value, json};
use server::{Server, Step, answer, done, failed, text, with_header};
use tokio::net::TcpListener;

const KEY: &str = "rk_test_0123456789abcdefghijABCDEFGHIJ_-";
const REFUND: &str = "ref_01k9zzzzzzzzzzzzzzzzzzzzzz";

fn refund(status: &str, stage: &str) -> Value {
    json!({
        "id": REFUND, "organizationId": "org_01k9zzzzzzzzzzzzzzzzzzzzzz", "environment": "test",
        "transactionId": "pi_1", "externalTransactionId": "ch_1", "externalRefundId": null, "amount": 2500,
        "currency": "usd", "reason": "product_defective", "status": status, "stage": stage, "processor": "stripe",
        "metadata": null, "initiatedBy": "api", "failure": null, "createdAt": "2026-02-22T10:30:00.000Z",
        "updatedAt": "2026-02-22T10:30:00.000Z", "settledAt": null, "returnId": null, "approvalId": null,
        "disputeRiskScore": null, "splitFromId": null, "storeCreditId": null, "aFieldOfTomorrow": 1,
    })
}

fn create() -> CreateRefund {
    CreateRefund::new("pi_1".parse().unwrap(), RefundReason::ProductDefective)
}

fn id() -> RefundId {
    REFUND.parse().unwrap()
}

#[tokio::test]
async fn a_create_is_a_post_with_its_fields_in_the_body_and_a_key_of_its_own() {
    let created = answer(201, &json!({ "data": refund("completed", "settled"), "error": null }));
    let created = with_header(with_header(created, "Request-Id", "req_7"), "Idempotent-Replayed", "true");
    let server = Server::play([created]).await;

    let response = server.client().send(&create()).await.unwrap();

    assert_eq!((response.status_code, response.request_id.as_deref(), response.replayed), (201, Some("req_7"), true));
    assert_eq!(response.output.status, RefundStatus::Completed);
    let seen = &server.seen()[0];
    assert_eq!(seen.line, "POST /v1/refunds");
    assert_eq!(seen.header("authorization"), Some(format!("Bearer {KEY}").as_str()));
    assert_eq!(seen.header("content-type"), Some("application/json"));
    assert_eq!(seen.header("refundkit-client"), Some(concat!("sdk; refundkit; ", env!("CARGO_PKG_VERSION"))));
    assert_eq!(seen.header("idempotency-key").unwrap().len(), 32);
    let sent: Value = serde_json::from_str(&seen.body).unwrap();
    assert_eq!(sent, json!({ "transactionId": "pi_1", "reason": "product_defective" }));
}

#[tokio::test]
async fn every_input_travels_where_its_operation_says() {
    let page = json!({ "data": [], "page": { "hasMore": false, "nextCursor": null }, "error": null });
    let decision = json!({
        "eligible": true, "reason": "Paid.", "maxAmount": 2500, "currency": "usd", "deadline": null, "conditions": [],
    });
    let server = Server::play([
        answer(200, &page),
        answer(200, &page),
        done(&decision),
        done(&refund("cancelled", "settled")),
        failed(404, "not_found", false),
        failed(409, "conflict", false),
        failed(400, "validation_error", false),
    ])
    .await;
    let client = server.client();

    let list = ListRefunds::default()
        .status(RefundStatus::Pending)
        .created_after("2026-02-22T10:30:00Z".parse().unwrap())
        .limit(Limit::new(5).unwrap());
    client.refunds().list(&list).await.unwrap();
    client.refunds().events(&ListRefundEvents::new(id()).cursor(Cursor::new("abc.1").unwrap())).await.unwrap();
    client.policies().check(&CheckPolicy::new("ch_1".parse().unwrap())).await.unwrap();
    client.refunds().cancel(id()).await.unwrap();
    let get = GetTransaction::new("ch_1".parse().unwrap()).processor("stripe".parse().unwrap());
    client.send(&get).await.unwrap_err();
    client.processors().disconnect_stripe(&DisconnectStripe::default().force(true)).await.unwrap_err();
    let connect = ConnectStripe::new("sk_test_4242");
    client.processors().connect_stripe(&connect).await.unwrap_err();

    let seen = server.seen();
    let lines: Vec<_> = seen.iter().map(|request| request.line.as_str()).collect();
    assert_eq!(
        lines,
        [
            "GET /v1/refunds?createdAfter=2026-02-22T10%3A30%3A00.000Z&limit=5&status=pending",
            &format!("GET /v1/refunds/{REFUND}/events?cursor=abc.1"),
            "POST /v1/policies/check",
            &format!("POST /v1/refunds/{REFUND}/cancel"),
            "GET /v1/transactions/ch_1?processor=stripe",
            "DELETE /v1/processors/stripe?force=true",
            "PUT /v1/processors/stripe",
        ]
    );
    let bodies: Vec<_> = seen.iter().map(|request| request.body.as_str()).collect();
    assert_eq!(bodies, ["", "", r#"{"transactionId":"ch_1"}"#, "{}", "", "", r#"{"secretKey":"sk_test_4242"}"#]);
    assert!(seen.iter().all(|request| request.header("idempotency-key").is_none()));
}

#[tokio::test]
async fn a_list_is_a_page() {
    let page = json!({
        "data": [refund("failed", "settled"), refund("pending", "queued")],
        "page": { "hasMore": true, "nextCursor": "abc.1" }, "error": null,
    });
    let server = Server::play([answer(200, &page)]).await;
    let page = server.client().refunds().list(&ListRefunds::default()).await.unwrap();
    assert_eq!((page.data.len(), page.page.has_more), (2, true));
    assert_eq!(page.page.next_cursor.as_deref(), Some("abc.1"));
}

#[tokio::test]
async fn a_202_is_success_that_says_so() {
    let body = json!({ "data": refund("pending", "outcome_unknown"), "error": null });
    let server = Server::play([answer(202, &body)]).await;
    let response = server.client().send(&create()).await.unwrap();
    assert_eq!((response.status_code, response.output.stage), (202, RefundStage::OutcomeUnknown));
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn all_attempts_of_one_create_carry_one_key_and_one_body() {
    let body = json!({ "data": refund("completed", "settled"), "error": null });
    let server = Server::play([Step::Drop, Step::Cut, answer(201, &body)]).await;
    server.client().refunds().create(&create()).await.unwrap();
    let seen = server.seen();
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|request| request.header("idempotency-key") == seen[0].header("idempotency-key")));
    assert!(seen.iter().all(|request| request.body == seen[0].body));
}

#[tokio::test]
async fn calls_have_different_keys_unless_the_caller_gives_one() {
    let server = Server::play([(); 4].map(|()| failed(422, "processor_error", false))).await;
    let client = server.client();
    for key in [None, None, Some("order-7"), Some("order-7")] {
        let options = key.map_or_else(Options::default, |key| Options::default().idempotency_key(key));
        client.send_with(&create(), options).await.unwrap_err();
    }
    let seen = server.seen();
    let keys: Vec<_> = seen.iter().map(|request| request.header("idempotency-key").unwrap()).collect();
    assert_ne!(keys[0], keys[1]);
    assert_eq!(keys[2..], ["order-7", "order-7"]);
}

#[tokio::test]
async fn an_unusable_idempotency_key_is_refused_before_anything_is_sent() {
    let server = Server::play([]).await;
    for key in ["", "two words", "ünïque", "a\r\nb: c", &"k".repeat(256)] {
        let options = Options::default().idempotency_key(key);
        let error = server.client().send_with(&create(), options).await.unwrap_err();
        assert_eq!((error.code, error.status_code), (ErrorCode::ValidationError, None), "{key:?}");
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_429_is_sent_again_when_the_server_says_so() {
    let limited = with_header(failed(429, "rate_limited", true), "Retry-After", "1");
    let server = Server::play([limited, done(&refund("completed", "settled"))]).await;
    let began = Instant::now();
    server.client().refunds().get(id()).await.unwrap();
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test]
async fn who_is_asked_to_wait_for_minutes_gets_the_error() {
    let server = Server::play([with_header(failed(429, "rate_limited", true), "Retry-After", "300")]).await;
    let error = server.client().refunds().get(id()).await.unwrap_err();
    assert_eq!((error.code, error.retryable), (ErrorCode::RateLimited, true));
}

#[tokio::test]
async fn retries_end() {
    let server = Server::play([(); 3].map(|()| failed(503, "service_unavailable", true))).await;
    let error = server.client().refunds().get(id()).await.unwrap_err();
    assert_eq!((error.code, error.status_code), (ErrorCode::ServiceUnavailable, Some(503)));
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn refusals_are_not_sent_again() {
    let server = Server::play([failed(409, "refund_already_processed", false)]).await;
    let error = server.client().refunds().create(&create()).await.unwrap_err();
    assert_eq!((error.code, server.seen().len()), (ErrorCode::RefundAlreadyProcessed, 1));
}

#[tokio::test]
async fn cancels_and_created_keys_are_sent_again_and_other_changes_are_not() {
    let down = || failed(503, "service_unavailable", true);
    let created = json!({
        "id": "key_01k9zzzzzzzzzzzzzzzzzzzzzz", "name": "ci", "scope": "read", "environment": "test",
        "prefix": "rk_test_01234567", "key": null, "createdAt": "2026-02-22T10:30:00.000Z",
    });
    let cancelled = refund("cancelled", "settled");
    let server = Server::play([down(), done(&cancelled), down(), done(&created), down(), down(), down(), down()]).await;
    let client = server.client();
    client.refunds().cancel(id()).await.unwrap();
    let name = KeyName::new("ci").unwrap();
    client.api_keys().create(&CreateApiKey::new(name, Scope::Read)).await.unwrap();

    client.api_keys().revoke("key_01k9zzzzzzzzzzzzzzzzzzzzzz".parse().unwrap()).await.unwrap_err();
    client.processors().disconnect_stripe(&DisconnectStripe::default()).await.unwrap_err();
    client.processors().test_stripe().await.unwrap_err();
    let connect = ConnectStripe::default();
    client.processors().connect_stripe(&connect).await.unwrap_err();
    assert_eq!(server.seen().len(), 8);
}

#[tokio::test]
async fn an_error_keeps_everything_the_server_said() {
    let body = json!({ "data": null, "error": {
        "code": "processor_error", "message": "Charge ch_1 has already been refunded.", "requestId": "req_1",
        "retryable": false, "refundId": REFUND, "field": "transactionId", "hint": "Look at that refund.",
        "processor": {
            "name": "stripe", "code": "charge_already_refunded", "message": "Charge ch_1 has already been refunded.",
            "requestId": "req_stripe", "statusCode": 400,
        },
    }});
    let server = Server::play([answer(422, &body)]).await;
    let error = server.client().refunds().create(&create()).await.unwrap_err();
    assert_eq!((error.code, error.status_code, error.retryable), (ErrorCode::ProcessorError, Some(422), false));
    assert_eq!(error.to_string(), "Charge ch_1 has already been refunded.");
    assert_eq!(error.request_id.as_deref(), Some("req_1"));
    assert_eq!(error.refund_id, Some(id()));
    assert_eq!(error.field.as_deref(), Some("transactionId"));
    assert_eq!(error.hint.as_deref(), Some("Look at that refund."));
    assert!(!error.outcome_unknown);
    let processor = error.processor.unwrap();
    assert_eq!(processor.code.as_deref(), Some("charge_already_refunded"));
    assert_eq!((processor.request_id.as_deref(), processor.status_code), (Some("req_stripe"), Some(400)));
}

#[tokio::test]
async fn an_error_code_of_tomorrow_becomes_what_its_status_means() {
    let server = Server::play([failed(409, "refund_on_hold", false), failed(418, "teapot", false)]).await;
    let client = server.client();
    let error = client.refunds().create(&create()).await.unwrap_err();
    assert_eq!((error.code, error.message.as_str()), (ErrorCode::Conflict, "No."));
    let error = client.refunds().create(&create()).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::ValidationError);
}

#[tokio::test]
async fn what_is_not_our_envelope_is_a_network_error_that_names_host_and_status() {
    for body in ["<html>Sign in</html>", "", "{}", "[]", r#"{"data":null,"error":null}"#, r#"{"error":"nope"}"#] {
        let server = Server::play([text(200, body)]).await;
        let error = server.client().refunds().get(id()).await.unwrap_err();
        assert_eq!((error.code, error.status_code), (ErrorCode::NetworkError, Some(200)), "{body}");
        assert!(error.message.contains(server.host()) && error.message.contains("200"), "{error}");
        assert_eq!(server.seen().len(), 1, "another try would find the same wrong server");
    }
}

#[tokio::test]
async fn an_output_that_is_not_understood_is_not_taken_for_success() {
    let server = Server::play([done(&json!({ "id": REFUND }))]).await;
    let error = server.client().refunds().create(&create()).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NetworkError);
    assert!(error.message.contains("create_refund"), "{error}");
    assert!(error.outcome_unknown);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let other = Server::play([done(&refund("completed", "settled"))]).await;
    let server = Server::play([with_header(text(307, ""), "Location", &other.url)]).await;
    let error = server.client().refunds().get(id()).await.unwrap_err();
    assert_eq!((error.code, error.status_code), (ErrorCode::NetworkError, Some(307)));
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn a_proxy_in_trouble_is_asked_again() {
    let server = Server::play([text(502, "<html>Bad Gateway</html>"), done(&refund("completed", "settled"))]).await;
    server.client().refunds().get(id()).await.unwrap();
}

#[tokio::test]
async fn a_create_without_an_answer_says_under_which_key_to_repeat_it() {
    let server = Server::play([Step::Drop, Step::Drop, Step::Drop]).await;
    let error = server.client().refunds().create(&create()).await.unwrap_err();
    assert_eq!((error.code, error.status_code, error.retryable), (ErrorCode::NetworkError, None, true));
    assert!(error.outcome_unknown);
    let key = server.seen()[0].header("idempotency-key").unwrap().to_owned();
    assert!(error.hint.unwrap().contains(&key));
    assert_eq!(error.idempotency_key, Some(key));
}

#[tokio::test]
async fn silence_is_a_timeout() {
    let server = Server::play([Step::Silence]).await;
    let builder = RefundKit::builder().api_key(KEY).base_url(&server.url);
    let client = builder.timeout(Duration::from_millis(200)).max_retries(0).build().unwrap();
    let error = client.refunds().get(id()).await.unwrap_err();
    assert_eq!((error.code, error.retryable), (ErrorCode::Timeout, true));
}

#[tokio::test]
async fn one_call_may_have_a_time_of_its_own() {
    let server = Server::play([Step::Silence, done(&refund("completed", "settled"))]).await;
    let client = RefundKit::builder().api_key(KEY).base_url(&server.url).max_retries(0).build().unwrap();
    let hurried = Options::default().timeout(Duration::from_millis(200));
    let error = client.send_with(&GetRefund::new(id()), hurried).await.unwrap_err();
    assert_eq!((error.code, error.retryable), (ErrorCode::Timeout, true));
    // The client's own time is untouched.
    client.refunds().get(id()).await.unwrap();
}

#[tokio::test]
async fn a_list_whose_pages_begin_again_ends_with_an_error() {
    let page = |cursor: &str| {
        let page = json!({ "hasMore": true, "nextCursor": cursor });
        answer(200, &json!({ "data": [refund("completed", "settled")], "error": null, "page": page }))
    };
    let server = Server::play([page("a"), page("b"), page("a"), page("b")]).await;
    let read: Vec<_> = server.client().stream(ListRefunds::default()).collect().await;
    // What the last page brought is brought still.
    assert_eq!(read.iter().filter(|row| row.is_ok()).count(), 3);
    let error = read.last().unwrap().as_ref().unwrap_err();
    assert_eq!(error.code, ErrorCode::NetworkError);
    assert_eq!(error.message, "The pages of /v1/refunds begin again and do not end.");
    assert_eq!((read.len(), server.seen().len()), (4, 3));
}

#[tokio::test]
async fn nobody_there_is_a_network_error_that_leaves_nothing_in_doubt() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let builder = RefundKit::builder().api_key(KEY).base_url(format!("http://{free}"));
    let error = builder.max_retries(0).build().unwrap().refunds().create(&create()).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NetworkError);
    assert!(error.message.contains(&free.to_string()), "{error}");
    assert!(error.hint.unwrap().contains("running"));
    assert!(!error.outcome_unknown);
}

#[tokio::test]
async fn an_endless_answer_is_not_read() {
    let body = format!(r#"{{"data":"{}","error":null}}"#, "x".repeat(9 * 1024 * 1024));
    let server = Server::play([text(200, &body)]).await;
    let error = server.client().refunds().get(id()).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NetworkError);
    assert!(error.message.contains("larger"), "{error}");
}

#[tokio::test]
async fn readiness_is_asked_without_a_key() {
    let ready = done(&json!({}));
    let server = Server::play([ready, failed(503, "service_unavailable", true), answer(404, &json!({}))]).await;
    let timeout = Duration::from_secs(2);
    check_ready(&server.url, timeout).await.unwrap();
    assert_eq!(check_ready(&server.url, timeout).await.unwrap_err().code, ErrorCode::ServiceUnavailable);
    assert_eq!(check_ready(&server.url, timeout).await.unwrap_err().code, ErrorCode::NetworkError);
    assert!(server.seen().iter().all(|seen| seen.line == "GET /readyz" && seen.header("authorization").is_none()));
}
