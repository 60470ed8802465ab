//! What the tools look like to a model: few, small, true, and derived from the operations.

use refundkit::{Effect, Scope};
use refundkit_server::{
    interfaces::{mcp::tool, openapi},
    registry::OPERATIONS,
};
use serde_json::{Value, json};

use super::agent::{Agent, NEW, OLD, WAYS};
use crate::support::Stage;

/// What all tools may cost a model, and what one of the later ones may. A token is counted as four bytes.
const TOKENS_MAX: usize = 1400;
const TOKENS_MAX_OF_LATER: usize = 280;
const FIRST: [&str; 5] = [
    "refundkit_process_refund",
    "refundkit_check_refund_status",
    "refundkit_list_refunds",
    "refundkit_cancel_refund",
    "refundkit_get_policy",
];

fn described() -> Vec<Value> {
    tool::all().map(|(entry, tool)| serde_json::to_value(tool.described(entry)).unwrap()).collect()
}

#[test]
fn all_tools_together_leave_a_model_room_to_think() {
    let (first, later): (Vec<_>, Vec<_>) =
        described().into_iter().partition(|tool| FIRST.contains(&tool["name"].as_str().unwrap()));
    assert_eq!(first.len(), FIRST.len());
    let bytes = serde_json::to_vec(&first).unwrap().len();
    assert!(bytes < TOKENS_MAX * 4, "{bytes} bytes, at most {}", TOKENS_MAX * 4);
    for tool in later {
        let bytes = tool.to_string().len();
        assert!(bytes <= TOKENS_MAX_OF_LATER * 4, "{bytes} bytes: {tool}");
    }
}

#[test]
fn what_a_tool_does_to_the_world_is_said_in_all_four_annotations() {
    let hints = |tool: &Value| -> Vec<Value> {
        let annotations = tool["annotations"].as_object().unwrap();
        assert_eq!(annotations.len(), 4, "{tool}");
        ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"]
            .map(|name| annotations[name].clone())
            .into()
    };
    for (name, expected) in [
        ("refundkit_process_refund", [false, true, false, true]),
        ("refundkit_cancel_refund", [false, true, true, true]),
        ("refundkit_check_refund_status", [true, false, true, false]),
        ("refundkit_list_refunds", [true, false, true, false]),
        ("refundkit_get_policy", [true, false, true, true]),
    ] {
        let tool = described().into_iter().find(|tool| tool["name"] == name).unwrap();
        assert_eq!(json!(hints(&tool)), json!(expected), "{name}");
    }
    for (entry, tool) in tool::all() {
        assert!(entry.effect == Effect::Read || tool.asks_processor, "{}", tool.name);
    }
}

#[test]
fn schemas_hold_nothing_that_says_nothing() {
    for tool in described() {
        for (which, schema) in [("inputSchema", &tool["inputSchema"]), ("outputSchema", &tool["outputSchema"])] {
            let text = schema.to_string();
            for noise in
                ["$ref", "$defs", "$schema", "\"null\"", "\"format\"", "\"title\"", "\"default\"", "oneOf", "anyOf"]
            {
                assert!(!text.contains(noise), "{noise} in {which} of {tool}");
            }
            assert_eq!(schema["type"], "object", "{tool}");
        }
        assert_eq!(tool["inputSchema"]["additionalProperties"], false);
        for (name, argument) in tool["inputSchema"]["properties"].as_object().unwrap() {
            assert!(
                argument["type"].is_string() && argument["description"].as_str().is_some_and(|text| text.len() > 10),
                "{name}: {argument}"
            );
        }
    }
}

#[test]
fn names_are_those_of_the_contract_and_words_name_only_tools_that_exist() {
    let tools = described();
    let names: Vec<_> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    for name in FIRST {
        assert!(names.contains(&name), "{name} is missing");
    }
    for tool in &tools {
        let name = tool["name"].as_str().unwrap();
        assert!(name.starts_with("refundkit_") && name.len() <= 64, "{name}");
        let words = tool["description"].as_str().unwrap();
        assert!(words.len() <= 250 && words.contains("refund") && words.contains("Use it"), "{name}: {words}");
        for named in words
            .split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
            .filter(|word| word.starts_with("refundkit_"))
        {
            assert!(names.contains(&named), "{name} speaks of {named}");
        }
    }
}

