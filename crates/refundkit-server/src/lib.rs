//! The RefundKit server: operations, the doors that lead to them, workers that follow refunds to their end, and the store.
//!
//! One request's way: `interfaces` (a door) → `registry` (what holds for every operation) → `handlers` (what this one does) →
//! `refundkit_core` (the rules) and `store` (the rows). Workers take the same way from a due job. Only `env` knows the time
//! and randomness, only `error` knows HTTP statuses, only `store` speaks SQL.

pub mod accounts;
pub mod app;
pub mod backup;
pub mod budget;
pub mod caller;
pub mod config;
pub mod env;
pub mod error;
pub mod handlers;
pub mod hint;
pub mod interfaces;
pub mod limits;
pub mod metrics;
pub mod operations;
pub mod processors;
pub mod progress;
pub mod reconcile;
pub mod registry;
pub mod server;
pub mod server_lock;
pub mod setup;
pub mod store;
pub mod vault;
pub mod workers;
