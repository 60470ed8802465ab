//! Digesting notifications: each becomes a look at the refund it is about, or nothing where it brings no news.
//!
//! An event is a hint, never the truth: events come twice, late and in any order. So nothing is taken from one but which refund
//! to read again, and a refund is read because of news once a minute at most. A look is the refund's own job, brought forward;
//! only for what has no job, or whose name we do not know, the processor is asked from here.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt as _, stream};
use refundkit::{RefundStatus, Timestamp, processor::ProcessorErrorKind};
use refundkit_core::lifecycle::{self, Command, State};

use tokio::sync::Semaphore;

use crate::{
    app::App,
    error::Error,
    limits, metrics,
    processors::{self, Patience},
    progress,
    store::{
        Connection, StoreError, jobs, processor_events,
        processor_events::{Outcome, ProcessorEvent},
        refunds,
        refunds::StoredRefund,
    },
};

/// News asked for a look, which the workers make.
const LOOK_WANTED: Outcome = "look_wanted";
/// It says what our books say.
const AGREES: Outcome = "agrees";
/// It is about a refund that is not ours.
const FOREIGN: Outcome = "foreign";
/// The refund was read because of it.
const LOOKED: Outcome = "looked";
/// The processor does not have, or does not show, what it is about.
const NOT_SHOWN: Outcome = "not_shown";

/// What comes of a notification.
enum Verdict {
    /// This.
    Done(Outcome),
    /// Too early to tell.
    Later(Timestamp),
    /// The processor has to be asked.
    Ask,
}

/// Runs until the process is to end.
pub async fn run(app: Arc<App>) {
    let places = Arc::new(Semaphore::new(limits::NEWS_ASKED_MAX));
    while !app.shutdown.is_cancelled() {
        let rest = match digest(&app, &places).await {
            Ok(rest) => rest,
            Err(_) if app.shutdown.is_cancelled() => return,
            Err(error) => {
                tracing::warn!(%error, "notifications could not be digested");
                app.worker_rest_max
            }
        };
        tokio::select! {
            () = app.shutdown.cancelled() => {}
            () = app.notified.notified() => {}
            () = tokio::time::sleep(rest) => {}
        }
    }
}

/// Digests what is due, and says how long to rest.
async fn digest(app: &Arc<App>, places: &Arc<Semaphore>) -> Result<Duration, Error> {
    let now = app.env.now();
    let next = {
        let mut connection = app.store.read().await?;
        processor_events::next_due_at(&mut connection).await?
    };
    let Some(wait_ms) = next.map(|next| next.millis_since(now)) else { return Ok(app.worker_rest_max) };
    if wait_ms > 0 {
        return Ok(Duration::from_millis(wait_ms.unsigned_abs()).min(app.worker_rest_max));
    }
    let leased_until = now.plus_millis(limits::JOB_LEASE_MS);
    let claimed = app.store.write::<_, StoreError, _>(move |connection| {
        Box::pin(async move {
            processor_events::claim(connection, now, leased_until, limits::NOTIFICATIONS_DIGESTED_MAX).await
        })
    });
    // Each in a unit of its own, so that none holds what another waits for; several at once, so that they share a commit.
    let judged = stream::iter(claimed.await?.into_iter().map(|event| digest_one(app, event, now)));
    let judged: Vec<_> = judged.buffer_unordered(limits::NOTIFICATIONS_AT_ONCE_MAX).collect().await;
    let mut to_ask = Vec::new();
    for judged in judged {
        match judged {
            Ok(event) => to_ask.extend(event),
            // The others need not wait for this one's trouble: it comes again when its lease lapses.
            Err(error) => tracing::error!(%error, "a notification could not be digested"),
        }
    }
    // Whatever was brought forward is due now.
    app.job_put.notify_one();
    for event in to_ask {
        let Ok(place) = Arc::clone(places).try_acquire_owned() else {
            put_off(app, event, now.plus_millis(OVERTAKEN_MS)).await?;
            continue;
        };
        let worker = Arc::clone(app);
        app.tasks.spawn(async move {
            if let Err(error) = ask(&worker, event).await {
                tracing::warn!(%error, "a notification was not followed; it comes again when its lease lapses");
            }
            drop(place);
        });
    }
    Ok(Duration::ZERO)
}

