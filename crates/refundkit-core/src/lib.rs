//! The rules of a refund: what it may become, what is left of a payment, what counts as a duplicate, when to look again.
//!
//! Pure functions over plain values. No IO, no async, no clock, no randomness: the time comes in as a parameter, and what
//! is to be done comes out as data for the server to carry out.

// Money is counted here: tests may add up freely, the rules may not.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

pub mod eligibility;
pub mod lifecycle;
pub mod schedule;
