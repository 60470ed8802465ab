//! Making and cancelling refunds: the same bytes under the same key, and honest outcomes.

use std::time::{Duration, Instant};

use refundkit::{
    StripeConnect,
    processor::{Outcome, PreparedRefund, ProcessorError, ProcessorErrorKind, ProcessorRefund, ReportedStatus},
    processors::{PaymentProcessor, stripe::ANSWER_BYTES_MAX},
};
use tokio::net::TcpListener;

use crate::{
    KEY, REFUND, REFUSAL, SERVER_ERROR, builder, impatient, prepared, processor,
    server::{ScriptedServer, Step, json, json_with},
};

async fn submitted(script: impl IntoIterator<Item = Step>) -> (Outcome<ProcessorRefund>, ScriptedServer) {
    let server = ScriptedServer::start(script).await;
    let processor = processor(&server);
    (processor.submit_refund(&prepared(&processor)).await, server)
}

fn unknown<T: std::fmt::Debug>(outcome: Outcome<T>) -> ProcessorError {
    match outcome {
        Outcome::Unknown(error) => error,
        other => panic!("expected an unknown outcome: {other:?}"),
    }
}

#[tokio::test]
async fn a_refund_is_sent_as_prepared_and_accepted_as_answered() {
    let server = ScriptedServer::start([json(200, REFUND)]).await;
    let connect = StripeConnect::default().account("acct_1".to_owned()).reverse_transfer(true);
    let processor = builder(&server.base).connect(connect).build().unwrap();
    let Outcome::Accepted(refund) = processor.submit_refund(&prepared(&processor)).await else {
        panic!("not accepted")
    };
    assert_eq!((refund.id.as_str(), refund.amount, refund.status), ("re_1", 2500, ReportedStatus::Completed));
    assert_eq!((refund.charge.as_deref(), refund.request_id.as_deref()), (Some("ch_1"), Some("req_scripted")));

    let [request] = &server.received()[..] else { panic!("one request expected") };
    assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/v1/refunds"));
    assert_eq!(
        request.body,
        "charge=ch_1&amount=2500&reason=requested_by_customer&metadata%5Brefundkit_reason%5D=product_defective&reverse_transfer=true"
    );
    let bearer = format!("Bearer {KEY}");
    for (name, value) in [
        ("authorization", bearer.as_str()),
        ("stripe-version", "2026-10-28.endive"),
        ("stripe-account", "acct_1"),
        ("idempotency-key", "refundkit-key-1"),
        ("content-type", "application/x-www-form-urlencoded"),
    ] {
        assert_eq!(request.headers.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert!(request.headers["user-agent"].starts_with("refundkit/"));
}

#[tokio::test]
async fn what_was_stored_is_sent_though_the_connection_changed_since() {
    let server = ScriptedServer::start([json(200, REFUND)]).await;
    let stored = PreparedRefund {
        api_version: "2025-01-01.older".to_owned(),
        account: Some("acct_before".to_owned()),
        body: "charge=ch_1&amount=2500".to_owned(),
        ..prepared(&processor(&server))
    };
    let connect = StripeConnect::default().account("acct_now".to_owned());
    let processor = builder(&server.base).connect(connect).build().unwrap();
    assert!(matches!(processor.submit_refund(&stored).await, Outcome::Accepted(_)));
    let request = &server.received()[0];
    assert_eq!(
        (request.headers["stripe-version"].as_str(), request.headers["stripe-account"].as_str()),
        ("2025-01-01.older", "acct_before")
    );
    assert_eq!(request.body, "charge=ch_1&amount=2500");
}

#[tokio::test]
async fn every_repeat_has_the_same_key_and_the_same_bytes() {
    let in_use = r#"{"error":{"type":"invalid_request_error","code":"idempotency_key_in_use","message":"There is currently another in-progress request"}}"#;
    for first in [json(500, SERVER_ERROR), json(503, "<html>"), json(409, in_use), Step::Cut] {
        let (outcome, server) = submitted([first, json(200, REFUND)]).await;
        assert!(matches!(outcome, Outcome::Accepted(_)), "{outcome:?}");
        let [one, other] = &server.received()[..] else { panic!("two requests expected") };
        assert_eq!(one, other);
    }
}

#[tokio::test]
async fn a_key_that_stays_in_use_leaves_the_outcome_unknown() {
    let in_use = r#"{"error":{"type":"idempotency_error","code":"idempotency_key_in_use","message":"There is currently another"}}"#;
    let (outcome, server) = submitted([json(409, in_use), json(409, in_use), json(200, REFUND)]).await;
    let error = unknown(outcome);
    assert_eq!((error.detail.code.as_deref(), error.detail.status_code), (Some("idempotency_key_in_use"), Some(409)));
    assert_eq!(server.received().len(), 2, "one try and one repeat");
}

#[tokio::test]
async fn a_refusal_ends_it_at_once() {
    for status in [400, 401, 402, 403, 404] {
        let (outcome, server) = submitted([json(status, REFUSAL), json(200, REFUND)]).await;
        let Outcome::Refused(error) = outcome else { panic!("{status}: {outcome:?}") };
        assert_eq!(error.detail.message, "Charge ch_1 has already been refunded.");
        assert_eq!(
            (error.detail.status_code, error.detail.request_id.as_deref()),
            (Some(status), Some("req_scripted"))
        );
        assert_eq!(server.received().len(), 1);
    }
}

#[tokio::test]
async fn a_refusal_after_a_try_in_doubt_is_unknown() {
    for first in [Step::Cut, json(500, SERVER_ERROR), json(424, SERVER_ERROR)] {
        let repeated = !matches!(&first, Step::Send(bytes) if bytes.starts_with(b"HTTP/1.1 424"));
        let (outcome, server) = submitted([first, json(400, REFUSAL)]).await;
        let error = unknown(outcome);
        if repeated {
            assert_eq!(error.kind, ProcessorErrorKind::AlreadyRefunded);
        }
        assert_eq!(server.received().len(), if repeated { 2 } else { 1 });
    }
}

#[tokio::test]
async fn a_limit_was_turned_away_before_anything_was_done() {
    let limited =
        r#"{"error":{"type":"invalid_request_error","code":"rate_limit","message":"Request rate limit exceeded."}}"#;
    let (outcome, server) = submitted([json(429, limited), json(429, limited)]).await;
    let Outcome::NotExecuted(error) = outcome else { panic!("{outcome:?}") };
    assert_eq!((error.kind, server.received().len()), (ProcessorErrorKind::RateLimited, 2));

    let (outcome, server) =
        submitted([json_with(429, "Stripe-Should-Retry: false\r\n", limited), json(200, REFUND)]).await;
    assert!(matches!(outcome, Outcome::NotExecuted(_)));
    assert_eq!(server.received().len(), 1);

    let (outcome, server) = submitted([json_with(429, "Retry-After: 60\r\n", limited), json(200, REFUND)]).await;
    let Outcome::NotExecuted(error) = outcome else { panic!("{outcome:?}") };
    assert_eq!((error.retry_after_ms, server.received().len()), (Some(60_000), 1), "a long wait is left to the caller");
}

#[tokio::test]
async fn a_short_retry_after_is_waited() {
    let started = Instant::now();
    let (outcome, _) = submitted([json_with(429, "Retry-After: 1\r\n", "{}"), json(200, REFUND)]).await;
    assert!(matches!(outcome, Outcome::Accepted(_)));
    assert!(started.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn an_error_that_stripe_will_repeat_is_not_repeated() {
    let (outcome, server) =
        submitted([json_with(500, "Stripe-Should-Retry: false\r\n", SERVER_ERROR), json(200, REFUND)]).await;
    assert_eq!(unknown(outcome).detail.status_code, Some(500));
    assert_eq!(server.received().len(), 1);
}

#[tokio::test]
async fn no_answer_in_time_leaves_the_outcome_unknown() {
    let server = ScriptedServer::start([Step::Hang]).await;
    let processor = impatient(&server.base);
    let error = unknown(processor.submit_refund(&prepared(&processor)).await);
    assert_eq!((error.kind, error.detail.status_code), (ProcessorErrorKind::Unavailable, None));
    assert_eq!(error.detail.message, "Stripe did not answer within 200 ms.");
}

#[tokio::test]
async fn an_answer_that_drips_is_cut_off_by_the_limit_of_the_whole_call() {
    let Step::Send(bytes) = json(200, REFUND) else { unreachable!() };
    let server = ScriptedServer::start([Step::Drip(bytes, Duration::from_millis(50))]).await;
    let processor = impatient(&server.base);
    let started = Instant::now();
    let error = unknown(processor.submit_refund(&prepared(&processor)).await);
    assert!(started.elapsed() < Duration::from_secs(2));
    assert_eq!(error.detail.message, "Stripe did not answer within 400 ms.");
}

#[tokio::test]
async fn a_cut_unreadable_or_endless_success_leaves_the_outcome_unknown() {
    let cut = || {
        Step::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\nRequest-Id: req_cut\r\n\r\n{\"id\":\"re_1\"".to_vec())
    };
    let (outcome, _) = submitted([cut(), cut()]).await;
    let error = unknown(outcome);
    assert_eq!((error.detail.status_code, error.detail.request_id.as_deref()), (Some(200), Some("req_cut")));

    for body in ["", "<html>ok</html>", "{}", r#"{"id":"re_1","object":"refund"}"#, REFUSAL] {
        let (outcome, _) = submitted([json(200, body)]).await;
        let error = unknown(outcome);
        assert_eq!(error.detail.message, "Stripe's answer (HTTP 200) could not be read.", "{body}");
        assert_eq!(error.detail.request_id.as_deref(), Some("req_scripted"));
    }

    let endless = || json(200, &" ".repeat(ANSWER_BYTES_MAX + 1));
    let (outcome, _) = submitted([endless(), endless()]).await;
    assert!(unknown(outcome).detail.message.contains("larger than"));

    let (outcome, _) = submitted([Step::Send(b"this is not HTTP\r\n\r\n".to_vec()), Step::Cut]).await;
    assert_eq!(unknown(outcome).kind, ProcessorErrorKind::Unavailable);
}

#[tokio::test]
async fn the_page_of_a_middlebox_is_not_stripes_refusal() {
    let (outcome, server) = submitted([json(403, "<html>blocked</html>")]).await;
    assert_eq!(unknown(outcome).detail.status_code, Some(403));
    assert_eq!(server.received().len(), 1);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = ScriptedServer::start([json(200, REFUND)]).await;
    let location = format!("Location: {}/v1/refunds\r\n", elsewhere.base);
    let (outcome, _) = submitted([json_with(307, &location, "")]).await;
    assert_eq!(unknown(outcome).detail.status_code, Some(307));
    assert_eq!(elsewhere.received(), []);
}

#[tokio::test]
async fn what_never_reached_stripe_was_not_executed() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let deaf = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let without_tls = format!("https://{}", deaf.local_addr().unwrap());
    tokio::spawn(async move { while deaf.accept().await.is_ok() {} });
    for base in [format!("http://{closed}"), without_tls] {
        let processor = builder(&base).build().unwrap();
        let outcome = processor.submit_refund(&prepared(&processor)).await;
        let Outcome::NotExecuted(error) = outcome else { panic!("{base}: {outcome:?}") };
        assert_eq!((error.kind, error.detail.status_code), (ProcessorErrorKind::NotReached, None));
        assert!(error.detail.message.starts_with("Stripe could not be reached: "), "{}", error.detail.message);
    }
}

#[tokio::test]
async fn a_refund_is_cancelled_under_a_key_of_its_own() {
    let canceled = REFUND.replace("succeeded", "canceled");
    let server = ScriptedServer::start([json(200, &canceled)]).await;
    let outcome = PaymentProcessor::cancel_refund(&processor(&server), "re_1", "cancel-key").await;
    assert!(matches!(outcome, Outcome::Accepted(refund) if refund.status == ReportedStatus::Canceled));
    let request = &server.received()[0];
    assert_eq!(
        (request.target.as_str(), request.headers["idempotency-key"].as_str()),
        ("/v1/refunds/re_1/cancel", "cancel-key")
    );
}

#[tokio::test]
async fn a_refund_that_cannot_be_cancelled_is_so_in_either_wording() {
    for message in [
        "Canceling this refund is unsupported.",
        "Charges must be refunded using the /v1/charges/{CHARGE_ID}/refunds endpoint.",
    ] {
        let body = format!(r#"{{"error":{{"type":"invalid_request_error","message":"{message}"}}}}"#);
        let server = ScriptedServer::start([json(400, &body)]).await;
        let outcome = PaymentProcessor::cancel_refund(&processor(&server), "re_1", "k").await;
        let Outcome::Refused(error) = outcome else { panic!("{outcome:?}") };
        assert_eq!((error.kind, error.detail.message.as_str()), (ProcessorErrorKind::NotCancellable, message));
    }
}

#[test]
fn nothing_logs_a_key_or_a_body_at_any_level() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let refusal = format!(
                r#"{{"error":{{"type":"invalid_request_error","message":"Invalid API Key provided: {KEY}"}}}}"#
            );
            let (outcome, _) = submitted([json(401, &refusal)]).await;
            let Outcome::Refused(error) = outcome else { panic!("{outcome:?}") };
            tracing::info!(?error, "as a caller might log it");
            submitted([json(500, "a body"), json(200, REFUND)]).await;
        });
    });
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("path=\"/v1/refunds\"") && log.contains("req_scripted"), "{log}");
    for secret in [&KEY[8..], "metadata%5B", "a body", "\"re_1\""] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}

#[derive(Clone, Default)]
struct Log(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
