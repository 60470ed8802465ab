//! The client for a running RefundKit server: [`RefundKit`].
//!
//! An operation is sent as it is defined ([`crate::operations`]): its struct says method, path, input and output, so there is
//! one generic call, [`RefundKit::send`], and short names for the usual ones (`client.refunds().create(…)`). What does not
//! live here: rules and checks of input. The types carry those that need no server, the server makes the others.
//!
//! ```no_run
//! use refundkit::{RefundKit, RefundReason, operations::CreateRefund};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = RefundKit::builder().api_key(std::env::var("REFUNDKIT_API_KEY")?).build()?;
//! let create = CreateRefund::new("ch_3PqX2eLkdIwHu7ix0R8Jm1aB".parse()?, RefundReason::ProductDefective);
//! let refund = client.refunds().create(&create).await?;
//! println!("{} is {}", refund.id, refund.status);
//! # Ok(())
//! # }
//! ```
//!
//! Everything here is asynchronous and runs on Tokio. A program that is not brings a runtime and waits in it:
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! let client = refundkit::RefundKit::from_env()?;
//! let me = runtime.block_on(client.me())?;
//! println!("{}", me.organization_id);
//! # Ok(())
//! # }
//! ```
//!
//! **Retries.** GETs, operations that an idempotency key makes repeatable, and cancels are sent again, at most
//! [`max_retries`](RefundKitBuilder::max_retries) times: on network errors, on 429, and where the server says `retryable`.
//! `Retry-After` is honoured up to [`RETRY_AFTER_MAX`]; who is asked to wait longer gets the error instead. Every attempt of
//! one call carries the same idempotency key, the caller's or one made here, so a refund is made once however often it is sent.

#![expect(clippy::result_large_err, reason = "an error is made once a call, and callers match on its fields directly")]

use std::{fmt, sync::Arc, time::Duration};

use reqwest::{
    Url,
    header::{AUTHORIZATION, HeaderValue},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use tracing::Instrument as _;

use crate::{Effect, Error, ErrorCode, Operation};

mod answer;
mod builder;
mod pages;
mod request;
mod resources;
mod retry;
mod wait;

pub use builder::{BASE_URL_DEFAULT, MAX_RETRIES_DEFAULT, RefundKitBuilder, TIMEOUT_DEFAULT};
pub use pages::PagedOperation;
pub use resources::{ApiKeys, Logs, Policies, Processors, Refunds, Transactions};
pub use retry::RETRY_AFTER_MAX;

use answer::Failure;
use request::{Asked, Prepared};
use retry::Retries;

/// The longest idempotency key, in characters.
pub const IDEMPOTENCY_KEY_CHARACTERS_MAX: usize = 255;
/// The largest answer that is read, in bytes.
pub const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A client for a RefundKit server. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct RefundKit(Arc<Inner>);

struct Inner {
    http: reqwest::Client,
    base_url: Url,
    api_key: SecretString,
    client_name: HeaderValue,
    max_retries: u32,
}

/// What the server answered, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Response<T> {
    /// What the operation answers.
    pub output: T,
    /// The HTTP status. 202 is success too: what was asked for is written down, its outcome is not known yet.
    pub status_code: u16,
    /// The request's id, to quote when asking about it.
    pub request_id: Option<String>,
    /// Whether this is the answer to an earlier request with the same idempotency key.
    pub replayed: bool,
}

/// What may be said about one call beside its operation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct Options {
    /// The key under which the server does this once, 1 to 255 visible ASCII characters. None: one is made for this call.
    pub idempotency_key: Option<String>,
    /// How long one attempt of this call may take. None: as long as the client allows each of its calls.
    pub timeout: Option<Duration>,
}

impl Options {
    /// Has the server do this once under that key.
    #[must_use]
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// How long one attempt of this call may take, from connecting to the last byte of the answer.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

impl RefundKit {
    /// Begins a client; only the API key has no default.
    pub fn builder() -> RefundKitBuilder {
        RefundKitBuilder::default()
    }

    /// A client as the environment says: `REFUNDKIT_API_KEY`, and `REFUNDKIT_BASE_URL` where it is set.
    ///
    /// `invalid_api_key` and `validation_error` as [`RefundKitBuilder::build`].
    pub fn from_env() -> Result<Self, Error> {
        let setting = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let mut builder = Self::builder().api_key(setting("REFUNDKIT_API_KEY").unwrap_or_default());
        if let Some(url) = setting("REFUNDKIT_BASE_URL") {
            builder = builder.base_url(url);
        }
        builder.build()
    }

    /// Where the server is.
    pub fn base_url(&self) -> &str {
        self.0.base_url.as_str()
    }

    /// Sends an operation and reads its answer.
    ///
    /// Errors keep the server's code. `network_error` and `timeout` are made here: no answer, or one that is not RefundKit's.
    pub async fn send<O: Operation>(&self, operation: &O) -> Result<Response<O::Output>, Error> {
        self.send_with(operation, Options::default()).await
    }

