//! Operations on transactions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Effect, Method, Operation, ProcessorName, Scope, Transaction, operation::setters, transaction::TransactionId,
};

/// Reads a payment at its processor: what was captured, what is refunded, and what is left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct GetTransaction {
    /// The payment: a Stripe charge (`ch_…`, `py_…`) or PaymentIntent (`pi_…`).
    pub id: TransactionId,
    /// The processor. Omitted: told from the payment's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processor: Option<ProcessorName>,
}

impl Operation for GetTransaction {
    const NAME: &'static str = "get_transaction";
    const TAG: &'static str = "Transactions";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/v1/transactions/{id}";
    const SCOPE: Scope = Scope::Read;
    const EFFECT: Effect = Effect::Read;
    type Output = Transaction;
}

impl GetTransaction {
    /// Asks for a payment, at the processor that its id tells.
    pub const fn new(id: TransactionId) -> Self {
        Self { id, processor: None }
    }
}

setters! {
    GetTransaction {
        processor: ProcessorName,
    }
}
