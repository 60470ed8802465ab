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
    use serde::Deserialize;

    use super::*;
    use crate::vectors;

    #[derive(Debug, Clone, Deserialize)]
    #[serde(untagged)]
    enum Said {
        Word(String),
        #[serde(rename_all = "camelCase")]
        Answer {
            status: u16,
            should_retry: Option<bool>,
            retry_after_seconds: Option<u32>,
            body: String,
        },
    }

    fn reply(said: Said) -> Reply {
        match said {
            Said::Word(word) if word == "not_reached" => Reply::NotReached { message: "refused".to_owned() },
            Said::Word(word) if word == "no_answer" => no_answer(),
            Said::Word(word) => panic!("{word}"),
            Said::Answer { status, should_retry, retry_after_seconds, body } => Reply::Answered(Answer {
                status,
                should_retry,
                retry_after_seconds,
                body: body.into_bytes(),
                ..Answer::default()
            }),
        }
    }

    fn no_answer() -> Reply {
        Reply::NoAnswer { message: "cut".to_owned(), status: None, request_id: None }
    }

    #[derive(Deserialize)]
    struct Reaction {
        reply: Said,
        proof: String,
        repeated: bool,
    }

    #[test]
    fn replies_prove_what_they_can_and_are_repeated_where_that_is_safe() {
        for reaction in vectors::read::<Reaction>("stripeReplies") {
            let expected = match reaction.proof.as_str() {
                "executed" => Proof::Executed,
                "refused" => Proof::Refused,
                "not_executed" => Proof::NotExecuted,
                "none" => Proof::None,
                other => panic!("{other}"),
            };
            let reply = reply(reaction.reply);
            assert_eq!(proof(&reply), expected, "{reply:?}");
            assert_eq!(next_delay(&reply, 1, 100).is_some(), reaction.repeated, "{reply:?}");
        }
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Ending {
        reply: Said,
        earlier_in_doubt: bool,
        outcome: String,
    }

    #[test]
    fn doubt_is_sticky() {
        for ending in vectors::read::<Ending>("stripeOutcomes") {
            let exchange = Exchange { reply: reply(ending.reply), earlier_in_doubt: ending.earlier_in_doubt };
            let said = match outcome(&exchange, crate::processors::stripe::refund) {
                Outcome::Accepted(_) => "accepted",
                Outcome::Refused(_) => "refused",
                Outcome::NotExecuted(_) => "not_executed",
                Outcome::Unknown(_) => "unknown",
            };
            assert_eq!(said, ending.outcome, "{exchange:?}");
        }
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Pause {
        tries_made: u32,
        jitter_percent: u32,
        retry_after_seconds: Option<u32>,
        ms: u64,
    }

    #[test]
    fn delays_double_up_to_a_limit_and_respect_a_short_retry_after() {
        for pause in vectors::read::<Pause>("stripeDelays") {
            let reply = match pause.retry_after_seconds {
                None => no_answer(),
                asked => Reply::Answered(Answer { status: 429, retry_after_seconds: asked, ..Answer::default() }),
            };
            let delay = next_delay(&reply, pause.tries_made, pause.jitter_percent);
            assert_eq!(delay, Some(Duration::from_millis(pause.ms)));
        }
    }
}
