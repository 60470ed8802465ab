//! Who is let in at `/mcp`, with what, and how often.

use refundkit_sandbox::FaultRule;
use reqwest::Method;
use serde_json::{Value, json};

use super::agent::{Agent, NEW, OLD, WAYS, Way};
use crate::support::{Setting, Stage, send};

const HTTP: Way = WAYS[0];
const ACCEPT: &str = "application/json, text/event-stream";

fn list() -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_asked_for_a_key() {
    let stage = Stage::new().await;
    for key in ["", "rk_test_unknownunknownunknownunknown1234", "sk_test_1234567890"] {
        for method in [Method::POST, Method::GET, Method::DELETE] {
            let answer = send(stage.request(method, "/mcp", key).json(&list())).await;
            answer.error(401, "invalid_api_key");
            assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer"), "{answer:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_hosts_and_pages_of_other_origins_are_refused() {
    let stage = Stage::new().await;
    let post = || stage.request(Method::POST, "/mcp", &stage.admin_key).header("Accept", ACCEPT).json(&list());
    assert_eq!(send(post()).await.status, 200);
    assert_eq!(send(post().header("Origin", &stage.url)).await.status, 200);
    for (name, value) in [
        ("Origin", "https://evil.example"),
        ("Origin", "null"),
        ("Origin", "http://127.0.0.1.evil.example"),
        ("Host", "evil.example"),
        ("Host", "169.254.169.254"),
    ] {
        let answer = send(post().header(name, value)).await;
        let error = answer.error(403, "unauthorized");
        assert!(error["hint"].as_str().unwrap().contains("REFUNDKIT_PUBLIC_URL"), "{name} {value}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_public_address_is_a_host_and_an_origin_of_the_server() {
    let public_url = Some("https://refunds.example.com".to_owned());
    let stage = Stage::with(Setting { public_url, ..Setting::default() }).await;
    let post = || stage.request(Method::POST, "/mcp", &stage.admin_key).header("Accept", ACCEPT).json(&list());
    let behind_proxy = post().header("Host", "refunds.example.com").header("Origin", "https://refunds.example.com");
    assert_eq!(send(behind_proxy).await.status, 200);
    for origin in ["http://refunds.example.com", "https://refunds.example.com:8443", "https://x.refunds.example.com"] {
        send(post().header("Origin", origin)).await.error(403, "unauthorized");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_no_sessions_so_any_instance_can_answer() {
    let stage = Stage::new().await;
    // A call without any handshake, and one with a session that nobody gave out.
    for session in [None, Some("6d63703b20783b2031"), Some("made-up"), Some("ff")] {
        let mut request = stage.request(Method::POST, "/mcp", &stage.admin_key).header("Accept", ACCEPT).json(&list());
        if let Some(session) = session {
            request = request.header("Mcp-Session-Id", session);
        }
        assert_eq!(send(request).await.body["result"]["tools"].as_array().unwrap().len(), 5, "{session:?}");
    }
    for method in [Method::GET, Method::DELETE] {
        let request = stage.request(method, "/mcp", &stage.admin_key).header("Accept", ACCEPT);
        let answer = send(request).await;
        answer.error(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), Some("POST"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_revision_with_a_handshake_is_spoken() {
    let stage = Stage::new().await;
    for revision in ["2024-11-05", "2025-03-26", "2025-06-18", OLD, "1999-01-01", NEW] {
        let hello =
            json!({ "protocolVersion": revision, "capabilities": {}, "clientInfo": { "name": "x", "version": "1" } });
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello });
        let request = stage.request(Method::POST, "/mcp", &stage.admin_key).header("Accept", ACCEPT).json(&message);
        let answer = send(request).await;
        let expected = if ["1999-01-01", NEW].contains(&revision) { OLD } else { revision };
        assert_eq!(answer.body["result"]["protocolVersion"], expected, "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_message_is_refused_as_the_protocol_says() {
    let stage = Stage::new().await;
    let post = |body: &str| {
        let request = stage.request(Method::POST, "/mcp", &stage.admin_key).header("Accept", ACCEPT);
        send(request.header("Content-Type", "application/json").body(body.to_owned()))
    };
    for (body, code) in [
        ("{", -32700),
        ("[]", -32700),
        ("[{}]", -32700),
        ("nonsense", -32700),
        ("{}", -32600),
        ("", -32600),
        (r#"{"jsonrpc":"1.0","id":1,"method":"tools/list"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":{},"method":"tools/list"}"#, -32600),
        // A key that appears twice must not choose its own meaning.
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"refundkit_process_refund","arguments":{"transactionId":"ch_1N4HbSKz9cXRvFYr","amount":1,"amount":10000,"reason":"other"}}}"#,
            -32700,
        ),
    ] {
        let answer = post(body).await;
        assert_eq!((answer.status, &answer.body["error"]["code"]), (400, &json!(code)), "{body}: {answer:?}");
    }
    for (params, code) in [
        (r#""tools/call","params":{"name":7}"#, -32602),
        (r#""tools/call","params":{"name":"refundkit_list_refunds","arguments":[]}"#, -32602),
        (r#""tools/call""#, -32602),
        (r#""resources/read","params":{"uri":"file:///etc/passwd"}"#, -32601),
        (r#""drain""#, -32601),
    ] {
        let answer = post(&format!(r#"{{"jsonrpc":"2.0","id":1,"method":{params}}}"#)).await;
        assert_eq!(answer.body["error"]["code"], code, "{params}: {answer:?}");
    }
    let large = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{}"}}"#, "x".repeat(600_000));
    post(&large).await.error(413, "request_too_large");
    let request = stage.request(Method::POST, "/mcp", &stage.admin_key).header("Accept", ACCEPT);
    send(request.header("Content-Type", "text/plain").body("{}")).await.error(415, "unsupported_media_type");
    assert_eq!(stage.refunded_at_stripe("ch_1N4HbSKz9cXRvFYr").await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_calls_are_told_to_wait() {
    let stage = Stage::with(Setting { rate_limit: 3, ..Setting::default() }).await;
    let key = stage.admin_key.clone();
    let mut agent = Agent::with(&stage.url, &key, WAYS[1]).await;
    let mut refused = None;
    for _ in 0..4 {
        let called = agent.call("refundkit_list_refunds", json!({})).await;
        if called.is_error {
            refused = Some(called.failed("rate_limited"));
            break;
        }
    }
    let error = refused.unwrap();
    assert!(error["retryAfterSeconds"].as_i64().is_some_and(|seconds| seconds > 0), "{error}");
    assert!(error["nextStep"].as_str().unwrap().starts_with("Wait "), "{error}");
    // A call of no tool counts too.
    let unknown = agent.message("tools/call", json!({ "name": "x", "arguments": {} }));
    send(agent.post(&unknown)).await.error(429, "rate_limited");
    // What is no call is refused at the door, with the headers of every other door.
    let answer = send(agent.post(&agent.message("tools/list", json!({})))).await;
    answer.error(429, "rate_limited");
    assert!(answer.header("retry-after").is_some() && answer.header("ratelimit-limit") == Some("3"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_of_other_organizations_and_environments_find_nothing() {
    let stage = Stage::new().await;
    let refund = stage.create("ch_1N4HbSKz9cXRvFYr", 100).await.data(201)["id"].clone();
    for key in [stage.other_organization().await, stage.live_key.clone()] {
        for way in WAYS {
            let mut agent = Agent::with(&stage.url, &key, way).await;
            for tool in ["refundkit_check_refund_status", "refundkit_cancel_refund"] {
                agent.call(tool, json!({ "refundId": refund })).await.failed("not_found");
            }
            assert_eq!(agent.call("refundkit_list_refunds", json!({})).await.done()["data"], json!([]));
            let arguments = json!({ "transactionId": "ch_1N4HbSKz9cXRvFYr", "amount": 100, "reason": "other" });
            let error = agent.call("refundkit_process_refund", arguments).await.failed("processor_not_connected");
            assert!(error["nextStep"].as_str().unwrap().contains("a person"), "{error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_in_the_log_with_what_the_client_said_of_itself() {
    let stage = Stage::new().await;
    let mut agent = Agent::new(&stage, HTTP).await;
    agent.call("refundkit_list_refunds", json!({ "limit": 3 })).await.done();
    agent.call("refundkit_check_refund_status", json!({})).await.failed("validation_error");
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    let log = stage.get("/v1/logs?limit=100").await;
    let entries = log.data(200).as_array().unwrap();
    let of = |operation: &str| {
        let found = entries.iter().find(|entry| entry["operation"] == operation && entry["path"] == "/mcp");
        found.unwrap_or_else(|| panic!("{operation}: {entries:?}"))
    };
    let listed = of("list_refunds");
    assert_eq!(
        (&listed["through"], &listed["method"], &listed["status"]),
        (&json!("mcp"), &json!("POST"), &json!(200))
    );
    assert_eq!((&listed["client"], &listed["input"]), (&json!("mcp; Test Agent; 1.2"), &json!("{\"limit\":3}")));
    assert_eq!(
        (&of("get_refund")["status"], &of("get_refund")["errorCode"]),
        (&json!(400), &json!("validation_error"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_processor_that_cannot_be_read_is_worth_another_try() {
    let stage = Stage::new().await;
    let fault = refundkit_sandbox::Fault::ErrorBefore { status: 503, stored: false };
    let rule = FaultRule::once(refundkit_sandbox::Method::Get, "/v1/charges", fault);
    stage.fault(&FaultRule { times: 200, ..rule }).await;
    let mut agent = Agent::new(&stage, HTTP).await;
    let called = agent.call("refundkit_get_policy", json!({ "transactionId": "ch_1N4HbSKz9cXRvFYr" })).await;
    let error = called.failed("processor_error");
    assert_eq!(error["retryable"], true, "{error}");
    assert!(error["nextStep"].as_str().unwrap().contains("repeat the call with the same arguments"), "{error}");
}
