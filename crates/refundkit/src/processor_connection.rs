//! Processors, and an organization's connection to one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ConnectionId, Environment, Timestamp, operation::setters, refund::words};

words! {
    /// A payment processor.
    ProcessorName {
        /// Stripe.
        Stripe = "stripe",
    }
}

words! {
    /// Whether a connection can be used.
    ConnectionStatus {
        /// It makes and follows refunds.
        Active = "active",
        /// The processor refuses its credential.
        Invalid = "invalid",
        /// Taken away by a person: it makes no new refunds but follows the open ones to their end.
        Disconnected = "disconnected",
    }
}

/// An organization's account at a processor, in one environment. The credential itself is never shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct ProcessorConnection {
    /// The connection's id.
    pub id: ConnectionId,
    /// The processor.
    pub processor: ProcessorName,
    /// The environment.
    pub environment: Environment,
    /// Whether it can be used.
    pub status: ConnectionStatus,
    /// Enough of the key to recognise it: `sk_test_…4242`.
    pub secret_key_hint: String,
    /// The account's id at the processor, where the key may read it.
    pub account: Option<String>,
    /// What the account is called at the processor, where the key may read it.
    pub account_name: Option<String>,
    /// Permissions that refunds need and the key was found to lack when it was last tried, as the processor calls them
    /// (`rak_charge_write`). What no harmless call can try is not here.
    pub missing_permissions: Vec<String>,
    /// Where the processor is to send its notifications.
    pub webhook_url: String,
    /// Enough of the webhook secret to recognise it: `whsec_…4242`; null while none is saved, and notifications are refused.
    pub webhook_secret_hint: Option<String>,
    /// Stripe Connect settings, when there are any.
    pub connect: Option<StripeConnect>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// How refunds are made on Stripe Connect.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct StripeConnect {
    /// The connected account that calls are made for (`acct_…`), sent as `Stripe-Account`. When it is set, an empty text takes it
    /// away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^(acct_[A-Za-z0-9]{1,64})?$"))]
    pub account: Option<String>,
    /// Whether the transfer to the connected account is taken back in proportion. A charge with a transfer is refused until this says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverse_transfer: Option<bool>,
    /// Whether the application fee is given back in proportion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund_application_fee: Option<bool>,
}

setters! {
    StripeConnect {
        account: String,
        reverse_transfer: bool,
        refund_application_fee: bool,
    }
}
