//! The request log: searched, and one call in full.

use refundkit::{
    Effect, InitiatedBy, LogEntry, Method, Operation, RequestId, Scope,
    page::{Cursor, Limit},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{SearchText, Searched};

/// Searches the calls made to this organization and environment, newest first, with secrets redacted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SearchLogs {
    /// Only calls that came through this door.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<InitiatedBy>,
    /// Only calls of the operation of this name (`create_refund`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<SearchText>,
    /// Only calls that were answered with an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only_errors: Option<bool>,
    /// How many to a page, 1 to 100. Default 25.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,
    /// The `nextCursor` of the page before, with the same filters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Cursor>,
}

impl Operation for SearchLogs {
    const NAME: &'static str = "search_logs";
    const TAG: &'static str = "Logs";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "";
    const SCOPE: Scope = Scope::Admin;
    const EFFECT: Effect = Effect::Read;
    type Output = Searched<LogEntry>;
}

/// Reads one call of the request log, with secrets redacted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GetLog {
    /// The request's id (`req_…`).
    pub id: RequestId,
}

impl Operation for GetLog {
    const NAME: &'static str = "get_log";
    const TAG: &'static str = "Logs";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "";
    const SCOPE: Scope = Scope::Admin;
    const EFFECT: Effect = Effect::Read;
    type Output = LogEntry;
}
