//! What a refund may become: states that carry their facts, the commands that move them, and [`decide`].

use refundkit::{
    Failure, RefundEventType, RefundStage, RefundStatus, Timestamp,
    processor::{Outcome, ProcessorError, ProcessorRefund},
};
use serde::{Deserialize, Serialize};

/// Where a refund stands, with the facts that belong to standing there. Stored as JSON; a row that does not parse is an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// Not sent, or certainly not executed.
    Queued { submission: Submission },
    /// An attempt is under way (or the process died in it).
    Submitting { submission: Submission },
    /// Sent, and the outcome is not known.
    OutcomeUnknown { submission: Submission },
    /// Accepted; the customer must do something first.
    RequiresAction { external_refund_id: String, cancel_requested: bool },
    /// Accepted, in a status that is not known here.
    Unrecognised { external_refund_id: String, reported: String, cancel_requested: bool },
    /// Accepted and being executed.
    Processing { external_refund_id: String, cancel_requested: bool },
    /// Executed.
    Completed { external_refund_id: String, settled_at: Timestamp },
    /// Will not reach the customer.
    Failed { external_refund_id: Option<String>, failure: Failure, settled_at: Timestamp },
    /// Taken back.
    Cancelled { external_refund_id: Option<String>, settled_at: Timestamp },
}

/// What is known of the attempts to submit a refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Submission {
    /// How many attempts have begun.
    pub attempts: u32,
    /// When the first began.
    pub first_attempt_at: Option<Timestamp>,
    /// Whether any attempt may have been executed without our knowing.
    pub in_doubt: bool,
}
