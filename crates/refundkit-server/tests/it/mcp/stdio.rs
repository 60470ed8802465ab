//! `refundkit mcp` when something is wrong: it says so in answers, and does not just end.

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
