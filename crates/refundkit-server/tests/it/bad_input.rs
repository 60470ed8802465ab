//! Bad input is met at the door: one clear error, and nothing reaches the processor.

use refundkit::{ErrorCode, RefundKit};
use refundkit_server::{
    interfaces::openapi,
    registry::{Entry, OPERATIONS},
};
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

/// What a library says of a value that does not fit. Callers are told what the field must be, not how Rust reads it.
const FOREIGN_WORDS: [&str; 14] = [
    "invalid type",
    "invalid value",
    "invalid length",
    "unknown variant",
    "unknown field",
    "missing field",
    ", expected",
    "sequence",
    "floating point",
    "i64",
    "u32",
    "struct",
    "enum",
    "is wrong: must",
];

#[tokio::test]
async fn a_value_of_any_other_type_is_refused_in_our_words_for_every_field_of_every_operation() {
    let wrong =
        [json!(true), json!(7), json!(-7), json!(2.5), json!(u64::MAX), json!(1e300), json!("wrong\u{7f}"), json!([])];
    let wrong =
        wrong.into_iter().chain([json!(["wrong"]), json!([{}]), json!({}), json!({ "a": [1] }), json!([true, 7, "x"])]);
    let wrong: Vec<Value> = wrong.chain([json!({ "other": {} }), json!({ "a": 1, "b": 2 })]).collect();
    let mut refused = 0;
    for entry in OPERATIONS {
        let schema = openapi::input_schema(entry);
        for path in paths(&schema, &[]) {
            for value in &wrong {
                let mut input = filled(&schema);
                put(&mut input, &path, value.clone());
                let Some(error) = refusal(entry, input).await else { continue };
                refused += 1;
                let (field, message) = (error.field.unwrap_or_default(), error.message);
                assert!(field.starts_with(&path[0]), "{} {path:?} {value}: {field}: {message}", entry.name);
                assert!(message.ends_with('.') && message.contains(&format!("`{}", path[0])), "{message}");
                for words in FOREIGN_WORDS {
                    assert!(!message.contains(words), "{} {path:?} {value}: {message}", entry.name);
                }
            }
        }
        let mut input = filled(&schema);
        put(&mut input, &["nobodysField".to_owned()], json!(1));
        let message = refusal(entry, input).await.unwrap().message;
        assert!(
            message.starts_with("`nobodysField` is not a field here; the") && !message.contains("expected"),
            "{message}"
        );
    }
    assert!(refused > 300, "{refused}");
}

#[tokio::test]
async fn what_a_field_must_be_is_said_in_one_sentence() {
    let create = OPERATIONS.iter().find(|entry| entry.name == "create_refund").unwrap();
    let connect = OPERATIONS.iter().find(|entry| entry.name == "connect_stripe").unwrap();
    for (entry, field, value, message) in [
        (create, "amount", json!([1]), "`amount` must be an integer from 1 to 999999999999."),
        (create, "transactionId", json!({}), "`transactionId` must be a string."),
        (create, "allowDuplicate", json!("yes"), "`allowDuplicate` must be true or false."),
        (create, "processor", json!(["stripe"]), "`processor` must be `stripe`."),
        (create, "metadata", json!("text"), "`metadata` must be an object."),
        (connect, "connect", json!(["acct_1", true, true]), "`connect` must be an object."),
        (connect, "connect", json!({ "reverseTransfer": "yes" }), "`connect.reverseTransfer` must be true or false."),
        (
            connect,
            "connect",
            json!({ "acount": "x" }),
            "`connect.acount` is not a field here; the fields are `account`, `refundApplicationFee`, `reverseTransfer`.",
        ),
    ] {
        let mut input = filled(&openapi::input_schema(entry));
        put(&mut input, &[field.to_owned()], value);
        assert_eq!(refusal(entry, input).await.unwrap().message, message);
    }
}

/// Why an input is refused before it is sent; none when it would be, to a server that is not there.
async fn refusal(entry: &Entry, input: Value) -> Option<refundkit::Error> {
    let nobody = RefundKit::builder().api_key(format!("rk_test_{}", "0".repeat(32))).base_url("http://127.0.0.1:1");
    let error = entry.ask(&nobody.max_retries(0).build().unwrap(), input, None).await.unwrap_err();
    (error.code == ErrorCode::ValidationError).then_some(*error)
}

/// The paths of all fields that a schema names.
fn paths(schema: &Value, above: &[String]) -> Vec<Vec<String>> {
    let fields = schema["properties"].as_object().into_iter().flatten();
    let own = |name: &String| above.iter().cloned().chain([name.clone()]).collect::<Vec<_>>();
    fields.flat_map(|(name, below)| [vec![own(name)], paths(below, &own(name))].concat()).collect()
}

/// The fields that must be there, with something that fits.
fn filled(schema: &Value) -> Value {
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let fits = |name: &str| match name {
        "reason" => json!("other"),
        "scope" => json!("read"),
        "id" if schema["properties"]["id"]["pattern"].to_string().contains("key_") => {
            json!("key_01k9zzzzzzzzzzzzzzzzzzzzzz")
        }
        "id" => json!("ref_01k9zzzzzzzzzzzzzzzzzzzzzz"),
        _ => json!("ch_1"),
    };
    Value::Object(required.map(|name| (name.to_owned(), fits(name))).collect())
}

fn put(input: &mut Value, path: &[String], value: Value) {
    let (last, above) = path.split_last().unwrap();
    let place = above.iter().fold(input, |place, name| place.as_object_mut().unwrap().entry(name).or_insert(json!({})));
    place[last] = value;
}
