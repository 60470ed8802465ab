//! The account's money: what charges bring in and refunds take out, and `GET /v1/balance`.
//!
//! Two simplifications: every charge is available at once, as with `pm_card_bypassPending`, and there are no fees. So
//! a balance is short only when someone set it, see the control endpoints.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Scope;
use crate::errors::StripeError;
use crate::params::Params;

/// What happens to a refund the balance does not cover.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShortBalance {
    /// Card refunds wait as `pending` with `pending_reason=insufficient_funds`; other methods fail.
    #[default]
    Wait,
    /// The request is refused: what Stripe does beyond an account's overdraft.
    Refuse,
}

/// Available money by currency, in minor units; Stripe lets it go below zero.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Balance {
    pub(crate) available: BTreeMap<String, i64>,
    pub(crate) when_short: ShortBalance,
}

impl Balance {
    pub(crate) fn covers(&self, amount: i64, currency: &str) -> bool {
        self.available.get(currency).is_some_and(|available| *available >= amount)
    }

    /// Adds to a currency, or takes away when negative. False, and nothing changed, on overflow: every input is
    /// bounded so that this cannot be reached.
    pub(crate) fn add(&mut self, amount: i64, currency: &str) -> bool {
        let available = self.available.entry(currency.to_owned()).or_insert(0);
        match available.checked_add(amount) {
            Some(sum) => {
                *available = sum;
                true
            }
            None => false,
        }
    }
}

/// `GET /v1/balance`.
pub(crate) fn retrieve(scope: &mut Scope<'_>, mut params: Params) -> Result<Value, StripeError> {
    params.list("expand")?;
    params.finish()?;
    let mut available = scope.books.balance.available.clone();
    available.entry(scope.profile.default_currency.clone()).or_insert(0);
    let rows = |amount_of: fn(i64) -> i64| -> Vec<Value> {
        available
            .iter()
            .map(|(currency, amount)| {
                let amount = amount_of(*amount);
                json!({ "amount": amount, "currency": currency, "source_types": { "card": amount } })
            })
            .collect()
    };
    Ok(json!({
        "object": "balance",
        "available": rows(|amount| amount),
        "livemode": scope.livemode(),
        "pending": rows(|_| 0),
    }))
}
