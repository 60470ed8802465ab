//! SQLite for a simulation: every unit of work runs on the thread that asks, and the simulation decides at each step whether the
//! process goes on, fails, or dies there. No other thread, so that one seed gives one run.

use std::{
    future::pending,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{FutureExt as _, future::BoxFuture};

use super::{
    Connection, StoreError,
    sqlite::{Handle, Kind, Reader, Readers},
};

/// Where a process is when the simulation is asked what becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// About to read.
    Read,
    /// About to write: nothing has happened.
    Write,
    /// A unit of work is durable, and nobody knows yet.
    Committed,
}

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It goes on.
    GoOn,
    /// The database answers with trouble; what was committed stays committed.
    Fail,
    /// The process is dead: nothing after this happens.
    Die,
}

/// Decides, at each moment, what becomes of the process. It may also let others go first.
pub trait Fates: Send + Sync {
    /// What becomes of it now.
    fn decide(&self, moment: Moment) -> BoxFuture<'_, Fate>;
}

/// The database of a simulation.
#[derive(Clone)]
pub(super) struct Database {
    connection: Arc<Mutex<Connection>>,
    readers: Readers,
    fates: Arc<dyn Fates>,
}

impl Database {
    pub(super) fn open(path: &Path, fates: Arc<dyn Fates>) -> Result<Self, StoreError> {
        let handle = Handle::open_to_write(path, Kind::Writer)?;
        // Dying here is being dropped, not losing power.
        handle.sqlite().pragma_update(None, "synchronous", "OFF")?;
        let connection = Arc::new(Mutex::new(Connection::Sqlite(handle)));
        Ok(Self { connection, readers: Readers::open(path, Kind::Writer)?, fates })
    }

    /// Says what becomes of the process at this moment; a dead one never comes back from here.
    async fn pass(&self, moment: Moment) -> Result<(), StoreError> {
        match self.fates.decide(moment).await {
            Fate::GoOn => Ok(()),
            Fate::Fail => Err(StoreError::Commit("the simulation says so".to_owned())),
            Fate::Die => pending().await,
        }
    }

    pub(super) async fn read(&self) -> Result<Reader, StoreError> {
        self.pass(Moment::Read).await?;
        self.readers.acquire().await
    }

    pub(super) async fn write<T, E, F>(&self, unit: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Result<T, E>> + Send + 'static,
    {
        self.pass(Moment::Write).await?;
        let result = self.run(unit);
        if result.is_ok() {
            self.pass(Moment::Committed).await?;
        }
        result
    }

    fn run<T, E, F>(&self, unit: F) -> Result<T, E>
    where
        E: From<StoreError>,
        F: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Result<T, E>>,
    {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        control(&connection, "BEGIN IMMEDIATE")?;
        let waits = || Err(StoreError::Commit("a unit of work waited for something".to_owned()).into());
        let result = unit(&mut connection).now_or_never().unwrap_or_else(waits);
        control(&connection, if result.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
        result
    }
}

fn control(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    match connection {
        Connection::Sqlite(handle) => Ok(handle.sqlite().execute_batch(sql)?),
        Connection::Postgres(_) => Err(StoreError::Closed),
    }
}
