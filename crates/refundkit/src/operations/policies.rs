//! Operations on refund policies.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Amount, Effect, Method, Operation, PolicyDecision, Scope, operation::setters, transaction::TransactionId};

/// Says whether a payment could be refunded now and how much of it. Reserves and promises nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct CheckPolicy {
    /// The payment: a Stripe charge (`ch_…`, `py_…`) or PaymentIntent (`pi_…`).
    pub transaction_id: TransactionId,
    /// How much, in the currency's smallest unit. Omitted: anything at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Amount>,
}

impl Operation for CheckPolicy {
    const NAME: &'static str = "check_policy";
    const TAG: &'static str = "Policies";
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/v1/policies/check";
    const SCOPE: Scope = Scope::Read;
    const EFFECT: Effect = Effect::Read;
    type Output = PolicyDecision;
}

impl CheckPolicy {
    /// Asks about any amount of a payment.
    pub const fn new(transaction_id: TransactionId) -> Self {
        Self { transaction_id, amount: None }
    }
}

setters! {
    CheckPolicy {
        amount: Amount,
    }
}
