//! `refundkit mcp` when something is wrong: it says so in answers, and does not just end.

use axum::{Router, body::Body, extract::Request, response::Response};
use futures_util::stream;
use serde_json::{Value, json};

use super::agent::{Agent, NEW, OLD, Program, WAYS};
use crate::support::Stage;

const UNKNOWN: &str = "rk_test_StrangersKeyStrangersKey01234567";

fn arguments() -> Value {
    json!({ "transactionId": "ch_1N4HbSKz9cXRvFYr", "amount": 100, "reason": "other" })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_or_server_is_said_in_answers() {
    let stage = Stage::new().await;
    let nobody = "http://127.0.0.1:9";
    for way in WAYS.into_iter().filter(|way| way.stdio) {
        for (variables, code, words) in [
            (vec![("REFUNDKIT_BASE_URL", stage.url.as_str())], "invalid_api_key", "REFUNDKIT_API_KEY"),
            (
                vec![("REFUNDKIT_BASE_URL", &stage.url), ("REFUNDKIT_API_KEY", "")],
                "invalid_api_key",
                "REFUNDKIT_API_KEY",
            ),
            (
                vec![("REFUNDKIT_BASE_URL", &stage.url), ("REFUNDKIT_API_KEY", "sk_test_1234")],
                "invalid_api_key",
                "rk_test_",
            ),
            (vec![("REFUNDKIT_BASE_URL", &stage.url), ("REFUNDKIT_API_KEY", UNKNOWN)], "invalid_api_key", "revoked"),
            (
                vec![("REFUNDKIT_BASE_URL", "nonsense"), ("REFUNDKIT_API_KEY", &stage.admin_key)],
                "validation_error",
                "base URL",
            ),
            (
                vec![("REFUNDKIT_BASE_URL", nobody), ("REFUNDKIT_API_KEY", &stage.admin_key)],
                "network_error",
                "not reached",
            ),
        ] {
            let mut agent = Agent::of("", "", way, Some(Program::start(&variables))).await;
            // Tools are listed in any case: only a call can tell the agent what is wrong.
            assert_eq!(agent.tools().await.len(), 5, "{way:?} {code}");
            for (tool, arguments) in [("refundkit_process_refund", arguments()), ("refundkit_list_refunds", json!({}))]
            {
                let called = agent.call(tool, arguments).await;
                let error = called.failed(code);
                let told = format!("{} {}", error["message"], error["hint"]);
                assert!(told.contains(words), "{way:?} {words}: {error}");
                assert!(error["nextStep"].is_string(), "{way:?} {error}");
            }
        }
    }
    assert_eq!(stage.refunded_at_stripe("ch_1N4HbSKz9cXRvFYr").await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn stdout_is_for_messages_stderr_for_logs_and_the_end_of_stdin_is_the_end() {
    let stage = Stage::new().await;
    let variables = [("REFUNDKIT_BASE_URL", stage.url.as_str()), ("REFUNDKIT_API_KEY", UNKNOWN)];
    let mut program = Program::start(&variables);
    let hello = json!({ "protocolVersion": OLD, "capabilities": {}, "clientInfo": { "name": "x", "version": "1" } });
    let (welcome, list) = tokio::task::block_in_place(|| {
        let welcome = program.ask(&json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello }));
        program.tell(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }).to_string());
        (welcome, program.ask(&json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list" })))
    });
    assert_eq!(welcome["result"]["serverInfo"]["name"], "refundkit");
    assert_eq!(list["result"]["tools"].as_array().unwrap().len(), 5);
    let (code, said) = tokio::task::block_in_place(|| program.close());
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("invalid_api_key") && !said.contains(UNKNOWN), "{said}");

    // Whoever says nothing at all is not an error either.
    let (code, said) = tokio::task::block_in_place(|| Program::start(&variables).close());
    assert_eq!((code, said.as_str()), (Some(0), ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_away_and_comes_back_is_found_again() {
    let mut stage = Stage::new().await;
    for way in WAYS.into_iter().filter(|way| way.stdio) {
        let mut agent = Agent::new(&stage, way).await;
        agent.call("refundkit_list_refunds", json!({})).await.done();
    }
    // A new server has a new port here, so the same program cannot find it; what it says then is an answer.
    let way = WAYS.into_iter().find(|way| way.stdio && way.revision == NEW).unwrap();
    let mut agent = Agent::new(&stage, way).await;
    stage.restart().await;
    let error = agent.call("refundkit_process_refund", arguments()).await.failed("network_error");
    assert!(error["nextStep"].as_str().unwrap().contains("look first with refundkit_list_refunds"), "{error}");
    Agent::new(&stage, way).await.call("refundkit_list_refunds", json!({})).await.done();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_is_too_long_or_no_message_does_not_end_it() {
    let stage = Stage::new().await;
    let variables = [("REFUNDKIT_BASE_URL", stage.url.as_str()), ("REFUNDKIT_API_KEY", &stage.admin_key)];
    let mut program = Program::start(&variables);
    let hello = json!({ "protocolVersion": OLD, "capabilities": {}, "clientInfo": { "name": "x", "version": "1" } });
    tokio::task::block_in_place(|| {
        program.ask(&json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello }));
        for line in ["", "nonsense", "{", &"x".repeat(600_000), "\u{0}", "null"] {
            program.tell(line);
        }
        let mut answer = program.ask(&json!({ "jsonrpc": "2.0", "id": 2, "method": "ping" }));
        while answer["id"].is_null() {
            assert!(answer["error"].is_object(), "{answer}");
            answer = program.hear();
        }
        assert_eq!((&answer["id"], &answer["result"]), (&json!(2), &json!({})), "{answer}");
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn an_amount_that_is_named_twice_refunds_nothing() {
    let stage = Stage::new().await;
    let variables = [("REFUNDKIT_BASE_URL", stage.url.as_str()), ("REFUNDKIT_API_KEY", &stage.admin_key)];
    let mut program = Program::start(&variables);
    let hello = json!({ "protocolVersion": OLD, "capabilities": {}, "clientInfo": { "name": "x", "version": "1" } });
    let answer = tokio::task::block_in_place(|| {
        program.ask(&json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello }));
        program.tell(
            r#"{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"refundkit_process_refund","arguments":{"transactionId":"ch_1SandboxYen","amount":61,"amount":6100,"reason":"other"}}}"#,
        );
        program.hear()
    });
    assert_eq!((&answer["error"]["code"], &answer["id"]), (&json!(-32700), &json!(null)), "{answer}");
    assert!(answer["error"]["message"].as_str().unwrap().contains("amount"), "{answer}");
    assert_eq!(stage.refunded_at_stripe("ch_1SandboxYen").await, (0, 0));
}

/// A way to the server on which every answer to a create is lost after the server has given it.
async fn losing_answers(stage: &Stage) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (http, server) = (reqwest::Client::new(), stage.url.clone());
    let pass_on = move |request: Request| {
        let (http, server) = (http.clone(), server.clone());
        async move {
            let (parts, body) = request.into_parts();
            let lost = parts.method == "POST" && parts.uri.path() == "/v1/refunds";
            let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            let sent = http.request(parts.method, format!("{server}{}", parts.uri)).headers(parts.headers).body(body);
            let answer = sent.send().await.unwrap();
            let status = answer.status();
            let body = answer.bytes().await.unwrap();
            let cut = stream::once(async { Err::<Vec<u8>, _>(std::io::Error::other("cut")) });
            let body = if lost { Body::from_stream(cut) } else { Body::from(body) };
            Response::builder().status(status).body(body).unwrap()
        }
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(pass_on)).await });
    format!("http://{address}")
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_servers_answer_is_lost_the_agent_learns_how_to_find_out() {
    for way in WAYS.into_iter().filter(|way| way.stdio) {
        for key in [None, Some("ticket-7")] {
            let stage = Stage::new().await;
            let api_key = stage.key("write").await;
            let mut agent = Agent::with(&losing_answers(&stage).await, &api_key, way).await;
            let mut wish = arguments();
            if let Some(key) = key {
                wish["idempotencyKey"] = key.into();
            }
            let error = agent.call("refundkit_process_refund", wish.clone()).await.failed("network_error");
            let known = error["idempotencyKey"].as_str().unwrap();
            assert!(key.is_none_or(|key| key == known), "{error}");
            let next = error["nextStep"].as_str().unwrap();
            for words in ["do not retry with other arguments", "do not promise", known, "refundkit_check_refund_status"]
            {
                assert!(next.contains(words), "{words}: {error}");
            }
            // What it is told to do, through a door that works: the same refund, once.
            wish["idempotencyKey"] = known.into();
            let mut other = Agent::with(&stage.url, &api_key, way).await;
            assert_eq!(other.call("refundkit_process_refund", wish).await.done()["status"], "completed");
            assert_eq!(stage.refunded_at_stripe("ch_1N4HbSKz9cXRvFYr").await, (100, 1), "{way:?} {key:?}");
        }
    }
}
