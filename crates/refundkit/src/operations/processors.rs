//! Operations on processor connections.

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize, Serializer};

use crate::{
    Effect, Method, Operation, Page, ProcessorConnection, Scope, operation::setters,
    processor_connection::StripeConnect,
};

/// Lists the processor connections of this environment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct ListProcessors {}

impl Operation for ListProcessors {
    const NAME: &'static str = "list_processors";
    const TAG: &'static str = "Processors";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/v1/processors";
    const SCOPE: Scope = Scope::Read;
    const EFFECT: Effect = Effect::Read;
    type Output = Page<ProcessorConnection>;
}

/// Connects Stripe in this environment, or replaces the connection in place; omitted fields are kept.
///
/// The key is tried with calls that change nothing before it is saved, then sealed and never shown again; so is the webhook secret,
/// with which Stripe signs the notifications that make a change known at once. Test keys belong to the test
/// environment, live keys to live; restricted keys work. While refunds are open, a key that cannot read one of them is refused
/// with `conflict` unless `force` is true.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct ConnectStripe {
    /// Stripe's secret or restricted key: `sk_test_…`, `sk_live_…`, `rk_test_…` or `rk_live_…`. Needed the first time.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "expose")]
    #[schemars(with = "Option<String>", length(min = 1, max = 255))]
    pub secret_key: Option<SecretString>,
    /// The signing secret of the webhook endpoint at Stripe that sends to `webhookUrl`: `whsec_…`. Each one
    /// that is replaced stays valid for 24 hours.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "expose")]
    #[schemars(with = "Option<String>", length(min = 1, max = 255))]
    pub webhook_secret: Option<SecretString>,
    /// How refunds are made on Stripe Connect; what is omitted in it is kept too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect: Option<StripeConnect>,
    /// Replace the key although it cannot read the refunds that are open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub force: Option<bool>,
}

#[expect(clippy::ref_option, reason = "serde hands the field over by reference")]
fn expose<S: Serializer>(secret: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
    use secrecy::ExposeSecret as _;
    secret.as_ref().map(SecretString::expose_secret).serialize(serializer)
}

impl Operation for ConnectStripe {
    const NAME: &'static str = "connect_stripe";
    const TAG: &'static str = "Processors";
    const METHOD: Method = Method::Put;
    const PATH: &'static str = "/v1/processors/stripe";
    const SCOPE: Scope = Scope::Admin;
    const EFFECT: Effect = Effect::WriteIdempotent;
    type Output = ProcessorConnection;
}

impl ConnectStripe {
    /// Connects the account that this key belongs to, or replaces its key.
    pub fn new(secret_key: impl Into<SecretString>) -> Self {
        Self { secret_key: Some(secret_key.into()), ..Self::default() }
    }
}

setters! {
    ConnectStripe {
        secret_key: SecretString,
        connect: StripeConnect,
        force: bool,
    }
}

/// Tries the saved Stripe key with calls that change nothing, and notes whether Stripe accepts it and what it lacks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct TestStripe {}

impl Operation for TestStripe {
    const NAME: &'static str = "test_stripe";
    const TAG: &'static str = "Processors";
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/v1/processors/stripe/test";
    const SCOPE: Scope = Scope::Admin;
    const EFFECT: Effect = Effect::WriteIdempotent;
    type Output = ProcessorConnection;
}

/// Disconnects Stripe: no new refunds; the open ones are followed to their end.
///
/// While refunds are open this is refused with `conflict` unless `force` is true.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct DisconnectStripe {
    /// Disconnect although refunds are open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub force: Option<bool>,
}

impl Operation for DisconnectStripe {
    const NAME: &'static str = "disconnect_stripe";
    const TAG: &'static str = "Processors";
    const METHOD: Method = Method::Delete;
    const PATH: &'static str = "/v1/processors/stripe";
    const SCOPE: Scope = Scope::Admin;
    const EFFECT: Effect = Effect::WriteIdempotent;
    type Output = ProcessorConnection;
}

setters! {
    DisconnectStripe {
        force: bool,
    }
}
