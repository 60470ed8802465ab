//! The server as its users meet it: one test binary.
//!
//! * `support`: a server and a Stripe sandbox of their own for each test, over loopback.
//! * `operations`: what holds for every operation, looped over the registry.
//! * `stories`: what happens to refunds, told from outside.
//! * `processors`: the contract of a processor, over HTTP.
//! * `simulation`: all of it at once, with everything going wrong.
//! * `store`: the rows.
//! * `mcp`: agents, through both doors and both generations of their protocol.
//! * `dashboard`: people, through their browsers.
//! * `binary`: the program itself, with its commands and its end.
//! * `tidy`: the style of the house, as tests.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must stop")]

mod bad_input;
mod binary;
mod dashboard;
mod mcp;
mod operations;
mod processors;
mod simulation;
mod store;
mod stories;
mod support;
mod tidy;
