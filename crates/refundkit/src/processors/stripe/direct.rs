//! Stripe used without a server: validate a payment, refund it, ask how the refund stands, take it back.
//!
//! Nothing is stored, so nothing here can know of a refund that it did not make itself; the server can.

use crate::{
    Amount, Currency, Error, ErrorCode, Metadata, ProcessorName, RefundReason, RefundStatus, Timestamp, TransactionId,
    processor::{Charge, Outcome, ProcessorError, ProcessorErrorKind, RefundRequest, ReportedStatus},
    processors::{
        PaymentProcessor as _, ambient,
        stripe::{IDEMPOTENCY_KEY_CHARACTERS_MAX, StripeProcessor, errors, ids},
    },
};

/// What Stripe knows of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ValidatedTransaction {
    /// The id as given.
    pub transaction_id: TransactionId,
    /// What was captured, in the currency's smallest unit (cents).
    pub amount: i64,
    /// The currency.
    pub currency: Currency,
    /// Whose payment it is.
    pub processor: ProcessorName,
    /// Whether it is paid and not fully refunded.
    pub valid: bool,
}

/// A refund to make.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DirectRefundRequest {
    /// The payment: a charge or a PaymentIntent.
    pub transaction_id: TransactionId,
    /// How much, in the currency's smallest unit (cents).
    pub amount: Amount,
    /// The payment's currency.
    pub currency: Currency,
    /// Why.
    pub reason: RefundReason,
    /// Pairs to store with the refund at Stripe.
    pub metadata: Metadata,
    /// The key under which Stripe makes it once, 1 to 255 visible characters; one of its own where none is given.
    pub idempotency_key: Option<String>,
}

impl DirectRefundRequest {
    /// A refund of that much of a payment, without metadata, under a key of its own.
    pub fn new(transaction_id: TransactionId, amount: Amount, currency: Currency, reason: RefundReason) -> Self {
        Self { transaction_id, amount, currency, reason, metadata: Metadata::default(), idempotency_key: None }
    }

    /// Stores these pairs with the refund at Stripe.
    #[must_use]
    pub fn metadata(mut self, metadata: Metadata) -> Self {
        self.metadata = metadata;
        self
    }

    /// Has Stripe make it once under this key, 1 to 255 visible characters.
    #[must_use]
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }
}

/// A refund that Stripe made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DirectRefund {
    /// Stripe's id of it (`re_…`).
    pub external_refund_id: String,
    /// Where it stands.
    pub status: RefundStatus,
    /// When Stripe made it.
    pub processed_at: Timestamp,
}

/// Where a refund stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DirectRefundStatus {
    /// Stripe's id of it.
    pub external_refund_id: String,
    /// Where it stands.
    pub status: RefundStatus,
    /// When that was read; Stripe does not tell when it changed.
    pub updated_at: Timestamp,
}

/// Whether a refund was taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DirectCancellation {
    /// Whether Stripe calls it canceled.
    pub cancelled: bool,
    /// When Stripe said so; none where it is not canceled.
    pub cancelled_at: Option<Timestamp>,
}

impl StripeProcessor {
    /// Reads a payment: `valid` is whether it is paid and not fully refunded. A payment that Stripe does not know is a
    /// `processor_error`; an id that is plainly something else is a `validation_error`.
    pub async fn validate_transaction(&self, transaction_id: &TransactionId) -> Result<ValidatedTransaction, Error> {
        let charge = self.charge_of(transaction_id).await?;
        Ok(ValidatedTransaction {
            transaction_id: transaction_id.clone(),
            amount: charge.amount_captured,
            currency: charge.currency,
            processor: ProcessorName::Stripe,
            valid: charge.paid && !charge.refunded,
        })
    }

