//! Looking closely at one thing, with what only people at a page want to know of it beside what the API tells.

use refundkit::{
    Amount, Effect, Method, Operation, PolicyDecision, Refund, RefundId, Scope, Transaction, TransactionId,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::askers::Asker;

/// Reads a payment at its processor: what is left of it, how it was paid, and whether it could be refunded now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LookAtTransaction {
    /// The payment: a Stripe charge (`ch_…`, `py_…`) or PaymentIntent (`pi_…`).
    pub transaction_id: TransactionId,
    /// How much somebody thinks of refunding. Omitted: all that is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Amount>,
    /// The key under which that refund would be asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
}

impl Operation for LookAtTransaction {
    const NAME: &'static str = "look_at_transaction";
    const TAG: &'static str = "Transactions";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "";
    const SCOPE: Scope = Scope::Read;
    const EFFECT: Effect = Effect::Read;
    type Output = TransactionLook;
}

/// A payment as somebody who wants to refund it looks at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransactionLook {
    /// The payment.
    pub transaction: Transaction,
    /// How it was paid, as people recognise it (`Visa •••• 4242`), where the processor says.
    pub payment_method: Option<String>,
    /// Whether it could be refunded now.
    pub policy: PolicyDecision,
    /// What was tried or authorized, in the processor's smallest unit, where the processor says.
    pub amount_asked: Option<i64>,
    /// Whether money was taken.
    pub paid: bool,
    /// Whether it was captured: what is only authorized cannot be refunded.
    pub captured: bool,
    /// The refund that one of this amount would repeat.
    pub duplicate_of: Option<RefundId>,
    /// The refund that was made already with the key.
    pub made: Option<RefundId>,
    /// What bounds the caller, when it is somebody whose refunds are limited.
    pub member: Option<MemberRoom>,
}

/// What a member may refund of a payment, in the processor's smallest unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberRoom {
    /// The most of one payment; null: nothing in this currency.
    pub limit: Option<Amount>,
    /// What this person refunded of it before.
    pub used: i64,
}

/// Reads one refund, with who asked for it and whether it can be taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LookAtRefund {
    /// The refund's id (`ref_…`).
    pub id: RefundId,
}

impl Operation for LookAtRefund {
    const NAME: &'static str = "look_at_refund";
    const TAG: &'static str = "Refunds";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "";
    const SCOPE: Scope = Scope::Read;
    const EFFECT: Effect = Effect::Read;
    type Output = RefundLook;
}

/// A refund as somebody who is asked about it looks at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefundLook {
    /// The refund.
    pub refund: Refund,
    /// The PaymentIntent that its charge belongs to, where there is one.
    pub payment_intent: Option<String>,
    /// Who asked for it; null where that was not written down.
    pub asked_by: Option<Asker>,
    /// Why it cannot be taken back; null while it can.
    pub not_cancellable: Option<String>,
}
