//! The sandbox driven by Stripe's own clients, unchanged but for their address: what they accept is what Stripe speaks.

#![expect(clippy::unwrap_used, reason = "a test helper that cannot go on says so")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use refundkit_sandbox::{DEV_SECRET_KEY, Sandbox, SandboxOptions};
use tokio::net::TcpListener;

const FOLDER: &str = env!("CARGO_MANIFEST_DIR");

fn tools() -> PathBuf {
    Path::new(FOLDER).join("../../target/tools")
}

/// Runs a script against a fresh sandbox, with the port and key as its arguments.
async fn drive(command: &Path, script: &str, environment: &[(&str, &Path)]) {
    let options = SandboxOptions { refund_delay: Duration::from_millis(300), ..SandboxOptions::default() };
    let sandbox = Sandbox::open(options).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let server = tokio::spawn(async move { sandbox.serve(listener, std::future::pending()).await });
    let mut command = Command::new(command);
    command.arg(Path::new(FOLDER).join("tests/clients").join(script)).args([&port, DEV_SECRET_KEY]);
    command.envs(environment.iter().copied()).stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    server.abort();
    assert!(
        output.status.success(),
        "{script} failed:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn must_exist(path: &Path) {
    assert!(path.exists(), "{} is missing; run ./scripts/tools, which installs it.", path.display());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_node_client_works_against_the_sandbox() {
    let packages = tools().join("node/node_modules");
    must_exist(&packages.join("stripe"));
    drive(Path::new("node"), "node.mjs", &[("CLIENT_PACKAGES", &packages)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_python_client_works_against_the_sandbox() {
    let python = tools().join("python/bin/python");
    must_exist(&python);
    drive(&python, "python.py", &[]).await;
}
