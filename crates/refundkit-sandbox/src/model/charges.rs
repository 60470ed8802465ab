//! Charges: the payments that are refunded. Endpoints, the making of a charge, and what one looks like.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::payment_methods::{PaymentOutcome, Rail, RefundBehaviour, TestPayment};
use super::{Scope, lists, or_null};
use crate::errors::StripeError;
use crate::limits::{AMOUNT_MAX, OBJECTS_MAX};
use crate::money;
use crate::params::Params;
use crate::table::Row;

/// One charge. What it shows as `status`, `paid` and `refunded` follows from these facts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Charge {
    pub(crate) id: String,
    pub(crate) amount: i64,
    pub(crate) amount_captured: i64,
    /// What live refunds hold: everything that is neither failed nor canceled.
    pub(crate) amount_refunded: i64,
    pub(crate) captured: bool,
    pub(crate) created: i64,
    pub(crate) currency: String,
    /// The decline code when the payment failed.
    pub(crate) declined: Option<String>,
    /// Set when an authorization was given back instead of captured.
    pub(crate) released: bool,
    pub(crate) payment_intent: Option<String>,
    pub(crate) payment_method: String,
    pub(crate) rail: Rail,
    pub(crate) refund_behaviour: RefundBehaviour,
    pub(crate) balance_transaction: Option<String>,
    pub(crate) transfer: Option<String>,
    pub(crate) dispute: Option<String>,
    /// Oldest first.
    pub(crate) refund_ids: Vec<String>,
    pub(crate) details: PaymentDetails,
}

impl Row for Charge {
    fn id(&self) -> &str {
        &self.id
    }
}

/// What a caller may write on a payment, kept as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PaymentDetails {
    pub(crate) customer: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) receipt_email: Option<String>,
    pub(crate) statement_descriptor: Option<String>,
    pub(crate) transfer_group: Option<String>,
    pub(crate) on_behalf_of: Option<String>,
    pub(crate) application_fee_amount: Option<i64>,
    pub(crate) transfer_destination: Option<String>,
    pub(crate) metadata: BTreeMap<String, String>,
}

impl PaymentDetails {
    /// Takes the parameters charges and PaymentIntents share.
    pub(crate) fn take(params: &mut Params) -> Result<PaymentDetails, StripeError> {
        let transfer_destination = match params.group("transfer_data")? {
            Some(mut transfer) => {
                let destination = transfer.required_text("destination")?;
                transfer.ignore(&["amount"]);
                transfer.finish()?;
                Some(destination)
            }
            None => None,
        };
        Ok(PaymentDetails {
            customer: params.text("customer")?,
            description: params.text("description")?,
            receipt_email: params.text("receipt_email")?,
            statement_descriptor: params.text("statement_descriptor")?,
            transfer_group: params.text("transfer_group")?,
            on_behalf_of: params.text("on_behalf_of")?,
            application_fee_amount: params.amount("application_fee_amount")?,
            transfer_destination,
            metadata: params.metadata()?.applied_to(&BTreeMap::new())?,
        })
    }
}

/// Everything needed to take a payment.
#[derive(Debug, Clone)]
pub(crate) struct ChargeOrder {
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) payment: TestPayment,
    pub(crate) payment_method: String,
    pub(crate) capture: bool,
    pub(crate) payment_intent: Option<String>,
    pub(crate) details: PaymentDetails,
}

/// `POST /v1/charges` with a test token.
pub(crate) fn create(scope: &mut Scope<'_>, mut params: Params) -> Result<Value, StripeError> {
    let amount = params.amount("amount")?;
    let currency = params.currency("currency")?;
    let source = params.text("source")?;
    let capture = params.boolean("capture")?.unwrap_or(true);
    let details = PaymentDetails::take(&mut params)?;
    let expand = params.list("expand")?;
    params.ignore(&["shipping", "statement_descriptor_suffix", "radar_options"]);
    params.finish()?;
    let amount = amount.ok_or_else(|| StripeError::missing_parameter("amount"))?;
    let currency = currency.ok_or_else(|| StripeError::missing_parameter("currency"))?;
    let source = source.ok_or_else(|| StripeError::missing_parameter("source"))?;
    check_amount("amount", amount, &currency)?;
    let nowhere = crate::errors::OtherMode::Nowhere;
    let payment = TestPayment::named(&source)
        .ok_or_else(|| StripeError::no_such("token", &source, "source", nowhere).into_bad_request())?;
    scope.check_transfer(&details)?;
    scope.check_room()?;
    let payment_method = scope.ids.object(if payment.rail == Rail::Card { "card_" } else { "src_" });
    let order = ChargeOrder { amount, currency, payment, payment_method, capture, payment_intent: None, details };
    let id = scope.ids.object(payment.rail.charge_prefix());
    let charge = scope.take_payment(id, order);
    if let Some(decline_code) = &charge.declined {
        return Err(StripeError::card_declined(decline_code, &charge.id, None));
    }
    scope.expanded(charge.show(scope.livemode()), &expand)
}

