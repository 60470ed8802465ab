//! The transaction: the payment that is refunded, as the processor has it now.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Currency, Environment, ProcessorName, RefundId, Timestamp};

/// The longest transaction id, in characters. Stripe allows its ids 255.
pub const TRANSACTION_ID_CHARACTERS_MAX: usize = 255;

/// A payment's id at its processor, as the caller gave it: 1 to 255 letters, digits, `_` and `-`. Opaque otherwise.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct TransactionId(String);

/// A text that cannot be a transaction id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 255 letters, digits, underscores or hyphens")]
pub struct InvalidTransactionId;

impl TransactionId {
    /// The id as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TransactionId {
    type Err = InvalidTransactionId;
    fn from_str(text: &str) -> Result<Self, InvalidTransactionId> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if (1..=TRANSACTION_ID_CHARACTERS_MAX).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidTransactionId)
        }
    }
}

impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for TransactionId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <Cow<'de, str>>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for TransactionId {
    fn schema_name() -> Cow<'static, str> {
        "TransactionId".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[A-Za-z0-9_-]{1,255}$" })
    }
}

/// A payment as the processor has it at this moment, with what has been refunded of it and what is left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct Transaction {
    /// The id as the caller gave it.
    pub transaction_id: TransactionId,
    /// The charge it resolved to.
    pub external_transaction_id: String,
    /// Whose payment it is.
    pub processor: ProcessorName,
    /// What was captured, in the processor's smallest unit; 0 while nothing is.
    pub amount: i64,
    /// What is refunded or on its way, made here or elsewhere.
    pub refunded_amount: i64,
    /// What could be refunded now: captured less refunded, never below 0.
    pub refundable_amount: i64,
    /// The currency.
    pub currency: Currency,
    /// When the payment was made.
    pub created_at: Timestamp,
    /// Whether it is paid and not fully refunded.
    pub valid: bool,
    /// Why not, in words, when it is not valid.
    pub invalid_reason: Option<String>,
    /// Whether the customer has disputed it. That alone does not forbid a refund; the processor decides.
    pub disputed: bool,
    /// The environment it lives in.
    pub environment: Environment,
    /// Its refunds, newest first, whoever made them.
    pub refunds: Vec<TransactionRefund>,
}

/// One refund of a payment, as the processor lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct TransactionRefund {
    /// The processor's id, null while the processor does not list it.
    pub external_refund_id: Option<String>,
    /// How much, in the processor's smallest unit.
    pub amount: i64,
    /// Its status in RefundKit's words.
    pub status: crate::RefundStatus,
    /// RefundKit's id, when RefundKit made it.
    pub refund_id: Option<RefundId>,
    /// When it was made.
    pub created_at: Timestamp,
}
