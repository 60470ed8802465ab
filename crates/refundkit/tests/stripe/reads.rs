//! Reading charges and refunds, and trying a credential.

use refundkit::{
    RefundId, TransactionId,
    processor::ProcessorErrorKind,
    processors::{
        CredentialReport, PaymentProcessor as _, RefundQuery, StripeProcessor, stripe::REFUNDS_OF_A_CHARGE_MAX,
    },
};

use crate::{
    REFUND, SERVER_ERROR, charge, impatient, list, processor, refund,
    server::{ScriptedServer, Step, json},
};

fn id(text: &str) -> TransactionId {
    text.parse().unwrap()
}

fn stripe_error(code: &str, message: &str) -> String {
    format!(r#"{{"error":{{"type":"invalid_request_error","code":"{code}","message":"{message}"}}}}"#)
}

#[tokio::test]
async fn a_charge_comes_with_its_refunds() {
    let refunds = list(&[refund("re_2", "{}"), refund("re_1", "{}")], false);
    let server = ScriptedServer::start([json(200, &charge("py_1", true, false, &refunds))]).await;
    let read = processor(&server).retrieve_charge(&id("py_1")).await.unwrap();
    assert_eq!((read.id.as_str(), read.amount_captured, read.refunds.len()), ("py_1", 5000, 2));
    let request = &server.received()[0];
    assert_eq!((request.method.as_str(), request.target.as_str()), ("GET", "/v1/charges/py_1?expand%5B%5D=refunds"));
    assert!(!request.headers.contains_key("idempotency-key"));
}

#[tokio::test]
async fn a_payment_intent_resolves_to_its_latest_charge_expanded_or_not() {
    let latest = charge("ch_1", true, false, &list(&[], false));
    let expanded = format!(r#"{{"id":"pi_1","object":"payment_intent","latest_charge":{latest}}}"#);
    let server = ScriptedServer::start([json(200, &expanded)]).await;
    assert_eq!(processor(&server).retrieve_charge(&id("pi_1")).await.unwrap().id, "ch_1");
    assert_eq!(
        server.targets(),
        ["/v1/payment_intents/pi_1?expand%5B%5D=latest_charge&expand%5B%5D=latest_charge.refunds"]
    );

    let named = r#"{"id":"pi_1","object":"payment_intent","latest_charge":"ch_1"}"#;
    let server = ScriptedServer::start([json(200, named), json(200, &latest)]).await;
    assert_eq!(processor(&server).retrieve_charge(&id("pi_1")).await.unwrap().id, "ch_1");
    assert_eq!(server.targets()[1], "/v1/charges/ch_1?expand%5B%5D=refunds");
}

#[tokio::test]
async fn a_payment_intent_without_a_charge_is_refused_in_stripes_words() {
    let server =
        ScriptedServer::start([json(200, r#"{"id":"pi_1","object":"payment_intent","latest_charge":null}"#)]).await;
    let error = processor(&server).retrieve_charge(&id("pi_1")).await.unwrap_err();
    assert_eq!(error.detail.message, "This PaymentIntent (pi_1) does not have a successful charge to refund.");
    assert_eq!((error.kind, error.detail.status_code), (ProcessorErrorKind::Refused, None));
}

#[tokio::test]
async fn older_refunds_are_listed_page_by_page() {
    let first = list(&[refund("re_3", "{}")], true);
    let server = ScriptedServer::start([
        json(200, &charge("ch_1", true, false, &first)),
        json(200, &list(&[refund("re_2", "{}")], true)),
        json(200, &list(&[refund("re_1", "{}")], false)),
    ])
    .await;
    let read = processor(&server).retrieve_charge(&id("ch_1")).await.unwrap();
    assert_eq!(read.refunds.iter().map(|refund| refund.id.as_str()).collect::<Vec<_>>(), ["re_3", "re_2", "re_1"]);
    assert_eq!(
        server.targets()[1..],
        [
            "/v1/refunds?charge=ch_1&limit=100&starting_after=re_3",
            "/v1/refunds?charge=ch_1&limit=100&starting_after=re_2"
        ]
    );
}

#[tokio::test]
async fn half_a_list_is_an_error() {
    let page = |from: u32| list(&(0..100).map(|n| refund(&format!("re_{}", from + n), "{}")).collect::<Vec<_>>(), true);
    let pages = (0..REFUNDS_OF_A_CHARGE_MAX / 100).map(|number| json(200, &page(number * 100)));
    let server = ScriptedServer::start(pages).await;
    let error = processor(&server).find_refund("ch_1", RefundId::from_bits(1)).await.unwrap_err();
    assert!(error.detail.message.contains("more than 2000 refunds"), "{}", error.detail.message);

    let server = ScriptedServer::start([json(200, &list(&[], true))]).await;
    let error = processor(&server).find_refund("ch_1", RefundId::from_bits(1)).await.unwrap_err();
    assert_eq!(error.kind, ProcessorErrorKind::Unavailable, "a page that promises more must say where");
}

#[tokio::test]
async fn our_refund_is_found_by_its_metadata() {
    let (ours, others) = (RefundId::from_bits(1), RefundId::from_bits(2));
    let marked = |name: &str, id: RefundId| refund(name, &format!(r#"{{"refundkit_refund_id":"{id}"}}"#));
    let script = || {
        [
            json(200, &list(&[refund("re_3", "{}"), marked("re_2", others)], true)),
            json(200, &list(&[marked("re_1", ours)], false)),
        ]
    };
    let server = ScriptedServer::start(script()).await;
    assert_eq!(processor(&server).find_refund("ch_1", ours).await.unwrap().unwrap().id, "re_1");
    let server = ScriptedServer::start(script()).await;
    assert_eq!(processor(&server).find_refund("ch_1", RefundId::from_bits(3)).await.unwrap(), None);
}

#[tokio::test]
async fn a_refund_is_read_by_an_id_that_stays_in_its_place() {
    let server = ScriptedServer::start([json(200, REFUND), json(200, REFUND)]).await;
    let processor = processor(&server);
    assert_eq!(processor.retrieve_refund("re_1").await.unwrap().id, "re_1");
    processor.retrieve_refund("../charges?limit=1").await.unwrap();
    assert_eq!(server.targets(), ["/v1/refunds/re_1", "/v1/refunds/%2E%2E%2Fcharges%3Flimit%3D1"]);
    for nowhere in ["", ".", ".."] {
        assert_eq!(processor.retrieve_refund(nowhere).await.unwrap_err().kind, ProcessorErrorKind::NotFound);
    }
    assert_eq!(server.received().len(), 2);
}

#[tokio::test]
async fn what_stripe_does_not_have_is_said_in_its_words() {
    let server =
        ScriptedServer::start([json(404, &stripe_error("resource_missing", "No such charge: 'ch_invalid'"))]).await;
    let error = processor(&server).retrieve_charge(&id("ch_invalid")).await.unwrap_err();
    assert_eq!(
        (error.kind, error.detail.message.as_str()),
        (ProcessorErrorKind::NotFound, "No such charge: 'ch_invalid'")
    );
    assert_eq!((error.detail.status_code, error.detail.request_id.as_deref()), (Some(404), Some("req_scripted")));
}

#[tokio::test]
async fn reads_are_repeated_and_then_unavailable() {
    let server = ScriptedServer::start([json(500, SERVER_ERROR), json(200, REFUND)]).await;
    assert_eq!(processor(&server).retrieve_refund("re_1").await.unwrap().id, "re_1");
    let server = ScriptedServer::start([json(500, SERVER_ERROR), Step::Cut]).await;
    let error = processor(&server).retrieve_refund("re_1").await.unwrap_err();
    assert_eq!((error.kind, server.received().len()), (ProcessorErrorKind::Unavailable, 2));
    let server = ScriptedServer::start([Step::Hang]).await;
    let error = impatient(&server.base).retrieve_refund("re_1").await.unwrap_err();
    assert_eq!(error.detail.message, "Stripe did not answer within 200 ms.");
}

#[tokio::test]
async fn refunds_are_listed_a_page_at_a_time() {
    let server = ScriptedServer::start([json(200, &list(&[refund("re_1", "{}")], true))]).await;
    let query = RefundQuery { limit: 100, ..RefundQuery::default() };
    let page = processor(&server).list_refunds(&query).await.unwrap();
    assert_eq!((page.refunds.len(), page.has_more), (1, true));
    assert_eq!(server.targets(), ["/v1/refunds?limit=100"]);
}

#[tokio::test]
async fn a_credential_is_good_when_refunds_are_readable() {
    let account = r#"{"id":"acct_1","object":"account","settings":{"dashboard":{"display_name":" Acme Shop "}}}"#;
    let denied = stripe_error(
        "",
        "The provided key does not have the required permissions. Having the 'rak_accounts_kyc_basic_read' permission would help.",
    );
    for (answer, expected) in
        [(json(200, account), Some("acct_1")), (json(403, &denied), None), (json(500, "x"), None), (Step::Cut, None)]
    {
        let server = ScriptedServer::start([json(200, &list(&[], false)), answer]).await;
        let report = processor(&server).verify_credentials().await.unwrap();
        let account_name = expected.map(|_| "Acme Shop".to_owned());
        let account = expected.map(str::to_owned);
        assert_eq!(report, CredentialReport { account, account_name, missing_permissions: Vec::new() });
        assert_eq!(server.targets(), ["/v1/refunds?limit=1", "/v1/account"]);
    }
}

#[tokio::test]
async fn a_restricted_key_is_told_what_it_was_found_to_lack_and_nothing_more() {
    let denied = |permission: &str| {
        let message = format!("Having the '{permission}' permission would allow this request to continue.");
        json(403, &stripe_error("", &message))
    };
    let no_such_refund = || json(404, &stripe_error("resource_missing", "No such refund"));
    let nothing = || json(200, &list(&[], false));
    for (touched, read, missing) in [
        (
            denied("rak_charge_write"),
            denied("rak_payment_intent_read"),
            &["rak_charge_write", "rak_payment_intent_read"][..],
        ),
        (denied("rak_refund_write"), nothing(), &["rak_refund_write"]),
        (no_such_refund(), json(403, &stripe_error("", "No.")), &["rak_payment_intent_read"]),
        (no_such_refund(), nothing(), &[]),
        (json(500, SERVER_ERROR), Step::Cut, &[]),
    ] {
        let server = ScriptedServer::start([nothing(), denied("rak_accounts_kyc_basic_read"), touched, read]).await;
        let restricted =
            StripeProcessor::builder("rk_test_51Habcdefghijkl4242").api_base(&server.base).build().unwrap();
        let report = restricted.verify_credentials().await.unwrap();
        assert_eq!(report.missing_permissions, missing);
        assert_eq!(
            server.targets(),
            [
                "/v1/refunds?limit=1",
                "/v1/account",
                "/v1/refunds/re_refundkit_permission_check",
                "/v1/payment_intents?limit=1"
            ]
        );
        let touch = &server.received()[2];
        assert_eq!((touch.method.as_str(), touch.body.as_str()), ("POST", ""), "it asks for nothing");
    }
}

#[tokio::test]
async fn a_credential_that_may_not_read_refunds_is_refused_with_a_hint() {
    let denied = stripe_error("", "Having the 'rak_charge_read' permission would allow this request to continue.");
    for (status, body, kind, hint) in [
        (
            401,
            stripe_error("api_key_expired", "Expired API Key provided: sk_test_***4242"),
            ProcessorErrorKind::InvalidCredential,
            "rolled",
        ),
        (403, denied, ProcessorErrorKind::MissingPermission, "\"Charges and Refunds: Read\""),
    ] {
        let server = ScriptedServer::start([json(status, &body)]).await;
        let error = processor(&server).verify_credentials().await.unwrap_err();
        assert_eq!(error.kind, kind);
        assert!(error.hint.unwrap().contains(hint));
        assert_eq!(server.received().len(), 1);
    }
}
