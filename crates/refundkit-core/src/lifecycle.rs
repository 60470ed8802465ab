//! What a refund may become: states that carry their facts, the commands that move them, and [`decide`].
//!
//! A processor's answer to our call, a look at the processor and a processor's webhook all become commands here, and all are
//! welcome in any state and any order. Calls to processors, rows and leases belong to the server.
//!
//! * `state`: the states and what can be read off them.
//! * `submission`: getting a refund accepted by the processor exactly once.
//! * `report`: what a processor's report of a refund does to it.
//! * `cancellation`: taking a refund back.

mod cancellation;
mod report;
mod state;
mod submission;

use std::fmt;

use refundkit::{
    Amount, Currency, RefundEventType, RefundStatus, Timestamp,
    processor::{Outcome, ProcessorError, ProcessorRefund},
};

pub use report::agrees;
pub use state::{Accepted, State, Submission};
pub use submission::{FORGOTTEN_AFTER_MS, FORGOTTEN_MARGIN_MS, SUBMIT_WITHIN_MS};

use crate::schedule::{Schedule, not_before};

/// What never changes about a refund and is needed to judge reports of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    /// How much it is for.
    pub amount: Amount,
    /// In which currency.
    pub currency: Currency,
    /// When it was asked for.
    pub created_at: Timestamp,
}

/// Something that happened, or that somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// An attempt to submit it is about to begin; it may begin once the decision is stored.
    BeginAttempt,
    /// An attempt to submit it was answered, or was not.
    SubmissionAnswered(Outcome<ProcessorRefund>),
    /// The complete list of the charge's refunds was read: the one that carries our id, if any does.
    LookedFor(Option<ProcessorRefund>),
    /// The list of the charge's refunds could not be read.
    LookFailed(ProcessorError),
    /// The processor's copy was read.
    Observed(ProcessorRefund),
    /// The processor's copy could not be read.
    ObserveFailed(ProcessorError),
    /// Somebody wants to take it back. Where the decision asks for it, the processor is to be asked next.
    RequestCancel,
    /// The processor was asked to take it back, and answered or did not.
    CancelAnswered(Outcome<ProcessorRefund>),
}

/// What a command comes to: to be stored as one, and then acted on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The state from now on; equal to the one before when nothing changed.
    pub state: State,
    /// What the audit trail shall say; nothing when nothing changed that a person would want to know.
    pub events: Vec<NewEvent>,
    /// The refund's one job from now on, in place of the one it had; none: never look again.
    pub job: Option<Job>,
    /// What people must be told of, beyond the audit trail: a contradiction when it is news, an undecidable outcome with
    /// every look that fails.
    pub alarm: Option<String>,
}

/// An entry for the audit trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// What happened.
    pub event_type: RefundEventType,
    /// The number of the submission attempt that this belongs to.
    pub attempt: Option<u32>,
    /// The processor's id of the request that brought it about.
    pub processor_request_id: Option<String>,
    /// What happened, in words.
    pub message: Option<String>,
}

/// When a worker shall take the refund up again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Job {
    /// What for.
    pub kind: JobKind,
    /// When.
    pub run_at: Timestamp,
}

/// What a job is for. What exactly is to be done is asked when it runs: see [`next_step`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobKind {
    /// To get the refund accepted by the processor.
    Submit,
    /// To see what became of it.
    Poll,
}

/// Why a command cannot be followed. The refund is unchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// It cannot be taken back, or not now.
    NotCancellable {
        /// Whether it may be possible later.
        retryable: bool,
        /// Where it stands.
        status: RefundStatus,
        /// Why, in words that name the status.
        message: String,
    },
    /// The first attempt is too long ago: the processor may have forgotten the key that makes repeating safe.
    SubmissionClosed,
    /// It has been accepted or is settled: there is nothing to submit.
    NotSubmittable {
        /// Where it stands.
        status: RefundStatus,
    },
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotCancellable { message, .. } => f.write_str(message),
            Self::SubmissionClosed => {
                f.write_str("The first attempt is too long ago for the refund to be sent again safely.")
            }
            Self::NotSubmittable { status } => write!(f, "The refund is {status}: there is nothing to submit."),
        }
    }
}

impl std::error::Error for Rejection {}

/// What a worker that claimed the refund's job must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Begin an attempt and send it.
    Send,
    /// Look for the refund among the charge's; if it is not there, begin an attempt and send it.
    LookThenSend,
    /// Look for the refund among the charge's, and send nothing.
    Look,
    /// Read the processor's copy.
    Poll,
    /// Read the processor's copy; if it can still be taken back, ask for that again.
    RepeatCancel,
    /// Nothing: it is over.
    Nothing,
}

