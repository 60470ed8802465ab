//! The official clients, unchanged: what they accept is what the protocol is. `./scripts/tools` installs them.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use axum::{Router, body::Bytes, extract::Request, http::header, response::Response};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::Stage;

const PROGRAM: &str = env!("CARGO_BIN_EXE_refundkit");
const PROCESS: &str = "refundkit_process_refund";

fn folder(of: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(of)
}

/// What `./scripts/tools` has installed.
fn tool(path: &str) -> PathBuf {
    let tool = folder("../../target/tools").join(path);
    assert!(tool.exists(), "{} is missing; run ./scripts/tools, which installs it.", tool.display());
    tool
}

/// A Node that is new enough for the Inspector and the conformance suite.
fn new_node() -> PathBuf {
    let machine = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
    let installed = folder("../../target/tools/inspector/node_modules").join(format!("node-linux-{machine}/bin/node"));
    // Elsewhere than on Linux, the machine's own must be new enough.
    if installed.exists() { installed } else { "node".into() }
}

struct Ran {
    code: Option<i32>,
    said: String,
}

async fn run(mut command: Command) -> Ran {
    command.stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran { code: output.status.code(), said: text(&output.stdout) + &text(&output.stderr) }
}

/// Runs a script of `tests/clients` with an amount for each of its stories.
async fn drive(program: &Path, script: &str, packages: Option<&Path>, amounts: &[i64]) {
    let stage = Stage::new().await;
    let mut command = Command::new(program);
    command.arg(folder("tests/clients").join(script)).args(amounts.iter().map(ToString::to_string));
    command.env("REFUNDKIT_BASE_URL", &stage.url).env("REFUNDKIT_API_KEY", stage.key("write").await);
    command.env("REFUNDKIT_PROGRAM", PROGRAM).env("PYTHONDONTWRITEBYTECODE", "1");
    command.envs(packages.map(|packages| ("CLIENT_PACKAGES", packages)));
    let ran = run(command).await;
    assert_eq!(ran.code, Some(0), "{script}:\n{}", ran.said);
    let made: i64 = amounts.iter().sum();
    assert_eq!(stage.refunded_at_stripe("ch_1N4HbSKz9cXRvFYr").await, (made, amounts.len()), "{script}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_typescript_sdk_v1_works_on_both_doors() {
    drive(Path::new("node"), "v1.mjs", Some(&tool("mcp-sdk/node_modules")), &[101, 102]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_typescript_sdk_v2_works_on_both_doors_in_both_generations() {
    drive(Path::new("node"), "v2.mjs", Some(&tool("mcp-sdk/node_modules")), &[101, 102, 103, 104]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_python_client_works_on_both_doors_in_both_generations() {
    drive(&tool("mcp-python/bin/python"), "python.py", None, &[101, 102, 103, 104]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_openai_agents_sdk_works_as_the_guide_sets_it_up() {
    drive(&tool("mcp-python/bin/python"), "openai_agents.py", None, &[101, 102]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn langchain_works_as_the_guide_sets_it_up() {
    drive(&tool("mcp-langchain/bin/python"), "langchain.py", None, &[101, 102]).await;
}

struct Inspector {
    stage: Stage,
    key: String,
    home: TempDir,
}

impl Inspector {
    async fn new() -> Self {
        let stage = Stage::new().await;
        let key = stage.key("write").await;
        Self { stage, key, home: TempDir::new().unwrap() }
    }

    /// Runs the Inspector's command line against a door; answers its exit code and what it said.
    async fn run(&self, stdio: bool, era: &str, arguments: &[&str]) -> Ran {
        let mut command = Command::new(new_node());
        command.arg(tool("inspector/node_modules/.bin/mcp-inspector")).arg("--cli");
        if stdio {
            command.args([PROGRAM, "mcp", "-e", &format!("REFUNDKIT_API_KEY={}", self.key)]);
            command.args(["-e", &format!("REFUNDKIT_BASE_URL={}", self.stage.url)]);
        } else {
            command.arg(format!("{}/mcp", self.stage.url));
            command.args(["--header", &format!("Authorization: Bearer {}", self.key)]);
        }
        command.args(["--protocol-era", era]).args(arguments);
        command.env("MCP_INSPECTOR_SECRET_STORE", "file").env("HOME", self.home.path());
        run(command).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_inspector_finds_nothing_to_say_about_the_tools_and_can_call_them() {
    let inspector = Inspector::new().await;
    let mut amount = 100;
    for stdio in [false, true] {
        for era in ["legacy", "modern"] {
            let listed =
                inspector.run(stdio, era, &["--method", "tools/list", "--strict", "--format", "json", "-q"]).await;
            assert_eq!(listed.code, Some(0), "stdio {stdio}, {era}: {}", listed.said);
            assert!(!listed.said.contains("portab"), "stdio {stdio}, {era}: {}", listed.said);
            let listed: Value = serde_json::from_str(&listed.said).unwrap_or_else(|_| panic!("{}", listed.said));
            assert_eq!(listed["result"]["tools"].as_array().map(Vec::len), Some(5), "{listed}");

            amount += 1;
            let arguments =
                json!({ "transactionId": "ch_1N4HbSKz9cXRvFYr", "amount": amount, "reason": "other" }).to_string();
            let call = [
                "--method",
                "tools/call",
                "--tool-name",
                PROCESS,
                "--tool-args-json",
                &arguments,
                "--format",
                "json",
                "-q",
            ];
            let made = inspector.run(stdio, era, &call).await;
            assert!(made.code == Some(0) && made.said.contains("\"customerMessage\""), "{}", made.said);
            // The second time it is an error that still says what it has to say.
            let again = inspector.run(stdio, era, &call).await;
            assert_eq!(again.code, Some(5), "{}", again.said);
            assert!(
                again.said.contains("refund_already_processed") && again.said.contains("nextStep"),
                "{}",
                again.said
            );
        }
    }
    assert_eq!(inspector.stage.refunded_at_stripe("ch_1N4HbSKz9cXRvFYr").await, (410, 4));
}

/// The configuration that docs/mcp.md gives below a heading, with this stage's address, key and program in it.
fn documented(heading: &str, inspector: &Inspector) -> Value {
    let guide = std::fs::read_to_string(folder("../../docs/mcp.md")).unwrap();
    let below = guide.split_once(&format!("\n### {heading}\n")).unwrap().1;
    let block = below.split_once("```json\n").unwrap().1.split_once("```").unwrap().0;
    let url = &inspector.stage.url;
    let filled = block.replace("/path/to/refundkit", PROGRAM).replace("rk_test_…", &inspector.key);
    let filled = filled.replace("https://refunds.example.com", url).replace("http://127.0.0.1:8080", url);
    serde_json::from_str(&filled).unwrap()
}

/// Lists the tools through a configuration, as a client that reads such files does.
async fn list_through(config: &Value, inspector: &Inspector) {
    let file = inspector.home.path().join("config.json");
    std::fs::write(&file, config.to_string()).unwrap();
    let mut command = Command::new(new_node());
    command.arg(tool("inspector/node_modules/.bin/mcp-inspector")).arg("--cli").arg("--config").arg(file);
    command.args(["--server", "refundkit", "--method", "tools/list", "--format", "json", "-q"]);
    command.env("MCP_INSPECTOR_SECRET_STORE", "file").env("HOME", inspector.home.path());
    let ran = run(command).await;
    assert!(ran.code == Some(0) && ran.said.contains(PROCESS), "{config}: {}", ran.said);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_for_desktop_clients_starts_the_program_and_lists_its_tools() {
    let inspector = Inspector::new().await;
    list_through(&documented("Claude Desktop", &inspector), &inspector).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mcp_remote_brings_a_stdio_client_to_the_http_door() {
    let inspector = Inspector::new().await;
    let mut config = documented("mcp-remote", &inspector);
    let server = &mut config["mcpServers"]["refundkit"];
    // `npx -y mcp-remote` would fetch it; here it is installed already.
    let mut arguments = server["args"].as_array().unwrap().clone();
    assert_eq!(
        (&server["command"], arguments.remove(0), &arguments[0]),
        (&json!("npx"), json!("-y"), &json!("mcp-remote"))
    );
    arguments[0] = tool("inspector/node_modules/.bin/mcp-remote").to_str().unwrap().into();
    (server["command"], server["args"]) = (new_node().to_str().unwrap().into(), arguments.into());
    list_through(&config, &inspector).await;
}

/// Lets the conformance suite in, which knows of no keys: passes everything on with one, and nothing else changed.
async fn unlocked(stage: &Stage) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (http, server, key) = (reqwest::Client::new(), stage.url.clone(), stage.admin_key.clone());
    let pass_on = move |request: Request| {
        let (http, server, key) = (http.clone(), server.clone(), key.clone());
        async move {
            let (parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            let sent = http.request(parts.method, format!("{server}{}", parts.uri.path())).headers(parts.headers);
            let answer = sent.bearer_auth(key).body(body).send().await.unwrap();
            let mut back = Response::builder().status(answer.status());
            for (name, value) in answer.headers().iter().filter(|(name, _)| *name != header::TRANSFER_ENCODING) {
                back = back.header(name, value);
            }
            let body: Bytes = answer.bytes().await.unwrap();
            back.body(axum::body::Body::from(body)).unwrap()
        }
    };
    let router = Router::new().fallback(pass_on);
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/mcp")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_conformance_suite_finds_what_it_is_expected_to_find() {
    let stage = Stage::new().await;
    let url = unlocked(&stage).await;
    let expected = folder("tests/clients/conformance/expected-failures.yml");
    for (revision, scenarios) in [
        ("2025-11-25", &["server-initialize", "ping", "tools-list", "dns-rebinding-protection"][..]),
        (
            "2026-07-28",
            &["tools-list", "server-stateless", "caching", "http-header-validation", "dns-rebinding-protection"],
        ),
    ] {
        for scenario in scenarios {
            let results = TempDir::new().unwrap();
            let mut command = Command::new(new_node());
            command.arg(tool("inspector/node_modules/.bin/conformance")).args(["server", "--url", &url]);
            command.args(["--scenario", scenario, "--spec-version", revision, "--expected-failures"]).arg(&expected);
            command.arg("-o").arg(results.path()).env("HOME", results.path());
            let ran = tokio::time::timeout(Duration::from_mins(1), run(command)).await.unwrap();
            assert_eq!(ran.code, Some(0), "{revision} {scenario}:\n{}", ran.said);
            assert!(ran.said.contains("Passed"), "{revision} {scenario}:\n{}", ran.said);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_agent_works_through_its_tickets_and_refunds_each_wish_once() {
    let stage = Stage::new().await;
    let (example, place) = (folder("../../examples/agent-loop"), TempDir::new().unwrap());
    std::fs::copy(example.join("agent.mjs"), place.path().join("agent.mjs")).unwrap();
    std::os::unix::fs::symlink(tool("mcp-sdk/node_modules"), place.path().join("node_modules")).unwrap();
    let work = async || {
        let mut command = Command::new("node");
        command.arg(place.path().join("agent.mjs")).env("REFUNDKIT_BASE_URL", &stage.url);
        let ran = run({
            command.env("REFUNDKIT_API_KEY", stage.key("write").await);
            command
        })
        .await;
        assert_eq!(ran.code, Some(0), "{}", ran.said);
        ran.said
    };
    let said = work().await;
    for words in [
        "agent:    Your refund of 25.00 USD has been sent.",
        "refundkit_process_refund      refund_already_processed",
        "agent:    Your refund of 60.00 USD has been sent.",
        "a person: Refund amount ($100.00) is greater than unrefunded amount on charge ($70.00)",
        "agent:    Your refund of 8000 JPY needs something from you first",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    // The whole day's work again, as after a crash: the same refunds.
    work().await;
    for (charge, made) in [
        ("ch_1N4HbSKz9cXRvFYr", (2500, 1)),
        ("ch_1SandboxPending", (6000, 1)),
        ("ch_1SandboxPartlyRefunded", (3000, 1)),
    ] {
        assert_eq!(stage.refunded_at_stripe(charge).await, made, "{charge}");
    }
}
