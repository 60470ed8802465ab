//! Operations on the request log.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Effect, LogEntry, Method, Operation, Page, Scope,
    operation::setters,
    page::{Cursor, Limit},
};

/// Lists the calls made to this organization and environment, newest first, with secrets redacted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct ListLogs {
    /// How many to a page, 1 to 100. Default 25.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,
    /// The `nextCursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Cursor>,
}

impl Operation for ListLogs {
    const NAME: &'static str = "list_logs";
    const TAG: &'static str = "Logs";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/v1/logs";
    const SCOPE: Scope = Scope::Admin;
    const EFFECT: Effect = Effect::Read;
    type Output = Page<LogEntry>;
}

setters! {
    ListLogs {
        limit: Limit,
        cursor: Cursor,
    }
}
