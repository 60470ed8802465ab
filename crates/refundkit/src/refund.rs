//! The refund: what callers see of it. What it may become is decided elsewhere (the server's rules), never here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Currency, Environment, Metadata, OrganizationId, ProcessorName, RefundId, Timestamp, money::Amount,
    transaction::TransactionId,
};

/// A refund: money on its way back to a customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct Refund {
    /// The refund's id in RefundKit.
    pub id: RefundId,
    /// The organization it belongs to.
    pub organization_id: OrganizationId,
    /// The environment it lives in.
    pub environment: Environment,
    /// The payment, as the caller named it (a charge or a PaymentIntent).
    pub transaction_id: TransactionId,
    /// The charge that it resolved to at the processor.
    pub external_transaction_id: String,
    /// The processor's own id of the refund (`re_…`), once the processor has accepted it.
    pub external_refund_id: Option<String>,
    /// How much, in the processor's smallest unit.
    pub amount: Amount,
    /// In which currency.
    pub currency: Currency,
    /// Why.
    pub reason: RefundReason,
    /// Where it stands, coarsely.
    pub status: RefundStatus,
    /// Where it stands, finely.
    pub stage: RefundStage,
    /// Who pays it out.
    pub processor: ProcessorName,
    /// The caller's own pairs.
    pub metadata: Option<Metadata>,
    /// Through which door it came.
    pub initiated_by: InitiatedBy,
    /// Why it failed, when it did.
    pub failure: Option<Failure>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When anything last changed.
    pub updated_at: Timestamp,
    /// When it reached `completed`, `failed` or `cancelled`.
    pub settled_at: Option<Timestamp>,
    /// Reserved; null.
    pub return_id: Option<String>,
    /// Reserved; null.
    pub approval_id: Option<String>,
    /// Reserved; null.
    pub dispute_risk_score: Option<i64>,
    /// Reserved; null.
    pub split_from_id: Option<RefundId>,
    /// Reserved; null.
    pub store_credit_id: Option<String>,
}

/// Why a refund failed, in the processor's words where it spoke.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct Failure {
    /// A code to match on: the processor's (`charge_already_refunded`, `expired_or_canceled_card`), or RefundKit's own
    /// (`refused` when the processor gave none, `canceled`, `not_executed`).
    pub code: String,
    /// What happened, in words.
    pub message: String,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, ::serde::Serialize, ::serde::Deserialize, ::schemars::JsonSchema)]
        #[serde(rename_all = "snake_case")]
        #[schemars(inline)]
        #[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
        pub enum $name { $($(#[$variant_doc])* #[serde(rename = $text)] $variant,)+ }

        impl $name {
            /// Every value, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(self.as_str()) }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::refund::UnknownWord;
            fn from_str(text: &str) -> Result<Self, $crate::refund::UnknownWord> {
                Self::ALL.iter().copied().find(|word| word.as_str() == text)
                    .ok_or_else(|| $crate::refund::UnknownWord { allowed: Self::ALL.iter().map(|word| word.as_str()).collect::<Vec<_>>().join(", ") })
            }
        }
    };
}
pub(crate) use words;

/// A word that is not among those allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be one of {allowed}")]
pub struct UnknownWord {
    /// The words that are allowed, separated by commas.
    pub allowed: String,
}

words! {
    /// Where a refund stands.
    RefundStatus {
        /// Asked for; the processor has not accepted it for execution yet, or needs something from the customer.
        Pending = "pending",
        /// The processor has accepted it and is executing it.
        Processing = "processing",
        /// The processor executed it and expects it to arrive. Up to 30 days later it can still become `failed`.
        Completed = "completed",
        /// It will not reach the customer; the money is with the merchant.
        Failed = "failed",
        /// Taken back before it was executed.
        Cancelled = "cancelled",
    }
}

impl RefundStatus {
    /// Whether this refund holds money: all but `failed` and `cancelled` count against what is left of the payment.
    pub const fn holds_money(self) -> bool {
        !matches!(self, Self::Failed | Self::Cancelled)
    }
}

words! {
    /// Where a refund stands, finely.
    RefundStage {
        /// `pending`: not sent to the processor.
        Queued = "queued",
        /// `pending`: being sent right now.
        Submitting = "submitting",
        /// `pending`: sent, no answer. It may have happened: do not retry, do not promise.
        OutcomeUnknown = "outcome_unknown",
        /// `pending`: the customer must do something first; the processor asks them.
        RequiresAction = "requires_action",
        /// `processing`, or `pending` in a status of the processor's that is not known here.
        AwaitingProcessor = "awaiting_processor",
        /// `completed`, `failed` or `cancelled`.
        Settled = "settled",
    }
}

words! {
    /// Why a customer is refunded.
    RefundReason {
        /// It never came.
        ProductNotReceived = "product_not_received",
        /// It came broken.
        ProductDefective = "product_defective",
        /// Something else came.
        WrongProduct = "wrong_product",
        /// Charged twice for one thing.
        DuplicateCharge = "duplicate_charge",
        /// The subscription was cancelled.
        SubscriptionCancelled = "subscription_cancelled",
        /// None of the others.
        Other = "other",
        /// The customer asked, without a reason of their own.
        CustomerRequest = "customer_request",
        /// An agent made a mistake.
        AgentError = "agent_error",
        /// The price fell after the purchase.
        PriceChange = "price_change",
        /// It does not fit.
        SizingIssue = "sizing_issue",
        /// It is not what was described.
        ItemNotAsDescribed = "item_not_as_described",
        /// The order was cancelled.
        OrderCancelled = "order_cancelled",
        /// Returned just before the window closed.
        ReturnWindowClosing = "return_window_closing",
    }
}

words! {
    /// Through which door a refund came.
    InitiatedBy {
        /// The HTTP API or an SDK.
        Api = "api",
        /// An agent, through MCP.
        Mcp = "mcp",
        /// A person in the dashboard.
        Dashboard = "dashboard",
        /// A person at the command line.
        Cli = "cli",
    }
}
