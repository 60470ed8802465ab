//! The sandbox's own endpoints below `/_sandbox`: JSON in, JSON out, no key.
//!
//! They do what only Stripe, a bank or a person at the Dashboard could do, arm faults, and show what really happened.
//! The table of them stands in the crate's documentation.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::refund_creation::{REASONS, RefundOrder, Target};
use super::refund_lifecycle::RefundMove;
use super::refunds::RefundStatus;
use super::{ApiKey, Books, Cause, Model, Place, Scope, Settings, ShortBalance};
use crate::errors::StripeError;
use crate::faults::{FaultPlan, FaultRule, FaultRuleError, WebhookFaultRule};
use crate::limits::BALANCE_MAX;
use crate::params::MetadataChange;
use crate::request::{Method, Request, Response, Transport};

/// Whether a path belongs to the sandbox rather than to Stripe.
pub(crate) fn is_control_path(path: &str) -> bool {
    path == "/_sandbox" || path.starts_with("/_sandbox/")
}

/// A refund made by a person at the Dashboard.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DashboardRefund {
    /// The charge or PaymentIntent.
    pub charge: String,
    /// Minor units; everything that is left when absent.
    #[serde(default)]
    pub amount: Option<i64>,
    /// One of Stripe's reasons.
    #[serde(default)]
    pub reason: Option<String>,
    /// Metadata of the refund.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
}

