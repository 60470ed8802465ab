//! What Stripe's errors mean: kinds to decide by, Stripe's own words kept, and a hint on what to do next.
//!
//! Stripe often gives no code, so the map looks at status, type, code, parameter, `message_code` and the beginning of the
//! message, in that order of trust. Whether an error ends a refund is said in `retry`.

use serde::Deserialize;

use crate::{
    ProcessorErrorDetail, ProcessorName,
    processor::{ProcessorError, ProcessorErrorKind},
    processors::stripe::{answers::Answer, exchange::Reply},
};

/// The longest message that is kept, in characters.
const MESSAGE_CHARACTERS_MAX: usize = 1000;
/// The longest code or request id that is kept, in characters.
const WORD_CHARACTERS_MAX: usize = 255;

/// The `error` of Stripe's body.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ErrorObject {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    code: Option<String>,
    /// Undocumented, and the only code of a refusal for lack of balance.
    message_code: Option<String>,
    message: Option<String>,
    param: Option<String>,
}

/// Stripe's error, where the answer is one. A page of a middlebox is not.
pub(super) fn error_object(answer: &Answer) -> Option<ErrorObject> {
    #[derive(Deserialize)]
    struct Envelope {
        error: ErrorObject,
    }
    answer.json::<Envelope>().map(|envelope| envelope.error)
}

/// What a reply that is not a success says.
pub(super) fn processor_error(reply: &Reply) -> ProcessorError {
    let (kind, mut error) = match reply {
        Reply::NotReached { message } => (ProcessorErrorKind::NotReached, words(message)),
        Reply::NoAnswer { message, status, request_id } => {
            let mut error = words(message);
            error.detail.status_code = *status;
            error.detail.request_id = request_id.as_deref().map(word);
            (ProcessorErrorKind::Unavailable, error)
        }
        Reply::Answered(answer) => match error_object(answer) {
            Some(object) => answered(answer, &object),
            None => (kind_of_status(answer.status), unreadable(answer)),
        },
    };
    error.kind = kind;
    error
}

/// An answer that is not what was asked for.
pub(super) fn unreadable(answer: &Answer) -> ProcessorError {
    let mut error = words(&format!("Stripe's answer (HTTP {}) could not be read.", answer.status));
    tell_where(&mut error, answer);
    error
}

/// A refusal in Stripe's words that Stripe was not asked for, from what was read there.
pub(super) fn from_what_was_read(kind: ProcessorErrorKind, code: Option<&str>, message: &str) -> ProcessorError {
    let mut error = words(message);
    error.kind = kind;
    error.detail.code = code.map(str::to_owned);
    error
}

fn words(message: &str) -> ProcessorError {
    ProcessorError {
        kind: ProcessorErrorKind::Unavailable,
        detail: ProcessorErrorDetail {
            name: ProcessorName::Stripe.as_str().to_owned(),
            code: None,
            message: scrub(message).chars().take(MESSAGE_CHARACTERS_MAX).collect(),
            request_id: None,
            status_code: None,
        },
        hint: None,
        retry_after_ms: None,
    }
}

fn tell_where(error: &mut ProcessorError, answer: &Answer) {
    error.detail.status_code = Some(answer.status);
    error.detail.request_id = answer.request_id.as_deref().map(word);
    error.retry_after_ms = answer.retry_after_seconds.map(|seconds| i64::from(seconds) * 1000);
}

fn answered(answer: &Answer, object: &ErrorObject) -> (ProcessorErrorKind, ProcessorError) {
    let message = object.message.as_deref().unwrap_or_default();
    let code = object.code.as_deref().or(object.message_code.as_deref());
    let (kind, hint) = meaning(answer.status, code, object.param.as_deref(), message);
    let mut error = if message.is_empty() {
        words(&format!("Stripe answered HTTP {} without a message.", answer.status))
    } else {
        words(message)
    };
    tell_where(&mut error, answer);
    error.detail.code = code.map(word);
    error.hint = hint;
    (kind, error)
}

fn kind_of_status(status: u16) -> ProcessorErrorKind {
    match status {
        429 => ProcessorErrorKind::RateLimited,
        _ => ProcessorErrorKind::Unavailable,
    }
}

