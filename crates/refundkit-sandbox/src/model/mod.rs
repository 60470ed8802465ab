//! The model: a small Stripe as plain data. Requests and instants go in, answers and webhooks come out.
//!
//! No IO, no clock, no randomness of its own. [`Model::apply`] is the whole pipeline of one request: who asks, which
//! fault strikes, what the idempotency key remembers, what the endpoint does, what the answer looks like. What an
//! endpoint does lives in the file named after its noun.

mod accounts;
mod authentication;
mod balance;
mod charges;
mod control;
mod deliveries;
mod disputes;
mod events;
mod expand;
mod fixtures;
mod ledger;
mod lists;
mod payment_intents;
mod payment_methods;
mod refund_creation;
mod refund_lifecycle;
mod refunds;
mod request_log;
mod routes;
mod webhook_endpoints;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use accounts::ApiKey;
pub use balance::ShortBalance;
pub use control::{ControlError, DashboardRefund, RefundAction};
pub use deliveries::{DeliveryOutcome, DueDelivery};
pub use ledger::{LedgerCharge, LedgerRefund};
pub use request_log::LoggedRequest;

use accounts::{Account, Books, Profile};
use control::is_control_path;
pub(crate) use events::matches_kind;
pub(crate) use fixtures::{Fixture, Payment};

use crate::errors::{OtherMode, StripeError};
use crate::faults::{Fault, Faults};
use crate::ids::Ids;
use crate::params::Params;
use crate::request::{Method, Request, Response, Transport};
use crate::table::Schedule;
use authentication::{Caller, check_permission};
use deliveries::Delivery;
use refund_lifecycle::RefundTimer;
use request_log::RequestLog;

/// The API version whose object shapes the sandbox imitates.
pub const API_VERSION: &str = "2026-10-28.endive";

/// A Stripe-compatible simulator as a value.
///
/// The same seed, the same requests and the same instants give the same answers, byte for byte. A clone is a complete
/// snapshot, and so is its serialized form.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Model {
    pub(crate) ids: Ids,
    pub(crate) accounts: BTreeMap<String, Account>,
    pub(crate) api_keys: BTreeMap<String, ApiKey>,
    pub(crate) settings: Settings,
    pub(crate) timers: Schedule<RefundTimer>,
    pub(crate) deliveries: Schedule<Delivery>,
    pub(crate) faults: Faults,
    pub(crate) log: RequestLog,
    pub(crate) clock_offset_ms: i64,
    pub(crate) revision: u64,
}

/// The delays of timed behaviour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// From one state of a refund to its next, in milliseconds; also until its bank reference appears.
    pub refund_delay_ms: i64,
    /// From a failed webhook attempt to the next, in milliseconds; the second pause is twice as long.
    pub webhook_retry_delay_ms: i64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { refund_delay_ms: 5_000, webhook_retry_delay_ms: 5_000 }
    }
}

/// One account in one mode: the books a key opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) account: String,
    pub(crate) livemode: bool,
}

/// The request an event or object comes from; both empty when time or the Dashboard did it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cause {
    pub(crate) request_id: Option<String>,
    pub(crate) idempotency_key: Option<String>,
}

/// One account in one mode at one instant, with everything an endpoint may touch.
pub(crate) struct Scope<'a> {
    pub(crate) profile: &'a Profile,
    pub(crate) books: &'a mut Books,
    pub(crate) other_books: &'a Books,
    pub(crate) ids: &'a mut Ids,
    pub(crate) settings: Settings,
    pub(crate) timers: &'a mut Schedule<RefundTimer>,
    pub(crate) deliveries: &'a mut Schedule<Delivery>,
    pub(crate) faults: &'a mut Faults,
    pub(crate) place: Place,
    pub(crate) cause: Cause,
    pub(crate) now_ms: i64,
    /// Ids of the objects made or changed, for the request log.
    pub(crate) touched: Vec<String>,
}

