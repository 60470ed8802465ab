//! REST: a route for each operation, the envelope, and what holds for every HTTP answer (request id, bounds, panics).

use std::sync::Arc;

use axum::{
    Extension, Json, Router,
    body::{Body, Bytes, to_bytes},
    extract::{Path, Request, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE},
        request::Parts,
    },
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{MethodFilter, on},
};
use futures_util::FutureExt as _;
use refundkit::{ErrorCode, Method, RequestId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, value::RawValue};
use tokio::time::timeout;

use super::{
    auth, dashboard, idempotency, input, mcp, openapi, pages, request_log::Record, scrub::scrub, stripe_webhooks,
};
use crate::{
    app::App,
    caller::Caller,
    error::Error,
    limits,
    registry::{Answer, Call, Entry, OPERATIONS},
};

const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// All routes of the server.
pub fn router(app: Arc<App>) -> Router {
    let mut router = Router::new();
    for entry in OPERATIONS {
        let method = match entry.method {
            Method::Get => MethodFilter::GET,
            Method::Post => MethodFilter::POST,
            Method::Put => MethodFilter::PUT,
            Method::Delete => MethodFilter::DELETE,
        };
        let schema = Arc::new(openapi::input_schema(entry));
        let answers_pages = openapi::answers_pages(entry);
        let handler =
            async move |State(app): State<Arc<App>>,
                        Extension(id): Extension<RequestId>,
                        path: Result<Path<Vec<(String, String)>>, axum::extract::rejection::PathRejection>,
                        request: Request| {
                let answer = serve(&app, entry, &schema, id, path.map(|Path(values)| values).ok(), request).await;
                match answer.and_then(|answer| success(&answer, answers_pages)) {
                    Ok(response) => response,
                    Err(error) => failure(&app, &error, id),
                }
            };
        router = router.route(entry.path, on(method, handler));
    }
    let router = router
        .merge(pages::router())
        .merge(dashboard::router(&app))
        .merge(stripe_webhooks::router())
        .merge(mcp::http::router(&app));
    finish(app, router, "People begin at /; what programs can call is listed at /docs.", true)
}

/// The routes of a server that only works: whether it is healthy.
pub fn health_router(app: Arc<App>) -> Router {
    let hint = "This server follows refunds and answers no requests (REFUNDKIT_ROLE=worker). Call one with the role api or all.";
    finish(app, pages::health_router(), hint, false)
}

/// What holds for every path, those included that do not exist: `hint` says where to look then, and `has_pages` whether people who are
/// signed in find their way from there.
fn finish(app: Arc<App>, router: Router<Arc<App>>, hint: &'static str, has_pages: bool) -> Router {
    router
        .fallback(async move |State(app): State<Arc<App>>, Extension(id): Extension<RequestId>, request: Request| {
            let message = format!("No such path: {} {}", request.method(), request.uri().path());
            nothing_there(&app, &Error::new(ErrorCode::NotFound, message).hint(hint), id, request, has_pages).await
        })
        .method_not_allowed_fallback(
            async move |State(app): State<Arc<App>>, Extension(id): Extension<RequestId>, request: Request| {
                let message = format!("{} is not possible here.", request.method());
                let error = Error::new(ErrorCode::MethodNotAllowed, message);
                nothing_there(&app, &error, id, request, has_pages).await
            },
        )
        .layer(middleware::from_fn_with_state(Arc::clone(&app), around))
        .with_state(app)
}

/// The answer where nothing is: a page for people, the envelope for programs.
async fn nothing_there(app: &Arc<App>, error: &Error, id: RequestId, request: Request, has_pages: bool) -> Response {
    let accepts = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !accepts.contains("text/html") || request.uri().path().starts_with("/v1/") {
        return error.response(id);
    }
    dashboard::problem(app, error, id, has_pages.then(|| request.into_parts().0)).await
}

/// What holds for every answer: it has a request id, and a defect is an answer too.
async fn around(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let id = app.env.new_request_id();
    request.extensions_mut().insert(id);
    let mut response = match std::panic::AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(_) => Error::internal("a handler panicked").response(id),
    };
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response.headers_mut().entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
        .headers_mut()
        .insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
    response
}

async fn serve(
    app: &Arc<App>,
    entry: &'static Entry,
    schema: &Value,
    request_id: RequestId,
    path_values: Option<Vec<(String, String)>>,
    request: Request,
) -> Result<Answer<Box<RawValue>>, Error> {
    if app.is_draining() {
        return Err(Error::unavailable("The server is shutting down; try again in a moment."));
    }
    let (parts, body) = request.into_parts();
    let caller = auth::authenticate(app, &parts.headers).await?;
    let path = parts.uri.path().to_owned();
    let refused = |caller: &Caller, error: Error| {
        let result = Err(error.told_to(caller.through));
        Record::without_input(entry, caller, request_id, &path).end(app, &result);
        result
    };
    let admitted = match entry.admit(app, caller) {
        Ok(admitted) => admitted,
        Err(turned_away) => return refused(&turned_away.caller, turned_away.error),
    };
    let (idempotency_key, input) = match read_input(entry, schema, path_values, &parts, body).await {
        Ok(read) => read,
        Err(error) => return refused(admitted.caller(), error),
    };
    entry.call(Arc::clone(app), Call { admitted, request_id, idempotency_key, path, input }).await
}

