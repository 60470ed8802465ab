//! Workers: they claim due jobs under a lease and do for each refund what the rules say is next.
//!
//! * `submit`: gets refunds accepted, one at a time.
//! * `watch`: looks at refunds that the processor has, many in one call; `poll` reads a single one.
//! * `digest`: turns notifications of processors into looks.
//! * `reconcile`: compares our books with the processor's, daily.
//! * `retain`: clears away what is kept for a time only.
//!
//! A job may run twice (a lease lapses, a process dies). That is safe: what it does is decided from the refund's state at
//! that moment, every look changes nothing, and a submission is executed once for its idempotency key.

pub mod digest;
pub mod poll;
pub mod reconcile;
pub mod retain;
pub mod submit;
pub mod watch;

use std::{sync::Arc, time::Duration};

use refundkit_core::lifecycle::{self, Step};
use tokio::sync::Semaphore;

use crate::{
    app::App,
    error::Error,
    limits, metrics,
    processors::{self, Patience},
    store::{StoreError, jobs, jobs::ClaimedJob, refunds},
};

/// Runs until the process is to end.
pub async fn run(app: Arc<App>) {
    // Apart, so that a thousand looks never keep a refund from being sent.
    let to_submit = Arc::new(Semaphore::new(limits::JOBS_AT_ONCE_MAX));
    let to_look = Arc::new(Semaphore::new(limits::LOOKS_AT_ONCE_MAX));
    while !app.shutdown.is_cancelled() {
        let submitted = take_due(&app, &to_submit).await;
        let looked = watch::start_due(&app, &to_look).await;
        let mut rest = app.worker_rest_max;
        for taken in [submitted, looked] {
            match taken {
                Ok(wish) => rest = rest.min(wish),
                Err(error) => tracing::error!(%error, "jobs could not be claimed"),
            }
        }
        tokio::select! {
            () = app.shutdown.cancelled() => {}
            () = app.job_put.notified() => {}
            () = tokio::time::sleep(rest) => {}
        }
    }
}

/// Claims refunds that are to be submitted, as far as there are places, and says how long to rest.
async fn take_due(app: &Arc<App>, places: &Arc<Semaphore>) -> Result<Duration, StoreError> {
    let now = app.env.now();
    let next = {
        let mut connection = app.store.read().await?;
        jobs::next_run_at(&mut connection).await?
    };
    let Some(next) = next else { return Ok(app.worker_rest_max) };
    let wait = next.millis_since(now);
    if wait > 0 {
        return Ok(Duration::from_millis(wait.unsigned_abs()).min(app.worker_rest_max));
    }
    let free = i64::try_from(places.available_permits()).unwrap_or(0).min(limits::JOBS_CLAIMED_MAX);
    if free == 0 {
        return Ok(app.worker_rest_max);
    }
    let leased_until = now.plus_millis(limits::JOB_LEASE_MS);
    let claimed = app
        .store
        .write::<_, StoreError, _>(move |connection| {
            Box::pin(async move {
                ::metrics::gauge!(metrics::JOBS_DUE).set(as_gauge(jobs::count_due(connection, now).await?));
                jobs::claim(connection, now, leased_until, free).await
            })
        })
        .await?;
    for job in claimed {
        let Ok(place) = Arc::clone(places).acquire_owned().await else { break };
        let app = Arc::clone(app);
        let tasks = app.tasks.clone();
        tasks.spawn(async move {
            if let Err(error) = work(&app, &job).await {
                tracing::error!(refund_id = %job.refund_id, %error, "a job failed; it runs again when its lease lapses");
            }
            drop(place);
            app.job_put.notify_one();
        });
    }
    Ok(Duration::ZERO)
}

#[expect(clippy::cast_precision_loss, reason = "a gauge of jobs is read by people; the metrics library wants a float")]
fn as_gauge(count: i64) -> f64 {
    count as f64
}

/// Does what is next for a refund. It may be done twice, at once or later: what it does follows from the refund's state.
pub async fn work(app: &Arc<App>, job: &ClaimedJob) -> Result<(), Error> {
    let refund = {
        let mut connection = app.store.read().await?;
        refunds::find(&mut connection, job.tenant, job.refund_id).await?
    };
    let refund = refund.map(Box::new);
    let refund = refund.ok_or_else(|| Error::internal(format!("{} has a job and no row", job.refund_id)))?;
    let step = lifecycle::next_step(&refund.state, app.env.now());
    if step == Step::Nothing {
        return finish(app, job).await;
    }
    let processor = processors::of_connection(app, job.tenant, refund.connection_id, Patience::Insistent).await?;
    match step {
        Step::Send => submit::send(app, refund, processor).await,
        Step::LookThenSend => submit::look_then_send(app, refund, processor).await,
        Step::Look => submit::look(app, &refund, processor.as_ref()).await.map(drop),
        // Accepted meanwhile: its job says so from its next change on.
        Step::Poll => poll::poll(app, &refund, processor.as_ref()).await.map(drop),
        Step::RepeatCancel => poll::repeat_cancel(app, *refund, processor).await,
        Step::Nothing => Ok(()),
    }
}

async fn finish(app: &Arc<App>, job: &ClaimedJob) -> Result<(), Error> {
    let id = job.refund_id;
    app.store.write(move |connection| Box::pin(async move { Ok(jobs::delete(connection, id).await?) })).await
}
