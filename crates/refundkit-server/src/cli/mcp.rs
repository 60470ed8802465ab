//! `refundkit mcp`: the door for agents over stdio. It knows no rule: calls go to a running server through the Rust client.
//!
//! stdout belongs to the protocol. What is wrong with the key or the server is said in answers, where the agent and its person
//! read it, and not by ending.

use std::{
    io::{self, IsTerminal as _},
    process::ExitCode,
};

use refundkit::{Error, InitiatedBy, RefundKit, Scope, client::RefundKitBuilder};
use refundkit_server::{
    interfaces::mcp::{
        agents::{Agents, Backend, name_and_version},
        failure::Failed,
        tool::ToolEntry,
    },
    limits,
    registry::Entry,
};
use rmcp::{
    RoleServer, ServiceExt as _,
    model::JsonObject,
    service::{RequestContext, ServerInitializeError},
    transport::{async_rw::AsyncRwTransport, stdio_pipes},
};
use serde_json::Value;
use tokio::{sync::OnceCell, time::timeout};

use super::{
    ServerArgs,
    exit::Exit,
    output::note,
    stdio_lines::{self, Lines},
};

/// Speaks the Model Context Protocol on stdin and stdout, for an agent's client that starts it.
///
/// The key comes from REFUNDKIT_API_KEY and decides what the agent may do: give it one of its own, with the scope `write`, or
/// `read` to look only.
///
/// Examples:
///   REFUNDKIT_API_KEY=rk_test_… refundkit mcp
///   claude mcp add refundkit --env REFUNDKIT_API_KEY=rk_test_… -- refundkit mcp
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct McpArgs {}

pub(crate) async fn run(McpArgs {}: McpArgs, server: &ServerArgs) -> anyhow::Result<ExitCode> {
    if io::stdin().is_terminal() {
        note(
            "This speaks the Model Context Protocol on stdin and stdout: an agent's client starts it. Ctrl-D ends it.",
        );
    }
    let there = There { settings: server.builder(), client: OnceCell::new() };
    let (client, answers) = stdio_pipes();
    let Lines { reader, writer, written } = stdio_lines::checked(client, answers);
    let transport = AsyncRwTransport::new_server(reader, writer).with_max_line_length(limits::BODY_BYTES_MAX);
    match Agents::new(there).serve(transport).await {
        Ok(running) => {
            running.waiting().await?;
            // The last answers are out before the program ends.
            let _ = timeout(limits::AGENT_LAST_WORDS_MAX, written).await;
            Ok(Exit::Done.into())
        }
        // Whoever started it has gone away before the first word.
        Err(ServerInitializeError::ConnectionClosed(_)) => Ok(Exit::Done.into()),
        Err(error) => Err(error.into()),
    }
}

/// A server that is reached through the client.
struct There {
    settings: Result<RefundKitBuilder, Error>,
    client: OnceCell<RefundKit>,
}

impl There {
    /// The client, made when the agent's client has said what it is.
    async fn client(&self, context: &RequestContext<RoleServer>) -> Result<&RefundKit, Error> {
        let make = async || {
            let settings = self.settings.clone()?.client_name("mcp", env!("CARGO_PKG_VERSION"));
            let settings = match context.client_info().map(|client| name_and_version(&client)) {
                Some((name, version)) => settings.on_behalf_of(name, version),
                None => settings,
            };
            settings.build()
        };
        self.client.get_or_try_init(make).await
    }
}

impl Backend for There {
    async fn scope(&self, context: &RequestContext<RoleServer>) -> Option<Scope> {
        let identity = async { self.client(context).await?.me().await };
        match timeout(limits::AGENT_SCOPE_WAIT_MAX, identity).await {
            Ok(Ok(identity)) => return Some(identity.scope),
            Ok(Err(error)) => {
                tracing::warn!(code = %error.code, "what the key may do is not known, so all tools are listed: {error}");
            }
            Err(_) => tracing::warn!("the server does not say what the key may do, so all tools are listed"),
        }
        None
    }

    async fn call(
        &self,
        entry: &'static Entry,
        tool: &'static ToolEntry,
        arguments: JsonObject,
        context: &RequestContext<RoleServer>,
    ) -> Result<Value, Failed> {
        let ask = tool.read(entry, arguments).map_err(|error| error.told_to(InitiatedBy::Mcp).seen_before_sending())?;
        let client = self.client(context).await?;
        let answer = entry.ask(client, ask.input, ask.idempotency_key).await;
        answer.map_err(|error| Failed::from(error).in_words_of(tool))
    }
}
