//! What holds for every operation: a stranger, a key of too little scope, another tenant, another environment, an unknown
//! field, a repeated key. A new operation is covered the day it is born, because the table is the registry.

use std::{sync::Arc, time::Duration};

use refundkit::{Environment, InitiatedBy, KeyId, Method as OperationMethod, Scope, UserId};
use refundkit_server::{
    caller::{Caller, Role, Who},
    error::Error,
    interfaces::openapi,
    operations::InviteMember,
    registry::{Call, Entry, INTERNAL, OPERATIONS},
    store::Tenant,
};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{Stage, members::member_of, send};

fn method(entry: &Entry) -> Method {
    match entry.method {
        OperationMethod::Get => Method::GET,
        OperationMethod::Post => Method::POST,
        OperationMethod::Put => Method::PUT,
        OperationMethod::Delete => Method::DELETE,
    }
}

/// The operation's path, with an id in it that names something of the stage's own organization.
fn path(entry: &Entry, refund: &str, key: &str) -> String {
    let id = match entry.tag {
        "API keys" => key,
        "Transactions" => "ch_1N4HbSKz9cXRvFYr",
        _ => refund,
    };
    entry.path.replace("{id}", id)
}

/// A body that the operation would accept.
fn body(entry: &Entry) -> Value {
    match entry.name {
        "create_refund" => json!({ "transactionId": "ch_1N4HbSKz9cXRvFYr", "amount": 1, "reason": "other" }),
        "check_policy" => json!({ "transactionId": "ch_1N4HbSKz9cXRvFYr" }),
        "connect_stripe" => json!({ "secretKey": "sk_test_your_stripe_secret_key" }),
        "create_api_key" => json!({ "name": "x", "scope": "read" }),
        _ => json!({}),
    }
}

/// The input of an operation that only the dashboard has, naming what is of the stage's own organization.
async fn input(stage: &Stage, entry: &Entry, refund: &str, log: &str) -> Value {
    let address = || format!("{}@acme.example", stage.app.env.new_user_id());
    match entry.name {
        "invite_member" => json!({ "email": address(), "role": "member" }),
        "revoke_invitation" => {
            let asked = json!({ "email": address(), "role": "member" });
            let invited = stage.ask::<InviteMember>(&stage.member(Role::Owner).await, asked).await.unwrap();
            json!({ "id": invited.invitation.id })
        }
        "change_role" => json!({ "id": new_member(stage).await, "role": "admin" }),
        "remove_member" => json!({ "id": new_member(stage).await }),
        "search_refunds" => json!({ "query": refund }),
        "read_refunds" => json!({ "ids": [refund] }),
        "look_at_refund" => json!({ "id": refund }),
        "look_at_transaction" => json!({ "transactionId": "py_1SandboxActionNeeded" }),
        "get_log" => json!({ "id": log }),
        _ => json!({}),
    }
}

/// The id of a new member of the stage's organization.
async fn new_member(stage: &Stage) -> UserId {
    stage.member(Role::Member).await.user().unwrap().0
}

/// Asks for an operation as a page does.
async fn ask(stage: &Stage, entry: &'static Entry, caller: &Caller, input: Value) -> Result<Value, Error> {
    let admitted = entry.admit(&stage.app, caller.clone()).map_err(|refused| refused.error)?;
    let request_id = stage.app.env.new_request_id();
    let call = Call { admitted, request_id, idempotency_key: None, path: "/page".to_owned(), input };
    entry.call(Arc::clone(&stage.app), call).await.map(|answer| serde_json::from_str(answer.output.get()).unwrap())
}

