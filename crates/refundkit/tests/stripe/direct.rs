//! Stripe used without a server.

use refundkit::{
    Amount, Error, ErrorCode, Metadata, MetadataValue, RefundReason, RefundStatus, StripeProcessor,
    processors::stripe::DirectRefundRequest,
};

use crate::{
    REFUND, REFUSAL, charge, impatient, list, processor,
    server::{ScriptedServer, Step, json},
};

fn request(transaction_id: &str) -> DirectRefundRequest {
    DirectRefundRequest::new(
        transaction_id.parse().unwrap(),
        Amount::new(2500).unwrap(),
        "usd".parse().unwrap(),
        RefundReason::ProductDefective,
    )
}

fn paid() -> Step {
    json(200, &charge("ch_1", true, false, &list(&[], false)))
}

async fn refused(processor: &StripeProcessor, request: DirectRefundRequest) -> Error {
    processor.process_refund(request).await.unwrap_err()
}

#[tokio::test]
async fn a_transaction_is_valid_when_paid_and_not_fully_refunded() {
    for (is_paid, is_refunded, valid) in [(true, false, true), (true, true, false), (false, false, false)] {
        let server = ScriptedServer::start([json(200, &charge("ch_1", is_paid, is_refunded, &list(&[], false)))]).await;
        let read = processor(&server).validate_transaction(&"ch_1".parse().unwrap()).await.unwrap();
        assert_eq!((read.valid, read.amount, read.currency.as_str()), (valid, 5000, "usd"));
    }
}

#[tokio::test]
async fn an_unknown_charge_is_a_processor_error_in_stripes_words() {
    let body = r#"{"error":{"type":"invalid_request_error","code":"resource_missing","message":"No such charge: 'ch_invalid'"}}"#;
    let server = ScriptedServer::start([json(404, body)]).await;
    let error = processor(&server).validate_transaction(&"ch_invalid".parse().unwrap()).await.unwrap_err();
    assert_eq!((error.code, error.message.as_str()), (ErrorCode::ProcessorError, "No such charge: 'ch_invalid'"));
    assert_eq!(error.processor.unwrap().status_code, Some(404));
    assert!(!error.retryable && !error.outcome_unknown);
}

#[tokio::test]
async fn a_refund_is_validated_then_made() {
    let server = ScriptedServer::start([paid(), json(200, REFUND)]).await;
    let metadata = Metadata::new([("order".to_owned(), MetadataValue::Integer(7))].into()).unwrap();
    let made = processor(&server).process_refund(request("ch_1").metadata(metadata)).await.unwrap();
    assert_eq!((made.external_refund_id.as_str(), made.status), ("re_1", RefundStatus::Completed));
    assert_eq!(made.processed_at.as_seconds(), 1_700_000_000);
    let post = &server.received()[1];
    assert_eq!(post.body, "charge=ch_1&amount=2500&reason=requested_by_customer&metadata%5Border%5D=7");
    assert!(post.headers["idempotency-key"].starts_with("refundkit-"));
}

#[tokio::test]
async fn what_must_not_be_refunded_is_not_sent() {
    let server = ScriptedServer::start([
        json(200, &charge("ch_1", true, true, &list(&[], false))),
        json(200, &charge("ch_1", false, false, &list(&[], false))),
        paid(),
        json(200, &charge("ch_1", true, false, &list(&[], false)).replace("\"livemode\":false", "\"livemode\":true")),
    ])
    .await;
    let processor = processor(&server);
    let error = refused(&processor, request("ch_1")).await;
    assert_eq!(
        (error.code, error.message.as_str()),
        (ErrorCode::ProcessorError, "Charge ch_1 has already been refunded.")
    );
    let detail = error.processor.unwrap();
    assert_eq!((detail.code.as_deref(), detail.status_code), (Some("charge_already_refunded"), None));
    assert_eq!(refused(&processor, request("ch_1")).await.code, ErrorCode::ProcessorError);
    let mut in_euro = request("ch_1");
    in_euro.currency = "eur".parse().unwrap();
    let error = refused(&processor, in_euro).await;
    assert_eq!((error.code, error.field.as_deref()), (ErrorCode::ValidationError, Some("currency")));
    assert_eq!(refused(&processor, request("ch_1")).await.code, ErrorCode::EnvironmentMismatch);
    assert!(server.received().iter().all(|request| request.method == "GET"));

    let asked = server.received().len();
    let error = refused(&processor, request("pm_card_visa")).await;
    assert_eq!((error.code, error.field.as_deref()), (ErrorCode::ValidationError, Some("transactionId")));
    assert!(error.hint.unwrap().contains("PaymentIntent"));
    let error = refused(&processor, request("ch_1").idempotency_key("a b")).await;
    assert_eq!(error.field.as_deref(), Some("idempotencyKey"));
    assert_eq!(server.received().len(), asked, "nothing was asked for what is plainly wrong");
}

#[tokio::test]
async fn an_unknown_outcome_says_so_and_names_the_key_to_repeat_with() {
    let server = ScriptedServer::start([paid(), Step::Hang]).await;
    let keyed = request("ch_1").idempotency_key("mine-1");
    let error = refused(&impatient(&server.base), keyed).await;
    assert_eq!((error.code, error.outcome_unknown, error.retryable), (ErrorCode::ProcessorError, true, false));
    assert_eq!(error.idempotency_key.as_deref(), Some("mine-1"));
    assert_eq!(error.processor.unwrap().status_code, None);
    assert_eq!(server.received()[1].headers["idempotency-key"], "mine-1");
}

#[tokio::test]
async fn a_refusal_is_known_and_not_retryable() {
    let server = ScriptedServer::start([paid(), json(400, REFUSAL)]).await;
    let error = refused(&processor(&server), request("ch_1")).await;
    assert_eq!((error.code, error.outcome_unknown, error.retryable), (ErrorCode::ProcessorError, false, false));
    assert_eq!(error.processor.unwrap().request_id.as_deref(), Some("req_scripted"));
}

#[tokio::test]
async fn status_and_cancellation_are_in_refundkits_words() {
    let canceled = REFUND.replace("succeeded", "canceled");
    let pending = REFUND.replace("succeeded", "pending");
    let unsupported = r#"{"error":{"type":"invalid_request_error","message":"Canceling this refund is unsupported."}}"#;
    let server = ScriptedServer::start([json(200, &pending), json(200, &canceled), json(400, unsupported)]).await;
    let processor = processor(&server);
    assert_eq!(processor.get_refund_status("re_1").await.unwrap().status, RefundStatus::Processing);
    let cancellation = processor.cancel_refund("re_1").await.unwrap();
    assert!(cancellation.cancelled && cancellation.cancelled_at.is_some());
    let error = processor.cancel_refund("re_1").await.unwrap_err();
    assert_eq!(
        (error.code, error.message.as_str()),
        (ErrorCode::ProcessorError, "Canceling this refund is unsupported.")
    );
}
