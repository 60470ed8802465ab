//! The way of one request: who asks, which fault strikes, what the idempotency key remembers, what the endpoint does,
//! and what the answer looks like.

use std::collections::BTreeMap;

use super::authentication::{Caller, check_permission};
use super::control::{self, is_control_path};
use super::{API_VERSION, Cause, Model, Place, routes};
use crate::errors::{Stage, StripeError};
use crate::faults::Fault;
use crate::idempotency::{Record, Records, fingerprint};
use crate::params::Params;
use crate::request::{Method, Request, Response, Transport};

/// What an endpoint answered, before headers and transport.
#[derive(Debug, Clone)]
struct Answer {
    status: u16,
    body: String,
    should_retry: Option<bool>,
    /// The request whose answer this repeats.
    original_request: Option<String>,
    touched: Vec<String>,
}

impl Answer {
    fn new(status: u16, body: String) -> Answer {
        Answer { status, body, should_retry: None, original_request: None, touched: Vec::new() }
    }

    fn refusal(error: &StripeError, request_id: &str, livemode: bool) -> Answer {
        Answer { should_retry: error.should_retry, ..Answer::new(error.status, error.body(request_id, livemode)) }
    }
}

/// One request on its way, with what is known about it by then.
struct Call<'a> {
    request: &'a Request,
    caller: &'a Caller,
    request_id: &'a str,
    fault: Option<&'a Fault>,
    now_ms: i64,
}

impl Call<'_> {
    fn refusal(&self, error: &StripeError) -> Answer {
        Answer::refusal(error, self.request_id, self.caller.place.livemode)
    }

    fn unrecognized(&self) -> StripeError {
        StripeError::unrecognized_url(self.request.method.as_str(), &self.request.path)
    }
}

impl Model {
    /// Answers one request. `now_ms` is the time in unix milliseconds; it should not run backwards.
    ///
    /// Paths below `/_sandbox` control the sandbox itself and need no key.
    pub fn apply(&mut self, request: &Request, now_ms: i64) -> Response {
        self.advance(now_ms);
        if is_control_path(&request.path) {
            return control::answer(self, request, now_ms);
        }
        let now_ms = now_ms.saturating_add(self.clock_offset_ms);
        let request_id = self.ids.request();
        let caller = self.authenticate(request);
        let fault = match &caller {
            Ok(_) => self.faults.strike(request.method, &request.path, &mut self.ids),
            Err(_) => None,
        };
        let answer = match caller {
            Ok(caller) => {
                let fault = fault.as_ref();
                self.answer(&Call { request, caller: &caller, request_id: &request_id, fault, now_ms })
            }
            Err(error) => Answer::refusal(&error, &request_id, false),
        };
        if request.method != Method::Get || fault.is_some() {
            self.revision += 1;
        }
        let touched = answer.touched.clone();
        let response = finish(request, &request_id, answer, fault.as_ref());
        self.log.record(request, &response, touched, fault.as_ref(), now_ms);
        response
    }

    /// Authentication and the limiter stand before the idempotency layer, as at Stripe.
    fn answer(&mut self, call: &Call<'_>) -> Answer {
        if let Some(error) = call.fault.and_then(Fault::before_effect) {
            return call.refusal(&error);
        }
        let params = match Params::parse(&joined_params(call.request)) {
            Ok(params) => params,
            Err(error) => return call.refusal(&error),
        };
        if let (Method::Post, Some(key)) = (call.request.method, &call.request.idempotency_key) {
            return self.answer_once(call, key, params);
        }
        self.execute(call, params).unwrap_or_else(|error| call.refusal(&error))
    }

