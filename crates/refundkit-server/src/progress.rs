//! The one road on which a refund moves: load it, let the rules decide, record the decision. All in one transaction.
//!
//! Answers to our calls, polls and cancellations all come through [`apply`]. The rules are in `refundkit_core`; the calls to
//! processors are the handlers' and the workers'.

use refundkit::{
    RefundEvent, RefundEventType, RefundId, RefundStatus,
    event::{Actor, ActorType},
    processor::Outcome,
};
use refundkit_core::lifecycle::{self, Command, JobKind, NewEvent, Rejection, Subject};

use crate::{
    app::App,
    error::Error,
    limits,
    metrics::{self, REFUND_EVENTS},
    registry::{Caller, Claim},
    store::{
        Connection, Lock, StoreError, Tenant, idempotency_keys, jobs, refund_events, refunds,
        refunds::{Refusal, StoredRefund},
    },
};

/// Why a command did not move a refund.
#[derive(Debug)]
pub enum NotApplied {
    /// The rules do not allow it.
    Rejected(Rejection),
    /// There is no such refund, or the database could not be used.
    Failed(Error),
}

impl From<StoreError> for NotApplied {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

/// RefundKit itself as an actor of the audit trail.
pub fn system() -> Actor {
    Actor { actor_type: ActorType::System, through: None, key_id: None, client: None }
}

/// A caller as an actor of the audit trail.
pub fn caller(caller: &Caller) -> Actor {
    Actor {
        actor_type: ActorType::Caller,
        through: Some(caller.through),
        key_id: Some(caller.key_id),
        client: caller.client.clone(),
    }
}

/// What never changes about a refund and the rules need.
pub fn subject(refund: &StoredRefund) -> Subject {
    Subject { amount: refund.amount, currency: refund.currency, created_at: refund.created_at }
}

/// Loads the refund, decides what the command does to it, and records that: state, audit trail, next job, and the
/// idempotency key that the command came under. Answers the refund as it is then.
pub async fn apply(
    app: &std::sync::Arc<App>,
    tenant: Tenant,
    id: RefundId,
    command: Command,
    actor: Actor,
    claim: Option<Claim>,
) -> Result<StoredRefund, NotApplied> {
    let shared = std::sync::Arc::clone(app);
    let (refund, alarm, wakes) = app
        .store
        .write(move |connection| {
            Box::pin(async move {
                let app = shared;
                connection.lock(&Lock::Refund(id)).await?;
                let found = refunds::find(connection, tenant, id).await?;
                let mut refund = found.ok_or_else(|| NotApplied::Failed(Error::not_found("refund", id)))?;
                let now = app.env.now();
                let (refused, only_asks) = (refusal(&command), matches!(command, Command::RequestCancel));
                let decision = lifecycle::decide(&subject(&refund), &refund.state, command, &app.schedule, now)
                    .map_err(NotApplied::Rejected)?;
                let before = refund.state.status();
                if decision.state != refund.state {
                    refund.state = decision.state;
                    refund.updated_at = now;
                    if refund.state.status() == RefundStatus::Failed && refund.state.external_refund_id().is_none() {
                        refund.refusal = refused;
                    }
                    refunds::update_state(connection, &refund).await?;
                }
                for event in decision.events {
                    record(connection, &app, &refund, Some(before), event, actor.clone()).await?;
                }
                // Workers look again within their rest: only what is due before that is worth waking them for.
                let rest_ms = i64::try_from(limits::WORKER_REST_MAX.as_millis()).unwrap_or(i64::MAX);
                let wakes = decision.job.is_some_and(|job| job.run_at.millis_since(now) < rest_ms);
                match decision.job {
                    Some(job) => jobs::put(connection, tenant, id, job_kind(job.kind), job.run_at).await?,
                    None => jobs::delete(connection, id).await?,
                }
                // A request that the processor has yet to answer, or has refused, binds no key: a repeat asks again.
                let asked = refund.state.is_cancel_requested() && !only_asks;
                if let Some(claim) = claim
                    && (asked || refund.state.status() == RefundStatus::Cancelled)
                {
                    idempotency_keys::insert(connection, tenant, &claim.key, &claim.bound_to(id), now).await?;
                }
                Ok::<_, NotApplied>((refund, decision.alarm, wakes))
            })
        })
        .await?;
    if let Some(message) = alarm {
        metrics::alarm(Some(id), &message);
    }
    if wakes {
        app.job_put.notify_one();
    }
    Ok(refund)
}

/// What the processor said, when it refused.
fn refusal(command: &Command) -> Option<Refusal> {
    match command {
        Command::SubmissionAnswered(Outcome::Refused(error)) => {
            Some(Refusal { detail: error.detail.clone(), hint: error.hint.clone() })
        }
        _ => None,
    }
}

/// Writes an entry of the audit trail.
pub async fn record(
    connection: &mut Connection,
    app: &App,
    refund: &StoredRefund,
    before: Option<RefundStatus>,
    event: NewEvent,
    actor: Actor,
) -> Result<(), StoreError> {
    let entry = RefundEvent {
        id: app.env.new_event_id(),
        refund_id: refund.id,
        event_type: event.event_type,
        created_at: app.env.now(),
        actor,
        from_status: before,
        to_status: refund.state.status(),
        stage: refund.state.stage(),
        attempt: event.attempt,
        processor_request_id: event.processor_request_id,
        message: event.message,
    };
    ::metrics::counter!(REFUND_EVENTS, "type" => event.event_type.as_str()).increment(1);
    refund_events::insert(connection, refund.tenant, &entry).await
}

/// The entry that begins an audit trail: asked for, and the first attempt under way.
pub fn created() -> NewEvent {
    NewEvent {
        event_type: RefundEventType::Created,
        attempt: Some(1),
        processor_request_id: None,
        message: Some("Asked for, checked at the processor, and written down before it is sent.".to_owned()),
    }
}

/// The word that a job's kind has in the store.
pub const fn job_kind(kind: JobKind) -> jobs::Kind {
    match kind {
        JobKind::Submit => "submit",
        JobKind::Poll => "poll",
    }
}
