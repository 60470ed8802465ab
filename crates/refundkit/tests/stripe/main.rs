//! The Stripe processor against servers that answer well, badly, or not at all: what it concludes, and what it sent.
#![cfg(feature = "processors")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "what a test cannot go on without")]

mod direct;
mod reads;
mod server;
mod writes;

use std::time::Duration;

use refundkit::{
    Amount, RefundReason, StripeProcessor,
    processor::{PreparedRefund, RefundRequest},
    processors::{
        PaymentProcessor as _,
        stripe::{StripeProcessorBuilder, Timeouts},
    },
};
use server::ScriptedServer;

const KEY: &str = "sk_test_51Habcdefghijkl4242";
const REFUND: &str = r#"{"id":"re_1","object":"refund","amount":2500,"currency":"usd","charge":"ch_1","status":"succeeded","created":1700000000}"#;
const REFUSAL: &str = r#"{"error":{"type":"invalid_request_error","code":"charge_already_refunded","message":"Charge ch_1 has already been refunded."}}"#;
const SERVER_ERROR: &str = r#"{"error":{"type":"api_error","message":"An unknown error occurred"}}"#;

fn builder(base: &str) -> StripeProcessorBuilder {
    StripeProcessor::builder(KEY).api_base(base).max_retries(1)
}

fn processor(server: &ScriptedServer) -> StripeProcessor {
    builder(&server.base).build().unwrap()
}

/// Gives up within half a second, and does not try again.
fn impatient(base: &str) -> StripeProcessor {
    let short = Timeouts {
        connect: Duration::from_millis(200),
        read: Duration::from_millis(200),
        total: Duration::from_millis(400),
    };
    builder(base).timeouts(short).max_retries(0).build().unwrap()
}

fn prepared(processor: &StripeProcessor) -> PreparedRefund {
    processor.prepare_refund(&RefundRequest {
        charge: "ch_1".to_owned(),
        amount: Amount::new(2500).unwrap(),
        currency: "usd".parse().unwrap(),
        reason: RefundReason::ProductDefective,
        metadata: vec![("refundkit_reason".to_owned(), "product_defective".to_owned())],
        idempotency_key: "refundkit-key-1".to_owned(),
    })
}

fn charge(id: &str, paid: bool, refunded: bool, refunds: &str) -> String {
    format!(
        r#"{{"id":"{id}","object":"charge","payment_intent":"pi_1","amount":5000,"amount_captured":5000,"currency":"usd",
        "captured":true,"paid":{paid},"refunded":{refunded},"disputed":false,"livemode":false,"created":1700000000,
        "transfer_data":null,"refunds":{refunds}}}"#
    )
}

fn refund(id: &str, metadata: &str) -> String {
    format!(
        r#"{{"id":"{id}","object":"refund","amount":10,"currency":"usd","charge":"ch_1","status":"pending","created":1,"metadata":{metadata}}}"#
    )
}

fn list(refunds: &[String], has_more: bool) -> String {
    format!(r#"{{"object":"list","url":"/v1/refunds","has_more":{has_more},"data":[{}]}}"#, refunds.join(","))
}
