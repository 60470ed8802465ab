//! The one thread that writes: it commits the units that queued up while it was busy as one group.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::sync::{mpsc, oneshot};

use super::Handle;
use crate::{
    limits,
    store::{Connection, StoreError},
};

/// A unit of work, its types forgotten: it runs, and says how to tell its caller once the group is durable.
type Unit = Box<dyn FnOnce(&mut Connection) -> Ran + Send>;

/// A unit that ran: whether it stands, and how to answer its caller.
struct Ran {
    keep: bool,
    answer: Box<dyn FnOnce(Result<(), StoreError>) + Send>,
}

#[derive(Clone)]
pub(in crate::store) struct Writer(Arc<Mutex<Option<Running>>>);

struct Running {
    queue: mpsc::Sender<Unit>,
    done: oneshot::Receiver<()>,
}

impl Writer {
    pub(super) fn start(handle: Handle) -> Self {
        let (queue, units) = mpsc::channel(limits::WRITES_QUEUED_MAX);
        let (finished, done) = oneshot::channel();
        thread::spawn(move || {
            write_groups(Connection::Sqlite(handle), units);
            let _ = finished.send(());
        });
        Self(Arc::new(Mutex::new(Some(Running { queue, done }))))
    }

    pub(in crate::store) async fn run<T, E, F>(&self, unit: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Result<T, E>> + Send + 'static,
    {
        let (answer, wait) = oneshot::channel::<Result<T, E>>();
        let unit: Unit = Box::new(move |connection| {
            // Statements of SQLite are ready at once. A unit that waits for anything else does not belong here.
            let waits = || Err(StoreError::Commit("a unit of work waited for something".to_owned()).into());
            let result = unit(connection).now_or_never().unwrap_or_else(waits);
            let keep = result.is_ok();
            let answer = Box::new(move |committed: Result<(), StoreError>| {
                // A unit that failed has an error of its own, which says more than the group's.
                let _ = answer.send(match (result, committed) {
                    (Ok(value), Ok(())) => Ok(value),
                    (Ok(_), Err(error)) => Err(error.into()),
                    (Err(error), _) => Err(error),
                });
            });
            Ran { keep, answer }
        });
        {
            let running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let queue = &running.as_ref().ok_or(StoreError::Closed)?.queue;
            queue.try_send(unit).map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => StoreError::Full,
                mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
            })?;
        }
        wait.await.map_err(|_| StoreError::Closed)?
    }

    /// Lets what is queued finish, and waits for it.
    pub(super) async fn close(&self) {
        let running = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Running { queue, done }) = running {
            drop(queue);
            let _ = done.await;
        }
    }
}

fn write_groups(mut connection: Connection, mut units: mpsc::Receiver<Unit>) {
    let mut group = Vec::with_capacity(limits::WRITES_GROUPED_MAX);
    while units.blocking_recv_many(&mut group, limits::WRITES_GROUPED_MAX) > 0 {
        let mut waiting = group.drain(..);
        // More than one round only when a unit spoilt the one before it: those behind it had not run.
        while waiting.len() > 0 {
            let mut ran = Vec::with_capacity(waiting.len());
            let committed = commit_group(&mut connection, &mut waiting, &mut ran);
            if committed.is_err() {
                // The transaction may or may not still be open; either way nothing of the group stands.
                let _ = sqlite(&connection).map(|sqlite| sqlite.execute_batch("ROLLBACK"));
            }
            let message = committed.err().map(|error| error.to_string());
            for unit in ran {
                (unit.answer)(message.clone().map_or(Ok(()), |message| Err(StoreError::Commit(message))));
            }
        }
    }
}

/// Runs units in one transaction and commits it. It ends early, as an error, after a unit that failed with rows changed already:
/// those changes go only with the whole transaction. Units decide before they write, so this takes a defect or a broken disk; a
/// savepoint for each unit would have every create pay for it.
fn commit_group(
    connection: &mut Connection,
    waiting: &mut impl Iterator<Item = Unit>,
    ran: &mut Vec<Ran>,
) -> Result<(), StoreError> {
    if let Err(error) = control(connection, "BEGIN IMMEDIATE") {
        // Nothing runs: whoever waits learns it from the channel that is dropped with the unit.
        waiting.for_each(drop);
        return Err(error);
    }
    for unit in waiting {
        let before = sqlite(connection)?.total_changes();
        // A unit that panics is dropped with its caller's channel: the caller learns that the outcome is not known to it.
        let outcome = catch_unwind(AssertUnwindSafe(|| unit(connection)));
        let kept = outcome.as_ref().is_ok_and(|unit| unit.keep);
        match outcome {
            Ok(unit) => ran.push(unit),
            Err(_) => tracing::error!("a unit of work panicked"),
        }
        if !kept && sqlite(connection)?.total_changes() != before {
            return Err(StoreError::Commit("a unit of work of the same group failed half done".to_owned()));
        }
    }
    control(connection, "COMMIT")
}

fn control(connection: &mut Connection, sql: &str) -> Result<(), StoreError> {
    sqlite(connection)?.prepare_cached(sql)?.execute([])?;
    Ok(())
}

/// The connection as SQLite's own library sees it.
fn sqlite(connection: &Connection) -> Result<&rusqlite::Connection, StoreError> {
    match connection {
        Connection::Sqlite(handle) => Ok(&handle.sqlite),
        Connection::Postgres(_) => Err(StoreError::Closed),
    }
}
