//! A Stripe-compatible simulator for refunds.
//!
//! Two layers. [`Model`] is a small Stripe as plain data: [`Model::apply`] answers a request at an instant,
//! [`Model::advance`] lets time pass, and the webhooks that follow are taken with [`Model::take_due_deliveries`]. It does
//! no IO and knows neither clock nor randomness, so the same seed and requests give the same bytes. [`Sandbox`] is its
//! HTTP face: it listens, keeps the model in a file, sends the webhooks, and carries out the faults the model decides on.
//!
//! ```
//! use refundkit_sandbox::{DEV_SECRET_KEY, Method, Request, World};
//!
//! let now_ms = 1_800_000_000_000;
//! let mut stripe = World::Dev.build(7, now_ms);
//! let request = Request::new(Method::Post, "/v1/refunds", "charge=ch_1N4HbSKz9cXRvFYr&amount=2500")
//!     .with_api_key(DEV_SECRET_KEY);
//! let response = stripe.apply(&request, now_ms);
//! assert_eq!(response.status, 200);
//! assert!(response.body.contains("\"status\":\"succeeded\""));
//! ```
//!
//! The sandbox is a witness: it shares no code with the rest of the project and believes nothing it says. What it
//! leaves out, on purpose: fees and payout delays (see [`LedgerCharge`] for what is counted), cross-account webhooks,
//! and every endpoint that refunds do not touch.

// A charge is one `json!` of its 45 fields.
#![recursion_limit = "256"]

mod errors;
mod faults;
mod http;
mod idempotency;
mod ids;
pub mod limits;
mod model;
mod money;
mod params;
mod request;
mod sandbox;
mod state_file;
mod table;
mod webhooks;
mod world;

pub use faults::{Fault, FaultPlan, FaultRule, FaultRuleError, WebhookFault, WebhookFaultRule};
pub use model::{
    API_VERSION, ApiKey, ControlError, DashboardRefund, DeliveryOutcome, DueDelivery, LedgerCharge, LedgerRefund,
    LoggedRequest, Model, RefundAction, Settings, ShortBalance,
};
pub use request::{Method, Request, Response, Transport};
pub use sandbox::{Sandbox, SandboxError, SandboxOptions};
pub use world::{
    DEV_ACCOUNT, DEV_CHARGES, DEV_CONNECTED_ACCOUNT, DEV_EXPIRED_KEY, DEV_LIVE_CHARGE, DEV_LIVE_KEY, DEV_READ_ONLY_KEY,
    DEV_SECRET_KEY, DevCharge, World,
};
