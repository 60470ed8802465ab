//! The ceiling for a durable refund create on this machine: the same outside work as RefundKit, none of the thinking.
//!
//! A create retrieves the charge upstream, commits an intention, creates the refund upstream and commits the outcome: two
//! calls and two durable commits, as RefundKit must. No keys, no checks, no duplicates, no idempotency, no workers.
//! Usage: `ceiling PORT UPSTREAM DATABASE`.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
    mpsc,
};

use anyhow::Context as _;
use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    routing::{get, post},
};
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use tokio::sync::oneshot;

/// Writes that one commit carries at most.
const BATCH_MAX: usize = 256;

enum Write {
    Intention { id: String, transaction: String, amount: i64 },
    Outcome { id: String, external: String },
}

struct Pending {
    write: Write,
    done: oneshot::Sender<()>,
}

struct Ceiling {
    writes: mpsc::Sender<Pending>,
    reader: Mutex<Connection>,
    http: reqwest::Client,
    upstream: String,
    made: AtomicU64,
}

fn open(path: &str) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.execute_batch(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=5000;
         CREATE TABLE IF NOT EXISTS refunds(id TEXT PRIMARY KEY, txn TEXT NOT NULL, amount INTEGER NOT NULL,
             status TEXT NOT NULL, external TEXT) WITHOUT ROWID;
         CREATE TABLE IF NOT EXISTS events(seq INTEGER PRIMARY KEY, refund TEXT NOT NULL, kind TEXT NOT NULL);",
    )?;
    Ok(connection)
}

/// The only writer: whatever queued up while it was committing becomes the next commit.
fn write_all(connection: &Connection, queue: &mpsc::Receiver<Pending>) -> rusqlite::Result<()> {
    while let Ok(first) = queue.recv() {
        let mut batch = vec![first];
        batch.extend(queue.try_iter().take(BATCH_MAX - 1));
        connection.execute_batch("BEGIN IMMEDIATE")?;
        for pending in &batch {
            apply(connection, &pending.write)?;
        }
        connection.execute_batch("COMMIT")?;
        for pending in batch {
            let _ = pending.done.send(());
        }
    }
    Ok(())
}

fn apply(connection: &Connection, write: &Write) -> rusqlite::Result<()> {
    let mut event = connection.prepare_cached("INSERT INTO events(refund, kind) VALUES (?, ?)")?;
    match write {
        Write::Intention { id, transaction, amount } => {
            connection
                .prepare_cached("INSERT INTO refunds(id, txn, amount, status) VALUES (?, ?, ?, 'pending')")?
                .execute(params![id, transaction, amount])?;
            event.execute(params![id, "created"])?;
        }
        Write::Outcome { id, external } => {
            connection
                .prepare_cached("UPDATE refunds SET status = 'completed', external = ? WHERE id = ?")?
                .execute(params![external, id])?;
            event.execute(params![id, "completed"])?;
        }
    }
    Ok(())
}

impl Ceiling {
    async fn commit(&self, write: Write) -> anyhow::Result<()> {
        let (done, committed) = oneshot::channel();
        self.writes.send(Pending { write, done }).ok().context("the writer is gone")?;
        Ok(committed.await?)
    }

    async fn create(&self, body: Value) -> anyhow::Result<Value> {
        let id = format!("ref_{:026}", self.made.fetch_add(1, Ordering::Relaxed));
        let transaction = body["transactionId"].as_str().context("transactionId")?.to_owned();
        let amount = body["amount"].as_i64().context("amount")?;
        let charge = self.http.get(format!("{}/v1/charges/{transaction}", self.upstream)).bearer_auth("sk_test_x");
        let charge: Value = charge.send().await?.json().await?;
        anyhow::ensure!(charge["paid"] == true, "not paid");
        self.commit(Write::Intention { id: id.clone(), transaction: transaction.clone(), amount }).await?;
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("charge", &transaction)
            .append_pair("amount", &amount.to_string())
            .append_pair("metadata[refundkit_refund_id]", &id)
            .finish();
        let refund = self
            .http
            .post(format!("{}/v1/refunds", self.upstream))
            .bearer_auth("sk_test_x")
            .header("idempotency-key", &id)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form);
        let refund: Value = refund.send().await?.json().await?;
        let external = refund["id"].as_str().context("id")?.to_owned();
        self.commit(Write::Outcome { id: id.clone(), external: external.clone() }).await?;
        Ok(
            json!({"id": id, "transactionId": transaction, "amount": amount, "status": "completed", "externalRefundId": external}),
        )
    }

    fn find(&self, id: &str) -> anyhow::Result<Value> {
        let reader = self.reader.lock().ok().context("a reader panicked")?;
        let mut query = reader.prepare_cached("SELECT txn, amount, status FROM refunds WHERE id = ?")?;
        Ok(query.query_row([id], |row| {
            let (transaction, amount, status) =
                (row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get::<_, String>(2)?);
            Ok(json!({"id": id, "transactionId": transaction, "amount": amount, "status": status}))
        })?)
    }
}

type Answer = (StatusCode, Json<Value>);

fn answer(status: StatusCode, outcome: anyhow::Result<Value>) -> Answer {
    match outcome {
        Ok(data) => (status, Json(json!({"data": data, "error": null}))),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({"data": null, "error": error.to_string()}))),
    }
}

async fn create(State(ceiling): State<Arc<Ceiling>>, Json(body): Json<Value>) -> Answer {
    answer(StatusCode::CREATED, ceiling.create(body).await)
}

async fn get_refund(State(ceiling): State<Arc<Ceiling>>, Path(id): Path<String>) -> Answer {
    answer(StatusCode::OK, ceiling.find(&id))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [port, upstream, database] = &arguments[..] else { anyhow::bail!("usage: ceiling PORT UPSTREAM DATABASE") };
    let writer = open(database)?;
    let (writes, queue) = mpsc::channel();
    std::thread::spawn(move || {
        if let Err(error) = write_all(&writer, &queue) {
            eprintln!("ceiling: {error}");
        }
    });
    let ceiling = Ceiling {
        writes,
        reader: Mutex::new(open(database)?),
        http: reqwest::Client::new(),
        upstream: upstream.clone(),
        made: AtomicU64::new(0),
    };
    let routes = Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/v1/refunds", post(create))
        .route("/v1/refunds/{id}", get(get_refund))
        .with_state(Arc::new(ceiling));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port.parse::<u16>()?)).await?;
    axum::serve(listener, routes).await?;
    Ok(())
}
