//! What goes into the model and what comes out of it, as plain data.
//!
//! Nothing here knows a socket: the HTTP face turns its requests into these and carries out what an answer's
//! [`Transport`] asks for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The HTTP methods Stripe's API uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Reads.
    Get,
    /// Creates, updates and acts.
    Post,
    /// Removes.
    Delete,
}

impl Method {
    /// The method as it stands on a request line.
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Delete => "DELETE",
        }
    }
}

/// One request to the model: only what Stripe looks at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path without the query, such as `/v1/refunds`.
    pub path: String,
    /// The query without the question mark.
    pub query: String,
    /// The `Authorization` header, whole.
    pub authorization: Option<String>,
    /// The `Idempotency-Key` header.
    pub idempotency_key: Option<String>,
    /// The `Stripe-Version` header.
    pub stripe_version: Option<String>,
    /// The `Stripe-Account` header: act on this connected account.
    pub stripe_account: Option<String>,
    /// The body: a form for `/v1`, JSON for `/_sandbox`.
    pub body: String,
}

impl Request {
    /// A request without headers; `target` is a path with or without a query.
    pub fn new(method: Method, target: &str, body: impl Into<String>) -> Request {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Request {
            method,
            path: path.to_owned(),
            query: query.to_owned(),
            authorization: None,
            idempotency_key: None,
            stripe_version: None,
            stripe_account: None,
            body: body.into(),
        }
    }

    /// The same request, signed with an API key.
    #[must_use]
    pub fn with_api_key(mut self, secret: &str) -> Request {
        self.authorization = Some(format!("Bearer {secret}"));
        self
    }

    /// The same request with an idempotency key.
    #[must_use]
    pub fn with_idempotency_key(mut self, key: &str) -> Request {
        self.idempotency_key = Some(key.to_owned());
        self
    }

    /// The same request on behalf of a connected account.
    #[must_use]
    pub fn with_stripe_account(mut self, account: &str) -> Request {
        self.stripe_account = Some(account.to_owned());
        self
    }
}

/// One answer of the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The headers, by their usual spelling.
    pub headers: BTreeMap<String, String>,
    /// The body: JSON, unless a fault made it unreadable.
    pub body: String,
    /// How the answer travels.
    pub transport: Transport,
}

/// How an answer travels: decided in the model, carried out by whoever holds the socket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transport {
    /// Wait this long before answering.
    pub delay_ms: u64,
    /// Close the connection instead of answering.
    pub cut: bool,
}