    /// A POST with an idempotency key: the first answer of the endpoint is the only one.
    fn answer_once(&mut self, call: &Call<'_>, key: &str, params: Params) -> Answer {
        let canonical = params.canonical();
        let Some(records) = self.records(&call.caller.place) else { return call.refusal(&call.unrecognized()) };
        match records.recall(key, &call.request.path, &canonical, call.now_ms) {
            Err(error) => return call.refusal(&error),
            Ok(Some(first)) => {
                let mut answer = Answer::new(first.status, first.body.clone());
                answer.original_request = Some(first.request_id.clone());
                return answer;
            }
            Ok(None) => {}
        }
        let (answer, remember) = match self.execute(call, params) {
            Ok(answer) => (answer, true),
            Err(error) => (call.refusal(&error), error.stage == Stage::Execution),
        };
        if remember && let Some(records) = self.records(&call.caller.place) {
            let busy_ms = i64::try_from(call.fault.map_or(0, Fault::delay_ms)).unwrap_or(i64::MAX);
            records.remember(Record {
                key: key.to_owned(),
                path: call.request.path.clone(),
                fingerprint: fingerprint(&canonical),
                status: answer.status,
                body: answer.body.clone(),
                request_id: call.request_id.to_owned(),
                created_at_ms: call.now_ms,
                busy_until_ms: call.now_ms.saturating_add(busy_ms),
            });
        }
        answer
    }

    /// Runs the endpoint, unless a stored accident takes its place or its answer.
    fn execute(&mut self, call: &Call<'_>, params: Params) -> Result<Answer, StripeError> {
        let Call { request, caller, .. } = call;
        let segments: Vec<&str> = request.path.strip_prefix("/v1/").unwrap_or("").split('/').collect();
        check_permission(caller, request.method, &segments)?;
        if let Some(error) = call.fault.and_then(Fault::instead_of_effect) {
            return Err(error);
        }
        let cause =
            Cause { request_id: Some(call.request_id.to_owned()), idempotency_key: request.idempotency_key.clone() };
        let mut scope = self.scope(&caller.place, cause, call.now_ms).ok_or_else(|| call.unrecognized())?;
        let result = routes::dispatch(&mut scope, request.method, &segments, params);
        let touched = std::mem::take(&mut scope.touched);
        let answer = match call.fault.and_then(Fault::after_stored_effect) {
            Some(error) => call.refusal(&error),
            None => Answer::new(200, result.unwrap_or_else(|| Err(call.unrecognized()))?.to_string()),
        };
        Ok(Answer { touched, ..answer })
    }

    fn records(&mut self, place: &Place) -> Option<&mut Records> {
        let account = self.accounts.get_mut(&place.account)?;
        Some(if place.livemode { &mut account.live.idempotency } else { &mut account.test.idempotency })
    }
}

/// Puts the headers on, and whatever the fault does to an answer on its way out.
fn finish(request: &Request, request_id: &str, answer: Answer, fault: Option<&Fault>) -> Response {
    let mut headers = BTreeMap::new();
    let mut put = |name: &str, value: &str| headers.insert(name.to_owned(), value.to_owned());
    put("Content-Type", "application/json");
    put("Request-Id", request_id);
    put("Stripe-Version", request.stripe_version.as_deref().unwrap_or(API_VERSION));
    if let (Method::Post, Some(key)) = (request.method, &request.idempotency_key) {
        put("Idempotency-Key", key);
        put("Original-Request", answer.original_request.as_deref().unwrap_or(request_id));
        if answer.original_request.is_some() {
            put("Idempotent-Replayed", "true");
        }
    }
    if answer.status == 401 {
        put("WWW-Authenticate", "Bearer realm=\"Stripe\"");
    }
    if let Some(should_retry) = answer.should_retry {
        put("Stripe-Should-Retry", if should_retry { "true" } else { "false" });
    }
    let mut response = Response { status: answer.status, headers, body: answer.body, transport: Transport::default() };
    if let Some(fault) = fault {
        fault.disturb(&mut response, request_id);
    }
    response
}

/// Stripe reads parameters from the query and from a POST's form alike.
fn joined_params(request: &Request) -> String {
    match (request.query.as_str(), request.body.as_str()) {
        (query, "") => query.to_owned(),
        ("", body) => body.to_owned(),
        (query, body) => format!("{query}&{body}"),
    }
}
