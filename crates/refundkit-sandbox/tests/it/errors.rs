//! Every refusal Stripe is known for: status, type, code, param and words.

use refundkit_sandbox::{
    ApiKey, DEV_ACCOUNT, DEV_CONNECTED_ACCOUNT, DEV_EXPIRED_KEY, DEV_LIVE_CHARGE, DEV_LIVE_KEY, DEV_READ_ONLY_KEY,
    Method, Request,
};
use serde_json::Value;

use crate::support::{CHARGE, json, stripe};

/// What a caller can match on.
#[track_caller]
fn check(error: &Value, kind: &str, code: Option<&str>, param: Option<&str>, message: &str) {
    assert_eq!(error["type"], kind, "{error}");
    assert_eq!(error.get("code").and_then(Value::as_str), code, "{error}");
    assert_eq!(error.get("param").and_then(Value::as_str), param, "{error}");
    assert_eq!(error["message"], message, "{error}");
    assert!(error["request_log_url"].as_str().is_some_and(|url| url.contains("/logs/req_")), "{error}");
}

const INVALID: &str = "invalid_request_error";

#[test]
fn parameters_of_a_refund_are_checked_one_by_one() {
    let rows: &[(&str, Option<&str>, Option<&str>, &str)] = &[
        ("", None, None, "One of the following params should be provided for this request: payment_intent or charge."),
        (
            "charge=ch_1N4HbSKz9cXRvFYr&amount=0",
            Some("parameter_invalid_integer"),
            Some("amount"),
            "This value must be greater than or equal to 1.",
        ),
        (
            "charge=ch_1N4HbSKz9cXRvFYr&amount=-5",
            Some("parameter_invalid_integer"),
            Some("amount"),
            "This value must be greater than or equal to 1.",
        ),
        (
            "charge=ch_1N4HbSKz9cXRvFYr&amount=1.5",
            Some("parameter_invalid_integer"),
            Some("amount"),
            "Invalid integer: 1.5",
        ),
        (
            "charge=ch_1N4HbSKz9cXRvFYr&reason=expired_uncaptured_charge",
            None,
            Some("reason"),
            "Invalid reason: must be one of duplicate, fraudulent, or requested_by_customer",
        ),
        ("charge=ch_1N4HbSKz9cXRvFYr&foo=1", Some("parameter_unknown"), Some("foo"), "Received unknown parameter: foo"),
        (
            "charge=ch_1N4HbSKz9cXRvFYr&amount=10001",
            None,
            Some("amount"),
            "Refund amount ($100.01) is greater than unrefunded amount on charge ($100.00)",
        ),
        (
            "charge=ch_1SandboxPartlyRefunded&amount=8000",
            None,
            Some("amount"),
            "Refund amount ($80.00) is greater than unrefunded amount on charge ($70.00)",
        ),
        (
            "charge=ch_1SandboxYen&amount=12001",
            None,
            Some("amount"),
            "Refund amount (¥12,001) is greater than unrefunded amount on charge (¥12,000)",
        ),
        (
            "charge=ch_1SandboxDinar&amount=5121",
            None,
            Some("amount"),
            "Refund amount (5.121 KWD) is greater than unrefunded amount on charge (5.120 KWD)",
        ),
        (
            "charge=ch_1SandboxDinar&amount=1001",
            None,
            Some("amount"),
            "Invalid amount: amounts in kwd must be a multiple of 10.",
        ),
        (
            "charge=ch_1SandboxDisputed",
            Some("charge_disputed"),
            None,
            "Charge ch_1SandboxDisputed has been charged back; cannot issue a refund.",
        ),
        (
            "payment_intent=pi_1SandboxUnpaid",
            None,
            None,
            "This PaymentIntent (pi_1SandboxUnpaid) does not have a successful charge to refund.",
        ),
        (
            "charge=ch_1SandboxUnpaid",
            None,
            None,
            "This PaymentIntent (pi_1SandboxUnpaid) does not have a successful charge to refund.",
        ),
        (
            "charge=ch_1N4HbSKz9cXRvFYr&payment_intent=pi_1SandboxIntent",
            Some("parameters_exclusive"),
            None,
            "You may only specify one of these parameters: charge, payment_intent.",
        ),
        (
            "charge=ch_1N4HbSKz9cXRvFYr&currency=eur",
            None,
            Some("currency"),
            "The currency of the refund (eur) must be that of the charge (usd).",
        ),
        (
            "charge=ch_1N4HbSKz9cXRvFYr&reverse_transfer=true",
            None,
            Some("reverse_transfer"),
            "Charge ch_1N4HbSKz9cXRvFYr has no transfer to reverse.",
        ),
    ];
    let mut stripe = stripe();
    for (body, code, param, message) in rows {
        let error = stripe.refused("/v1/refunds", body, 400);
        check(&error, INVALID, *code, *param, message);
    }
}

