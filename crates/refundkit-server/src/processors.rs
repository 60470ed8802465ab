//! From a stored connection to a processor that can be called.

use std::sync::Arc;

use refundkit::{
    ConnectionId, ConnectionStatus, ErrorCode, ProcessorConnection, ProcessorName, StripeConnect,
    processors::{
        PaymentProcessor, StripeProcessor,
        stripe::{RETRIES_DEFAULT, Timeouts},
    },
};
use secrecy::SecretString;

use crate::{
    app::App,
    error::Error,
    hint::Hint,
    limits,
    store::{Age, Connection, StoreError, Tenant, connections, connections::StoredConnection},
};

/// What a sealed key is bound to: it opens for this row only.
pub fn binding(id: ConnectionId) -> String {
    format!("connections/{id}/secret_key")
}

/// What sealed webhook secrets are bound to: they open for this row only.
pub fn webhook_binding(id: ConnectionId) -> String {
    format!("connections/{id}/webhook_secret")
}

/// The secrets that a notification may be signed with now: none, one, or several for a day after one was replaced.
pub fn webhook_secrets(app: &App, stored: &StoredConnection) -> Result<Vec<SecretString>, Error> {
    let (secrets, now) = (&stored.webhook_secrets, app.env.now());
    let replaced = secrets.replaced.iter().filter(|replaced| now < replaced.valid_until).map(|secret| &secret.sealed);
    let binding = webhook_binding(stored.connection.id);
    let open = |sealed: &Vec<u8>| app.vault.open(&binding, sealed).map_err(Error::internal);
    secrets.sealed.iter().chain(replaced).map(open).collect()
}

/// How patiently a call is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Repeated within the call: somebody waits for it.
    Insistent,
    /// Made once: it is counted against the background's budget, and comes again by itself.
    Background,
}

/// Opens a connection's credential and makes a processor that uses it.
pub fn open(app: &App, tenant: Tenant, stored: &StoredConnection) -> Result<Arc<dyn PaymentProcessor>, Error> {
    open_with(app, tenant, stored, Patience::Insistent)
}

fn open_with(
    app: &App,
    tenant: Tenant,
    stored: &StoredConnection,
    patience: Patience,
) -> Result<Arc<dyn PaymentProcessor>, Error> {
    let id = stored.connection.id;
    let secret_key = app
        .vault
        .open(&binding(id), &stored.sealed_secret_key)
        .map_err(|error| Error::internal(format!("the credential of {id} does not open: {error}")))?;
    make_with(app, tenant, stored.connection.processor, secret_key, stored.connection.connect.clone(), patience)
}

/// Makes a processor from a credential in hand. `environment_mismatch` and `validation_error` when the key is of the wrong kind.
pub fn make(
    app: &App,
    tenant: Tenant,
    name: ProcessorName,
    secret_key: SecretString,
    connect: Option<StripeConnect>,
) -> Result<Arc<dyn PaymentProcessor>, Error> {
    make_with(app, tenant, name, secret_key, connect, Patience::Insistent)
}

fn make_with(
    app: &App,
    tenant: Tenant,
    name: ProcessorName,
    secret_key: SecretString,
    connect: Option<StripeConnect>,
    patience: Patience,
) -> Result<Arc<dyn PaymentProcessor>, Error> {
    match name {
        ProcessorName::Stripe => {
            let retries = match patience {
                Patience::Insistent => RETRIES_DEFAULT,
                Patience::Background => 0,
            };
            let mut builder = StripeProcessor::builder(secret_key)
                .environment(tenant.environment)
                .api_base(&app.stripe_api_base)
                .connect(connect.unwrap_or_default())
                .max_retries(retries)
                .timeouts(Timeouts { total: limits::PROCESSOR_CALL_MAX, ..Timeouts::DEFAULT });
            if let Some(carrier) = &app.stripe_carrier {
                builder = builder.carrier(Arc::clone(carrier));
            }
            Ok(Arc::new(builder.build().map_err(wrong_settings)?))
        }
    }
}

fn wrong_settings(error: refundkit::Error) -> Error {
    let made = match error.code {
        ErrorCode::EnvironmentMismatch => {
            Error::new(ErrorCode::EnvironmentMismatch, error.message).field(Some("secretKey"))
        }
        _ => Error::validation(error.field.as_deref().unwrap_or("secretKey"), error.message),
    };
    match error.hint {
        Some(hint) => made.hint(hint),
        None => made,
    }
}

/// A connection that may make refunds, and a processor for it.
#[derive(Clone)]
pub struct Connected {
    /// The connection.
    pub connection: Arc<ProcessorConnection>,
    /// The processor.
    pub processor: Arc<dyn PaymentProcessor>,
    /// When the connection was as it is here.
    pub age: Age,
}

/// Finds the environment's connection that may make refunds, or remembers it.
pub async fn connected(app: &App, tenant: Tenant, name: ProcessorName) -> Result<Connected, Error> {
    let age = app.store.age();
    if let Some(connected) = app.connections.recall(age, &(tenant, name)) {
        return Ok(connected);
    }
    let stored = {
        let mut connection = app.store.read().await?;
        connections::find(&mut connection, tenant, name).await?
    };
    let stored = stored
        .filter(|stored| stored.connection.status != ConnectionStatus::Disconnected)
        .ok_or_else(|| not_connected(tenant, name))?;
    let processor = open(app, tenant, &stored)?;
    let connected = Connected { connection: Arc::new(stored.connection), processor, age };
    app.connections.keep(age, (tenant, name), connected.clone());
    Ok(connected)
}

fn not_connected(tenant: Tenant, name: ProcessorName) -> Error {
    let environment = tenant.environment;
    Error::new(
        ErrorCode::ProcessorNotConnected,
        format!("No {name} account is connected in the {environment} environment."),
    )
    .hint(Hint::Connect(name))
}

/// Refuses, in the transaction that would rest on it, when a connection was changed or taken away since it was read, at this age.
pub async fn check_unchanged(
    connection: &mut Connection,
    tenant: Tenant,
    read: &ProcessorConnection,
    age: Age,
) -> Result<(), Error> {
    if connection.is_unchanged_since(age) {
        return Ok(());
    }
    let (status, updated_at) = connections::get_status(connection, tenant, read.id).await?;
    if status == ConnectionStatus::Disconnected {
        return Err(not_connected(tenant, read.processor));
    }
    if updated_at != read.updated_at {
        return Err(changed_meanwhile());
    }
    Ok(())
}

/// `conflict`: somebody else changed the connection at the same time.
pub fn changed_meanwhile() -> Error {
    Error::new(ErrorCode::Conflict, "The processor connection was changed by another request at the same time.")
        .hint("Read the connection, and repeat the request if it is still what you want.")
        .retry_after(1)
}

/// The processor of a connection by its id, whatever its status: open refunds are followed to their end.
pub async fn of_connection(
    app: &App,
    tenant: Tenant,
    id: ConnectionId,
    patience: Patience,
) -> Result<Arc<dyn PaymentProcessor>, Error> {
    let stored = {
        let mut connection = app.store.read().await?;
        connections::get(&mut connection, tenant, id).await.map_err(|error: StoreError| Error::from(error))?
    };
    open_with(app, tenant, &stored, patience)
}
