//! What a reply proves about a change, and whether to ask again within the same call.
//!
//! Pure. The order of the rules is that of Stripe's own clients, with 429 added: a repeat under the same key is safe there,
//! because it was turned away before anything was done.

use std::time::Duration;

use crate::{
    processor::Outcome,
    processors::stripe::{
        answers::Answer,
        errors,
        exchange::{Exchange, Reply},
    },
};

const FIRST_DELAY: Duration = Duration::from_millis(500);
const DELAY_MAX: Duration = Duration::from_secs(5);
/// A longer wait than this is left to the caller.
const RETRY_AFTER_SECONDS_MAX: u32 = 5;

/// What a reply says about whether a change was executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    Executed,
    Refused,
    NotExecuted,
    None,
}

/// A refusal is proof only in Stripe's own words: what a middlebox says proves nothing. Nor does the news that the key was used
/// with another request: something did arrive under it.
pub(super) fn proof(reply: &Reply) -> Proof {
    match reply {
        Reply::NotReached { .. } => Proof::NotExecuted,
        Reply::NoAnswer { .. } => Proof::None,
        Reply::Answered(answer) => match answer.status {
            200..=299 => Proof::Executed,
            400..=404 if is_key_reused(answer) => Proof::None,
            400..=404 if errors::error_object(answer).is_some() => Proof::Refused,
            429 => Proof::NotExecuted,
            _ => Proof::None,
        },
    }
}

/// What became of a change. Doubt is sticky: once a try may have been executed, a later refusal does not undo it.
pub(super) fn outcome<T>(exchange: &Exchange, read: impl FnOnce(&Answer) -> Option<T>) -> Outcome<T> {
    if let Reply::Answered(answer) = &exchange.reply
        && answer.is_success()
    {
        return match read(answer) {
            Some(value) => Outcome::Accepted(value),
            None => Outcome::Unknown(errors::unreadable(answer)),
        };
    }
    let error = errors::processor_error(&exchange.reply);
    match proof(&exchange.reply) {
        Proof::Refused if !exchange.earlier_in_doubt => Outcome::Refused(error),
        Proof::NotExecuted if !exchange.earlier_in_doubt => Outcome::NotExecuted(error),
        _ => Outcome::Unknown(error),
    }
}

/// How long to wait before the next try; none when there should be no other. `jitter_percent` is 50 to 100.
pub(super) fn next_delay(reply: &Reply, tries_made: u32, jitter_percent: u32) -> Option<Duration> {
    let mut asked = Duration::ZERO;
    if let Reply::Answered(answer) = reply {
        if !is_worth_repeating(answer) {
            return None;
        }
        let seconds = answer.retry_after_seconds.unwrap_or_default();
        if seconds > RETRY_AFTER_SECONDS_MAX {
            return None;
        }
        asked = Duration::from_secs(seconds.into());
    }
    let doublings = tries_made.saturating_sub(1).min(16);
    let delay = FIRST_DELAY.saturating_mul(1 << doublings).min(DELAY_MAX);
    Some((delay * jitter_percent / 100).max(asked))
}

fn is_worth_repeating(answer: &Answer) -> bool {
    if answer.is_success() {
        return false;
    }
    match answer.should_retry {
        Some(said) => said && !is_key_reused(answer),
        None => matches!(answer.status, 409 | 429 | 500..=599),
    }
}