    /// As [`send`](Self::send), with options.
    ///
    /// `validation_error` without a status, and nothing sent, when the idempotency key is not 1 to 255 visible characters.
    pub async fn send_with<O: Operation>(&self, operation: &O, options: Options) -> Result<Response<O::Output>, Error> {
        let asked = Asked::of(operation);
        let (answer, idempotency_key) = self.ask(asked, options).await?;
        answer.decode(O::NAME, &self.0.base_url).map_err(|failure| failure.conclude(true, idempotency_key.as_deref()))
    }

    /// Answers with what came back, and the idempotency key under which it was asked.
    async fn ask(&self, asked: Asked, options: Options) -> Result<(Response<Value>, Option<String>), Error> {
        let idempotency_key = idempotency_key(&asked, options.idempotency_key)?;
        let retries = Retries::new(if asked.may_repeat() { self.0.max_retries } else { 0 });
        let span = tracing::debug_span!("refundkit", operation = asked.name);
        let prepared = Prepared::new(asked, &self.0.base_url)?.within(options.timeout);
        let answer = self.tries(&prepared, idempotency_key.as_deref(), retries).instrument(span).await?;
        Ok((answer, idempotency_key))
    }

    async fn tries(
        &self,
        prepared: &Prepared,
        idempotency_key: Option<&str>,
        mut retries: Retries,
    ) -> Result<Response<Value>, Error> {
        loop {
            let failure = match self.attempt(prepared, idempotency_key).await {
                Ok(response) => return Ok(response),
                Err(failure) => failure,
            };
            let Some(wait) = retries.wait_after(&failure) else {
                return Err(retries.conclude(failure, idempotency_key));
            };
            tracing::debug!(code = %failure.error.code, wait_ms = wait.as_millis(), "sending again");
            tokio::time::sleep(wait).await;
        }
    }

    async fn attempt(&self, prepared: &Prepared, idempotency_key: Option<&str>) -> Result<Response<Value>, Failure> {
        let mut request = prepared
            .request(&self.0.http)
            .header(AUTHORIZATION, bearer(&self.0.api_key).map_err(Failure::before_sending)?)
            .header("RefundKit-Client", &self.0.client_name);
        if let Some(key) = idempotency_key {
            request = request.header("Idempotency-Key", key);
        }
        let unanswered = |error| Failure::unanswered(&error, &self.0.base_url);
        let response = request.send().await.map_err(unanswered)?;
        answer::read(response, &self.0.base_url).await?.open(&self.0.base_url)
    }
}

impl fmt::Debug for RefundKit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefundKit").field("base_url", &self.base_url()).field("api_key", &"***").finish_non_exhaustive()
    }
}

/// Asks the server whether it is up and ready to serve, without a key and without retries.
///
/// `network_error` or `timeout` when nothing like a RefundKit server answers there, `service_unavailable` when it is up but not
/// ready (starting, draining, or without its database), `validation_error` when `base_url` is not usable.
pub async fn check_ready(base_url: &str, timeout: Duration) -> Result<(), Error> {
    let base_url = builder::parse_base_url(base_url)?;
    let http = builder::http_client(&base_url, timeout)?;
    let prepared = Prepared::get(&base_url, "/readyz")?;
    let unanswered = |error| Failure::unanswered(&error, &base_url).error;
    match prepared.request(&http).send().await.map_err(unanswered)?.status().as_u16() {
        200..=299 => Ok(()),
        503 => Err(Error {
            status_code: Some(503),
            retryable: true,
            ..Error::new(
                ErrorCode::ServiceUnavailable,
                format!("RefundKit at {} is up but not ready.", request::host(&base_url)),
            )
        }),
        status_code => Err(answer::foreign(&base_url, status_code)),
    }
}

/// The key under which this call is made, when it is made under one.
fn idempotency_key(asked: &Asked, given: Option<String>) -> Result<Option<String>, Error> {
    match given {
        Some(key) => {
            let length_allowed = (1..=IDEMPOTENCY_KEY_CHARACTERS_MAX).contains(&key.len());
            if length_allowed && key.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Ok(Some(key));
            }
            Err(Error {
                field: Some("idempotencyKey".to_owned()),
                ..Error::new(
                    ErrorCode::ValidationError,
                    format!(
                        "An idempotency key must be 1 to {IDEMPOTENCY_KEY_CHARACTERS_MAX} visible ASCII characters."
                    ),
                )
            })
        }
        None if asked.effect == Effect::WriteOnce => Ok(Some(retry::new_idempotency_key())),
        None => Ok(None),
    }
}

fn bearer(key: &SecretString) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", key.expose_secret()))
        .map_err(|_| Error::new(ErrorCode::InvalidApiKey, "The API key cannot be sent in a header."))?;
    value.set_sensitive(true);
    Ok(value)
}