/// `GET /v1/charges/:id`.
pub(crate) fn retrieve(scope: &mut Scope<'_>, id: &str, mut params: Params) -> Result<Value, StripeError> {
    let expand = params.list("expand")?;
    params.finish()?;
    scope.expanded(scope.charge(id, "id")?.show(scope.livemode()), &expand)
}

/// `POST /v1/charges/:id`.
pub(crate) fn update(scope: &mut Scope<'_>, id: &str, mut params: Params) -> Result<Value, StripeError> {
    let metadata = params.metadata()?;
    let description = params.clearable_text("description")?;
    let expand = params.list("expand")?;
    params.finish()?;
    let mut charge = scope.charge(id, "id")?.clone();
    charge.details.metadata = metadata.applied_to(&charge.details.metadata)?;
    if let Some(description) = description {
        charge.details.description = Some(description).filter(|text| !text.is_empty());
    }
    let answer = charge.show(scope.livemode());
    scope.put_charge(charge);
    scope.emit("charge.updated", answer.clone(), None);
    scope.expanded(answer, &expand)
}

/// `GET /v1/charges`.
pub(crate) fn list(scope: &mut Scope<'_>, mut params: Params) -> Result<Value, StripeError> {
    let wanted = params.page()?;
    let created = params.created()?;
    let payment_intent = params.text("payment_intent")?;
    let customer = params.text("customer")?;
    let expand = params.list("expand")?;
    params.finish()?;
    if let Some(id) = &payment_intent {
        scope.payment_intent(id, "payment_intent").map_err(StripeError::into_bad_request)?;
    }
    let fits = |charge: &Charge| {
        created.accepts(charge.created)
            && payment_intent.as_ref().is_none_or(|id| charge.payment_intent.as_ref() == Some(id))
            && customer.as_ref().is_none_or(|id| charge.details.customer.as_ref() == Some(id))
    };
    let charges = &scope.books.charges;
    let page = lists::page(charges, charges.entries().filter(|(_, charge)| fits(charge)), &wanted, "charge")?;
    let data: Vec<Value> = page.rows.iter().map(|charge| charge.show(scope.livemode())).collect();
    scope.expanded(lists::show(&data, page.has_more, "/v1/charges"), &expand)
}

/// `POST /v1/charges/:id/capture`.
pub(crate) fn capture(scope: &mut Scope<'_>, id: &str, mut params: Params) -> Result<Value, StripeError> {
    let amount = params.amount("amount")?;
    let expand = params.list("expand")?;
    params.finish()?;
    if let Some(payment_intent) = &scope.charge(id, "id")?.payment_intent {
        let message = format!("This charge belongs to the PaymentIntent {payment_intent}; capture that instead.");
        return Err(StripeError::state(message));
    }
    let charge = scope.capture_charge(id, amount)?;
    scope.expanded(charge.show(scope.livemode()), &expand)
}

/// Refuses amounts Stripe cannot take in this currency.
pub(crate) fn check_amount(name: &str, amount: i64, currency: &str) -> Result<(), StripeError> {
    if amount > AMOUNT_MAX {
        return Err(StripeError::amount_too_large(name, &money::show(AMOUNT_MAX, currency)));
    }
    if money::is_too_fine(amount, currency) {
        let message = format!("Invalid amount: amounts in {currency} must be a multiple of 10.");
        return Err(StripeError::invalid(name, message));
    }
    Ok(())
}

