//! API keys at the door: from the `Authorization` header to a caller.

use axum::http::{HeaderMap, header::AUTHORIZATION};
use refundkit::{ErrorCode, InitiatedBy, api_key};

use crate::{
    app::App,
    caller::{Caller, Who},
    error::Error,
    hint::Hint,
    limits::CLIENT_HEADER_CHARACTERS_MAX,
    store::{api_keys, api_keys::FoundKey},
};

/// The header in which clients say what they are: `mcp|cli|sdk; name; version`.
const CLIENT_HEADER: &str = "refundkit-client";

/// Finds out who calls, or refuses. No part of a refused key is logged or repeated.
pub async fn authenticate(app: &App, headers: &HeaderMap) -> Result<Caller, Error> {
    let client = client(headers);
    let through = door(client.as_deref());
    let key = bearer(headers).map_err(|error| error.told_to(through))?;
    let found = if api_key::is_valid_api_key_format(key) { find(app, api_key::hash_api_key(key)).await? } else { None };
    let found = found.ok_or_else(|| unknown_key(key).told_to(through))?;
    Ok(Caller {
        tenant: found.tenant,
        who: Who::Key { id: found.id, prefix: found.prefix, scope: found.scope },
        through,
        client,
        duplicate_window_ms: found.duplicate_window_ms,
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
    let missing = || Error::new(ErrorCode::InvalidApiKey, "An API key is missing.").hint(Hint::GiveKey);
    let value = headers.get(AUTHORIZATION).ok_or_else(missing)?;
    let text = value.to_str().map_err(|_| missing())?;
    let (scheme, key) = text.split_once(' ').ok_or_else(missing)?;
    if scheme.eq_ignore_ascii_case("bearer") && !key.trim().is_empty() { Ok(key.trim()) } else { Err(missing()) }
}

fn unknown_key(key: &str) -> Error {
    let error = Error::new(ErrorCode::InvalidApiKey, "This API key is unknown or revoked.");
    if key.starts_with("sk_") || key.starts_with("pk_") {
        error.hint(Hint::KeyIsStripes)
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
