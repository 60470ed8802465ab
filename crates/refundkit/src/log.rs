//! The request log: calls as the server answered them, without secrets.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{InitiatedBy, KeyId, RefundId, RequestId, Timestamp, UserId};

/// One call. Written behind the answer, so the last second may be lost in a crash; a refund's audit trail may not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct LogEntry {
    /// The request's id, as in its `Request-Id` header.
    pub id: RequestId,
    /// When it was answered.
    pub created_at: Timestamp,
    /// The operation's name.
    pub operation: String,
    /// The HTTP method.
    pub method: String,
    /// The path with its values, without the query.
    pub path: String,
    /// The HTTP status answered.
    pub status: u16,
    /// The error's code, when it failed.
    pub error_code: Option<String>,
    /// The error's message, when it failed.
    pub error_message: Option<String>,
    /// How long it took, in milliseconds.
    pub duration_ms: i64,
    /// The key that called; null when a person did, in the dashboard.
    pub key_id: Option<KeyId>,
    /// The person who called, in the dashboard.
    pub user_id: Option<UserId>,
    /// The person's e-mail address at that time.
    pub user_email: Option<String>,
    /// The door it came through.
    pub through: InitiatedBy,
    /// What the client said of itself.
    pub client: Option<String>,
    /// The caller's idempotency key.
    pub idempotency_key: Option<String>,
    /// The refund that it was about: made, read or cancelled, or why another one was refused; null where it was about none.
    pub refund_id: Option<RefundId>,
    /// The input as JSON text, secrets redacted, cut at 4096 characters.
    pub input: Option<String>,
}