/// What happens to a refund by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub enum RefundAction {
    /// The money is on its way.
    Succeed,
    /// The bank sent it back.
    Fail {
        /// Stripe's `failure_reason`; `unknown` when absent.
        #[serde(default)]
        reason: Option<String>,
    },
    /// Canceled in the Dashboard, which can cancel what the API cannot.
    Cancel,
    /// It waits.
    Pend {
        /// Stripe's `pending_reason`.
        #[serde(default)]
        reason: Option<String>,
    },
    /// The customer is asked for their bank details (again).
    RequireAction,
    /// Any status at all, even one Stripe does not have yet.
    Status {
        /// The status.
        status: String,
    },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SettingsChange {
    refund_delay_ms: Option<u32>,
    webhook_retry_delay_ms: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockChange {
    advance_ms: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DisputeOpening {
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    inquiry: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BalanceChange {
    account: String,
    #[serde(default)]
    livemode: bool,
    currency: String,
    available: i64,
    #[serde(default)]
    when_short: ShortBalance,
}

/// Why a control request is refused.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The body is not what the endpoint reads.
    #[error("the body cannot be read: {0}")]
    Body(#[from] serde_json::Error),
    /// The fault cannot be armed.
    #[error(transparent)]
    Fault(#[from] FaultRuleError),
    /// No such object in any account.
    #[error("there is no {0} in this sandbox")]
    Missing(String),
    /// The object is not in a state for it; the text is Stripe's answer.
    #[error("{0}")]
    Refused(String),
    /// A value outside its range.
    #[error("{0} is out of range")]
    Range(&'static str),
    /// No such control endpoint.
    #[error("there is no control endpoint {0}; see the documentation of the sandbox")]
    Route(String),
}

impl From<StripeError> for ControlError {
    fn from(error: StripeError) -> Self {
        ControlError::Refused(error.message().to_owned())
    }
}

impl Model {
    /// Arms a fault for the next requests that fit.
    pub fn add_fault(&mut self, rule: FaultRule) -> Result<(), FaultRuleError> {
        self.revision += 1;
        self.faults.add_rule(rule)
    }

    /// Arms a fault for the next webhook deliveries that fit.
    pub fn add_webhook_fault(&mut self, rule: WebhookFaultRule) -> Result<(), FaultRuleError> {
        self.revision += 1;
        self.faults.add_webhook_rule(rule)
    }

    /// Sets how often faults strike by chance.
    pub fn set_fault_plan(&mut self, plan: FaultPlan) -> Result<(), FaultRuleError> {
        self.revision += 1;
        self.faults.set_plan(plan)
    }

    /// Disarms every rule and the plan.
    pub fn clear_faults(&mut self) {
        self.revision += 1;
        self.faults = crate::faults::Faults::default();
    }

    /// Makes a refund that no API request asked for. Answers with the refund.
    pub fn refund_in_dashboard(&mut self, refund: DashboardRefund, now_ms: i64) -> Result<Value, ControlError> {
        if refund.amount.is_some_and(|amount| amount < 1) {
            return Err(ControlError::Range("amount"));
        }
        let reason = match refund.reason.as_deref() {
            Some(word) => {
                let known = REASONS.iter().find(|known| **known == word);
                Some(*known.ok_or(ControlError::Range("reason"))?)
            }
            None => None,
        };
        let id = refund.charge;
        let (is_charge, is_intent) = (
            |books: &Books| books.charges.get(&id).is_some(),
            |books: &Books| books.payment_intents.get(&id).is_some(),
        );
        let mut scope = self.scope_holding(&id, now_ms, |books| is_charge(books) || is_intent(books))?;
        let target =
            if is_charge(scope.books) { Target::Charge(id.clone()) } else { Target::PaymentIntent(id.clone()) };
        let made = scope.create_refund(RefundOrder {
            target,
            amount: refund.amount,
            currency: None,
            reason,
            metadata: MetadataChange { clear: false, entries: refund.metadata },
            instructions_email: None,
            reverse_transfer: false,
            refund_application_fee: false,
        })?;
        Ok(made.show())
    }

    /// Moves a refund by hand. Answers with the refund.
    pub fn act_on_refund(&mut self, id: &str, action: RefundAction, now_ms: i64) -> Result<Value, ControlError> {
        let mut scope = self.scope_holding(id, now_ms, |books| books.refunds.get(id).is_some())?;
        match action {
            RefundAction::Succeed => scope.move_refund(id, RefundMove::to(RefundStatus::Succeeded))?,
            RefundAction::Fail { reason } => scope.fail_refund(id, reason.as_deref().unwrap_or("unknown"))?,
            RefundAction::Cancel => scope.cancel_refund(id)?,
            RefundAction::Pend { reason } => {
                scope
                    .move_refund(id, RefundMove { pending_reason: reason, ..RefundMove::to(RefundStatus::Pending) })?;
            }
            RefundAction::RequireAction => scope.move_refund(id, RefundMove::to(RefundStatus::RequiresAction))?,
            RefundAction::Status { status } => {
                let status: RefundStatus = serde_json::from_value(Value::String(status))?;
                scope.move_refund(id, RefundMove::to(status))?;
            }
        }
        Ok(scope.refund(id, "refund")?.show())
    }

    fn open_dispute(&mut self, id: &str, opening: &DisputeOpening, now_ms: i64) -> Result<Value, ControlError> {
        let mut scope = self.scope_holding(id, now_ms, |books| books.charges.get(id).is_some())?;
        let mut charge = scope.charge(id, "charge")?.clone();
        if charge.dispute.is_some() {
            return Err(ControlError::Refused(format!("Charge {id} is disputed already.")));
        }
        scope.open_dispute(&mut charge, opening.reason.as_deref().unwrap_or("fraudulent"), opening.inquiry);
        Ok(scope.charge(id, "charge")?.show(scope.livemode()))
    }

    fn close_dispute(&mut self, id: &str, won: bool, now_ms: i64) -> Result<Value, ControlError> {
        let mut scope = self.scope_holding(id, now_ms, |books| books.disputes.get(id).is_some())?;
        Ok(scope.close_dispute(id, won)?)
    }

    fn set_balance(&mut self, change: &BalanceChange) -> Result<Value, ControlError> {
        if change.available.checked_abs().is_none_or(|amount| amount > BALANCE_MAX) {
            return Err(ControlError::Range("available"));
        }
        let account = self.accounts.get_mut(&change.account);
        let account = account.ok_or_else(|| ControlError::Missing(change.account.clone()))?;
        let books = if change.livemode { &mut account.live } else { &mut account.test };
        books.balance.available.insert(change.currency.to_lowercase(), change.available);
        books.balance.when_short = change.when_short;
        Ok(json!(books.balance))
    }

    /// The books that hold an object, wherever they are, with nobody's request as the cause.
    fn scope_holding(
        &mut self,
        id: &str,
        now_ms: i64,
        holds: impl Fn(&Books) -> bool,
    ) -> Result<Scope<'_>, ControlError> {
        let holds = |place: &Place| self.books(place).is_some_and(&holds);
        let place = self.places().into_iter().find(holds).ok_or_else(|| ControlError::Missing(id.to_owned()))?;
        self.revision += 1;
        let now_ms = now_ms.saturating_add(self.clock_offset_ms);
        self.scope(&place, Cause::default(), now_ms).ok_or_else(|| ControlError::Missing(id.to_owned()))
    }
}

/// Answers a control request.
pub(crate) fn answer(model: &mut Model, request: &Request, now_ms: i64) -> Response {
    let (status, body) = match dispatch(model, request, now_ms) {
        Ok(body) => (200, body),
        Err(error) => {
            let status = match error {
                ControlError::Missing(_) | ControlError::Route(_) => 404,
                _ => 400,
            };
            (status, json!({ "error": { "message": error.to_string() } }))
        }
    };
    let headers = BTreeMap::from([("Content-Type".to_owned(), "application/json".to_owned())]);
    Response { status, headers, body: body.to_string(), transport: Transport::default() }
}

fn dispatch(model: &mut Model, request: &Request, now_ms: i64) -> Result<Value, ControlError> {
    let segments: Vec<&str> = request.path.trim_start_matches('/').split('/').skip(1).collect();
    match (request.method, segments.as_slice()) {
        (Method::Get, ["requests"]) => Ok(json!({ "data": model.requests().collect::<Vec<_>>() })),
        (Method::Get, ["ledger"]) => Ok(json!({ "data": model.ledger() })),
        (Method::Get, ["faults"]) => Ok(json!(model.faults)),
        (Method::Post, ["faults"]) => {
            model.add_fault(read(request)?)?;
            Ok(json!(model.faults))
        }
        (Method::Delete, ["faults"]) => {
            model.clear_faults();
            Ok(json!(model.faults))
        }
        (Method::Post, ["webhook_faults"]) => {
            model.add_webhook_fault(read(request)?)?;
            Ok(json!(model.faults))
        }
        (Method::Post, ["fault_plan"]) => {
            model.set_fault_plan(read(request)?)?;
            Ok(json!(model.faults))
        }
        (Method::Get, ["settings"]) => Ok(json!(model.settings)),
        (Method::Post, ["settings"]) => {
            let change: SettingsChange = read(request)?;
            let now = model.settings;
            model.set_settings(Settings {
                refund_delay_ms: change.refund_delay_ms.map_or(now.refund_delay_ms, i64::from),
                webhook_retry_delay_ms: change.webhook_retry_delay_ms.map_or(now.webhook_retry_delay_ms, i64::from),
            });
            Ok(json!(model.settings))
        }
        (Method::Post, ["clock"]) => {
            let change: ClockChange = read(request)?;
            let advance_ms = i64::try_from(change.advance_ms).map_err(|_| ControlError::Range("advance_ms"))?;
            let offset_ms = model.clock_offset_ms.checked_add(advance_ms).filter(|offset_ms| *offset_ms < CLOCK_MAX_MS);
            model.clock_offset_ms = offset_ms.ok_or(ControlError::Range("advance_ms"))?;
            model.revision += 1;
            model.advance(now_ms);
            Ok(json!({ "clock_offset_ms": model.clock_offset_ms }))
        }
        (Method::Post, ["refunds"]) => model.refund_in_dashboard(read(request)?, now_ms),
        (Method::Post, ["refunds", id, action]) => {
            let mut body: Value = read(request)?;
            if let Some(body) = body.as_object_mut() {
                body.insert("action".to_owned(), json!(action));
            }
            model.act_on_refund(id, serde_json::from_value(body)?, now_ms)
        }
        (Method::Post, ["charges", id, "dispute"]) => model.open_dispute(id, &read(request)?, now_ms),
        (Method::Post, ["disputes", id, "win"]) => model.close_dispute(id, true, now_ms),
        (Method::Post, ["disputes", id, "lose"]) => model.close_dispute(id, false, now_ms),
        (Method::Post, ["balance"]) => {
            model.revision += 1;
            model.set_balance(&read(request)?)
        }
        (Method::Post, ["api_keys"]) => {
            let api_key: ApiKey = read(request)?;
            model.add_api_key(api_key.clone());
            Ok(json!(api_key))
        }
        _ => Err(ControlError::Route(format!("{} {}", request.method.as_str(), request.path))),
    }
}

/// Farthest the clock can be moved: ten years.
const CLOCK_MAX_MS: i64 = 10 * 366 * 24 * 60 * 60 * 1000;

/// Reads a JSON body; no body is an empty object.
fn read<T: DeserializeOwned>(request: &Request) -> Result<T, ControlError> {
    let body = if request.body.trim().is_empty() { "{}" } else { request.body.as_str() };
    Ok(serde_json::from_str(body)?)
}
