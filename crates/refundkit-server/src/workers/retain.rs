//! Clears away what is kept for a time only: log entries, idempotency keys,
//! notifications, sessions and invitations. Refunds and their audit trail are kept.

use std::sync::Arc;

use refundkit::Timestamp;

use crate::{
    app::App,
    limits,
    store::{StoreError, idempotency_keys, invitations, logs, processor_events, sessions},
};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Runs until the process is to end.
pub async fn run(app: Arc<App>) {
    loop {
        if let Err(error) = clear(&app, app.env.now()).await {
            tracing::warn!(%error, "old rows were not cleared away");
        }
        tokio::select! {
            () = app.shutdown.cancelled() => return,
            () = tokio::time::sleep(limits::RETAIN_EVERY) => {}
        }
    }
}

/// Deletes what is too old, a batch at a time so that refunds never wait long.
async fn clear(app: &App, now: Timestamp) -> Result<(), StoreError> {
    loop {
        let deleted = app
            .store
            .write::<_, StoreError, _>(move |connection| {
                Box::pin(async move {
                    let logs_before = now.plus_millis(-limits::LOG_DAYS * DAY_MS);
                    let keys_before = now.plus_millis(-limits::IDEMPOTENCY_KEY_DAYS * DAY_MS);
                    let logs = logs::delete_before(connection, logs_before, limits::RETAIN_BATCH).await?;
                    let keys = idempotency_keys::delete_before(connection, keys_before, limits::RETAIN_BATCH).await?;
                    let events_before = now.plus_millis(-limits::NOTIFICATION_DAYS * DAY_MS);
                    let events =
                        processor_events::delete_before(connection, events_before, limits::RETAIN_BATCH).await?;
                    let (seen, begun) = (-limits::SESSION_IDLE_MS, -limits::SESSION_MS_MAX);
                    sessions::delete_old(connection, now.plus_millis(seen), now.plus_millis(begun)).await?;
                    invitations::delete_expired(connection, now).await?;
                    Ok(logs.max(keys).max(events))
                })
            })
            .await?;
        if i64::try_from(deleted).unwrap_or(i64::MAX) < limits::RETAIN_BATCH {
            return Ok(());
        }
    }
}