impl Scope<'_> {
    /// Now, in the seconds Stripe stamps objects with.
    pub(crate) fn now(&self) -> i64 {
        self.now_ms.div_euclid(1000)
    }

    pub(crate) fn livemode(&self) -> bool {
        self.place.livemode
    }

    /// Which mode a missing object is found in, given a look into the other one.
    pub(crate) fn found_in_other_mode(&self, exists: impl Fn(&Books) -> bool) -> OtherMode {
        match (exists(self.other_books), self.place.livemode) {
            (false, _) => OtherMode::Nowhere,
            (true, false) => OtherMode::Live,
            (true, true) => OtherMode::Test,
        }
    }

    pub(crate) fn touch(&mut self, id: &str) {
        if !self.touched.iter().any(|known| known == id) {
            self.touched.push(id.to_owned());
        }
    }
}

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

impl Model {
    /// A model without accounts. [`crate::World::build`] makes one that can be used at once.
    pub fn new(seed: u64) -> Model {
        Model {
            ids: Ids::new(seed),
            accounts: BTreeMap::new(),
            api_keys: BTreeMap::new(),
            settings: Settings::default(),
            timers: Schedule::default(),
            deliveries: Schedule::default(),
            faults: Faults::default(),
            log: RequestLog::default(),
            clock_offset_ms: 0,
            revision: 0,
        }
    }

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
            Ok(caller) => self.answer(request, &caller, &request_id, fault.as_ref(), now_ms),
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

    /// Runs everything that was due by `now_ms`: refunds move on, and their webhooks are queued.
    pub fn advance(&mut self, now_ms: i64) {
        let now_ms = now_ms.saturating_add(self.clock_offset_ms);
        while let Some((due_at_ms, timer)) = self.timers.pop_due(now_ms) {
            self.revision += 1;
            if let Some(mut scope) = self.scope(&timer.place, Cause::default(), due_at_ms) {
                scope.run_refund_timer(&timer);
            }
        }
        for place in self.places_waiting_for_funds() {
            if let Some(mut scope) = self.scope(&place, Cause::default(), now_ms)
                && scope.pay_waiting_refunds()
            {
                self.revision += 1;
            }
        }
    }

    /// When the next timed behaviour or delivery is due, in unix milliseconds.
    pub fn next_due_at_ms(&self) -> Option<i64> {
        let due_at_ms = [self.timers.next_due_at_ms(), self.deliveries.next_due_at_ms()].into_iter().flatten().min()?;
        Some(due_at_ms.saturating_sub(self.clock_offset_ms))
    }

    /// Counts changes worth keeping: equal revisions mean nothing but the request log moved.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The delays of timed behaviour.
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// Changes the delays for everything that begins from now on.
    pub fn set_settings(&mut self, settings: Settings) {
        self.settings = settings;
        self.revision += 1;
    }

    /// The requests of the past, oldest first, as many as are kept.
    pub fn requests(&self) -> impl Iterator<Item = &LoggedRequest> {
        self.log.iter()
    }

