//! Stripe's error bodies, one constructor each, with the exact words clients match on.
//!
//! Where Stripe's own text is not known from a recording, the constructor says so. When each is raised is decided in
//! the handlers; only the shape lives here.

use serde_json::{Map, Value, json};

/// Whether the endpoint had begun its work when it failed: only then does Stripe remember the answer under the
/// idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Refused at the door: the same key may be used again.
    Validation,
    /// Refused by the endpoint itself: the answer is remembered.
    Execution,
}

/// One refusal.
#[derive(Debug, Clone)]
pub(crate) struct StripeError {
    pub(crate) status: u16,
    pub(crate) stage: Stage,
    /// `Stripe-Should-Retry`, where Stripe makes up the client's mind.
    pub(crate) should_retry: Option<bool>,
    kind: &'static str,
    code: Option<&'static str>,
    message: String,
    param: Option<String>,
    more: Map<String, Value>,
}

impl StripeError {
    fn new(status: u16, stage: Stage, message: impl Into<String>) -> StripeError {
        StripeError {
            status,
            stage,
            should_retry: None,
            kind: "invalid_request_error",
            code: None,
            message: message.into(),
            param: None,
            more: Map::new(),
        }
    }

    fn code(mut self, code: &'static str) -> StripeError {
        self.code = Some(code);
        self
    }

    fn param(mut self, param: impl Into<String>) -> StripeError {
        self.param = Some(param.into());
        self
    }

    fn kind(mut self, kind: &'static str) -> StripeError {
        self.kind = kind;
        self
    }

    fn with(mut self, field: &str, value: Value) -> StripeError {
        self.more.insert(field.to_owned(), value);
        self
    }

    fn retry(mut self, should_retry: bool) -> StripeError {
        self.should_retry = Some(should_retry);
        self
    }

    /// The sentence alone.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// The body as sent; the link to the request's log entry is part of it.
    pub(crate) fn body(&self, request_id: &str, livemode: bool) -> String {
        let mode = if livemode { "" } else { "test/" };
        let mut error = self.more.clone();
        error.insert("type".to_owned(), json!(self.kind));
        error.insert("message".to_owned(), json!(self.message));
        error.insert(
            "request_log_url".to_owned(),
            json!(format!("https://dashboard.stripe.com/{mode}logs/{request_id}")),
        );
        if let Some(code) = self.code {
            error.insert("code".to_owned(), json!(code));
            let page = code.replace('_', "-");
            error.insert("doc_url".to_owned(), json!(format!("https://stripe.com/docs/error-codes/{page}")));
        }
        if let Some(param) = &self.param {
            error.insert("param".to_owned(), json!(param));
        }
        json!({ "error": error }).to_string()
    }
}

/// Who is asking.
impl StripeError {
    pub(crate) fn no_api_key() -> StripeError {
        StripeError::new(
            401,
            Stage::Validation,
            "You did not provide an API key. You need to provide your API key in the Authorization header, \
             using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
        )
    }

    pub(crate) fn invalid_api_key(masked: &str) -> StripeError {
        StripeError::new(401, Stage::Validation, format!("Invalid API Key provided: {masked}"))
    }

    pub(crate) fn expired_api_key(masked: &str) -> StripeError {
        StripeError::new(401, Stage::Validation, format!("Expired API Key provided: {masked}")).code("api_key_expired")
    }

    pub(crate) fn missing_permission(masked: &str, account: &str, permission: &str) -> StripeError {
        StripeError::new(
            403,
            Stage::Validation,
            format!(
                "The provided key '{masked}' does not have the required permissions for this endpoint on account \
                 '{account}'. Having the '{permission}' permission would allow this request to continue."
            ),
        )
    }

    pub(crate) fn no_access_to_account(masked: &str, account: &str) -> StripeError {
        StripeError::new(
            403,
            Stage::Validation,
            format!(
                "The provided key '{masked}' does not have access to account '{account}' (or that account does not \
                 exist). Application access may have been revoked."
            ),
        )
        .code("account_invalid")
    }

    pub(crate) fn unrecognized_url(method: &str, path: &str) -> StripeError {
        StripeError::new(
            404,
            Stage::Validation,
            format!(
                "Unrecognized request URL ({method}: {path}). Please see https://stripe.com/docs or we can help at \
                 https://support.stripe.com/."
            ),
        )
    }
}

/// Parameters.
impl StripeError {
    pub(crate) fn unknown_parameters(names: &[String]) -> StripeError {
        let plural = if names.len() == 1 { "" } else { "s" };
        StripeError::new(400, Stage::Validation, format!("Received unknown parameter{plural}: {}", names.join(", ")))
            .code("parameter_unknown")
            .param(names.first().cloned().unwrap_or_default())
    }

