//! Getting a refund accepted by its processor, once: send, look, send again unchanged, or look only.

use std::sync::Arc;

use refundkit::{
    ProcessorErrorDetail,
    processor::{Outcome, ProcessorErrorKind, ProcessorRefund},
    processors::PaymentProcessor,
};
use refundkit_core::lifecycle::{Command, Rejection, State};

use crate::{
    app::App,
    error::Error,
    metrics::{SUBMISSIONS, alarm},
    progress::{self, NotApplied},
    registry::Claim,
    store::refunds::StoredRefund,
};

/// Sends the refund's stored request, for the attempt that was written down before, and records the outcome.
pub async fn attempt(
    app: Arc<App>,
    refund: Box<StoredRefund>,
    processor: Arc<dyn PaymentProcessor>,
) -> Result<Box<StoredRefund>, Error> {
    let outcome = processor.submit_refund(&refund.prepared).await;
    let word = match &outcome {
        Outcome::Accepted(_) => "accepted",
        Outcome::Refused(_) => "refused",
        Outcome::NotExecuted(_) => "not_executed",
        Outcome::Unknown(_) => "unknown",
    };
    if let Outcome::Accepted(copy) = &outcome
        && copy.charge.as_ref().is_some_and(|charge| *charge != refund.external_transaction_id)
    {
        alarm(Some(refund.id), "the processor says that it refunded another charge than it was asked to");
    }
    if let Outcome::NotExecuted(error) = &outcome
        && error.kind == ProcessorErrorKind::RateLimited
    {
        // Whatever runs in the background makes room for what somebody waits for.
        let (id, now) = (refund.connection_id, app.env.now());
        app.budgets.back_off(id, refund.tenant.environment, error.retry_after_ms, now);
    }
    metrics::counter!(SUBMISSIONS, "outcome" => word).increment(1);
    record(&app, refund, Command::SubmissionAnswered(outcome)).await
}

/// Begins an attempt, in a commit of its own before the call goes out, and makes it.
pub async fn send(
    app: &Arc<App>,
    refund: Box<StoredRefund>,
    processor: Arc<dyn PaymentProcessor>,
) -> Result<(), Error> {
    match progress::apply(app, refund.tenant, refund.id, Command::BeginAttempt, progress::system(), None).await {
        Ok(begun) => attempt(Arc::clone(app), begun, processor).await.map(drop),
        // Somebody was faster, or it is too late to send: the state says what is next.
        Err(NotApplied::Rejected(Rejection::SubmissionClosed | Rejection::NotSubmittable { .. })) => Ok(()),
        Err(NotApplied::Rejected(other)) => Err(Error::internal(other)),
        Err(NotApplied::Failed(error)) => Err(error),
    }
}

/// Looks for the refund among the charge's, and sends it again only when it is not there.
pub async fn look_then_send(
    app: &Arc<App>,
    refund: Box<StoredRefund>,
    processor: Arc<dyn PaymentProcessor>,
) -> Result<(), Error> {
    match look(app, &refund, processor.as_ref()).await? {
        Some(refund) if refund.state.submission().is_some() => send(app, refund, processor).await,
        _ => Ok(()),
    }
}

/// Looks for the refund among the charge's. Answers it only when the list was read and does not have it.
pub async fn look(
    app: &Arc<App>,
    refund: &StoredRefund,
    processor: &dyn PaymentProcessor,
) -> Result<Option<Box<StoredRefund>>, Error> {
    match processor.find_refund(&refund.external_transaction_id, refund.id).await {
        Ok(Some(found)) => {
            record(app, Box::new(refund.clone()), Command::LookedFor(Some(found))).await?;
            Ok(None)
        }
        Ok(None) => record(app, Box::new(refund.clone()), Command::LookedFor(None)).await.map(Some),
        Err(error) => {
            record(app, Box::new(refund.clone()), Command::LookFailed(error)).await?;
            Ok(None)
        }
    }
}

/// Asks the processor to take a refund back, and records what it says. Answers its words when it refused.
pub async fn cancel(
    app: Arc<App>,
    refund: Box<StoredRefund>,
    processor: Arc<dyn PaymentProcessor>,
    claim: Option<Claim>,
) -> Result<(Box<StoredRefund>, Option<ProcessorErrorDetail>), Error> {
    let State::RequiresAction { accepted } = &refund.state else { return Ok((refund, None)) };
    // The key changes with the refund and by the hour: what Stripe remembers of a try (a refusal, a 500) must not be its answer
    // to all later ones. A second cancellation of one refund changes nothing, so that a new key is safe.
    let hour = app.env.now().as_seconds() / (60 * 60);
    let key = format!("{}-cancel-{}-{hour}", refund.id, refund.updated_at.as_millis());
    let outcome: Outcome<ProcessorRefund> = processor.cancel_refund(&accepted.external_refund_id, &key).await;
    let said = match &outcome {
        Outcome::Refused(error) => Some(error.detail.clone()),
        Outcome::Accepted(_) | Outcome::NotExecuted(_) | Outcome::Unknown(_) => None,
    };
    let refund = record_under(&app, refund, Command::CancelAnswered(outcome), claim).await?;
    Ok((refund, said))
}

fn record(
    app: &Arc<App>,
    refund: Box<StoredRefund>,
    command: Command,
) -> impl Future<Output = Result<Box<StoredRefund>, Error>> + Send {
    record_under(app, refund, command, None)
}

async fn record_under(
    app: &Arc<App>,
    refund: Box<StoredRefund>,
    command: Command,
    claim: Option<Claim>,
) -> Result<Box<StoredRefund>, Error> {
    match progress::apply_to(app, refund, command, progress::system(), claim).await {
        Ok(refund) => Ok(refund),
        Err(NotApplied::Failed(error)) => Err(error),
        Err(NotApplied::Rejected(rejection)) => Err(Error::internal(rejection)),
    }
}