/// Says what a worker that claimed the refund's job must do now.
pub fn next_step(state: &State, now: Timestamp) -> Step {
    match state {
        State::Queued { submission } | State::Submitting { submission } | State::OutcomeUnknown { submission }
            if !submission.may_begin(now) =>
        {
            Step::Look
        }
        State::Queued { submission } if !submission.in_doubt => Step::Send,
        // A worker meets a refund that is being submitted only when the process died in the attempt.
        State::Queued { .. } | State::Submitting { .. } | State::OutcomeUnknown { .. } => Step::LookThenSend,
        State::RequiresAction { accepted } if accepted.cancel_requested => Step::RepeatCancel,
        State::RequiresAction { .. }
        | State::Unrecognised { .. }
        | State::Processing { .. }
        | State::Completed { .. } => Step::Poll,
        State::Failed { .. } | State::Cancelled { .. } => Step::Nothing,
    }
}

/// The job that a refund in this state waits for, when nothing has just been tried.
pub fn standing_job(subject: &Subject, state: &State, schedule: &Schedule, now: Timestamp) -> Option<Job> {
    let poll = |run_at| Job { kind: JobKind::Poll, run_at };
    match state {
        State::Queued { submission } | State::OutcomeUnknown { submission } => {
            Some(submission.job_at(schedule.submit_again_at(submission.attempts, now)))
        }
        State::Submitting { .. } => Some(Job { kind: JobKind::Submit, run_at: Schedule::lapse_at(now) }),
        State::RequiresAction { accepted } if accepted.cancel_requested => Some(poll(schedule.cancel_again_at(now))),
        State::RequiresAction { .. } | State::Unrecognised { .. } | State::Processing { .. } => {
            Some(poll(schedule.poll_at(subject.created_at, now)))
        }
        State::Completed { settled_at, .. } => schedule.completed_poll_at(*settled_at, now).map(poll),
        State::Failed { .. } | State::Cancelled { .. } => None,
    }
}

/// Decides what a command does to a refund.
///
/// Total: every command has an answer in every state, and one that comes late, twice or out of order does no harm. The status
/// moves along the contract's table only; a report that asks for another move is recorded once and raises an alarm.
pub fn decide(
    subject: &Subject,
    state: &State,
    command: Command,
    schedule: &Schedule,
    now: Timestamp,
) -> Result<Decision, Rejection> {
    let case = Case { subject, state, schedule, now };
    match command {
        Command::BeginAttempt => case.begin_attempt(),
        Command::SubmissionAnswered(outcome) => Ok(case.submission_answered(outcome)),
        Command::LookedFor(found) => Ok(case.looked_for(found)),
        Command::LookFailed(error) => Ok(case.look_failed(&error)),
        Command::Observed(refund) => Ok(case.reported(&refund, None)),
        Command::ObserveFailed(error) => Ok(case.observe_failed(&error)),
        Command::RequestCancel => case.request_cancel(),
        Command::CancelAnswered(outcome) => Ok(case.cancel_answered(outcome)),
    }
}

/// A refund and the moment at which something about it is decided.
#[derive(Clone, Copy)]
struct Case<'a> {
    subject: &'a Subject,
    state: &'a State,
    schedule: &'a Schedule,
    now: Timestamp,
}

impl Case<'_> {
    fn unchanged(self) -> Decision {
        self.becomes(self.state.clone(), Vec::new())
    }

    /// A refusal will be the same tomorrow; silence may be over in a moment.
    fn observe_failed(self, error: &ProcessorError) -> Decision {
        let mut decision = self.unchanged();
        if let Some(job) = decision.job.as_mut().filter(|_| !error.kind.is_refusal()) {
            job.run_at = job.run_at.min(self.schedule.failed_look_again_at(self.now));
        }
        decision.not_before(error.retry_after_ms, self.now)
    }

    fn becomes(self, state: State, events: Vec<NewEvent>) -> Decision {
        let job = standing_job(self.subject, &state, self.schedule, self.now);
        Decision { state, events, job, alarm: None }
    }
}

impl Decision {
    /// Puts the job off until the pause is over that the processor asked for.
    fn not_before(mut self, retry_after_ms: Option<i64>, now: Timestamp) -> Self {
        if let Some(job) = &mut self.job {
            job.run_at = not_before(job.run_at, retry_after_ms, now);
        }
        self
    }
}

impl NewEvent {
    fn new(event_type: RefundEventType, message: impl Into<String>) -> Self {
        Self { event_type, attempt: None, processor_request_id: None, message: Some(message.into()) }
    }

    fn of_attempt(mut self, attempt: u32) -> Self {
        self.attempt = Some(attempt);
        self
    }

    fn told_in(mut self, processor_request_id: Option<&str>) -> Self {
        self.processor_request_id = processor_request_id.map(str::to_owned);
        self
    }
}

#[cfg(test)]
mod tests;