/// The idempotency key, and path, query and body as one object.
async fn read_input(
    entry: &Entry,
    schema: &Value,
    path_values: Option<Vec<(String, String)>>,
    parts: &Parts,
    body: Body,
) -> Result<(Option<String>, Value), Error> {
    let idempotency_key = if entry.keyed { idempotency::from_headers(&parts.headers)? } else { None };
    let fields = if entry.method.has_body() { read_body(&parts.headers, body).await? } else { Map::new() };
    let query = input::query(parts.uri.query().unwrap_or_default())?;
    if entry.method.has_body()
        && let Some((name, _)) = query.first()
    {
        let name = scrub(name);
        return Err(Error::validation(name.clone(), format!("`{name}` belongs in the JSON body, not in the query.")));
    }
    let path_values = path_values.ok_or_else(|| Error::validation("", "The path is not valid UTF-8."))?;
    Ok((idempotency_key, merge(schema, fields, path_values, query)?))
}

async fn read_body(headers: &HeaderMap, body: Body) -> Result<Map<String, Value>, Error> {
    input::body(&read_json(headers, body).await?)
}

/// A body that says it is JSON, within the bounds of size and time.
pub(super) async fn read_json(headers: &HeaderMap, body: Body) -> Result<Bytes, Error> {
    let reading = timeout(limits::BODY_READ_MAX, to_bytes(body, limits::BODY_BYTES_MAX)).await;
    let reading = reading.map_err(|_| Error::validation("", "The body did not arrive in time."))?;
    let bytes = reading.map_err(|error| {
        let cause = std::error::Error::source(&error);
        if cause.is_some_and(|cause| cause.to_string().contains("length limit")) {
            let message = format!("The body is larger than {} bytes.", limits::BODY_BYTES_MAX);
            Error::new(ErrorCode::RequestTooLarge, message)
        } else {
            Error::validation("", "The body was cut off.")
        }
    })?;
    if !bytes.is_empty() {
        let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = media_type.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            return Err(input::not_json());
        }
    }
    Ok(bytes)
}

/// Path, query and body as one object. A path value that the body names too would be ambiguous: refused.
fn merge(
    schema: &Value,
    mut fields: Map<String, Value>,
    path_values: Vec<(String, String)>,
    query: Vec<(String, String)>,
) -> Result<Value, Error> {
    for (name, text) in path_values.into_iter().chain(query) {
        if fields.contains_key(&name) {
            return Err(Error::validation(name.clone(), format!("`{name}` is given in the path already.")));
        }
        let value = input::coerce(&schema["properties"][&name], text);
        fields.insert(name, value);
    }
    Ok(Value::Object(fields))
}

/// What is sent around an output, whose text stays as it is.
#[derive(Serialize)]
struct Envelope<'a> {
    data: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<&'a RawValue>,
    /// Always null.
    error: (),
}

/// A page of a list as an operation answers it.
#[derive(Deserialize)]
struct PageParts<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
    #[serde(borrow)]
    page: &'a RawValue,
}

fn success(answer: &Answer<Box<RawValue>>, is_page: bool) -> Result<Response, Error> {
    let envelope = if is_page {
        let PageParts { data, page } = serde_json::from_str(answer.output.get()).map_err(Error::internal)?;
        Envelope { data, page: Some(page), error: () }
    } else {
        Envelope { data: &answer.output, page: None, error: () }
    };
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response = (status, Json(envelope)).into_response();
    if answer.replayed {
        response.headers_mut().insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

pub(super) fn failure(app: &App, error: &Error, id: RequestId) -> Response {
    let mut response = error.response(id);
    let headers = response.headers_mut();
    if error.is_replayed() {
        headers.insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
    match error.code() {
        ErrorCode::InvalidApiKey => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        ErrorCode::RateLimited => {
            if let Some(limit) = app.rate_limits.per_minute() {
                headers.insert("ratelimit-limit", HeaderValue::from(limit));
                headers.insert("ratelimit-remaining", HeaderValue::from_static("0"));
                if let Some(reset) = headers.get("retry-after").cloned() {
                    headers.insert("ratelimit-reset", reset);
                }
            }
        }
        _ => {}
    }
    response
}
