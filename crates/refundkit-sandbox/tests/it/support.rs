//! A Stripe to talk to in a test: the model, a clock that moves when told, and JSON on both sides.

use refundkit_sandbox::{DEV_SECRET_KEY, Method, Model, Request, Response, World};
use serde_json::Value;

pub(crate) const START_MS: i64 = 1_800_000_000_000;
/// The delay worlds begin with.
pub(crate) const DELAY_MS: i64 = 5_000;
/// The plain paid charge of the development world: 100.00 USD.
pub(crate) const CHARGE: &str = "ch_1N4HbSKz9cXRvFYr";

pub(crate) struct Stripe {
    pub(crate) model: Model,
    pub(crate) now_ms: i64,
    pub(crate) key: &'static str,
}

pub(crate) fn stripe() -> Stripe {
    Stripe { model: World::Dev.build(7, START_MS), now_ms: START_MS, key: DEV_SECRET_KEY }
}

pub(crate) fn json(response: &Response) -> Value {
    serde_json::from_str(&response.body).unwrap_or_else(|error| panic!("{error}: {}", response.body))
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is not text")).to_owned()
}

pub(crate) fn ids(list: &Value) -> Vec<String> {
    list["data"].as_array().expect("a list").iter().map(|row| text(&row["id"])).collect()
}

impl Stripe {
    pub(crate) fn request(&self, method: Method, target: &str, body: &str) -> Request {
        Request::new(method, target, body).with_api_key(self.key)
    }

    pub(crate) fn send(&mut self, request: &Request) -> Response {
        self.model.apply(request, self.now_ms)
    }

    pub(crate) fn get(&mut self, target: &str) -> Response {
        let request = self.request(Method::Get, target, "");
        self.send(&request)
    }

    pub(crate) fn post(&mut self, target: &str, body: &str) -> Response {
        let request = self.request(Method::Post, target, body);
        self.send(&request)
    }

    pub(crate) fn post_once(&mut self, target: &str, body: &str, key: &str) -> Response {
        let request = self.request(Method::Post, target, body).with_idempotency_key(key);
        self.send(&request)
    }

    /// The object of a GET that must succeed.
    pub(crate) fn read(&mut self, target: &str) -> Value {
        let response = self.get(target);
        assert_eq!(response.status, 200, "{}", response.body);
        json(&response)
    }

    /// The object of a POST that must succeed.
    pub(crate) fn make(&mut self, target: &str, body: &str) -> Value {
        let response = self.post(target, body);
        assert_eq!(response.status, 200, "{}", response.body);
        json(&response)
    }

    /// The error of a POST that must fail with this status.
    pub(crate) fn refused(&mut self, target: &str, body: &str, status: u16) -> Value {
        let response = self.post(target, body);
        assert_eq!(response.status, status, "{}", response.body);
        json(&response)["error"].take()
    }

    /// A control request that must succeed.
    pub(crate) fn control(&mut self, target: &str, body: &str) -> Value {
        let response = self.send(&Request::new(Method::Post, target, body));
        assert_eq!(response.status, 200, "{}", response.body);
        json(&response)
    }

    pub(crate) fn wait(&mut self, ms: i64) {
        self.now_ms += ms;
        self.model.advance(self.now_ms);
    }

    /// The newest events of these types, oldest first.
    pub(crate) fn events(&mut self, since: usize) -> Vec<String> {
        let list = self.read("/v1/events?limit=100");
        let mut kinds: Vec<String> =
            list["data"].as_array().expect("a list").iter().map(|event| text(&event["type"])).collect();
        kinds.reverse();
        kinds.split_off(since)
    }

    pub(crate) fn event_count(&mut self) -> usize {
        self.events(0).len()
    }
}
