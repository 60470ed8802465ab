//! Transactions: a payment as the processor has it, with our own books beside it.

use std::{sync::Arc, time::Duration};

use refundkit::{
    ProcessorConnection, ProcessorErrorDetail, ProcessorName, RefundId, Transaction, TransactionId, TransactionRefund,
    operations::GetTransaction,
    processor::{Charge, ProcessorError, ProcessorErrorKind},
    processors::{PaymentProcessor, stripe},
};
use refundkit_core::eligibility::{self, Ask, OwnRefund};
use tokio::time::timeout;

use crate::{
    error::Error,
    processors::{self, Connected},
    registry::{Answer, Context, Handle},
    store::{Age, refunds},
};

/// A payment, read just now, and what our books say of it.
pub struct ReadTransaction {
    /// The connection that it was read through.
    pub connection: Arc<ProcessorConnection>,
    /// When the connection was as it is here.
    pub age: Age,
    /// The processor.
    pub processor: Arc<dyn PaymentProcessor>,
    /// The charge.
    pub charge: Charge,
}

/// Reads a payment at its processor. An id that is plainly not a payment's is refused before anything is sent.
pub async fn read(
    context: &Context,
    id: &TransactionId,
    field: &'static str,
    processor: Option<ProcessorName>,
) -> Result<ReadTransaction, Error> {
    let name = processor.unwrap_or(ProcessorName::Stripe);
    match name {
        ProcessorName::Stripe => {
            stripe::check_transaction_id(id).map_err(|not| Error::validation(field, not.message).hint(not.hint))?;
        }
    }
    let Connected { connection, processor, age } =
        processors::connected(&context.app, context.caller.tenant, name).await?;
    let reading = timeout(context.app.submit_deadline, processor.retrieve_charge(id)).await;
    let charge = reading.map_err(|_| late(name, context.app.submit_deadline))?.map_err(Error::from_processor)?;
    Ok(ReadTransaction { connection, age, processor, charge })
}

/// The processor did not answer before the deadline; nothing was written.
fn late(name: ProcessorName, deadline: Duration) -> Error {
    Error::from_processor(ProcessorError {
        kind: ProcessorErrorKind::Unavailable,
        detail: ProcessorErrorDetail {
            name: name.to_string(),
            code: None,
            message: format!("The processor did not answer within {} ms.", deadline.as_millis()),
            request_id: None,
            status_code: None,
        },
        hint: Some("Nothing was written. Try again in a moment.".to_owned()),
        retry_after_ms: None,
    })
}

impl ReadTransaction {
    /// Our own refunds of the charge.
    pub async fn own_refunds(&self, context: &Context) -> Result<Vec<OwnRefund>, Error> {
        let mut connection = context.app.store.read().await?;
        let id = self.connection.id;
        Ok(refunds::list_of_transaction(&mut connection, context.caller.tenant, id, &self.charge.id).await?)
    }

    /// What somebody asks for, as the rules want it.
    pub fn ask(&self, context: &Context) -> Ask {
        let connect = self.connection.connect.as_ref();
        Ask {
            amount: None,
            currency: None,
            environment: context.caller.tenant.environment,
            allow_duplicate: false,
            reverse_transfer_known: connect.is_some_and(|connect| connect.reverse_transfer.is_some()),
            // What a person may refund is decided where it is written down.
            member: None,
        }
    }
}

impl Handle for GetTransaction {
    async fn handle(self, context: &Context) -> Result<Answer<Transaction>, Error> {
        let read = read(context, &self.id, "id", self.processor).await?;
        let own = read.own_refunds(context).await?;
        Ok(Answer::ok(tell(context, self.id, read, &own)))
    }
}

/// A payment that was read, as callers are told of it.
pub fn tell(context: &Context, id: TransactionId, read: ReadTransaction, own: &[OwnRefund]) -> Transaction {
    let left = eligibility::what_is_left(&read.charge, own);
    let refusal = eligibility::check_charge(&read.charge, &read.ask(context), own).err();
    let charge = read.charge;
    Transaction {
        transaction_id: id,
        external_transaction_id: charge.id.clone(),
        processor: read.processor.name(),
        amount: left.captured,
        refunded_amount: left.refunded,
        refundable_amount: left.left,
        currency: charge.currency,
        created_at: charge.created_at,
        valid: charge.paid && !charge.refunded,
        invalid_reason: refusal.filter(|_| !charge.paid || charge.refunded).map(|refusal| refusal.message(&charge)),
        disputed: charge.disputed,
        environment: context.caller.tenant.environment,
        refunds: listed(&charge, own),
    }
}

/// The processor's refunds of a charge, and before them ours that it does not list yet.
fn listed(charge: &Charge, own: &[OwnRefund]) -> Vec<TransactionRefund> {
    // What a refund carries may be an id of another organization with the same account there: only ours are told.
    let ours = |external: &str, carried: Option<RefundId>| {
        let is_ours = |own: &&OwnRefund| Some(own.id) == carried || own.external_refund_id.as_deref() == Some(external);
        own.iter().find(is_ours).map(|own| own.id)
    };
    let unlisted = eligibility::unlisted(charge, own).map(|own| TransactionRefund {
        external_refund_id: own.external_refund_id.clone(),
        amount: own.amount,
        status: own.status,
        refund_id: Some(own.id),
        created_at: own.created_at,
    });
    let at_processor = charge.refunds.iter().map(|refund| TransactionRefund {
        external_refund_id: Some(refund.id.clone()),
        amount: refund.amount,
        status: refund.status.status(),
        refund_id: ours(&refund.id, refund.refund_id),
        created_at: refund.created_at,
    });
    unlisted.chain(at_processor).collect()
}
