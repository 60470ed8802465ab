//! PaymentIntents: a thin way to a charge. Created, confirmed, captured, canceled.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::charges::{Charge, ChargeOrder, PaymentDetails, check_amount};
use super::payment_methods::TestPayment;
use super::{Scope, lists, or_null};
use crate::errors::{OtherMode, StripeError};
use crate::params::Params;
use crate::table::Row;

/// Where a PaymentIntent stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PaymentIntentStatus {
    RequiresPaymentMethod,
    RequiresConfirmation,
    RequiresCapture,
    Succeeded,
    Canceled,
}

/// One PaymentIntent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PaymentIntent {
    pub(crate) id: String,
    pub(crate) amount: i64,
    pub(crate) amount_received: i64,
    pub(crate) created: i64,
    pub(crate) currency: String,
    pub(crate) status: PaymentIntentStatus,
    pub(crate) capture_later: bool,
    pub(crate) latest_charge: Option<String>,
    /// The test payment method named by the caller, such as `pm_card_visa`.
    pub(crate) payment_method: Option<String>,
    pub(crate) canceled_at: Option<i64>,
    pub(crate) cancellation_reason: Option<String>,
    pub(crate) details: PaymentDetails,
}

impl Row for PaymentIntent {
    fn id(&self) -> &str {
        &self.id
    }
}

const UNUSED_ON_CREATE: &[&str] = &[
    "automatic_payment_methods",
    "confirmation_method",
    "error_on_requires_action",
    "off_session",
    "payment_method_options",
    "payment_method_types",
    "return_url",
    "setup_future_usage",
    "shipping",
    "statement_descriptor_suffix",
    "use_stripe_sdk",
];

/// `POST /v1/payment_intents`.
pub(crate) fn create(scope: &mut Scope<'_>, mut params: Params) -> Result<Value, StripeError> {
    let amount = params.amount("amount")?;
    let currency = params.currency("currency")?;
    let payment_method = params.text("payment_method")?;
    let confirm = params.boolean("confirm")?.unwrap_or(false);
    let capture_method = params.one_of("capture_method", &["automatic", "automatic_async", "manual"])?;
    let details = PaymentDetails::take(&mut params)?;
    let expand = params.list("expand")?;
    params.ignore(UNUSED_ON_CREATE);
    params.finish()?;
    let amount = amount.ok_or_else(|| StripeError::missing_parameter("amount"))?;
    let currency = currency.ok_or_else(|| StripeError::missing_parameter("currency"))?;
    check_amount("amount", amount, &currency)?;
    if let Some(name) = &payment_method {
        test_payment(name)?;
    }
    scope.check_transfer(&details)?;
    scope.check_room()?;
    let status = match payment_method {
        Some(_) => PaymentIntentStatus::RequiresConfirmation,
        None => PaymentIntentStatus::RequiresPaymentMethod,
    };
    let intent = PaymentIntent {
        id: scope.ids.object("pi_"),
        amount,
        amount_received: 0,
        created: scope.now(),
        currency,
        status,
        capture_later: capture_method == Some("manual"),
        latest_charge: None,
        payment_method,
        canceled_at: None,
        cancellation_reason: None,
        details,
    };
    let shown = intent.show(scope.livemode());
    scope.put_payment_intent(intent.clone());
    scope.emit("payment_intent.created", shown, None);
    let intent = if confirm { scope.confirm(intent)? } else { intent };
    scope.expanded(intent.show(scope.livemode()), &expand)
}

/// `GET /v1/payment_intents/:id`.
pub(crate) fn retrieve(scope: &mut Scope<'_>, id: &str, mut params: Params) -> Result<Value, StripeError> {
    let expand = params.list("expand")?;
    params.ignore(&["client_secret"]);
    params.finish()?;
    scope.expanded(scope.payment_intent(id, "intent")?.show(scope.livemode()), &expand)
}

/// `GET /v1/payment_intents`.
pub(crate) fn list(scope: &mut Scope<'_>, mut params: Params) -> Result<Value, StripeError> {
    let wanted = params.page()?;
    let created = params.created()?;
    let customer = params.text("customer")?;
    let expand = params.list("expand")?;
    params.finish()?;
    let fits = |intent: &PaymentIntent| {
        created.accepts(intent.created)
            && customer.as_ref().is_none_or(|id| intent.details.customer.as_ref() == Some(id))
    };
    let intents = &scope.books.payment_intents;
    let page = lists::page(intents, intents.entries().filter(|(_, row)| fits(row)), &wanted, "payment_intent")?;
    let data: Vec<Value> = page.rows.iter().map(|intent| intent.show(scope.livemode())).collect();
    scope.expanded(lists::show(&data, page.has_more, "/v1/payment_intents"), &expand)
}

