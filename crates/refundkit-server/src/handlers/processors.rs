//! Processor connections: connect, try, disconnect. A key is tried before it is saved, and never shown again.

use refundkit::{
    ConnectionId, ConnectionStatus, ErrorCode, Page, ProcessorConnection, ProcessorName, StripeConnect, api_key,
    operations::{ConnectStripe, DisconnectStripe, ListProcessors, TestStripe},
    processors::{PaymentProcessor, stripe::StripeKey},
};
use secrecy::{ExposeSecret as _, SecretString};

use super::pages;
use crate::{
    app::App,
    error::Error,
    hint::Hint,
    limits, processors,
    registry::{Answer, Context, Handle},
    store::{
        Lock, api_keys, connections,
        connections::{ReplacedSecret, StoredConnection, WebhookSecrets},
        refunds,
    },
};

/// How many open refunds a new key is tried on.
const OPEN_REFUNDS_TRIED: u32 = 10;

impl Handle for ListProcessors {
    async fn handle(self, context: &Context) -> Result<Answer<Page<ProcessorConnection>>, Error> {
        let mut connection = context.app.store.read().await?;
        let listed = connections::list(&mut connection, context.caller.tenant).await?;
        Ok(Answer::ok(pages::whole(listed.into_iter().map(|connection| shown(context, connection)).collect())))
    }
}

impl Handle for ConnectStripe {
    async fn handle(self, context: &Context) -> Result<Answer<ProcessorConnection>, Error> {
        let (app, tenant, name) = (&context.app, context.caller.tenant, ProcessorName::Stripe);
        let before = find(context, name).await?;
        let connect = merged(self.connect, before.as_ref().and_then(|stored| stored.connection.connect.clone()));
        let secret_key = match (self.secret_key, &before) {
            (Some(given), _) => given,
            (None, Some(stored)) => app
                .vault
                .open(&processors::binding(stored.connection.id), &stored.sealed_secret_key)
                .map_err(Error::internal)?,
            (None, None) => return Err(Error::validation("secretKey", "`secretKey` is missing.")),
        };
        refuse_our_own_key(context, &secret_key).await?;
        let webhook_secret = self.webhook_secret.map(checked_webhook_secret).transpose()?;
        let hint = StripeKey::parse(secret_key.clone()).map_err(|error| wrong_key(&error))?.hint();
        let processor = processors::make(app, tenant, name, secret_key.clone(), connect.clone())?;
        let report = processor.verify_credentials().await.map_err(Error::from_processor)?;
        let (tried_at, is_forced) = (app.env.now(), self.force == Some(true));
        if let Some(stored) = &before
            && !is_forced
        {
            refuse_a_stranger_to_open_refunds(context, stored, processor.as_ref()).await?;
        }

        let now = app.env.now();
        let id = before.as_ref().map_or_else(|| app.env.new_connection_id(), |stored| stored.connection.id);
        let sealed = app.vault.seal(&app.env, &processors::binding(id), &secret_key).map_err(Error::internal)?;
        let (webhook_secrets, webhook_secret_hint) = match &webhook_secret {
            Some(secret) => (replaced_webhook_secret(app, id, before.as_ref(), secret)?, Some(webhook_hint(secret))),
            None => before.as_ref().map_or_else(Default::default, |stored| {
                (stored.webhook_secrets.clone(), stored.connection.webhook_secret_hint.clone())
            }),
        };
        let stored = StoredConnection {
            connection: ProcessorConnection {
                id,
                processor: name,
                environment: tenant.environment,
                status: ConnectionStatus::Active,
                secret_key_hint: hint,
                account: report.account,
                account_name: report.account_name,
                missing_permissions: report.missing_permissions,
                connect,
                webhook_url: connections::webhook_path(name, id),
                webhook_secret_hint,
                created_at: before.as_ref().map_or(now, |stored| stored.connection.created_at),
                updated_at: now,
            },
            sealed_secret_key: sealed,
            webhook_secrets,
        };
        let saved = stored.connection.clone();
        app.store
            .write::<_, Error, _>(move |connection| {
                Box::pin(async move {
                    connection.lock(&Lock::Connections(tenant)).await?;
                    let now = connections::find(connection, tenant, name).await?;
                    let seen =
                        |stored: &Option<StoredConnection>| stored.as_ref().map(|stored| stored.connection.updated_at);
                    if seen(&now) != seen(&before) {
                        return Err(processors::changed_meanwhile());
                    }
                    // A refund that was written down since was not among those that the new key was tried on.
                    let id = stored.connection.id;
                    if !is_forced && refunds::any_open_since(connection, tenant, id, tried_at).await? {
                        return Err(processors::changed_meanwhile());
                    }
                    Ok(connections::put(connection, tenant, &stored).await?)
                })
            })
            .await?;
        Ok(Answer::ok(shown(context, saved)))
    }
}

