//! The server's one error, and the only place that knows HTTP statuses.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use refundkit::{
    ErrorBody, ErrorCode, InitiatedBy, ProcessorErrorDetail, RefundId, RequestId, processor::ProcessorError,
};
use serde_json::json;

use crate::hint::Hint;

/// Why a request is not answered with what was asked. Built by the short constructors; shown alike at every door.
#[derive(Debug, Clone)]
pub struct Error(Box<Details>);

#[derive(Debug, Clone)]
struct Details {
    code: ErrorCode,
    status: StatusCode,
    message: String,
    retryable: bool,
    field: Option<String>,
    hint: Option<Hint>,
    /// Whose words the hint is told in.
    door: InitiatedBy,
    refund_id: Option<RefundId>,
    processor: Option<ProcessorErrorDetail>,
    retry_after_seconds: Option<u64>,
    replayed: bool,
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {}

/// The HTTP status of each code; `processor_error` is 422 unless the processor could not be read.
const fn status_of(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::InvalidApiKey => StatusCode::UNAUTHORIZED,
        ErrorCode::Unauthorized => StatusCode::FORBIDDEN,
        ErrorCode::NotFound => StatusCode::NOT_FOUND,
        ErrorCode::ValidationError | ErrorCode::EnvironmentMismatch => StatusCode::BAD_REQUEST,
        ErrorCode::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        ErrorCode::RequestTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ErrorCode::ProcessorNotConnected | ErrorCode::ProcessorError | ErrorCode::IdempotencyKeyReused => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        ErrorCode::RefundAlreadyProcessed
        | ErrorCode::RefundNotCancellable
        | ErrorCode::Conflict
        | ErrorCode::IdempotencyKeyInUse => StatusCode::CONFLICT,
        ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::ServiceUnavailable | ErrorCode::NetworkError | ErrorCode::Timeout => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl Error {
    /// An error of that code, in these words.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self(Box::new(Details {
            code,
            status: status_of(code),
            message: message.into(),
            retryable: false,
            field: None,
            hint: None,
            door: InitiatedBy::Api,
            refund_id: None,
            processor: None,
            retry_after_seconds: None,
            replayed: false,
        }))
    }

    /// `validation_error`: the request itself is wrong, at `field` (a JSON path; empty for the whole request).
    pub fn validation(field: impl Into<String>, message: impl Into<String>) -> Self {
        let field = field.into();
        let mut error = Self::new(ErrorCode::ValidationError, message);
        error.0.field = (!field.is_empty()).then_some(field);
        error
    }

    /// `not_found`: no such resource in the caller's organization and environment.
    pub fn not_found(what: &str, id: impl std::fmt::Display) -> Self {
        Self::new(ErrorCode::NotFound, format!("No such {what}: '{id}'"))
    }

    /// `service_unavailable`: try again in a moment.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::ServiceUnavailable, message).retry_after(1)
    }

    /// `internal_error`: a defect. The cause goes to the log as one ERROR line, never to the caller.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!(%cause, "internal error");
        Self::new(
            ErrorCode::InternalError,
            "Something went wrong inside RefundKit. Nothing was lost; the request id helps to find out what.",
        )
    }

    /// `processor_error` for what a processor answered while it was read: 422 when it refused, 502 when it could not be read.
    pub fn from_processor(error: ProcessorError) -> Self {
        let refused = error.kind.is_refusal();
        let mut made = Self::new(ErrorCode::ProcessorError, error.detail.message.clone());
        if !refused {
            made.0.status = StatusCode::BAD_GATEWAY;
            made.0.retryable = true;
            made.0.retry_after_seconds =
                error.retry_after_ms.map(|millis| u64::try_from(millis).unwrap_or(0).div_ceil(1000).max(1));
        }
        made.0.hint = error.hint.map(Hint::from);
        made.0.processor = Some(error.detail);
        made
    }

    /// `processor_error`, 422, with what the processor said (or would say).
    pub fn refused(detail: ProcessorErrorDetail, hint: Option<Hint>) -> Self {
        let mut made = Self::new(ErrorCode::ProcessorError, detail.message.clone());
        made.0.hint = hint;
        made.0.processor = Some(detail);
        made
    }

    /// Adds what to do next, in one sentence.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Hint>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Tells the hint in the words of those who came through this door.
    #[must_use]
    pub fn told_to(mut self, door: InitiatedBy) -> Self {
        self.0.door = door;
        self
    }

    /// Names the refund concerned.
    #[must_use]
    pub fn refund(mut self, refund_id: Option<RefundId>) -> Self {
        self.0.refund_id = refund_id;
        self
    }

    /// The refund concerned.
    pub fn refund_id(&self) -> Option<RefundId> {
        self.0.refund_id
    }

    /// Names the offending input.
    #[must_use]
    pub fn field(mut self, field: Option<&str>) -> Self {
        self.0.field = field.map(str::to_owned);
        self
    }

    /// Adds what the processor said.
    #[must_use]
    pub fn processor(mut self, detail: ProcessorErrorDetail) -> Self {
        self.0.processor = Some(detail);
        self
    }

    /// Says that the same request may succeed after that many seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.0.retryable = true;
        self.0.retry_after_seconds = Some(seconds);
        self
    }

    /// Marks the answer as a repeat of an earlier one.
    #[must_use]
    pub fn replayed(mut self) -> Self {
        self.0.replayed = true;
        self
    }

    /// Whether this repeats an earlier answer.
    pub fn is_replayed(&self) -> bool {
        self.0.replayed
    }

    /// The code.
    pub fn code(&self) -> ErrorCode {
        self.0.code
    }

    /// The offending input, where there is one.
    pub fn field_name(&self) -> Option<&str> {
        self.0.field.as_deref()
    }

    /// What to do next.
    pub fn hint_text(&self) -> Option<String> {
        self.0.hint.as_ref().map(|hint| hint.told_to(self.0.door).into_owned())
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The body, for the request with this id.
    pub fn body(&self, request_id: RequestId) -> ErrorBody {
        let details = &self.0;
        ErrorBody {
            code: details.code,
            message: details.message.clone(),
            request_id: request_id.to_string(),
            retryable: details.retryable,
            refund_id: details.refund_id,
            field: details.field.clone(),
            hint: self.hint_text(),
            processor: details.processor.clone(),
        }
    }

    /// The error as a client of the server would see it, for the request with this id.
    pub fn seen_by_client(&self, request_id: RequestId) -> refundkit::Error {
        refundkit::Error::from_body(self.0.status.as_u16(), self.body(request_id))
    }

    /// The same, found before anything was sent to a server.
    pub fn seen_before_sending(&self) -> refundkit::Error {
        let mut seen = self.seen_by_client(RequestId::from_bits(0));
        (seen.status_code, seen.request_id) = (None, None);
        seen
    }

    /// When the same request may succeed, in seconds.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        self.0.retry_after_seconds
    }

    /// The HTTP answer, for the request with this id.
    pub fn response(&self, request_id: RequestId) -> Response {
        let mut response =
            (self.0.status, Json(json!({ "data": null, "error": self.body(request_id) }))).into_response();
        if let Some(seconds) = self.0.retry_after_seconds {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
