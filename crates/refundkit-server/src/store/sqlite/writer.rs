//! The one thread that writes: it commits the units that queued up while it was busy as one group.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    thread,
};

use futures_util::{FutureExt as _, future::BoxFuture};
use rusqlite::hooks::Action;
use tokio::sync::{mpsc, oneshot};

use super::Handle;
use crate::{
    limits,
    store::{
        Connection, StoreError,
        memory::{Age, COUNTED_TABLES, Changes},
    },
};

/// A unit of work, its types forgotten: it runs, and says how to tell its caller once the group is durable.
type Unit = Box<dyn FnOnce(&mut Connection) -> Ran + Send>;

/// A unit that ran: whether it stands, and how to answer its caller.
struct Ran {
    keep: bool,
    answer: Box<dyn FnOnce(Result<(), StoreError>) + Send>,
}

#[derive(Clone)]
pub(in crate::store) struct Writer {
    running: Arc<Mutex<Option<Running>>>,
    /// Grows before anybody hears that an API key or a connection was changed.
    pub(in crate::store) changes: Changes,
}

struct Running {
    queue: mpsc::Sender<Unit>,
    done: oneshot::Receiver<()>,
}

impl Writer {
    pub(super) fn start(mut handle: Handle) -> Result<Self, StoreError> {
        let (queue, units) = mpsc::channel(limits::WRITES_QUEUED_MAX);
        let (finished, done) = oneshot::channel();
        let changes = Changes::default();
        let counting = Counting::start(&mut handle.sqlite, changes.clone())?;
        handle.counting = Some(counting.clone());
        thread::spawn(move || {
            write_groups(Connection::Sqlite(handle), units, &counting);
            let _ = finished.send(());
        });
        Ok(Self { running: Arc::new(Mutex::new(Some(Running { queue, done }))), changes })
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
            let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
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
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Running { queue, done }) = running {
            drop(queue);
            let _ = done.await;
        }
    }
}

/// Counts the groups that changed what may be remembered.
#[derive(Clone)]
pub(super) struct Counting {
    /// A row of such a table was written since the last commit.
    touched: Arc<AtomicBool>,
    changes: Changes,
    /// SQLite's count of what was committed from outside this process, as it was when the last group began.
    outside: Arc<AtomicI64>,
}

impl Counting {
    fn start(sqlite: &mut rusqlite::Connection, changes: Changes) -> Result<Self, StoreError> {
        let touched = Arc::new(AtomicBool::new(false));
        let noted = Arc::clone(&touched);
        sqlite.update_hook(Some(move |_: Action, _: &str, table: &str, _: i64| {
            if COUNTED_TABLES.contains(&table) {
                noted.store(true, Ordering::Relaxed);
            }
        }))?;
        let outside = Arc::new(AtomicI64::new(commits_from_outside(sqlite)?));
        Ok(Self { touched, changes, outside })
    }

    /// A group begins, and nobody else can commit until it is over. What was committed from outside since the last one (by a command
    /// beside the server, by somebody's own hand) counts as a change, whatever it was.
    fn group_begins(&self, sqlite: &rusqlite::Connection) -> Result<(), StoreError> {
        let outside = commits_from_outside(sqlite)?;
        if self.outside.swap(outside, Ordering::Relaxed) != outside {
            self.changes.count();
        }
        Ok(())
    }

    /// Whether no group since this age has changed it, and the one under way has not either.
    pub(super) fn is_unchanged_since(&self, age: Age) -> bool {
        self.changes.now() == age && !self.touched.load(Ordering::Relaxed)
    }

    /// A group is over. A commit that failed may have succeeded, so that its changes count too.
    fn group_is_over(&self) {
        if self.touched.swap(false, Ordering::Relaxed) {
            self.changes.count();
        }
    }
}

fn commits_from_outside(sqlite: &rusqlite::Connection) -> Result<i64, StoreError> {
    Ok(sqlite.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?)
}

