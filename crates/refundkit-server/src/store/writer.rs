//! The one task that writes: it commits the units that queued up while it was busy as one group.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures_util::{FutureExt as _, future::BoxFuture};
use sqlx::SqliteConnection;
use tokio::sync::{Mutex, mpsc, oneshot};

use super::{Connection, StoreError};
use crate::limits;

/// A unit of work, its types forgotten: it runs, and says how to tell its caller once the group is durable.
type Unit = Box<dyn for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Ran> + Send>;

/// A unit that ran: whether it stands, and how to answer its caller.
struct Ran {
    keep: bool,
    answer: Box<dyn FnOnce(Result<(), StoreError>) + Send>,
}

#[derive(Clone)]
pub(super) struct Writer {
    queue: Arc<Mutex<Option<mpsc::Sender<Unit>>>>,
    sender: mpsc::WeakSender<Unit>,
    done: Arc<Mutex<Option<oneshot::Receiver<()>>>>,
}

impl Writer {
    pub(super) fn start(connection: SqliteConnection) -> Self {
        let (sender, queue) = mpsc::channel(limits::WRITES_QUEUED_MAX);
        let (finished, done) = oneshot::channel();
        let weak = sender.downgrade();
        tokio::spawn(async move {
            write_groups(connection, queue).await;
            let _ = finished.send(());
        });
        Self { queue: Arc::new(Mutex::new(Some(sender))), sender: weak, done: Arc::new(Mutex::new(Some(done))) }
    }

    pub(super) async fn run<T, E, F>(&self, unit: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Result<T, E>> + Send + 'static,
    {
        let (answer, wait) = oneshot::channel::<Result<T, E>>();
        let unit: Unit = Box::new(move |connection| {
            Box::pin(async move {
                let result = unit(connection).await;
                let keep = result.is_ok();
                let answer = Box::new(move |committed: Result<(), StoreError>| {
                    // A unit that failed was rolled back alone; its own error says more than the group's.
                    let _ = answer.send(match (result, committed) {
                        (Ok(value), Ok(())) => Ok(value),
                        (Ok(_), Err(error)) => Err(error.into()),
                        (Err(error), _) => Err(error),
                    });
                });
                Ran { keep, answer }
            })
        });
        let sender = self.sender.upgrade().ok_or(StoreError::Closed)?;
        sender.try_send(unit).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StoreError::Full,
            mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
        })?;
        drop(sender);
        wait.await.map_err(|_| StoreError::Closed)?
    }

    /// Lets what is queued finish, and waits for it.
    pub(super) async fn close(&self) {
        drop(self.queue.lock().await.take());
        if let Some(done) = self.done.lock().await.take() {
            let _ = done.await;
        }
    }
}

async fn write_groups(mut connection: SqliteConnection, mut queue: mpsc::Receiver<Unit>) {
    let mut group = Vec::with_capacity(limits::WRITES_GROUPED_MAX);
    while queue.recv_many(&mut group, limits::WRITES_GROUPED_MAX).await > 0 {
        let mut ran = Vec::with_capacity(group.len());
        let committed = commit_group(&mut connection, group.drain(..), &mut ran).await;
        if committed.is_err() {
            // The transaction may or may not still be open; either way nothing of the group stands.
            let _ = sqlx::query("ROLLBACK").execute(&mut connection).await;
        }
        let message = committed.err().map(|error| error.to_string());
        for unit in ran {
            (unit.answer)(message.clone().map_or(Ok(()), |message| Err(StoreError::Commit(message))));
        }
    }
    let _ = sqlx::Connection::close(connection).await;
}

async fn commit_group(
    connection: &mut SqliteConnection,
    group: impl Iterator<Item = Unit>,
    ran: &mut Vec<Ran>,
) -> Result<(), sqlx::Error> {
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *connection).await?;
    for unit in group {
        sqlx::query("SAVEPOINT unit").execute(&mut *connection).await?;
        // A unit that panics is dropped with its caller's channel: the caller learns that the outcome is not known to it.
        let outcome = AssertUnwindSafe(unit(&mut *connection)).catch_unwind().await;
        let keep = outcome.as_ref().is_ok_and(|unit| unit.keep);
        if !keep {
            sqlx::query("ROLLBACK TO unit").execute(&mut *connection).await?;
        }
        sqlx::query("RELEASE unit").execute(&mut *connection).await?;
        match outcome {
            Ok(unit) => ran.push(unit),
            Err(_) => tracing::error!("a unit of work panicked and was rolled back"),
        }
    }
    sqlx::query("COMMIT").execute(&mut *connection).await?;
    Ok(())
}
