//! Bad input is met at the door: one clear error, and nothing reaches the processor.

use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::support::{Answer, Stage, send};

async fn raw(stage: &Stage, body: impl Into<reqwest::Body>) -> Answer {
    let request = stage.request(Method::POST, "/v1/refunds", &stage.admin_key);
    send(request.header("Content-Type", "application/json").body(body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_field_is_named_and_nothing_reaches_stripe() {
    let stage = Stage::new().await;
    let asked = stage.asked_of_stripe().await.len();
    let many: Map<String, Value> = (0..48).map(|n| (format!("k{n}"), json!("v"))).collect();
    for (field, value) in [
        ("amount", json!(2500.0)),
        ("amount", json!(25.5)),
        ("amount", json!("2500")),
        ("amount", json!(0)),
        ("amount", json!(-1)),
        ("amount", json!(1_000_000_000_000_i64)),
        ("amount", json!(u64::MAX)),
        ("amount", json!(1e300)),
        ("amount", json!(true)),
        ("amount", json!(null)),
        ("amount", json!([1])),
        ("currency", json!("dollars")),
        ("currency", json!("u$d")),
        ("reason", json!("because")),
        ("reason", json!(7)),
        ("processor", json!("paypal")),
        ("allowDuplicate", json!("yes")),
        ("metadata", json!(many)),
        ("metadata", json!({ "refundkit_refund_id": "x" })),
        ("metadata", json!({ "a[b]": "x" })),
        ("metadata", json!({ "a": 1.5 })),
        ("metadata", json!({ "a": "x".repeat(501) })),
        ("metadata", json!("text")),
        ("transactionId", json!("")),
        ("transactionId", json!("ch_1/../../x")),
        ("transactionId", json!("ch_1?expand[]=x")),
        ("transactionId", json!("x".repeat(256))),
        ("transactionId", json!("re_123")),
        ("transactionId", json!("pm_123")),
        ("transactionId", json!("cus_123")),
        ("transactionId", json!(["ch_1"])),
        ("Reason", json!("other")),
    ] {
        let mut body = json!({ "transactionId": "ch_1N4HbSKz9cXRvFYr", "reason": "other", "amount": 100 });
        body[field] = value.clone();
        let answer = stage.post("/v1/refunds", body).await;
        let error = answer.error(400, "validation_error");
        assert!(error["field"].as_str().is_some_and(|named| named.starts_with(field)), "{field} {value}: {error}");
    }
    assert_eq!(stage.asked_of_stripe().await.len(), asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_no_json_object_are_refused() {
    let stage = Stage::new().await;
    let asked = stage.asked_of_stripe().await.len();
    for body in [
        "{",
        "[]",
        "null",
        "7",
        "\"text\"",
        "{\"a\":1}}",
        "{\"transactionId\":\"ch_1\",\"transactionId\":\"ch_2\",\"reason\":\"other\"}",
    ] {
        raw(&stage, body).await.error(400, "validation_error");
    }
    raw(&stage, "").await.error(400, "validation_error");
    raw(&stage, vec![b'{', b'"', 0xff, b'"', b':', b'1', b'}']).await.error(400, "validation_error");
    raw(&stage, format!("{{\"metadata\":{}{}}}", "[".repeat(1000), "]".repeat(1000)))
        .await
        .error(400, "validation_error");
    raw(&stage, format!("{{\"a\":\"{}\"}}", "x".repeat(600 * 1024))).await.error(413, "request_too_large");
    let text =
        stage.request(Method::POST, "/v1/refunds", &stage.admin_key).header("Content-Type", "text/plain").body("{}");
    send(text).await.error(415, "unsupported_media_type");
    assert_eq!(stage.asked_of_stripe().await.len(), asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_headers_queries_paths_and_methods_are_refused() {
    let stage = Stage::new().await;
    let body = json!({ "transactionId": "ch_1N4HbSKz9cXRvFYr", "reason": "other", "amount": 100 });
    for key in [String::new(), "x".repeat(256), "with space".to_owned()] {
        stage.create_once(&key, body.clone()).await.error(400, "validation_error");
    }
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=1e1", "limit"),
        ("limit=ten", "limit"),
        ("limit=5&limit=6", "limit"),
        ("status=done", "status"),
        ("createdAfter=yesterday", "createdAfter"),
        ("cursor=..%2f", "cursor"),
        ("offset=10001", "offset"),
        ("amountMin=0", "amountMin"),
    ] {
        let answer = stage.get(&format!("/v1/refunds?{query}")).await;
        assert_eq!(answer.error(400, "validation_error")["field"], field, "{query}");
    }
    stage.get("/v1/nothing").await.error(404, "not_found");
    stage.delete("/v1/refunds").await.error(405, "method_not_allowed");
    send(stage.request(Method::POST, "/v1/refunds?amount=1", &stage.admin_key).json(&body))
        .await
        .error(400, "validation_error");
}
