//! The contract of a payment processor: what everything above `PaymentProcessor` relies on, tried over HTTP.
//!
//! The cases know `dyn PaymentProcessor` and a [`World`]: a place where that processor's payments, troubles and true books can
//! be had. A new processor describes its world and is enrolled with one line in [`worlds`]. What only Stripe has (its version
//! header, connected accounts) is tried in `stripe`, beside its world.

mod cancelling;
mod credentials;
mod reading;
mod refunding;
mod stripe;
mod trouble;

use async_trait::async_trait;
use refundkit::{
    Amount, PaymentProcessor, RefundId, RefundReason,
    processor::{Outcome, PreparedRefund, ProcessorError, ProcessorErrorKind, ProcessorRefund, RefundRequest},
};
use refundkit_server::env::Env;

/// The processors under contract.
async fn worlds() -> Vec<Box<dyn World>> {
    vec![Box::new(stripe::StripeWorld::new().await)]
}

/// More tries than one call makes.
const ALL_TRIES: u32 = 3;
/// A pause that a processor may ask for, longer than a call waits.
const LONG_PAUSE_SECONDS: u32 = 60;
/// What the books say of a payment that nobody refunded.
const NO_REFUNDS: [i64; 0] = [];

/// A processor's test world, fresh for every case.
#[async_trait]
trait World: Send + Sync {
    /// What there is to refund.
    fn payments(&self) -> Payments;

    /// The processor as an organization with this credential has it.
    fn processor_with(&self, credential: Credential) -> Box<dyn PaymentProcessor>;

    /// Lets trouble strike the next requests.
    async fn arm(&self, on: Requests, trouble: Trouble, times: u32);

    /// Refunds a payment past us, as a person at the processor's dashboard does.
    async fn refund_elsewhere(&self, charge: &str, amount: i64);

    /// The processor's own books: the amount of every refund of a charge that holds its share of it, oldest first.
    async fn books(&self, charge: &str) -> Vec<i64>;

    /// Everything the processor was asked, oldest first.
    async fn asked(&self) -> Vec<Asked>;

    fn processor(&self) -> Box<dyn PaymentProcessor> {
        self.processor_with(Credential::Good)
    }
}

/// What there is to refund in a world. Ids are the processor's.
#[derive(Debug, Clone, Copy)]
struct Payments {
    /// Paid, captured, not refunded, at least 200 units.
    plain: Payment,
    /// The same, of other ids and currencies.
    others: &'static [Payment],
    /// Refunded in part, with one refund of `refunded` units.
    partly_refunded: Payment,
    refunded: i64,
    /// Authorized and not captured.
    uncaptured: &'static str,
    /// Tried and not paid.
    unpaid: &'static str,
    /// Its refunds wait for the customer.
    action_needed: Payment,
    /// Every refund of it is refused for this.
    refused: (Payment, Refusal),
    /// What a refund of one unit more than is left of `partly_refunded` is refused for.
    too_much: Refusal,
    /// What a refund of `plain` is refused for when nothing is left.
    already_refunded: Refusal,
    /// No such payment.
    missing: (&'static str, Refusal),
    /// A payment of the other mode.
    other_mode: &'static str,
    /// A refund that is not there.
    missing_refund: &'static str,
}

/// A payment.
#[derive(Debug, Clone, Copy)]
struct Payment {
    /// As a caller names it.
    id: &'static str,
    /// The charge that this resolves to.
    charge: &'static str,
    captured: i64,
    currency: &'static str,
}

/// A refusal in the processor's words.
#[derive(Debug, Clone, Copy)]
struct Refusal {
    kind: ProcessorErrorKind,
    message: &'static str,
    code: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Credential {
    Good,
    /// Was good once.
    Expired,
    Unknown,
    /// Reads, and may not refund.
    ReadOnly,
}

/// Which requests trouble strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Requests {
    Reads,
    Writes,
}

/// What can happen to a request on a bad day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// The connection ends and nothing was done.
    LostBefore,
    /// The connection ends and everything was done.
    LostAfter,
    /// A server error, and nothing was done.
    ErrorBefore,
    /// A server error, and everything was done.
    ErrorAfter,
    /// A server error that the processor remembers under the key, though everything was done.
    RememberedError,
    /// Everything was done, and the answer cannot be read.
    Unreadable,
    /// Turned away by a limit.
    RateLimit { retry_after_seconds: Option<u32> },
    /// Turned away because somebody else holds the payment.
    Locked,
}

/// A request as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Asked {
    method: String,
    path: String,
    body: String,
    idempotency_key: Option<String>,
    api_version: Option<String>,
}

/// A refund as the server asks for it: under its own id, which the processor's copy carries.
fn request(payment: &Payment, amount: i64) -> (RefundId, RefundRequest) {
    let id = Env::default().new_refund_id();
    let request = RefundRequest {
        charge: payment.charge.to_owned(),
        amount: Amount::new(amount).unwrap(),
        currency: payment.currency.parse().unwrap(),
        reason: RefundReason::ProductDefective,
        metadata: vec![
            ("orderId".to_owned(), "1001 & more = ü".to_owned()),
            ("refundkit_refund_id".to_owned(), id.to_string()),
        ],
        idempotency_key: id.to_string(),
    };
    (id, request)
}

fn prepared(processor: &dyn PaymentProcessor, payment: &Payment, amount: i64) -> PreparedRefund {
    processor.prepare_refund(&request(payment, amount).1)
}

/// Makes a refund that must be accepted.
async fn refunded(processor: &dyn PaymentProcessor, payment: &Payment, amount: i64) -> (RefundId, ProcessorRefund) {
    let (id, request) = request(payment, amount);
    (id, accepted(processor.submit_refund(&processor.prepare_refund(&request)).await))
}

#[track_caller]
fn accepted(outcome: Outcome<ProcessorRefund>) -> ProcessorRefund {
    let Outcome::Accepted(refund) = outcome else { panic!("not accepted: {outcome:?}") };
    refund
}

#[track_caller]
fn refused(outcome: Outcome<ProcessorRefund>) -> ProcessorError {
    let Outcome::Refused(error) = outcome else { panic!("not refused: {outcome:?}") };
    error
}

#[track_caller]
fn not_executed(outcome: Outcome<ProcessorRefund>) -> ProcessorError {
    let Outcome::NotExecuted(error) = outcome else { panic!("not turned away: {outcome:?}") };
    error
}

#[track_caller]
fn unknown(outcome: Outcome<ProcessorRefund>) -> ProcessorError {
    let Outcome::Unknown(error) = outcome else { panic!("not in doubt: {outcome:?}") };
    error
}

/// Checks that the processor's own words, code and request id came through, and that we say what to do.
#[track_caller]
fn assert_refusal(error: &ProcessorError, expected: Refusal) {
    assert_eq!(error.kind, expected.kind, "{error:?}");
    assert_eq!((error.detail.message.as_str(), error.detail.code.as_deref()), (expected.message, expected.code));
    assert!(error.kind.is_refusal() && error.detail.status_code.is_some_and(|status| (400..500).contains(&status)));
    assert!(error.detail.request_id.as_deref().is_some_and(|id| !id.is_empty()), "{error:?}");
    assert!(error.hint.as_deref().is_some_and(|hint| !hint.is_empty()), "{error:?}");
}

/// How many requests this costs.
async fn cost(world: &dyn World, before: usize) -> usize {
    world.asked().await.len() - before
}
