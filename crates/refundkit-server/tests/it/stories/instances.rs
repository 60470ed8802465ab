//! Several servers on one database: PostgreSQL, whatever database the other stories run on.

use std::collections::BTreeSet;

use refundkit_server::{config::DatabaseUrl, store::Store};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Stage, postgres, send};

/// Callers who ask at the same time.
const CALLERS: usize = 40;

/// Forty creates at once, every other one at the second server. `key` says under which idempotency key each asks.
async fn forty_ask(stage: &Stage, charge: &str, amount: i64, key: impl Fn(usize) -> String) -> Vec<Answer> {
    let other = stage.another_instance().await;
    let asking = (0..CALLERS).map(|caller| {
        let path = "/v1/refunds";
        let request = if caller % 2 == 0 {
            stage.request(Method::POST, path, &stage.admin_key)
        } else {
            reqwest::Client::new().post(format!("{other}{path}")).bearer_auth(&stage.admin_key)
        };
        let body = json!({ "transactionId": charge, "amount": amount, "reason": "other" });
        let request = request.header("Idempotency-Key", key(caller)).json(&body);
        tokio::spawn(send(request))
    });
    let mut answers = Vec::new();
    for asked in asking.collect::<Vec<_>>() {
        answers.push(asked.await.unwrap());
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn forty_callers_at_two_servers_have_one_winner_and_thirty_nine_clear_answers() {
    let stage = Stage::on(postgres::new_database().await).await;
    let answers = forty_ask(&stage, "ch_1SandboxFirstRefund", 2500, |caller| caller.to_string()).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
    assert_eq!(won.len(), 1, "{answers:#?}");
    let winner = won[0].data(201)["id"].as_str().unwrap();
    for answer in lost {
        assert_eq!(answer.error(409, "refund_already_processed")["refundId"], winner);
    }
    assert_eq!(stage.refunded_at_stripe("ch_1SandboxFirstRefund").await, (2500, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_at_two_servers_is_made_once_and_all_are_told_of_it() {
    let stage = Stage::on(postgres::new_database().await).await;
    let answers = forty_ask(&stage, "ch_1SandboxFirstRefund", 2500, |_| "one key".replace(' ', "-")).await;
    let mut ids = BTreeSet::new();
    for answer in &answers {
        match answer.status {
            201 | 202 => {
                ids.insert(answer.body["data"]["id"].as_str().unwrap().to_owned());
            }
            // Its first request is running in the same server.
            _ => assert_eq!(answer.error(409, "idempotency_key_in_use")["retryable"], true),
        }
    }
    assert_eq!(ids.len(), 1, "{answers:#?}");
    assert_eq!(stage.refunded_at_stripe("ch_1SandboxFirstRefund").await, (2500, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_for_two_charges_at_the_same_moment_makes_one_refund() {
    let stage = Stage::on(postgres::new_database().await).await;
    let other = stage.another_instance().await;
    for round in 0..10 {
        let asking = ["ch_1SandboxFirstRefund", "ch_1SandboxYen"].map(|charge| {
            let url = if charge.ends_with("Yen") { &other } else { &stage.url };
            let body = json!({ "transactionId": charge, "amount": 10 + round, "reason": "other" });
            let request = reqwest::Client::new().post(format!("{url}/v1/refunds")).bearer_auth(&stage.admin_key);
            tokio::spawn(send(request.header("Idempotency-Key", format!("round-{round}")).json(&body)))
        });
        let mut made = 0;
        for asked in asking {
            let answer = asked.await.unwrap();
            match answer.status {
                201 => made += 1,
                409 => assert_eq!(answer.error(409, "idempotency_key_in_use")["retryable"], true),
                _ => drop(answer.error(422, "idempotency_key_reused").clone()),
            }
        }
        assert_eq!(made, 1, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn five_servers_may_start_at_once_on_an_empty_database() {
    let url = postgres::new_database().await;
    let starting = (0..5).map(|_| {
        let url = url.clone();
        tokio::spawn(async move { Store::open(&url).await.map(drop) })
    });
    for started in starting.collect::<Vec<_>>() {
        started.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_restarts_is_a_retryable_error_and_then_service_resumes() {
    // A server of PostgreSQL's own, because it is stopped.
    let server = tokio::task::spawn_blocking(postgres::Postgres::start).await.unwrap();
    let server = std::sync::Arc::new(server);
    let url: DatabaseUrl = server.new_database();
    let stage = Stage::on(url).await;
    let first = stage.create("ch_1SandboxFirstRefund", 100).await;
    let id = first.data(201)["id"].as_str().unwrap().to_owned();

    let restarting = {
        let server = std::sync::Arc::clone(&server);
        tokio::task::spawn_blocking(move || server.restart())
    };
    let mut refused = 0;
    while !restarting.is_finished() {
        let answer = stage.get(&format!("/v1/refunds/{id}")).await;
        if answer.status != 200 {
            let error = answer.error(503, "service_unavailable");
            assert_eq!(error["retryable"], true);
            assert!(answer.header("retry-after").is_some());
            refused += 1;
        }
    }
    restarting.await.unwrap();
    assert!(refused > 0, "nobody noticed that the database was away");

    assert_eq!(stage.get(&format!("/v1/refunds/{id}")).await.data(200)["id"], Value::from(id));
    let second = stage.create("ch_1SandboxFirstRefund", 200).await;
    second.data(201);
}