/// The map. Only the statuses with which Stripe refuses carry meaning beyond "could not answer".
fn meaning(
    status: u16,
    code: Option<&str>,
    param: Option<&str>,
    message: &str,
) -> (ProcessorErrorKind, Option<String>) {
    use ProcessorErrorKind as Kind;
    match status {
        401 => return (Kind::InvalidCredential, Some(credential_hint(code).to_owned())),
        403 => return (Kind::MissingPermission, Some(permission_hint(message))),
        400 | 402 | 404 => {}
        other => return (kind_of_status(other), None),
    }
    let (kind, hint) = if message.contains("a similar object exists in live mode") {
        (Kind::OtherMode, "This payment is live; use RefundKit's live environment, whose Stripe key is a live one.")
    } else if message.contains("a similar object exists in test mode") {
        (Kind::OtherMode, "This is a test payment; use RefundKit's test environment, whose Stripe key is a test one.")
    } else if let Some(meaning) = code.and_then(meaning_of_code) {
        meaning
    } else {
        meaning_of_message(param, message)
    };
    (kind, Some(hint.to_owned()).filter(|hint| !hint.is_empty()))
}

const ADD_BALANCE: &str = "Add funds to the Stripe balance, or wait for payments to settle, then refund again.";

fn meaning_of_code(code: &str) -> Option<(ProcessorErrorKind, &'static str)> {
    use ProcessorErrorKind as Kind;
    Some(match code {
        "resource_missing" => (
            Kind::NotFound,
            "Check the id, and that the connected Stripe key belongs to the account that took the payment.",
        ),
        "charge_already_refunded" => {
            (Kind::AlreadyRefunded, "Nothing is left to refund; look at the refunds of this payment.")
        }
        "charge_disputed" | "refund_disputed_payment" => {
            (Kind::Refused, "The customer disputed this payment; answer the dispute in Stripe instead of refunding.")
        }
        "charge_not_refundable" => {
            (Kind::Refused, "Stripe no longer refunds this payment; pay the customer another way.")
        }
        "insufficient_balance_for_refund" => (Kind::Refused, ADD_BALANCE),
        _ => return None,
    })
}

fn meaning_of_message(param: Option<&str>, message: &str) -> (ProcessorErrorKind, &'static str) {
    use ProcessorErrorKind as Kind;
    if param == Some("amount") && message.starts_with("Refund amount (") {
        (Kind::AmountTooLarge, "Refund no more than what is left of this payment.")
    } else if message.starts_with("Insufficient funds in your Stripe balance") {
        (Kind::Refused, ADD_BALANCE)
    } else if message.starts_with("Canceling this refund is unsupported") {
        (Kind::NotCancellable, "Stripe takes back only refunds that wait for the customer.")
    } else if message.starts_with("This uncaptured Charge was created by a PaymentIntent") {
        (Kind::Refused, "Nothing was captured; cancel the PaymentIntent instead.")
    } else if message.ends_with("does not have a successful charge to refund.") {
        (Kind::Refused, "No money was taken, so there is nothing to refund.")
    } else {
        (Kind::Refused, "")
    }
}

/// Whether Stripe refuses to cancel in the words of another endpoint, as it has done.
pub(super) fn is_odd_refusal_to_cancel(error: &ProcessorError) -> bool {
    error.kind == ProcessorErrorKind::Refused
        && error.detail.status_code == Some(400)
        && error.detail.message.starts_with("Charges must be refunded using")
}

fn credential_hint(code: Option<&str>) -> &'static str {
    if code == Some("api_key_expired") {
        "The Stripe key was rolled or has expired; connect Stripe again with its current secret key."
    } else {
        "Stripe does not accept this key; copy a current one from Stripe's Dashboard under Developers > API keys, and connect it."
    }
}

/// Names the right as Stripe's Dashboard does, where the message says which it is.
fn permission_hint(message: &str) -> String {
    let Some(right) = named_permission(message) else {
        return "Stripe denies this key access; check its permissions, and the connected account if there is one."
            .to_owned();
    };
    match permission_label(right) {
        Some(label) => format!("Give the restricted Stripe key the permission \"{label}\" ({right})."),
        None => format!("Give the restricted Stripe key the permission {}.", word(right)),
    }
}

/// The permission that a refusal names.
fn named_permission(message: &str) -> Option<&str> {
    message.split(|byte: char| !byte.is_ascii_alphanumeric() && byte != '_').find(|word| word.starts_with("rak_"))
}

/// The permission to make and cancel refunds.
pub(super) const WRITE_REFUNDS: &str = "rak_charge_write";
/// The permission to find the charge of a PaymentIntent.
pub(super) const READ_PAYMENT_INTENTS: &str = "rak_payment_intent_read";

/// What Stripe's Dashboard calls a permission of restricted keys (`rak_charge_write`): `Charges and Refunds: Write`. None for
/// those that refunds do not need.
pub fn permission_label(permission: &str) -> Option<&'static str> {
    Some(match permission {
        WRITE_REFUNDS | "rak_refund_write" => "Charges and Refunds: Write",
        "rak_charge_read" | "rak_refund_read" => "Charges and Refunds: Read",
        READ_PAYMENT_INTENTS => "PaymentIntents: Read",
        "rak_payment_intent_write" => "PaymentIntents: Write",
        _ => return None,
    })
}

