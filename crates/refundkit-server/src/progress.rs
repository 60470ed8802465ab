//! The one road on which a refund moves: load it, let the rules decide, record the decision. All in one transaction; what was loaded
//! before it is held against the row where the decision is written.
//!
//! Answers to our calls, looks (planned or asked for by news), comparisons and cancellations all come through [`apply`]. The rules are in `refundkit_core`; the calls to
//! processors are the handlers' and the workers'.

use std::sync::Arc;

use refundkit::{
    RefundEvent, RefundEventType, RefundId, RefundStatus, Timestamp,
    event::{Actor, ActorType},
    processor::Outcome,
};
use refundkit_core::{
    days::Tally,
    invariants,
    lifecycle::{self, Command, Decision, Job, JobKind, NewEvent, Rejection, Subject},
    schedule,
};

use crate::{
    app::App,
    caller::Caller,
    error::Error,
    limits,
    metrics::{self, REFUND_EVENTS},
    registry::Claim,
    store::{
        Connection, Lock, StoreError, Tenant, idempotency_keys, jobs,
        jobs::Look,
        refund_days, refund_events, refunds,
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
    Actor { actor_type: ActorType::System, through: None, key_id: None, user_id: None, user_email: None, client: None }
}

/// A caller as an actor of the audit trail.
pub fn caller(caller: &Caller) -> Actor {
    Actor {
        actor_type: ActorType::Caller,
        through: Some(caller.through),
        key_id: caller.key_id(),
        user_id: caller.user().map(|(id, _)| id),
        user_email: caller.user().map(|(_, email)| email.to_owned()),
        client: caller.client.clone(),
    }
}

/// What never changes about a refund and the rules need.
pub fn subject(refund: &StoredRefund) -> Subject {
    Subject { amount: refund.amount, currency: refund.currency, created_at: refund.created_at }
}

/// Loads the refund, decides what the command does to it, and records that: state, audit trail, next job, and the
/// idempotency key that the command came under. Answers the refund as it is then.
pub fn apply(
    app: &Arc<App>,
    tenant: Tenant,
    id: RefundId,
    command: Command,
    actor: Actor,
    claim: Option<Claim>,
) -> impl Future<Output = Result<Box<StoredRefund>, NotApplied>> + Send {
    apply_at(app, tenant, Target::Id(id), command, actor, claim)
}

/// The same for a refund that was loaded before: it is read again only where it has moved since.
pub fn apply_to(
    app: &Arc<App>,
    refund: Box<StoredRefund>,
    command: Command,
    actor: Actor,
    claim: Option<Claim>,
) -> impl Future<Output = Result<Box<StoredRefund>, NotApplied>> + Send {
    apply_at(app, refund.tenant, Target::Loaded(refund), command, actor, claim)
}

/// The refund that a command is about.
enum Target {
    Id(RefundId),
    Loaded(Box<StoredRefund>),
}

impl Target {
    fn id(&self) -> RefundId {
        match self {
            Self::Id(id) => *id,
            Self::Loaded(refund) => refund.id,
        }
    }
}

async fn apply_at(
    app: &Arc<App>,
    tenant: Tenant,
    target: Target,
    command: Command,
    actor: Actor,
    claim: Option<Claim>,
) -> Result<Box<StoredRefund>, NotApplied> {
    let shared = Arc::clone(app);
    let unit = async move |connection: &mut Connection| {
        let id = target.id();
        let mut ended = Tally::default();
        let applied =
            apply_within(connection, &shared, tenant, target, command, actor, claim, None, &mut ended).await?;
        refund_days::add(connection, tenant, id, &ended).await?;
        Ok::<_, NotApplied>(applied)
    };
    let applied = app.store.write(move |connection| Box::pin(unit(connection))).await?;
    Ok(announce(app, applied))
}

/// The same for what was read of several refunds in one call, a few in each transaction. What the rules reject is passed
/// over: it changes nothing.
pub async fn apply_all(
    app: &Arc<App>,
    tenant: Tenant,
    mut read: Vec<(RefundId, Command)>,
    began_at: Timestamp,
) -> Result<(), Error> {
    // In one order everywhere, so that two who record about the same refunds do not wait for each other for ever.
    read.sort_unstable_by_key(|(id, _)| *id);
    let mut read = read.into_iter();
    loop {
        let some: Vec<_> = read.by_ref().take(limits::LOOKS_RECORDED_MAX).collect();
        if some.is_empty() {
            return Ok(());
        }
        let shared = Arc::clone(app);
        let applied = app.store.write::<_, Error, _>(move |connection| {
            Box::pin(async move { apply_each(connection, &shared, tenant, some, began_at).await })
        });
        for one in applied.await? {
            announce(app, one);
        }
    }
}

async fn apply_each(
    connection: &mut Connection,
    app: &App,
    tenant: Tenant,
    read: Vec<(RefundId, Command)>,
    began_at: Timestamp,
) -> Result<Vec<Applied>, Error> {
    let mut applied = Vec::with_capacity(read.len());
    let (first, mut ended) = (read.first().map(|(id, _)| *id), Tally::default());
    for (id, command) in read {
        let target = Target::Id(id);
        match apply_within(connection, app, tenant, target, command, system(), None, Some(began_at), &mut ended).await {
            Ok(one) => applied.push(one),
            Err(NotApplied::Rejected(rejection)) => tracing::error!(refund_id = %id, %rejection, "rejected"),
            Err(NotApplied::Failed(error)) => return Err(error),
        }
    }
    if let Some(first) = first {
        refund_days::add(connection, tenant, first, &ended).await?;
    }
    Ok(applied)
}

/// A command that was followed, and what is to be told once it is durable.
struct Applied {
    refund: Box<StoredRefund>,
    alarm: Option<String>,
    wakes: bool,
}

/// Tells people and workers what they should know.
fn announce(app: &App, applied: Applied) -> Box<StoredRefund> {
    if let Some(message) = applied.alarm {
        metrics::alarm(Some(applied.refund.id), &message);
    }
    if applied.wakes {
        app.job_put.notify_one();
    }
    applied.refund
}

/// What this ends is added to `ended`, which the unit of work counts when it is over.
#[expect(clippy::too_many_arguments, reason = "private, and each is a fact of its own")]
async fn apply_within(
    connection: &mut Connection,
    app: &App,
    tenant: Tenant,
    target: Target,
    command: Command,
    actor: Actor,
    claim: Option<Claim>,
    read_began_at: Option<Timestamp>,
    ended: &mut Tally,
) -> Result<Applied, NotApplied> {
    let id = target.id();
    connection.lock(&Lock::Refund(id)).await?;
    let (mut refund, mut is_read) = match target {
        Target::Id(id) => (read(connection, tenant, id).await?, true),
        Target::Loaded(refund) => (refund, false),
    };
    if let (Command::Observed(copy), Some(began_at)) = (&command, read_began_at)
        && is_read
        && refund.updated_at > began_at
        && copy.status.status() != refund.state.status()
    {
        // The books moved while this was on its way: it may be older than they are, and proves nothing. A fresh look decides.
        jobs::want(connection, tenant, id, app.env.now(), |asked_at| asked_at).await?;
        return Ok(Applied { refund, alarm: None, wakes: true });
    }
    let now = app.env.now();
    let only_asks = matches!(command, Command::RequestCancel);
    let external_created_at = made_at_processor(&command);
    let followed = loop {
        if let Some(followed) = follow(connection, app, &mut refund, command.clone(), now, is_read, ended).await? {
            break followed;
        }
        (refund, is_read) = (read(connection, tenant, id).await?, true);
    };
    for event in followed.events {
        record(connection, app, &refund, Some(followed.before), event, actor.clone()).await?;
    }
    // Workers look again within their rest: only what is due before that is worth waking them for.
    let rest_ms = i64::try_from(app.worker_rest_max.as_millis()).unwrap_or(i64::MAX);
    let wakes = followed.job.is_some_and(|job| job.run_at.millis_since(now) < rest_ms);
    match followed.job {
        Some(Job { kind: JobKind::Submit, run_at }) => jobs::put(connection, tenant, id, "submit", run_at).await?,
        Some(Job { kind: JobKind::Poll, run_at }) => {
            let look_from = schedule::look_from(run_at, now);
            let look = Look { refund_id: id, run_at, look_from, external_created_at };
            jobs::put_look(connection, tenant, refund.connection_id, &look).await?;
        }
        None => jobs::delete(connection, id).await?,
    }
    // A request that the processor has yet to answer, or has refused, binds no key: a repeat asks again.
    let asked = refund.state.is_cancel_requested() && !only_asks;
    if let Some(claim) = claim
        && (asked || refund.state.status() == RefundStatus::Cancelled)
    {
        idempotency_keys::insert(connection, tenant, &claim.key, &claim.bound_to(id), now).await?;
    }
    Ok(Applied { refund, alarm: followed.alarm, wakes })
}

async fn read(connection: &mut Connection, tenant: Tenant, id: RefundId) -> Result<Box<StoredRefund>, NotApplied> {
    let found = refunds::find(connection, tenant, id).await?;
    found.map(Box::new).ok_or_else(|| NotApplied::Failed(Error::not_found("refund", id)))
}

/// What a command came to, beyond where the refund stands then.
struct Followed {
    before: RefundStatus,
    events: Vec<NewEvent>,
    job: Option<Job>,
    alarm: Option<String>,
}

/// Decides what the command does to the refund, and moves it there. A refund that was not read in this transaction is taken to
/// stand as it did when it was loaded: what is decided rests on its state alone, so it holds where the row has that state still
/// when the new one is written. None when the row has not, or when nothing is to be written that would show it.
async fn follow(
    connection: &mut Connection,
    app: &App,
    refund: &mut StoredRefund,
    command: Command,
    now: Timestamp,
    is_read: bool,
    ended: &mut Tally,
) -> Result<Option<Followed>, NotApplied> {
    let refused = refusal(&command);
    let decided = lifecycle::decide(&subject(refund), &refund.state, command, &app.schedule, now);
    let before = refund.state.status();
    let held = decided.as_ref().map_or(Ok(()), |decision| {
        let after = decision.state.status();
        invariants::status_moves_as_documented(refund.id, before, after)
            .and_then(|()| invariants::open_is_watched(refund.id, after, decision.job.as_ref()))
    });
    let changes = decided.as_ref().is_ok_and(|decision| decision.state != refund.state);
    if !is_read && (!changes || held.is_err()) {
        return Ok(None);
    }
    let Decision { state, events, job, alarm } = decided.map_err(NotApplied::Rejected)?;
    if let Err(violation) = held {
        metrics::violated(Some(refund.id), &violation);
        return Err(NotApplied::Failed(Error::internal(violation)));
    }
    if changes {
        let left = std::mem::replace(&mut refund.state, state);
        refund.updated_at = now;
        if refund.state.status() == RefundStatus::Failed && refund.state.external_refund_id().is_none() {
            refund.refusal = refused;
        }
        if is_read {
            refunds::state::update(connection, refund).await?;
        } else if !refunds::state::replace(connection, refund, &left).await? {
            return Ok(None);
        }
        ended.moved(&subject(refund), &left, &refund.state);
    }
    Ok(Some(Followed { before, events, job, alarm }))
}

/// When the processor made the refund, where the command brings its copy: its place in the processor's lists.
fn made_at_processor(command: &Command) -> Option<Timestamp> {
    let (Command::SubmissionAnswered(Outcome::Accepted(copy))
    | Command::CancelAnswered(Outcome::Accepted(copy))
    | Command::LookedFor(Some(copy))
    | Command::Observed(copy)) = command
    else {
        return None;
    };
    Some(copy.created_at).filter(|at| at.as_millis() > 0)
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