    pub(crate) fn scope(&mut self, place: &Place, cause: Cause, now_ms: i64) -> Option<Scope<'_>> {
        let account = self.accounts.get_mut(&place.account)?;
        let (books, other_books) =
            if place.livemode { (&mut account.live, &account.test) } else { (&mut account.test, &account.live) };
        Some(Scope {
            profile: &account.profile,
            books,
            other_books,
            ids: &mut self.ids,
            settings: self.settings,
            timers: &mut self.timers,
            deliveries: &mut self.deliveries,
            faults: &mut self.faults,
            place: place.clone(),
            cause,
            now_ms,
            touched: Vec::new(),
        })
    }

    /// Every account in both modes.
    pub(crate) fn places(&self) -> Vec<Place> {
        let both = [false, true];
        self.accounts
            .keys()
            .flat_map(|account| both.map(|livemode| Place { account: account.clone(), livemode }))
            .collect()
    }

    pub(crate) fn books(&self, place: &Place) -> Option<&Books> {
        let account = self.accounts.get(&place.account)?;
        Some(if place.livemode { &account.live } else { &account.test })
    }

    fn places_waiting_for_funds(&self) -> Vec<Place> {
        let mut places = self.places();
        places.retain(|place| self.books(place).is_some_and(|books| !books.waiting_for_funds.is_empty()));
        places
    }

    /// Authentication and the limiter stand before the idempotency layer, as at Stripe.
    fn answer(
        &mut self,
        request: &Request,
        caller: &Caller,
        request_id: &str,
        fault: Option<&Fault>,
        now_ms: i64,
    ) -> Answer {
        let livemode = caller.place.livemode;
        if let Some(error) = fault.and_then(Fault::before_effect) {
            return Answer::refusal(&error, request_id, livemode);
        }
        let params = match Params::parse(&joined_params(request)) {
            Ok(params) => params,
            Err(error) => return Answer::refusal(&error, request_id, livemode),
        };
        if let (Method::Post, Some(key)) = (request.method, &request.idempotency_key) {
            return self.answer_once(request, key, params, caller, request_id, fault, now_ms);
        }
        match self.execute(request, params, caller, request_id, fault, now_ms) {
            Ok(answer) => answer,
            Err(error) => Answer::refusal(&error, request_id, livemode),
        }
    }

    /// A POST with an idempotency key: the first answer of the endpoint is the only one.
    #[expect(clippy::too_many_arguments, reason = "one request's facts, used nowhere else")]
    fn answer_once(
        &mut self,
        request: &Request,
        key: &str,
        params: Params,
        caller: &Caller,
        request_id: &str,
        fault: Option<&Fault>,
        now_ms: i64,
    ) -> Answer {
        let livemode = caller.place.livemode;
        let canonical = params.canonical();
        let Some(records) = self.records(&caller.place) else {
            return Answer::refusal(&StripeError::unrecognized_url("POST", &request.path), request_id, livemode);
        };
        match records.recall(key, &request.path, &canonical, now_ms) {
            Err(error) => return Answer::refusal(&error, request_id, livemode),
            Ok(Some(first)) => {
                let mut answer = Answer::new(first.status, first.body.clone());
                answer.original_request = Some(first.request_id.clone());
                return answer;
            }
            Ok(None) => {}
        }
        let (answer, remember) = match self.execute(request, params, caller, request_id, fault, now_ms) {
            Ok(answer) => (answer, true),
            Err(error) => {
                (Answer::refusal(&error, request_id, livemode), error.stage == crate::errors::Stage::Execution)
            }
        };
        if remember && let Some(records) = self.records(&caller.place) {
            let busy_ms = fault.map_or(0, Fault::delay_ms);
            records.remember(crate::idempotency::Record {
                key: key.to_owned(),
                path: request.path.clone(),
                fingerprint: crate::idempotency::fingerprint(&canonical),
                status: answer.status,
                body: answer.body.clone(),
                request_id: request_id.to_owned(),
                created_at_ms: now_ms,
                busy_until_ms: now_ms.saturating_add(i64::try_from(busy_ms).unwrap_or(i64::MAX)),
            });
        }
        answer
    }

    /// Runs the endpoint, unless a stored accident takes its place or its answer.
    fn execute(
        &mut self,
        request: &Request,
        params: Params,
        caller: &Caller,
        request_id: &str,
        fault: Option<&Fault>,
        now_ms: i64,
    ) -> Result<Answer, StripeError> {
        let segments: Vec<&str> = request.path.strip_prefix("/v1/").unwrap_or("").split('/').collect();
        check_permission(caller, request.method, &segments)?;
        if let Some(error) = fault.and_then(Fault::instead_of_effect) {
            return Err(error);
        }
        let cause = Cause { request_id: Some(request_id.to_owned()), idempotency_key: request.idempotency_key.clone() };
        let unrecognized = || StripeError::unrecognized_url(request.method.as_str(), &request.path);
        let mut scope = self.scope(&caller.place, cause, now_ms).ok_or_else(unrecognized)?;
        let result =
            routes::dispatch(&mut scope, request.method, &segments, params).unwrap_or_else(|| Err(unrecognized()));
        let touched = std::mem::take(&mut scope.touched);
        if let Some(error) = fault.and_then(Fault::after_stored_effect) {
            let answer = Answer::refusal(&error, request_id, caller.place.livemode);
            return Ok(Answer { touched, ..answer });
        }
        Ok(Answer { touched, ..Answer::new(200, result?.to_string()) })
    }

    fn records(&mut self, place: &Place) -> Option<&mut crate::idempotency::Records> {
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

/// An expandable reference or `null`.
fn or_null(id: Option<&String>) -> Value {
    id.map_or(Value::Null, |id| json!(id))
}
