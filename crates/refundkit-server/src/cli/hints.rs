//! Tests that hints speak each interface's own words: flags and commands that exist, arguments that tools have, fields and paths of
//! the API. They stand here because only the program knows its commands.

use std::collections::BTreeSet;

use clap::{Command, CommandFactory as _};
use refundkit::{Amount, Environment, InitiatedBy, ProcessorName, RefundId, Scope};
use refundkit_core::eligibility::Refusal;
use refundkit_server::{hint::Hint, interfaces::mcp::tool, interfaces::openapi, registry::OPERATIONS};

use super::Cli;

/// One of each kind. A new one does not compile until somebody has put it here.
fn every_hint() -> Vec<Hint> {
    let id = RefundId::from_bits(7);
    let every = vec![
        Hint::from("Try again in a moment."),
        Hint::GiveKey,
        Hint::KeyIsStripes,
        Hint::KeyOfScope(Scope::Admin),
        Hint::Connect(ProcessorName::Stripe),
        Hint::MakeWebhookEndpoint,
        Hint::ForceReplacement,
        Hint::ForceDisconnection,
        Hint::MakeAnotherKey,
        Hint::BeginList,
        Hint::AllowDuplicate(id),
        Hint::LookAt(id),
        Hint::AtMost(3000),
        Hint::GiveAmount,
        Hint::OmitCurrency,
        Hint::ReadTransaction,
        Hint::SayWhoPays,
    ];
    for hint in &every {
        match hint {
            Hint::Plain(_)
            | Hint::GiveKey
            | Hint::KeyIsStripes
            | Hint::KeyOfScope(_)
            | Hint::Connect(_)
            | Hint::MakeWebhookEndpoint
            | Hint::ForceReplacement
            | Hint::ForceDisconnection
            | Hint::MakeAnotherKey
            | Hint::BeginList
            | Hint::AllowDuplicate(_)
            | Hint::LookAt(_)
            | Hint::AtMost(_)
            | Hint::GiveAmount
            | Hint::OmitCurrency
            | Hint::ReadTransaction
            | Hint::SayWhoPays => {}
        }
    }
    every
}

/// What stands in backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

fn flags(command: &Command, into: &mut BTreeSet<String>) {
    into.extend(command.get_arguments().filter_map(|argument| argument.get_long()).map(|long| format!("--{long}")));
    command.get_subcommands().for_each(|below| flags(below, into));
}

#[test]
fn hints_at_the_command_line_name_commands_and_flags_that_exist() {
    let mut known = BTreeSet::new();
    flags(&Cli::command(), &mut known);
    for hint in every_hint() {
        let told = hint.told_to(InitiatedBy::Cli);
        for code in quoted(&told) {
            if let Some(line) = code.strip_prefix("refundkit ") {
                // As far as the words are commands, they are ours.
                let mut words = line.split(' ').filter(|word| !word.starts_with('-')).peekable();
                let mut command = Cli::command();
                while let Some(below) = words.peek().and_then(|word| command.find_subcommand(word)).cloned() {
                    command = below;
                    words.next();
                }
                assert_eq!(command.get_subcommands().count(), 0, "`{code}` is no command: {told}");
                let mut own = BTreeSet::new();
                flags(&command, &mut own);
                assert!(
                    line.split(' ').filter(|word| word.starts_with("--")).all(|flag| own.contains(flag)),
                    "`{code}` has a flag that the command does not take: {told}"
                );
            } else if let Some(flag) = code.split(' ').next().filter(|flag| flag.starts_with("--")) {
                assert!(known.contains(flag), "{flag} is no flag: {told}");
            } else {
                assert!(
                    Scope::ALL.iter().any(|scope| scope.as_str() == code),
                    "`{code}` is not of this interface: {told}"
                );
            }
        }
        for foreign in ["/v1/", "header", "POST ", "PUT ", ": true", "allowDuplicate", "reverseTransfer", "refundkit_"]
        {
            assert!(!told.contains(foreign), "{foreign} is not of this interface: {told}");
        }
    }
}

#[test]
fn agents_are_told_what_programs_are_told_and_never_to_leave_out_what_a_tool_requires() {
    let required: Vec<_> = tool::all().flat_map(|(_, tool)| tool.arguments.iter().filter(|one| one.required)).collect();
    for hint in every_hint() {
        let told = hint.told_to(InitiatedBy::Mcp);
        assert_eq!(told, hint.told_to(InitiatedBy::Api));
        for argument in &required {
            let left_out = [format!("`{}` out", argument.name), format!("mit `{}`", argument.name)];
            assert!(!left_out.iter().any(|words| told.contains(words)), "{told}");
        }
    }
}

#[test]
fn hints_to_programs_name_fields_and_paths_that_exist() {
    let schemas: String = OPERATIONS.iter().map(|entry| openapi::input_schema(entry).to_string()).collect();
    for hint in every_hint() {
        let told = hint.told_to(InitiatedBy::Api);
        assert!(!told.contains("--") && !told.contains("refundkit_"), "{told}");
        for code in quoted(&told).into_iter().filter(|code| !code.starts_with("Authorization")) {
            let field = code.split([':', '=', '.']).next().unwrap();
            let known = schemas.contains(&format!("\"{field}\"")) || field == "webhookUrl";
            assert!(known || Scope::ALL.iter().any(|scope| scope.as_str() == code), "`{code}`: {told}");
        }
        for path in told.split([' ', ';', '.']).filter(|word| word.starts_with("/v1/")) {
            assert!(OPERATIONS.iter().any(|entry| entry.path == path), "{path}: {told}");
        }
    }
}

#[test]
fn every_hint_is_a_sentence_for_everybody() {
    for hint in every_hint() {
        for door in InitiatedBy::ALL {
            assert!(hint.told_to(*door).ends_with(['.', ')']), "{hint:?} {door}");
        }
    }
}

#[test]
fn every_refusal_says_what_to_do_next() {
    let (id, asked) = (RefundId::from_bits(7), Amount::new(100).unwrap());
    for (refusal, hint) in [
        (Refusal::AlreadyRefunded { refund_id: None }, Hint::ReadTransaction),
        (Refusal::AlreadyRefunded { refund_id: Some(id) }, Hint::LookAt(id)),
        (Refusal::CurrencyMismatch { asked: "eur".parse().unwrap() }, Hint::OmitCurrency),
        (Refusal::TransferUndecided, Hint::SayWhoPays),
        (Refusal::Duplicate { refund_id: id }, Hint::AllowDuplicate(id)),
        (Refusal::MoreThanLeft { asked, left: 1, refund_id: None }, Hint::AtMost(1)),
        (Refusal::MoreThanLeft { asked, left: 1, refund_id: Some(id) }, Hint::LookAt(id)),
        (Refusal::BeyondMaximum { left: i64::MAX }, Hint::GiveAmount),
    ] {
        assert_eq!(Hint::from(&refusal), hint, "{refusal:?}");
    }
    for refusal in [
        Refusal::EnvironmentMismatch { environment: Environment::Live },
        Refusal::NotPaid,
        Refusal::Uncaptured { payment_intent: None },
        Refusal::Uncaptured { payment_intent: Some("pi_1".to_owned()) },
        Refusal::AmountStep { step: 10 },
        Refusal::BeyondMember { limit: None, already: 0 },
        Refusal::BeyondMember { limit: Some(asked), already: 0 },
    ] {
        assert!(matches!(Hint::from(&refusal), Hint::Plain(words) if words.ends_with('.')), "{refusal:?}");
    }
}
