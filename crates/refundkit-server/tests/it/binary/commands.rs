//! The commands that speak to a server, as people type them and as scripts read them.

use std::time::Instant;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    dev::Dev,
    program::{PATIENCE, Program, Ran, control, refunds_at_stripe, run, run_with_input},
};

/// A terminal beside a running `dev`.
struct Terminal {
    folder: TempDir,
    dev: Dev,
}

impl Terminal {
    async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let dev = Dev::start(folder.path());
        control(&dev.sandbox, reqwest::Method::POST, "settings", json!({ "refund_delay_ms": 700 })).await;
        Self { folder, dev }
    }

    /// Runs what is typed after `refundkit`. Nothing but `keys create` may show a key.
    fn type_in(&self, line: &str) -> Ran {
        let arguments: Vec<_> = line.split_whitespace().collect();
        let ran = run(self.folder.path(), &arguments, &self.dev.variables());
        assert!(!ran.stdout.contains(&self.dev.key) && !ran.stderr.contains(&self.dev.key), "{line}: {ran:?}");
        ran
    }

    fn create(&self, line: &str) -> Value {
        self.type_in(&format!("refunds create {line} --json")).json()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_is_made_read_listed_and_told() {
    let terminal = Terminal::new().await;
    let made = terminal.type_in(
        "refunds create ch_1N4HbSKz9cXRvFYr --amount 2500 --currency USD --reason product_defective --metadata order=1001 --idempotency-key k1",
    );
    for words in ["completed", "25.00 USD (2500)", "product_defective", "order=1001", "cli, environment test", "re_"] {
        assert!(made.done().contains(words), "{words:?} is not in: {}", made.stdout);
    }
    // The same command again is the same refund, and says so beside the result.
    let again = terminal.type_in(
        "refunds create ch_1N4HbSKz9cXRvFYr --amount 2500 --currency USD --reason product_defective --metadata order=1001 --idempotency-key k1",
    );
    assert_eq!((again.code, &again.stdout), (Some(0), &made.stdout));
    assert!(again.stderr.contains("done before under the same idempotency key"), "{again:?}");
    assert_eq!(refunds_at_stripe(&terminal.dev.sandbox, "ch_1N4HbSKz9cXRvFYr").await.len(), 1);

    let made = terminal.create("pi_1SandboxIntent --reason customer_request");
    assert_eq!((&made["amount"], &made["initiatedBy"]), (&json!(2500), &json!("cli")));
    assert_eq!(
        (&made["transactionId"], &made["externalTransactionId"]),
        (&json!("pi_1SandboxIntent"), &json!("ch_1SandboxOfIntent"))
    );
    let id = made["id"].as_str().unwrap();
    assert_eq!(terminal.type_in(&format!("refunds get {id} --json")).json(), made);
    assert!(terminal.type_in(&format!("refunds get {id}")).done().contains("ch_1SandboxOfIntent"));

    let listed = terminal.type_in("refunds list --json").json();
    assert_eq!((listed["data"].as_array().unwrap().len(), &listed["data"][0]), (3, &made));
    assert_eq!(listed["page"], json!({ "hasMore": false, "nextCursor": null }));
    let table = terminal.type_in("refunds list --transaction ch_1SandboxOfIntent");
    assert_eq!((table.done().lines().count(), table.stdout.contains(id)), (2, true), "{}", table.stdout);
    assert_eq!(terminal.type_in("refunds list --status failed").done(), "No refunds.\n");
    let paged = terminal.type_in("refunds list --limit 1");
    assert!(paged.done().contains("the same command with --cursor "), "{}", paged.stdout);
    let cursor = paged.stdout.split_whitespace().last().unwrap();
    let next = terminal.type_in(&format!("refunds list --limit 1 --cursor {cursor} --json")).json();
    assert_eq!(next["data"][0]["id"], listed["data"][1]["id"]);

    let events = terminal.type_in(&format!("refunds events {id} --json")).json();
    let types: Vec<_> =
        events["data"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["refund.created", "refund.completed"]);
    assert!(
        terminal.type_in(&format!("refunds events {id}")).done().contains("cli; "),
        "who, through what, with what client"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_is_waited_for_and_watched_to_its_end() {
    let terminal = Terminal::new().await;
    let waited = terminal.create("ch_1SandboxPending --amount 100 --reason other --wait");
    assert_eq!(waited["status"], "completed");

    let open = terminal.type_in("refunds create ch_1SandboxPending --amount 200 --reason other --json").json();
    assert_eq!((&open["status"], &open["stage"]), (&json!("processing"), &json!("awaiting_processor")));
    let id = open["id"].as_str().unwrap();
    let watched = terminal.type_in(&format!("refunds watch {id} --json"));
    let lines: Vec<Value> = watched.done().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let statuses: Vec<_> = lines.iter().map(|refund| refund["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["processing", "completed"], "a line for each change");
    let over = terminal.type_in(&format!("refunds watch {id}"));
    assert_eq!(over.done().lines().count(), 1, "what is over is told and not waited for");

    let held = terminal.create("py_1SandboxActionNeeded --amount 100 --reason other");
    let id = held["id"].as_str().unwrap();
    let impatient = terminal.type_in(&format!("refunds watch {id} --timeout 1"));
    assert_eq!(impatient.code, Some(6));
    assert!(impatient.stderr.contains("goes on by itself"), "{impatient:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_ends_watching_and_not_the_refund() {
    let terminal = Terminal::new().await;
    let held = terminal.create("py_1SandboxActionNeeded --amount 100 --reason other");
    let id = held["id"].as_str().unwrap();
    let mut watching = Program::start(terminal.folder.path(), &["refunds", "watch", id], &terminal.dev.variables());
    // Once it has asked a second time it is watching, and listens to Ctrl-C.
    let waited = Instant::now();
    while terminal.type_in("logs --limit 100").done().matches(&format!("GET /v1/refunds/{id} ")).count() < 2 {
        assert!(waited.elapsed() < PATIENCE, "it does not ask again");
    }
    watching.signal("INT");
    assert_eq!(watching.ended().code(), Some(6));
    assert!(watching.stderr.to_its_end().contains(&format!("refundkit refunds watch {id}")));
    assert_eq!(terminal.type_in(&format!("refunds get {id} --json")).json()["stage"], "requires_action");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_waits_is_cancelled_and_one_that_is_done_is_not() {
    let terminal = Terminal::new().await;
    let held = terminal.create("py_1SandboxActionNeeded --reason other");
    let id = held["id"].as_str().unwrap();
    let cancelled = terminal.type_in(&format!("refunds cancel {id}"));
    assert!(cancelled.done().contains("cancelled"), "{}", cancelled.stdout);
    terminal.type_in(&format!("refunds cancel {id}")).done();
    assert_eq!(terminal.type_in(&format!("refunds watch {id}")).code, Some(7));

    let done = terminal.create("ch_1N4HbSKz9cXRvFYr --amount 100 --reason other");
    let id = done["id"].as_str().unwrap();
    let late = terminal.type_in(&format!("refunds cancel {id} --json"));
    let error: Value = serde_json::from_str(late.failed(3)).unwrap();
    assert_eq!(error["error"]["code"], "refund_not_cancellable");
    assert!(error["error"]["message"].as_str().unwrap().contains("completed"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_be_refunded_is_asked_without_refunding() {
    let terminal = Terminal::new().await;
    let payment = terminal.type_in("transactions get ch_1SandboxPartlyRefunded");
    for words in ["100.00 USD (10000)", "30.00 USD (3000)", "70.00 USD (7000)", "made elsewhere"] {
        assert!(payment.done().contains(words), "{words:?} is not in: {}", payment.stdout);
    }
    let payment = terminal.type_in("transactions get pi_1SandboxIntent --json").json();
    assert_eq!((&payment["refundableAmount"], &payment["valid"]), (&json!(2500), &json!(true)));
    assert!(terminal.type_in("policies check ch_1N4HbSKz9cXRvFYr --amount 2500").done().contains("yes"));
    let too_much = terminal.type_in("policies check ch_1SandboxPartlyRefunded --amount 7001 --json");
    assert_eq!(too_much.code, Some(3));
    let decision: Value = serde_json::from_str(&too_much.stdout).unwrap();
    assert_eq!((&decision["eligible"], &decision["maxAmount"]), (&json!(false), &json!(7000)));
    assert_eq!(refunds_at_stripe(&terminal.dev.sandbox, "ch_1N4HbSKz9cXRvFYr").await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_made_shown_once_used_and_revoked() {
    let terminal = Terminal::new().await;
    let made = terminal.type_in("keys create support --scope read --json").json();
    let (id, key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    assert!(refundkit::api_key::is_valid_api_key_format(key));
    let listed = terminal.type_in("keys list");
    assert!(listed.done().contains(id) && listed.stdout.contains("support") && !listed.stdout.contains(key));

    let with_it = |line: &str| {
        let variables = [("REFUNDKIT_BASE_URL", terminal.dev.url.as_str()), ("REFUNDKIT_API_KEY", key)];
        run(terminal.folder.path(), &line.split_whitespace().collect::<Vec<_>>(), &variables)
    };
    assert!(with_it("refunds list").done().contains("ref_"));
    let forbidden = with_it("refunds create ch_1N4HbSKz9cXRvFYr --reason other --json");
    assert!(forbidden.failed(4).contains("unauthorized"), "{forbidden:?}");
    let doctor = with_it("doctor");
    assert!(doctor.done().contains("trying it needs an admin key"), "{doctor:?}");

    assert!(terminal.type_in(&format!("keys revoke {id}")).done().starts_with(&format!("Revoked {id}")));
    assert!(with_it("refunds list --json").failed(4).contains("invalid_api_key"));
    let own = terminal.type_in("keys list --json").json()["data"][0]["id"].as_str().unwrap().to_owned();
    let last = terminal.type_in(&format!("keys revoke {own} --json"));
    assert!(last.failed(3).contains("last admin key"), "{last:?}");

    let told = terminal.type_in("keys create people --scope write");
    assert!(told.done().contains("never shown again"), "{}", told.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn processors_are_listed_tested_and_connected_without_a_key_on_the_command_line() {
    let terminal = Terminal::new().await;
    let listed = terminal.type_in("processors list");
    assert!(listed.done().contains("stripe") && listed.stdout.contains("active"), "{}", listed.stdout);
    let tested = terminal.type_in("processors test --json").json();
    assert_eq!((&tested["status"], &tested["secretKeyHint"]), (&json!("active"), &json!("sk_test_…_key")));

    let connect = |input: &str, more: &[(&str, &str)]| {
        let variables = [&terminal.dev.variables(), more].concat();
        run_with_input(terminal.folder.path(), &["processors", "connect", "stripe"], &variables, input)
    };
    let expired = connect(&format!("{}\n", refundkit_sandbox::DEV_EXPIRED_KEY), &[]);
    let said = expired.failed(3);
    assert!(said.contains("Expired API Key") && said.contains("what to do: "), "{said}");
    assert!(!said.contains(refundkit_sandbox::DEV_EXPIRED_KEY), "{said}");
    assert_eq!(terminal.type_in("processors test --json").json()["status"], "active", "the good key is still there");
    let piped = connect(&format!("{}\n", refundkit_sandbox::DEV_READ_ONLY_KEY), &[]);
    assert!(piped.done().contains("rk_test_…"), "{}", piped.stdout);
    assert!(piped.stdout.contains("Charges and Refunds: Write (rak_charge_write)"), "{}", piped.stdout);
    let of_variable = connect("", &[("STRIPE_SECRET_KEY", refundkit_sandbox::DEV_SECRET_KEY)]);
    assert!(of_variable.done().contains("sk_test_…"), "{}", of_variable.stdout);
    let own_key = connect(&terminal.dev.key, &[]);
    assert!(matches!(own_key.code, Some(2 | 3)) && own_key.stderr.contains("RefundKit"), "{own_key:?}");

    let account = terminal.type_in("processors connect stripe --keep-key --account somebody --json");
    assert!(account.failed(3).contains("\"field\": \"connect.account\""), "{account:?}");

    terminal.type_in("processors disconnect stripe").done();
    let without = terminal.type_in("doctor");
    assert_eq!(without.code, Some(3));
    assert!(without.stdout.contains("refundkit processors connect stripe"), "{without:?}");
    let refused = terminal.type_in("refunds create ch_1N4HbSKz9cXRvFYr --reason other --json");
    assert!(refused.failed(3).contains("processor_not_connected"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_the_log_and_the_api_description_are_those_of_this_server() {
    let terminal = Terminal::new().await;
    let healthy = terminal.type_in("doctor --json").json();
    assert_eq!((&healthy["healthy"], healthy["checks"].as_array().unwrap().len()), (&json!(true), 4));
    terminal.type_in("refunds get ref_01k9zzzzzzzzzzzzzzzzzzzzzz").failed(3);
    // Log entries wait a moment for company before they are written.
    let waited = Instant::now();
    let log = loop {
        let log = terminal.type_in("logs --limit 100");
        if log.done().contains("ref_01k9") || waited.elapsed() > PATIENCE {
            break log.stdout;
        }
    };
    assert!(log.contains("not_found") && log.contains("/v1/processors/stripe/test") && log.contains("cli"), "{log}");

    let printed = terminal.type_in("openapi").json();
    assert_eq!(printed, terminal.dev.get("/openapi.json").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_stands_in_the_process_list() {
    let terminal = Terminal::new().await;
    let held = terminal.create("py_1SandboxActionNeeded --amount 100 --reason other");
    let arguments = ["refunds", "watch", held["id"].as_str().unwrap()];
    let watching = Program::start(terminal.folder.path(), &arguments, &terminal.dev.variables());
    watching.stdout.until("requires_action");
    for program in [&terminal.dev.program, &watching] {
        let Ok(arguments) = std::fs::read(format!("/proc/{}/cmdline", program.id())) else { return };
        let arguments = String::from_utf8(arguments).unwrap();
        assert!(!arguments.contains(&terminal.dev.key) && !arguments.contains("sk_test_"), "{arguments}");
    }
}