/// `POST /v1/payment_intents/:id/confirm`.
pub(crate) fn confirm(scope: &mut Scope<'_>, id: &str, mut params: Params) -> Result<Value, StripeError> {
    let payment_method = params.text("payment_method")?;
    let expand = params.list("expand")?;
    params.ignore(UNUSED_ON_CREATE);
    params.finish()?;
    let mut intent = scope.payment_intent(id, "intent")?.clone();
    intent
        .must_be(&[PaymentIntentStatus::RequiresPaymentMethod, PaymentIntentStatus::RequiresConfirmation], "confirm")?;
    if payment_method.is_some() {
        intent.payment_method = payment_method;
    }
    let intent = scope.confirm(intent)?;
    scope.expanded(intent.show(scope.livemode()), &expand)
}

/// `POST /v1/payment_intents/:id/capture`.
pub(crate) fn capture(scope: &mut Scope<'_>, id: &str, mut params: Params) -> Result<Value, StripeError> {
    let amount = params.amount("amount_to_capture")?;
    let expand = params.list("expand")?;
    params.finish()?;
    let mut intent = scope.payment_intent(id, "intent")?.clone();
    intent.must_be(&[PaymentIntentStatus::RequiresCapture], "capture")?;
    let charge = scope.capture_charge(intent.latest_charge.as_deref().unwrap_or_default(), amount)?;
    intent.status = PaymentIntentStatus::Succeeded;
    intent.amount_received = charge.amount_captured;
    let shown = intent.show(scope.livemode());
    scope.put_payment_intent(intent);
    scope.emit("payment_intent.succeeded", shown.clone(), None);
    scope.expanded(shown, &expand)
}

/// `POST /v1/payment_intents/:id/cancel`: a held authorization goes back to the customer.
pub(crate) fn cancel(scope: &mut Scope<'_>, id: &str, mut params: Params) -> Result<Value, StripeError> {
    let reason =
        params.one_of("cancellation_reason", &["duplicate", "fraudulent", "requested_by_customer", "abandoned"])?;
    let expand = params.list("expand")?;
    params.finish()?;
    let mut intent = scope.payment_intent(id, "intent")?.clone();
    intent.must_be(
        &[
            PaymentIntentStatus::RequiresPaymentMethod,
            PaymentIntentStatus::RequiresConfirmation,
            PaymentIntentStatus::RequiresCapture,
        ],
        "cancel",
    )?;
    if intent.status == PaymentIntentStatus::RequiresCapture
        && let Some(charge) = intent.latest_charge.as_ref().and_then(|id| scope.books.charges.get(id))
    {
        let mut charge = charge.clone();
        charge.released = true;
        let shown = charge.show(scope.livemode());
        scope.put_charge(charge);
        scope.emit("charge.refunded", shown, None);
    }
    intent.status = PaymentIntentStatus::Canceled;
    intent.canceled_at = Some(scope.now());
    intent.cancellation_reason = reason.map(str::to_owned);
    let shown = intent.show(scope.livemode());
    scope.put_payment_intent(intent);
    scope.emit("payment_intent.canceled", shown.clone(), None);
    scope.expanded(shown, &expand)
}

fn test_payment(name: &str) -> Result<TestPayment, StripeError> {
    TestPayment::named(name).ok_or_else(|| {
        StripeError::no_such("PaymentMethod", name, "payment_method", OtherMode::Nowhere).into_bad_request()
    })
}

