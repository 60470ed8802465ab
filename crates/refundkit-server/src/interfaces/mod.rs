//! The doors: they turn what comes in into calls of operations and answers into what goes out. No door touches the store's
//! refunds or decides anything.

pub mod auth;
pub mod dashboard;
pub mod idempotency;
pub mod input;
pub mod mcp;
pub mod network;
pub mod openapi;
pub mod pages;
pub mod rate_limit;
pub mod reference;
pub mod request_log;
pub mod rest;
pub mod scrub;
pub mod shape;
pub mod sign_ins;
pub mod stripe_webhooks;
