//! One call to Stripe over HTTP: its headers, its tries, its time limits, and what came back.
//!
//! What a reply means lives in `errors` and `retry`; nothing here knows what a refund is. Keys and bodies are never logged.

use std::{error::Error as _, fmt, sync::Arc, time::Duration};

use reqwest::header::{CONTENT_TYPE, HeaderName};
use tokio::time::{Instant, sleep, timeout_at};
use tracing::Instrument as _;
use url::Url;

use crate::processors::{
    ambient,
    http::{Carrier, NotCarried, Timeouts},
    stripe::{
        answers::Answer,
        keys::StripeKey,
        requests::Request,
        retry::{self, Proof},
    },
};

const STRIPE_VERSION: HeaderName = HeaderName::from_static("stripe-version");
const STRIPE_ACCOUNT: HeaderName = HeaderName::from_static("stripe-account");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The largest answer that is read, in bytes.
pub const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// What one try came to.
#[derive(Debug)]
pub(super) enum Reply {
    /// An answer, read whole.
    Answered(Answer),
    /// Nothing was sent: no address, no connection, no TLS.
    NotReached { message: String },
    /// Something may have arrived, but no whole answer came back.
    NoAnswer { message: String, status: Option<u16>, request_id: Option<String> },
}

/// What a call came to: its last reply, and whether a try before it may have been executed.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) reply: Reply,
    pub(super) earlier_in_doubt: bool,
}

/// How Stripe is reached, and how patiently.
#[derive(Clone)]
pub(super) struct Wire {
    pub(super) client: reqwest::Client,
    /// What carries requests in place of the network.
    pub(super) carrier: Option<Arc<dyn Carrier>>,
    pub(super) key: StripeKey,
    pub(super) api_base: Url,
    pub(super) timeouts: Timeouts,
    pub(super) retries_max: u32,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire")
            .field("key", &self.key)
            .field("api_base", &self.api_base.as_str())
            .finish_non_exhaustive()
    }
}

impl Wire {
    /// Sends a request until it is answered, refused, or not worth another try.
    pub(super) async fn exchange(&self, request: &Request) -> Exchange {
        let span = tracing::debug_span!("stripe", method = %request.method, path = request.template);
        self.tries(request, self.retries_max).instrument(span).await
    }

    /// Sends a request once: for what is nice to know.
    pub(super) async fn exchange_once(&self, request: &Request) -> Exchange {
        let span = tracing::debug_span!("stripe", method = %request.method, path = request.template);
        self.tries(request, 0).instrument(span).await
    }

    async fn tries(&self, request: &Request, retries_max: u32) -> Exchange {
        let deadline = Instant::now() + self.timeouts.total;
        let mut earlier_in_doubt = false;
        let mut tries_made = 0;
        loop {
            let reply = self.one_try(request, deadline).await;
            tries_made += 1;
            // A try that has no time left to connect would only turn "never reached" into doubt.
            let in_time = |delay| Instant::now() + delay + self.timeouts.connect < deadline;
            // A simulation runs the same way every time.
            let jitter_percent = if self.carrier.is_some() { 100 } else { ambient::jitter_percent() };
            match retry::next_delay(&reply, tries_made, jitter_percent) {
                Some(delay) if tries_made <= retries_max && in_time(delay) => {
                    earlier_in_doubt |= retry::proof(&reply) == Proof::None;
                    sleep(delay).await;
                }
                _ => return Exchange { reply, earlier_in_doubt },
            }
        }
    }

    async fn one_try(&self, request: &Request, deadline: Instant) -> Reply {
        let started = Instant::now();
        let reply = match timeout_at(deadline, self.send(request)).await {
            Ok(reply) => reply,
            Err(_) => Reply::NoAnswer { message: silence(self.timeouts.total), status: None, request_id: None },
        };
        let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        match &reply {
            Reply::Answered(Answer { status, request_id, .. }) => {
                tracing::debug!(status, request_id, elapsed_ms, "Stripe answered");
            }
            Reply::NotReached { message } => tracing::debug!(elapsed_ms, message, "Stripe was not reached"),
            Reply::NoAnswer { message, status, request_id } => {
                tracing::debug!(status, request_id, elapsed_ms, message, "Stripe's answer did not arrive");
            }
        }
        reply
    }