/// The permission for lack of which Stripe refused: the one it names, else the one that was `asked` for.
pub(super) fn missing_permission(reply: &Reply, asked: &str) -> Option<String> {
    match reply {
        Reply::Answered(answer) if answer.status == 403 => {
            let message = error_object(answer)?.message.unwrap_or_default();
            Some(named_permission(&message).map_or_else(|| asked.to_owned(), word))
        }
        _ => None,
    }
}

/// What keys and secrets begin with.
const SECRET_PREFIXES: [&str; 5] = ["sk_live_", "sk_test_", "rk_live_", "rk_test_", "whsec_"];

/// Hides whatever looks like a whole key. Stripe masks keys in its messages; this is for the day it does not.
fn scrub(message: &str) -> String {
    let mut clean = String::with_capacity(message.len());
    let mut rest = message;
    while let Some((start, prefix)) =
        SECRET_PREFIXES.iter().filter_map(|prefix| rest.find(prefix).map(|start| (start, *prefix))).min()
    {
        let (before, key) = rest.split_at(start);
        let random = &key[prefix.len()..];
        let end = random.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(random.len());
        clean.push_str(before);
        clean.push_str(prefix);
        if end > 0 {
            clean.push_str("***");
        }
        rest = &random[end..];
    }
    clean + rest
}

fn word(text: &str) -> String {
    scrub(text).chars().take(WORD_CHARACTERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors;
    use ProcessorErrorKind as Kind;

    fn error(status: u16, body: &str) -> ProcessorError {
        processor_error(&Reply::Answered(Answer {
            status,
            request_id: Some("req_1".to_owned()),
            body: body.as_bytes().to_vec(),
            ..Answer::default()
        }))
    }

    fn stripe_error(status: u16, code: &str, param: &str, message: &str) -> ProcessorError {
        let mut object = serde_json::json!({ "type": "invalid_request_error", "message": message });
        for (name, value) in [("code", code), ("param", param)] {
            if !value.is_empty() {
                object[name] = value.into();
            }
        }
        error(status, &serde_json::json!({ "error": object }).to_string())
    }

    #[derive(Deserialize)]
    struct Recorded {
        status: u16,
        error: Option<serde_json::Value>,
        body: Option<String>,
        kind: String,
        refusal: bool,
        code: Option<String>,
        message: String,
        hint: Option<String>,
    }

    #[test]
    fn every_recorded_error_keeps_its_words_and_gets_its_kind() {
        for recorded in vectors::read::<Recorded>("stripeErrors") {
            let body = recorded.body.unwrap_or_else(|| serde_json::json!({ "error": recorded.error }).to_string());
            let error = error(recorded.status, &body);
            assert_eq!(
                (format!("{:?}", error.kind), error.kind.is_refusal()),
                (recorded.kind, recorded.refusal),
                "{body}"
            );
            assert_eq!((error.detail.message, error.hint), (recorded.message, recorded.hint), "{body}");
            assert_eq!((error.detail.name.as_str(), error.detail.code), ("stripe", recorded.code), "{body}");
            let told = (error.detail.status_code, error.detail.request_id.as_deref());
            assert_eq!(told, (Some(recorded.status), Some("req_1")));
        }
    }

    #[test]
    fn the_odd_words_refuse_only_a_cancel() {
        let odd = "Charges must be refunded using the /v1/charges/{CHARGE_ID}/refunds endpoint.";
        let error = stripe_error(400, "", "", odd);
        assert_eq!(error.kind, Kind::Refused);
        assert!(is_odd_refusal_to_cancel(&error));
    }

    #[test]
    fn no_answer_has_no_status() {
        let message = "Stripe did not answer within 10 s.".to_owned();
        let error = processor_error(&Reply::NoAnswer { message, status: None, request_id: None });
        assert_eq!((error.kind, error.detail.status_code), (Kind::Unavailable, None));
        assert_eq!(error.to_string(), "Stripe did not answer within 10 s.");
    }

    #[test]
    fn whole_keys_are_hidden_and_masked_ones_stay() {
        for (said, kept) in vectors::read::<(String, String)>("scrubbed") {
            assert_eq!(scrub(&said), kept);
        }
        assert_eq!(stripe_error(400, "", "", &"é".repeat(5000)).detail.message.chars().count(), MESSAGE_CHARACTERS_MAX);
    }
}
