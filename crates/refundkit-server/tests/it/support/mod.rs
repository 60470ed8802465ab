//! A stage for a story: a server and a Stripe sandbox in this process, reached over loopback, with a database of their own.

pub(crate) mod figures;
pub(crate) mod members;
pub(crate) mod postgres;
pub(crate) mod stripe_webhooks;

use std::{sync::Arc, time::Duration};

use refundkit::Environment;
use refundkit_core::schedule::Schedule;
use refundkit_sandbox::{DEV_SECRET_KEY, FaultRule, Sandbox, SandboxOptions};
use refundkit_server::{
    app::{App, Parts},
    config::{DataConfig, DatabaseUrl},
    env::Env,
    limits,
    server::Server,
    setup::{self, FirstOrganization},
    store::{StoreError, Tenant, api_keys, api_keys::NewApiKey},
};
use reqwest::{Client, Method, RequestBuilder};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

/// The sandbox moves refunds on after this time, and RefundKit looks often.
const REFUND_DELAY: Duration = Duration::from_millis(200);
const SPEEDUP: u32 = 1000;
/// How long a story waits for something that should happen soon.
const PATIENCE: Duration = Duration::from_secs(20);

/// How a stage is set.
pub(crate) struct Setting {
    pub(crate) rate_limit: u32,
    pub(crate) submit_deadline: Duration,
    pub(crate) connected: bool,
    pub(crate) stripe_rate: Option<u32>,
    pub(crate) speedup: u32,
    pub(crate) public_url: Option<String>,
    pub(crate) trusted_proxies: &'static str,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            rate_limit: 0,
            submit_deadline: Duration::from_secs(10),
            connected: true,
            stripe_rate: None,
            speedup: SPEEDUP,
            public_url: None,
            trusted_proxies: "",
        }
    }
}

