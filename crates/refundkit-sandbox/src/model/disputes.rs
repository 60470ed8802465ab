//! Disputes: opened by test cards, settled by the control endpoints, readable through the API.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::charges::Charge;
use super::refunds::RefundStatus;
use super::{Scope, lists};
use crate::errors::StripeError;
use crate::params::Params;
use crate::table::Row;

/// Where a dispute stands, in Stripe's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DisputeStatus {
    /// An inquiry: nothing withdrawn yet, refunds still possible.
    WarningNeedsResponse,
    NeedsResponse,
    Won,
    Lost,
}

/// One dispute of one charge.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Dispute {
    pub(crate) id: String,
    pub(crate) amount: i64,
    pub(crate) charge: String,
    pub(crate) created: i64,
    pub(crate) currency: String,
    pub(crate) payment_intent: Option<String>,
    pub(crate) reason: String,
    pub(crate) status: DisputeStatus,
}

impl Row for Dispute {
    fn id(&self) -> &str {
        &self.id
    }
}

/// `GET /v1/disputes/:id`.
pub(crate) fn retrieve(scope: &mut Scope<'_>, id: &str, mut params: Params) -> Result<Value, StripeError> {
    let expand = params.list("expand")?;
    params.finish()?;
    scope.expanded(scope.dispute(id)?.show(scope.livemode()), &expand)
}

/// `GET /v1/disputes`.
pub(crate) fn list(scope: &mut Scope<'_>, mut params: Params) -> Result<Value, StripeError> {
    let wanted = params.page()?;
    let created = params.created()?;
    let charge = params.text("charge")?;
    let payment_intent = params.text("payment_intent")?;
    let expand = params.list("expand")?;
    params.finish()?;
    let fits = |dispute: &Dispute| {
        created.accepts(dispute.created)
            && charge.as_ref().is_none_or(|id| dispute.charge == *id)
            && payment_intent.as_ref().is_none_or(|id| dispute.payment_intent.as_ref() == Some(id))
    };
    let disputes = &scope.books.disputes;
    let page = lists::page(disputes, disputes.entries().filter(|(_, row)| fits(row)), &wanted, "dispute")?;
    let data: Vec<Value> = page.rows.iter().map(|dispute| dispute.show(scope.livemode())).collect();
    scope.expanded(lists::show(&data, page.has_more, "/v1/disputes"), &expand)
}

impl Scope<'_> {
    fn dispute(&self, id: &str) -> Result<&Dispute, StripeError> {
        self.books.disputes.get(id).ok_or_else(|| {
            let found = self.found_in_other_mode(|books| books.disputes.get(id).is_some());
            StripeError::no_such("dispute", id, "dispute", found)
        })
    }

    /// Opens a dispute over the whole charge; unless it is an inquiry, the money leaves the balance.
    pub(crate) fn open_dispute(&mut self, charge: &mut Charge, reason: &str, inquiry: bool) {
        let status = if inquiry { DisputeStatus::WarningNeedsResponse } else { DisputeStatus::NeedsResponse };
        let dispute = Dispute {
            id: self.ids.object("du_"),
            amount: charge.amount,
            charge: charge.id.clone(),
            created: self.now(),
            currency: charge.currency.clone(),
            payment_intent: charge.payment_intent.clone(),
            reason: reason.to_owned(),
            status,
        };
        charge.dispute = Some(dispute.id.clone());
        let shown = dispute.show(self.livemode());
        self.put_charge(charge.clone());
        self.books.disputes.insert(dispute);
        self.emit("charge.dispute.created", shown.clone(), None);
        if !inquiry {
            self.books.balance.add(-charge.amount, &charge.currency);
            self.emit("charge.dispute.funds_withdrawn", shown, None);
            self.fail_pending_refunds(charge);
        }
    }

    /// The bank took the money back itself, so refunds that were still on their way fail.
    fn fail_pending_refunds(&mut self, charge: &Charge) {
        for id in &charge.refund_ids {
            let is_pending = self.books.refunds.get(id).is_some_and(|refund| refund.status == RefundStatus::Pending);
            if is_pending {
                let failed = self.fail_refund(id, "charge_for_pending_refund_disputed");
                debug_assert!(failed.is_ok(), "a pending refund can always fail: {failed:?}");
            }
        }
    }

    /// Ends a dispute; a won one gives the money back and makes the charge refundable again.
    pub(crate) fn close_dispute(&mut self, id: &str, won: bool) -> Result<Value, StripeError> {
        let mut dispute = self.dispute(id)?.clone();
        if matches!(dispute.status, DisputeStatus::Won | DisputeStatus::Lost) {
            return Err(StripeError::state(format!("Dispute {id} is closed already.")));
        }
        let withdrawn = dispute.status == DisputeStatus::NeedsResponse;
        dispute.status = if won { DisputeStatus::Won } else { DisputeStatus::Lost };
        let shown = dispute.show(self.livemode());
        self.touch(id);
        self.emit("charge.dispute.closed", shown.clone(), None);
        if won && withdrawn {
            self.books.balance.add(dispute.amount, &dispute.currency);
            self.emit("charge.dispute.funds_reinstated", shown.clone(), None);
        }
        if let Some(place) = self.books.disputes.get_mut(id) {
            *place = dispute;
        }
        Ok(shown)
    }

    /// Whether a dispute forbids refunds of this charge.
    pub(crate) fn is_charged_back(&self, charge: &Charge) -> bool {
        let dispute = charge.dispute.as_ref().and_then(|id| self.books.disputes.get(id));
        dispute.is_some_and(|dispute| !dispute.leaves_charge_refundable())
    }
}

impl Dispute {
    fn leaves_charge_refundable(&self) -> bool {
        matches!(self.status, DisputeStatus::WarningNeedsResponse | DisputeStatus::Won)
    }

    fn show(&self, livemode: bool) -> Value {
        let case_type = if self.status == DisputeStatus::WarningNeedsResponse { "inquiry" } else { "chargeback" };
        json!({
            "id": self.id,
            "object": "dispute",
            "amount": self.amount,
            "balance_transactions": [],
            "charge": self.charge,
            "created": self.created,
            "currency": self.currency,
            "enhanced_eligibility_types": [],
            "evidence": {},
            "evidence_details": {
                "due_by": self.created + 7 * 24 * 60 * 60,
                "enhanced_eligibility": {},
                "has_evidence": false,
                "past_due": false,
                "submission_count": 0,
            },
            "is_charge_refundable": self.leaves_charge_refundable(),
            "livemode": livemode,
            "metadata": {},
            "payment_intent": self.payment_intent,
            "payment_method_details": {
                "card": { "brand": "visa", "case_type": case_type, "network_reason_code": "10.4" },
                "type": "card",
            },
            "reason": self.reason,
            "status": self.status,
        })
    }
}
