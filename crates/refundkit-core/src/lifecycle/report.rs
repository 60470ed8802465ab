//! What a processor's report of a refund does to it, whichever way the report came.

use refundkit::{
    Failure, RefundEventType, RefundStage, RefundStatus,
    processor::{ProcessorRefund, ReportedStatus},
};

use super::{Accepted, Case, Decision, NewEvent, State};

/// The failure code of a refund that was taken back at the processor, and not by RefundKit.
const CANCELED: &str = "canceled";
/// The failure code of a refund whose processor does not say why it failed.
const UNKNOWN: &str = "unknown";

impl Case<'_> {
    /// Follows a report; `attempt` is the submission attempt that it answers.
    pub(super) fn reported(self, refund: &ProcessorRefund, attempt: Option<u32>) -> Decision {
        self.follows(refund, attempt, false)
    }

    /// Follows the report by which the processor grants that a refund is taken back.
    pub(super) fn taken_back(self, refund: &ProcessorRefund) -> Decision {
        self.follows(refund, None, true)
    }

    fn follows(self, refund: &ProcessorRefund, attempt: Option<u32>, granted: bool) -> Decision {
        let known = self.state.accepted();
        if let Some(known) = known
            && known.external_refund_id != refund.id
        {
            return self.unchanged().contradicted(refund, &second_refund(known, refund));
        }
        let mut accepted = known.cloned().unwrap_or_else(|| Accepted {
            external_refund_id: refund.id.clone(),
            cancel_requested: false,
            contradiction: None,
        });
        accepted.cancel_requested |= granted && self.state.is_open();

        let (state, objection) = match self.next(&accepted, refund) {
            Some(next) => (next, None),
            None => (self.state.clone().with_accepted(accepted), Some(self.impossible_move(refund))),
        };
        let event = if standing(&state) != standing(self.state) {
            announcement(&state)
        } else if known.is_none() && objection.is_none() {
            Some(NewEvent::new(RefundEventType::Updated, format!("The processor has it as {}.", refund.id)))
        } else {
            None
        };
        let events = event.map(|event| NewEvent { attempt, ..event.told_in(refund.request_id.as_deref()) });
        let decision = self.becomes(state, events.into_iter().collect());

        let objections: Vec<String> = [objection, self.other_money(refund)].into_iter().flatten().collect();
        if objections.is_empty() { decision } else { decision.contradicted(refund, &objections.join(" ")) }
    }

    /// The state that follows the report, or none where the contract's table allows no such move.
    fn next(self, accepted: &Accepted, refund: &ProcessorRefund) -> Option<State> {
        match self.state {
            State::Queued { .. }
            | State::Submitting { .. }
            | State::OutcomeUnknown { .. }
            | State::RequiresAction { .. }
            | State::Unrecognised { .. }
            | State::Processing { .. } => Some(self.as_reported(accepted.clone(), refund)),
            State::Completed { .. } => match refund.status {
                ReportedStatus::Completed => Some(self.state.clone()),
                ReportedStatus::Failed | ReportedStatus::Canceled => Some(State::Failed {
                    accepted: Some(accepted.clone()),
                    failure: failure(refund),
                    settled_at: self.now,
                }),
                ReportedStatus::Processing | ReportedStatus::RequiresAction | ReportedStatus::Unrecognised(_) => None,
            },
            State::Failed { .. } => match refund.status {
                ReportedStatus::Failed | ReportedStatus::Canceled => {
                    Some(self.state.clone().with_accepted(accepted.clone()))
                }
                ReportedStatus::Completed
                | ReportedStatus::Processing
                | ReportedStatus::RequiresAction
                | ReportedStatus::Unrecognised(_) => None,
            },
            State::Cancelled { .. } => match refund.status {
                ReportedStatus::Canceled => Some(self.state.clone().with_accepted(accepted.clone())),
                ReportedStatus::Completed
                | ReportedStatus::Processing
                | ReportedStatus::RequiresAction
                | ReportedStatus::Unrecognised(_)
                | ReportedStatus::Failed => None,
            },
        }
    }

    /// An open refund is what the processor says it is.
    fn as_reported(self, accepted: Accepted, refund: &ProcessorRefund) -> State {
        match &refund.status {
            ReportedStatus::RequiresAction => State::RequiresAction { accepted },
            ReportedStatus::Unrecognised(reported) => State::Unrecognised { accepted, reported: reported.clone() },
            ReportedStatus::Processing => State::Processing { accepted },
            ReportedStatus::Completed => State::Completed { accepted, settled_at: self.now },
            ReportedStatus::Canceled if accepted.cancel_requested => {
                State::Cancelled { accepted: Some(accepted), settled_at: self.now }
            }
            ReportedStatus::Failed | ReportedStatus::Canceled => {
                State::Failed { accepted: Some(accepted), failure: failure(refund), settled_at: self.now }
            }
        }
    }

    fn impossible_move(self, refund: &ProcessorRefund) -> String {
        format!(
            "The refund is {}, and the processor reports {} as {}, which cannot follow.",
            self.state.status(),
            refund.id,
            word(&refund.status),
        )
    }

    fn other_money(self, refund: &ProcessorRefund) -> Option<String> {
        let (amount, currency) = (self.subject.amount.minor(), self.subject.currency);
        (refund.amount != amount || refund.currency != currency).then(|| {
            format!(
                "The refund is for {amount} {currency}, and the processor reports {} for {} {}.",
                refund.id, refund.amount, refund.currency
            )
        })
    }
}

