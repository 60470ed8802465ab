//! Creating refunds: the checks in Stripe's order, then the refund in the first state its payment method gives it.

use serde_json::{Value, json};

use super::charges::Charge;
use super::payment_intents::PaymentIntentStatus;
use super::payment_methods::{Rail, RefundBehaviour};
use super::refunds::{Refund, RefundStatus};
use super::{Scope, ShortBalance};
use crate::errors::StripeError;
use crate::money;
use crate::params::{MetadataChange, Params};

/// The reasons a caller may give; Stripe has one more that only itself uses.
pub(crate) const REASONS: &[&str] = &["duplicate", "fraudulent", "requested_by_customer"];

/// What is to be refunded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Charge(String),
    PaymentIntent(String),
}

/// A refund as asked for.
#[derive(Debug, Clone)]
pub(crate) struct RefundOrder {
    pub(crate) target: Target,
    /// Everything that is left, when absent.
    pub(crate) amount: Option<i64>,
    pub(crate) currency: Option<String>,
    pub(crate) reason: Option<&'static str>,
    pub(crate) metadata: MetadataChange,
    pub(crate) instructions_email: Option<String>,
    pub(crate) reverse_transfer: bool,
    pub(crate) refund_application_fee: bool,
}

/// `POST /v1/refunds`.
pub(crate) fn create(scope: &mut Scope<'_>, params: Params) -> Result<Value, StripeError> {
    let (order, expand) = take_order(params, None)?;
    let refund = scope.create_refund(order)?;
    scope.expanded(refund.show(), &expand)
}

/// `POST /v1/charges/:id/refunds`, the older way to the same.
pub(crate) fn create_on_charge(scope: &mut Scope<'_>, id: &str, params: Params) -> Result<Value, StripeError> {
    let (order, expand) = take_order(params, Some(id))?;
    let refund = scope.create_refund(order)?;
    scope.expanded(refund.show(), &expand)
}

/// `POST /v1/charges/:id/refund`, the oldest way: it answers with the charge.
pub(crate) fn create_and_show_charge(scope: &mut Scope<'_>, id: &str, params: Params) -> Result<Value, StripeError> {
    let (order, expand) = take_order(params, Some(id))?;
    scope.create_refund(order)?;
    scope.expanded(scope.charge(id, "id")?.show(scope.livemode()), &expand)
}

/// Reads the parameters; `of_charge` is the charge the path names already.
fn take_order(mut params: Params, of_charge: Option<&str>) -> Result<(RefundOrder, Vec<String>), StripeError> {
    let (charge, payment_intent) = match of_charge {
        Some(id) => (Some(id.to_owned()), None),
        None => (params.text("charge")?, params.text("payment_intent")?),
    };
    let amount = params.amount("amount")?;
    let currency = params.currency("currency")?;
    let reason = params.one_of("reason", REASONS)?;
    let metadata = params.metadata()?;
    let instructions_email = params.text("instructions_email")?;
    let reverse_transfer = params.boolean("reverse_transfer")?.unwrap_or(false);
    let refund_application_fee = params.boolean("refund_application_fee")?.unwrap_or(false);
    let expand = params.list("expand")?;
    params.finish()?;
    let target = match (charge, payment_intent) {
        (Some(id), None) => Target::Charge(id),
        (None, Some(id)) => Target::PaymentIntent(id),
        (None, None) => return Err(StripeError::neither_charge_nor_payment_intent()),
        (Some(_), Some(_)) => return Err(StripeError::exclusive_parameters(&["charge", "payment_intent"])),
    };
    let order = RefundOrder {
        target,
        amount,
        currency,
        reason,
        metadata,
        instructions_email,
        reverse_transfer,
        refund_application_fee,
    };
    Ok((order, expand))
}

