//! Getting a refund accepted by the processor exactly once.
//!
//! Once an attempt is in doubt, only evidence ends it: acceptance, or the refund found (or, late enough, not found) among the
//! charge's. What an accepted refund becomes is not decided here.

use refundkit::{
    Failure, RefundEventType, Timestamp,
    processor::{Outcome, ProcessorError, ProcessorRefund},
};

use super::{Case, Decision, Job, JobKind, NewEvent, Rejection, State, Submission};

/// How long after the first attempt another may begin: well before a processor forgets the key that makes repeating safe
/// (Stripe: after 24 hours at the earliest, <https://docs.stripe.com/api/idempotent_requests>).
pub const SUBMIT_WITHIN_MS: i64 = 20 * 60 * 60 * 1_000;
/// How long after the first attempt a refund that the processor does not list was certainly never executed.
pub const FORGOTTEN_AFTER_MS: i64 = 24 * 60 * 60 * 1_000;
/// How much later than that it is looked for, so that clocks which disagree do not matter.
pub const FORGOTTEN_MARGIN_MS: i64 = 5 * 60 * 1_000;

/// The failure code of a refund that no attempt brought about.
const NOT_EXECUTED: &str = "not_executed";
/// The failure code of a refund that the processor refused without a code of its own.
const REFUSED: &str = "refused";

impl Submission {
    /// Whether another attempt may begin.
    pub const fn may_begin(&self, now: Timestamp) -> bool {
        self.age_ms(now) < SUBMIT_WITHIN_MS
    }

    /// Whether a refund that the processor does not list was certainly never executed.
    pub const fn is_decidable(&self, now: Timestamp) -> bool {
        self.age_ms(now) >= FORGOTTEN_AFTER_MS
    }

    const fn age_ms(&self, now: Timestamp) -> i64 {
        match self.first_attempt_at {
            Some(first_attempt_at) => now.millis_since(first_attempt_at),
            None => 0,
        }
    }

    /// The job that wants to run then: later, where it would find that nothing may be sent and nothing be decided.
    pub(super) fn job_at(&self, wanted: Timestamp) -> Job {
        let run_at = match self.first_attempt_at {
            Some(first_attempt_at) if !self.may_begin(wanted) => {
                wanted.max(first_attempt_at.plus_millis(FORGOTTEN_AFTER_MS.saturating_add(FORGOTTEN_MARGIN_MS)))
            }
            Some(_) | None => wanted,
        };
        Job { kind: JobKind::Submit, run_at }
    }

    fn begun(self, now: Timestamp) -> Self {
        Self {
            attempts: self.attempts.saturating_add(1),
            first_attempt_at: self.first_attempt_at.or(Some(now)),
            in_doubt: self.in_doubt,
        }
    }

    const fn doubted(self) -> Self {
        Self { in_doubt: true, ..self }
    }
}