#[test]
fn a_charge_of_an_uncaptured_payment_intent_must_be_canceled_instead() {
    for body in ["charge=ch_1SandboxUncaptured", "payment_intent=pi_1SandboxUncaptured"] {
        let error = stripe().refused("/v1/refunds", body, 400);
        let message = error["message"].as_str().unwrap();
        assert!(
            message.starts_with(
                "This uncaptured Charge was created by a PaymentIntent (pi_1SandboxUncaptured). You must cancel the \
                 PaymentIntent"
            ),
            "{message}"
        );
        assert!(error.get("code").is_none());
    }
}

#[test]
fn a_fully_refunded_charge_says_so_whatever_the_amount() {
    let mut stripe = stripe();
    stripe.make("/v1/refunds", &format!("charge={CHARGE}"));
    for body in [format!("charge={CHARGE}"), format!("charge={CHARGE}&amount=999999")] {
        let error = stripe.refused("/v1/refunds", &body, 400);
        let message = format!("Charge {CHARGE} has already been refunded.");
        check(&error, INVALID, Some("charge_already_refunded"), None, &message);
        assert_eq!(error["doc_url"], "https://stripe.com/docs/error-codes/charge-already-refunded");
    }
}

#[test]
fn missing_objects_are_missing_in_stripes_words() {
    let rows: &[(&str, &str, &str)] = &[
        ("/v1/charges/ch_invalid", "id", "No such charge: 'ch_invalid'"),
        ("/v1/refunds/re_x", "refund", "No such refund: 're_x'"),
        ("/v1/payment_intents/pi_x", "intent", "No such payment_intent: 'pi_x'"),
        ("/v1/events/evt_x", "id", "No such event: 'evt_x'"),
        ("/v1/webhook_endpoints/we_x", "webhook_endpoint", "No such webhook endpoint: 'we_x'"),
    ];
    let mut stripe = stripe();
    for (path, param, message) in rows {
        let response = stripe.get(path);
        assert_eq!(response.status, 404);
        check(&json(&response)["error"], INVALID, Some("resource_missing"), Some(param), message);
    }
    let error = stripe.refused("/v1/refunds", "charge=ch_invalid", 404);
    check(&error, INVALID, Some("resource_missing"), Some("id"), "No such charge: 'ch_invalid'");
    let error = stripe.refused("/v1/refunds", "payment_intent=pi_x", 404);
    check(&error, INVALID, Some("resource_missing"), Some("payment_intent"), "No such payment_intent: 'pi_x'");
}

#[test]
fn a_missing_filter_of_a_list_is_a_bad_request() {
    let response = stripe().get("/v1/refunds?charge=ch_invalid");
    assert_eq!(response.status, 400);
    let error = &json(&response)["error"];
    check(error, INVALID, Some("resource_missing"), Some("charge"), "No such charge: 'ch_invalid'");
}

#[test]
fn an_object_of_the_other_mode_is_pointed_at() {
    let mut stripe = stripe();
    let error = stripe.refused("/v1/refunds", &format!("charge={DEV_LIVE_CHARGE}"), 404);
    let hint = "a similar object exists in live mode, but a test mode key was used to make this request.";
    assert_eq!(error["message"], format!("No such charge: '{DEV_LIVE_CHARGE}'; {hint}"));
    stripe.key = DEV_LIVE_KEY;
    let error = stripe.refused("/v1/refunds", &format!("charge={CHARGE}"), 404);
    let hint = "a similar object exists in test mode, but a live mode key was used to make this request.";
    assert_eq!(error["message"], format!("No such charge: '{CHARGE}'; {hint}"));
}

#[test]
fn keys_are_refused_without_being_repeated() {
    let mut stripe = stripe();
    let mut ask = |request: Request| {
        let response = stripe.send(&request);
        (response.status, json(&response)["error"]["message"].as_str().unwrap().to_owned())
    };
    let request = || Request::new(Method::Get, "/v1/refunds", "");
    let (status, message) = ask(request());
    assert_eq!(status, 401);
    assert!(message.starts_with("You did not provide an API key."), "{message}");
    let (status, message) = ask(request().with_api_key("sk_test_51H0000000Aso0"));
    assert_eq!((status, message.as_str()), (401, "Invalid API Key provided: sk_test_**********Aso0"));
    let (status, message) = ask(request().with_api_key(DEV_EXPIRED_KEY));
    assert_eq!((status, message.as_str()), (401, "Expired API Key provided: sk_test_***********ired"));
}