    pub(crate) fn missing_parameter(name: &str) -> StripeError {
        StripeError::new(400, Stage::Validation, format!("Missing required param: {name}."))
            .code("parameter_missing")
            .param(name)
    }

    pub(crate) fn empty_parameter(name: &str) -> StripeError {
        StripeError::new(
            400,
            Stage::Validation,
            format!(
                "You passed an empty string for '{name}'. We assume empty values are an attempt to unset a \
                 parameter; however '{name}' cannot be unset. You should remove '{name}' from your request or \
                 supply a non-empty value."
            ),
        )
        .code("parameter_invalid_empty")
        .param(name)
    }

    pub(crate) fn not_an_integer(name: &str, value: &str) -> StripeError {
        StripeError::new(400, Stage::Validation, format!("Invalid integer: {value}"))
            .code("parameter_invalid_integer")
            .param(name)
    }

    pub(crate) fn integer_too_small(name: &str, minimum: i64) -> StripeError {
        StripeError::new(400, Stage::Validation, format!("This value must be greater than or equal to {minimum}."))
            .code("parameter_invalid_integer")
            .param(name)
    }

    pub(crate) fn integer_too_large(name: &str, maximum: i64) -> StripeError {
        StripeError::new(400, Stage::Validation, format!("This value must be less than or equal to {maximum}."))
            .code("parameter_invalid_integer")
            .param(name)
    }

    /// A value of the wrong kind or outside a closed set; most of these texts are specific to one parameter.
    pub(crate) fn invalid(name: &str, message: impl Into<String>) -> StripeError {
        StripeError::new(400, Stage::Validation, message).param(name)
    }

    pub(crate) fn exclusive_parameters(names: &[&str]) -> StripeError {
        StripeError::new(
            400,
            Stage::Validation,
            format!("You may only specify one of these parameters: {}.", names.join(", ")),
        )
        .code("parameters_exclusive")
    }

    pub(crate) fn neither_charge_nor_payment_intent() -> StripeError {
        StripeError::new(
            400,
            Stage::Validation,
            "One of the following params should be provided for this request: payment_intent or charge.",
        )
    }

    pub(crate) fn cannot_expand(path: &str) -> StripeError {
        StripeError::new(400, Stage::Validation, format!("This property cannot be expanded ({path})."))
    }

    pub(crate) fn amount_too_large(name: &str, maximum: &str) -> StripeError {
        StripeError::new(400, Stage::Validation, format!("Amount must be no more than {maximum}"))
            .code("amount_too_large")
            .param(name)
    }
}

/// Which mode a similarly named object was found in when the asked one is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OtherMode {
    /// Neither mode has it.
    Nowhere,
    /// It exists in live mode and a test key asked.
    Live,
    /// It exists in test mode and a live key asked.
    Test,
}

/// Objects.
impl StripeError {
    /// `noun` is Stripe's word in this sentence: `charge`, `refund`, `payment_intent`, ...
    pub(crate) fn no_such(noun: &str, id: &str, param: &str, found: OtherMode) -> StripeError {
        let hint = match found {
            OtherMode::Nowhere => "",
            OtherMode::Live => {
                "; a similar object exists in live mode, but a test mode key was used to make this request."
            }
            OtherMode::Test => {
                "; a similar object exists in test mode, but a live mode key was used to make this request."
            }
        };
        StripeError::new(404, Stage::Execution, format!("No such {noun}: '{id}'{hint}"))
            .code("resource_missing")
            .param(param)
    }

    /// The same as a filter or cursor of a list: there it is a bad parameter, not a missing page.
    pub(crate) fn into_bad_request(mut self) -> StripeError {
        self.status = 400;
        self
    }

    pub(crate) fn already_refunded(charge: &str) -> StripeError {
        StripeError::new(400, Stage::Execution, format!("Charge {charge} has already been refunded."))
            .code("charge_already_refunded")
    }

    pub(crate) fn over_refund(asked: &str, unrefunded: &str) -> StripeError {
        StripeError::new(
            400,
            Stage::Execution,
            format!("Refund amount ({asked}) is greater than unrefunded amount on charge ({unrefunded})"),
        )
        .param("amount")
    }

    pub(crate) fn charge_disputed(charge: &str) -> StripeError {
        StripeError::new(
            400,
            Stage::Execution,
            format!("Charge {charge} has been charged back; cannot issue a refund."),
        )
        .code("charge_disputed")
    }

    pub(crate) fn uncaptured_payment_intent(payment_intent: &str) -> StripeError {
        StripeError::new(
            400,
            Stage::Execution,
            format!(
                "This uncaptured Charge was created by a PaymentIntent ({payment_intent}). You must cancel the \
                 PaymentIntent (https://stripe.com/docs/api/payment_intents/cancel) instead of refunding the Charge."
            ),
        )
    }