impl Scope<'_> {
    /// The charge, or Stripe's answer about a missing one.
    pub(crate) fn charge(&self, id: &str, param: &str) -> Result<&Charge, StripeError> {
        self.books.charges.get(id).ok_or_else(|| {
            let found = self.found_in_other_mode(|books| books.charges.get(id).is_some());
            StripeError::no_such("charge", id, param, found)
        })
    }

    /// Puts a changed charge back in its place.
    pub(crate) fn put_charge(&mut self, charge: Charge) {
        self.touch(&charge.id);
        match self.books.charges.get_mut(&charge.id) {
            Some(place) => *place = charge,
            None => self.books.charges.insert(charge),
        }
    }

    /// Refuses growth beyond what the sandbox holds.
    pub(crate) fn check_room(&self) -> Result<(), StripeError> {
        let books = &self.books;
        let most = books.charges.len().max(books.payment_intents.len()).max(books.refunds.len());
        if most >= OBJECTS_MAX { Err(StripeError::sandbox_full("objects of one kind", OBJECTS_MAX)) } else { Ok(()) }
    }

    /// A transfer must go to an account that exists; Stripe's own word for it is `destination`.
    pub(crate) fn check_transfer(&self, details: &PaymentDetails) -> Result<(), StripeError> {
        match &details.transfer_destination {
            Some(destination) if !destination.starts_with("acct_") || *destination == self.profile.id => {
                let nowhere = crate::errors::OtherMode::Nowhere;
                let error = StripeError::no_such("destination", destination, "transfer_data[destination]", nowhere);
                Err(error.into_bad_request())
            }
            _ => Ok(()),
        }
    }

    /// Takes the payment: the charge stands afterwards, paid or declined, with its events and disputes.
    pub(crate) fn take_payment(&mut self, id: String, order: ChargeOrder) -> Charge {
        let declined = match order.payment.outcome {
            PaymentOutcome::Declined(code) => Some(code.to_owned()),
            _ => None,
        };
        let captured = order.capture && declined.is_none();
        let transfer = (captured && order.details.transfer_destination.is_some()).then(|| self.ids.object("tr_"));
        let mut charge = Charge {
            id,
            amount: order.amount,
            amount_captured: 0,
            amount_refunded: 0,
            captured: false,
            created: self.now(),
            currency: order.currency,
            declined,
            released: false,
            payment_intent: order.payment_intent,
            payment_method: order.payment_method,
            rail: order.payment.rail,
            refund_behaviour: order.payment.refunds,
            balance_transaction: None,
            transfer,
            dispute: None,
            refund_ids: Vec::new(),
            details: order.details,
        };
        if captured {
            self.book_capture(&mut charge, order.amount);
        }
        let event = if charge.declined.is_some() { "charge.failed" } else { "charge.succeeded" };
        let shown = charge.show(self.livemode());
        self.put_charge(charge.clone());
        self.emit(event, shown, None);
        if let PaymentOutcome::Disputed { reason, inquiry } = order.payment.outcome {
            self.open_dispute(&mut charge, reason, inquiry);
        }
        charge
    }

    /// Captures a held authorization, whole or in part; the rest goes back to the customer.
    pub(crate) fn capture_charge(&mut self, id: &str, amount: Option<i64>) -> Result<Charge, StripeError> {
        let mut charge = self.charge(id, "id")?.clone();
        if charge.captured {
            let message = format!("Charge {id} has already been captured.");
            return Err(StripeError::state_code("charge_already_captured", message));
        }
        if charge.declined.is_some() || charge.released {
            return Err(StripeError::state(format!("Charge {id} cannot be captured.")));
        }
        let amount = amount.unwrap_or(charge.amount);
        if amount > charge.amount {
            let message = format!(
                "Amount to capture ({}) is greater than the authorized amount ({}).",
                money::show(amount, &charge.currency),
                money::show(charge.amount, &charge.currency)
            );
            return Err(StripeError::invalid("amount", message));
        }
        check_amount("amount", amount, &charge.currency)?;
        self.book_capture(&mut charge, amount);
        let shown = charge.show(self.livemode());
        self.put_charge(charge.clone());
        self.emit("charge.captured", shown, None);
        Ok(charge)
    }

    fn book_capture(&mut self, charge: &mut Charge, amount: i64) {
        charge.captured = true;
        charge.amount_captured = amount;
        charge.balance_transaction = Some(self.ids.object("txn_"));
        self.books.balance.add(amount, &charge.currency);
    }
}

