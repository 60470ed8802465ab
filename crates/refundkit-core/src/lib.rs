//! The rules of a refund: what it may become, what is left of a payment, what counts as a duplicate, when to look again.
//!
//! Pure functions over plain values. No IO, no async, no clock, no randomness: the time comes in as a parameter, and what
//! is to be done comes out as data for the server to carry out.
//!
//! A refund is written down, sent, and no answer comes. What now?
//!
//! ```
//! use refundkit::{ProcessorErrorDetail, RefundStage, Timestamp};
//! use refundkit::processor::{Outcome, ProcessorError, ProcessorErrorKind};
//! use refundkit_core::lifecycle::{Command, State, Step, Subject, decide, next_step};
//! use refundkit_core::schedule::Schedule;
//!
//! let now = Timestamp::from_seconds(1_800_000_000);
//! let subject = Subject { amount: refundkit::Amount::new(2500)?, currency: "usd".parse()?, created_at: now };
//! let detail = ProcessorErrorDetail {
//!     name: "stripe".into(), code: None, message: "No answer in time.".into(), request_id: None, status_code: None,
//! };
//! let error = ProcessorError { kind: ProcessorErrorKind::Unavailable, detail, hint: None, retry_after_ms: None };
//!
//! let sent = State::created_with_first_attempt(now);
//! let command = Command::SubmissionAnswered(Outcome::Unknown(error));
//! let decision = decide(&subject, &sent, command, &Schedule::default(), now)?;
//!
//! assert_eq!(decision.state.stage(), RefundStage::OutcomeUnknown);
//! let job = decision.job.ok_or("it would be forgotten")?;
//! assert_eq!(next_step(&decision.state, job.run_at), Step::LookThenSend);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// Money is counted here: tests may add up freely, the rules may not.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

pub mod days;
pub mod eligibility;
pub mod invariants;
pub mod lifecycle;
pub mod schedule;