#[test]
fn a_restricted_key_is_told_which_permission_it_lacks() {
    let mut stripe = stripe();
    stripe.key = DEV_READ_ONLY_KEY;
    assert_eq!(stripe.get("/v1/refunds?limit=1").status, 200);
    let error = stripe.refused("/v1/refunds", &format!("charge={CHARGE}"), 403);
    let message = format!(
        "The provided key 'rk_test_*************only' does not have the required permissions for this endpoint on \
         account '{DEV_ACCOUNT}'. Having the 'rak_charge_write' permission would allow this request to continue."
    );
    check(&error, INVALID, None, None, &message);
    assert_eq!(stripe.get("/v1/account").status, 403);
}

#[test]
fn unknown_paths_and_parameters_are_named() {
    let mut stripe = stripe();
    let response = stripe.get("/v1/nonsense");
    assert_eq!(response.status, 404);
    let message = json(&response)["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("Unrecognized request URL (GET: /v1/nonsense)."), "{message}");
    let response = stripe.get("/v1/refunds?status=pending");
    assert_eq!(json(&response)["error"]["message"], "Received unknown parameter: status");
    let response = stripe.get(&format!("/v1/charges/{CHARGE}?expand[]=nonsense"));
    assert_eq!(json(&response)["error"]["message"], "This property cannot be expanded (nonsense).");
}

#[test]
fn a_balance_beyond_overdraft_refuses_with_a_message_code_and_no_code() {
    let mut stripe = stripe();
    let balance =
        format!("{{\"account\":\"{DEV_ACCOUNT}\",\"currency\":\"usd\",\"available\":0,\"when_short\":\"refuse\"}}");
    stripe.control("/_sandbox/balance", &balance);
    let error = stripe.refused("/v1/refunds", &format!("charge={CHARGE}"), 400);
    check(&error, INVALID, None, None, "Insufficient funds in your Stripe balance to refund this amount.");
    assert_eq!(error["message_code"], "insufficient_balance_for_refund");
}

#[test]
fn only_a_refund_that_requires_action_can_be_canceled() {
    let mut stripe = stripe();
    let refund = stripe.make("/v1/refunds", &format!("charge={CHARGE}"));
    let error = stripe.refused(&format!("/v1/refunds/{}/cancel", refund["id"].as_str().unwrap()), "", 400);
    check(&error, INVALID, None, None, "Canceling this refund is unsupported.");
}

#[test]
fn a_key_opens_only_its_own_accounts() {
    let mut stripe = stripe();
    let own = stripe.request(Method::Get, "/v1/account", "").with_stripe_account(DEV_CONNECTED_ACCOUNT);
    assert_eq!(json(&stripe.send(&own))["id"], DEV_CONNECTED_ACCOUNT);
    stripe.model.add_api_key(ApiKey {
        secret: "sk_test_stranger".to_owned(),
        account: "acct_stranger".to_owned(),
        livemode: false,
        missing_permissions: Vec::new(),
        expired: false,
    });
    let foreign = stripe.request(Method::Get, "/v1/account", "").with_stripe_account("acct_stranger");
    let response = stripe.send(&foreign);
    assert_eq!(response.status, 403);
    assert_eq!(json(&response)["error"]["code"], "account_invalid");
    stripe.key = "sk_test_stranger";
    assert_eq!(stripe.get(&format!("/v1/charges/{CHARGE}")).status, 404);
}

#[test]
fn metadata_has_limits() {
    let mut stripe = stripe();
    let long_key = format!("charge={CHARGE}&metadata[{}]=v", "k".repeat(41));
    assert_eq!(stripe.refused("/v1/refunds", &long_key, 400)["param"], "metadata");
    let long_value = format!("charge={CHARGE}&metadata[k]={}", "v".repeat(501));
    assert_eq!(stripe.refused("/v1/refunds", &long_value, 400)["param"], "metadata[k]");
    let many = (0..51).fold(String::new(), |query, n| query + &format!("&metadata[k{n}]=v"));
    assert_eq!(stripe.refused("/v1/refunds", &format!("charge={CHARGE}{many}"), 400)["param"], "metadata");
}
