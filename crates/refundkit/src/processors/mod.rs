//! Payment processors: the trait they implement, and the ones that are built in.
//!
//! A processor reads and changes payments over the network and reports facts ([`crate::processor`]). It knows nothing of
//! databases, tenants or schedules, and decides nothing about what a refund may become.
#![expect(clippy::result_large_err, reason = "an error is made once a call, and callers match on its fields directly")]

mod ambient;
mod http;
pub mod stripe;

pub use stripe::StripeProcessor;

use async_trait::async_trait;

use crate::{
    ProcessorName, RefundId, Timestamp, TransactionId,
    processor::{Charge, Outcome, PreparedRefund, ProcessorError, ProcessorRefund, RefundRequest},
};

/// A payment processor: reads charges, makes refunds once, and tells what became of them.
///
/// Reads answer a [`ProcessorError`] whose kind says whether the processor refused or could not be read. Whatever changes
/// something answers an [`Outcome`], because "no answer" is neither success nor failure.
#[async_trait]
pub trait PaymentProcessor: Send + Sync {
    /// Which processor this is.
    fn name(&self) -> ProcessorName;

    /// Reads the charge that a transaction id stands for, with all its refunds.
    async fn retrieve_charge(&self, transaction_id: &TransactionId) -> Result<Charge, ProcessorError>;

    /// Writes the request that makes a refund, to be stored and then sent unchanged however often.
    fn prepare_refund(&self, request: &RefundRequest) -> PreparedRefund;

    /// Sends a prepared refund. A refusal after an attempt that may have succeeded is `Unknown`, not `Refused`.
    async fn submit_refund(&self, prepared: &PreparedRefund) -> Outcome<ProcessorRefund>;

    /// Reads a refund by the processor's id.
    async fn retrieve_refund(&self, external_refund_id: &str) -> Result<ProcessorRefund, ProcessorError>;

    /// Looks among all refunds of a charge for the one that carries our id.
    async fn find_refund(&self, charge: &str, refund_id: RefundId) -> Result<Option<ProcessorRefund>, ProcessorError>;

    /// Reads one page of refunds, newest first.
    async fn list_refunds(&self, query: &RefundQuery) -> Result<RefundList, ProcessorError>;

    /// Asks to take a refund back, under an idempotency key of its own.
    async fn cancel_refund(&self, external_refund_id: &str, idempotency_key: &str) -> Outcome<ProcessorRefund>;

    /// Tries the credential with calls that change nothing.
    async fn verify_credentials(&self) -> Result<CredentialReport, ProcessorError>;
}

/// Which refunds to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RefundQuery {
    /// Only refunds of this charge.
    pub charge: Option<String>,
    /// Only refunds created at or after this time (to the second).
    pub created_from: Option<Timestamp>,
    /// Only refunds created at or before this time (to the second).
    pub created_to: Option<Timestamp>,
    /// Only refunds older than the one with this id of the processor's: the last of the page before.
    pub starting_after: Option<String>,
    /// How many, 1 to 100.
    pub limit: u32,
}

/// One page of refunds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundList {
    /// The refunds, newest first.
    pub refunds: Vec<ProcessorRefund>,
    /// Whether there are older ones.
    pub has_more: bool,
}

/// What a credential turned out to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CredentialReport {
    /// The account's id at the processor, where the credential may read it.
    pub account: Option<String>,
    /// What the account is called there, where the credential may read it.
    pub account_name: Option<String>,
    /// Permissions that refunds need and the processor said the credential lacks, in the processor's words
    /// (`rak_charge_write`). One that is not here may be missing all the same: not every permission can be tried without harm.
    pub missing_permissions: Vec<String>,
}
