//! The request log: what came in and what it did, for people and tests to look at. Keys are never part of it.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::faults::Fault;
use crate::limits::{LOGGED_BODY_BYTES_MAX, LOGGED_REQUESTS_MAX};
use crate::request::{Method, Request, Response};

/// One request of the past.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedRequest {
    /// When it came, in unix milliseconds.
    pub at_ms: i64,
    /// Its `Request-Id`.
    pub request_id: Option<String>,
    /// Its method.
    pub method: Method,
    /// Its path.
    pub path: String,
    /// Its query.
    pub query: String,
    /// Its `Idempotency-Key`.
    pub idempotency_key: Option<String>,
    /// Its `Stripe-Version`.
    pub stripe_version: Option<String>,
    /// Its body, or the beginning of it.
    pub body: String,
    /// The status answered; nothing when the connection was cut.
    pub status: Option<u16>,
    /// Whether the answer repeated that of an earlier request.
    pub replayed: bool,
    /// Ids of the objects it made or changed.
    pub effects: Vec<String>,
    /// The fault that struck it.
    pub fault: Option<String>,
}

/// The newest requests.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct RequestLog {
    requests: VecDeque<LoggedRequest>,
}

impl RequestLog {
    pub(crate) fn record(
        &mut self,
        request: &Request,
        response: &Response,
        effects: Vec<String>,
        fault: Option<&Fault>,
        now_ms: i64,
    ) {
        let body_end = (0..=LOGGED_BODY_BYTES_MAX).rev().find(|end| request.body.is_char_boundary(*end));
        if self.requests.len() >= LOGGED_REQUESTS_MAX {
            self.requests.pop_front();
        }
        self.requests.push_back(LoggedRequest {
            at_ms: now_ms,
            request_id: response.headers.get("Request-Id").cloned(),
            method: request.method,
            path: request.path.clone(),
            query: request.query.clone(),
            idempotency_key: request.idempotency_key.clone(),
            stripe_version: request.stripe_version.clone(),
            body: request.body[..body_end.unwrap_or(0).min(request.body.len())].to_owned(),
            status: (!response.transport.cut).then_some(response.status),
            replayed: response.headers.contains_key("Idempotent-Replayed"),
            effects,
            fault: fault.map(|fault| fault.name().to_owned()),
        });
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &LoggedRequest> {
        self.requests.iter()
    }
}