/// A server and a sandbox.
pub(crate) struct Stage {
    pub(crate) app: Arc<App>,
    pub(crate) url: String,
    pub(crate) sandbox_url: String,
    pub(crate) admin_key: String,
    pub(crate) live_key: String,
    http: Client,
    server: Option<Server>,
    database_url: DatabaseUrl,
    // Kept until the story ends.
    _folder: TempDir,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// The data, of an answer that must be a success of this status.
    #[track_caller]
    pub(crate) fn data(&self, status: u16) -> &Value {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.body["error"], Value::Null, "{}", self.body);
        &self.body["data"]
    }

    /// The error, of an answer that must be a failure of this status and code.
    #[track_caller]
    pub(crate) fn error(&self, status: u16, code: &str) -> &Value {
        assert_eq!((self.status, self.body["error"]["code"].as_str()), (status, Some(code)), "{}", self.body);
        assert_eq!(self.body["data"], Value::Null, "{}", self.body);
        assert_eq!(self.body["error"]["requestId"].as_str(), self.header("request-id"), "{}", self.body);
        &self.body["error"]
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

impl Stage {
    /// A stage with Stripe connected in the test environment.
    pub(crate) async fn new() -> Self {
        Self::with(Setting::default()).await
    }

    pub(crate) async fn with(setting: Setting) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database_url = database(&folder).await;
        Self::set(setting, database_url, folder).await
    }

    async fn set(setting: Setting, database_url: DatabaseUrl, folder: TempDir) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let sandbox_url = start_sandbox().await;
        let app = open(&database_url, &sandbox_url, &setting).await;
        let first = FirstOrganization {
            name: "Acme".to_owned(),
            email: "owner@acme.example".to_owned(),
            password: SecretString::from("correct horse battery"),
        };
        let made = setup::first_organization(&app.store, &app.env, first).await.unwrap();
        let (url, server) = serve(&app).await;
        let stage = Self {
            app,
            url,
            sandbox_url,
            admin_key: made.test_key.expose_secret().to_owned(),
            live_key: made.live_key.expose_secret().to_owned(),
            http: Client::new(),
            server: Some(server),
            database_url,
            _folder: folder,
        };
        if setting.connected {
            stage.put("/v1/processors/stripe", json!({ "secretKey": DEV_SECRET_KEY })).await.data(200);
        }
        stage
    }

    /// A stage on this database.
    pub(crate) async fn on(database_url: DatabaseUrl) -> Self {
        Self::set(Setting::default(), database_url, tempfile::tempdir().unwrap()).await
    }

    /// Starts another server on the same database and sandbox; answers its address. It ends with the test.
    pub(crate) async fn another_instance(&self) -> String {
        let app = open(&self.database_url, &self.sandbox_url, &Setting::default()).await;
        let (url, server) = serve(&app).await;
        std::mem::forget(server);
        url
    }

    /// Stops the server in order and starts another on the same database.
    pub(crate) async fn restart(&mut self) {
        self.server.take().unwrap().stop().await;
        self.app = open(&self.database_url, &self.sandbox_url, &Setting::default()).await;
        let (url, server) = serve(&self.app).await;
        self.url = url;
        self.server = Some(server);
    }

    /// A second organization in the same database: its test admin key.
    pub(crate) async fn other_organization(&self) -> String {
        let organization_id = self.app.env.new_organization_id();
        let key = self.app.env.new_api_key(Environment::Test);
        let new = new_key(&self.app, &key, refundkit::Scope::Admin);
        let tenant = Tenant { organization_id, environment: Environment::Test };
        let now = self.app.env.now();
        self.app
            .store
            .write::<_, StoreError, _>(move |connection| {
                Box::pin(async move {
                    refundkit_server::store::organizations::insert(connection, organization_id, "Other", now).await?;
                    api_keys::insert(connection, tenant, &new).await
                })
            })
            .await
            .unwrap();
        key
    }

    /// Makes a key of this scope through the API.
    pub(crate) async fn key(&self, scope: &str) -> String {
        let made = self.post("/v1/api-keys", json!({ "name": scope, "scope": scope })).await;
        made.data(201)["key"].as_str().unwrap().to_owned()
    }

    pub(crate) fn request(&self, method: Method, path: &str, key: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(key)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path, &self.admin_key)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        send(self.request(Method::POST, path, &self.admin_key).json(&body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        send(self.request(Method::PUT, path, &self.admin_key).json(&body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        send(self.request(Method::DELETE, path, &self.admin_key)).await
    }

    /// Creates a refund under an idempotency key.
    pub(crate) async fn create_once(&self, idempotency_key: &str, body: Value) -> Answer {
        let request = self.request(Method::POST, "/v1/refunds", &self.admin_key);
        send(request.header("Idempotency-Key", idempotency_key).json(&body)).await
    }

    /// Creates a refund.
    pub(crate) async fn create(&self, transaction: &str, amount: i64) -> Answer {
        self.post("/v1/refunds", json!({ "transactionId": transaction, "amount": amount, "reason": "other" })).await
    }

    /// Reads a refund until it has this status.
    #[track_caller]
    pub(crate) fn until(&self, id: &str, status: &'static str) -> impl Future<Output = Value> {
        let path = format!("/v1/refunds/{id}");
        async move {
            let mut last = Value::Null;
            let waited = std::time::Instant::now();
            while waited.elapsed() < PATIENCE {
                last = self.get(&path).await.data(200).clone();
                if last["status"] == status {
                    return last;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            panic!("it did not become {status}: {last}");
        }
    }

    /// The types of a refund's audit trail.
    pub(crate) async fn trail(&self, id: &str) -> Vec<String> {
        let events = self.get(&format!("/v1/refunds/{id}/events")).await;
        events.data(200).as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    }

    /// Arms a fault at the sandbox.
    pub(crate) async fn fault(&self, rule: &FaultRule) {
        self.control(Method::POST, "/_sandbox/faults", Some(serde_json::to_value(rule).unwrap())).await;
    }

    /// Calls a control endpoint of the sandbox.
    pub(crate) async fn control(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let request = self.http.request(method, format!("{}{path}", self.sandbox_url));
        let answer = request.json(&body.unwrap_or_else(|| json!({}))).send().await.unwrap();
        let status = answer.status();
        let body: Value = answer.json().await.unwrap();
        assert!(status.is_success(), "{path}: {body}");
        body
    }

    /// What really happened to a charge: the sandbox's own count.
    pub(crate) async fn refunded_at_stripe(&self, charge: &str) -> (i64, usize) {
        let ledger = self.control(Method::GET, "/_sandbox/ledger", None).await;
        let charges = ledger["charges"].as_array().or_else(|| ledger["data"].as_array()).or_else(|| ledger.as_array());
        let found = charges.unwrap().iter().find(|entry| entry["charge"] == charge).unwrap().clone();
        (found["amount_refunded"].as_i64().unwrap(), found["refunds"].as_array().unwrap().len())
    }

    /// What the sandbox was asked, as `METHOD path`.
    pub(crate) async fn asked_of_stripe(&self) -> Vec<Value> {
        let log = self.control(Method::GET, "/_sandbox/requests", None).await;
        let requests = log["requests"].as_array().or_else(|| log["data"].as_array()).or_else(|| log.as_array());
        requests.unwrap().clone()
    }
}

/// Sends a request and reads its answer whole. Every answer carries a request id.
pub(crate) async fn send(request: RequestBuilder) -> Answer {
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let text = answer.text().await.unwrap();
    assert!(headers.contains_key("request-id"), "no Request-Id on {status} {text}");
    Answer { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
}

/// Starts a sandbox with the charges of `refundkit dev`; answers its address.
pub(crate) async fn start_sandbox() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let sandbox = Sandbox::open(SandboxOptions { refund_delay: REFUND_DELAY, ..SandboxOptions::default() }).unwrap();
    tokio::spawn(async move { sandbox.serve(listener, std::future::pending()).await });
    url
}

/// A new database: SQLite, or PostgreSQL when `REFUNDKIT_TEST_DATABASE=postgres` says so.
pub(crate) async fn database(folder: &TempDir) -> DatabaseUrl {
    match std::env::var("REFUNDKIT_TEST_DATABASE").as_deref() {
        Ok("postgres") => postgres::new_database().await,
        Ok(other) if other != "sqlite" => panic!("REFUNDKIT_TEST_DATABASE is sqlite or postgres, not {other}"),
        _ => DatabaseUrl::Sqlite { path: folder.path().join("refundkit.db") },
    }
}

async fn open(database_url: &DatabaseUrl, sandbox_url: &str, setting: &Setting) -> Arc<App> {
    let data = DataConfig {
        database_url: database_url.clone(),
        master_key: Some(SecretString::from("5".repeat(64))),
        master_key_file: None,
    };
    let (store, vault) = setup::open(&data).await.unwrap();
    App::start(Parts {
        env: Env::default(),
        store,
        vault,
        stripe_api_base: sandbox_url.to_owned(),
        stripe_carrier: None,
        worker_rest_max: limits::WORKER_REST_MAX,
        stripe_rate: setting.stripe_rate,
        submit_deadline: setting.submit_deadline,
        schedule: Schedule::sped_up(setting.speedup),
        rate_limit: setting.rate_limit,
        trusted_proxies: setting.trusted_proxies.parse().unwrap(),
        public_url: setting.public_url.as_deref().unwrap_or("https://refunds.example").parse().unwrap(),
    })
}

async fn serve(app: &Arc<App>) -> (String, Server) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (url, Server::start(Arc::clone(app), listener))
}

fn new_key(app: &App, key: &str, scope: refundkit::Scope) -> NewApiKey {
    NewApiKey {
        id: app.env.new_key_id(),
        name: "test".to_owned(),
        scope,
        prefix: key.chars().take(16).collect(),
        hash: refundkit::api_key::hash_api_key(key),
        created_at: app.env.now(),
    }
}

impl Stage {
    /// Makes the refund's job due at once.
    pub(crate) async fn look_now(&self, id: &str) {
        use refundkit_server::store::{jobs, refunds};
        let (id, now) = (id.parse().unwrap(), self.app.env.now());
        let tenant = self.tenant().await;
        self.app
            .store
            .write::<_, StoreError, _>(move |connection| {
                Box::pin(async move {
                    assert!(refunds::find(connection, tenant, id).await?.is_some());
                    jobs::want(connection, tenant, id, now, |asked_at| asked_at).await.map(drop)
                })
            })
            .await
            .unwrap();
        self.app.job_put.notify_one();
    }

    /// The tenant of the admin key.
    pub(crate) async fn tenant(&self) -> Tenant {
        self.tenant_of(&self.admin_key).await
    }

    /// The tenant of a key of the test environment.
    pub(crate) async fn tenant_of(&self, key: &str) -> Tenant {
        let me = send(self.request(Method::GET, "/v1/me", key)).await;
        let organization_id = me.data(200)["organizationId"].as_str().unwrap().parse().unwrap();
        Tenant { organization_id, environment: Environment::Test }
    }
}
