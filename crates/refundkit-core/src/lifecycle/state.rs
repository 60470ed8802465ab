//! The states of a refund and what can be read off them. How one becomes another is decided elsewhere.

use refundkit::{Failure, RefundStage, RefundStatus, Timestamp};
use serde::{Deserialize, Serialize};

/// Where a refund stands, with the facts that belong to standing there. Stored as JSON; a row that does not parse is an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case", deny_unknown_fields)]
pub enum State {
    /// Not sent, or certainly not executed.
    Queued {
        /// The attempts so far.
        submission: Submission,
    },
    /// An attempt is under way (or the process died in it).
    Submitting {
        /// The attempts so far, with the one under way.
        submission: Submission,
    },
    /// Sent, and the outcome is not known.
    OutcomeUnknown {
        /// The attempts so far.
        submission: Submission,
    },
    /// Accepted; the customer must do something first.
    RequiresAction {
        /// What is known of the processor's copy.
        accepted: Accepted,
    },
    /// Accepted, in a status that is not known here.
    Unrecognised {
        /// What is known of the processor's copy.
        accepted: Accepted,
        /// The status, verbatim.
        reported: String,
    },
    /// Accepted and being executed.
    Processing {
        /// What is known of the processor's copy.
        accepted: Accepted,
    },
    /// Executed.
    Completed {
        /// What is known of the processor's copy.
        accepted: Accepted,
        /// When it was found executed.
        settled_at: Timestamp,
    },
    /// Will not reach the customer.
    Failed {
        /// What is known of the processor's copy, if it ever made one.
        accepted: Option<Accepted>,
        /// Why.
        failure: Failure,
        /// When it failed.
        settled_at: Timestamp,
    },
    /// Taken back.
    Cancelled {
        /// What is known of the processor's copy, if it ever made one.
        accepted: Option<Accepted>,
        /// When it was taken back.
        settled_at: Timestamp,
    },
}

/// What is known of the attempts to submit a refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submission {
    /// How many attempts have begun.
    pub attempts: u32,
    /// When the first began.
    pub first_attempt_at: Option<Timestamp>,
    /// Whether any attempt may have been executed without our knowing.
    pub in_doubt: bool,
}

/// What is known of a refund that the processor has a copy of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// Its id at the processor.
    pub external_refund_id: String,
    /// Whether RefundKit asked the processor to take it back, and was not refused. It stands while the refund is open.
    pub cancel_requested: bool,
    /// The last thing reported of it that cannot be true together with what is known, in words: so that it is told once.
    pub contradiction: Option<String>,
}

impl State {
    /// A refund whose first attempt begins in the transaction that writes it down.
    pub const fn created_with_first_attempt(now: Timestamp) -> Self {
        Self::Submitting { submission: Submission { attempts: 1, first_attempt_at: Some(now), in_doubt: false } }
    }

    /// Where it stands, coarsely.
    pub const fn status(&self) -> RefundStatus {
        match self {
            Self::Queued { .. }
            | Self::Submitting { .. }
            | Self::OutcomeUnknown { .. }
            | Self::RequiresAction { .. }
            | Self::Unrecognised { .. } => RefundStatus::Pending,
            Self::Processing { .. } => RefundStatus::Processing,
            Self::Completed { .. } => RefundStatus::Completed,
            Self::Failed { .. } => RefundStatus::Failed,
            Self::Cancelled { .. } => RefundStatus::Cancelled,
        }
    }

    /// Where it stands, finely.
    pub const fn stage(&self) -> RefundStage {
        match self {
            Self::Queued { .. } => RefundStage::Queued,
            Self::Submitting { .. } => RefundStage::Submitting,
            Self::OutcomeUnknown { .. } => RefundStage::OutcomeUnknown,
            Self::RequiresAction { .. } => RefundStage::RequiresAction,
            Self::Unrecognised { .. } | Self::Processing { .. } => RefundStage::AwaitingProcessor,
            Self::Completed { .. } | Self::Failed { .. } | Self::Cancelled { .. } => RefundStage::Settled,
        }
    }

    /// What is known of the processor's copy, once there is one.
    pub const fn accepted(&self) -> Option<&Accepted> {
        match self {
            Self::Queued { .. } | Self::Submitting { .. } | Self::OutcomeUnknown { .. } => None,
            Self::RequiresAction { accepted }
            | Self::Unrecognised { accepted, .. }
            | Self::Processing { accepted }
            | Self::Completed { accepted, .. } => Some(accepted),
            Self::Failed { accepted, .. } | Self::Cancelled { accepted, .. } => accepted.as_ref(),
        }
    }

    /// The same standing with other knowledge of the processor's copy; a refund without a copy stays without.
    pub(super) fn with_accepted(mut self, now_accepted: Accepted) -> Self {
        match &mut self {
            Self::Queued { .. } | Self::Submitting { .. } | Self::OutcomeUnknown { .. } => {}
            Self::RequiresAction { accepted }
            | Self::Unrecognised { accepted, .. }
            | Self::Processing { accepted }
            | Self::Completed { accepted, .. } => *accepted = now_accepted,
            Self::Failed { accepted, .. } | Self::Cancelled { accepted, .. } => *accepted = Some(now_accepted),
        }
        self
    }

    /// The attempts to submit it, while it is not accepted.
    pub const fn submission(&self) -> Option<&Submission> {
        match self {
            Self::Queued { submission } | Self::Submitting { submission } | Self::OutcomeUnknown { submission } => {
                Some(submission)
            }
            Self::RequiresAction { .. }
            | Self::Unrecognised { .. }
            | Self::Processing { .. }
            | Self::Completed { .. }
            | Self::Failed { .. }
            | Self::Cancelled { .. } => None,
        }
    }

    /// Its id at the processor, once that is known.
    pub fn external_refund_id(&self) -> Option<&str> {
        self.accepted().map(|accepted| accepted.external_refund_id.as_str())
    }

    /// Whether the processor was asked to take it back, and has not refused.
    pub fn is_cancel_requested(&self) -> bool {
        self.accepted().is_some_and(|accepted| accepted.cancel_requested)
    }

    /// Why it failed, when it did.
    pub const fn failure(&self) -> Option<&Failure> {
        if let Self::Failed { failure, .. } = self { Some(failure) } else { None }
    }

    /// When it reached `completed`, `failed` or `cancelled`.
    pub const fn settled_at(&self) -> Option<Timestamp> {
        match self {
            Self::Completed { settled_at, .. }
            | Self::Failed { settled_at, .. }
            | Self::Cancelled { settled_at, .. } => Some(*settled_at),
            Self::Queued { .. }
            | Self::Submitting { .. }
            | Self::OutcomeUnknown { .. }
            | Self::RequiresAction { .. }
            | Self::Unrecognised { .. }
            | Self::Processing { .. } => None,
        }
    }

    /// Whether it is `pending` or `processing`.
    pub const fn is_open(&self) -> bool {
        self.settled_at().is_none()
    }
}
