//! The door of the server: `/mcp`, streamable HTTP without sessions, so that any instance can answer any request.
//!
//! A key is asked for as at every other door (`WWW-Authenticate` is where tokens of an authorization server will be announced).
//! rmcp speaks the protocol in all its revisions and checks `Host` and `Origin`; here is what it cannot know.

use std::sync::Arc;

use axum::{
    Extension, Json, Router,
    body::Body,
    extract::Request,
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
        header::{ALLOW, AUTHORIZATION},
        request::Parts,
    },
    response::{IntoResponse as _, Response},
    routing::any,
};
use refundkit::{ErrorCode, InitiatedBy, RequestId, Scope};
use rmcp::{
    RoleServer, model as rpc,
    model::{Implementation, JsonObject},
    service::RequestContext,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
    },
};
use serde_json::{Value, json};

use super::{
    agents::{Agents, Backend, name_and_version},
    failure::Failed,
    plain,
    tool::{self, ToolEntry},
};
use crate::{
    app::App,
    caller::Caller,
    error::Error,
    interfaces::{auth, input, request_log::Record, rest},
    limits,
    registry::{Answer, Call, Entry},
};

/// Where the door is.
pub const PATH: &str = "/mcp";

/// What an older client is given to send along with each request: what it said of itself when it came in. The server keeps nothing
/// under it, and it stands for no right.
const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");

/// The server itself, behind the handler.
#[derive(Clone)]
pub struct Here(Arc<App>);

type Protocol = StreamableHttpService<Agents<Here>, NeverSessionManager>;

#[derive(Clone)]
struct Door {
    app: Arc<App>,
    protocol: Protocol,
}

/// The route.
pub fn router(app: &Arc<App>) -> Router<Arc<App>> {
    let door = Door { app: Arc::clone(app), protocol: protocol(app) };
    let handler = move |Extension(id): Extension<RequestId>, request: Request| {
        let door = door.clone();
        async move {
            let answer = door.answer(id, request).await;
            answer.unwrap_or_else(|error| rest::failure(&door.app, &error, id))
        }
    };
    Router::new().route(PATH, any(handler))
}

fn protocol(app: &Arc<App>) -> Protocol {
    let here = Agents::new(Here(Arc::clone(app)));
    let hosts = ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned);
    let origins = hosts.iter().map(|host| format!("http://{host}:*"));
    let config = StreamableHttpServerConfig::default()
        .with_allowed_origins(origins.chain([app.public_url.origin.clone()]))
        .with_allowed_hosts(hosts.iter().cloned().chain([app.public_url.authority.clone()]))
        .with_max_request_body_bytes(limits::BODY_BYTES_MAX)
        .with_legacy_session_mode(false)
        .with_json_response(true);
    StreamableHttpService::new(move || Ok(here.clone()), Arc::default(), config)
}

impl Door {
    async fn answer(&self, id: RequestId, request: Request) -> Result<Response, Error> {
        if self.app.is_draining() {
            return Err(Error::unavailable("The server is shutting down; try again in a moment."));
        }
        let (mut parts, body) = request.into_parts();
        let mut caller = auth::authenticate(&self.app, &parts.headers).await?;
        caller.through = InitiatedBy::Mcp;
        caller.client = remembered(&parts.headers).or(caller.client);
        let bytes = rest::read_json(&parts.headers, body).await?;
        let message = match message(&parts, &bytes) {
            Ok(message) => message,
            Err(error) => return Ok(no_message(&Value::Null, rpc::ErrorCode::PARSE_ERROR, &error.to_string())),
        };
        // A call is counted where its operation is known, so that the agent reads why it was refused.
        if !is_call(&message) {
            self.app.rate_limits.check(caller.counted_by())?;
        }
        // The protocol has no use for either: this server has no sessions, and the key has been looked at.
        parts.headers.remove(SESSION);
        parts.headers.remove(AUTHORIZATION);
        parts.extensions.insert(caller);
        parts.extensions.insert(id);
        let answer = self.protocol.handle(Request::from_parts(parts, Body::from(bytes))).await;
        match answer.status() {
            StatusCode::FORBIDDEN => Err(foreign()),
            StatusCode::METHOD_NOT_ALLOWED => {
                let error = Error::new(ErrorCode::MethodNotAllowed, "Only POST is possible here.");
                let mut answer = error.response(id);
                answer.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
                Ok(answer)
            }
            // Its type was looked at above, so it is the message itself that is none.
            StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                let words = "This is no message of the protocol, or one with parameters of another shape.";
                Ok(no_message(&message["id"], rpc::ErrorCode::INVALID_REQUEST, words))
            }
            _ => {
                let mut answer = answer.map(Body::new);
                if message["method"] == "initialize"
                    && let Some(session) = to_remember(&message["params"]["clientInfo"])
                {
                    answer.headers_mut().insert(SESSION, session);
                }
                Ok(answer)
            }
        }
    }
}

