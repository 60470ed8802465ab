//! One rule, one story.

use super::*;

fn submitting() -> State {
    State::created_with_first_attempt(start())
}

fn failure_of(decision: &Decision) -> (&str, &str) {
    let failure = decision.state.failure().unwrap();
    (&failure.code, &failure.message)
}

#[test]
fn a_timeout_leaves_the_outcome_unknown_and_in_doubt() {
    let decision = decided(&submitting(), Command::SubmissionAnswered(unknown()), start());
    assert_eq!(decision.state, State::OutcomeUnknown { submission: submission(true) });
    assert_eq!(event_types(&decision), [RefundEventType::OutcomeUnknown]);
    assert_eq!(decision.events[0].attempt, Some(1));
    assert_eq!(decision.events[0].processor_request_id.as_deref(), Some("req_stripe"));
    assert_eq!(decision.job, Some(Job { kind: JobKind::Submit, run_at: start().plus_millis(2_000) }));
}

#[test]
fn a_refusal_of_the_only_attempt_is_final_and_keeps_the_processors_code() {
    let mut refusal = error(ProcessorErrorKind::AlreadyRefunded, "Charge ch_1 has already been refunded.");
    refusal.detail.code = Some("charge_already_refunded".into());
    let decision = decided(&submitting(), Command::SubmissionAnswered(Outcome::Refused(refusal)), start());
    assert_eq!(failure_of(&decision), ("charge_already_refunded", "Charge ch_1 has already been refunded."));
    assert_eq!(decision.state.external_refund_id(), None);
    assert_eq!(decision.state.settled_at(), Some(start()));

    let decision = decided(&submitting(), Command::SubmissionAnswered(refused()), start());
    assert_eq!(failure_of(&decision), ("refused", "No."));
}

#[test]
fn a_refusal_after_an_attempt_in_doubt_proves_nothing() {
    for outcome in [refused(), not_executed(), unknown()] {
        let in_doubt = State::Submitting { submission: submission(true) };
        let decision = decided(&in_doubt, Command::SubmissionAnswered(outcome), start());
        assert_eq!(decision.state, State::OutcomeUnknown { submission: submission(true) });
    }
}

#[test]
fn an_attempt_that_was_certainly_not_executed_waits_as_long_as_the_processor_asks() {
    let mut busy = error(ProcessorErrorKind::RateLimited, "Too many requests.");
    let answered = |error: &ProcessorError| {
        decided(&submitting(), Command::SubmissionAnswered(Outcome::NotExecuted(error.clone())), start())
    };
    assert_eq!(answered(&busy).state, State::Queued { submission: submission(false) });
    assert_eq!(event_types(&answered(&busy)), [RefundEventType::Postponed]);
    assert_eq!(answered(&busy).job.unwrap().run_at, start().plus_millis(2_000));
    busy.retry_after_ms = Some(30_000);
    assert_eq!(answered(&busy).job.unwrap().run_at, start().plus_millis(30_000));
    busy.retry_after_ms = Some(i64::MAX);
    assert_eq!(answered(&busy).job.unwrap().run_at, hours(1));
}

#[test]
fn an_attempt_interrupted_by_a_crash_is_in_doubt() {
    let decision = decided(&submitting(), Command::BeginAttempt, start());
    let submission = Submission { attempts: 2, first_attempt_at: Some(start()), in_doubt: true };
    assert_eq!(decision.state, State::Submitting { submission });
    assert_eq!(decision.events[0].attempt, Some(2));
    assert_eq!(decision.job.unwrap().run_at, Schedule::lapse_at(start()));
}

#[test]
fn a_queued_refund_is_sent_again_without_doubt() {
    let decision = decided(&State::Queued { submission: Submission::default() }, Command::BeginAttempt, start());
    assert_eq!(decision.state, submitting());
    let decision = decided(&State::Queued { submission: submission(false) }, Command::BeginAttempt, hours(1));
    assert!(!decision.state.submission().unwrap().in_doubt);
}

#[test]
fn sending_stops_20_hours_after_the_first_attempt() {
    for state in [
        State::Queued { submission: submission(false) },
        State::Submitting { submission: submission(false) },
        State::OutcomeUnknown { submission: submission(true) },
    ] {
        let begin = |now| decide(&subject(), &state, Command::BeginAttempt, &Schedule::default(), now);
        assert!(begin(hours(20).plus_millis(-1)).is_ok());
        assert_eq!(begin(hours(20)), Err(Rejection::SubmissionClosed));
        assert_eq!(next_step(&state, hours(20)), Step::Look);
        assert_ne!(next_step(&state, hours(20).plus_millis(-1)), Step::Look);
    }
}

#[test]
fn before_20_hours_a_refund_that_is_not_found_is_sent_again_at_once() {
    let state = State::OutcomeUnknown { submission: submission(true) };
    let decision = decided(&state, Command::LookedFor(None), hours(19));
    assert_eq!(decision.state, state);
    assert_eq!(decision.job, Some(Job { kind: JobKind::Submit, run_at: hours(19) }));
}

