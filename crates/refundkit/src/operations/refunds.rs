//! Operations on refunds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Amount, Currency, Effect, InitiatedBy, Metadata, Method, Operation, Page, ProcessorName, Refund, RefundEvent,
    RefundId, RefundReason, RefundStatus, Scope, Timestamp,
    operation::setters,
    page::{Cursor, Limit, Offset},
    transaction::TransactionId,
};

/// Refunds a payment, once.
///
/// The payment is read at the processor and checked, the refund is written down, sent under its own idempotency key, and
/// followed to its end. Answers 201 with the refund, or 202 when it is queued or its outcome is not known yet: then do not
/// create another one, and read this one again. A refund of the same payment and amount that is open or younger than 24 hours
/// is refused with `refund_already_processed` unless `allowDuplicate` is true.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct CreateRefund {
    /// The payment: a Stripe charge (`ch_…`, `py_…`) or PaymentIntent (`pi_…`).
    pub transaction_id: TransactionId,
    /// Why the customer is refunded.
    pub reason: RefundReason,
    /// How much, in the currency's smallest unit (2500 is $25.00). Omitted: all that is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Amount>,
    /// The payment's currency, as a check. Omitted: whatever the payment's is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// The processor. Omitted: told from the payment's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processor: Option<ProcessorName>,
    /// Your own key-value pairs, kept with the refund and sent to the processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// Refund although a refund of the same payment and amount exists already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_duplicate: Option<bool>,
}

impl Operation for CreateRefund {
    const NAME: &'static str = "create_refund";
    const TAG: &'static str = "Refunds";
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/v1/refunds";
    const SCOPE: Scope = Scope::Write;
    const EFFECT: Effect = Effect::WriteOnce;
    type Output = Refund;
}

impl CreateRefund {
    /// Asks for all that is left of a payment; set the other fields as needed.
    pub fn new(transaction_id: TransactionId, reason: RefundReason) -> Self {
        Self {
            transaction_id,
            reason,
            amount: None,
            currency: None,
            processor: None,
            metadata: None,
            allow_duplicate: None,
        }
    }
}

setters! {
    CreateRefund {
        amount: Amount,
        currency: Currency,
        processor: ProcessorName,
        metadata: Metadata,
        allow_duplicate: bool,
    }
}

/// Reads one refund: where it stands now and, when it failed, why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct GetRefund {
    /// The refund's id (`ref_…`).
    pub id: RefundId,
}

impl Operation for GetRefund {
    const NAME: &'static str = "get_refund";
    const TAG: &'static str = "Refunds";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/v1/refunds/{id}";
    const SCOPE: Scope = Scope::Read;
    const EFFECT: Effect = Effect::Read;
    type Output = Refund;
}

impl GetRefund {
    /// Asks for the refund with this id.
    pub const fn new(id: RefundId) -> Self {
        Self { id }
    }
}

/// Lists refunds that pass all the filters given, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct ListRefunds {
    /// Only refunds of this status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<RefundStatus>,
    /// Only refunds through this processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processor: Option<ProcessorName>,
    /// Only refunds of this payment; either id of it finds them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<TransactionId>,
    /// Only refunds for this reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<RefundReason>,
    /// Only refunds that came through this door.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initiated_by: Option<InitiatedBy>,
    /// Only the refund with this id at the processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub external_refund_id: Option<TransactionId>,
    /// Only refunds of at least this amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount_min: Option<Amount>,
    /// Only refunds of at most this amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount_max: Option<Amount>,
    /// Only refunds created at or after this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_after: Option<Timestamp>,
    /// Only refunds created before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_before: Option<Timestamp>,
    /// How many to a page, 1 to 100. Default 25.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,
    /// The `nextCursor` of the page before, with the same filters. Not together with `offset`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Cursor>,
    /// How many to pass over, at most 10000. A cursor is better: it stays right while refunds arrive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<Offset>,
}

impl Operation for ListRefunds {
    const NAME: &'static str = "list_refunds";
    const TAG: &'static str = "Refunds";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/v1/refunds";
    const SCOPE: Scope = Scope::Read;
    const EFFECT: Effect = Effect::Read;
    type Output = Page<Refund>;
}

setters! {
    ListRefunds {
        status: RefundStatus,
        processor: ProcessorName,
        transaction_id: TransactionId,
        reason: RefundReason,
        initiated_by: InitiatedBy,
        external_refund_id: TransactionId,
        amount_min: Amount,
        amount_max: Amount,
        created_after: Timestamp,
        created_before: Timestamp,
        limit: Limit,
        cursor: Cursor,
        offset: Offset,
    }
}

/// Takes a refund back, where that is still possible.
///
/// A refund that was not sent yet is cancelled here. One that waits for the customer is cancelled at the processor; without an
/// answer the request is remembered and the answer is 202. Card refunds at Stripe can practically never be taken back:
/// `refund_not_cancellable`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct CancelRefund {
    /// The refund's id (`ref_…`).
    pub id: RefundId,
}

impl Operation for CancelRefund {
    const NAME: &'static str = "cancel_refund";
    const TAG: &'static str = "Refunds";
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/v1/refunds/{id}/cancel";
    const SCOPE: Scope = Scope::Write;
    const EFFECT: Effect = Effect::WriteIdempotent;
    type Output = Refund;
}

impl CancelRefund {
    /// Asks to take back the refund with this id.
    pub const fn new(id: RefundId) -> Self {
        Self { id }
    }
}

/// Lists what happened to a refund, oldest first: what, when, by whom and through what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct ListRefundEvents {
    /// The refund's id (`ref_…`).
    pub id: RefundId,
    /// How many to a page, 1 to 100. Default 25.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,
    /// The `nextCursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Cursor>,
}

impl Operation for ListRefundEvents {
    const NAME: &'static str = "list_refund_events";
    const TAG: &'static str = "Refunds";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/v1/refunds/{id}/events";
    const SCOPE: Scope = Scope::Read;
    const EFFECT: Effect = Effect::Read;
    type Output = Page<RefundEvent>;
}

impl ListRefundEvents {
    /// Asks what happened to the refund with this id.
    pub const fn new(id: RefundId) -> Self {
        Self { id, limit: None, cursor: None }
    }
}

setters! {
    ListRefundEvents {
        limit: Limit,
        cursor: Cursor,
    }
}
