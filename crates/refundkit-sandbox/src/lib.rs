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
//! # Controls
//!
//! Below `/_sandbox` the HTTP face and [`Model::apply`] take JSON and ask for no key. These requests do what only Stripe,
//! a bank or a person at the Dashboard could do, arm faults, and show what really happened.
//!
//! | request | body | does |
//! | --- | --- | --- |
//! | `GET /_sandbox/requests` | | shows the request log, oldest first: [`LoggedRequest`] |
//! | `GET /_sandbox/ledger` | | shows every charge with its refunds, counted afresh: [`LedgerCharge`] |
//! | `GET /_sandbox/faults` | | shows what is armed |
//! | `POST /_sandbox/faults` | [`FaultRule`] | arms a fault for the next requests that fit |
//! | `POST /_sandbox/webhook_faults` | [`WebhookFaultRule`] | arms one for the next deliveries that fit |
//! | `POST /_sandbox/fault_plan` | [`FaultPlan`] | lets faults strike by chance |
//! | `DELETE /_sandbox/faults` | | disarms everything |
//! | `GET /_sandbox/settings` | | shows the delays: [`Settings`] |
//! | `POST /_sandbox/settings` | `refund_delay_ms`, `webhook_retry_delay_ms` | changes them for what begins from now on |
//! | `POST /_sandbox/clock` | `advance_ms` | moves the clock forward |
//! | `POST /_sandbox/refunds` | [`DashboardRefund`] | makes a refund no API request asked for |
//! | `POST /_sandbox/refunds/{id}/{action}` | the fields of the [`RefundAction`] | moves a refund: `succeed`, `fail`, `cancel`, `pend`, `require_action`, `status` |
//! | `POST /_sandbox/charges/{id}/dispute` | `reason`, `inquiry` | opens a dispute |
//! | `POST /_sandbox/disputes/{id}/win`, `/lose` | | ends it |
//! | `POST /_sandbox/balance` | `account`, `currency`, `available`, `when_short`, `livemode` | sets a balance, and with [`ShortBalance`] what a short one does |
//! | `POST /_sandbox/api_keys` | [`ApiKey`] | makes a key known, and its account |
//!
//! # Payment methods
//!
//! Stripe's own test names, as `tok_x` on charges and `pm_card_x` on PaymentIntents: `visa` and the other plain cards,
//! `pendingRefund`, `refundFail`, `createDispute`, `createDisputeProductNotReceived`, `createDisputeInquiry`,
//! `chargeDeclined` and its variants. Three more, as `tok_sandbox_x` and `pm_sandbox_x`, for what Stripe has no test card
//! for: `requiresAction` (the refund waits for the customer, who answers after the delay), `requiresActionHeld` (the
//! customer never answers) and `sepaDebit` (a bank debit: `py_`, `pyr_`).
//!
//! # What it is not
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
