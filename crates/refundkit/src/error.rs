//! Errors as callers meet them: codes to match on, the body on the wire, and the error of a client call.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{RefundId, refund::words};

words! {
    /// What went wrong, to match on.
    ErrorCode {
        /// 401: the API key is missing, malformed, unknown or revoked.
        InvalidApiKey = "invalid_api_key",
        /// 403: the key's scope does not allow this operation.
        Unauthorized = "unauthorized",
        /// 404: no such resource in this organization and environment.
        NotFound = "not_found",
        /// 400: the request itself is wrong; `field` says where.
        ValidationError = "validation_error",
        /// 405: the path exists, the method does not.
        MethodNotAllowed = "method_not_allowed",
        /// 413: the body is larger than the server reads.
        RequestTooLarge = "request_too_large",
        /// 415: the body is not JSON.
        UnsupportedMediaType = "unsupported_media_type",
        /// 400: a credential or a charge contradicts the caller's environment.
        EnvironmentMismatch = "environment_mismatch",
        /// 422: no active connection for that processor in this environment.
        ProcessorNotConnected = "processor_not_connected",
        /// 422 when the processor refused or would refuse; 502 when it could not be read.
        ProcessorError = "processor_error",
        /// 409: the same refund was made already; `refundId` names it.
        RefundAlreadyProcessed = "refund_already_processed",
        /// 409: too late, or the processor will not take it back.
        RefundNotCancellable = "refund_not_cancellable",
        /// 409: something else that another state forbids.
        Conflict = "conflict",
        /// 422: the idempotency key was used with another request.
        IdempotencyKeyReused = "idempotency_key_reused",
        /// 409: the first request with this idempotency key is still running.
        IdempotencyKeyInUse = "idempotency_key_in_use",
        /// 429: too many requests; `Retry-After` says when.
        RateLimited = "rate_limited",
        /// 503: overloaded, draining, or without its database; try again.
        ServiceUnavailable = "service_unavailable",
        /// 500: a defect.
        InternalError = "internal_error",
        /// Client only: the server was not reached, or its answer was cut.
        NetworkError = "network_error",
        /// Client only: no answer in time.
        Timeout = "timeout",
    }
}

/// What a processor said, in its own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct ProcessorErrorDetail {
    /// The processor's name.
    pub name: String,
    /// Its error code; it does not always give one.
    pub code: Option<String>,
    /// Its message.
    pub message: String,
    /// Its id of the request.
    pub request_id: Option<String>,
    /// Its HTTP status; null when RefundKit refused from what it had read.
    pub status_code: Option<u16>,
}

/// An error on the wire: the `error` of the envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct ErrorBody {
    /// What went wrong, to match on.
    pub code: ErrorCode,
    /// What went wrong, in words.
    pub message: String,
    /// The request's id, as in the `Request-Id` header.
    pub request_id: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// The refund concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund_id: Option<RefundId>,
    /// The offending input, as a JSON path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What to do next, in one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// What the processor said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processor: Option<ProcessorErrorDetail>,
}

/// Why a call to RefundKit, or a direct call to a processor, did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct Error {
    /// What went wrong, to match on.
    pub code: ErrorCode,
    /// What went wrong, in words.
    pub message: String,
    /// The HTTP status of RefundKit's answer; none when there was no answer, or nothing was sent.
    pub status_code: Option<u16>,
    /// The request's id.
    pub request_id: Option<String>,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// The offending input.
    pub field: Option<String>,
    /// What to do next.
    pub hint: Option<String>,
    /// The refund concerned.
    pub refund_id: Option<RefundId>,
    /// What the processor said.
    pub processor: Option<Box<ProcessorErrorDetail>>,
    /// Whether money may have moved all the same: a processor asked directly gave no answer. Repeat the call only with
    /// `idempotency_key`, and within 24 hours.
    pub outcome_unknown: bool,
    /// The key under which the processor was asked directly.
    pub idempotency_key: Option<String>,
}

impl Error {
    /// An error with nothing but a code and words.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            status_code: None,
            request_id: None,
            retryable: false,
            field: None,
            hint: None,
            refund_id: None,
            processor: None,
            outcome_unknown: false,
            idempotency_key: None,
        }
    }

    /// The error that a server answered.
    pub fn from_body(status_code: u16, body: ErrorBody) -> Self {
        Self {
            code: body.code,
            message: body.message,
            status_code: Some(status_code),
            request_id: Some(body.request_id),
            retryable: body.retryable,
            field: body.field,
            hint: body.hint,
            refund_id: body.refund_id,
            processor: body.processor.map(Box::new),
            outcome_unknown: false,
            idempotency_key: None,
        }
    }
}