    async fn send(&self, request: &Request) -> Reply {
        let mut response = match self.response(request).await {
            Ok(response) => response,
            Err(reply) => return reply,
        };
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        let mut answer = Answer {
            status: response.status().as_u16(),
            request_id: header("request-id").map(str::to_owned),
            should_retry: header("stripe-should-retry").and_then(|said| said.parse().ok()),
            retry_after_seconds: header("retry-after").and_then(|seconds| seconds.trim().parse().ok()),
            body: Vec::new(),
        };
        loop {
            match response.chunk().await {
                Ok(None) => return Reply::Answered(answer),
                Ok(Some(chunk)) if answer.body.len() + chunk.len() <= ANSWER_BYTES_MAX => {
                    answer.body.extend_from_slice(&chunk);
                }
                Ok(Some(_)) => {
                    let message = format!("Stripe's answer was larger than {ANSWER_BYTES_MAX} bytes.");
                    return Reply::NoAnswer { message, status: Some(answer.status), request_id: answer.request_id };
                }
                Err(error) => return self.lost(&error, Some(answer.status), answer.request_id),
            }
        }
    }

    /// The answer, as far as its headers.
    async fn response(&self, request: &Request) -> Result<reqwest::Response, Reply> {
        let not_reached = |error: &reqwest::Error| Reply::NotReached {
            message: format!("Stripe could not be reached: {}.", root_cause(error)),
        };
        let Some(carrier) = &self.carrier else {
            return self.built(request).send().await.map_err(|error| {
                if error.is_connect() || error.is_builder() {
                    not_reached(&error)
                } else {
                    self.lost(&error, None, None)
                }
            });
        };
        let built = self.built(request).build().map_err(|error| not_reached(&error))?;
        carrier.carry(built).await.map_err(|error| match error {
            NotCarried::NotReached => Reply::NotReached { message: "Stripe could not be reached.".to_owned() },
            NotCarried::Cut => {
                let message = "The connection to Stripe broke before its answer arrived.".to_owned();
                Reply::NoAnswer { message, status: None, request_id: None }
            }
        })
    }

    fn built(&self, request: &Request) -> reqwest::RequestBuilder {
        let mut builder = self
            .client
            .request(request.method.clone(), url(&self.api_base, &request.target))
            .bearer_auth(self.key.expose())
            .header(STRIPE_VERSION, &request.api_version);
        if let Some(account) = &request.account {
            builder = builder.header(STRIPE_ACCOUNT, account);
        }
        if let Some(key) = &request.idempotency_key {
            builder = builder.header(IDEMPOTENCY_KEY, key);
        }
        if let Some(body) = &request.body {
            builder = builder.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body.clone());
        }
        builder
    }

    fn lost(&self, error: &reqwest::Error, status: Option<u16>, request_id: Option<String>) -> Reply {
        let message = if error.is_timeout() {
            silence(self.timeouts.read)
        } else {
            format!("The connection to Stripe broke before its answer arrived: {}.", root_cause(error))
        };
        Reply::NoAnswer { message, status, request_id }
    }
}

/// Where a request goes. Only its path and query are parsed anew: the address of Stripe is the same every time.
fn url(api_base: &Url, target: &str) -> Url {
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let mut url = api_base.clone();
    match api_base.path().trim_end_matches('/') {
        "" => url.set_path(path),
        base => url.set_path(&format!("{base}{path}")),
    }
    url.set_query(query);
    url
}

fn silence(limit: Duration) -> String {
    let millis = limit.as_millis();
    if millis.is_multiple_of(1000) {
        format!("Stripe did not answer within {} s.", millis / 1000)
    } else {
        format!("Stripe did not answer within {millis} ms.")
    }
}

/// The innermost reason: it names no URL.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause = error.source();
    while let Some(inner) = cause.and_then(std::error::Error::source) {
        cause = Some(inner);
    }
    cause.map_or_else(|| "the request could not be built".to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_goes_where_its_address_and_target_together_say() {
        for base in
            ["https://api.stripe.com", "https://api.stripe.com/", "http://127.0.0.1:9/stripe", "http://[::1]:9/a/b/"]
        {
            for target in [
                "/v1/refunds",
                "/v1/charges/ch_1?expand%5B%5D=refunds",
                "/v1/refunds/re%2F1/cancel",
                "/v1/refunds?limit=1",
            ] {
                let whole = format!("{}{target}", base.trim_end_matches('/'));
                assert_eq!(url(&Url::parse(base).unwrap(), target), Url::parse(&whole).unwrap());
            }
        }
    }
}
