//! How errors are told: to people in lines, to programs as JSON. Always on stderr: stdout is for results.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
    process::ExitCode,
};

use clap::error::ErrorKind;
use refundkit::{Error, ErrorCode, ProcessorErrorDetail, RefundId};
use serde::Serialize;
use serde_json::json;

use super::{
    exit::Exit,
    output::{clean, to_json},
};

/// Tells an error and says how the process ends.
pub(crate) fn report(error: &anyhow::Error, json: bool) -> ExitCode {
    // Who closed the pipe has read enough: `refundkit refunds list | head`.
    let closed_pipe = |cause: &io::Error| cause.kind() == io::ErrorKind::BrokenPipe;
    if error.downcast_ref::<io::Error>().is_some_and(closed_pipe) {
        return Exit::Done.into();
    }
    let refundkit_error = error.downcast_ref::<Error>();
    let text = match (refundkit_error, json) {
        (Some(error), true) => to_json(&Failed { error: Body::from(error) }),
        (Some(error), false) => lines(error),
        (None, true) => to_json(&Failed { error: json!({ "code": null, "message": format!("{error:#}") }) }),
        (None, false) => format!("error: {}\n", clean(&format!("{error:#}"))),
    };
    // With stderr closed there is nobody left to tell.
    let _ = io::stderr().lock().write_all(text.as_bytes());
    refundkit_error.map_or(Exit::Other, Exit::of_error).into()
}

/// Tells what is wrong with what was typed, and ends; help that was asked for is told here too. Whoever typed `--json` anywhere
/// reads an error of the usual shape, although the line could not be understood.
pub(crate) fn report_usage(error: &clap::Error) -> ExitCode {
    let wants_json = std::env::args_os().skip(1).take_while(|word| word != "--").any(|word| word == "--json");
    if !(wants_json && error.use_stderr()) {
        error.exit();
    }
    let text = to_json(&Failed { error: Body::from(&usage(error)) });
    // With stderr closed there is nobody left to tell.
    let _ = io::stderr().lock().write_all(text.as_bytes());
    Exit::Usage.into()
}

/// The parser's paragraphs as an error: what is wrong first, and what to do is its tip or else the line as it should be.
fn usage(error: &clap::Error) -> Error {
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let see_help = || "See what there is with `--help`.".to_owned();
    if matches!(error.kind(), ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand) {
        return mistyped("A command is missing.", see_help());
    }
    let rendered = error.render().to_string();
    let (said, rest) = rendered.split_once("\n\n").unwrap_or((&rendered, ""));
    let message = one_line(said.strip_prefix("error: ").unwrap_or(said));
    let paragraph = |begins: &str| rest.split("\n\n").map(one_line).find(|paragraph| paragraph.starts_with(begins));
    mistyped(message, paragraph("tip: ").or_else(|| paragraph("Usage: ")).unwrap_or_else(see_help))
}

fn mistyped(message: impl Into<String>, hint: String) -> Error {
    let mut error = Error::new(ErrorCode::ValidationError, message);
    error.hint = Some(hint);
    error
}

/// An error for programs: as the API writes it, with the status of the answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'error> {
    code: ErrorCode,
    message: &'error str,
    status_code: Option<u16>,
    request_id: Option<&'error str>,
    retryable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    refund_id: Option<RefundId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'error str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'error str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    processor: Option<&'error ProcessorErrorDetail>,
    /// True when it may have been done all the same.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    outcome_unknown: bool,
    /// The key under which to repeat it then.
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<&'error str>,
}

impl<'error> From<&'error Error> for Body<'error> {
    fn from(error: &'error Error) -> Self {
        Self {
            code: error.code,
            message: &error.message,
            status_code: error.status_code,
            request_id: error.request_id.as_deref(),
            retryable: error.retryable,
            refund_id: error.refund_id,
            field: error.field.as_deref(),
            hint: error.hint.as_deref(),
            processor: error.processor.as_deref(),
            outcome_unknown: error.outcome_unknown,
            idempotency_key: error.idempotency_key.as_deref(),
        }
    }
}

/// What errors look like to programs.
#[derive(Serialize)]
struct Failed<T> {
    error: T,
}