/// Digests one; answers it when the processor has to be asked.
async fn digest_one(
    app: &Arc<App>,
    event: ProcessorEvent,
    now: Timestamp,
) -> Result<Option<ProcessorEvent>, StoreError> {
    let shared = Arc::clone(app);
    let unit = async move |connection: &mut Connection| {
        match judge(connection, &shared, &event, now).await? {
            Verdict::Done(outcome) => {
                ::metrics::counter!(metrics::NOTIFICATIONS_DIGESTED, "outcome" => outcome).increment(1);
                let looked_at = (outcome == LOOK_WANTED).then_some(now);
                processor_events::mark_digested(connection, &event, outcome, looked_at).await?;
            }
            Verdict::Later(due_at) => processor_events::mark_due(connection, &event, due_at).await?,
            Verdict::Ask => return Ok(Some(event)),
        }
        Ok(None)
    };
    app.store.write(move |connection| Box::pin(unit(connection))).await
}

/// How long an event is put off that is about a refund we are just making or do not know yet, or for which there is no place.
const OVERTAKEN_MS: i64 = 2_000;
/// How long news wait whose refund the processor refuses to show: until somebody has mended the key.
const REFUSED_MS: i64 = 15 * 60 * 1000;

async fn judge(
    connection: &mut Connection,
    app: &App,
    event: &ProcessorEvent,
    now: Timestamp,
) -> Result<Verdict, StoreError> {
    let later = || Verdict::Later(now.plus_millis(OVERTAKEN_MS));
    let Some(external_id) = &event.external_refund_id else { return judge_charge(connection, app, event, now).await };
    let Some(refund) = ours(connection, event, external_id).await? else {
        // A snapshot without our mark is somebody else's. A thin event does not say.
        return Ok(match event.reported {
            Some(_) => Verdict::Done(FOREIGN),
            None if now.millis_since(event.received_at) < OVERTAKEN_MS => later(),
            None => ask_again(connection, app, event, external_id, now).await?,
        });
    };
    match &refund.state {
        // It has overtaken our own commit, or the process died in between: then the job's lease lapses.
        State::Submitting { .. } => return Ok(later()),
        state if event.reported.as_ref().is_some_and(|told| lifecycle::agrees(state, external_id, told)) => {
            return Ok(Verdict::Done(AGREES));
        }
        _ => {}
    }
    let is_known_as = refund.state.external_refund_id();
    let is_job_enough = refund.state.submission().is_some() || is_known_as == Some(external_id);
    if is_job_enough && want(connection, app, &refund, now).await? {
        return Ok(Verdict::Done(LOOK_WANTED));
    }
    ask_again(connection, app, event, external_id, now).await
}

/// The refund that an event is about: under the processor's id, or carrying ours while we do not know that yet.
async fn ours(
    connection: &mut Connection,
    event: &ProcessorEvent,
    external_id: &str,
) -> Result<Option<StoredRefund>, StoreError> {
    let known = refunds::find_by_external_id(connection, event.tenant, event.connection_id, external_id).await?;
    if known.is_some() {
        return Ok(known);
    }
    let Some(id) = event.refund_id else { return Ok(None) };
    let carried = refunds::find(connection, event.tenant, id).await?;
    Ok(carried.filter(|refund| refund.connection_id == event.connection_id))
}

/// An event about a charge names no refund: all of ours that are open there are looked at.
async fn judge_charge(
    connection: &mut Connection,
    app: &App,
    event: &ProcessorEvent,
    now: Timestamp,
) -> Result<Verdict, StoreError> {
    let Some(charge) = &event.charge else { return Ok(Verdict::Done(FOREIGN)) };
    let own = refunds::list_of_transaction(connection, event.tenant, event.connection_id, charge).await;
    let own = match own {
        Ok(own) => own,
        // More than is decided on: each of them is polled.
        Err(StoreError::TooManyRefunds) => return Ok(Verdict::Done(LOOK_WANTED)),
        Err(error) => return Err(error),
    };
    let mut outcome = if own.is_empty() { FOREIGN } else { AGREES };
    // Oldest first, as everybody who locks several refunds does.
    for one in own.into_iter().rev().filter(|own| is_open(own.status)) {
        let Some(refund) = refunds::find(connection, event.tenant, one.id).await? else { continue };
        if matches!(refund.state, State::Submitting { .. }) {
            return Ok(Verdict::Later(now.plus_millis(OVERTAKEN_MS)));
        }
        want(connection, app, &refund, now).await?;
        outcome = LOOK_WANTED;
    }
    Ok(Verdict::Done(outcome))
}

