//! `refundkit dev`: what a newcomer meets in the first minute, and finds again in the second.

use std::{fs, path::Path};

use refundkit_sandbox::DEV_SECRET_KEY;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::program::{
    PATIENCE, Program, assert_silent_about, between, control, http, mode, paste, refunds_at_stripe, run,
};

const FIRST_CHARGE: &str = "ch_1SandboxFirstRefund";
const LAST_LINE: &str = "Serving until Ctrl-C.";
const DATA_FOLDER: &str = ".refundkit";
const TERMINAL_COLUMNS: usize = 120;

/// A running `refundkit dev` and what it printed.
pub(super) struct Dev {
    pub(super) program: Program,
    pub(super) welcome: String,
    pub(super) url: String,
    pub(super) sandbox: String,
    pub(super) key: String,
}

impl Dev {
    /// Starts it as README says, on free ports.
    pub(super) fn start(folder: &Path) -> Self {
        Self::start_with(folder, &[])
    }

    pub(super) fn start_with(folder: &Path, variables: &[(&str, &str)]) -> Self {
        let told = readme_arguments();
        let mut arguments: Vec<&str> = told.iter().map(String::as_str).collect();
        arguments.extend(["--listen", "127.0.0.1:0", "--sandbox-listen", "127.0.0.1:0"]);
        let program = Program::start(folder, &arguments, variables);
        let welcome = program.stdout.until(LAST_LINE);
        let url = between(&welcome, "REFUNDKIT_BASE_URL=", " ").to_owned();
        let sandbox = between(&welcome, "Stripe sandbox  ", " ").to_owned();
        let key = between(&welcome, "REFUNDKIT_API_KEY=", "\n").to_owned();
        Self { program, welcome, url, sandbox, key }
    }

    /// The variables that the welcome tells to export.
    pub(super) fn variables(&self) -> [(&str, &str); 2] {
        [("REFUNDKIT_BASE_URL", &self.url), ("REFUNDKIT_API_KEY", &self.key)]
    }

    /// The password of the dashboard's owner.
    pub(super) fn password(&self) -> &str {
        between(&self.welcome, "(owner@localhost, password ", ")")
    }

    /// Where the owner gets to who signs in with this password.
    async fn sign_in(&self, password: &str) -> u16 {
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("email", "owner@localhost"), ("password", password)])
            .finish();
        let request = http().post(format!("{}/login", self.url)).body(form).header("sec-fetch-site", "same-origin");
        request.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap().status().as_u16()
    }

    pub(super) async fn get(&self, path: &str) -> Value {
        let answer = http().get(format!("{}{path}", self.url)).bearer_auth(&self.key).send().await.unwrap();
        answer.json().await.unwrap()
    }
}