fn lines(error: &Error) -> String {
    let mut text = format!("error: {}\n", clean(&error.message));
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "  {name}: {}", clean(value));
    };
    if let Some(processor) = &error.processor
        && let Some(words) = processor_words(processor, &error.message)
    {
        // Without a status, RefundKit refused from what it had read, in the words that the processor has for it.
        let verb = if processor.status_code.is_some() { "said" } else { "calls it" };
        line(&format!("{} {verb}", processor_title(&processor.name)), &words);
    }
    if let Some(field) = &error.field {
        line("where", field);
    }
    if let Some(refund_id) = &error.refund_id {
        line("refund", &refund_id.to_string());
    }
    if let Some(hint) = &error.hint {
        line("what to do", hint);
    }
    if let Some(request_id) = &error.request_id {
        line("request", request_id);
    }
    text
}

/// What the processor said, without repeating what the message says already.
fn processor_words(processor: &ProcessorErrorDetail, message: &str) -> Option<String> {
    let facts = [
        processor.code.clone(),
        processor.status_code.map(|status_code| format!("status {status_code}")),
        processor.request_id.as_ref().map(|request_id| format!("request {request_id}")),
    ];
    let facts = facts.into_iter().flatten().collect::<Vec<_>>().join(", ");
    match (processor.message == message, facts.is_empty()) {
        (true, true) => None,
        (true, false) => Some(facts),
        (false, true) => Some(processor.message.clone()),
        (false, false) => Some(format!("{} ({facts})", processor.message)),
    }
}

/// A processor's name at the beginning of a sentence.
fn processor_title(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> Error {
        let mut error = Error::new(ErrorCode::ProcessorError, "Charge ch_1 has already been refunded.");
        error.status_code = Some(422);
        error.request_id = Some("req_1".to_owned());
        error.hint = Some("Look at that refund before you make another one.".to_owned());
        error.refund_id = Some("ref_01k9zzzzzzzzzzzzzzzzzzzzzz".parse().unwrap());
        error.processor = Some(Box::new(ProcessorErrorDetail {
            name: "stripe".to_owned(),
            code: Some("charge_already_refunded".to_owned()),
            message: "Charge ch_1 has already been refunded.".to_owned(),
            request_id: Some("req_stripe".to_owned()),
            status_code: Some(400),
        }));
        error
    }

    #[test]
    fn people_read_what_happened_who_said_so_and_what_to_do() {
        insta::assert_snapshot!(lines(&refused()), @"
        error: Charge ch_1 has already been refunded.
          Stripe said: charge_already_refunded, status 400, request req_stripe
          refund: ref_01k9zzzzzzzzzzzzzzzzzzzzzz
          what to do: Look at that refund before you make another one.
          request: req_1
        ");
    }

    #[test]
    fn programs_read_the_body_of_the_api() {
        insta::assert_snapshot!(to_json(&Failed { error: Body::from(&refused()) }), @r#"
        {
          "error": {
            "code": "processor_error",
            "message": "Charge ch_1 has already been refunded.",
            "statusCode": 422,
            "requestId": "req_1",
            "retryable": false,
            "refundId": "ref_01k9zzzzzzzzzzzzzzzzzzzzzz",
            "hint": "Look at that refund before you make another one.",
            "processor": {
              "name": "stripe",
              "code": "charge_already_refunded",
              "message": "Charge ch_1 has already been refunded.",
              "requestId": "req_stripe",
              "statusCode": 400
            }
          }
        }
        "#);
    }

    #[test]
    fn what_was_mistyped_is_told_in_one_line_with_what_to_do() {
        use clap::Parser as _;
        let told = |line: &str| {
            let error = usage(&crate::cli::Cli::try_parse_from(line.split(' ')).unwrap_err());
            assert_eq!((error.code, error.status_code, error.retryable), (ErrorCode::ValidationError, None, false));
            (error.message, error.hint.unwrap())
        };
        let (message, hint) = told("refundkit refunds create ch_1 --json");
        assert_eq!(message, "the following required arguments were not provided: --reason <REASON>");
        assert_eq!(hint, "Usage: refundkit refunds create --reason <REASON> --json <TRANSACTION>");
        let (message, hint) = told("refundkit refunds lst --json");
        assert_eq!(message, "unrecognized subcommand 'lst'");
        assert!(hint.starts_with("tip: a similar subcommand exists: 'list'"), "{hint}");
        assert_eq!(told("refundkit --json").0, "A command is missing.");
        assert!(
            told("refundkit refunds create ch_1 --reason other --amount 25.00 --json").0.contains("2500 for $25.00")
        );
    }

    #[test]
    fn a_message_cannot_write_to_the_terminal() {
        let error = Error::new(ErrorCode::ProcessorError, "no\x1b[2J\nerror: all is well\u{202e}");
        insta::assert_snapshot!(lines(&error), @r"error: no\u{1b}[2J\u{a}error: all is well\u{202e}");
    }
}
