//! Notifications of processors, as they arrived.

use refundkit::{Effect, Method, Operation, RefundId, Scope, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Lists the 20 notifications that arrived last from Stripe, newest first: whether they arrive, and what became of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListNotifications {}

impl Operation for ListNotifications {
    const NAME: &'static str = "list_notifications";
    const TAG: &'static str = "Processors";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "";
    const SCOPE: Scope = Scope::Read;
    const EFFECT: Effect = Effect::Read;
    type Output = Vec<Notification>;
}

/// A notification that was verified and kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    /// Its id at the processor (`evt_…`).
    pub external_event_id: String,
    /// What happened, in the processor's word.
    #[serde(rename = "type")]
    pub event_type: String,
    /// When it arrived.
    pub received_at: Timestamp,
    /// What became of it: `waiting` until it was digested.
    pub outcome: String,
    /// The refund that it is about, where it carries the id of one.
    pub refund_id: Option<RefundId>,
}
