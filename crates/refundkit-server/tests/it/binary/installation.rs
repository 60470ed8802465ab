//! `setup` and `serve`: an installation is made once, opens with its own key only, and ends in order.

use std::{
    fs,
    path::{Path, PathBuf},
};

use refundkit::ErrorCode;
use refundkit_sandbox::DEV_SECRET_KEY;
use refundkit_server::{accounts, config::DatabaseUrl, setup};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::Stage;

use super::program::{Program, Ran, assert_silent_about, between, control, http, mode, refunds_at_stripe, run};

const SETUP: [&str; 6] = ["setup", "--organization", "Acme", "--email", "owner@acme.example", "--json"];
/// Log lines that a server writes when it can be called.
const LISTENING: &str = "listening on http://";
const ANOTHER_MASTER_KEY: &str = "abababababababababababababababababababababababababababababababab";

/// A sandbox in a process of its own, which outlives the server.
pub(super) struct Sandbox {
    // Runs as long as the test.
    _program: Program,
    pub(super) url: String,
}

impl Sandbox {
    pub(super) fn start(folder: &Path) -> Self {
        let program = Program::start(folder, &["sandbox", "--listen", "127.0.0.1:0", "--refund-delay-ms", "300"], &[]);
        let url =
            format!("http://{}", between(&program.stderr.until("sandbox on http://"), "sandbox on http://", "\""));
        Self { _program: program, url }
    }
}

/// An installation: a folder, a sandbox, and what `setup` told.
pub(super) struct Installation {
    pub(super) folder: TempDir,
    pub(super) sandbox: Sandbox,
    pub(super) made: Value,
    /// The database, when it is not the SQLite file that is the default.
    database_url: Option<String>,
}

impl Installation {
    pub(super) fn new() -> Self {
        Self::make(None)
    }

    /// An installation on a PostgreSQL database.
    pub(super) fn on(database_url: &DatabaseUrl) -> Self {
        let DatabaseUrl::Postgres { url } = database_url else { panic!("not a PostgreSQL database") };
        Self::make(Some(url.expose_secret().to_owned()))
    }

    fn make(database_url: Option<String>) -> Self {
        let folder = TempDir::new().unwrap();
        let sandbox = Sandbox::start(folder.path());
        let variables: Vec<_> = database_url.iter().map(|url| ("REFUNDKIT_DATABASE_URL", url.as_str())).collect();
        let made = run(folder.path(), &SETUP, &variables).json();
        Self { folder, sandbox, made, database_url }
    }

    /// Runs a command of this installation to its end.
    pub(super) fn run(&self, line: &str) -> Ran {
        run(self.folder.path(), &line.split_whitespace().collect::<Vec<_>>(), &self.variables())
    }

    pub(super) fn key(&self) -> &str {
        self.made["testKey"].as_str().unwrap()
    }

    pub(super) fn database(&self) -> PathBuf {
        self.folder.path().join(".refundkit/refundkit.db")
    }

    pub(super) fn serve(&self) -> Served {
        self.serve_with(&[])
    }

    pub(super) fn serve_with(&self, more: &[(&str, &str)]) -> Served {
        let program = Program::start(self.folder.path(), &["serve"], &[&self.variables()[..], more].concat());
        self.served(program)
    }

    /// The server that a program is about to be.
    pub(super) fn served(&self, program: Program) -> Served {
        let url = format!("http://{}", between(&program.stderr.until(LISTENING), LISTENING, "\""));
        Served { program, url, key: self.key().to_owned() }
    }

    pub(super) fn variables(&self) -> Vec<(&str, &str)> {
        let own = [
            // The same at every start, on whatever port.
            ("REFUNDKIT_PUBLIC_URL", "https://refunds.example"),
            ("REFUNDKIT_LISTEN", "127.0.0.1:0"),
            ("REFUNDKIT_METRICS_LISTEN", "off"),
            ("REFUNDKIT_STRIPE_API_BASE", &self.sandbox.url),
            ("REFUNDKIT_SCHEDULE_SPEEDUP", "1000"),
        ];
        let database = self.database_url.iter().map(|url| ("REFUNDKIT_DATABASE_URL", url.as_str()));
        own.into_iter().chain(database).collect()
    }

    /// A start that must fail.
    pub(super) fn serve_refused(&self, more: &[(&str, &str)]) -> Ran {
        run(self.folder.path(), &["serve"], &[&self.variables()[..], more].concat())
    }
}

/// A running server.
pub(super) struct Served {
    pub(super) program: Program,
    pub(super) url: String,
    key: String,
}

