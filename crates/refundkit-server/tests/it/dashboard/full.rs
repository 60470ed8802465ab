//! A server with no place left: every door says so, and nothing was done.

use refundkit_server::limits;
use serde_json::json;

use super::browser::Browser;
use crate::support::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_full_says_so_at_every_door() {
    let stage = Stage::new().await;
    let owner = Browser::owner(&stage).await;
    let everything = u32::try_from(limits::REQUESTS_AT_ONCE_MAX).unwrap();
    let places = stage.app.places.acquire_many(everything).await.unwrap();
    let refused = stage.create("ch_1SandboxFirstRefund", 4200).await;
    assert_eq!(refused.error(503, "service_unavailable")["retryable"], true);
    assert_eq!(refused.header("retry-after"), Some("1"));
    owner.get("/refunds").await.has(503, &["as many requests as it can"]);
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": "refundkit_list_refunds", "arguments": {},
    } });
    let request = stage.request(reqwest::Method::POST, "/mcp", &stage.admin_key).json(&call);
    let request = request.header("accept", "application/json, text/event-stream");
    let told = request.header("mcp-protocol-version", "2025-11-25").send().await.unwrap().text().await.unwrap();
    assert!(told.contains("service_unavailable"), "{told}");
    drop(places);
    assert_eq!(stage.get("/v1/refunds").await.data(200), &json!([]));
    stage.create("ch_1SandboxFirstRefund", 4200).await.data(201);
}
