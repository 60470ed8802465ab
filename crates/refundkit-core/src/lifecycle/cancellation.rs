//! Taking a refund back: here while it was never sent, at the processor while that waits for the customer, otherwise not.

use refundkit::{
    RefundEventType,
    processor::{Outcome, ProcessorError, ProcessorRefund},
};

use super::{Accepted, Case, Decision, NewEvent, Rejection, State};

impl Case<'_> {
    pub(super) fn request_cancel(self) -> Result<Decision, Rejection> {
        match self.state {
            State::Queued { .. } => {
                let event = NewEvent::new(RefundEventType::Cancelled, "Taken back before it was executed.");
                Ok(self.becomes(State::Cancelled { accepted: None, settled_at: self.now }, vec![event]))
            }
            State::RequiresAction { accepted } if !accepted.cancel_requested => {
                let accepted = Accepted { cancel_requested: true, ..accepted.clone() };
                let event = NewEvent::new(RefundEventType::CancelRequested, "The processor is asked to take it back.");
                Ok(self.becomes(State::RequiresAction { accepted }, vec![event]))
            }
            State::RequiresAction { .. } | State::Cancelled { .. } => Ok(self.unchanged()),
            State::Submitting { .. } | State::OutcomeUnknown { .. } => Err(self.not_cancellable(
                true,
                "it was sent, and whether the processor executed it is not known yet. Try again once it is.",
            )),
            State::Unrecognised { .. } => {
                Err(self.not_cancellable(false, "the processor has it in a status in which it cannot be taken back."))
            }
            State::Processing { .. } => Err(self.not_cancellable(false, "the processor is executing it already.")),
            State::Completed { .. } => Err(self.not_cancellable(false, "the processor has executed it.")),
            State::Failed { .. } => Err(self.not_cancellable(false, "there is nothing to take back.")),
        }
    }

    fn not_cancellable(self, retryable: bool, why: &str) -> Rejection {
        let status = self.state.status();
        Rejection::NotCancellable { retryable, status, message: format!("The refund is {status}: {why}") }
    }

    pub(super) fn cancel_answered(self, outcome: Outcome<ProcessorRefund>) -> Decision {
        match outcome {
            Outcome::Accepted(refund) => self.taken_back(&refund),
            Outcome::Refused(error) => self.cancel_refused(&error),
            // The request stands: where it can still be granted, a worker looks and asks again.
            Outcome::NotExecuted(error) | Outcome::Unknown(error) => {
                self.unchanged().not_before(error.retry_after_ms, self.now)
            }
        }
    }

    fn cancel_refused(self, error: &ProcessorError) -> Decision {
        match self.state {
            State::RequiresAction { accepted }
            | State::Unrecognised { accepted, .. }
            | State::Processing { accepted }
                if accepted.cancel_requested =>
            {
                let accepted = Accepted { cancel_requested: false, ..accepted.clone() };
                let message = format!("The processor would not take it back: {}", error.detail.message);
                let event =
                    NewEvent::new(RefundEventType::CancelRefused, message).told_in(error.detail.request_id.as_deref());
                self.becomes(self.state.clone().with_accepted(accepted), vec![event])
            }
            State::Queued { .. }
            | State::Submitting { .. }
            | State::OutcomeUnknown { .. }
            | State::RequiresAction { .. }
            | State::Unrecognised { .. }
            | State::Processing { .. }
            | State::Completed { .. }
            | State::Failed { .. }
            | State::Cancelled { .. } => self.unchanged(),
        }
    }
}
