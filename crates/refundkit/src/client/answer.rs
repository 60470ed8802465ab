//! From an HTTP answer to an output or an error.
//!
//! Only RefundKit's envelope counts as its answer. Anything else (a proxy's page, another server, half a body) is
//! `network_error`, whatever its status.

use std::time::Duration;

use reqwest::Url;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{ANSWER_BYTES_MAX, Response, request::host};
use crate::{Error, ErrorBody, ErrorCode};

/// Why an attempt did not succeed, and what that means for another one.
pub(super) struct Failure {
    pub(super) error: Error,
    /// How long the server asked to wait.
    pub(super) retry_after: Option<Duration>,
    /// Whether the server may have done what was asked.
    pub(super) in_doubt: bool,
}

impl Failure {
    /// Nothing left this machine.
    pub(super) const fn before_sending(error: Error) -> Self {
        Self { error, retry_after: None, in_doubt: false }
    }

    /// There was no answer, or it broke off.
    pub(super) fn unanswered(error: &reqwest::Error, base_url: &Url) -> Self {
        let host = host(base_url);
        let (code, message, hint) = if error.is_connect() {
            (
                if error.is_timeout() { ErrorCode::Timeout } else { ErrorCode::NetworkError },
                format!("RefundKit was not reached at {host}: {}.", root_cause(error)),
                Some("Check that the server is running and that the base URL is right."),
            )
        } else if error.is_timeout() {
            (ErrorCode::Timeout, format!("RefundKit at {host} did not answer in time."), None)
        } else {
            let message = format!(
                "The connection to RefundKit at {host} broke before its answer was read: {}.",
                root_cause(error)
            );
            (ErrorCode::NetworkError, message, None)
        };
        let error = Error { retryable: true, hint: hint.map(str::to_owned), ..Error::new(code, message) };
        Self { in_doubt: hint.is_none(), error, retry_after: None }
    }

    /// The error to give the caller. After an attempt whose outcome nobody knows, it says under which key to ask again.
    pub(super) fn conclude(self, in_doubt: bool, idempotency_key: Option<&str>) -> Error {
        let mut error = self.error;
        let open = error.retryable || error.code == ErrorCode::NetworkError;
        if let Some(key) = idempotency_key
            && in_doubt
            && open
        {
            error.outcome_unknown = true;
            error.hint =
                Some(format!("It may have been done. Repeat it with the idempotency key {key}: then it is done once."));
            error.idempotency_key = Some(key.to_owned());
        }
        error
    }
}

/// The innermost error: the outer ones only say that a request failed.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// An answer, read but not understood yet.
pub(super) struct Answer {
    status_code: u16,
    request_id: Option<String>,
    replayed: bool,
    retry_after: Option<Duration>,
    body: Vec<u8>,
}

/// Reads an answer, up to [`ANSWER_BYTES_MAX`].
pub(super) async fn read(mut response: reqwest::Response, base_url: &Url) -> Result<Answer, Failure> {
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let status_code = response.status().as_u16();
    let request_id = header("Request-Id");
    let replayed = header("Idempotent-Replayed").as_deref() == Some("true");
    let retry_after = header("Retry-After").and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);

    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| Failure::unanswered(&error, base_url))? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            let message =
                format!("The answer from {} is larger than {ANSWER_BYTES_MAX} bytes and was not read.", host(base_url));
            let error =
                Error { status_code: Some(status_code), request_id, ..Error::new(ErrorCode::NetworkError, message) };
            return Err(Failure { error, retry_after, in_doubt: true });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status_code, request_id, replayed, retry_after, body })
}

impl Answer {
    /// Takes the output out of the envelope, or the error.
    pub(super) fn open(self, base_url: &Url) -> Result<Response<Value>, Failure> {
        match self.envelope() {
            Some(Envelope::Output(output)) => Ok(Response {
                output,
                status_code: self.status_code,
                request_id: self.request_id,
                replayed: self.replayed,
            }),
            Some(Envelope::Error(body)) => {
                let error = Error::from_body(self.status_code, *body);
                Err(Failure { error, retry_after: self.retry_after, in_doubt: false })
            }
            None => {
                let error = Error { request_id: self.request_id, ..foreign(base_url, self.status_code) };
                Err(Failure { error, retry_after: self.retry_after, in_doubt: true })
            }
        }
    }

