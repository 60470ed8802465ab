//! How an organization's refunds stand: the figures of the last days, and what needs a person.

use refundkit::{ConnectionId, ConnectionStatus, Currency, Effect, Method, Operation, ProcessorName, Scope};
use refundkit_core::days::Day;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AskedRefund, BoundedCount};

/// Tells how refunds went in the last 30 days, in UTC, today included; what is open; and what needs a person.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GetOverview {}

impl Operation for GetOverview {
    const NAME: &'static str = "get_overview";
    const TAG: &'static str = "Overview";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "";
    const SCOPE: Scope = Scope::Read;
    const EFFECT: Effect = Effect::Read;
    type Output = Overview;
}

/// How refunds stand. A refund counts on the day on which it settled; where there is nothing to divide by, there is no figure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Overview {
    /// The first day, in UTC: `2026-02-22`.
    #[schemars(with = "String")]
    pub from: Day,
    /// The last day: today.
    #[schemars(with = "String")]
    pub to: Day,
    /// Each currency in which a refund came to an end, the one with the most completed refunds first.
    pub currencies: Vec<CurrencyOverview>,
    /// All currencies together.
    pub totals: Totals,
    /// Refunds that are `pending` or `processing` now.
    pub in_progress: BoundedCount,
    /// What needs a person.
    pub needs_person: NeedsPerson,
    /// The newest refunds.
    pub recent: Vec<AskedRefund>,
}

/// The figures of one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CurrencyOverview {
    /// The currency.
    pub currency: Currency,
    /// What completed refunds gave back, in the processor's smallest unit.
    pub completed_amount: i64,
    /// Refunds that completed.
    pub completed: i64,
    /// Refunds that failed.
    pub failed: i64,
    /// Refunds that were taken back.
    pub cancelled: i64,
    /// How long completed refunds took on average from being asked for, in milliseconds.
    pub average_settle_ms: Option<i64>,
    /// Each day, the first one first; days without refunds are there.
    pub days: Vec<DayOverview>,
}

/// The figures of one day in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DayOverview {
    /// The day, in UTC.
    #[schemars(with = "String")]
    pub day: Day,
    /// What completed refunds gave back, in the processor's smallest unit.
    pub completed_amount: i64,
    /// Refunds that completed.
    pub completed: i64,
    /// Refunds that failed.
    pub failed: i64,
}

/// The figures of all currencies together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// Refunds that completed.
    pub completed: i64,
    /// Refunds that failed.
    pub failed: i64,
    /// Refunds that were taken back.
    pub cancelled: i64,
    /// Of 10,000 refunds that completed or failed, how many completed; rounded down.
    pub success_rate_basis_points: Option<i64>,
    /// How long completed refunds took on average from being asked for, in milliseconds.
    pub average_settle_ms: Option<i64>,
}

/// What needs a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NeedsPerson {
    /// Refunds that were sent and not answered.
    pub outcome_unknown: BoundedCount,
    /// Refunds for which the customer must do something first.
    pub requires_action: BoundedCount,
    /// Refunds that failed in the last seven days, in UTC, today included.
    pub failed_last7_days: i64,
    /// Connections whose credential the processor refuses.
    pub credential_trouble: Vec<CredentialTrouble>,
}

impl NeedsPerson {
    /// Whether nothing does.
    pub fn is_empty(&self) -> bool {
        self.outcome_unknown.count == 0
            && self.requires_action.count == 0
            && self.failed_last7_days == 0
            && self.credential_trouble.is_empty()
    }
}

/// A connection whose credential the processor refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CredentialTrouble {
    /// The processor.
    pub processor: ProcessorName,
    /// The connection.
    pub connection_id: ConnectionId,
    /// What is wrong with it.
    pub status: ConnectionStatus,
}