/// Whether Stripe says that the key was used with another request (and not that the first one is still running).
fn is_key_reused(answer: &Answer) -> bool {
    answer.status != 409
        && errors::error_object(answer).is_some_and(|error| error.kind.as_deref() == Some("idempotency_error"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, should_retry: Option<bool>, body: &str) -> Reply {
        Reply::Answered(Answer { status, should_retry, body: body.as_bytes().to_vec(), ..Answer::default() })
    }

    fn no_answer() -> Reply {
        Reply::NoAnswer { message: "cut".to_owned(), status: None, request_id: None }
    }

    const REFUSAL: &str = r#"{"error":{"type":"invalid_request_error","message":"No."}}"#;
    const KEY_REUSED: &str = r#"{"error":{"type":"idempotency_error","message":"Keys for idempotent requests"}}"#;

    #[test]
    fn replies_prove_what_they_can() {
        for (reply, expected) in [
            (answered(200, None, "{}"), Proof::Executed),
            (answered(400, None, REFUSAL), Proof::Refused),
            (answered(401, None, REFUSAL), Proof::Refused),
            (answered(402, None, REFUSAL), Proof::Refused),
            (answered(403, None, REFUSAL), Proof::Refused),
            (answered(404, None, REFUSAL), Proof::Refused),
            (answered(400, None, KEY_REUSED), Proof::None),
            (answered(403, None, "<html>"), Proof::None),
            (answered(301, None, ""), Proof::None),
            (answered(405, None, REFUSAL), Proof::None),
            (answered(409, None, REFUSAL), Proof::None),
            (answered(424, None, REFUSAL), Proof::None),
            (answered(429, None, REFUSAL), Proof::NotExecuted),
            (answered(500, None, REFUSAL), Proof::None),
            (answered(503, None, ""), Proof::None),
            (no_answer(), Proof::None),
            (Reply::NotReached { message: String::new() }, Proof::NotExecuted),
        ] {
            assert_eq!(proof(&reply), expected, "{reply:?}");
        }
    }

    #[test]
    fn doubt_is_sticky() {
        let outcome_of = |reply, earlier_in_doubt| outcome(&Exchange { reply, earlier_in_doubt }, |_| Some(()));
        assert!(matches!(outcome_of(answered(400, None, REFUSAL), false), Outcome::Refused(_)));
        assert!(matches!(outcome_of(answered(400, None, REFUSAL), true), Outcome::Unknown(_)));
        assert!(matches!(outcome_of(answered(429, None, REFUSAL), false), Outcome::NotExecuted(_)));
        assert!(matches!(outcome_of(answered(429, None, REFUSAL), true), Outcome::Unknown(_)));
        assert!(matches!(outcome_of(answered(200, None, "{}"), true), Outcome::Accepted(())));
    }

    #[test]
    fn a_success_that_cannot_be_read_is_unknown() {
        let exchange = Exchange { reply: answered(200, None, "garbage"), earlier_in_doubt: false };
        assert!(matches!(outcome::<()>(&exchange, |_| None), Outcome::Unknown(_)));
    }

    #[test]
    fn stripe_decides_about_repeats_where_it_says_so() {
        for (reply, repeated) in [
            (answered(200, Some(true), "{}"), false),
            (answered(400, None, REFUSAL), false),
            (answered(400, Some(true), REFUSAL), true),
            (answered(400, Some(true), KEY_REUSED), false),
            (answered(409, None, KEY_REUSED), true),
            (answered(409, Some(false), KEY_REUSED), false),
            (answered(424, None, REFUSAL), false),
            (answered(429, None, REFUSAL), true),
            (answered(429, Some(false), REFUSAL), false),
            (answered(500, None, ""), true),
            (answered(500, Some(false), ""), false),
            (no_answer(), true),
            (Reply::NotReached { message: String::new() }, true),
        ] {
            assert_eq!(next_delay(&reply, 1, 100).is_some(), repeated, "{reply:?}");
        }
    }

    #[test]
    fn delays_double_up_to_a_limit_and_respect_a_short_retry_after() {
        let delay = |tries, jitter| next_delay(&no_answer(), tries, jitter).unwrap().as_millis();
        assert_eq!(
            [delay(1, 100), delay(2, 100), delay(3, 100), delay(4, 100), delay(5, 100), delay(99, 100)],
            [500, 1000, 2000, 4000, 5000, 5000]
        );
        assert_eq!(delay(1, 50), 250);
        let limited = |seconds| {
            let answer = Answer { status: 429, retry_after_seconds: Some(seconds), ..Answer::default() };
            next_delay(&Reply::Answered(answer), 1, 100)
        };
        assert_eq!(limited(3), Some(Duration::from_secs(3)));
        assert_eq!(limited(RETRY_AFTER_SECONDS_MAX + 1), None);
    }
}