impl Decision {
    /// Records a contradiction and raises the alarm, unless it is the one that was recorded last.
    fn contradicted(mut self, refund: &ProcessorRefund, words: &str) -> Self {
        let Some(accepted) = self.state.accepted() else { return self };
        if accepted.contradiction.as_deref() == Some(words) {
            return self;
        }
        let accepted = Accepted { contradiction: Some(words.to_owned()), ..accepted.clone() };
        self.state = self.state.with_accepted(accepted);
        self.events.push(NewEvent::new(RefundEventType::Contradicted, words).told_in(refund.request_id.as_deref()));
        self.alarm = Some(words.to_owned());
        self
    }
}

/// Whether the refund stands where the processor reports it: such a report brings no news.
pub fn agrees(state: &State, external_refund_id: &str, reported: &ReportedStatus) -> bool {
    state.external_refund_id() == Some(external_refund_id)
        && match (state, reported) {
            (State::RequiresAction { .. }, ReportedStatus::RequiresAction)
            | (State::Processing { .. }, ReportedStatus::Processing)
            | (State::Completed { .. }, ReportedStatus::Completed)
            | (State::Failed { .. }, ReportedStatus::Failed | ReportedStatus::Canceled)
            | (State::Cancelled { .. }, ReportedStatus::Canceled) => true,
            (State::Unrecognised { reported: known, .. }, ReportedStatus::Unrecognised(word)) => known == word,
            _ => false,
        }
}

/// What makes two states look different from outside.
fn standing(state: &State) -> (RefundStatus, RefundStage, Option<&str>) {
    let reported = if let State::Unrecognised { reported, .. } = state { Some(reported.as_str()) } else { None };
    (state.status(), state.stage(), reported)
}

/// How the audit trail tells that the processor has brought a refund to stand here.
fn announcement(state: &State) -> Option<NewEvent> {
    let too_late = if state.is_cancel_requested() { " It is too late to take it back." } else { "" };
    Some(match state {
        State::Queued { .. } | State::Submitting { .. } | State::OutcomeUnknown { .. } => return None,
        State::RequiresAction { .. } => NewEvent::new(
            RefundEventType::RequiresAction,
            "The processor needs something from the customer before it can pay the refund.",
        ),
        State::Unrecognised { reported, .. } => NewEvent::new(
            RefundEventType::Updated,
            format!("The processor reports the status {reported:?}, which RefundKit does not know."),
        ),
        State::Processing { .. } => {
            NewEvent::new(RefundEventType::Processing, format!("The processor is executing it.{too_late}"))
        }
        State::Completed { .. } => NewEvent::new(
            RefundEventType::Completed,
            format!("The processor executed it and expects it to arrive.{too_late}"),
        ),
        State::Failed { failure, .. } => NewEvent::new(RefundEventType::Failed, failure.message.clone()),
        State::Cancelled { .. } => {
            NewEvent::new(RefundEventType::Cancelled, "Taken back at the processor before it was executed.")
        }
    })
}

fn second_refund(known: &Accepted, refund: &ProcessorRefund) -> String {
    format!(
        "The processor accepted the refund as {}, and reports another one for it: {} ({}, {} {}).",
        known.external_refund_id,
        refund.id,
        word(&refund.status),
        refund.amount,
        refund.currency,
    )
}

fn word(status: &ReportedStatus) -> &str {
    match status {
        ReportedStatus::Completed => "completed",
        ReportedStatus::Processing => "processing",
        ReportedStatus::RequiresAction => "requiring action",
        ReportedStatus::Unrecognised(reported) => reported,
        ReportedStatus::Failed => "failed",
        ReportedStatus::Canceled => "canceled",
    }
}

/// Why a refund failed that the processor reports as failed or canceled.
fn failure(refund: &ProcessorRefund) -> Failure {
    let reason = refund.failure_reason.as_deref();
    if refund.status == ReportedStatus::Canceled {
        let why = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
        let message = format!("The refund was canceled at the processor{why}.");
        return Failure { code: CANCELED.to_owned(), message };
    }
    let code = reason.unwrap_or(UNKNOWN);
    Failure { code: code.to_owned(), message: failure_message(code) }
}

/// What Stripe's failure reasons mean (<https://docs.stripe.com/api/refunds/object#refund_object-failure_reason>).
fn failure_message(reason: &str) -> String {
    match reason {
        "lost_or_stolen_card" => "The card was reported lost or stolen, so the refund could not be paid to it.".into(),
        "expired_or_canceled_card" => {
            "The card has expired or was cancelled, so the refund could not be paid to it.".into()
        }
        "charge_for_pending_refund_disputed" => {
            "The customer disputed the charge while the refund was pending, so it was not paid out.".into()
        }
        "insufficient_funds" => "The merchant's balance at the processor did not cover the refund in time.".into(),
        "declined" => "The processor's financial partners declined the refund.".into(),
        "merchant_request" => "The refund was stopped at the merchant's request.".into(),
        UNKNOWN => "The refund failed; the processor does not say why.".into(),
        other => format!("The refund failed; the processor's reason is {other}."),
    }
}
