//! The model: a small Stripe as plain data. Requests and instants go in, answers and webhooks come out.
//!
//! No IO, no clock, no randomness of its own. The state and the passing of time live here, the way of one request in
//! `pipeline`, and what an endpoint does in the file named after its noun.

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
mod pipeline;
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
pub(crate) use events::matches_kind;
pub(crate) use fixtures::{Fixture, Payment};

use crate::errors::OtherMode;
use crate::faults::Faults;
use crate::ids::Ids;
use crate::table::Schedule;
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
}

/// An expandable reference or `null`.
fn or_null(id: Option<&String>) -> Value {
    id.map_or(Value::Null, |id| json!(id))
}