/// The newest call in the log, once it is written.
async fn a_log_entry(stage: &Stage) -> String {
    loop {
        let logs = stage.get("/v1/logs?limit=1").await;
        if let Some(entry) = logs.data(200).as_array().unwrap().first() {
            return entry["id"].as_str().unwrap().to_owned();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn request(stage: &Stage, entry: &Entry, path: &str, key: &str) -> RequestBuilder {
    let request = stage.request(method(entry), path, key);
    if entry.method.has_body() { request.json(&body(entry)) } else { request }
}

struct Cast {
    stage: Stage,
    refund: String,
    key_id: String,
}

async fn cast() -> Cast {
    let stage = Stage::new().await;
    let refund = stage.create("py_1SandboxActionNeeded", 8000).await.data(201)["id"].as_str().unwrap().to_owned();
    let made = stage.post("/v1/api-keys", json!({ "name": "victim", "scope": "read" })).await;
    let key_id = made.data(201)["id"].as_str().unwrap().to_owned();
    Cast { stage, refund, key_id }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_let_in_nowhere() {
    let Cast { stage, refund, key_id } = cast().await;
    for entry in OPERATIONS {
        let path = path(entry, &refund, &key_id);
        let unknown = format!("rk_test_{}", "x".repeat(32));
        send(request(&stage, entry, &path, &unknown)).await.error(401, "invalid_api_key");
        let none = reqwest::Client::new().request(method(entry), format!("{}{path}", stage.url));
        send(none).await.error(401, "invalid_api_key");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_may_do_what_its_scope_says_and_no_more() {
    let Cast { stage, refund, key_id } = cast().await;
    let (read, write) = (stage.key("read").await, stage.key("write").await);
    for entry in OPERATIONS {
        for (key, scope) in [(&read, Scope::Read), (&write, Scope::Write)] {
            let answer = send(request(&stage, entry, &path(entry, &refund, &key_id), key)).await;
            if scope < entry.scope {
                let error = answer.error(403, "unauthorized");
                assert!(error["message"].as_str().unwrap().contains(entry.scope.as_str()), "{error}");
            } else {
                assert_ne!(answer.status, 403, "{} with {scope}: {}", entry.name, answer.body);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_organization_and_the_other_environment_find_nothing() {
    let Cast { stage, refund, key_id } = cast().await;
    let other = stage.other_organization().await;
    let admin_key_id = stage.get("/v1/me").await.data(200)["keyId"].as_str().unwrap().to_owned();
    for entry in OPERATIONS {
        for key in [&other, &stage.live_key] {
            let answer = send(request(&stage, entry, &path(entry, &refund, &key_id), key)).await;
            let text = answer.body.to_string();
            if entry.path.contains("{id}") && entry.tag != "Transactions" {
                answer.error(404, "not_found");
            } else if entry.tag == "Transactions" || entry.name == "create_refund" || entry.name == "check_policy" {
                answer.error(422, "processor_not_connected");
            } else if entry.name == "list_logs" {
                // It holds what this key asked for, and nothing that others did.
                assert!(!text.contains("sk_test") && !text.contains(&admin_key_id), "{text}");
            } else {
                assert!(!text.contains(&refund) && !text.contains(&key_id), "{}: {text}", entry.name);
            }
        }
    }
    // Nothing was changed by trying.
    assert_eq!(stage.get(&format!("/v1/refunds/{refund}")).await.data(200)["stage"], "requires_action");
    stage.get("/v1/api-keys").await.body.to_string().find(&key_id).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_field_is_refused_and_named() {
    let Cast { stage, refund, key_id } = cast().await;
    for entry in OPERATIONS {
        let path = path(entry, &refund, &key_id);
        let answer = if entry.method.has_body() {
            let mut body = body(entry);
            body["surprise"] = json!(1);
            send(stage.request(method(entry), &path, &stage.admin_key).json(&body)).await
        } else {
            send(stage.request(method(entry), &format!("{path}?surprise=1"), &stage.admin_key)).await
        };
        assert_eq!(answer.error(400, "validation_error")["field"], "surprise", "{}", entry.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_of_another_shape_is_refused_and_named() {
    let stage = Stage::new().await;
    for entry in OPERATIONS.iter().filter(|entry| entry.path.contains("{id}") && entry.tag != "Transactions") {
        for id in ["re_123", "ref_", "..%2F..%2Fetc", "%00", "ref_00000000000000000000000000%20", "%ff"] {
            let answer = send(request(&stage, entry, &entry.path.replace("{id}", id), &stage.admin_key)).await;
            answer.error(400, "validation_error");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_under_the_same_key_is_the_same_answer_and_another_request_under_it_is_refused() {
    let Cast { stage, refund, key_id } = cast().await;
    for entry in OPERATIONS.iter().filter(|entry| entry.keyed) {
        let path = path(entry, &refund, &key_id);
        let once = || request(&stage, entry, &path, &stage.admin_key).header("Idempotency-Key", entry.name);
        let (first, repeat) = (send(once()).await, send(once()).await);
        assert!(first.status < 300, "{}: {}", entry.name, first.body);
        assert_eq!(
            (repeat.status, repeat.header("idempotent-replayed")),
            (first.status, Some("true")),
            "{}",
            entry.name
        );
        assert_eq!(repeat.body["data"]["id"], first.body["data"]["id"], "{}", entry.name);
        let other = stage.request(Method::POST, "/v1/api-keys", &stage.admin_key).header("Idempotency-Key", entry.name);
        let other = send(other.json(&json!({ "name": "other", "scope": "write" }))).await;
        other.error(422, "idempotency_key_reused");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_the_dashboard_has_is_for_people_of_the_role_it_needs() {
    let Cast { stage, refund, .. } = cast().await;
    let (tenant, log) = (stage.tenant().await, a_log_entry(&stage).await);
    let key = Who::Key { id: KeyId::from_bits(1), prefix: "rk_test_x".to_owned(), scope: Scope::Admin };
    let key = Caller { tenant, who: key, through: InitiatedBy::Api, ..member_of(tenant, Role::Owner) };
    for entry in INTERNAL {
        assert!(entry.internal && entry.path.is_empty(), "{} has a route", entry.name);
        assert!(entry.scope <= entry.role.scope(), "{}: nobody of the role {} may do it", entry.name, entry.role);
        let refused = ask(&stage, entry, &key, input(&stage, entry, &refund, &log).await).await.unwrap_err();
        assert_eq!(refused.code().as_str(), "unauthorized", "{}", entry.name);
        for role in [Role::Member, Role::Admin, Role::Owner] {
            let input = input(&stage, entry, &refund, &log).await;
            let answer = ask(&stage, entry, &stage.member(role).await, input).await;
            if role < entry.role {
                let error = answer.unwrap_err();
                assert_eq!(error.code().as_str(), "unauthorized", "{} as {role}", entry.name);
                assert!(error.to_string().contains(role.as_str()), "{error}");
            } else {
                answer.unwrap_or_else(|error| panic!("{} as {role}: {error}", entry.name));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_the_dashboard_has_shows_nothing_of_others() {
    let Cast { stage, refund, .. } = cast().await;
    let (own, log) = (stage.tenant().await, a_log_entry(&stage).await);
    let live = Tenant { environment: Environment::Live, ..own };
    let other = stage.tenant_of(&stage.other_organization().await).await;
    for entry in INTERNAL {
        for (tenant, sees) in [(own, true), (live, false), (other, false)] {
            let input = input(&stage, entry, &refund, &log).await;
            let answer = ask(&stage, entry, &member_of(tenant, Role::Owner), input).await;
            let text = answer.map_or_else(|error| error.code().to_string(), |answer| answer.to_string());
            let named = text.contains(&refund) || text.contains(&log);
            let shows_one = [
                "search_refunds",
                "read_refunds",
                "look_at_refund",
                "look_at_transaction",
                "get_overview",
                "search_logs",
                "get_log",
            ];
            assert_eq!(named, sees && shows_one.contains(&entry.name), "{}: {text}", entry.name);
            // People belong to both environments, and to one organization.
            let names_people = text.contains("@acme.example") || text.contains("\"Acme\"");
            assert!(!names_people || tenant != other, "{}: {text}", entry.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_the_dashboard_has_names_an_unknown_field() {
    let Cast { stage, refund, .. } = cast().await;
    let (owner, log) = (stage.member(Role::Owner).await, a_log_entry(&stage).await);
    for entry in INTERNAL {
        let mut input = input(&stage, entry, &refund, &log).await;
        input["surprise"] = json!(1);
        let error = ask(&stage, entry, &owner, input).await.unwrap_err();
        assert_eq!(error.body(stage.app.env.new_request_id()).field.as_deref(), Some("surprise"), "{}", entry.name);
    }
}

#[test]
fn names_paths_and_keys_are_consistent() {
    let all: Vec<&Entry> = OPERATIONS.iter().chain(INTERNAL).collect();
    for (position, entry) in all.iter().enumerate() {
        assert!(all[position + 1..].iter().all(|other| other.name != entry.name), "{} twice", entry.name);
        let schema = openapi::input_schema(entry);
        assert!(
            schema["description"].as_str().is_some_and(|text| text.len() > 20),
            "{} has no description",
            entry.name
        );
        assert_eq!(schema["additionalProperties"], false, "{} takes unknown fields", entry.name);
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            assert!(field["description"].is_string(), "{}.{name} has no description", entry.name);
            assert!(!field.to_string().contains("null"), "{}.{name}: {field}", entry.name);
        }
    }
}
