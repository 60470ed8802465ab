//! Whatever comes, in whatever order.

use proptest::prelude::*;

use super::*;

fn any_refund() -> impl Strategy<Value = ProcessorRefund> {
    (prop::sample::select(every_report()), 0..10_u8).prop_map(|(status, luck)| {
        let refund = report(status);
        match luck {
            0 => ProcessorRefund { id: "re_2".into(), ..refund },
            1 => ProcessorRefund { amount: 1, ..refund },
            2 => ProcessorRefund { failure_reason: None, request_id: None, ..refund },
            _ => refund,
        }
    })
}

fn any_error() -> impl Strategy<Value = ProcessorError> {
    prop::option::of(any::<i64>()).prop_map(|retry_after_ms| ProcessorError { retry_after_ms, ..unreadable() })
}

fn any_outcome() -> impl Strategy<Value = Outcome<ProcessorRefund>> {
    prop_oneof![
        any_refund().prop_map(Outcome::Accepted),
        any_error().prop_map(Outcome::Refused),
        any_error().prop_map(Outcome::NotExecuted),
        any_error().prop_map(Outcome::Unknown),
    ]
}

fn any_command() -> impl Strategy<Value = Command> {
    prop_oneof![
        4 => Just(Command::BeginAttempt),
        4 => any_outcome().prop_map(Command::SubmissionAnswered),
        1 => any_refund().prop_map(|refund| Command::LookedFor(Some(refund))),
        3 => Just(Command::LookedFor(None)),
        1 => any_error().prop_map(Command::LookFailed),
        2 => any_refund().prop_map(Command::Observed),
        1 => any_error().prop_map(Command::ObserveFailed),
        1 => Just(Command::RequestCancel),
        1 => any_outcome().prop_map(Command::CancelAnswered),
    ]
}

fn any_pause_ms() -> impl Strategy<Value = i64> {
    prop_oneof![0..10_000_i64, 0..HOUR_MS, 0..48 * HOUR_MS]
}

proptest! {
    #[test]
    fn no_sequence_of_commands_leaves_the_contract(
        commands in prop::collection::vec((any_command(), any_pause_ms()), 1..40),
        speedup in any::<u32>(),
    ) {
        let schedule = Schedule::sped_up(speedup);
        let mut now = start();
        let mut state = State::created_with_first_attempt(now);
        for (command, pause_ms) in commands {
            now = now.plus_millis(pause_ms);
            let before = state.clone();
            let Ok(decision) = decide(&subject(), &before, command.clone(), &schedule, now) else { continue };
            state = decision.state;

            prop_assert!(may_become(before.status(), state.status()), "{before:?} {command:?} {state:?}");
            if let Some(known) = before.external_refund_id() {
                prop_assert_eq!(state.external_refund_id(), Some(known));
            }
            if let Some(job) = decision.job {
                prop_assert!(job.run_at >= now);
            }
            prop_assert_eq!(state.is_open() && decision.job.is_none(), false, "forgotten: {:?}", state);

            if let (Some(then), Some(later)) = (before.submission(), state.submission()) {
                prop_assert!(later.attempts >= then.attempts);
                prop_assert!(later.in_doubt || !then.in_doubt, "a doubt went away: {:?}", command);
                prop_assert!(later.attempts == then.attempts || then.may_begin(now), "sent too late");
                prop_assert_eq!(later.first_attempt_at, then.first_attempt_at.or(Some(now)));
            }
            let in_doubt = before.submission().is_some_and(|submission| submission.in_doubt);
            if in_doubt && !state.is_open() {
                let evidence = match &command {
                    Command::SubmissionAnswered(Outcome::Accepted(_))
                    | Command::CancelAnswered(Outcome::Accepted(_))
                    | Command::LookedFor(Some(_))
                    | Command::Observed(_) => true,
                    Command::LookedFor(None) => now >= hours(24),
                    _ => false,
                };
                prop_assert!(evidence, "a doubt was ended without evidence by {:?}", command);
            }
        }
    }
}
