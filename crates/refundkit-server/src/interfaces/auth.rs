//! API keys at the door: from the `Authorization` header to a caller.

use axum::http::{HeaderMap, header::AUTHORIZATION};
use refundkit::{ErrorCode, InitiatedBy, api_key};

use crate::{
    app::App,
    error::Error,
    limits::CLIENT_HEADER_CHARACTERS_MAX,
    registry::Caller,
    store::{api_keys, api_keys::FoundKey},
};

/// The header in which clients say what they are: `mcp|cli|sdk; name; version`.
const CLIENT_HEADER: &str = "refundkit-client";

/// Finds out who calls, or refuses. No part of a refused key is logged or repeated.
pub async fn authenticate(app: &App, headers: &HeaderMap) -> Result<Caller, Error> {
    let key = bearer(headers)?;
    let found = if api_key::is_valid_api_key_format(key) { find(app, api_key::hash_api_key(key)).await? } else { None };
    let found = found.ok_or_else(|| unknown_key(key))?;
    let client = client(headers);
    Ok(Caller {
        tenant: found.tenant,
        key_id: found.id,
        key_prefix: found.prefix,
        scope: found.scope,
        through: door(client.as_deref()),
        client,
    })
}

/// Finds a key, or remembers it: a revoked one is forgotten before whoever revoked it is answered.
async fn find(app: &App, hash: String) -> Result<Option<FoundKey>, Error> {
    let age = app.store.age();
    if let Some(found) = app.keys.recall(age, &hash) {
        return Ok(Some(found));
    }
    let mut connection = app.store.read().await?;
    let found = api_keys::find_by_hash(&mut connection, &hash).await?;
    if let Some(found) = &found {
        app.keys.keep(age, hash, found.clone());
    }
    Ok(found)
}

fn bearer(headers: &HeaderMap) -> Result<&str, Error> {
    let missing = || {
        Error::new(ErrorCode::InvalidApiKey, "An API key is missing.")
            .hint("Send the header `Authorization: Bearer rk_test_…` with a key of RefundKit.")
    };
    let value = headers.get(AUTHORIZATION).ok_or_else(missing)?;
    let text = value.to_str().map_err(|_| missing())?;
    let (scheme, key) = text.split_once(' ').ok_or_else(missing)?;
    if scheme.eq_ignore_ascii_case("bearer") && !key.trim().is_empty() { Ok(key.trim()) } else { Err(missing()) }
}

fn unknown_key(key: &str) -> Error {
    let error = Error::new(ErrorCode::InvalidApiKey, "This API key is unknown or revoked.");
    if key.starts_with("sk_") || key.starts_with("pk_") {
        error.hint("This looks like a key of Stripe's. Calls to RefundKit carry a RefundKit key (rk_test_… or rk_live_…); Stripe's key is saved once with PUT /v1/processors/stripe.")
    } else if key.starts_with("rk_") {
        error.hint("Stripe's restricted keys begin with rk_ too; make sure that this is a key of RefundKit, and that it was not revoked.")
    } else {
        error.hint("Keys of RefundKit begin with rk_test_ or rk_live_.")
    }
}

fn client(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(CLIENT_HEADER)?.to_str().ok()?;
    Some(text.chars().filter(|character| !character.is_control()).take(CLIENT_HEADER_CHARACTERS_MAX).collect())
}

/// The door a client says it is: recorded, and worth no right.
fn door(client: Option<&str>) -> InitiatedBy {
    match client.and_then(|client| client.split(';').next()).map(str::trim) {
        Some("cli") => InitiatedBy::Cli,
        Some("mcp") => InitiatedBy::Mcp,
        _ => InitiatedBy::Api,
    }
}
