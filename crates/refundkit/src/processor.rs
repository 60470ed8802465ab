//! What a processor tells: charges, refunds and errors as facts, in words that hold for any processor.
//!
//! Data only, so that the rules can reason about it without IO. The processors themselves, which do the telling, live in
//! `processors` (feature `processors`).

use serde::{Deserialize, Serialize};

use crate::{Currency, ProcessorErrorDetail, RefundId, RefundReason, RefundStatus, Timestamp};

/// A payment as the processor has it: the charge that a transaction id resolved to, with its refunds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own that processors report independently")]
pub struct Charge {
    /// The charge's id at the processor.
    pub id: String,
    /// The PaymentIntent it belongs to, where there is one.
    pub payment_intent: Option<String>,
    /// What was to be collected, in the processor's unit: tried, authorized or captured. Said where the processor says it; nothing
    /// is decided by it.
    pub amount: Option<i64>,
    /// What was captured, in the processor's unit.
    pub amount_captured: i64,
    /// The currency.
    pub currency: Currency,
    /// Whether it was captured at all.
    pub captured: bool,
    /// Whether the processor calls it paid.
    pub paid: bool,
    /// Whether the processor calls it fully refunded.
    pub refunded: bool,
    /// Whether it was ever disputed.
    pub disputed: bool,
    /// Whether it is real money.
    pub livemode: bool,
    /// Whether part of it was transferred to a connected account.
    pub has_transfer: bool,
    /// How it was paid, as people recognise it: `Visa •••• 4242`. Said where the processor says it; nothing is decided by it.
    pub payment_method: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Every refund of it, newest first.
    pub refunds: Vec<ProcessorRefund>,
}

/// A refund as the processor has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessorRefund {
    /// Its id at the processor.
    pub id: String,
    /// The charge it refunds, where the processor says.
    pub charge: Option<String>,
    /// How much, in the processor's unit.
    pub amount: i64,
    /// The currency.
    pub currency: Currency,
    /// Where it stands.
    pub status: ReportedStatus,
    /// Why it failed, in the processor's code, when it did.
    pub failure_reason: Option<String>,
    /// Our id, when the processor's copy carries it.
    pub refund_id: Option<RefundId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// The processor's id of the request that told us, where it gave one.
    pub request_id: Option<String>,
}

/// Where a processor says that a refund stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub enum ReportedStatus {
    /// Executed; expected to arrive.
    Completed,
    /// Being executed.
    Processing,
    /// The customer must do something first.
    RequiresAction,
    /// A status that is not known here, verbatim.
    Unrecognised(String),
    /// It will not reach the customer.
    Failed,
    /// Taken back.
    Canceled,
}

impl ReportedStatus {
    /// RefundKit's word for it, for a refund that RefundKit did not cancel itself.
    pub const fn status(&self) -> RefundStatus {
        match self {
            Self::Completed => RefundStatus::Completed,
            Self::Processing => RefundStatus::Processing,
            Self::RequiresAction | Self::Unrecognised(_) => RefundStatus::Pending,
            Self::Failed | Self::Canceled => RefundStatus::Failed,
        }
    }
}

/// What a refund is to be made of, before it is turned into a processor's request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundRequest {
    /// The charge.
    pub charge: String,
    /// How much.
    pub amount: crate::Amount,
    /// The charge's currency, to check the answer against.
    pub currency: Currency,
    /// Why.
    pub reason: RefundReason,
    /// Pairs to store with the refund at the processor, in order.
    pub metadata: Vec<(String, String)>,
    /// The key under which the processor executes it once.
    pub idempotency_key: String,
}

/// A request to make a refund, exactly as it will be sent however often: stored before it is sent the first time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreparedRefund {
    /// The key under which the processor executes it once.
    pub idempotency_key: String,
    /// The body, byte for byte.
    pub body: String,
    /// The version of the processor's API it was written for.
    pub api_version: String,
    /// The connected account it is made for.
    pub account: Option<String>,
    /// What the answer must say.
    pub amount: i64,
    /// What the answer must say.
    pub currency: Currency,
}

/// The answer to a request that changes something at a processor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<T> {
    /// The processor did it.
    Accepted(T),
    /// The processor refused it and did nothing.
    Refused(ProcessorError),
    /// It certainly was not executed (never reached the processor, or was turned away before): ask again later.
    NotExecuted(ProcessorError),
    /// There was no readable answer: it may or may not have been executed.
    Unknown(ProcessorError),
}

/// Why a processor did not do or tell what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", detail.message)]
pub struct ProcessorError {
    /// What kind of trouble it is.
    pub kind: ProcessorErrorKind,
    /// What the processor said, in its own words.
    pub detail: ProcessorErrorDetail,
    /// What to do next, in one sentence.
    pub hint: Option<String>,
    /// How long the processor asked to wait, in milliseconds.
    pub retry_after_ms: Option<i64>,
}

/// What kind of trouble a processor error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub enum ProcessorErrorKind {
    /// The processor has no such object.
    NotFound,
    /// Nothing is left to refund.
    AlreadyRefunded,
    /// More than is left.
    AmountTooLarge,
    /// The credential is unknown, rolled or expired.
    InvalidCredential,
    /// The credential lacks a permission.
    MissingPermission,
    /// The object exists in the other mode.
    OtherMode,
    /// The refund cannot be taken back.
    NotCancellable,
    /// Any other refusal.
    Refused,
    /// Too many requests, or the object is locked: turned away before anything was done.
    RateLimited,
    /// The processor never got the request.
    NotReached,
    /// Not answered in time, cut, unreadable, or an error of the processor's own.
    Unavailable,
}

impl ProcessorErrorKind {
    /// Whether the processor refused, rather than being unable to answer.
    pub const fn is_refusal(self) -> bool {
        !matches!(self, Self::RateLimited | Self::NotReached | Self::Unavailable)
    }
}
