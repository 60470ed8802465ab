//! What exit codes mean. Scripts and agents match on them, so they change as seldom as error codes do.

use std::process::ExitCode;

use refundkit::{Error, ErrorCode, Refund, RefundStage, RefundStatus};

/// The end of `refundkit --help`.
pub(crate) const EXPLAINED: &str = "\
Exit codes:
  0  done
  1  something else went wrong
  2  wrong usage; nothing was sent
  3  refused: the request is wrong, or the processor will not do it
  4  the API key is not valid, or not allowed to do this
  5  temporary: rate limit, overload, network, time-out; the same command may succeed later
  6  not settled yet, or the outcome is not known; follow the refund, do not make another one
  7  the refund ended as failed or cancelled
  8  our books and the processor's differ, or did

Output:
  stdout carries the result: text and tables for people, or with --json one JSON document, the API's
  data (lists as {\"data\": […], \"page\": {…}}). Everything else is on stderr: progress, log lines, and
  errors, with --json as {\"error\": {\"code\", \"message\", …}}. Amounts are whole numbers in the
  currency's smallest unit, as in the API: 2500 is $25.00.";

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    Done = 0,
    Other = 1,
    Usage = 2,
    Refused = 3,
    NotAllowed = 4,
    Temporary = 5,
    Open = 6,
    Ended = 7,
    Drift = 8,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl Exit {
    /// How a command ends that met this error.
    pub(crate) fn of_error(error: &Error) -> Self {
        match error.code {
            _ if error.outcome_unknown => Self::Open,
            ErrorCode::InvalidApiKey | ErrorCode::Unauthorized => Self::NotAllowed,
            ErrorCode::NetworkError | ErrorCode::Timeout | ErrorCode::RateLimited | ErrorCode::ServiceUnavailable => {
                Self::Temporary
            }
            _ if error.retryable => Self::Temporary,
            _ => match error.status_code {
                None if error.code == ErrorCode::ValidationError => Self::Usage,
                Some(400..=499) => Self::Refused,
                _ => Self::Other,
            },
        }
    }

    /// How a command ends that leaves a refund like this, without having waited for it.
    pub(crate) const fn of_refund(refund: &Refund) -> Self {
        match (refund.status, refund.stage) {
            (RefundStatus::Failed | RefundStatus::Cancelled, _) => Self::Ended,
            (_, RefundStage::Queued | RefundStage::Submitting | RefundStage::OutcomeUnknown) => Self::Open,
            _ => Self::Done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(code: ErrorCode, status_code: Option<u16>, retryable: bool) -> Exit {
        let mut error = Error::new(code, "no");
        (error.status_code, error.retryable) = (status_code, retryable);
        Exit::of_error(&error)
    }

    #[test]
    fn errors_end_as_the_help_says() {
        assert_eq!(exit(ErrorCode::ValidationError, None, false), Exit::Usage);
        assert_eq!(exit(ErrorCode::ValidationError, Some(400), false), Exit::Refused);
        assert_eq!(exit(ErrorCode::RefundAlreadyProcessed, Some(409), false), Exit::Refused);
        assert_eq!(exit(ErrorCode::ProcessorError, Some(422), false), Exit::Refused);
        assert_eq!(exit(ErrorCode::ProcessorError, Some(502), true), Exit::Temporary);
        assert_eq!(exit(ErrorCode::RefundNotCancellable, Some(409), true), Exit::Temporary);
        assert_eq!(exit(ErrorCode::InvalidApiKey, None, false), Exit::NotAllowed);
        assert_eq!(exit(ErrorCode::Unauthorized, Some(403), false), Exit::NotAllowed);
        assert_eq!(exit(ErrorCode::NetworkError, Some(200), false), Exit::Temporary);
        assert_eq!(exit(ErrorCode::InternalError, Some(500), false), Exit::Other);
    }

    #[test]
    fn an_outcome_nobody_knows_is_never_called_temporary() {
        let mut error = Error::new(ErrorCode::Timeout, "no answer");
        (error.outcome_unknown, error.retryable) = (true, true);
        assert_eq!(Exit::of_error(&error), Exit::Open);
    }
}