impl Scope<'_> {
    /// The PaymentIntent, or Stripe's answer about a missing one.
    pub(crate) fn payment_intent(&self, id: &str, param: &str) -> Result<&PaymentIntent, StripeError> {
        self.books.payment_intents.get(id).ok_or_else(|| {
            let found = self.found_in_other_mode(|books| books.payment_intents.get(id).is_some());
            StripeError::no_such("payment_intent", id, param, found)
        })
    }

    fn put_payment_intent(&mut self, intent: PaymentIntent) {
        self.touch(&intent.id);
        match self.books.payment_intents.get_mut(&intent.id) {
            Some(place) => *place = intent,
            None => self.books.payment_intents.insert(intent),
        }
    }

    fn confirm(&mut self, intent: PaymentIntent) -> Result<PaymentIntent, StripeError> {
        let Some(name) = &intent.payment_method else {
            let message = "You cannot confirm this PaymentIntent because it's missing a payment method.";
            return Err(StripeError::state_code("payment_intent_unexpected_state", message));
        };
        let prefix = test_payment(name)?.rail.charge_prefix();
        let charge_id = self.ids.object(prefix);
        let (intent, charge) = self.pay_intent(intent, charge_id)?;
        match &charge.declined {
            None => Ok(intent),
            Some(code) => {
                let shown = intent.show(self.livemode());
                Err(StripeError::card_declined(code, &charge.id, Some(shown)))
            }
        }
    }

    /// Confirms the intent with a charge of the given id; a decline leaves both standing.
    pub(crate) fn pay_intent(
        &mut self,
        mut intent: PaymentIntent,
        charge_id: String,
    ) -> Result<(PaymentIntent, Charge), StripeError> {
        let payment = test_payment(intent.payment_method.as_deref().unwrap_or_default())?;
        let order = ChargeOrder {
            amount: intent.amount,
            currency: intent.currency.clone(),
            payment,
            payment_method: self.ids.object("pm_"),
            capture: !intent.capture_later,
            payment_intent: Some(intent.id.clone()),
            details: intent.details.clone(),
        };
        let charge = self.take_payment(charge_id, order);
        intent.latest_charge = Some(charge.id.clone());
        let event = if charge.declined.is_some() {
            intent.status = PaymentIntentStatus::RequiresPaymentMethod;
            "payment_intent.payment_failed"
        } else if charge.captured {
            intent.status = PaymentIntentStatus::Succeeded;
            intent.amount_received = charge.amount_captured;
            "payment_intent.succeeded"
        } else {
            intent.status = PaymentIntentStatus::RequiresCapture;
            "payment_intent.amount_capturable_updated"
        };
        let shown = intent.show(self.livemode());
        self.put_payment_intent(intent.clone());
        self.emit(event, shown, None);
        Ok((intent, charge))
    }
}

impl PaymentIntent {
    fn must_be(&self, allowed: &[PaymentIntentStatus], verb: &str) -> Result<(), StripeError> {
        if allowed.contains(&self.status) {
            return Ok(());
        }
        let message = format!("You cannot {verb} this PaymentIntent because it has a status of {}.", word(self.status));
        Err(StripeError::state_code("payment_intent_unexpected_state", message))
    }

    pub(crate) fn show(&self, livemode: bool) -> Value {
        let details = &self.details;
        let capturable = if self.status == PaymentIntentStatus::RequiresCapture { self.amount } else { 0 };
        json!({
            "id": self.id,
            "object": "payment_intent",
            "amount": self.amount,
            "amount_capturable": capturable,
            "amount_details": { "tip": {} },
            "amount_received": self.amount_received,
            "application": null,
            "application_fee_amount": details.application_fee_amount,
            "automatic_payment_methods": null,
            "canceled_at": self.canceled_at,
            "cancellation_reason": self.cancellation_reason,
            "capture_method": if self.capture_later { "manual" } else { "automatic" },
            "client_secret": format!("{}_secret_sandbox", self.id),
            "confirmation_method": "automatic",
            "created": self.created,
            "currency": self.currency,
            "customer": details.customer,
            "customer_account": null,
            "description": details.description,
            "last_payment_error": null,
            "latest_charge": or_null(self.latest_charge.as_ref()),
            "livemode": livemode,
            "metadata": details.metadata,
            "next_action": null,
            "on_behalf_of": details.on_behalf_of,
            "payment_method": self.payment_method,
            "payment_method_options": {},
            "payment_method_types": ["card"],
            "processing": null,
            "receipt_email": details.receipt_email,
            "review": null,
            "setup_future_usage": null,
            "shipping": null,
            "source": null,
            "statement_descriptor": details.statement_descriptor,
            "statement_descriptor_suffix": null,
            "status": word(self.status),
            "transfer_data": details.transfer_destination.as_ref().map(|to| json!({ "destination": to })),
            "transfer_group": details.transfer_group,
        })
    }
}

fn word(status: PaymentIntentStatus) -> &'static str {
    match status {
        PaymentIntentStatus::RequiresPaymentMethod => "requires_payment_method",
        PaymentIntentStatus::RequiresConfirmation => "requires_confirmation",
        PaymentIntentStatus::RequiresCapture => "requires_capture",
        PaymentIntentStatus::Succeeded => "succeeded",
        PaymentIntentStatus::Canceled => "canceled",
    }
}
