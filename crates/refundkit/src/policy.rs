//! The answer to "could this be refunded, and how much of it?".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Currency, Timestamp};

/// Whether a payment could be refunded now. It reserves and promises nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct PolicyDecision {
    /// Whether the amount asked about (or anything at all) could be refunded now.
    pub eligible: bool,
    /// Why or why not, in words.
    pub reason: String,
    /// What could be refunded now, in the processor's smallest unit; 0 when nothing can.
    pub max_amount: i64,
    /// The currency.
    pub currency: Currency,
    /// Until when; null when no deadline is configured.
    pub deadline: Option<Timestamp>,
    /// What else to know, in words.
    pub conditions: Vec<String>,
}
