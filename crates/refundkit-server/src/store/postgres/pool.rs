//! The sessions at the server: as many as may be open at once, made when they are needed, lent to one unit of work or reader each.

use std::{panic::AssertUnwindSafe, str::FromStr as _, sync::Arc, time::Duration};

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime};
use futures_util::{FutureExt as _, future::BoxFuture};
use rustls::{ClientConfig, RootCertStore};
use secrecy::{ExposeSecret as _, SecretString};
use tokio_postgres::Config;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{Session, migrations};
use crate::{
    limits,
    store::{Connection, StoreError},
};

/// What holds for every session, whatever the server's own defaults are: nothing waits for ever, and a commit is on the disk.
const SESSION: &str = "SET statement_timeout = '20s'; SET lock_timeout = '10s'; \
    SET idle_in_transaction_session_timeout = '30s'; SET default_transaction_isolation = 'read committed'; \
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

/// The database.
#[derive(Clone)]
pub(in crate::store) struct Database {
    pool: Pool,
}

impl Database {
    /// Connects, and brings the tables up to date.
    pub(in crate::store) async fn open(url: &SecretString) -> Result<Self, StoreError> {
        let mut config = Config::from_str(url.expose_secret()).map_err(StoreError::Postgres)?;
        config.application_name(concat!("refundkit ", env!("CARGO_PKG_VERSION")));
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(limits::DATABASE_CONNECT_MAX);
        }
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let pool = Pool::builder(Manager::from_config(config, tls()?, recycling))
            .max_size(limits::SESSIONS_MAX)
            .wait_timeout(Some(limits::SESSION_WAIT_MAX))
            .create_timeout(Some(limits::DATABASE_CONNECT_MAX))
            .recycle_timeout(Some(Duration::from_secs(1)))
            .runtime(Runtime::Tokio1)
            .post_create(Hook::async_fn(|client, _| {
                Box::pin(async move { client.batch_execute(SESSION).await.map_err(HookError::Backend) })
            }))
            .build()
            .map_err(|error| StoreError::Unreachable(error.to_string()))?;
        let database = Self { pool };
        migrations::run(&mut database.session().await?).await?;
        Ok(database)
    }

    pub(super) async fn session(&self) -> Result<Object, StoreError> {
        self.pool.get().await.map_err(|error| match error {
            PoolError::Timeout(deadpool_postgres::TimeoutType::Wait) => StoreError::Full,
            PoolError::Closed => StoreError::Closed,
            PoolError::Backend(error) => StoreError::Unreachable(super::words(&error)),
            other => StoreError::Unreachable(other.to_string()),
        })
    }

    /// Runs a unit of work in a transaction of its own, and answers when it is durable.
    pub(in crate::store) async fn write<T, E, F>(&self, unit: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Result<T, E>> + Send + 'static,
    {
        let mut connection = self.begin().await?;
        // As on SQLite: a unit that panics leaves nothing behind, and its caller does not know the outcome.
        let result = AssertUnwindSafe(unit(&mut connection)).catch_unwind().await.unwrap_or_else(|_| {
            tracing::error!("a unit of work panicked");
            Err(StoreError::Closed.into())
        });
        end(connection, result.is_ok()).await?;
        result
    }

    async fn begin(&self) -> Result<Connection, StoreError> {
        Ok(Connection::Postgres(Session::to_write(self.session().await?)))
    }

    /// A session to read with.
    pub(in crate::store) async fn read(&self) -> Result<Connection, StoreError> {
        Ok(Connection::Postgres(Session::to_read(self.session().await?)))
    }

    pub(in crate::store) fn close(&self) {
        self.pool.close();
    }
}

/// Ends a unit's transaction: what is kept is durable then.
async fn end(connection: Connection, keep: bool) -> Result<(), StoreError> {
    let Connection::Postgres(mut session) = connection else { return Err(StoreError::Closed) };
    if keep {
        return session.commit().await;
    }
    session.roll_back().await;
    Ok(())
}

/// TLS, for servers whose address asks for it (`sslmode=require`): the certificate must be signed by a public authority or by one that
/// the system trusts.
fn tls() -> Result<MakeRustlsConnect, StoreError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| StoreError::Unreachable(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}
