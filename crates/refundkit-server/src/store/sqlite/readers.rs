//! The connections that read: as many as may read at once, each lent to one reader at a time.

use std::{
    ops::{Deref, DerefMut},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::OpenFlags;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Handle, Kind};
use crate::{
    limits,
    store::{Connection, StoreError},
};

#[derive(Clone)]
pub(in crate::store) struct Readers {
    idle: Arc<Mutex<Vec<Connection>>>,
    places: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let mut idle = Vec::with_capacity(limits::READERS_MAX);
        for _ in 0..limits::READERS_MAX {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let sqlite = rusqlite::Connection::open_with_flags(path, flags)?;
            sqlite.busy_timeout(limits::DATABASE_BUSY_WAIT)?;
            sqlite.set_prepared_statement_cache_capacity(limits::STATEMENTS_CACHED_MAX);
            super::keep_plans(&sqlite)?;
            idle.push(Connection::Sqlite(Handle::new(sqlite, Kind::Reader)));
        }
        Ok(Self { idle: Arc::new(Mutex::new(idle)), places: Arc::new(Semaphore::new(limits::READERS_MAX)) })
    }

    pub(in crate::store) async fn acquire(&self) -> Result<Reader, StoreError> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let connection = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop().ok_or(StoreError::Closed)?;
        Ok(Reader { connection: Some(connection), idle: Arc::clone(&self.idle), _place: place })
    }

    pub(super) fn close(&self) {
        self.places.close();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// A connection to read with, given back when it is dropped.
pub(in crate::store) struct Reader {
    /// There until it is given back.
    connection: Option<Connection>,
    idle: Arc<Mutex<Vec<Connection>>>,
    _place: OwnedSemaphorePermit,
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }
}

impl Deref for Reader {
    type Target = Connection;
    #[expect(clippy::expect_used, reason = "the connection is taken in drop and nowhere else")]
    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("a reader has its connection until it is dropped")
    }
}

impl DerefMut for Reader {
    #[expect(clippy::expect_used, reason = "the connection is taken in drop and nowhere else")]
    fn deref_mut(&mut self) -> &mut Connection {
        self.connection.as_mut().expect("a reader has its connection until it is dropped")
    }
}