impl Served {
    pub(super) fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        http().request(method, format!("{}{path}", self.url)).bearer_auth(&self.key)
    }

    pub(super) async fn get(&self, path: &str) -> Value {
        self.request(reqwest::Method::GET, path).send().await.unwrap().json().await.unwrap()
    }

    pub(super) async fn connect_stripe(&self) {
        let request = self.request(reqwest::Method::PUT, "/v1/processors/stripe");
        let answer = request.json(&json!({ "secretKey": DEV_SECRET_KEY })).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    }
}

#[test]
fn setup_makes_an_organization_an_owner_and_keys_that_are_for_the_owner_only() {
    let folder = TempDir::new().unwrap();
    let made = run(folder.path(), &SETUP, &[]).json();
    let fields: Vec<_> = made.as_object().unwrap().keys().map(String::as_str).collect();
    let mut documented = ["organizationId", "ownerEmail", "ownerPassword", "testKey", "liveKey"];
    documented.sort_unstable();
    assert_eq!(fields, documented, "exactly the documented fields");
    let text = |field: &str| made[field].as_str().unwrap().to_owned();
    assert!(text("organizationId").starts_with("org_"));
    assert_eq!(text("ownerEmail"), "owner@acme.example");
    assert!(text("ownerPassword").chars().count() >= 12);
    for (field, environment) in [("testKey", refundkit::Environment::Test), ("liveKey", refundkit::Environment::Live)] {
        assert_eq!(refundkit::api_key::api_key_environment(&text(field)), Some(environment));
    }
    for name in [".refundkit/refundkit.db", ".refundkit/master.key"] {
        assert_eq!(mode(&folder.path().join(name)), 0o600, "{name}");
    }
}

#[test]
fn setup_refuses_a_second_time_and_changes_nothing() {
    let folder = TempDir::new().unwrap();
    run(folder.path(), &SETUP, &[]).json();
    let second = run(folder.path(), &SETUP, &[]);
    let error: Value = serde_json::from_str(second.failed(1)).unwrap();
    assert!(error["error"]["message"].as_str().unwrap().contains("set up already"), "{error}");
    let told = run(folder.path(), &SETUP[..5], &[]);
    assert!(told.failed(1).starts_with("error: ") && told.stderr.contains("refundkit keys create"), "{told:?}");
}

#[test]
fn setup_tells_people_to_keep_the_keys_and_what_comes_next() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("password"), "correct horse battery staple\n").unwrap();
    let arguments = [&SETUP[..5], &["--password-file", "password"]].concat();
    let told = run(folder.path(), &arguments, &[]);
    for words in
        ["Acme (org_", "owner@acme.example", "correct horse battery staple", "not shown again", "refundkit serve"]
    {
        assert!(told.done().contains(words), "{words:?} is not in: {}", told.stdout);
    }
}

