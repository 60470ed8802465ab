//! Reading one refund at its processor because somebody waits for it, or asked to take it back.

use std::sync::Arc;

use refundkit::{
    ConnectionId, ConnectionStatus, Timestamp,
    processor::{ProcessorError, ProcessorErrorKind},
    processors::PaymentProcessor,
};
use refundkit_core::lifecycle::{Command, State};

use super::submit;
use crate::{
    app::App,
    error::Error,
    metrics,
    progress::{self, NotApplied},
    store::{Lock, Tenant, connections, refunds::StoredRefund},
};

/// Reads the processor's copy and records what it says.
pub async fn poll(
    app: &Arc<App>,
    refund: &StoredRefund,
    processor: &dyn PaymentProcessor,
) -> Result<Box<StoredRefund>, Error> {
    let Some(external_id) = refund.state.external_refund_id() else {
        return Err(Error::internal(format!("{} is watched and has no id at the processor", refund.id)));
    };
    let asked_at = app.env.now();
    let command = match processor.retrieve_refund(external_id).await {
        Ok(copy) => Command::Observed(copy),
        Err(error) => {
            note_refused_credential(app, refund.tenant, refund.connection_id, asked_at, &error).await?;
            Command::ObserveFailed(error)
        }
    };
    match progress::apply(app, refund.tenant, refund.id, command, progress::system(), None).await {
        Ok(refund) => Ok(refund),
        Err(NotApplied::Failed(error)) => Err(error),
        Err(NotApplied::Rejected(rejection)) => Err(Error::internal(rejection)),
    }
}

/// Reads the processor's copy; if it can still be taken back, asks for that again.
pub async fn repeat_cancel(
    app: &Arc<App>,
    refund: StoredRefund,
    processor: Arc<dyn PaymentProcessor>,
) -> Result<(), Error> {
    let refund = poll(app, &refund, processor.as_ref()).await?;
    if matches!(&refund.state, State::RequiresAction { accepted } if accepted.cancel_requested) {
        submit::cancel(Arc::clone(app), refund, processor, None).await?;
    }
    Ok(())
}

/// A key that the processor refuses stops everything behind it: the connection says so, and people are told once. Not when the
/// connection was changed after the processor was asked: then it was the key before that was refused.
pub async fn note_refused_credential(
    app: &Arc<App>,
    tenant: Tenant,
    id: ConnectionId,
    asked_at: Timestamp,
    error: &ProcessorError,
) -> Result<(), Error> {
    if error.kind != ProcessorErrorKind::InvalidCredential {
        return Ok(());
    }
    let now = app.env.now();
    let newly_invalid = app
        .store
        .write::<_, Error, _>(move |connection| {
            Box::pin(async move {
                connection.lock(&Lock::Connections(tenant)).await?;
                let stored = connections::get(connection, tenant, id).await?;
                let newly_invalid =
                    stored.connection.status == ConnectionStatus::Active && stored.connection.updated_at <= asked_at;
                if newly_invalid {
                    connections::mark_status(connection, tenant, id, ConnectionStatus::Invalid, now).await?;
                }
                Ok(newly_invalid)
            })
        })
        .await?;
    if newly_invalid {
        metrics::alarm(None, &format!("the processor refuses the credential of {id}: {}", error.detail.message));
    }
    Ok(())
}