#[test]
fn between_20_and_24_hours_a_refund_that_is_not_found_waits_for_the_list_that_decides() {
    let decides_at = hours(24).plus_millis(FORGOTTEN_MARGIN_MS);
    for state in
        [State::Queued { submission: submission(false) }, State::OutcomeUnknown { submission: submission(true) }]
    {
        for command in [Command::LookedFor(None), Command::LookFailed(unreadable())] {
            let decision = decided(&state, command, hours(21));
            assert_eq!((decision.state, decision.job.unwrap().run_at), (state.clone(), decides_at));
        }
    }
    let last = State::Submitting { submission: Submission { attempts: 90, ..submission(true) } };
    let decision = decided(&last, Command::SubmissionAnswered(unknown()), hours(20).plus_millis(-1));
    assert_eq!(decision.job.unwrap().run_at, decides_at);
}

#[test]
fn a_list_at_24_hours_that_lacks_the_refund_ends_it() {
    let state = State::OutcomeUnknown { submission: submission(true) };
    assert!(decided(&state, Command::LookedFor(None), hours(24).plus_millis(-1)).state.is_open());
    let decision = decided(&state, Command::LookedFor(None), hours(24));
    assert_eq!(failure_of(&decision).0, "not_executed");
    assert_eq!((event_types(&decision), decision.job), (vec![RefundEventType::Failed], None));
}

#[test]
fn a_list_that_cannot_be_read_after_24_hours_is_shown_to_people() {
    let state = State::OutcomeUnknown { submission: submission(true) };
    assert_eq!(decided(&state, Command::LookFailed(unreadable()), hours(23)).alarm, None);
    let decision = decided(&state, Command::LookFailed(unreadable()), hours(30));
    assert!(decision.alarm.unwrap().contains("cannot be decided"));
    assert_eq!((decision.state, decision.events), (state, vec![]));
    assert!(decision.job.unwrap().run_at > hours(30));
}

#[test]
fn a_refund_found_after_a_doubt_is_accepted_as_it_stands() {
    let state = State::OutcomeUnknown { submission: submission(true) };
    let decision = decided(&state, Command::LookedFor(Some(report(ReportedStatus::Completed))), hours(2));
    assert_eq!(decision.state, State::Completed { accepted: accepted(false), settled_at: hours(2) });
    assert_eq!(event_types(&decision), [RefundEventType::Completed]);
}

#[test]
fn an_acceptance_names_its_attempt_and_the_processors_request() {
    let answer = Command::SubmissionAnswered(Outcome::Accepted(report(ReportedStatus::Completed)));
    let decision = decided(&submitting(), answer, start());
    assert_eq!(decision.events[0].attempt, Some(1));
    assert_eq!(decision.events[0].processor_request_id.as_deref(), Some("req_stripe"));
}

#[test]
fn an_acceptance_for_other_money_counts_and_raises_an_alarm_once() {
    let wrong = ProcessorRefund { amount: 2000, ..report(ReportedStatus::Completed) };
    let decision = decided(&submitting(), Command::SubmissionAnswered(Outcome::Accepted(wrong.clone())), start());
    assert_eq!(decision.state.status(), RefundStatus::Completed);
    assert_eq!(decision.state.external_refund_id(), Some("re_1"));
    assert_eq!(event_types(&decision), [RefundEventType::Completed, RefundEventType::Contradicted]);
    let alarm = "The refund is for 2500 usd, and the processor reports re_1 for 2000 usd.";
    assert_eq!(decision.alarm.as_deref(), Some(alarm));

    let again = decided(&decision.state, Command::Observed(wrong), start());
    assert_eq!((again.events, again.alarm), (vec![], None));

    let other_currency = ProcessorRefund { currency: "eur".parse().unwrap(), ..report(ReportedStatus::Processing) };
    assert!(decided(&submitting(), Command::Observed(other_currency), start()).alarm.is_some());
}

#[test]
fn an_impossible_move_is_recorded_once_and_a_new_one_again() {
    let completed = State::Completed { accepted: accepted(false), settled_at: start() };
    let first = decided(&completed, Command::Observed(report(ReportedStatus::Processing)), start());
    assert_eq!(first.state.status(), RefundStatus::Completed);
    assert_eq!(event_types(&first), [RefundEventType::Contradicted]);
    assert!(first.alarm.is_some() && first.job.is_some());

    let same = decided(&first.state, Command::Observed(report(ReportedStatus::Processing)), start());
    assert_eq!((same.events, same.alarm), (vec![], None));
    let other = decided(&first.state, Command::Observed(report(ReportedStatus::RequiresAction)), start());
    assert_eq!(event_types(&other), [RefundEventType::Contradicted]);
}

#[test]
fn a_second_refund_at_the_processor_is_never_mistaken_for_the_first() {
    let processing = State::Processing { accepted: accepted(false) };
    let second = ProcessorRefund { id: "re_2".into(), ..report(ReportedStatus::Completed) };
    let decision = decided(&processing, Command::Observed(second), start());
    assert_eq!(decision.state.status(), RefundStatus::Processing);
    assert_eq!(decision.state.external_refund_id(), Some("re_1"));
    assert!(decision.alarm.unwrap().contains("re_2"));
}

