//! The ledger: what was really taken and given back, counted from the refunds themselves.
//!
//! It looks past every cached figure, so that a test can hold another system's books against it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Books, Model};

/// One charge and every refund of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerCharge {
    /// The account it belongs to.
    pub account: String,
    /// Whether it is in the live books.
    pub livemode: bool,
    /// Its id.
    pub charge: String,
    /// Its PaymentIntent.
    pub payment_intent: Option<String>,
    /// Its currency.
    pub currency: String,
    /// What was authorized, in minor units.
    pub amount: i64,
    /// What was captured.
    pub amount_captured: i64,
    /// The sum of refunds that are neither failed nor canceled.
    pub amount_refunded: i64,
    /// Every refund, oldest first.
    pub refunds: Vec<LedgerRefund>,
}

/// One refund in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerRefund {
    /// Its id.
    pub refund: String,
    /// Its amount in minor units.
    pub amount: i64,
    /// Its status, in Stripe's words.
    pub status: String,
    /// Whether it holds its share of the charge: neither failed nor canceled.
    pub live: bool,
    /// Its metadata.
    pub metadata: BTreeMap<String, String>,
}

impl Model {
    /// Every charge of every account, with its refunds counted afresh.
    pub fn ledger(&self) -> Vec<LedgerCharge> {
        let mut ledger = Vec::new();
        for place in self.places() {
            let Some(books) = self.books(&place) else { continue };
            let mut refunds_of = refunds_by_charge(books);
            for charge in books.charges.iter() {
                let refunds = refunds_of.remove(charge.id.as_str()).unwrap_or_default();
                ledger.push(LedgerCharge {
                    account: place.account.clone(),
                    livemode: place.livemode,
                    charge: charge.id.clone(),
                    payment_intent: charge.payment_intent.clone(),
                    currency: charge.currency.clone(),
                    amount: charge.amount,
                    amount_captured: charge.amount_captured,
                    amount_refunded: refunds.iter().filter(|refund| refund.live).map(|refund| refund.amount).sum(),
                    refunds,
                });
            }
        }
        ledger
    }
}

fn refunds_by_charge(books: &Books) -> BTreeMap<&str, Vec<LedgerRefund>> {
    let mut refunds: BTreeMap<&str, Vec<LedgerRefund>> = BTreeMap::new();
    for refund in books.refunds.iter() {
        refunds.entry(&refund.charge).or_default().push(LedgerRefund {
            refund: refund.id.clone(),
            amount: refund.amount,
            status: refund.status.as_str().to_owned(),
            live: refund.status.is_live(),
            metadata: refund.metadata.clone(),
        });
    }
    refunds
}
