//! Faults as plain data: which request or webhook is struck, and by what.
//!
//! Two ways to ask for them: rules that strike the next requests that fit, and a plan that strikes by chance, where
//! chance is the seed. Waiting and cutting connections is left to whoever holds the socket.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::errors::StripeError;
use crate::ids::Ids;
use crate::limits::{FAULT_DELAY_MS_MAX, FAULT_RULES_MAX};
use crate::model::matches_kind;
use crate::request::{Method, Response};

/// What goes wrong with one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// The effect happens at once, the answer comes late; until then the idempotency key is in use.
    Delay {
        /// How late.
        ms: u64,
    },
    /// The connection is cut and nothing happened.
    DropBeforeEffect,
    /// The connection is cut and everything happened.
    DropAfterEffect,
    /// An error, and nothing happened.
    ErrorBefore {
        /// The HTTP status, 500 or above.
        status: u16,
        /// Whether the idempotency key remembers the error, as when the endpoint itself broke; otherwise it came from
        /// in front of it and the next try may succeed.
        #[serde(default)]
        stored: bool,
    },
    /// An error, and everything happened.
    ErrorAfter {
        /// The HTTP status, 500 or above.
        status: u16,
        /// Whether the idempotency key remembers the error; otherwise it remembers the success.
        #[serde(default)]
        stored: bool,
    },
    /// 429: too many requests.
    RateLimit {
        /// `Retry-After`, in seconds; Stripe does not document the header, so usually absent.
        #[serde(default)]
        retry_after: Option<u32>,
        /// `Stripe-Rate-Limited-Reason`, such as `global-rate`.
        #[serde(default)]
        reason: Option<String>,
    },
    /// 429: somebody else holds the object.
    LockTimeout,
    /// Everything happened, and the answer is 200 with a body nobody can read.
    Unreadable,
}

impl Fault {
    /// The fault's kind, as it is written in rules and logs.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Fault::Delay { .. } => "delay",
            Fault::DropBeforeEffect => "drop_before_effect",
            Fault::DropAfterEffect => "drop_after_effect",
            Fault::ErrorBefore { .. } => "error_before",
            Fault::ErrorAfter { .. } => "error_after",
            Fault::RateLimit { .. } => "rate_limit",
            Fault::LockTimeout => "lock_timeout",
            Fault::Unreadable => "unreadable",
        }
    }

    /// The answer given in front of the idempotency layer.
    pub(crate) fn before_effect(&self) -> Option<StripeError> {
        match self {
            Fault::DropBeforeEffect => Some(StripeError::accident(500)),
            Fault::ErrorBefore { status, stored: false } => Some(StripeError::accident(*status)),
            Fault::RateLimit { .. } => Some(StripeError::rate_limited()),
            Fault::LockTimeout => Some(StripeError::lock_timeout()),
            _ => None,
        }
    }

    /// The answer remembered in place of an effect.
    pub(crate) fn instead_of_effect(&self) -> Option<StripeError> {
        match self {
            Fault::ErrorBefore { status, stored: true } => Some(StripeError::accident(*status)),
            _ => None,
        }
    }

    /// The answer remembered in place of that of the effect.
    pub(crate) fn after_stored_effect(&self) -> Option<StripeError> {
        match self {
            Fault::ErrorAfter { status, stored: true } => Some(StripeError::accident(*status)),
            _ => None,
        }
    }

    pub(crate) fn delay_ms(&self) -> u64 {
        match self {
            Fault::Delay { ms } => *ms,
            _ => 0,
        }
    }

    /// What the fault does to an answer on its way out.
    pub(crate) fn disturb(&self, response: &mut Response, request_id: &str) {
        match self {
            Fault::Delay { ms } => response.transport.delay_ms = *ms,
            Fault::DropBeforeEffect | Fault::DropAfterEffect => response.transport.cut = true,
            Fault::ErrorAfter { status, .. } => {
                response.status = *status;
                response.body = StripeError::accident(*status).body(request_id, false);
            }
            Fault::RateLimit { retry_after, reason } => {
                put(&mut response.headers, "Retry-After", retry_after.map(|seconds| seconds.to_string()));
                put(&mut response.headers, "Stripe-Rate-Limited-Reason", reason.clone());
            }
            Fault::Unreadable => "<html>\u{fffd} not what you asked for".clone_into(&mut response.body),
            Fault::ErrorBefore { .. } | Fault::LockTimeout => {}
        }
    }

    fn check(&self) -> Result<(), FaultRuleError> {
        match self {
            Fault::Delay { ms } if *ms > FAULT_DELAY_MS_MAX => Err(FaultRuleError::DelayTooLong),
            Fault::ErrorBefore { status, .. } | Fault::ErrorAfter { status, .. } if !(500..=599).contains(status) => {
                Err(FaultRuleError::NotAServerError)
            }
            _ => Ok(()),
        }
    }
}

fn put(headers: &mut BTreeMap<String, String>, name: &str, value: Option<String>) {
    if let Some(value) = value {
        headers.insert(name.to_owned(), value);
    }
}

/// What goes wrong with one webhook delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum WebhookFault {
    /// It comes twice.
    Duplicate,
    /// It comes later.
    Late {
        /// How much later.
        ms: u64,
    },
    /// It comes after the ones that follow it within a second.
    Reordered,
    /// It never comes; the event stays listed with `delivery_success=false`.
    Dropped,
}

