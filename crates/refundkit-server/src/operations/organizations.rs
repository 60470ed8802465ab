//! The organization itself: its name, and what holds for its refunds in both environments.

use std::collections::BTreeMap;

use refundkit::{Amount, Currency, Effect, Method, Operation, OrganizationId, Scope, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The organization of the caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Organization {
    /// Its id.
    pub id: OrganizationId,
    /// Its name.
    pub name: String,
    /// For how many hours a second refund of the same payment and amount is taken for a repeat.
    pub duplicate_window_hours: i64,
    /// The most that a member may refund of one payment, by currency, in the processor's smallest unit. Members refund nothing in a
    /// currency that is not here.
    pub member_limits: BTreeMap<Currency, Amount>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Reads the organization's name and settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GetOrganization {}

impl Operation for GetOrganization {
    const NAME: &'static str = "get_organization";
    const TAG: &'static str = "Organization";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "";
    const SCOPE: Scope = Scope::Read;
    const EFFECT: Effect = Effect::Read;
    type Output = Organization;
}

/// Changes the organization's name and settings, from the next refund on. What is left out stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateOrganization {
    /// Its name, 1 to 100 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// For how many hours a second refund of the same payment and amount is taken for a repeat: 0 to 720. With 0, only of a refund
    /// that is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicate_window_hours: Option<i64>,
    /// The most that a member may refund of one payment, by currency, in the processor's smallest unit; 0 for nothing. Currencies
    /// that are not named stay as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_limits: Option<BTreeMap<Currency, i64>>,
}

impl Operation for UpdateOrganization {
    const NAME: &'static str = "update_organization";
    const TAG: &'static str = "Organization";
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "";
    const SCOPE: Scope = Scope::Admin;
    const EFFECT: Effect = Effect::WriteIdempotent;
    type Output = Organization;
}
