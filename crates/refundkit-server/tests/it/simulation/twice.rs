//! Workers that do every job twice at the same time, as two processes do of which one has lost its lease without knowing it.

use std::{sync::Arc, time::Duration};

use refundkit_server::{
    app::App,
    limits,
    store::{StoreError, jobs},
    workers::{self, watch},
};

/// Claims what is due and does each twice, until the process ends.
pub(crate) async fn run(app: Arc<App>) {
    loop {
        // What fails is claimed again when its lease lapses, as everywhere.
        let _ = submissions(&app).await;
        let _ = looks(&app).await;
        tokio::select! {
            () = app.job_put.notified() => {}
            () = tokio::time::sleep(Duration::from_secs(20)) => {}
        }
    }
}

async fn submissions(app: &Arc<App>) -> Result<(), StoreError> {
    let (now, most) = (app.env.now(), limits::JOBS_CLAIMED_MAX);
    let leased_until = now.plus_millis(limits::JOB_LEASE_MS);
    let claimed = app.store.write::<_, StoreError, _>(move |connection| {
        Box::pin(async move { jobs::claim(connection, now, leased_until, most).await })
    });
    for job in claimed.await? {
        for _ in 0..2 {
            let (app, job) = (Arc::clone(app), job.clone());
            tokio::spawn(async move {
                let _ = workers::work(&app, &job).await;
                app.job_put.notify_one();
            });
        }
    }
    Ok(())
}

async fn looks(app: &Arc<App>) -> Result<(), StoreError> {
    let now = app.env.now();
    let leased_until = now.plus_millis(limits::JOB_LEASE_MS);
    let due = {
        let mut connection = app.store.read().await?;
        jobs::list_by_next_look(&mut connection, limits::CONNECTIONS_CLAIMED_MAX).await?
    };
    for due in due {
        let claimed = app.store.write::<_, StoreError, _>(move |connection| {
            Box::pin(async move {
                jobs::claim_looks(connection, due.id, now, leased_until, limits::LOOKS_TOGETHER_MAX).await
            })
        });
        let claimed = claimed.await?;
        if claimed.is_empty() {
            continue;
        }
        for _ in 0..2 {
            let (app, claimed) = (Arc::clone(app), claimed.clone());
            tokio::spawn(async move {
                let _ = watch::look(&app, due, claimed, leased_until).await;
                app.job_put.notify_one();
            });
        }
    }
    Ok(())
}
