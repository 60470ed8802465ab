//! How commands fail: with an exit code that scripts can match, in words that help, and without telling a secret.

use serde_json::Value;
use tempfile::TempDir;

use super::{
    dev::Dev,
    program::{Program, Ran, assert_silent_about, run, run_with_input},
};

const STRANGERS_KEY: &str = "rk_test_StrangersKeyStrangersKey01234567";

fn type_in(folder: &TempDir, line: &str, variables: &[(&str, &str)]) -> Ran {
    run(folder.path(), &line.split_whitespace().collect::<Vec<_>>(), variables)
}

#[track_caller]
fn code_of(said: &str) -> String {
    let error: Value = serde_json::from_str(said).unwrap_or_else(|_| panic!("not JSON: {said}"));
    error["error"]["code"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_says_who_refused_in_whose_words_and_what_to_do() {
    let folder = TempDir::new().unwrap();
    let dev = Dev::start(folder.path());
    let refused = type_in(&folder, "refunds create ch_1SandboxDisputed --reason other", &dev.variables());
    let lines: Vec<_> = refused.failed(3).lines().collect();
    assert_eq!(lines[0], "error: Charge ch_1SandboxDisputed has been charged back; cannot issue a refund.");
    assert!(lines[1].starts_with("  Stripe said: charge_disputed, status 400, request req_"), "{lines:?}");
    assert!(lines[2].starts_with("  refund: ref_"), "{lines:?}");
    assert!(lines[3].starts_with("  what to do: The customer disputed this payment"), "{lines:?}");
    assert!(lines[4].starts_with("  request: req_") && lines.len() == 5, "{lines:?}");

    for (line, code, words) in [
        ("refunds create ch_invalid --reason other", 3, "No such charge: 'ch_invalid'"),
        ("refunds create ch_1SandboxLiveOnly --reason other", 3, "exists in live mode"),
        ("refunds create ch_1SandboxPartlyRefunded --amount 7001 --reason other", 3, "($70.00)"),
        ("refunds create ch_1SandboxFirstRefund --reason other", 3, "has already been refunded."),
        ("refunds create ch_1SandboxPartlyRefunded --amount 7001 --reason other", 3, "or leave `--amount` out"),
        ("refunds create ch_1SandboxYen --currency usd --reason other", 3, "Leave `--currency` out"),
        ("refunds create re_1 --reason other", 3, "This is a refund, not a payment."),
        ("refunds get ref_01k9zzzzzzzzzzzzzzzzzzzzzz", 3, "ref_01k9zzzzzzzzzzzzzzzzzzzzzz"),
        ("refunds create ch_1N4HbSKz9cXRvFYr --amount 25.00 --reason other", 2, "2500 for $25.00"),
        ("refunds create ch_1N4HbSKz9cXRvFYr --reason because", 2, "product_defective"),
        ("refunds create ch_1N4HbSKz9cXRvFYr", 2, "--reason"),
        ("refunds get re_1", 2, "ref_"),
        ("refunds lst", 2, "list"),
    ] {
        let ran = type_in(&folder, line, &dev.variables());
        let said = ran.failed(code);
        assert!(said.starts_with("error: ") && said.contains(words), "{line}: {said}");
        assert_silent_about(said, &[&dev.key]);
    }
}

#[test]
fn who_asked_for_json_gets_it_also_when_the_line_is_wrong() {
    let folder = TempDir::new().unwrap();
    for line in [
        "refunds create ch_1 --json",
        "--json refunds lst",
        "refunds get re_1 --json",
        "--json",
        "refunds --json --nosuch",
    ] {
        let ran = type_in(&folder, line, &[]);
        assert_eq!(code_of(ran.failed(2)), "validation_error", "{line}");
    }
    for line in ["refunds create ch_1", "refunds lst", "refunds get -- --json"] {
        assert!(type_in(&folder, line, &[]).failed(2).starts_with("error: "), "{line}");
    }
    assert!(type_in(&folder, "refunds create --json --help", &[]).done().contains("Usage"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_exit_code_4_and_is_not_repeated() {
    let folder = TempDir::new().unwrap();
    let dev = Dev::start(folder.path());
    for key in [STRANGERS_KEY, "sk_test_4eC39HqLyjWDarjtT1zdp7dc", "not a key"] {
        let variables = [("REFUNDKIT_BASE_URL", dev.url.as_str()), ("REFUNDKIT_API_KEY", key)];
        let refused = type_in(&folder, "refunds list --json", &variables);
        assert_eq!(code_of(refused.failed(4)), "invalid_api_key", "{key}");
        assert_silent_about(&refused.stderr, &[key]);
        let doctor = type_in(&folder, "doctor", &variables);
        assert!(doctor.code == Some(4) && doctor.stdout.contains("WRONG  api key"), "{doctor:?}");
        assert_silent_about(&doctor.stdout, &[key]);
    }
    let without = type_in(&folder, "refunds list", &[("REFUNDKIT_BASE_URL", &dev.url)]);
    assert!(without.failed(4).contains("REFUNDKIT_API_KEY"), "{without:?}");

    // A file and a pipe are as good as the variable.
    let path = ".refundkit/dev-key";
    let base = [("REFUNDKIT_BASE_URL", dev.url.as_str())];
    assert!(type_in(&folder, &format!("refunds list --api-key-file {path}"), &base).done().contains("ref_"));
    let piped = run_with_input(folder.path(), &["refunds", "list", "--api-key-file", "-"], &base, &dev.key);
    assert!(piped.done().contains("ref_"));
    assert!(type_in(&folder, "refunds list --api-key-file absent", &base).failed(2).contains("absent"));
}

#[test]
fn a_server_that_is_down_is_exit_code_5_and_says_where_it_was_sought() {
    let folder = TempDir::new().unwrap();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{closed}");
    let variables = [("REFUNDKIT_BASE_URL", url.as_str()), ("REFUNDKIT_API_KEY", STRANGERS_KEY)];
    let down = type_in(&folder, "refunds list", &variables);
    assert!(down.failed(5).contains(&closed.to_string()), "{down:?}");
    assert_silent_about(&down.stderr, &[STRANGERS_KEY]);
    assert_eq!(code_of(type_in(&folder, "refunds list --json", &variables).failed(5)), "network_error");
    let doctor = type_in(&folder, "doctor", &variables);
    assert_eq!(doctor.code, Some(5));
    assert!(doctor.stdout.contains("WRONG  server") && doctor.stdout.contains("refundkit dev"), "{doctor:?}");
    // A create that never left is not in doubt.
    let create = type_in(&folder, "refunds create ch_1 --reason other --json", &variables);
    let error: Value = serde_json::from_str(create.failed(5)).unwrap();
    assert_eq!(error["error"]["outcomeUnknown"], Value::Null, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_while_a_create_is_under_way_leaves_doubt_and_the_key_to_ask_again_with() {
    let folder = TempDir::new().unwrap();
    let dev = Dev::start(folder.path());
    let delay = serde_json::json!({ "method": "POST", "path_prefix": "/v1/refunds", "fault": { "kind": "delay", "ms": 10_000 } });
    super::program::control(&dev.sandbox, reqwest::Method::POST, "faults", delay).await;
    let arguments = ["refunds", "create", "ch_1N4HbSKz9cXRvFYr", "--reason", "other", "--json"];
    let mut creating = Program::start(folder.path(), &arguments, &dev.variables());
    while super::program::refunds_at_stripe(&dev.sandbox, "ch_1N4HbSKz9cXRvFYr").await.is_empty() {
        tokio::task::yield_now().await;
    }
    let Dev { program, key, .. } = dev;
    program.kill();
    assert_eq!(creating.ended().code(), Some(6), "{}", creating.stderr);
    assert_eq!(creating.stdout.to_its_end(), "");
    let said = creating.stderr.to_its_end();
    let error: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&error["error"]["outcomeUnknown"], &error["error"]["code"]), (&true.into(), &"network_error".into()));
    let idempotency_key = error["error"]["idempotencyKey"].as_str().unwrap();
    assert!(error["error"]["hint"].as_str().unwrap().contains(idempotency_key), "{error}");
    assert_silent_about(&said, &[&key]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_has_read_enough_is_no_error() {
    let folder = TempDir::new().unwrap();
    let dev = Dev::start(folder.path());
    let program = env!("CARGO_BIN_EXE_refundkit");
    let [(base, url), (name, key)] = dev.variables();
    let script = format!("export {base}={url} {name}={key}; {{ '{program}' refunds list; echo $? >&2; }} | true");
    let ran = super::program::paste(folder.path(), &script);
    assert_eq!((ran.code, ran.stderr.trim()), (Some(0), "0"), "{ran:?}");
}

#[test]
fn help_is_help_and_the_version_is_the_version() {
    let folder = TempDir::new().unwrap();
    assert_eq!(type_in(&folder, "--version", &[]).done(), concat!("refundkit ", env!("CARGO_PKG_VERSION"), "\n"));
    assert!(type_in(&folder, "--help", &[]).done().contains("Exit codes:"));
    let nothing = type_in(&folder, "", &[]);
    assert!(nothing.failed(2).contains("Usage:"), "{nothing:?}");
    for shell in ["bash", "zsh", "fish"] {
        assert!(type_in(&folder, &format!("completions {shell}"), &[]).done().contains("refundkit"), "{shell}");
    }
}
