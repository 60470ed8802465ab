//! The audit trail of a refund: what happened, when, by whom and through what.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{EventId, InitiatedBy, KeyId, RefundId, RefundStage, RefundStatus, Timestamp, UserId, refund::words};

words! {
    /// What happened to a refund.
    RefundEventType {
        /// It was asked for and written down; where an attempt began with it, `attempt` is 1.
        Created = "refund.created",
        /// Another attempt to submit it began.
        Submitting = "refund.submitting",
        /// An attempt certainly did not execute it; it will be sent again.
        Postponed = "refund.postponed",
        /// An attempt had no readable answer: whether it happened is not known.
        OutcomeUnknown = "refund.outcome_unknown",
        /// The processor needs something from the customer first.
        RequiresAction = "refund.requires_action",
        /// The processor is executing it.
        Processing = "refund.processing",
        /// The processor executed it.
        Completed = "refund.completed",
        /// It will not reach the customer.
        Failed = "refund.failed",
        /// Somebody asked to take it back.
        CancelRequested = "refund.cancel_requested",
        /// The processor would not take it back.
        CancelRefused = "refund.cancel_refused",
        /// It was taken back.
        Cancelled = "refund.cancelled",
        /// Something else about it changed.
        Updated = "refund.updated",
        /// The processor said something that cannot follow what it said before; a person should look.
        Contradicted = "refund.contradicted",
    }
}

/// One entry of a refund's audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct RefundEvent {
    /// The entry's id; ids sort by time.
    pub id: EventId,
    /// The refund.
    pub refund_id: RefundId,
    /// What happened.
    #[serde(rename = "type")]
    pub event_type: RefundEventType,
    /// When.
    pub created_at: Timestamp,
    /// By whom and through what.
    pub actor: Actor,
    /// The status before; null for the first entry.
    pub from_status: Option<RefundStatus>,
    /// The status after.
    pub to_status: RefundStatus,
    /// The stage after.
    pub stage: RefundStage,
    /// The number of the submission attempt that this belongs to.
    pub attempt: Option<u32>,
    /// The processor's id of the request that brought it about.
    pub processor_request_id: Option<String>,
    /// More in words: the processor's message, or what was decided and why.
    pub message: Option<String>,
}

/// Who did something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct Actor {
    /// Caller, worker or processor.
    #[serde(rename = "type")]
    pub actor_type: ActorType,
    /// The caller's door, when a caller did it.
    pub through: Option<InitiatedBy>,
    /// The caller's key, when a caller with a key did it.
    pub key_id: Option<KeyId>,
    /// The person, when somebody did it in the dashboard.
    pub user_id: Option<UserId>,
    /// The person's e-mail address at that time.
    pub user_email: Option<String>,
    /// What the caller said of itself (`RefundKit-Client`): self-reported.
    pub client: Option<String>,
}

words! {
    /// What kind of actor did something.
    ActorType {
        /// Somebody with a key, or a person in the dashboard.
        Caller = "caller",
        /// RefundKit itself, following the refund.
        System = "system",
    }
}