    pub(crate) fn no_successful_charge(payment_intent: &str) -> StripeError {
        StripeError::new(
            400,
            Stage::Execution,
            format!("This PaymentIntent ({payment_intent}) does not have a successful charge to refund."),
        )
    }

    /// A failed charge without a PaymentIntent; Stripe's text for it is not recorded, its code is documented.
    pub(crate) fn charge_not_refundable(charge: &str) -> StripeError {
        StripeError::new(400, Stage::Execution, format!("Charge {charge} did not succeed; cannot issue a refund."))
            .code("charge_not_refundable")
    }

    pub(crate) fn insufficient_balance() -> StripeError {
        StripeError::new(400, Stage::Execution, "Insufficient funds in your Stripe balance to refund this amount.")
            .with("message_code", json!("insufficient_balance_for_refund"))
    }

    pub(crate) fn cancel_unsupported() -> StripeError {
        StripeError::new(400, Stage::Execution, "Canceling this refund is unsupported.")
    }

    /// A wish that does not fit the object's state; Stripe's exact text is not recorded for the places that use this.
    pub(crate) fn state(message: impl Into<String>) -> StripeError {
        StripeError::new(400, Stage::Execution, message)
    }

    /// The same with one of Stripe's documented codes.
    pub(crate) fn state_code(code: &'static str, message: impl Into<String>) -> StripeError {
        StripeError::new(400, Stage::Execution, message).code(code)
    }

    pub(crate) fn card_declined(decline_code: &str, charge: &str, payment_intent: Option<Value>) -> StripeError {
        let error = StripeError::new(402, Stage::Execution, "Your card was declined.")
            .kind("card_error")
            .code("card_declined")
            .with("decline_code", json!(decline_code))
            .with("charge", json!(charge));
        match payment_intent {
            Some(payment_intent) => error.with("payment_intent", payment_intent),
            None => error,
        }
    }
}

/// Idempotency, limits and accidents.
impl StripeError {
    pub(crate) fn key_with_other_parameters(key: &str) -> StripeError {
        StripeError::new(
            400,
            Stage::Validation,
            format!(
                "Keys for idempotent requests can only be used with the same parameters they were first used with. \
                 Try using a key other than '{key}' if you meant to execute a different request."
            ),
        )
        .kind("idempotency_error")
        .retry(false)
    }

    pub(crate) fn key_at_other_endpoint(key: &str, here: &str, first: &str) -> StripeError {
        StripeError::new(
            400,
            Stage::Validation,
            format!(
                "Keys for idempotent requests can only be used for the same endpoint they were first used for \
                 ('{here}' vs '{first}'). Try using a key other than '{key}' if you meant to execute a different \
                 request."
            ),
        )
        .kind("idempotency_error")
        .retry(false)
    }

    pub(crate) fn key_too_long(characters: usize) -> StripeError {
        StripeError::new(
            400,
            Stage::Validation,
            format!("Idempotency keys can have up to 255 characters, but this one has {characters}."),
        )
        .kind("idempotency_error")
        .retry(false)
    }

    pub(crate) fn key_in_use(key: &str) -> StripeError {
        StripeError::new(
            409,
            Stage::Validation,
            format!(
                "There is currently another in-progress request using this Idempotent Key (that probably means you \
                 submitted twice, and the other request is still going through): {key}. Try again later."
            ),
        )
        .kind("idempotency_error")
        .code("idempotency_key_in_use")
        .retry(true)
    }

    pub(crate) fn lock_timeout() -> StripeError {
        StripeError::new(
            429,
            Stage::Validation,
            "This object cannot be accessed right now because another API request or Stripe process is currently \
             accessing it. If you see this error intermittently, retry the request.",
        )
        .code("lock_timeout")
        .retry(true)
    }

    pub(crate) fn rate_limited() -> StripeError {
        StripeError::new(429, Stage::Validation, "Request rate limit exceeded. You can learn more about rate limits here https://stripe.com/docs/rate-limits.")
            .code("rate_limit")
    }

    pub(crate) fn accident(status: u16) -> StripeError {
        StripeError::new(status, Stage::Execution, "An unknown error occurred.").kind("api_error")
    }

    /// One of the sandbox's own limits, which Stripe does not have.
    pub(crate) fn sandbox_full(what: &str, maximum: usize) -> StripeError {
        StripeError::new(
            400,
            Stage::Validation,
            format!("The sandbox holds at most {maximum} {what}. Start it with a fresh state file."),
        )
    }
}