async fn want(
    connection: &mut Connection,
    app: &App,
    refund: &StoredRefund,
    now: Timestamp,
) -> Result<bool, StoreError> {
    jobs::want(connection, refund.tenant, refund.id, now, |asked_at| app.schedule.news_again_at(asked_at)).await
}

/// Asks the processor, unless news had this refund looked at less than a minute ago: then later.
async fn ask_again(
    connection: &mut Connection,
    app: &App,
    event: &ProcessorEvent,
    external_id: &str,
    now: Timestamp,
) -> Result<Verdict, StoreError> {
    let looked_at = processor_events::last_looked_at(connection, event.connection_id, external_id).await?;
    let again_at = looked_at.map(|at| app.schedule.news_again_at(at)).filter(|at| *at > now);
    Ok(again_at.map_or(Verdict::Ask, Verdict::Later))
}

/// Reads the refund at the processor, under the background's budget, and records what it says.
async fn ask(app: &Arc<App>, event: ProcessorEvent) -> Result<(), Error> {
    let (tenant, id, now) = (event.tenant, event.connection_id, app.env.now());
    let Some(external_id) = event.external_refund_id.clone() else { return Ok(()) };
    if let Err(again_at) = app.budgets.take(id, tenant.environment, now) {
        return put_off(app, event, again_at).await;
    }
    let processor = processors::of_connection(app, tenant, id, Patience::Background).await?;
    ::metrics::counter!(metrics::BACKGROUND_CALLS, "kind" => "news").increment(1);
    let outcome = match processor.retrieve_refund(&external_id).await {
        Ok(copy) => {
            app.budgets.answered(id);
            let known = ProcessorEvent { refund_id: copy.refund_id, ..event.clone() };
            let found = {
                let mut connection = app.store.read().await?;
                ours(&mut connection, &known, &external_id).await?
            };
            match found {
                Some(refund) => {
                    progress::apply_all(app, tenant, vec![(refund.id, Command::Observed(copy))], now).await?;
                    LOOKED
                }
                None => FOREIGN,
            }
        }
        Err(error) if error.kind == ProcessorErrorKind::RateLimited => {
            let until = app.budgets.back_off(id, tenant.environment, error.retry_after_ms, now);
            return put_off(app, event, until).await;
        }
        Err(error) if error.kind == ProcessorErrorKind::NotFound => NOT_SHOWN,
        // A key that is being replaced, a right that is missing: the news waits until the refund can be read.
        Err(error) if error.kind.is_refusal() => {
            super::poll::note_refused_credential(app, tenant, id, now, &error).await?;
            return put_off(app, event, now.plus_millis(REFUSED_MS)).await;
        }
        Err(_) => return put_off(app, event, app.schedule.news_again_at(now)).await,
    };
    ::metrics::counter!(metrics::NOTIFICATIONS_DIGESTED, "outcome" => outcome).increment(1);
    let looked_at = app.env.now();
    app.store
        .write(move |connection| {
            Box::pin(
                async move { Ok(processor_events::mark_digested(connection, &event, outcome, Some(looked_at)).await?) },
            )
        })
        .await
}

async fn put_off(app: &App, event: ProcessorEvent, due_at: Timestamp) -> Result<(), Error> {
    app.store
        .write(move |connection| {
            Box::pin(async move { Ok(processor_events::mark_due(connection, &event, due_at).await?) })
        })
        .await
}

const fn is_open(status: RefundStatus) -> bool {
    matches!(status, RefundStatus::Pending | RefundStatus::Processing)
}
