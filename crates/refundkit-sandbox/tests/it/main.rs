//! What the simulator promises, as sentences. The model is tested as a value; only `http` opens a socket.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test helper that cannot go on says so")]

mod errors;
mod faults;
mod http;
mod idempotency;
mod lists;
mod money;
mod payments;
mod refunds;
mod support;
mod webhooks;
mod world;
