//! `/settings/api-keys`: keys are listed, made and shown once, and revoked.

use std::sync::Arc;

use askama::Template;
use axum::{
    Router,
    extract::{Path, Query},
    routing::get,
};
use refundkit::{
    ApiKey, CreatedApiKey, ErrorCode, Scope,
    operations::{CreateApiKey, ListApiKeys, RevokeApiKey},
};
use serde::Deserialize;
use serde_json::json;

use super::{
    form::{Entered, Form, Posted},
    page::{self, Frame, Section, Shown},
    show::Moment,
    viewer::Viewer,
};
use crate::{app::App, error::Error};

const ADDRESS: &str = "/settings/api-keys";
/// How the idempotency key in a form begins.
const FORM_KEY_PREFIX: &str = "dashboard-";
/// Random bytes of the idempotency key in a form.
const FORM_KEY_BYTES: usize = 16;

/// The routes of the page.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route(ADDRESS, get(show).post(create))
        .route("/settings/api-keys/{id}/revoke", get(ask_to_revoke).post(revoke))
}

#[derive(Template)]
#[template(path = "api_keys.html")]
struct ApiKeysPage<'a> {
    frame: Frame<'a>,
    notice: Option<&'static str>,
    made: Option<Made>,
    keys: Vec<Key>,
    entered: Entered,
    scopes: [(&'static str, &'static str); 3],
    idempotency_key: String,
}

#[derive(Template)]
#[template(path = "revoke_key.html")]
struct RevokePage<'a> {
    frame: Frame<'a>,
    key: Key,
    entered: Entered,
}

/// A key, as it is shown.
struct Key {
    id: String,
    name: String,
    prefix: String,
    scope: Scope,
    created: Moment,
    used: Option<Moment>,
}

impl From<ApiKey> for Key {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id.to_string(),
            name: key.name,
            prefix: key.prefix,
            scope: key.scope,
            created: key.created_at.into(),
            used: key.last_used_at.map(Moment::from),
        }
    }
}

/// A key that was just made: with the key itself, unless it was shown before.
struct Made {
    name: String,
    prefix: String,
    key: Option<String>,
    export: String,
    base_url: String,
}

impl Made {
    fn of(viewer: &Viewer, created: CreatedApiKey) -> Self {
        Self {
            export: format!("export REFUNDKIT_API_KEY={}", created.key.as_deref().unwrap_or_default()),
            base_url: viewer.app.public_url.base.clone(),
            name: created.name,
            prefix: created.prefix,
            key: created.key,
        }
    }
}

async fn keys(viewer: &Viewer) -> Result<Vec<Key>, Error> {
    Ok(viewer.ask::<ListApiKeys>(json!({})).await?.data.into_iter().map(Key::from).collect())
}

/// The page, with a form that makes one key however often it is sent.
async fn page_of<'a>(
    viewer: &'a Viewer,
    notice: Option<&'static str>,
    made: Option<Made>,
    entered: Entered,
) -> Result<ApiKeysPage<'a>, Error> {
    Ok(ApiKeysPage {
        frame: Frame { title: "API keys", section: Section::ApiKeys, viewer },
        notice,
        made,
        keys: keys(viewer).await?,
        entered,
        scopes: [("read", "read"), ("write", "write"), ("admin", "admin")],
        idempotency_key: format!("{FORM_KEY_PREFIX}{}", hex::encode(viewer.app.env.random_bytes::<FORM_KEY_BYTES>())),
    })
}

/// What most keys are for.
fn untouched() -> Entered {
    Entered::with(&[("scope", Scope::Write.as_str())])
}

/// What the address of the page may say.
#[derive(Debug, Default, Deserialize)]
struct PageQuery {
    notice: Option<String>,
}

async fn show(viewer: Viewer, Query(query): Query<PageQuery>) -> Shown {
    let is_revoked = query.notice.as_deref() == Some("revoked");
    let notice = is_revoked.then_some("The key is revoked. Programs that use it are refused from now on.");
    page::html(&page_of(&viewer, notice, None, untouched()).await?)
}

async fn create(Posted { viewer, form }: Posted) -> Shown {
    let input = json!({ "name": form.get("name"), "scope": form.get("scope") });
    let asked = match form_key(&form) {
        Ok(key) => viewer.ask_once::<CreateApiKey>(Some(key), input).await,
        Err(error) => Err(error),
    };
    match asked {
        Ok(answer) => {
            let made = Made::of(&viewer, answer.output);
            page::html(&page_of(&viewer, None, Some(made), untouched()).await?)
        }
        Err(error) if error.code() == ErrorCode::Unauthorized => Err(error.into()),
        Err(error) => {
            let status = error.status();
            page::html_with(status, &page_of(&viewer, None, None, form.again(error)).await?)
        }
    }
}

/// The idempotency key that [`page_of`] gave the form: no other is believed.
fn form_key(form: &Form) -> Result<String, Error> {
    let key = form.get("idempotencyKey");
    let number = key.strip_prefix(FORM_KEY_PREFIX).and_then(|number| hex::decode(number).ok());
    if number.is_some_and(|bytes| bytes.len() == FORM_KEY_BYTES) {
        return Ok(key.to_owned());
    }
    Err(Error::validation("idempotencyKey", "This form did not come from this page as it is. No key was made.")
        .hint("Open the page again and fill in its form."))
}

async fn find(viewer: &Viewer, id: &str) -> Result<Key, Error> {
    let found = keys(viewer).await?.into_iter().find(|key| key.id == id);
    found.ok_or_else(|| {
        Error::not_found("API key", id).hint("It may have been revoked, or be of the other environment.")
    })
}

async fn ask_to_revoke(viewer: Viewer, Path(id): Path<String>) -> Shown {
    let key = find(&viewer, &id).await?;
    page::html(&revoke_page(&viewer, key, Entered::default()))
}

fn revoke_page(viewer: &Viewer, key: Key, entered: Entered) -> RevokePage<'_> {
    RevokePage { frame: Frame { title: "Revoke a key", section: Section::ApiKeys, viewer }, key, entered }
}

async fn revoke(Path(id): Path<String>, Posted { viewer, form }: Posted) -> Shown {
    match viewer.ask::<RevokeApiKey>(json!({ "id": id })).await {
        Ok(_) => page::to(&format!("{ADDRESS}?notice=revoked")),
        Err(error) if error.code() == ErrorCode::Conflict => {
            let key = find(&viewer, &id).await?;
            page::html_with(error.status(), &revoke_page(&viewer, key, form.again(error)))
        }
        Err(error) => Err(error.into()),
    }
}
