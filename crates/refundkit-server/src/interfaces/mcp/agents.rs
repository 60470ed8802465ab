//! The protocol's handler: lists the tools a key may use, calls them, and shows what came of it. The same for both doors; what is
//! behind it (the server itself, or a client of one) is a [`Backend`].

use std::{panic::AssertUnwindSafe, sync::LazyLock};

use futures_util::FutureExt as _;
use refundkit::{Error, Scope};
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, CustomRequest, CustomResult,
        DiscoverResult, ErrorCode, Implementation, JsonObject, ListToolsResult, PaginatedRequestParams,
        ProtocolVersion, ServerCapabilities, ServerConfig, Tool,
    },
    service::RequestContext,
};
use serde_json::Value;

use super::{
    failure::{self, Failed},
    plain,
    tool::{self, ToolEntry},
    tools::INSTRUCTIONS,
};
use crate::{limits, registry::Entry};

/// Where calls go.
pub trait Backend: Send + Sync + 'static {
    /// What the caller's key may do; none when that cannot be found out, and calls will say why.
    fn scope(&self, context: &RequestContext<RoleServer>) -> impl Future<Output = Option<Scope>> + Send;

    /// Makes a call.
    fn call(
        &self,
        entry: &'static Entry,
        tool: &'static ToolEntry,
        arguments: JsonObject,
        context: &RequestContext<RoleServer>,
    ) -> impl Future<Output = Result<Value, Failed>> + Send;
}

/// The handler.
#[derive(Debug, Clone)]
pub struct Agents<B> {
    backend: B,
}

/// The tools as the protocol describes them. They never change while the process runs.
static DESCRIBED: LazyLock<Vec<(&'static Entry, Tool)>> =
    LazyLock::new(|| tool::all().map(|(entry, tool)| (entry, tool.described(entry))).collect());

impl<B: Backend> Agents<B> {
    /// A handler that calls this.
    pub const fn new(backend: B) -> Self {
        Self { backend }
    }

    async fn called(
        &self,
        entry: &'static Entry,
        tool: &'static ToolEntry,
        arguments: JsonObject,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResult, Failed> {
        let calling = AssertUnwindSafe(self.backend.call(entry, tool, arguments, context)).catch_unwind();
        let defect = || Error::new(refundkit::ErrorCode::InternalError, "Something went wrong inside RefundKit.");
        let output = calling.await.map_err(|_| defect())??;
        let shown = (tool.show)(output).map_err(|_| defect())?;
        let mut result = CallToolResult::structured(shown.structured.into());
        result.content = vec![ContentBlock::text(shown.text)];
        Ok(result)
    }
}

impl<B: Backend> ServerHandler for Agents<B> {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().build();
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new("refundkit", env!("CARGO_PKG_VERSION")))
            .with_instructions(INSTRUCTIONS)
    }

    async fn discover(&self, _: RequestContext<RoleServer>) -> Result<DiscoverResult, ErrorData> {
        let mut found =
            DiscoverResult::from_server_info(self.supported_protocol_versions().into_owned(), self.get_info());
        found.ttl_ms = limits::AGENT_CACHE_MS;
        found.cache_scope = CacheScope::Private;
        Ok(found)
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        DESCRIBED.iter().find(|(_, tool)| tool.name == name).map(|(_, tool)| tool.clone())
    }

    /// What rmcp does not recognise: another method, or one of ours with parameters of another shape.
    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        let method = plain::line(&request.method);
        Err(match request.method.as_str() {
            "tools/call" => ErrorData::invalid_params("`name` must be text and `arguments` an object.", None),
            // The last has no place in revisions without a handshake.
            "tools/list" | "server/discover" | "initialize" if request.method != "initialize" || !is_new(&context) => {
                ErrorData::invalid_params(format!("The parameters of {method} have another shape."), None)
            }
            _ => ErrorData::new(ErrorCode::METHOD_NOT_FOUND, format!("No such method: {method}"), None),
        })
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let scope = self.backend.scope(&context).await;
        let seen = DESCRIBED.iter().filter(|(entry, _)| tool::is_seen_with(entry, scope));
        let mut list = ListToolsResult::with_all_items(seen.map(|(_, tool)| tool.clone()).collect());
        if is_new(&context) {
            // Private, because another key may see other tools; and not kept at all where the key is not known yet.
            list.ttl_ms = Some(if scope.is_some() { limits::AGENT_CACHE_MS } else { 0 });
            list.cache_scope = Some(CacheScope::Private);
        }
        Ok(list)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some((entry, tool)) = tool::find(&request.name) else {
            return Err(ErrorData::invalid_params(format!("Unknown tool: {}", plain::line(&request.name)), None));
        };
        let arguments = request.arguments.unwrap_or_default();
        let called = self.called(entry, tool, arguments, &context).await;
        Ok(called.unwrap_or_else(|failed| failure::result(entry, &failed)).into())
    }
}

/// Whether the request is of a revision without a handshake.
fn is_new(context: &RequestContext<RoleServer>) -> bool {
    context.protocol_version().is_some_and(|version| version >= ProtocolVersion::V_2026_07_28)
}

/// What a client says of itself, as the audit trail keeps it: name and version. Self-reported, and worth no right.
pub fn name_and_version(client: &Implementation) -> (String, String) {
    let part = |text: &str| {
        let text = plain::bounded(text, limits::AGENT_NAME_CHARACTERS_MAX);
        text.chars()
            .map(|letter| if letter.is_ascii_graphic() && letter != ';' || letter == ' ' { letter } else { '?' })
            .collect::<String>()
    };
    (part(&client.name), part(&client.version))
}