impl Scope<'_> {
    /// Checks the order and makes the refund, with its events and timers; or refuses and changes nothing.
    pub(crate) fn create_refund(&mut self, order: RefundOrder) -> Result<Refund, StripeError> {
        let mut charge = self.charge_to_refund(&order.target)?.clone();
        let amount = amount_to_refund(&charge, &order)?;
        check_connect(&charge, &order)?;
        let metadata = order.metadata.applied_to(&std::collections::BTreeMap::new())?;
        self.check_room()?;
        let covered = !charge.captured || self.books.balance.covers(amount, &charge.currency);
        if !covered && self.books.balance.when_short == ShortBalance::Refuse {
            return Err(StripeError::insufficient_balance());
        }

        let prefix = if charge.id.starts_with("py_") { "pyr_" } else { "re_" };
        let mut refund = Refund {
            id: self.ids.object(prefix),
            amount,
            charge: charge.id.clone(),
            created: self.now(),
            currency: charge.currency.clone(),
            customer: charge.details.customer.clone(),
            payment_intent: charge.payment_intent.clone(),
            payment_method: charge.payment_method.clone(),
            rail: charge.rail,
            releases_authorization: !charge.captured,
            status: RefundStatus::Succeeded,
            reason: order.reason.map(str::to_owned),
            pending_reason: None,
            failure_reason: None,
            balance_transaction: None,
            failure_balance_transaction: None,
            bank_reference: None,
            instructions_email: order.instructions_email,
            transfer_reversal: order.reverse_transfer.then(|| self.ids.object("trr_")),
            metadata,
        };
        if covered {
            self.begin_refund(&mut refund, charge.refund_behaviour);
        } else {
            self.begin_short_refund(&mut refund);
        }
        let before = json!({ "amount_refunded": charge.amount_refunded, "refunded": charge.is_refunded() });
        charge.refund_ids.push(refund.id.clone());
        if refund.status.is_live() {
            charge.amount_refunded += amount;
        }
        let (shown_refund, shown_charge) = (refund.show(), charge.show(self.livemode()));
        let live = refund.status.is_live();
        self.put_charge(charge);
        self.put_refund(refund.clone());
        self.emit("refund.created", shown_refund.clone(), None);
        if live {
            self.emit("charge.refunded", shown_charge, Some(before));
        } else {
            self.emit("refund.failed", shown_refund, None);
        }
        Ok(refund)
    }

    fn charge_to_refund(&self, target: &Target) -> Result<&Charge, StripeError> {
        let charge = match target {
            Target::Charge(id) => self.charge(id, "id")?,
            Target::PaymentIntent(id) => {
                let intent = self.payment_intent(id, "payment_intent")?;
                if intent.status == PaymentIntentStatus::RequiresCapture {
                    return Err(StripeError::uncaptured_payment_intent(id));
                }
                let charge = intent.latest_charge.as_ref().and_then(|id| self.books.charges.get(id));
                charge.ok_or_else(|| StripeError::no_successful_charge(id))?
            }
        };
        match (&charge.payment_intent, &charge.declined) {
            (Some(intent), Some(_)) => Err(StripeError::no_successful_charge(intent)),
            (None, Some(_)) => Err(StripeError::charge_not_refundable(&charge.id)),
            (Some(intent), None) if !charge.captured && !charge.released => {
                Err(StripeError::uncaptured_payment_intent(intent))
            }
            _ if self.is_charged_back(charge) => Err(StripeError::charge_disputed(&charge.id)),
            _ if charge.is_refunded() => Err(StripeError::already_refunded(&charge.id)),
            _ => Ok(charge),
        }
    }

    /// Gives a refund its first state, takes its money, and arms what comes next.
    fn begin_refund(&mut self, refund: &mut Refund, behaviour: RefundBehaviour) {
        refund.status = match behaviour {
            RefundBehaviour::Immediate | RefundBehaviour::FailsLater => RefundStatus::Succeeded,
            RefundBehaviour::PendingFirst => RefundStatus::Pending,
            RefundBehaviour::RequiresAction | RefundBehaviour::RequiresActionHeld => RefundStatus::RequiresAction,
        };
        if refund.status == RefundStatus::Pending {
            refund.pending_reason = Some("processing".to_owned());
        }
        if !refund.releases_authorization {
            refund.balance_transaction = Some(self.ids.object("txn_"));
            self.books.balance.add(-refund.amount, &refund.currency);
        }
        self.arm_refund(refund, behaviour);
    }

    /// A refund the balance does not cover: a card's waits, any other method's fails.
    fn begin_short_refund(&mut self, refund: &mut Refund) {
        if refund.rail == Rail::Card {
            refund.status = RefundStatus::Pending;
            refund.pending_reason = Some("insufficient_funds".to_owned());
            self.books.waiting_for_funds.push(refund.id.clone());
        } else {
            refund.status = RefundStatus::Failed;
            refund.failure_reason = Some("insufficient_funds".to_owned());
        }
    }
}

/// What the order comes to, when the charge has that much left.
fn amount_to_refund(charge: &Charge, order: &RefundOrder) -> Result<i64, StripeError> {
    if let Some(currency) = order.currency.as_ref().filter(|currency| **currency != charge.currency) {
        let message =
            format!("The currency of the refund ({currency}) must be that of the charge ({}).", charge.currency);
        return Err(StripeError::invalid("currency", message));
    }
    let left = charge.unrefunded();
    let amount = order.amount.unwrap_or(left);
    if amount > left {
        let show = |amount| money::show(amount, &charge.currency);
        return Err(StripeError::over_refund(&show(amount), &show(left)));
    }
    if money::is_too_fine(amount, &charge.currency) {
        let message = format!("Invalid amount: amounts in {} must be a multiple of 10.", charge.currency);
        return Err(StripeError::invalid("amount", message));
    }
    if !charge.captured && amount < charge.amount {
        let message = "An uncaptured charge can only be refunded in full; capture less of it instead.";
        return Err(StripeError::invalid("amount", message));
    }
    Ok(amount)
}

/// What Connect options ask of the charge; Stripe's own texts for these are not recorded.
fn check_connect(charge: &Charge, order: &RefundOrder) -> Result<(), StripeError> {
    if order.reverse_transfer && charge.transfer.is_none() {
        let message = format!("Charge {} has no transfer to reverse.", charge.id);
        return Err(StripeError::invalid("reverse_transfer", message));
    }
    if order.refund_application_fee && charge.details.application_fee_amount.is_none() {
        let message = format!("Charge {} has no application fee to refund.", charge.id);
        return Err(StripeError::invalid("refund_application_fee", message));
    }
    Ok(())
}