/// What README's first command passes to the program.
fn readme_arguments() -> Vec<String> {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let line = readme.lines().find_map(|line| line.strip_prefix("cargo run --release -- ")).unwrap();
    line.split_whitespace().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_minute_shows_a_refund_from_end_to_end_and_serves() {
    let folder = TempDir::new().unwrap();
    let mut dev = Dev::start(folder.path());
    let welcome = &dev.welcome;
    let timeline = between(welcome, "One refund, from end to end, in ", "Paste next");
    let (created, completed) = (timeline.find("refund.created"), timeline.find("refund.completed"));
    assert!(created.is_some() && created < completed, "{timeline}");
    for told in [
        &*format!("42.00 USD of {FIRST_CHARGE}: completed"),
        &*format!("Dashboard       {}   (owner@localhost, password ", dev.url),
        &*format!("Server          {}", dev.url),
        &*format!("Reference       {}/docs", dev.url),
        DEV_SECRET_KEY,
        "(test, admin)",
        "ch_1N4HbSKz9cXRvFYr",
        " refunds list\n",
        " doctor\n",
    ] {
        assert!(welcome.contains(told), "{told:?} is not in: {welcome}");
    }
    for line in welcome.lines().filter(|line| !line.contains(env!("CARGO_BIN_EXE_refundkit"))) {
        assert!(line.chars().count() <= TERMINAL_COLUMNS, "too wide for a terminal: {line}");
    }
    assert!(dev.key.starts_with("rk_test_") && refundkit::api_key::is_valid_api_key_format(&dev.key), "{}", dev.key);

    for page in ["/docs", "/openapi.json", "/llms.txt", "/healthz", "/readyz"] {
        assert_eq!(http().get(format!("{}{page}", dev.url)).send().await.unwrap().status(), 200, "{page}");
    }
    let listed = dev.get("/v1/refunds").await;
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
    assert_eq!((&listed["data"][0]["status"], &listed["data"][0]["amount"]), (&json!("completed"), &json!(4200)));

    dev.program.signal("INT");
    assert_eq!(dev.program.ended().code(), Some(0));
    assert!(dev.program.stdout.to_its_end().ends_with("Stopped. The next start finds everything as it is.\n"));
    assert_eq!(dev.program.stderr.to_its_end(), "", "nothing went wrong, so nothing is said");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_start_finds_data_and_keys_and_makes_no_new_refund() {
    let folder = TempDir::new().unwrap();
    let refund_of = |dev: &Dev| between(&dev.welcome, "completed (", " ").to_owned();
    let mut first = Dev::start(folder.path());
    let (key, refund) = (first.key.clone(), refund_of(&first));
    assert!(refund.starts_with("ref_"), "{}", first.welcome);
    let body = json!({ "transactionId": "ch_1N4HbSKz9cXRvFYr", "amount": 100, "reason": "other" });
    let made = http().post(format!("{}/v1/refunds", first.url)).bearer_auth(&key).json(&body).send().await.unwrap();
    assert_eq!(made.status(), 201);
    first.program.signal("INT");
    assert_eq!(first.program.ended().code(), Some(0), "{}", first.program.stderr.to_its_end());

    // Other ports, as after a reboot: the saved connection goes to the sandbox of this start.
    let second = Dev::start(folder.path());
    assert_eq!((&second.key, refund_of(&second)), (&key, refund));
    assert_eq!(second.password(), first.password());
    assert!(second.welcome.contains("The refund that an earlier start made:"), "{}", second.welcome);
    assert!(second.welcome.contains("refund.created") && second.welcome.contains("refund.completed"));
    assert_eq!(refunds_at_stripe(&second.sandbox, FIRST_CHARGE).await.len(), 1);
    assert_eq!(second.get("/v1/refunds").await["data"].as_array().unwrap().len(), 2);
    let doctor = run(folder.path(), &["doctor"], &second.variables());
    assert!(doctor.done().contains("ok     processor key"), "{doctor:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn news_reach_it_by_webhook_also_at_another_port() {
    let folder = TempDir::new().unwrap();
    for charge in ["ch_1SandboxFails", "ch_1SandboxPending"] {
        // Slower than life, so that no poll is due while the test runs.
        let mut dev = Dev::start_with(folder.path(), &[("REFUNDKIT_SCHEDULE_SPEEDUP", "1")]);
        control(&dev.sandbox, reqwest::Method::POST, "settings", json!({ "refund_delay_ms": 300 })).await;
        let connection = dev.get("/v1/processors").await["data"][0].clone();
        assert!(connection["webhookUrl"].as_str().unwrap().starts_with(&dev.url), "{connection}");
        assert!(connection["webhookSecretHint"].as_str().unwrap().starts_with("whsec_…"), "{connection}");
        let endpoints = http().get(format!("{}/v1/webhook_endpoints", dev.sandbox)).bearer_auth(DEV_SECRET_KEY);
        let endpoints: Value = endpoints.send().await.unwrap().json().await.unwrap();
        assert_eq!(endpoints["data"].as_array().unwrap().len(), 1, "{endpoints}");

        let body = json!({ "transactionId": charge, "reason": "other" });
        let made = http().post(format!("{}/v1/refunds", dev.url)).bearer_auth(&dev.key).json(&body).send().await;
        let made: Value = made.unwrap().json().await.unwrap();
        let (id, first) = (made["data"]["id"].as_str().unwrap(), made["data"]["status"].clone());
        let waited = std::time::Instant::now();
        while dev.get(&format!("/v1/refunds/{id}")).await["data"]["status"] == first {
            assert!(waited.elapsed() < PATIENCE, "no news of {charge}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        dev.program.signal("INT");
        assert_eq!(dev.program.ended().code(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn its_books_are_compared_with_the_sandboxs_beside_it() {
    let folder = TempDir::new().unwrap();
    let dev = Dev::start(folder.path());
    let variables = [("REFUNDKIT_STRIPE_API_BASE", dev.sandbox.as_str())];
    let reconcile = |arguments: &[&str]| run(folder.path(), &[&["reconcile"], arguments].concat(), &variables);
    // One charge of the sandbox's was partly refunded by somebody else: news once.
    let first = reconcile(&["--json"]);
    let report: Value = serde_json::from_str(&first.stdout).unwrap();
    assert_eq!((first.code, &report["driftCount"]), (Some(8), &json!(1)), "{first:?}");
    assert_eq!(report["connections"][0]["drift"][0]["kind"], "made_elsewhere");
    assert!(reconcile(&[]).done().contains("compared 1, at the processor 2, differences 0"));
    assert!(reconcile(&["--since", "yesterday"]).failed(2).contains("30d"));
    assert_eq!(dev.program.stderr.text(), "");
    let missing = run(folder.path(), &["reconcile"], &[("REFUNDKIT_DATABASE_URL", "sqlite://./none.db")]);
    assert!(missing.failed(1).contains("REFUNDKIT_DATABASE_URL"), "{missing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_it_keeps_is_for_its_owner_only() {
    let folder = TempDir::new().unwrap();
    let dev = Dev::start(folder.path());
    let data = folder.path().join(DATA_FOLDER);
    assert_eq!(mode(&data), 0o700);
    for name in ["refundkit.db", "master.key", "dev-key", "dev-password", "sandbox.json"] {
        assert!(data.join(name).is_file(), "{name}");
    }
    for entry in fs::read_dir(&data).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        // The database holds keys hashed or sealed, whoever reads it.
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("refundkit.db")) {
            let bytes = fs::read(&path).unwrap();
            for secret in [dev.key.as_bytes(), dev.password().as_bytes(), DEV_SECRET_KEY.as_bytes()] {
                assert!(!bytes.windows(secret.len()).any(|window| window == secret), "{}", path.display());
            }
        }
    }
    assert_eq!(fs::read_to_string(data.join("dev-key")).unwrap().trim(), dev.key);
    let here: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(here, [DATA_FOLDER], "nothing is left lying around it");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_tells_to_paste_works_as_pasted() {
    let folder = TempDir::new().unwrap();
    let dev = Dev::start(folder.path());
    control(&dev.sandbox, reqwest::Method::POST, "settings", json!({ "refund_delay_ms": 300 })).await;
    let block = between(&dev.welcome, "Paste next, in another terminal:\n\n", "\nTo refund:");
    let export = block.lines().next().unwrap();
    let curl = format!("curl{}", between(block, "  curl", "\n\n"));
    let body = if paste(folder.path(), "command -v curl").code == Some(0) {
        let pasted = paste(folder.path(), &format!("{export}\n{curl}"));
        serde_json::from_str(pasted.done()).unwrap()
    } else {
        let body = between(&curl, "-d '", "'").to_owned();
        let request = http().post(format!("{}/v1/refunds", dev.url)).bearer_auth(&dev.key).body(body);
        let request = request.header("Content-Type", "application/json").header("Idempotency-Key", "order-1001");
        request.send().await.unwrap().json::<Value>().await.unwrap()
    };
    assert_eq!((&body["data"]["status"], &body["data"]["amount"]), (&json!("completed"), &json!(2500)), "{body}");
    assert_eq!(body["error"], Value::Null);

    let commands = block.lines().map(str::trim).filter(|line| line.starts_with(env!("CARGO_BIN_EXE_refundkit")));
    let commands: Vec<_> = commands.collect();
    assert_eq!(commands.len(), 3, "{block}");
    for command in commands {
        let pasted = paste(folder.path(), &format!("{export}\n{command}"));
        assert!(!pasted.done().is_empty(), "{command}");
        assert_silent_about(&pasted.stdout, &[&dev.key]);
    }
    assert_eq!(refunds_at_stripe(&dev.sandbox, "ch_1SandboxPending").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_charge_it_offers_exists_and_the_one_it_refunded_is_not_offered() {
    let folder = TempDir::new().unwrap();
    let dev = Dev::start(folder.path());
    let offered = between(&dev.welcome, "To refund:\n\n", "\n\nServing");
    assert!(offered.lines().count() > 10, "{offered}");
    assert!(!offered.contains(FIRST_CHARGE), "it has been refunded already: {offered}");
    for line in offered.lines() {
        let id = line.split_whitespace().next().unwrap();
        let shown = run(folder.path(), &["transactions", "get", id], &dev.variables());
        assert!(shown.done().contains(id), "{shown:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_listens_on_this_machine_only_and_says_which_port_is_taken() {
    let folder = TempDir::new().unwrap();
    let open = run(folder.path(), &["dev", "--listen", "0.0.0.0:0"], &[]);
    assert!(open.failed(1).contains("127.0.0.1") && open.stderr.contains("refundkit serve"), "{open:?}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for setting in ["--listen", "--sandbox-listen"] {
        let other = if setting == "--listen" { "--sandbox-listen" } else { "--listen" };
        let blocked = run(folder.path(), &["dev", setting, &address, other, "127.0.0.1:0"], &[]);
        let said = blocked.failed(1);
        assert!(said.contains(&address) && said.contains(setting), "{said}");
    }
    assert!(!folder.path().join(DATA_FOLDER).exists(), "a start that fails leaves nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_belongs_to_one_process_at_a_time() {
    let folder = TempDir::new().unwrap();
    let first = Dev::start(folder.path());
    let second = run(folder.path(), &["dev", "--listen", "127.0.0.1:0", "--sandbox-listen", "127.0.0.1:0"], &[]);
    assert!(second.failed(1).contains("Stop it, or choose another folder with --data-dir"), "{second:?}");
    first.program.kill();
    let third = Dev::start(folder.path());
    assert!(third.welcome.contains("The refund that an earlier start made:"), "{}", third.welcome);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_key_file_is_made_anew_and_the_old_key_stays_good() {
    let folder = TempDir::new().unwrap();
    let mut first = Dev::start(folder.path());
    first.program.signal("TERM");
    assert_eq!(first.program.ended().code(), Some(0));
    let path = folder.path().join(DATA_FOLDER).join("dev-key");
    fs::remove_file(&path).unwrap();
    let second = Dev::start(folder.path());
    assert_ne!(second.key, first.key);
    assert_eq!((mode(&path), fs::read_to_string(&path).unwrap().trim()), (0o600, second.key.as_str()));
    for key in [&first.key, &second.key] {
        let me = http().get(format!("{}/v1/me", second.url)).bearer_auth(key).send().await.unwrap();
        assert_eq!(me.status(), 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboards_password_is_kept_and_a_folder_from_before_gets_one() {
    let folder = TempDir::new().unwrap();
    let mut first = Dev::start(folder.path());
    assert_eq!(first.sign_in(first.password()).await, 200, "the page behind the log-in");
    assert_eq!(first.sign_in("not the password").await, 403);
    first.program.signal("TERM");
    assert_eq!(first.program.ended().code(), Some(0));
    let path = folder.path().join(DATA_FOLDER).join("dev-password");
    fs::remove_file(&path).unwrap();
    let second = Dev::start(folder.path());
    assert_ne!(second.password(), first.password());
    assert_eq!((mode(&path), fs::read_to_string(&path).unwrap().trim()), (0o600, second.password()));
    assert_eq!((second.sign_in(first.password()).await, second.sign_in(second.password()).await), (403, 200));
}