#[test]
fn arguments_are_fields_of_the_operation_and_only_required_ones_are_made_so() {
    let required = |schema: &Value| schema["required"].as_array().cloned().unwrap_or_default();
    for (entry, tool) in tool::all() {
        let whole = openapi::input_schema(entry);
        let seen = serde_json::to_value(tool.described(entry)).unwrap();
        for argument in tool.arguments {
            assert!(whole["properties"][argument.field].is_object(), "{}: no field {}", tool.name, argument.field);
            assert!(seen["inputSchema"]["properties"][argument.name].is_object(), "{}: {}", tool.name, argument.name);
        }
        // What the operation needs, agents must give.
        for field in required(&whole) {
            assert!(
                tool.arguments.iter().any(|argument| field == argument.field && argument.required),
                "{} does not ask for {field}",
                tool.name
            );
        }
    }
    let process = described().into_iter().find(|tool| tool["name"] == FIRST[0]).unwrap();
    assert_eq!(process["inputSchema"]["required"], json!(["transactionId", "amount", "reason"]));
    let arguments: Vec<_> = process["inputSchema"]["properties"].as_object().unwrap().keys().cloned().collect();
    let contract =
        ["allowDuplicate", "amount", "currency", "idempotencyKey", "metadata", "processor", "reason", "transactionId"];
    assert_eq!(arguments, contract);
    assert!(!process.to_string().contains("Omitted: all that is left"), "{process}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_door_and_generation_lists_the_same_tools_in_the_same_order() {
    let stage = Stage::new().await;
    for way in WAYS {
        let mut agent = Agent::new(&stage, way).await;
        let answer = agent.ask("tools/list", json!({})).await;
        assert_eq!(answer["result"]["tools"], json!(described()), "{way:?}");
        let expected = if way.revision == NEW { json!("private") } else { Value::Null };
        assert_eq!(answer["result"]["cacheScope"], expected, "{way:?}");
        assert_eq!(answer["result"]["ttlMs"].is_i64(), way.revision == NEW, "{way:?}");
        if way.revision == NEW {
            let found = agent.ask("server/discover", json!({})).await;
            assert_eq!(found["result"]["cacheScope"], "private", "{found}");
            for revision in [OLD, NEW] {
                assert!(found["result"]["supportedVersions"].as_array().unwrap().contains(&json!(revision)), "{found}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_sees_the_tools_of_its_scope_and_no_others() {
    let stage = Stage::new().await;
    for way in WAYS {
        for (word, scope) in [("read", Scope::Read), ("write", Scope::Write), ("admin", Scope::Admin)] {
            let mut agent = Agent::with(&stage.url, &stage.key(word).await, way).await;
            let expected: Vec<_> =
                tool::all().filter(|(entry, _)| entry.scope <= scope).map(|(_, tool)| tool.name.to_owned()).collect();
            assert_eq!(agent.tools().await, expected, "{way:?} {word}");
        }
        // Not seen is not enough: a call of it is refused too.
        let mut agent = Agent::with(&stage.url, &stage.key("read").await, way).await;
        assert!(!agent.tools().await.contains(&FIRST[0].to_owned()));
        let arguments = json!({ "transactionId": "ch_1N4HbSKz9cXRvFYr", "amount": 100, "reason": "other" });
        let error = agent.call(FIRST[0], arguments).await.failed("unauthorized");
        assert!(error["message"].as_str().unwrap().contains("`write`"), "{error}");
    }
    assert_eq!(stage.refunded_at_stripe("ch_1N4HbSKz9cXRvFYr").await, (0, 0));
}

#[test]
fn operations_that_are_no_tools_stay_none() {
    for entry in OPERATIONS.iter().filter(|entry| entry.scope == Scope::Admin) {
        assert!(entry.tool.is_none(), "{} would be a tool: agents do not administrate", entry.name);
    }
}