#[test]
fn setup_refuses_what_is_no_name_no_address_and_no_password_before_it_makes_anything() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("short"), "short").unwrap();
    let arguments: [&[&str]; 5] = [
        &["setup", "--organization", " ", "--email", "a@b.example"],
        &["setup", "--organization", "Acme", "--email", "nobody"],
        &["setup", "--organization", "Acme", "--email", "a@b.example", "--password-file", "short"],
        &["setup", "--organization", "Acme", "--email", "a@b.example", "--password-file", "absent"],
        &["setup", "--organization", "Acme", "--email", "a@b.example", "--database-url", "mysql://x"],
    ];
    for arguments in arguments {
        let refused = run(folder.path(), arguments, &[]);
        assert!(matches!(refused.code, Some(1 | 2)) && refused.stderr.starts_with("error: "), "{refused:?}");
    }
    assert!(!folder.path().join(".refundkit").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_further_organization_is_made_beside_a_running_server_and_sees_nothing_of_the_first() {
    let installation = Installation::new();
    let serving = installation.serve();
    serving.connect_stripe().await;
    let create = ["organizations", "create", "--organization", "Acme Japan", "--email", "owner@acme.jp", "--json"];
    let made = run(installation.folder.path(), &create, &[]).json();
    assert_ne!(made["organizationId"], installation.made["organizationId"]);
    let list = async |key: &Value| {
        let request = http().get(format!("{}/v1/processors", serving.url)).bearer_auth(key.as_str().unwrap());
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        answer["data"].as_array().unwrap().len()
    };
    assert_eq!((list(&installation.made["testKey"]).await, list(&made["testKey"]).await), (1, 0));
    let taken = run(installation.folder.path(), &create, &[]);
    assert!(taken.failed(1).contains("owner@acme.jp belongs to somebody already"), "{taken:?}");
}

#[test]
fn the_ways_back_in_need_a_database_and_people_who_are_in_it() {
    let folder = TempDir::new().unwrap();
    let reset = ["users", "reset-password", "--email", "Owner@acme.example", "--json"];
    let create = ["organizations", "create", "--organization", "Acme", "--email", "owner@acme.example"];
    for arguments in [&reset[..], &create] {
        assert!(run(folder.path(), arguments, &[]).failed(1).contains("refundkit setup"), "{arguments:?}");
    }
    assert!(!folder.path().join(".refundkit").exists());
    let made = run(folder.path(), &SETUP, &[]).json();
    let told = run(folder.path(), &reset, &[]).json();
    assert_eq!(told["email"], "owner@acme.example");
    assert!(told["password"].as_str().unwrap().len() >= 12 && told["password"] != made["ownerPassword"]);
    let nobody = run(folder.path(), &["users", "reset-password", "--email", "nobody@acme.example"], &[]);
    assert!(nobody.failed(1).contains("nobody here has the address nobody@acme.example"), "{nobody:?}");
    fs::write(folder.path().join("short"), "short").unwrap();
    let short = run(folder.path(), &[&reset[..], &["--password-file", "short"]].concat(), &[]);
    assert!(short.failed(2).contains("12 to 200 characters"), "{short:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_ends_the_old_one_and_the_sessions_it_began() {
    let stage = Stage::new().await;
    let (email, old, new) = ("owner@acme.example", "correct horse battery", "staple battery horse");
    let here = std::net::Ipv4Addr::LOCALHOST.into();
    let sign_in = async |password: &str| accounts::sign_in(&stage.app, email, SecretString::from(password), here).await;
    let signed_in =
        async |token: &SecretString| accounts::session(&stage.app, token.expose_secret()).await.unwrap().is_some();
    let token = sign_in(old).await.unwrap();
    assert!(signed_in(&token).await);
    setup::reset_password(&stage.app.store, email, SecretString::from(new)).await.unwrap();
    assert!(!signed_in(&token).await);
    assert_eq!(sign_in(old).await.unwrap_err().code(), ErrorCode::Unauthorized);
    assert!(signed_in(&sign_in(new).await.unwrap()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_opens_its_data_with_its_own_key_only() {
    let installation = Installation::new();
    let serving = installation.serve();
    serving.connect_stripe().await;
    drop(serving);

    let key_file = installation.folder.path().join(".refundkit/master.key");
    let kept = installation.folder.path().join("kept");
    fs::rename(&key_file, &kept).unwrap();
    let without = installation.serve_refused(&[]);
    let said = without.failed(1);
    for words in ["there is no master key at", "master.key", "REFUNDKIT_MASTER_KEY"] {
        assert!(said.contains(words), "{words:?} is not in: {said}");
    }
    assert!(!key_file.exists(), "a new key would hide that the old one is lost");

    let wrong = installation.serve_refused(&[("REFUNDKIT_MASTER_KEY", ANOTHER_MASTER_KEY)]);
    assert!(wrong.failed(1).contains("not the one that sealed"), "{wrong:?}");
    assert_silent_about(&wrong.stderr, &[ANOTHER_MASTER_KEY]);
    let malformed = installation.serve_refused(&[("REFUNDKIT_MASTER_KEY", "not-hexadecimal-at-all")]);
    assert!(malformed.failed(1).contains("64"), "{malformed:?}");
    assert_silent_about(&malformed.stderr, &["not-hexadecimal-at-all"]);
    let absent = installation.serve_refused(&[("REFUNDKIT_MASTER_KEY_FILE", "nowhere/master.key")]);
    assert!(absent.failed(1).contains("nowhere/master.key"), "{absent:?}");

    // With its key, wherever that is, everything is there.
    let kept = kept.to_str().unwrap();
    let serving = installation.serve_with(&[("REFUNDKIT_MASTER_KEY_FILE", kept)]);
    let connections = serving.get("/v1/processors").await;
    assert_eq!(connections["data"][0]["status"], "active", "{connections}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_serve_makes_database_and_key_and_says_what_is_missing() {
    let folder = TempDir::new().unwrap();
    let variables = [("REFUNDKIT_LISTEN", "127.0.0.1:0"), ("REFUNDKIT_METRICS_LISTEN", "off")];
    let mut program = Program::start(folder.path(), &["serve"], &variables);
    let said = program.stderr.until("no organization yet");
    assert!(said.contains(LISTENING) && said.contains("refundkit setup --organization"), "{said}");
    for line in said.lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok(), "away from a terminal log lines are JSON: {line}");
    }
    assert!(folder.path().join(".refundkit/master.key").is_file());
    // Who finds the page to sign in is told where to begin, and not the secret that is part of it.
    let login = format!("http://{}/login", between(&said, LISTENING, "\""));
    let page = http().get(login).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("Nobody is here yet") && !page.contains("name=\"password\""), "{page}");
    assert!(!page.contains(between(&said, "/setup?token=", " ")), "{page}");
    program.signal("TERM");
    assert_eq!(program.ended().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_told_to_stop_finishes_what_is_under_way() {
    for signal in ["TERM", "INT"] {
        let installation = Installation::new();
        let mut serving = installation.serve();
        serving.connect_stripe().await;
        let delay = json!({ "method": "POST", "path_prefix": "/v1/refunds", "fault": { "kind": "delay", "ms": 1500 } });
        control(&installation.sandbox.url, reqwest::Method::POST, "faults", delay).await;
        let body = json!({ "transactionId": "ch_1N4HbSKz9cXRvFYr", "amount": 100, "reason": "other" });
        let create = serving.request(reqwest::Method::POST, "/v1/refunds").json(&body);
        let answer = tokio::spawn(create.send());
        while refunds_at_stripe(&installation.sandbox.url, "ch_1N4HbSKz9cXRvFYr").await.is_empty() {
            tokio::task::yield_now().await;
        }
        serving.program.signal(signal);
        let answer = answer.await.unwrap().unwrap();
        assert_eq!(answer.status(), 201, "{signal}: {}", answer.text().await.unwrap());
        assert_eq!(serving.program.ended().code(), Some(0), "{signal}");
        assert_eq!(serving.program.stdout.to_its_end(), "", "a server writes to its log only");
        let log = serving.program.stderr.to_its_end();
        assert!(log.contains("stopping: finishing what is under way"), "{log}");
        assert!(!log.contains("ERROR") && !log.contains("WARN"), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_log_at_any_level_holds_a_key_or_what_the_caller_said_about_the_customer() {
    let installation = Installation::new();
    let mut serving = installation.serve_with(&[("REFUNDKIT_LOG", "trace")]);
    serving.connect_stripe().await;
    let body = json!({
        "transactionId": "ch_1N4HbSKz9cXRvFYr", "amount": 100, "reason": "other", "metadata": { "note": "Mrs. Confidential" },
    });
    let made = serving.request(reqwest::Method::POST, "/v1/refunds").json(&body).send().await.unwrap();
    assert_eq!(made.status(), 201);
    let stranger =
        http().get(format!("{}/v1/refunds", serving.url)).bearer_auth("rk_test_StrangersKeyStrangersKey0123456").send();
    assert_eq!(stranger.await.unwrap().status(), 401);
    serving.program.signal("TERM");
    assert_eq!(serving.program.ended().code(), Some(0));
    let log = serving.program.stderr.to_its_end();
    assert!(log.contains("/v1/refunds"), "it did log at trace");
    let master_key = fs::read_to_string(installation.folder.path().join(".refundkit/master.key")).unwrap();
    let password = installation.made["ownerPassword"].as_str().unwrap();
    let live = installation.made["liveKey"].as_str().unwrap();
    let secrets = [DEV_SECRET_KEY, installation.key(), live, password, master_key.trim()];
    assert_silent_about(&log, &secrets);
    assert_silent_about(&log, &["StrangersKeyStrangersKey", "Mrs. Confidential", "Mrs.+Confidential"]);
}

#[test]
fn settings_that_make_no_sense_are_refused_with_the_name_of_the_setting() {
    let folder = TempDir::new().unwrap();
    for (variable, value, flag) in [
        ("REFUNDKIT_LISTEN", "everywhere", "--listen"),
        ("REFUNDKIT_DATABASE_URL", "mysql://x", "--database-url"),
        ("REFUNDKIT_RATE_LIMIT", "-1", "--rate-limit"),
        ("REFUNDKIT_SUBMIT_DEADLINE_MS", "0", "--submit-deadline-ms"),
        ("REFUNDKIT_METRICS_LISTEN", "0.0.0.0:9464", "--metrics-listen"),
    ] {
        let refused = run(folder.path(), &["serve"], &[(variable, value)]);
        assert!(refused.failed(2).contains(flag), "{refused:?}");
    }
    assert!(!folder.path().join(".refundkit").exists());
}
