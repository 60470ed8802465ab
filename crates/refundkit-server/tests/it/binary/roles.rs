//! Several servers on one PostgreSQL database, each with its part of the work; and one server to a SQLite file.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    installation::{Installation, Served},
    program::{PATIENCE, http, refunds_at_stripe},
};
use crate::support::postgres;

/// The refund is pending first, then succeeds.
const CHARGE: &str = "ch_1SandboxPending";

async fn create(serving: &Served) -> Value {
    let body = json!({ "transactionId": CHARGE, "amount": 6000, "reason": "other" });
    let answer = serving.request(Method::POST, "/v1/refunds").json(&body).send().await.unwrap();
    assert_eq!(answer.status(), 201);
    answer.json::<Value>().await.unwrap()["data"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_api_servers_begin_the_worker_finishes() {
    let installation = Installation::on(&postgres::new_database().await);
    let api = installation.serve_with(&[("REFUNDKIT_ROLE", "api")]);
    api.connect_stripe().await;
    let refund = create(&api).await;
    assert_eq!(refund["stage"], "awaiting_processor", "the first attempt is made by the server that was asked");
    let path = format!("/v1/refunds/{}", refund["id"].as_str().unwrap());
    // Long after it was due: nobody here looks.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(api.get(&path).await["data"]["stage"], "awaiting_processor");

    let worker = installation.serve_with(&[("REFUNDKIT_ROLE", "worker")]);
    let waited = Instant::now();
    loop {
        let refund = api.get(&path).await["data"].clone();
        if refund["status"] == "completed" {
            break;
        }
        assert!(waited.elapsed() < PATIENCE, "{refund}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(refunds_at_stripe(&installation.sandbox.url, CHARGE).await.len(), 1);

    for page in ["/healthz", "/readyz"] {
        assert_eq!(http().get(format!("{}{page}", worker.url)).send().await.unwrap().status(), 200, "{page}");
    }
    for asked in ["/v1/me", "/docs", &path] {
        let answer = worker.get(asked).await;
        assert_eq!(answer["error"]["code"], "not_found", "{answer}");
        assert!(answer["error"]["hint"].as_str().unwrap().contains("REFUNDKIT_ROLE=worker"), "{answer}");
    }
    for mut serving in [api, worker] {
        serving.program.signal("TERM");
        assert_eq!(serving.program.ended().code(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_has_one_server_and_other_commands_work_beside_it() {
    let installation = Installation::new();
    let serving = installation.serve();
    let second = installation.serve_refused(&[]);
    let said = second.failed(1);
    let process = format!("a server (process {}) is running on ./.refundkit/refundkit.db", serving.program.id());
    assert!(said.contains(&process) && said.contains("REFUNDKIT_DATABASE_URL"), "{said}");
    let beside = installation.run("setup --organization Acme --email owner@acme.example");
    assert!(beside.failed(1).contains("set up already"), "{beside:?}");

    // By another name it is the same file.
    let link = installation.folder.path().join("link.db");
    std::os::unix::fs::symlink(installation.database(), &link).unwrap();
    let by_link = installation.serve_refused(&[("REFUNDKIT_DATABASE_URL", "sqlite://link.db")]);
    assert!(by_link.failed(1).contains("is running on"), "{by_link:?}");

    // However it ends, its place is free.
    serving.program.kill();
    installation.serve();
}

#[test]
fn a_part_of_the_work_is_nothing_for_a_server_that_is_alone() {
    let installation = Installation::new();
    for role in ["api", "worker"] {
        let refused = installation.serve_refused(&[("REFUNDKIT_ROLE", role)]);
        assert!(refused.failed(1).contains("a SQLite file has one server, which does everything"), "{refused:?}");
    }
    let unknown = installation.serve_refused(&[("REFUNDKIT_ROLE", "boss")]);
    assert!(unknown.failed(2).contains("--role"), "{unknown:?}");
}