impl Charge {
    /// What refunds may come to: the captured amount, or the whole authorization while it is only held.
    pub(crate) fn refundable_in_all(&self) -> i64 {
        if self.captured { self.amount_captured } else { self.amount }
    }

    /// What may still be refunded.
    pub(crate) fn unrefunded(&self) -> i64 {
        self.refundable_in_all().saturating_sub(self.amount_refunded)
    }

    /// True once nothing is left.
    pub(crate) fn is_refunded(&self) -> bool {
        self.released || (self.declined.is_none() && self.unrefunded() == 0)
    }

    pub(crate) fn show(&self, livemode: bool) -> Value {
        let details = &self.details;
        let succeeded = self.declined.is_none();
        let amount_refunded = if self.released { self.amount } else { self.amount_refunded };
        let nobody = json!({
            "city": null, "country": null, "line1": null, "line2": null, "postal_code": null, "state": null,
        });
        let outcome = if succeeded {
            json!({
                "advice_code": null,
                "network_advice_code": null,
                "network_decline_code": null,
                "network_status": "approved_by_network",
                "reason": null,
                "risk_level": "normal",
                "seller_message": "Payment complete.",
                "type": "authorized",
            })
        } else {
            json!({
                "advice_code": null,
                "network_advice_code": null,
                "network_decline_code": null,
                "network_status": "declined_by_network",
                "reason": self.declined,
                "risk_level": "normal",
                "seller_message": "The bank did not accept the payment.",
                "type": "issuer_declined",
            })
        };
        json!({
            "id": self.id,
            "object": "charge",
            "amount": self.amount,
            "amount_captured": self.amount_captured,
            "amount_refunded": amount_refunded,
            "application": null,
            "application_fee": null,
            "application_fee_amount": details.application_fee_amount,
            "balance_transaction": or_null(self.balance_transaction.as_ref()),
            "billing_details": { "address": nobody, "email": null, "name": null, "phone": null, "tax_id": null },
            "calculated_statement_descriptor": details.statement_descriptor,
            "captured": self.captured,
            "created": self.created,
            "currency": self.currency,
            "customer": details.customer,
            "description": details.description,
            "disputed": self.dispute.is_some(),
            "failure_balance_transaction": null,
            "failure_code": self.declined.as_ref().map(|_| "card_declined"),
            "failure_message": self.declined.as_ref().map(|_| "Your card was declined."),
            "fraud_details": {},
            "livemode": livemode,
            "metadata": details.metadata,
            "on_behalf_of": details.on_behalf_of,
            "outcome": outcome,
            "paid": succeeded,
            "payment_intent": self.payment_intent,
            "payment_method": self.payment_method,
            "payment_method_details": self.payment_method_details(),
            "receipt_email": details.receipt_email,
            "receipt_number": null,
            "receipt_url": null,
            "refunded": self.is_refunded(),
            "review": null,
            "shipping": null,
            "source": null,
            "source_transfer": null,
            "statement_descriptor": details.statement_descriptor,
            "statement_descriptor_suffix": null,
            "status": if succeeded { "succeeded" } else { "failed" },
            "transfer_data": details.transfer_destination.as_ref().map(|to| json!({ "amount": null, "destination": to })),
            "transfer_group": details.transfer_group,
        })
    }

    fn payment_method_details(&self) -> Value {
        match self.rail {
            Rail::Card => json!({
                "card": {
                    "amount_authorized": self.amount,
                    "brand": "visa",
                    "checks": { "address_line1_check": null, "address_postal_code_check": null, "cvc_check": "pass" },
                    "country": "US",
                    "exp_month": 12,
                    "exp_year": 2034,
                    "funding": "credit",
                    "last4": "4242",
                    "network": "visa",
                    "three_d_secure": null,
                    "wallet": null,
                },
                "type": "card",
            }),
            Rail::Konbini => json!({ "konbini": { "store": { "chain": "lawson" } }, "type": "konbini" }),
            Rail::SepaDebit => json!({
                "sepa_debit": { "bank_code": "37040044", "branch_code": "", "country": "DE", "last4": "3000" },
                "type": "sepa_debit",
            }),
        }
    }
}
