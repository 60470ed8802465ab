//! The vocabulary of RefundKit, and what a Rust program needs to refund through it.
//!
//! * The nouns: [`Refund`], [`Transaction`], [`ProcessorConnection`], [`ApiKey`], [`RefundEvent`], and the small types they
//!   are made of ([`Amount`], [`Currency`], [`Timestamp`], ids).
//! * The operations of the HTTP API as structs ([`operations`]): what a server serves and a client sends, defined once.
//! * With the feature `client` (default), `RefundKit`: a client for a running server, and `webhook`, its notifications.
//! * With the feature `processors`, `processors::StripeProcessor`: Stripe refunds without a server.
//!
//! What does not live here: rules (what a refund may become, what is left of a payment), storage, and the server itself.

pub mod api_key;
#[cfg(feature = "client")]
pub mod client;
pub mod error;
pub mod event;
pub mod id;
pub mod log;
pub mod metadata;
pub mod money;
pub mod operation;
pub mod operations;
pub mod page;
pub mod policy;
pub mod processor;
pub mod processor_connection;
#[cfg(feature = "processors")]
pub mod processors;
pub mod refund;
pub mod time;
pub mod transaction;
#[cfg(test)]
mod vectors;
#[cfg(feature = "client")]
pub mod webhook;

pub use api_key::{ApiKey, CreatedApiKey, Environment, Identity};
#[cfg(feature = "client")]
pub use client::{Options, RefundKit, Response};
pub use error::{Error, ErrorBody, ErrorCode, ProcessorErrorDetail};
pub use event::{RefundEvent, RefundEventType};
pub use id::{ConnectionId, EventId, IdText, InvitationId, KeyId, OrganizationId, RefundId, RequestId, UserId};
pub use log::LogEntry;
pub use metadata::{Metadata, MetadataValue};
pub use money::{Amount, Currency};
pub use operation::{Effect, Method, Operation, Scope};
pub use page::{Page, PageInfo};
pub use policy::PolicyDecision;
pub use processor_connection::{ConnectionStatus, ProcessorConnection, ProcessorName, StripeConnect};
#[cfg(feature = "processors")]
pub use processors::{PaymentProcessor, StripeProcessor};
pub use refund::{Failure, InitiatedBy, Refund, RefundReason, RefundStage, RefundStatus};
pub use time::Timestamp;
pub use transaction::{Transaction, TransactionId, TransactionRefund};
#[cfg(feature = "client")]
pub use webhook::{WebhookEvent, WebhookEventType};
