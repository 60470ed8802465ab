//! An agent's client, as small as it can be: it speaks JSON-RPC to either door, as clients of either generation do.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::Stage;

/// The newest revision with a handshake, and the first without.
pub(super) const OLD: &str = "2025-11-25";
pub(super) const NEW: &str = "2026-07-28";

/// A door and a generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) stdio: bool,
    pub(super) revision: &'static str,
}

/// Every door with every generation.
pub(super) const WAYS: [Way; 4] = [
    Way { stdio: false, revision: OLD },
    Way { stdio: false, revision: NEW },
    Way { stdio: true, revision: OLD },
    Way { stdio: true, revision: NEW },
];

/// A client.
pub(super) struct Agent {
    way: Way,
    key: String,
    url: String,
    http: reqwest::Client,
    session: Option<String>,
    program: Option<Program>,
    id: i64,
}

/// What came of a call.
#[derive(Debug)]
pub(super) struct Called {
    pub(super) text: String,
    pub(super) structured: Value,
    pub(super) is_error: bool,
}

impl Called {
    /// The structured content of a call that must have succeeded.
    #[track_caller]
    pub(super) fn done(&self) -> &Value {
        assert!(!self.is_error, "{}", self.text);
        assert!(self.structured.is_object() && !self.text.is_empty(), "{self:?}");
        &self.structured
    }

    /// The error of a call that must have failed with this code.
    #[track_caller]
    pub(super) fn failed(&self, code: &str) -> Value {
        assert!(self.is_error, "{self:?}");
        assert!(self.structured.is_null(), "structured content beside an error makes clients lose it: {self:?}");
        let body: Value = serde_json::from_str(&self.text).unwrap();
        assert_eq!(body["error"]["code"], code, "{body}");
        assert!(body["error"]["message"].as_str().is_some_and(|words| !words.is_empty()), "{body}");
        body["error"].clone()
    }
}

impl Agent {
    /// A client with a key that may write.
    pub(super) async fn new(stage: &Stage, way: Way) -> Self {
        Self::with(&stage.url, &stage.key("write").await, way).await
    }

    pub(super) async fn with(url: &str, key: &str, way: Way) -> Self {
        let program = way.stdio.then(|| Program::start(&[("REFUNDKIT_BASE_URL", url), ("REFUNDKIT_API_KEY", key)]));
        Self::of(url, key, way, program).await
    }

    pub(super) async fn of(url: &str, key: &str, way: Way, program: Option<Program>) -> Self {
        let (url, key, http) = (url.to_owned(), key.to_owned(), reqwest::Client::new());
        let mut agent = Self { way, key, url, http, session: None, program, id: 0 };
        if way.revision == OLD {
            let hello = json!({ "protocolVersion": OLD, "capabilities": {}, "clientInfo": { "name": "Test Agent", "version": "1.2" } });
            let welcome = agent.ask("initialize", hello).await;
            assert_eq!(welcome["result"]["protocolVersion"], OLD, "{welcome}");
            agent.tell("notifications/initialized").await;
        }
        agent
    }

    /// Sends a request and reads its answer.
    pub(super) async fn ask(&mut self, method: &str, params: Value) -> Value {
        self.id += 1;
        let message = self.message(method, params);
        let answer = match &mut self.program {
            Some(program) => tokio::task::block_in_place(|| program.ask(&message)),
            None => {
                let answer = self.post(&message).send().await.unwrap();
                if let Some(session) = answer.headers().get("mcp-session-id") {
                    self.session = Some(session.to_str().unwrap().to_owned());
                }
                assert!(answer.headers().contains_key("request-id"));
                answer.json().await.unwrap()
            }
        };
        assert_eq!((&answer["jsonrpc"], &answer["id"]), (&json!("2.0"), &json!(self.id)), "{answer}");
        answer
    }

    async fn tell(&mut self, method: &str) {
        let message = json!({ "jsonrpc": "2.0", "method": method });
        match &mut self.program {
            Some(program) => program.tell(&message.to_string()),
            None => assert_eq!(self.post(&message).send().await.unwrap().status(), 202),
        }
    }

    /// A message of the client's generation, with the id that it would have next.
    pub(super) fn message(&self, method: &str, mut params: Value) -> Value {
        if self.way.revision == NEW {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": NEW,
                "io.modelcontextprotocol/clientCapabilities": {},
                "io.modelcontextprotocol/clientInfo": { "name": "Test Agent", "version": "1.2" },
            });
        }
        json!({ "jsonrpc": "2.0", "id": self.id, "method": method, "params": params })
    }

    /// The HTTP request for a message, with the headers that go with it.
    pub(super) fn post(&self, message: &Value) -> RequestBuilder {
        let mut request = self.http.request(Method::POST, format!("{}/mcp", self.url)).bearer_auth(&self.key);
        request = request.header("Accept", "application/json, text/event-stream").json(message);
        if let Some(session) = &self.session {
            request = request.header("Mcp-Session-Id", session);
        }
        if self.way.revision == OLD && self.session.is_none() {
            return request;
        }
        request = request.header("MCP-Protocol-Version", self.way.revision);
        if self.way.revision == NEW {
            request = request.header("Mcp-Method", message["method"].as_str().unwrap());
            if let Some(name) = message["params"]["name"].as_str() {
                request = request.header("Mcp-Name", name);
            }
        }
        request
    }

    /// The names of the tools that it sees.
    pub(super) async fn tools(&mut self) -> Vec<String> {
        let list = self.ask("tools/list", json!({})).await;
        let tools = list["result"]["tools"].as_array().unwrap_or_else(|| panic!("{list}"));
        tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
    }

    /// Calls a tool.
    pub(super) async fn call(&mut self, tool: &str, arguments: Value) -> Called {
        let answer = self.ask("tools/call", json!({ "name": tool, "arguments": arguments })).await;
        let result = &answer["result"];
        assert_eq!(result["content"].as_array().map(Vec::len), Some(1), "{answer}");
        Called {
            text: result["content"][0]["text"].as_str().unwrap().to_owned(),
            structured: result["structuredContent"].clone(),
            is_error: result["isError"] == true,
        }
    }
}

/// `refundkit mcp`, ended with the test.
pub(super) struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Program {
    pub(super) fn start(variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_refundkit"));
        command.arg("mcp").env_clear().envs(variables.iter().copied());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, stdin, stdout }
    }

    pub(super) fn tell(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    pub(super) fn ask(&mut self, message: &Value) -> Value {
        self.tell(&message.to_string());
        self.hear()
    }

    /// The next line of stdout, which is a message and nothing else.
    pub(super) fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    /// Closes its stdin and waits for its end: its exit code, and what it said on stderr.
    pub(super) fn close(mut self) -> (Option<i32>, String) {
        drop(self.stdin.take());
        let status = self.child.wait().unwrap();
        let mut said = String::new();
        std::io::Read::read_to_string(&mut self.child.stderr.take().unwrap(), &mut said).unwrap();
        (status.code(), said)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
