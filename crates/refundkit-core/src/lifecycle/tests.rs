//! Stories and tables of the lifecycle; the makers they share.

mod properties;
mod stories;
mod table;
mod worker;

use refundkit::{
    Amount, Failure, ProcessorErrorDetail, RefundStatus, Timestamp,
    processor::{Outcome, ProcessorError, ProcessorErrorKind, ProcessorRefund, ReportedStatus},
};

use super::*;

const HOUR_MS: i64 = 60 * 60 * 1_000;

/// When the refunds of these tests are made, and first submitted.
fn start() -> Timestamp {
    Timestamp::from_seconds(1_800_000_000)
}

fn hours(hours: i64) -> Timestamp {
    start().plus_millis(hours * HOUR_MS)
}

fn subject() -> Subject {
    Subject { amount: Amount::new(2500).unwrap(), currency: "usd".parse().unwrap(), created_at: start() }
}

fn report(status: ReportedStatus) -> ProcessorRefund {
    let failed = matches!(status, ReportedStatus::Failed | ReportedStatus::Canceled);
    ProcessorRefund {
        id: "re_1".into(),
        charge: Some("ch_1".into()),
        amount: 2500,
        currency: "usd".parse().unwrap(),
        failure_reason: failed.then(|| "declined".into()),
        status,
        refund_id: None,
        created_at: start(),
        request_id: Some("req_stripe".into()),
    }
}

fn error(kind: ProcessorErrorKind, message: &str) -> ProcessorError {
    let detail = ProcessorErrorDetail {
        name: "stripe".into(),
        code: None,
        message: message.into(),
        request_id: Some("req_stripe".into()),
        status_code: None,
    };
    ProcessorError { kind, detail, hint: None, retry_after_ms: None }
}

fn refused() -> Outcome<ProcessorRefund> {
    Outcome::Refused(error(ProcessorErrorKind::Refused, "No."))
}

fn not_executed() -> Outcome<ProcessorRefund> {
    Outcome::NotExecuted(error(ProcessorErrorKind::RateLimited, "Too many requests."))
}

fn unknown() -> Outcome<ProcessorRefund> {
    Outcome::Unknown(error(ProcessorErrorKind::Unavailable, "No answer in time."))
}

fn unreadable() -> ProcessorError {
    error(ProcessorErrorKind::Unavailable, "No answer in time.")
}

fn submission(in_doubt: bool) -> Submission {
    Submission { attempts: 1, first_attempt_at: Some(start()), in_doubt }
}

fn accepted(cancel_requested: bool) -> Accepted {
    Accepted { external_refund_id: "re_1".into(), cancel_requested, contradiction: None }
}

fn failure() -> Failure {
    Failure { code: "declined".into(), message: "Declined.".into() }
}

/// One state of each kind, as they are named in the tables.
fn nine_states() -> Vec<(&'static str, State)> {
    let settled_at = start();
    vec![
        ("queued", State::Queued { submission: submission(false) }),
        ("submitting", State::Submitting { submission: submission(false) }),
        ("outcome_unknown", State::OutcomeUnknown { submission: submission(true) }),
        ("requires_action", State::RequiresAction { accepted: accepted(false) }),
        ("unrecognised", State::Unrecognised { accepted: accepted(false), reported: "new".into() }),
        ("processing", State::Processing { accepted: accepted(false) }),
        ("completed", State::Completed { accepted: accepted(false), settled_at }),
        ("failed", State::Failed { accepted: Some(accepted(false)), failure: failure(), settled_at }),
        ("cancelled", State::Cancelled { accepted: Some(accepted(true)), settled_at }),
    ]
}

/// The nine, and every variation of their facts that could make a difference.
fn every_state() -> Vec<State> {
    let settled_at = start();
    let mut states: Vec<State> = nine_states().into_iter().map(|(_, state)| state).collect();
    states.extend([
        State::Queued { submission: Submission::default() },
        State::Submitting { submission: submission(true) },
        State::RequiresAction { accepted: accepted(true) },
        State::Unrecognised { accepted: accepted(true), reported: "new".into() },
        State::Processing { accepted: accepted(true) },
        State::Completed { accepted: accepted(true), settled_at },
        State::Failed { accepted: None, failure: failure(), settled_at },
        State::Cancelled { accepted: None, settled_at },
    ]);
    states
}

fn every_report() -> Vec<ReportedStatus> {
    vec![
        ReportedStatus::Completed,
        ReportedStatus::Processing,
        ReportedStatus::RequiresAction,
        ReportedStatus::Unrecognised("odd".into()),
        ReportedStatus::Failed,
        ReportedStatus::Canceled,
    ]
}

/// Every command, with every report in every disguise: as expected, of other money, and of another refund.
fn every_command() -> Vec<Command> {
    let reports = every_report().into_iter().flat_map(|status| {
        let expected = report(status);
        let other_amount = ProcessorRefund { amount: 2400, ..expected.clone() };
        let other_currency = ProcessorRefund { currency: "eur".parse().unwrap(), ..expected.clone() };
        let other_refund = ProcessorRefund { id: "re_2".into(), ..expected.clone() };
        [expected, other_amount, other_currency, other_refund]
    });
    let mut commands: Vec<Command> = reports
        .flat_map(|refund| {
            [
                Command::SubmissionAnswered(Outcome::Accepted(refund.clone())),
                Command::LookedFor(Some(refund.clone())),
                Command::Observed(refund.clone()),
                Command::CancelAnswered(Outcome::Accepted(refund)),
            ]
        })
        .collect();
    for outcome in [refused(), not_executed(), unknown()] {
        commands.push(Command::SubmissionAnswered(outcome.clone()));
        commands.push(Command::CancelAnswered(outcome));
    }
    commands.extend([
        Command::BeginAttempt,
        Command::LookedFor(None),
        Command::LookFailed(unreadable()),
        Command::ObserveFailed(unreadable()),
        Command::RequestCancel,
    ]);
    commands
}

/// The contract's table.
fn may_become(from: RefundStatus, to: RefundStatus) -> bool {
    use RefundStatus::{Cancelled, Completed, Failed, Pending, Processing};
    match from {
        Pending | Processing => true,
        Completed => matches!(to, Completed | Failed),
        Failed => to == Failed,
        Cancelled => to == Cancelled,
    }
}

fn decided(state: &State, command: Command, now: Timestamp) -> Decision {
    decide(&subject(), state, command, &Schedule::default(), now).unwrap()
}

fn event_types(decision: &Decision) -> Vec<RefundEventType> {
    decision.events.iter().map(|event| event.event_type).collect()
}
