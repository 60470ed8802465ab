//! The daily comparison of our books with each connection's processor, and an alarm for what it finds.

use std::sync::Arc;

use refundkit::{ConnectionId, Timestamp};
use refundkit_core::schedule::Schedule;
use tokio::sync::Semaphore;

use crate::{
    app::App,
    error::Error,
    limits, metrics,
    reconcile::{self, Drift, Kind, Report},
    store::{Tenant, connections},
};

/// How far back the daily comparison goes: polls follow what is older, and `refundkit reconcile --since` looks further.
const WINDOW_MS: i64 = 3 * Schedule::RECONCILE_DELAY_MS;

/// Runs until the process is to end.
pub async fn run(app: Arc<App>) {
    let places = Arc::new(Semaphore::new(limits::COMPARISONS_AT_ONCE_MAX));
    while !app.shutdown.is_cancelled() {
        if let Err(error) = compare_due(&app, &places).await
            && !app.shutdown.is_cancelled()
        {
            tracing::warn!(%error, "books were not compared");
        }
        tokio::select! {
            () = app.shutdown.cancelled() => {}
            () = tokio::time::sleep(limits::RECONCILE_REST) => {}
        }
    }
}

/// Begins what is due, as far as there are places; the rest is found again in the next round. Each comparison goes at the pace
/// that its own processor allows.
async fn compare_due(app: &Arc<App>, places: &Arc<Semaphore>) -> Result<(), Error> {
    let now = app.env.now();
    let before = app.schedule.reconciled_before(now);
    let due = {
        let mut connection = app.store.read().await?;
        connections::list_unreconciled(&mut connection, before).await?
    };
    for (tenant, id) in due {
        let Ok(place) = Arc::clone(places).try_acquire_owned() else { return Ok(()) };
        if claim(app, tenant, id, before, now).await? {
            let comparing = Arc::clone(app);
            app.tasks.spawn(async move {
                tell(&reconcile::compare(&comparing, tenant, id, now.plus_millis(-WINDOW_MS)).await);
                drop(place);
            });
        }
    }
    Ok(())
}

/// Takes today's comparison for this process.
async fn claim(app: &App, tenant: Tenant, id: ConnectionId, before: Timestamp, now: Timestamp) -> Result<bool, Error> {
    app.store
        .write(move |connection| {
            Box::pin(async move { Ok(connections::mark_reconciled(connection, tenant, id, before, now).await?) })
        })
        .await
}

/// What a person should look at is an alarm; what somebody did elsewhere, or was set right, is a line in the log.
fn tell(report: &Report) {
    let id = report.connection_id;
    if let Some(error) = &report.error {
        tracing::warn!(connection_id = %id, error, "the comparison with the processor did not come to its end");
    }
    for Drift { kind, refund_id, corrected, message, .. } in &report.drift {
        if *corrected || *kind == Kind::MadeElsewhere {
            tracing::info!(connection_id = %id, kind = kind.as_str(), "{message}");
        } else {
            metrics::alarm(*refund_id, &format!("{}: {message}", kind.as_str()));
        }
    }
    let (compared, listed, drift) = (report.compared, report.listed, report.drift_count);
    tracing::debug!(connection_id = %id, compared, listed, drift, "compared with the processor");
}