/// A connection as callers see it: where notifications go is an address that Stripe can reach.
fn shown(context: &Context, connection: ProcessorConnection) -> ProcessorConnection {
    let webhook_url = format!("{}{}", context.app.public_url.base, connection.webhook_url);
    ProcessorConnection { webhook_url, ..connection }
}

/// Stripe's signing secrets begin so, as RefundKit's own do.
const WEBHOOK_SECRET_PREFIX: &str = "whsec_";
/// What of a secret is shown at its end, and how much there must be besides.
const HINT_CHARACTERS: usize = 4;
const WEBHOOK_SECRET_CHARACTERS_MIN: usize = 16;

fn checked_webhook_secret(secret: SecretString) -> Result<SecretString, Error> {
    let text = secret.expose_secret();
    let rest = text.strip_prefix(WEBHOOK_SECRET_PREFIX).unwrap_or_default();
    let is_one = text.len() <= limits::EXTERNAL_ID_CHARACTERS_MAX
        && rest.len() >= WEBHOOK_SECRET_CHARACTERS_MIN
        && rest.bytes().all(|byte| byte.is_ascii_graphic());
    if is_one {
        return Ok(secret);
    }
    Err(Error::validation("webhookSecret", "This is not a signing secret of a Stripe webhook endpoint (whsec_…).")
        .hint(Hint::MakeWebhookEndpoint))
}

/// Enough of a secret to recognise it. It is ASCII and longer than this.
fn webhook_hint(secret: &SecretString) -> String {
    let text = secret.expose_secret();
    format!("{WEBHOOK_SECRET_PREFIX}…{}", &text[text.len().saturating_sub(HINT_CHARACTERS)..])
}

/// The secrets once this one is saved: each that was replaced stays valid for a day, and saving the same one again changes
/// nothing. `conflict` when too many would be valid: none of them ends before its time.
fn replaced_webhook_secret(
    app: &App,
    id: ConnectionId,
    before: Option<&StoredConnection>,
    secret: &SecretString,
) -> Result<WebhookSecrets, Error> {
    let binding = processors::webhook_binding(id);
    let known = before.map(|stored| stored.webhook_secrets.clone()).unwrap_or_default();
    let is_given = |sealed: &[u8]| {
        let opened = app.vault.open(&binding, sealed).map_err(Error::internal)?;
        Ok::<_, Error>(opened.expose_secret() == secret.expose_secret())
    };
    let now = app.env.now();
    let mut replaced = Vec::new();
    if let Some(sealed) = &known.sealed {
        if is_given(sealed)? {
            return Ok(known);
        }
        let valid_until = now.plus_millis(limits::WEBHOOK_SECRET_OVERLAP_MS);
        replaced.push(ReplacedSecret { sealed: sealed.clone(), valid_until });
    }
    for earlier in known.replaced {
        // One that comes back is the current one from now on.
        if now < earlier.valid_until && !is_given(&earlier.sealed)? {
            replaced.push(earlier);
        }
    }
    if replaced.len() > limits::WEBHOOK_SECRETS_REPLACED_MAX {
        let ends = replaced.iter().map(|earlier| earlier.valid_until).min().unwrap_or(now);
        let message = format!(
            "The webhook secret was replaced {} times within a day, and each one replaced is still valid.",
            limits::WEBHOOK_SECRETS_REPLACED_MAX
        );
        return Err(Error::new(ErrorCode::Conflict, message)
            .hint(format!("Replace it after {ends}, when the oldest of them ends.")));
    }
    let sealed = app.vault.seal(&app.env, &binding, secret).map_err(Error::internal)?;
    Ok(WebhookSecrets { sealed: Some(sealed), replaced })
}

/// What is given now over what was set before: omitted fields are kept, and an empty account is taken away.
fn merged(given: Option<StripeConnect>, before: Option<StripeConnect>) -> Option<StripeConnect> {
    let Some(given) = given else { return before };
    let before = before.unwrap_or_default();
    let connect = StripeConnect {
        account: given.account.or(before.account).filter(|account| !account.is_empty()),
        reverse_transfer: given.reverse_transfer.or(before.reverse_transfer),
        refund_application_fee: given.refund_application_fee.or(before.refund_application_fee),
    };
    (connect != StripeConnect::default()).then_some(connect)
}

fn wrong_key(error: &refundkit::Error) -> Error {
    let made = Error::validation("secretKey", error.message.clone());
    match &error.hint {
        Some(hint) => made.hint(hint.clone()),
        None => made,
    }
}