impl Case<'_> {
    pub(super) fn begin_attempt(self) -> Result<Decision, Rejection> {
        let (submission, message) = match self.state {
            State::Queued { submission } => (*submission, "Another attempt begins."),
            State::OutcomeUnknown { submission } => {
                (submission.doubted(), "The same request is sent again, under the same key.")
            }
            State::Submitting { submission } => (
                submission.doubted(),
                "The attempt before was interrupted; the same request is sent again, under the same key.",
            ),
            State::RequiresAction { .. }
            | State::Unrecognised { .. }
            | State::Processing { .. }
            | State::Completed { .. }
            | State::Failed { .. }
            | State::Cancelled { .. } => return Err(Rejection::NotSubmittable { status: self.state.status() }),
        };
        if !submission.may_begin(self.now) {
            return Err(Rejection::SubmissionClosed);
        }
        let submission = submission.begun(self.now);
        let message = if submission.attempts == 1 { "The first attempt begins." } else { message };
        let event = NewEvent::new(RefundEventType::Submitting, message).of_attempt(submission.attempts);
        Ok(self.becomes(State::Submitting { submission }, vec![event]))
    }

    pub(super) fn submission_answered(self, outcome: Outcome<ProcessorRefund>) -> Decision {
        match outcome {
            Outcome::Accepted(refund) => {
                self.reported(&refund, self.state.submission().map(|submission| submission.attempts))
            }
            Outcome::Refused(error) => self.not_accepted(&error, Self::refused),
            Outcome::NotExecuted(error) => self.not_accepted(&error, Self::postponed),
            Outcome::Unknown(error) => self.not_accepted(&error, Self::unanswered),
        }
    }

    /// An answer counts for what it says only while no attempt is in doubt: it speaks of its own attempt, not of others.
    fn not_accepted(
        self,
        error: &ProcessorError,
        for_what_it_says: fn(Self, Submission, &ProcessorError) -> Decision,
    ) -> Decision {
        match self.state {
            State::Submitting { submission } if submission.in_doubt => self.still_unknown(*submission, error),
            State::Submitting { submission } => for_what_it_says(self, *submission, error),
            // The refund has moved on since the attempt began: whatever moved it knew more than this answer does.
            State::Queued { .. }
            | State::OutcomeUnknown { .. }
            | State::RequiresAction { .. }
            | State::Unrecognised { .. }
            | State::Processing { .. }
            | State::Completed { .. }
            | State::Failed { .. }
            | State::Cancelled { .. } => self.unchanged(),
        }
    }

    pub(super) fn looked_for(self, found: Option<ProcessorRefund>) -> Decision {
        if let Some(refund) = found {
            return self.reported(&refund, None);
        }
        let Some(submission) = self.state.submission() else { return self.unchanged() };
        if submission.is_decidable(self.now) {
            return self.not_executed();
        }
        if submission.may_begin(self.now) {
            let due = Job { kind: JobKind::Submit, run_at: self.now };
            return Decision { job: Some(due), ..self.unchanged() };
        }
        let mut decision = self.interrupted().unwrap_or_else(|| self.unchanged());
        decision.job = Some(submission.job_at(self.now));
        decision
    }

    pub(super) fn look_failed(self, error: &ProcessorError) -> Decision {
        let Some(submission) = self.state.submission() else {
            return self.unchanged().not_before(error.retry_after_ms, self.now);
        };
        let mut decision = self.interrupted().unwrap_or_else(|| self.unchanged());
        let first_attempt_at = submission.first_attempt_at.unwrap_or(self.subject.created_at);
        decision.job = Some(submission.job_at(self.schedule.look_again_at(first_attempt_at, self.now)));
        if submission.is_decidable(self.now) {
            decision.alarm = Some(format!(
                "Whether the refund was executed cannot be decided: the processor's refunds of the charge cannot be read ({}).",
                error.detail.message
            ));
        }
        decision.not_before(error.retry_after_ms, self.now)
    }

    fn refused(self, submission: Submission, error: &ProcessorError) -> Decision {
        let detail = &error.detail;
        let failure = Failure {
            code: detail.code.clone().unwrap_or_else(|| REFUSED.to_owned()),
            message: detail.message.clone(),
        };
        let event = NewEvent::new(RefundEventType::Failed, format!("The processor refused it: {}", detail.message))
            .of_attempt(submission.attempts)
            .told_in(detail.request_id.as_deref());
        self.becomes(State::Failed { accepted: None, failure, settled_at: self.now }, vec![event])
    }

    fn postponed(self, submission: Submission, error: &ProcessorError) -> Decision {
        let message = format!("Not executed, and will be sent again: {}", error.detail.message);
        let event = NewEvent::new(RefundEventType::Postponed, message)
            .of_attempt(submission.attempts)
            .told_in(error.detail.request_id.as_deref());
        self.becomes(State::Queued { submission }, vec![event]).not_before(error.retry_after_ms, self.now)
    }

    fn unanswered(self, submission: Submission, error: &ProcessorError) -> Decision {
        self.unknown(submission, error, "No readable answer, so it may or may not have been executed")
    }

    fn still_unknown(self, submission: Submission, error: &ProcessorError) -> Decision {
        self.unknown(submission, error, "An earlier attempt may have been executed, and this one does not tell")
    }

    fn unknown(self, submission: Submission, error: &ProcessorError, what: &str) -> Decision {
        let event = NewEvent::new(RefundEventType::OutcomeUnknown, format!("{what}: {}", error.detail.message))
            .of_attempt(submission.attempts)
            .told_in(error.detail.request_id.as_deref());
        self.becomes(State::OutcomeUnknown { submission: submission.doubted() }, vec![event])
            .not_before(error.retry_after_ms, self.now)
    }

    /// A refund that a worker finds being submitted was left so by a process that died: its outcome is not known.
    fn interrupted(self) -> Option<Decision> {
        let State::Submitting { submission } = self.state else { return None };
        let message = "The attempt was interrupted, so it may or may not have been executed.";
        let event = NewEvent::new(RefundEventType::OutcomeUnknown, message).of_attempt(submission.attempts);
        Some(self.becomes(State::OutcomeUnknown { submission: submission.doubted() }, vec![event]))
    }

    fn not_executed(self) -> Decision {
        let message = "No attempt was executed: the processor does not list the refund, and no attempt can succeed any \
                       more. Nothing was paid out. To try again, make a new refund.";
        let failure = Failure { code: NOT_EXECUTED.to_owned(), message: message.to_owned() };
        let event = NewEvent::new(RefundEventType::Failed, message);
        self.becomes(State::Failed { accepted: None, failure, settled_at: self.now }, vec![event])
    }
}