fn write_groups(mut connection: Connection, mut units: mpsc::Receiver<Unit>, counting: &Counting) {
    let mut group = Vec::with_capacity(limits::WRITES_GROUPED_MAX);
    while units.blocking_recv_many(&mut group, limits::WRITES_GROUPED_MAX) > 0 {
        let mut waiting = group.drain(..);
        // More than one round only when a unit spoilt the one before it: those behind it had not run.
        while waiting.len() > 0 {
            let mut ran = Vec::with_capacity(waiting.len());
            let committed = commit_group(&mut connection, counting, &mut waiting, &mut ran);
            if committed.is_err() {
                // The transaction may or may not still be open; either way nothing of the group stands.
                let _ = sqlite(&connection).map(|sqlite| sqlite.execute_batch("ROLLBACK"));
            }
            counting.group_is_over();
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
    counting: &Counting,
    waiting: &mut impl Iterator<Item = Unit>,
    ran: &mut Vec<Ran>,
) -> Result<(), StoreError> {
    let begun = control(connection, "BEGIN IMMEDIATE");
    if let Err(error) = begun.and_then(|()| counting.group_begins(sqlite(connection)?)) {
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
        // A disk that is full or broken can end the whole transaction. What runs behind that would commit by itself, statement by
        // statement.
        if sqlite(connection)?.is_autocommit() {
            return Err(StoreError::Commit("the transaction was ended by the database".to_owned()));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::Kind;

    fn run(connection: &Connection, sql: &str) -> Result<(), StoreError> {
        Ok(sqlite(connection)?.execute_batch(sql)?)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn behind_a_transaction_that_the_database_ended_nothing_is_written_that_is_not_told() {
        let database = rusqlite::Connection::open_in_memory().unwrap();
        database.execute_batch("CREATE TABLE written (unit INTEGER)").unwrap();
        let writer = Writer::start(Handle::new(database, Kind::Writer)).unwrap();
        // While the first is under way, the other two become a group.
        let (begun, begins) = oneshot::channel();
        let (go_on, waits) = std::sync::mpsc::channel();
        let first = {
            let writer = writer.clone();
            tokio::spawn(async move {
                let unit = writer.run::<(), StoreError, _>(move |_| {
                    let _ = begun.send(());
                    let _ = waits.recv();
                    Box::pin(async { Ok(()) })
                });
                unit.await
            })
        };
        begins.await.unwrap();
        let second = writer.run::<(), StoreError, _>(|connection| {
            let ended = run(connection, "ROLLBACK");
            Box::pin(async { ended.and(Err(StoreError::Commit("as a full disk does".to_owned()))) })
        });
        let third = writer.run::<(), StoreError, _>(|connection| {
            let inserted = run(connection, "INSERT INTO written VALUES (3)");
            Box::pin(async { inserted })
        });
        let (second, third, _) = tokio::join!(second, third, async { go_on.send(()) });
        first.await.unwrap().unwrap();
        second.unwrap_err();
        let count = writer.run::<i64, StoreError, _>(|connection| {
            let count = sqlite(connection)
                .and_then(|sqlite| Ok(sqlite.query_row("SELECT count(*) FROM written", [], |row| row.get(0))?));
            Box::pin(async { count })
        });
        assert_eq!(count.await.unwrap(), i64::from(third.is_ok()));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_unit_knows_whether_connections_are_as_they_were() {
        let mut database = rusqlite::Connection::open_in_memory().unwrap();
        crate::store::sqlite::migrations::run(&mut database).unwrap();
        let writer = Writer::start(Handle::new(database, Kind::Writer)).unwrap();
        let changing = async |sql: &'static str, age: Age| {
            let unit = writer.run::<_, StoreError, _>(move |connection| {
                let before = connection.is_unchanged_since(age);
                let ran = run(connection, sql).map(|()| (before, connection.is_unchanged_since(age)));
                Box::pin(async { ran })
            });
            unit.await.unwrap()
        };
        let first = writer.changes.now();
        assert_eq!(changing("SELECT 1", first).await, (true, true));
        assert_eq!(changing("UPDATE organizations SET name = 'nobody' WHERE id = 'none'", first).await, (true, true));
        // Seen from the change on: in the unit that makes it, before anything is committed, and behind it.
        let insert = "INSERT INTO organizations (id, name, created_at) VALUES ('org', 'name', 1)";
        assert_eq!(changing(insert, first).await, (true, false));
        assert_eq!(changing("SELECT 1", first).await, (false, false));
        let second = writer.changes.now();
        assert_eq!(changing("SELECT 1", second).await, (true, true));
        assert_eq!(changing("SELECT 1", Age::UNKNOWN).await, (false, false));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_changed_from_outside_is_counted_before_anything_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("refundkit.db");
        let writer = Writer::start(Handle::open_to_write(&path, Kind::Writer).unwrap()).unwrap();
        let is_unchanged = async |age: Age| {
            let unit = writer.run::<_, StoreError, _>(move |connection| {
                let is_unchanged = connection.is_unchanged_since(age);
                Box::pin(async move { Ok(is_unchanged) })
            });
            unit.await.unwrap()
        };
        let insert = |id: &str| {
            let hand = rusqlite::Connection::open(&path).unwrap();
            hand.execute("INSERT INTO organizations (id, name, created_at) VALUES (?1, 'name', 1)", [id]).unwrap();
        };
        // Also before the first group.
        let first = writer.changes.now();
        insert("one");
        assert!(!is_unchanged(first).await);
        let second = writer.changes.now();
        assert!(is_unchanged(second).await);
        insert("two");
        assert!(!is_unchanged(second).await);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn whoever_changed_a_key_or_a_connection_finds_it_counted() {
        let mut database = rusqlite::Connection::open_in_memory().unwrap();
        crate::store::sqlite::migrations::run(&mut database).unwrap();
        let writer = Writer::start(Handle::new(database, Kind::Writer)).unwrap();
        let write = async |sql: &'static str| {
            let before = writer.changes.now();
            let unit = writer.run::<(), StoreError, _>(move |connection| {
                let ran = run(connection, sql);
                Box::pin(async { ran })
            });
            unit.await.unwrap();
            writer.changes.now() != before
        };
        for sql in [
            "INSERT INTO organizations (id, name, created_at) VALUES ('org', 'name', 1)",
            "INSERT INTO api_keys VALUES ('key', 'org', 'test', 'read', 'name', 'prefix', 'hash', 1, NULL, NULL)",
            "UPDATE api_keys SET revoked_at = 2 WHERE id = 'key'",
            "INSERT INTO connections (id, organization_id, environment, processor, status, sealed_secret_key, secret_key_hint,
                created_at, updated_at) VALUES ('conn', 'org', 'test', 'stripe', 'active', x'00', 'hint', 1, 1)",
            "UPDATE connections SET status = 'disconnected' WHERE id = 'conn'",
        ] {
            assert!(write(sql).await, "{sql}");
        }
        assert!(!write("INSERT INTO idempotency_keys VALUES ('org', 'test', 'key', 'op', 'print', 'id', 1)").await);
    }
}