/// Stripe's restricted keys begin as ours do. One of ours is recognised by its hash and sent nowhere.
async fn refuse_our_own_key(context: &Context, secret_key: &SecretString) -> Result<(), Error> {
    let hash = api_key::hash_api_key(secret_key.expose_secret());
    let mut connection = context.app.store.read().await?;
    if api_keys::hash_exists(&mut connection, &hash).await? {
        return Err(Error::validation("secretKey", "This is a key of RefundKit, not of Stripe. It was sent nowhere.")
            .hint(
                "Paste the secret key of your Stripe account (sk_test_… or sk_live_…), or a restricted key made there.",
            ));
    }
    Ok(())
}

/// A key that cannot read refunds that are under way probably belongs to another account: they would be lost from sight.
async fn refuse_a_stranger_to_open_refunds(
    context: &Context,
    stored: &StoredConnection,
    processor: &dyn PaymentProcessor,
) -> Result<(), Error> {
    let open = {
        let mut connection = context.app.store.read().await?;
        let (tenant, id) = (context.caller.tenant, stored.connection.id);
        refunds::list_open(&mut connection, tenant, id, OPEN_REFUNDS_TRIED).await?
    };
    for refund in open {
        // One without an id there is looked for as a worker would: among the refunds of its charge.
        let read = match &refund.external_refund_id {
            Some(external_id) => processor.retrieve_refund(external_id).await.map(drop),
            None => processor.find_refund(&refund.charge, refund.id).await.map(drop),
        };
        if let Err(error) = read {
            if !error.kind.is_refusal() {
                return Err(Error::from_processor(error));
            }
            let message = format!(
                "This key cannot read the open refund {}: does it belong to another Stripe account?",
                refund.id
            );
            return Err(Error::new(ErrorCode::Conflict, message).refund(Some(refund.id)).hint(Hint::ForceReplacement));
        }
    }
    Ok(())
}

async fn find(context: &Context, name: ProcessorName) -> Result<Option<StoredConnection>, Error> {
    let mut connection = context.app.store.read().await?;
    Ok(connections::find(&mut connection, context.caller.tenant, name).await?)
}

async fn get(context: &Context, name: ProcessorName) -> Result<StoredConnection, Error> {
    find(context, name).await?.ok_or_else(|| Error::not_found("processor connection", name))
}

impl Handle for TestStripe {
    async fn handle(self, context: &Context) -> Result<Answer<ProcessorConnection>, Error> {
        let stored = get(context, ProcessorName::Stripe).await?;
        let processor = processors::open(&context.app, context.caller.tenant, &stored)?;
        let tried = processor.verify_credentials().await;
        let before = stored.connection;
        let mut found = before.clone();
        match &tried {
            Ok(report) => {
                // What could not be read this time is what it was: the key is the same.
                found.account = report.account.clone().or(found.account);
                found.account_name = report.account_name.clone().or(found.account_name);
                found.missing_permissions.clone_from(&report.missing_permissions);
                found.status = ConnectionStatus::Active;
            }
            Err(error) if error.kind.is_refusal() => found.status = ConnectionStatus::Invalid,
            Err(_) => {}
        }
        if before.status == ConnectionStatus::Disconnected {
            found.status = ConnectionStatus::Disconnected;
        }
        let marked = mark(context, before, found).await?;
        tried.map_err(Error::from_processor)?;
        Ok(Answer::ok(marked))
    }
}

impl Handle for DisconnectStripe {
    async fn handle(self, context: &Context) -> Result<Answer<ProcessorConnection>, Error> {
        let before = get(context, ProcessorName::Stripe).await?.connection;
        let id = before.id;
        let open = {
            let mut connection = context.app.store.read().await?;
            refunds::any_open(&mut connection, context.caller.tenant, id).await?
        };
        if open && self.force != Some(true) {
            return Err(Error::new(ErrorCode::Conflict, "Refunds through this connection are still open.")
                .hint(Hint::ForceDisconnection));
        }
        let disconnected = ProcessorConnection { status: ConnectionStatus::Disconnected, ..before.clone() };
        Ok(Answer::ok(mark(context, before, disconnected).await?))
    }
}

/// Notes what changed of a connection, unless somebody else changed it meanwhile.
async fn mark(
    context: &Context,
    before: ProcessorConnection,
    mut found: ProcessorConnection,
) -> Result<ProcessorConnection, Error> {
    if found == before {
        return Ok(shown(context, found));
    }
    let tenant = context.caller.tenant;
    found.updated_at = context.app.env.now();
    let marked = found.clone();
    context
        .app
        .store
        .write::<_, Error, _>(move |connection| {
            Box::pin(async move {
                connection.lock(&Lock::Connections(tenant)).await?;
                if connections::get_status(connection, tenant, found.id).await?.1 != before.updated_at {
                    return Err(processors::changed_meanwhile());
                }
                Ok(connections::mark_tried(connection, tenant, &found).await?)
            })
        })
        .await?;
    Ok(shown(context, marked))
}
