//! Every state with every command.

use std::fmt::Write as _;

use refundkit::RefundStage;

use super::*;

/// What became of a state, in one word: `=` for nothing, `!` for a contradiction, `-` for a rejection.
fn outcome(state: &State, command: Command, now: Timestamp) -> String {
    let Ok(decision) = decide(&subject(), state, command, &Schedule::default(), now) else { return "-".into() };
    if decision.alarm.is_some() {
        return "!".into();
    }
    if decision.state == *state {
        return "=".into();
    }
    match (decision.state.stage(), decision.state.status()) {
        (RefundStage::AwaitingProcessor, RefundStatus::Pending) => "unrecognised".into(),
        (RefundStage::AwaitingProcessor | RefundStage::Settled, status) => status.to_string(),
        (pending_stage, _) => pending_stage.to_string(),
    }
}

fn table(commands: &[Command], now: Timestamp) -> String {
    let mut text = String::new();
    for (name, state) in nine_states() {
        write!(text, "{name}:").unwrap();
        for command in commands {
            write!(text, " {}", outcome(&state, command.clone(), now)).unwrap();
        }
        text.push('\n');
    }
    text
}

#[test]
fn a_report_moves_a_refund_along_the_contract_and_no_further() {
    let reports: Vec<Command> = every_report().into_iter().map(|status| Command::Observed(report(status))).collect();
    // completed, processing, requires_action, a status not known here, failed, canceled
    let expected = "\
queued: completed processing requires_action unrecognised failed failed
submitting: completed processing requires_action unrecognised failed failed
outcome_unknown: completed processing requires_action unrecognised failed failed
requires_action: completed processing = unrecognised failed failed
unrecognised: completed processing requires_action unrecognised failed failed
processing: completed = requires_action unrecognised failed failed
completed: = ! ! ! failed failed
failed: ! ! ! ! = =
cancelled: ! ! ! ! ! =
";
    assert_eq!(table(&reports, hours(1)), expected);
}

#[test]
fn an_answer_to_a_submission_matters_only_to_the_attempt_under_way() {
    let commands = [
        Command::BeginAttempt,
        Command::SubmissionAnswered(refused()),
        Command::SubmissionAnswered(not_executed()),
        Command::SubmissionAnswered(unknown()),
    ];
    let expected = "\
queued: submitting = = =
submitting: submitting failed queued outcome_unknown
outcome_unknown: submitting = = =
requires_action: - = = =
unrecognised: - = = =
processing: - = = =
completed: - = = =
failed: - = = =
cancelled: - = = =
";
    assert_eq!(table(&commands, hours(1)), expected);
}

#[test]
fn a_look_that_finds_nothing_decides_only_when_the_processor_has_forgotten() {
    let commands = [Command::LookedFor(None), Command::LookFailed(unreadable())];
    let early = table(&commands, hours(1));
    let between = table(&commands, hours(22));
    let late = table(&commands, hours(24));
    let accepted = "\
requires_action: = =
unrecognised: = =
processing: = =
completed: = =
failed: = =
cancelled: = =
";
    let unaccepted = |text: &str| text.strip_suffix(accepted).unwrap().to_owned();
    assert_eq!(unaccepted(&early), "queued: = =\nsubmitting: = outcome_unknown\noutcome_unknown: = =\n");
    assert_eq!(
        unaccepted(&between),
        "queued: = =\nsubmitting: outcome_unknown outcome_unknown\noutcome_unknown: = =\n"
    );
    assert_eq!(unaccepted(&late), "queued: failed !\nsubmitting: failed !\noutcome_unknown: failed !\n");
}

#[test]
fn a_refund_is_taken_back_here_or_at_the_processor_or_not_at_all() {
    let commands = [
        Command::RequestCancel,
        Command::CancelAnswered(Outcome::Accepted(report(ReportedStatus::Canceled))),
        Command::CancelAnswered(refused()),
        Command::CancelAnswered(not_executed()),
        Command::CancelAnswered(unknown()),
        Command::ObserveFailed(unreadable()),
    ];
    let expected = "\
queued: cancelled cancelled = = = =
submitting: - cancelled = = = =
outcome_unknown: - cancelled = = = =
requires_action: requires_action cancelled = = = =
unrecognised: - cancelled = = = =
processing: - cancelled = = = =
completed: - failed = = = =
failed: - = = = = =
cancelled: = = = = = =
";
    assert_eq!(table(&commands, hours(1)), expected);
}