impl WebhookFault {
    /// How long a reordered delivery waits.
    pub(crate) const REORDERED_MS: u64 = 1_000;
}

/// A fault for the next requests that fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// Only this method.
    #[serde(default)]
    pub method: Option<Method>,
    /// Only paths that begin like this, such as `/v1/refunds`.
    #[serde(default)]
    pub path_prefix: Option<String>,
    /// How many requests it strikes.
    #[serde(default = "once")]
    pub times: u32,
    /// What happens to them.
    pub fault: Fault,
}

impl FaultRule {
    /// A rule for the next request of this method to paths that begin like this.
    pub fn once(method: Method, path_prefix: &str, fault: Fault) -> FaultRule {
        FaultRule { method: Some(method), path_prefix: Some(path_prefix.to_owned()), times: 1, fault }
    }

    fn fits(&self, method: Method, path: &str) -> bool {
        self.method.is_none_or(|wanted| wanted == method)
            && self.path_prefix.as_ref().is_none_or(|prefix| path.starts_with(prefix.as_str()))
    }
}

/// A fault for the next webhook deliveries that fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookFaultRule {
    /// Only this event type; `refund.*` means all that begin so.
    #[serde(default)]
    pub event_type: Option<String>,
    /// How many deliveries it strikes.
    #[serde(default = "once")]
    pub times: u32,
    /// What happens to them.
    pub fault: WebhookFault,
}

fn once() -> u32 {
    1
}

/// Faults by chance: each request and delivery is struck with this probability, by one of these faults.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultPlan {
    /// Requests struck, of a thousand.
    #[serde(default)]
    pub requests_per_mille: u16,
    /// The faults to choose from.
    #[serde(default)]
    pub faults: Vec<Fault>,
    /// Webhook deliveries struck, of a thousand.
    #[serde(default)]
    pub webhooks_per_mille: u16,
    /// The faults to choose from.
    #[serde(default)]
    pub webhook_faults: Vec<WebhookFault>,
}

/// Why a fault rule is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FaultRuleError {
    /// See [`FAULT_DELAY_MS_MAX`].
    #[error("a delay is at most {FAULT_DELAY_MS_MAX} ms")]
    DelayTooLong,
    /// Only accidents can be scripted; refusals come from real requests.
    #[error("the status of an error is between 500 and 599")]
    NotAServerError,
    /// See [`FAULT_RULES_MAX`].
    #[error("at most {FAULT_RULES_MAX} rules can be armed at once")]
    TooManyRules,
}

/// Everything that is armed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Faults {
    pub(crate) rules: Vec<FaultRule>,
    pub(crate) webhook_rules: Vec<WebhookFaultRule>,
    pub(crate) plan: FaultPlan,
}

impl Faults {
    pub(crate) fn add_rule(&mut self, rule: FaultRule) -> Result<(), FaultRuleError> {
        rule.fault.check()?;
        if self.rules.len() >= FAULT_RULES_MAX {
            return Err(FaultRuleError::TooManyRules);
        }
        self.rules.push(rule);
        Ok(())
    }

    pub(crate) fn add_webhook_rule(&mut self, rule: WebhookFaultRule) -> Result<(), FaultRuleError> {
        if matches!(rule.fault, WebhookFault::Late { ms } if ms > FAULT_DELAY_MS_MAX) {
            return Err(FaultRuleError::DelayTooLong);
        }
        if self.webhook_rules.len() >= FAULT_RULES_MAX {
            return Err(FaultRuleError::TooManyRules);
        }
        self.webhook_rules.push(rule);
        Ok(())
    }

    pub(crate) fn set_plan(&mut self, plan: FaultPlan) -> Result<(), FaultRuleError> {
        plan.faults.iter().try_for_each(Fault::check)?;
        self.plan = plan;
        Ok(())
    }

    /// The fault that strikes this request, if any: the oldest rule that fits, else chance.
    pub(crate) fn strike(&mut self, method: Method, path: &str, ids: &mut Ids) -> Option<Fault> {
        if let Some(at) = self.rules.iter().position(|rule| rule.times > 0 && rule.fits(method, path)) {
            let fault = self.rules[at].fault.clone();
            self.rules[at].times -= 1;
            self.rules.retain(|rule| rule.times > 0);
            return Some(fault);
        }
        pick(self.plan.requests_per_mille, &self.plan.faults, ids).cloned()
    }

    /// The fault that strikes this delivery, if any.
    pub(crate) fn strike_webhook(&mut self, event_type: &str, ids: &mut Ids) -> Option<WebhookFault> {
        let fits = |rule: &WebhookFaultRule| {
            rule.times > 0 && rule.event_type.as_ref().is_none_or(|wanted| matches_kind(wanted, event_type))
        };
        if let Some(at) = self.webhook_rules.iter().position(fits) {
            let fault = self.webhook_rules[at].fault;
            self.webhook_rules[at].times -= 1;
            self.webhook_rules.retain(|rule| rule.times > 0);
            return Some(fault);
        }
        pick(self.plan.webhooks_per_mille, &self.plan.webhook_faults, ids).copied()
    }
}

fn pick<'a, T>(per_mille: u16, faults: &'a [T], ids: &mut Ids) -> Option<&'a T> {
    if per_mille == 0 || faults.is_empty() || ids.draw_below(1000) >= u64::from(per_mille) {
        return None;
    }
    let choice = ids.draw_below(u64::try_from(faults.len()).ok()?);
    faults.get(usize::try_from(choice).ok()?)
}