    /// Validates the payment, then refunds it under one idempotency key however often it must be sent.
    ///
    /// Without an answer the error has `outcome_unknown` and carries the `idempotency_key`: the refund may have been made.
    /// Repeat it only with that key, and within 24 hours.
    pub async fn process_refund(&self, refund: DirectRefundRequest) -> Result<DirectRefund, Error> {
        let idempotency_key = refund.idempotency_key.unwrap_or_else(ambient::fresh_idempotency_key);
        let visible = idempotency_key.bytes().all(|byte| byte.is_ascii_graphic());
        if !visible || !(1..=IDEMPOTENCY_KEY_CHARACTERS_MAX).contains(&idempotency_key.len()) {
            return Err(invalid("idempotencyKey", "The idempotency key must be 1 to 255 visible ASCII characters."));
        }
        let charge = self.charge_of(&refund.transaction_id).await?;
        check_refundable(&charge)?;
        if charge.currency != refund.currency {
            let message = format!("The payment is in {}, not in {}.", charge.currency, refund.currency);
            return Err(invalid("currency", message));
        }
        let prepared = self.prepare_refund(&RefundRequest {
            charge: charge.id,
            amount: refund.amount,
            currency: charge.currency,
            reason: refund.reason,
            metadata: refund.metadata.iter().map(|(key, value)| (key.to_owned(), value.to_string())).collect(),
            idempotency_key: idempotency_key.clone(),
        });
        let made = answered(self.submit_refund(&prepared).await, &idempotency_key)?;
        Ok(DirectRefund { external_refund_id: made.id, status: made.status.status(), processed_at: made.created_at })
    }

    /// Reads where a refund stands.
    pub async fn get_refund_status(&self, external_refund_id: &str) -> Result<DirectRefundStatus, Error> {
        let refund = self.retrieve_refund(external_refund_id).await?;
        Ok(DirectRefundStatus {
            external_refund_id: refund.id,
            status: refund.status.status(),
            updated_at: ambient::now(),
        })
    }

    /// Takes a refund back, which Stripe allows only while it waits for the customer; otherwise a `processor_error`.
    pub async fn cancel_refund(&self, external_refund_id: &str) -> Result<DirectCancellation, Error> {
        let key = ambient::fresh_idempotency_key();
        let outcome = crate::PaymentProcessor::cancel_refund(self, external_refund_id, &key).await;
        let cancelled = answered(outcome, &key)?.status == ReportedStatus::Canceled;
        Ok(DirectCancellation { cancelled, cancelled_at: cancelled.then(ambient::now) })
    }

    async fn charge_of(&self, id: &TransactionId) -> Result<Charge, Error> {
        ids::check_transaction_id(id)
            .map_err(|not| Error { hint: Some(not.hint.clone()), ..invalid("transactionId", not.message) })?;
        let charge = self.retrieve_charge(id).await?;
        let is_live = self.environment() == crate::Environment::Live;
        if charge.livemode == is_live {
            return Ok(charge);
        }
        let mode = if charge.livemode { "live" } else { "test" };
        let message = format!("Charge {} is a {mode} payment, but the Stripe key is of the other mode.", charge.id);
        Err(Error::new(ErrorCode::EnvironmentMismatch, message))
    }
}

fn check_refundable(charge: &Charge) -> Result<(), ProcessorError> {
    let kind = ProcessorErrorKind::AlreadyRefunded;
    if charge.refunded {
        let message = format!("Charge {} has already been refunded.", charge.id);
        return Err(errors::from_what_was_read(kind, Some("charge_already_refunded"), &message));
    }
    if !charge.paid {
        let message = format!("Charge {} is not paid, so there is nothing to refund.", charge.id);
        return Err(errors::from_what_was_read(ProcessorErrorKind::Refused, None, &message));
    }
    Ok(())
}

fn invalid(field: &str, message: impl Into<String>) -> Error {
    Error { field: Some(field.to_owned()), ..Error::new(ErrorCode::ValidationError, message) }
}

fn answered<T>(outcome: Outcome<T>, idempotency_key: &str) -> Result<T, Error> {
    let (error, outcome_unknown) = match outcome {
        Outcome::Accepted(value) => return Ok(value),
        Outcome::Refused(error) | Outcome::NotExecuted(error) => (error, false),
        Outcome::Unknown(error) => (error, true),
    };
    let error = Error { idempotency_key: Some(idempotency_key.to_owned()), outcome_unknown, ..Error::from(error) };
    if !outcome_unknown {
        return Err(error);
    }
    let hint =
        "It may have happened: look for it in Stripe, or repeat the call with this idempotency key within 24 hours.";
    Err(Error { retryable: false, hint: Some(hint.to_owned()), ..error })
}

impl From<ProcessorError> for Error {
    /// A `processor_error` in the processor's words; retryable where it did not refuse.
    fn from(error: ProcessorError) -> Self {
        Self {
            retryable: !error.kind.is_refusal(),
            hint: error.hint,
            processor: Some(Box::new(error.detail.clone())),
            ..Self::new(ErrorCode::ProcessorError, error.detail.message)
        }
    }
}