/// The message, read as strictly as any other input: a key that appears twice must not choose its own meaning.
fn message(parts: &Parts, bytes: &[u8]) -> Result<Value, Error> {
    if parts.method == Method::POST { Ok(Value::Object(input::body(bytes)?)) } else { Ok(Value::Null) }
}

/// Whether it is a call that will find its operation.
fn is_call(message: &Value) -> bool {
    let params = &message["params"];
    let arguments = &params["arguments"];
    message["method"] == "tools/call"
        && params["name"].as_str().and_then(tool::find).is_some()
        && (arguments.is_null() || arguments.is_object())
}

/// The answer to what is no message: an error of the protocol, since only a client of it reads this.
fn no_message(id: &Value, code: rpc::ErrorCode, words: &str) -> Response {
    let id = if id.is_string() || id.is_i64() { id.clone() } else { Value::Null };
    let error = json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code.0, "message": plain::line(words) } });
    (StatusCode::BAD_REQUEST, Json(error)).into_response()
}

/// `Host` or `Origin` is not one of this server's.
fn foreign() -> Error {
    Error::new(
        ErrorCode::Unauthorized,
        "This server does not answer at /mcp under this host, or to pages of this origin.",
    )
    .hint("Set REFUNDKIT_PUBLIC_URL of the server to the address under which it is called.")
}

fn client_line(client: &Implementation) -> String {
    let (name, version) = name_and_version(client);
    format!("{}; {name}; {version}", InitiatedBy::Mcp)
}

/// What a client said of itself, as a value to send along.
fn to_remember(client: &Value) -> Option<HeaderValue> {
    let client: Implementation = serde_json::from_value(client.clone()).ok()?;
    HeaderValue::from_str(&hex::encode(client_line(&client))).ok()
}

/// What it sends along, which anybody may have made up.
fn remembered(headers: &HeaderMap) -> Option<String> {
    let sent = headers.get(SESSION)?.as_bytes();
    let line = String::from_utf8(hex::decode(sent).ok()?).ok()?;
    let known = line.len() <= limits::CLIENT_HEADER_CHARACTERS_MAX
        && line.starts_with(&format!("{}; ", InitiatedBy::Mcp))
        && !line.contains(|letter: char| letter.is_control());
    known.then_some(line)
}

impl Here {
    fn caller(context: &RequestContext<RoleServer>) -> Option<(&Parts, &Caller, RequestId)> {
        let parts = context.extensions.get::<Parts>()?;
        Some((parts, parts.extensions.get()?, *parts.extensions.get()?))
    }
}

impl Backend for Here {
    async fn scope(&self, context: &RequestContext<RoleServer>) -> Option<Scope> {
        // Whom the door has not let in may read only, which shows the least.
        Some(Self::caller(context).map_or(Scope::Read, |(_, caller, _)| caller.scope()))
    }

    async fn call(
        &self,
        entry: &'static Entry,
        tool: &'static ToolEntry,
        arguments: JsonObject,
        context: &RequestContext<RoleServer>,
    ) -> Result<Value, Failed> {
        let Some((parts, caller, request_id)) = Self::caller(context) else {
            return Err(failed(
                &Error::internal("a call reached its tool without its caller"),
                RequestId::from_bits(0),
            ));
        };
        let mut caller = caller.clone();
        if let Some(client) = context.meta.client_info() {
            caller.client = Some(client_line(&client));
        }
        let path = parts.uri.path().to_owned();
        let refused = |caller: &Caller, error: Error| {
            let result: Result<Answer<Value>, Error> = Err(error.told_to(caller.through));
            Record::without_input(entry, caller, request_id, &path).end(&self.0, &result);
            result.map(|answer| answer.output).map_err(|error| failed(&error, request_id))
        };
        let admitted = match entry.admit(&self.0, caller) {
            Ok(admitted) => admitted,
            Err(turned_away) => return refused(&turned_away.caller, turned_away.error),
        };
        let ask = match tool.read(entry, arguments) {
            Ok(ask) => ask,
            Err(error) => return refused(admitted.caller(), error),
        };
        let call =
            Call { admitted, request_id, idempotency_key: ask.idempotency_key, path: path.clone(), input: ask.input };
        let answer = entry.call(Arc::clone(&self.0), call).await;
        let output = answer.and_then(|answer| serde_json::from_str(answer.output.get()).map_err(Error::internal));
        output.map_err(|error| failed(&error, request_id).in_words_of(tool))
    }
}

fn failed(error: &Error, request_id: RequestId) -> Failed {
    Failed { error: Box::new(error.seen_by_client(request_id)), retry_after_seconds: error.retry_after_seconds() }
}