    fn envelope(&self) -> Option<Envelope> {
        let mut fields: Map<String, Value> = serde_json::from_slice(&self.body).ok()?;
        let (data, error) = (fields.remove("data")?, fields.remove("error")?);
        if !error.is_null() {
            return error_body(error, self.status_code).map(|body| Envelope::Error(Box::new(body)));
        }
        let usable = (200..300).contains(&self.status_code) && !data.is_null();
        usable.then(|| match fields.remove("page") {
            Some(page) => Envelope::Output(serde_json::json!({ "data": data, "page": page })),
            None => Envelope::Output(data),
        })
    }
}

impl Response<Value> {
    /// Reads the output as what the operation answers.
    pub(super) fn decode<T: DeserializeOwned>(self, operation: &str, base_url: &Url) -> Result<Response<T>, Failure> {
        let Self { output, status_code, request_id, replayed } = self;
        match serde_json::from_value(output) {
            Ok(output) => Ok(Response { output, status_code, request_id, replayed }),
            Err(reason) => {
                let error = not_understood(operation, base_url, &reason.to_string());
                let error = Error { status_code: Some(status_code), request_id, ..error };
                Err(Failure { error, retry_after: None, in_doubt: true })
            }
        }
    }
}

enum Envelope {
    Output(Value),
    Error(Box<ErrorBody>),
}

/// Reads the error of the envelope. A code that is newer than this client becomes what its status means.
fn error_body(mut error: Value, status_code: u16) -> Option<ErrorBody> {
    let code = error.get("code")?.as_str()?;
    if code.parse::<ErrorCode>().is_err() {
        error["code"] = code_for(status_code).as_str().into();
    }
    serde_json::from_value(error).ok()
}

const fn code_for(status_code: u16) -> ErrorCode {
    match status_code {
        401 => ErrorCode::InvalidApiKey,
        403 => ErrorCode::Unauthorized,
        404 => ErrorCode::NotFound,
        409 => ErrorCode::Conflict,
        429 => ErrorCode::RateLimited,
        503 => ErrorCode::ServiceUnavailable,
        400..=499 => ErrorCode::ValidationError,
        _ => ErrorCode::InternalError,
    }
}

/// The error for an answer that is not RefundKit's. What a server in trouble, or a proxy before it, answers may pass.
pub(super) fn foreign(base_url: &Url, status_code: u16) -> Error {
    Error {
        status_code: Some(status_code),
        retryable: matches!(status_code, 408 | 429 | 500..=599),
        hint: Some("Check that the base URL is RefundKit's, and what any proxy in between does.".to_owned()),
        ..Error::new(
            ErrorCode::NetworkError,
            format!("The answer from {} (status {status_code}) is not one of RefundKit's.", host(base_url)),
        )
    }
}

fn not_understood(operation: &str, base_url: &Url, reason: &str) -> Error {
    Error {
        hint: Some("The server may be newer than this client: update the client.".to_owned()),
        ..Error::new(
            ErrorCode::NetworkError,
            format!(
                "RefundKit at {} answered {operation} with something this client does not understand: {reason}.",
                host(base_url)
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::{Refund, client::retry::Retries, vectors};

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Vector {
        status: u16,
        retry_after: Option<String>,
        body: String,
        code: ErrorCode,
        retryable: bool,
        in_doubt: bool,
        repeated: bool,
    }

    #[test]
    fn answers_that_are_no_success_mean_what_they_mean_everywhere() {
        let base_url = Url::parse("http://127.0.0.1:8080").unwrap();
        for vector in vectors::read::<Vector>("serverAnswers") {
            let answer = Answer {
                status_code: vector.status,
                request_id: None,
                replayed: false,
                retry_after: vector.retry_after.map(|seconds| Duration::from_secs(seconds.parse().unwrap())),
                body: vector.body.clone().into_bytes(),
            };
            let failure = answer
                .open(&base_url)
                .and_then(|answer| answer.decode::<Refund>("get_refund", &base_url))
                .err()
                .unwrap();
            let error = &failure.error;
            assert_eq!(
                (error.code, error.retryable, error.status_code, failure.in_doubt),
                (vector.code, vector.retryable, Some(vector.status), vector.in_doubt),
                "{} {}",
                vector.status,
                vector.body
            );
            assert_eq!(Retries::new(1).wait_after(&failure).is_some(), vector.repeated, "{}", vector.body);
            assert_eq!(Retries::new(0).wait_after(&failure), None);
        }
    }
}
