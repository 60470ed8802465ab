//! Pages without a key: health, the API description, its readable form, and a text for language models.

use std::sync::{Arc, LazyLock};

use axum::{
    Extension, Json, Router,
    extract::State,
    http::{HeaderValue, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use refundkit::RequestId;
use serde_json::{Value, json};

use super::{openapi, reference};
use crate::{app::App, error::Error};

static DOCUMENT: LazyLock<Value> = LazyLock::new(openapi::document);
static REFERENCE: LazyLock<String> = LazyLock::new(|| reference::html(&DOCUMENT));
static LLMS: LazyLock<String> = LazyLock::new(|| reference::text_for_models(&DOCUMENT));

/// No script, no style but the page's own, no other host.
const PAGE_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The routes of these pages.
pub fn router() -> Router<Arc<App>> {
    health_router()
        .route("/openapi.json", get(|| async { Json(&*DOCUMENT) }))
        .route("/docs", get(docs))
        .route("/llms.txt", get(llms))
}

/// The routes that load balancers and service managers ask.
pub fn health_router() -> Router<Arc<App>> {
    Router::new().route("/healthz", get(|| async { Json(json!({ "status": "ok" })) })).route("/readyz", get(ready))
}

/// Whether requests can be served: the database answers and the process is not ending.
async fn ready(State(app): State<Arc<App>>, Extension(id): Extension<RequestId>) -> Response {
    if app.is_draining() {
        return Error::unavailable("The server is shutting down.").response(id);
    }
    match app.store.read().await {
        Ok(_) => Json(json!({ "status": "ready" })).into_response(),
        Err(error) => Error::from(error).response(id),
    }
}

async fn docs() -> Response {
    let mut response = Html(REFERENCE.as_str()).into_response();
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY));
    response
}

async fn llms() -> Response {
    ([(header::CONTENT_TYPE, "text/markdown; charset=utf-8")], LLMS.as_str()).into_response()
}
