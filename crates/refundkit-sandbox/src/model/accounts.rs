//! Accounts: who they are, their two sets of books, the keys that open them, and `GET /v1/account`.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::balance::Balance;
use super::charges::Charge;
use super::disputes::Dispute;
use super::events::Event;
use super::payment_intents::PaymentIntent;
use super::refunds::Refund;
use super::webhook_endpoints::WebhookEndpoint;
use super::{Model, Scope};
use crate::errors::StripeError;
use crate::idempotency::Records;
use crate::params::Params;
use crate::table::Table;

/// An account with its test and its live books, which never see each other.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) profile: Profile,
    pub(crate) test: Books,
    pub(crate) live: Books,
}

/// What `GET /v1/account` tells.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Profile {
    pub(crate) id: String,
    pub(crate) country: String,
    pub(crate) default_currency: String,
    pub(crate) display_name: String,
    pub(crate) created: i64,
    /// The platform whose keys may act on this account through `Stripe-Account`.
    pub(crate) platform: Option<String>,
}

/// Everything one account holds in one mode.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Books {
    pub(crate) charges: Table<Charge>,
    pub(crate) payment_intents: Table<PaymentIntent>,
    pub(crate) refunds: Table<Refund>,
    pub(crate) disputes: Table<Dispute>,
    pub(crate) events: Table<Event>,
    pub(crate) webhook_endpoints: Table<WebhookEndpoint>,
    pub(crate) idempotency: Records,
    pub(crate) balance: Balance,
    /// Refunds that wait for the balance to grow, oldest first.
    pub(crate) waiting_for_funds: Vec<String>,
}

/// A secret or restricted key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// The key itself, such as `sk_test_...` or `rk_test_...`.
    pub secret: String,
    /// The account it opens.
    pub account: String,
    /// Whether it opens the live books.
    #[serde(default)]
    pub livemode: bool,
    /// Permissions a restricted key lacks, such as `rak_charge_write`; everything else is allowed.
    #[serde(default)]
    pub missing_permissions: Vec<String>,
    /// Whether the key was rolled and is refused.
    #[serde(default)]
    pub expired: bool,
}

impl Model {
    /// Makes a key known, and its account too if it is new.
    pub fn add_api_key(&mut self, api_key: ApiKey) {
        self.add_account(&api_key.account, None, 0);
        self.api_keys.insert(api_key.secret.clone(), api_key);
        self.revision += 1;
    }

    /// Adds an account unless it exists; a platform's keys may act on it.
    pub(crate) fn add_account(&mut self, id: &str, platform: Option<&str>, created: i64) {
        self.accounts.entry(id.to_owned()).or_insert_with(|| Account {
            profile: Profile {
                id: id.to_owned(),
                country: "US".to_owned(),
                default_currency: "usd".to_owned(),
                display_name: "RefundKit Sandbox".to_owned(),
                created,
                platform: platform.map(str::to_owned),
            },
            test: Books::default(),
            live: Books::default(),
        });
    }
}

/// `GET /v1/account`. It has no `livemode`.
pub(crate) fn retrieve(scope: &mut Scope<'_>, mut params: Params) -> Result<Value, StripeError> {
    params.list("expand")?;
    params.finish()?;
    let profile = scope.profile;
    Ok(json!({
        "id": profile.id,
        "object": "account",
        "business_profile": {
            "mcc": null,
            "name": profile.display_name,
            "product_description": null,
            "support_email": null,
            "support_phone": null,
            "support_url": null,
            "url": null,
        },
        "business_type": null,
        "capabilities": { "card_payments": "active", "transfers": "active" },
        "charges_enabled": true,
        "controller": { "type": "account" },
        "country": profile.country,
        "created": profile.created,
        "default_currency": profile.default_currency,
        "details_submitted": true,
        "email": "sandbox@refundkit.example",
        "metadata": {},
        "payouts_enabled": true,
        "settings": {
            "dashboard": { "display_name": profile.display_name, "timezone": "Etc/UTC" },
            "payments": { "statement_descriptor": null },
            "payouts": {
                "debit_negative_balances": true,
                "schedule": { "delay_days": 2, "interval": "daily" },
                "statement_descriptor": null,
            },
        },
        "type": "standard",
    }))
}
