//! Refunds: what one is, what it looks like, and the endpoints that read, annotate, cancel and expire one.
//!
//! How one is made lives in `refund_creation`, how it moves on in `refund_lifecycle`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::payment_methods::Rail;
use super::{Scope, lists};
use crate::errors::StripeError;
use crate::params::Params;
use crate::table::Row;

/// Where a refund stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RefundStatus {
    Pending,
    RequiresAction,
    Succeeded,
    Failed,
    Canceled,
    /// A word Stripe may invent one day; only the control endpoints make one.
    #[serde(untagged)]
    Unknown(String),
}

impl RefundStatus {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            RefundStatus::Pending => "pending",
            RefundStatus::RequiresAction => "requires_action",
            RefundStatus::Succeeded => "succeeded",
            RefundStatus::Failed => "failed",
            RefundStatus::Canceled => "canceled",
            RefundStatus::Unknown(word) => word,
        }
    }

    /// Whether the refund holds its share of the charge.
    pub(crate) fn is_live(&self) -> bool {
        !matches!(self, RefundStatus::Failed | RefundStatus::Canceled)
    }
}

/// One refund.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Refund {
    pub(crate) id: String,
    pub(crate) amount: i64,
    pub(crate) charge: String,
    pub(crate) created: i64,
    pub(crate) currency: String,
    pub(crate) customer: Option<String>,
    pub(crate) payment_intent: Option<String>,
    pub(crate) payment_method: String,
    pub(crate) rail: Rail,
    /// Whether it gives an authorization back instead of captured money.
    pub(crate) releases_authorization: bool,
    pub(crate) status: RefundStatus,
    pub(crate) reason: Option<String>,
    pub(crate) pending_reason: Option<String>,
    pub(crate) failure_reason: Option<String>,
    /// Set once the money left the balance.
    pub(crate) balance_transaction: Option<String>,
    /// Set once it came back.
    pub(crate) failure_balance_transaction: Option<String>,
    /// The number the customer's bank can find the refund by, once there is one.
    pub(crate) bank_reference: Option<String>,
    pub(crate) instructions_email: Option<String>,
    pub(crate) transfer_reversal: Option<String>,
    pub(crate) metadata: BTreeMap<String, String>,
}

impl Row for Refund {
    fn id(&self) -> &str {
        &self.id
    }
}

/// `GET /v1/refunds/:id`.
pub(crate) fn retrieve(scope: &mut Scope<'_>, id: &str, mut params: Params) -> Result<Value, StripeError> {
    let expand = params.list("expand")?;
    params.finish()?;
    scope.expanded(scope.refund(id, "refund")?.show(), &expand)
}

/// `GET /v1/refunds`.
pub(crate) fn list(scope: &mut Scope<'_>, mut params: Params) -> Result<Value, StripeError> {
    let wanted = params.page()?;
    let created = params.created()?;
    let charge = params.text("charge")?;
    let payment_intent = params.text("payment_intent")?;
    let expand = params.list("expand")?;
    params.finish()?;
    if let Some(id) = &payment_intent {
        scope.payment_intent(id, "payment_intent").map_err(StripeError::into_bad_request)?;
    }
    let charge_refunds = match &charge {
        Some(id) => Some(&scope.charge(id, "charge").map_err(StripeError::into_bad_request)?.refund_ids),
        None => None,
    };
    let fits = |refund: &Refund| {
        created.accepts(refund.created)
            && payment_intent.as_ref().is_none_or(|id| refund.payment_intent.as_ref() == Some(id))
    };
    let refunds = &scope.books.refunds;
    let page = match charge_refunds {
        Some(ids) => {
            let of_charge = ids.iter().filter_map(|id| refunds.entry(id)).filter(|(_, refund)| fits(refund));
            lists::page(refunds, of_charge, &wanted, "refund")?
        }
        None => lists::page(refunds, refunds.entries().filter(|(_, refund)| fits(refund)), &wanted, "refund")?,
    };
    let data: Vec<Value> = page.rows.iter().map(|refund| refund.show()).collect();
    scope.expanded(lists::show(&data, page.has_more, "/v1/refunds"), &expand)
}

/// `GET /v1/charges/:id/refunds`, the older way to the same list.
pub(crate) fn list_of_charge(scope: &mut Scope<'_>, id: &str, mut params: Params) -> Result<Value, StripeError> {
    let wanted = params.page()?;
    let expand = params.list("expand")?;
    params.finish()?;
    let refunds = &scope.books.refunds;
    let of_charge = scope.charge(id, "id")?.refund_ids.iter().filter_map(|id| refunds.entry(id));
    let page = lists::page(refunds, of_charge, &wanted, "refund")?;
    let data: Vec<Value> = page.rows.iter().map(|refund| refund.show()).collect();
    scope.expanded(lists::show(&data, page.has_more, &format!("/v1/charges/{id}/refunds")), &expand)
}

