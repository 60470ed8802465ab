//! API keys: list, create, revoke.

use refundkit::{
    ApiKey, CreatedApiKey, ErrorCode, KeyId, Page, Scope, api_key,
    operations::{CreateApiKey, ListApiKeys, RevokeApiKey},
};

use super::{members, pages};
use crate::{
    error::Error,
    hint::Hint,
    registry::{self, Answer, Context, ContextFuture, Handle, Repeat},
    store::{Lock, api_keys, api_keys::NewApiKey, idempotency_keys},
};

impl Handle for ListApiKeys {
    async fn handle(self, context: &Context) -> Result<Answer<Page<ApiKey>>, Error> {
        let mut connection = context.app.store.read().await?;
        Ok(Answer::ok(pages::whole(api_keys::list(&mut connection, context.caller.tenant).await?)))
    }
}

impl Handle for CreateApiKey {
    const REPEAT: Option<Repeat<Self>> = Some(repeat);
    const STATUSES: &'static [u16] = &[201];

    async fn handle(self, context: &Context) -> Result<Answer<CreatedApiKey>, Error> {
        let (app, caller, claim) = (&context.app, context.caller.clone(), context.claim.clone());
        let tenant = caller.tenant;
        let key = app.env.new_api_key(tenant.environment);
        let new = NewApiKey {
            id: app.env.new_key_id(),
            name: self.name.as_str().to_owned(),
            scope: self.scope,
            prefix: key.chars().take(api_key::KEY_PREFIX_CHARACTERS).collect(),
            hash: api_key::hash_api_key(&key),
            created_at: app.env.now(),
        };
        let created = CreatedApiKey {
            id: new.id,
            name: new.name.clone(),
            scope: new.scope,
            environment: tenant.environment,
            prefix: new.prefix.clone(),
            key: Some(key),
            created_at: new.created_at,
        };
        app.store
            .write::<_, Error, _>(move |connection| {
                Box::pin(async move {
                    // A key outlives whoever made it: nobody makes one who may not any more.
                    members::hold(connection, &caller).await?;
                    registry::check_now::<Self>(connection, &caller).await?;
                    api_keys::insert(connection, tenant, &new).await?;
                    if let Some(claim) = claim {
                        let bound = claim.bound_to(new.id);
                        idempotency_keys::insert_new(connection, tenant, &claim.key, &bound, new.created_at).await?;
                    }
                    Ok(())
                })
            })
            .await?;
        Ok(Answer::created(created))
    }
}

/// A repeat shows the key that was made, without the secret: secrets are not stored to be shown again.
fn repeat(context: &Context, resource_id: String) -> ContextFuture<'_, Answer<CreatedApiKey>> {
    Box::pin(async move {
        let id: KeyId = resource_id.parse().map_err(Error::internal)?;
        let mut connection = context.app.store.read().await?;
        let key = api_keys::find(&mut connection, context.caller.tenant, id)
            .await?
            .ok_or_else(|| Error::not_found("API key", id).hint(Hint::MakeAnotherKey))?;
        Ok(Answer::created(CreatedApiKey {
            id: key.id,
            name: key.name,
            scope: key.scope,
            environment: key.environment,
            prefix: key.prefix,
            key: None,
            created_at: key.created_at,
        }))
    })
}

impl Handle for RevokeApiKey {
    async fn handle(self, context: &Context) -> Result<Answer<ApiKey>, Error> {
        let (app, tenant, id) = (&context.app, context.caller.tenant, self.id);
        let now = app.env.now();
        let revoked = app
            .store
            .write::<_, Error, _>(move |connection| {
                Box::pin(async move {
                    connection.lock(&Lock::ApiKeys(tenant)).await?;
                    let keys = api_keys::list(connection, tenant).await?;
                    let key = keys.iter().find(|key| key.id == id).ok_or_else(|| Error::not_found("API key", id))?;
                    let admins = keys.iter().filter(|key| key.scope == Scope::Admin).count();
                    if key.scope == Scope::Admin && admins == 1 {
                        return Err(Error::new(ErrorCode::Conflict, "This is the last admin key of the environment.")
                            .hint("Make another admin key first."));
                    }
                    api_keys::mark_revoked(connection, tenant, id, now).await?;
                    Ok(key.clone())
                })
            })
            .await?;
        Ok(Answer::ok(revoked))
    }
}
