//! Searching refunds.

use refundkit::{
    Amount, Currency, Effect, InitiatedBy, Method, Operation, ProcessorName, RefundReason, RefundStage, RefundStatus,
    Scope, Timestamp,
    page::{Cursor, Limit},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AskedRefund, SearchText, Searched, askers::AskerId};

/// Searches refunds that pass all the filters given, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SearchRefunds {
    /// A refund's id, any id of its payment, its id at the processor, a metadata value, or a metadata `key:value` or
    /// `key=value`. At most 500 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<SearchText>,
    /// Only refunds of this status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<RefundStatus>,
    /// Only refunds in this stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<RefundStage>,
    /// Only refunds through this processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processor: Option<ProcessorName>,
    /// Only refunds for this reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<RefundReason>,
    /// Only refunds that came through this door.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initiated_by: Option<InitiatedBy>,
    /// Only refunds that this person (`usr_…`) or API key (`key_…`) asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_by: Option<AskerId>,
    /// Only refunds in this currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// Only refunds of at least this amount; needs `currency`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount_min: Option<Amount>,
    /// Only refunds of at most this amount; needs `currency`.
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
    /// The `nextCursor` of the page before, with the same filters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Cursor>,
}

impl Operation for SearchRefunds {
    const NAME: &'static str = "search_refunds";
    const TAG: &'static str = "Refunds";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "";
    const SCOPE: Scope = Scope::Read;
    const EFFECT: Effect = Effect::Read;
    type Output = Searched<AskedRefund>;
}