#[test]
fn a_refund_given_up_that_turns_up_after_all_keeps_its_status_and_learns_its_id() {
    let given_up = State::Failed { accepted: None, failure: failure(), settled_at: start() };
    let decision = decided(&given_up, Command::Observed(report(ReportedStatus::Completed)), start());
    assert_eq!(decision.state.status(), RefundStatus::Failed);
    assert_eq!(decision.state.external_refund_id(), Some("re_1"));
    assert_eq!(event_types(&decision), [RefundEventType::Contradicted]);

    let decision = decided(&given_up, Command::Observed(report(ReportedStatus::Failed)), start());
    assert_eq!((event_types(&decision), decision.alarm), (vec![RefundEventType::Updated], None));
}

#[test]
fn a_success_can_be_taken_back_by_the_processor() {
    let completed = State::Completed { accepted: accepted(false), settled_at: start() };
    let decision = decided(&completed, Command::Observed(report(ReportedStatus::Failed)), hours(48));
    assert_eq!(failure_of(&decision), ("declined", "The processor's financial partners declined the refund."));
    assert_eq!((decision.state.settled_at(), decision.job), (Some(hours(48)), None));
}

#[test]
fn a_failure_without_a_reason_is_called_unknown() {
    let silent = ProcessorRefund { failure_reason: None, ..report(ReportedStatus::Failed) };
    let decision = decided(&submitting(), Command::Observed(silent), start());
    assert_eq!(failure_of(&decision), ("unknown", "The refund failed; the processor does not say why."));
}

#[test]
fn canceled_at_the_processor_is_cancelled_only_when_we_asked_for_it() {
    let canceled = Command::Observed(report(ReportedStatus::Canceled));
    let asked = State::RequiresAction { accepted: accepted(true) };
    assert_eq!(decided(&asked, canceled.clone(), start()).state.status(), RefundStatus::Cancelled);
    let asked_too_late = State::Processing { accepted: accepted(true) };
    assert_eq!(decided(&asked_too_late, canceled.clone(), start()).state.status(), RefundStatus::Cancelled);
    let not_asked = State::RequiresAction { accepted: accepted(false) };
    let decision = decided(&not_asked, canceled, start());
    assert_eq!(failure_of(&decision), ("canceled", "The refund was canceled at the processor (declined)."));
}

#[test]
fn a_request_to_take_back_is_told_once_and_remembered_until_answered() {
    let waiting = State::RequiresAction { accepted: accepted(false) };
    let asked = decided(&waiting, Command::RequestCancel, start());
    assert_eq!(event_types(&asked), [RefundEventType::CancelRequested]);
    assert!(asked.state.is_cancel_requested());
    assert_eq!(asked.job, Some(Job { kind: JobKind::Poll, run_at: Schedule::default().cancel_again_at(start()) }));

    for command in [Command::RequestCancel, Command::CancelAnswered(unknown()), Command::CancelAnswered(not_executed())]
    {
        let again = decided(&asked.state, command, start());
        assert_eq!((again.events, again.job), (vec![], asked.job));
        assert_eq!((&again.state, next_step(&again.state, start())), (&asked.state, Step::RepeatCancel));
    }

    let executing = decided(&asked.state, Command::Observed(report(ReportedStatus::Processing)), start());
    assert!(executing.events[0].message.as_deref().unwrap().contains("too late"));
    let back = decided(&executing.state, Command::Observed(report(ReportedStatus::RequiresAction)), start());
    assert_eq!(next_step(&back.state, start()), Step::RepeatCancel);
}

#[test]
fn a_refused_request_to_take_back_leaves_the_refund_as_it_was() {
    let decision =
        decided(&State::RequiresAction { accepted: accepted(true) }, Command::CancelAnswered(refused()), start());
    assert_eq!(decision.state, State::RequiresAction { accepted: accepted(false) });
    assert_eq!(event_types(&decision), [RefundEventType::CancelRefused]);
    assert_eq!(next_step(&decision.state, start()), Step::Poll);
}

#[test]
fn what_cannot_be_taken_back_says_why_and_whether_to_try_again() {
    for (name, state) in nine_states() {
        let Err(rejection) = decide(&subject(), &state, Command::RequestCancel, &Schedule::default(), start()) else {
            assert!(["queued", "requires_action", "cancelled"].contains(&name), "{name}");
            continue;
        };
        let Rejection::NotCancellable { retryable, status, message } = rejection else { panic!("{name}") };
        assert_eq!(retryable, ["submitting", "outcome_unknown"].contains(&name), "{name}");
        assert!(message.contains(status.as_str()), "{message}");
    }
}

#[test]
fn a_refund_taken_back_here_and_executed_after_all_is_an_alarm() {
    let cancelled = State::Cancelled { accepted: None, settled_at: start() };
    let late = Command::SubmissionAnswered(Outcome::Accepted(report(ReportedStatus::Completed)));
    let decision = decided(&cancelled, late, start());
    assert_eq!(decision.state.status(), RefundStatus::Cancelled);
    assert!(decision.alarm.is_some());
}