/// `POST /v1/refunds/:id`: only the metadata can change.
pub(crate) fn update(scope: &mut Scope<'_>, id: &str, mut params: Params) -> Result<Value, StripeError> {
    let metadata = params.metadata()?;
    let expand = params.list("expand")?;
    params.finish()?;
    let mut refund = scope.refund(id, "refund")?.clone();
    let before = refund.metadata.clone();
    refund.metadata = metadata.applied_to(&before)?;
    let shown = refund.show();
    let changed = refund.metadata != before;
    scope.put_refund(refund);
    if changed {
        scope.emit("refund.updated", shown.clone(), Some(json!({ "metadata": before })));
    }
    scope.expanded(shown, &expand)
}

/// `POST /v1/refunds/:id/cancel`: the API cancels only what waits for the customer.
pub(crate) fn cancel(scope: &mut Scope<'_>, id: &str, mut params: Params) -> Result<Value, StripeError> {
    let expand = params.list("expand")?;
    params.finish()?;
    if scope.refund(id, "refund")?.status != RefundStatus::RequiresAction {
        return Err(StripeError::cancel_unsupported());
    }
    scope.cancel_refund(id)?;
    scope.expanded(scope.refund(id, "refund")?.show(), &expand)
}

/// `POST /v1/test_helpers/refunds/:id/expire`: the customer never answered.
pub(crate) fn expire(scope: &mut Scope<'_>, id: &str, mut params: Params) -> Result<Value, StripeError> {
    let expand = params.list("expand")?;
    params.finish()?;
    let status = &scope.refund(id, "refund")?.status;
    if *status != RefundStatus::RequiresAction {
        let message = format!(
            "You can only expire a refund with a status of requires_action; this one has a status of {}.",
            status.as_str()
        );
        return Err(StripeError::state(message));
    }
    scope.fail_refund(id, "unknown")?;
    scope.expanded(scope.refund(id, "refund")?.show(), &expand)
}

impl Scope<'_> {
    /// The refund, or Stripe's answer about a missing one.
    pub(crate) fn refund(&self, id: &str, param: &str) -> Result<&Refund, StripeError> {
        self.books.refunds.get(id).ok_or_else(|| {
            let found = self.found_in_other_mode(|books| books.refunds.get(id).is_some());
            StripeError::no_such("refund", id, param, found)
        })
    }

    /// Puts a changed refund back in its place.
    pub(crate) fn put_refund(&mut self, refund: Refund) {
        self.touch(&refund.id);
        match self.books.refunds.get_mut(&refund.id) {
            Some(place) => *place = refund,
            None => self.books.refunds.insert(refund),
        }
    }
}

impl Refund {
    /// The object as Stripe shows it: no `livemode`, and what does not apply is absent rather than null.
    pub(crate) fn show(&self) -> Value {
        let mut shown = json!({
            "id": self.id,
            "object": "refund",
            "amount": self.amount,
            "balance_transaction": self.balance_transaction,
            "charge": self.charge,
            "created": self.created,
            "currency": self.currency,
            "customer": self.customer,
            "customer_account": null,
            "destination_details": self.destination_details(),
            "metadata": self.metadata,
            "payment_intent": self.payment_intent,
            "payment_method": self.payment_method,
            "reason": self.reason,
            "receipt_number": null,
            "source_transfer_reversal": null,
            "status": self.status.as_str(),
            "transfer_reversal": self.transfer_reversal,
        });
        let mut add = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                shown[name] = value;
            }
        };
        let waits = self.status == RefundStatus::RequiresAction;
        add("failure_reason", self.failure_reason.as_ref().map(|reason| json!(reason)));
        add("failure_balance_transaction", self.failure_balance_transaction.as_ref().map(|id| json!(id)));
        add("pending_reason", self.pending_reason.as_ref().map(|reason| json!(reason)));
        add("instructions_email", self.instructions_email.as_ref().map(|email| json!(email)));
        add("next_action", waits.then(|| self.next_action()));
        shown
    }

    fn destination_details(&self) -> Value {
        match self.rail {
            Rail::Card if self.releases_authorization => json!({ "card": { "type": "reversal" }, "type": "card" }),
            Rail::Card => {
                let mut card = json!({
                    "reference_status": if self.bank_reference.is_some() { "available" } else { "pending" },
                    "reference_type": "acquirer_reference_number",
                    "type": if self.status == RefundStatus::Pending { "pending" } else { "refund" },
                });
                if let Some(reference) = &self.bank_reference {
                    card["reference"] = json!(reference);
                }
                json!({ "card": card, "type": "card" })
            }
            Rail::Konbini => json!({ "jp_bank_transfer": {}, "type": "jp_bank_transfer" }),
            Rail::SepaDebit => json!({ "sepa_bank_transfer": {}, "type": "sepa_bank_transfer" }),
        }
    }

    fn next_action(&self) -> Value {
        const DAYS_TO_ANSWER: i64 = 45;
        json!({
            "type": "display_details",
            "display_details": {
                "email_sent": {
                    "email_sent_at": self.created,
                    "email_sent_to": self.instructions_email.as_deref().unwrap_or("customer@refundkit.example"),
                },
                "expires_at": self.created + DAYS_TO_ANSWER * 24 * 60 * 60,
            },
        })
    }
}