#[test]
fn whatever_happens_the_status_moves_along_the_contract_and_the_story_is_told() {
    for state in every_state() {
        for command in every_command() {
            for now in [start(), hours(1), hours(20), hours(22), hours(24), hours(31 * 24)] {
                check(&state, &command, now);
            }
        }
    }
}

fn check(state: &State, command: &Command, now: Timestamp) {
    let what = format!("{state:?} {command:?} {now}");
    let Ok(decision) = decide(&subject(), state, command.clone(), &Schedule::default(), now) else {
        assert!(matches!(command, Command::BeginAttempt | Command::RequestCancel), "rejected: {what}");
        return;
    };
    let (before, after) = (state.status(), decision.state.status());
    assert!(may_become(before, after), "{before} became {after}: {what}");

    let looks_different = (before, state.stage()) != (after, decision.state.stage());
    if looks_different {
        assert!(!decision.events.is_empty(), "nothing told: {what}");
    }
    if decision.state == *state {
        assert_eq!(decision.events, [], "told of nothing: {what}");
    }
    let contradicted = event_types(&decision).contains(&RefundEventType::Contradicted);
    let undecidable = matches!(command, Command::LookFailed(_)) && state.submission().is_some() && now >= hours(24);
    if state.submission() == Some(&Submission::default()) {
        assert!(!contradicted || decision.alarm.is_some(), "{what}");
    } else {
        assert_eq!(decision.alarm.is_some(), contradicted || undecidable, "alarm: {what}");
    }

    let over = match &decision.state {
        State::Failed { .. } | State::Cancelled { .. } => true,
        State::Completed { settled_at, .. } => now >= settled_at.plus_millis(crate::schedule::COMPLETED_WATCH_MS),
        _ => false,
    };
    assert_eq!(decision.job.is_none(), over, "job: {what}");
    let look_then_send = matches!(command, Command::LookedFor(None));
    if let Some(job) = decision.job {
        assert!(job.run_at > now || (look_then_send && job.run_at == now), "in the past: {what}");
        assert_eq!(job.kind == JobKind::Submit, decision.state.submission().is_some(), "{what}");
    }

    let is_report = matches!(command, Command::Observed(_) | Command::LookedFor(Some(_)));
    if is_report && let Ok(again) = decide(&subject(), &decision.state, command.clone(), &Schedule::default(), now) {
        assert_eq!(again.state, decision.state, "a repeated report moved it: {what}");
        assert_eq!((again.events, again.alarm), (vec![], None), "a repeated report was told: {what}");
    }
}

#[test]
fn a_state_survives_the_way_to_the_database_and_back() {
    for state in every_state() {
        let json = serde_json::to_string(&state).unwrap();
        assert_eq!(serde_json::from_str::<State>(&json).unwrap(), state, "{json}");
    }
}

#[test]
fn a_row_that_does_not_parse_is_an_error() {
    for json in [
        r"{}",
        r#"{"state":"sent"}"#,
        r#"{"state":"queued"}"#,
        r#"{"state":"processing","accepted":null}"#,
        r#"{"state":"failed","accepted":{"external_refund_id":1},"failure":{"code":"c","message":"m"},"settled_at":"2026-02-22T10:30:00.000Z"}"#,
        r#"{"state":"queued","submission":{"attempts":0,"first_attempt_at":null,"in_doubt":false},"extra":1}"#,
    ] {
        assert!(serde_json::from_str::<State>(json).is_err(), "{json}");
    }
}

#[test]
fn a_worker_is_told_one_step_for_every_state() {
    let step = |state: &State, now| next_step(state, now);
    let steps: Vec<(&str, Step, Step)> = nine_states()
        .into_iter()
        .map(|(name, state)| (name, step(&state, hours(1)), step(&state, hours(20))))
        .collect();
    assert_eq!(
        steps,
        [
            ("queued", Step::Send, Step::Look),
            ("submitting", Step::LookThenSend, Step::Look),
            ("outcome_unknown", Step::LookThenSend, Step::Look),
            ("requires_action", Step::Poll, Step::Poll),
            ("unrecognised", Step::Poll, Step::Poll),
            ("processing", Step::Poll, Step::Poll),
            ("completed", Step::Poll, Step::Poll),
            ("failed", Step::Nothing, Step::Nothing),
            ("cancelled", Step::Nothing, Step::Nothing),
        ]
    );
    assert_eq!(step(&State::RequiresAction { accepted: accepted(true) }, hours(1)), Step::RepeatCancel);
    assert_eq!(step(&State::Processing { accepted: accepted(true) }, hours(1)), Step::Poll);
    assert_eq!(step(&State::Queued { submission: Submission::default() }, hours(999)), Step::Send);
}
