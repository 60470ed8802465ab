//! Child processes: the built program with its output kept, ended when the test ends.

use std::{
    fmt::Display,
    fs,
    io::{BufRead as _, BufReader, Read, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use refundkit_sandbox::DEV_SECRET_KEY;
use serde_json::Value;

const REFUNDKIT: &str = env!("CARGO_BIN_EXE_refundkit");
/// How long something may take that should happen soon, on a machine that is busy with other tests.
pub(super) const PATIENCE: Duration = Duration::from_secs(40);

/// The program with arguments, in a folder, with these variables and no others.
fn command(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(REFUNDKIT);
    command.args(arguments).current_dir(folder).env_clear().envs(variables.iter().copied());
    command
}

/// What a command that ended has said.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) code: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Ran {
    /// stdout of a command that must have succeeded, and had nothing else to say.
    #[track_caller]
    pub(super) fn done(&self) -> &str {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""), "{self:?}");
        &self.stdout
    }

    /// The same, as JSON.
    #[track_caller]
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(self.done()).unwrap()
    }

    /// stderr of a command that must have ended with this code and without a result.
    #[track_caller]
    pub(super) fn failed(&self, code: i32) -> &str {
        assert_eq!((self.code, self.stdout.as_str()), (Some(code), ""), "{self:?}");
        &self.stderr
    }
}

/// Runs a command to its end.
pub(super) fn run(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
    run_with_input(folder, arguments, variables, "")
}

/// Runs a command to its end, with something piped into it.
pub(super) fn run_with_input(folder: &Path, arguments: &[&str], variables: &[(&str, &str)], input: &str) -> Ran {
    ended(command(folder, arguments, variables), input)
}

/// Runs what a person would paste into a shell.
pub(super) fn paste(folder: &Path, script: &str) -> Ran {
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).current_dir(folder).env_clear();
    if let Some(path) = std::env::var_os("PATH") {
        shell.env("PATH", path);
    }
    ended(shell, "")
}

fn ended(mut command: Command, input: &str) -> Ran {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that reads nothing may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let ran = Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) };
    assert!(!ran.stderr.contains(DEV_SECRET_KEY) && !ran.stdout.contains(DEV_SECRET_KEY), "Stripe's key: {ran:?}");
    ran
}

/// A program that goes on running, with what it has said so far. Killed when dropped.
pub(super) struct Program {
    child: Child,
    pub(super) stdout: Said,
    pub(super) stderr: Said,
}

impl Program {
    pub(super) fn start(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::spawn(command(folder, arguments, variables))
    }

    /// Starts it so that a write beyond a limit on the size of files is an error to it, as on a full disk, and no signal.
    pub(super) fn start_with_limits(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\"", REFUNDKIT]).args(arguments);
        shell.current_dir(folder).env_clear().envs(variables.iter().copied());
        Self::spawn(shell)
    }

    fn spawn(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = Said::listen(child.stdout.take().unwrap());
        let stderr = Said::listen(child.stderr.take().unwrap());
        Self { child, stdout, stderr }
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal: `INT` as Ctrl-C does, `TERM` as a service manager does.
    pub(super) fn signal(&self, name: &str) {
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.id())]).status().unwrap();
        assert!(sent.success(), "kill -{name}");
    }

    /// Kills it, as `kill -9` and the kernel do.
    pub(super) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end.
    #[track_caller]
    pub(super) fn ended(&mut self) -> ExitStatus {
        let waited = Instant::now();
        while waited.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("it did not end: {}{}", self.stdout, self.stderr)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Only ever this child, and only if it is still there.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a program has said on one of its outputs.
#[derive(Clone, Default)]
pub(super) struct Said(Arc<(Mutex<Heard>, Condvar)>);

#[derive(Default)]
struct Heard {
    text: String,
    is_over: bool,
}

impl Said {
    fn listen(output: impl Read + Send + 'static) -> Self {
        let said = Self::default();
        let heard = said.clone();
        thread::spawn(move || {
            let mut reader = BufReader::new(output);
            loop {
                let mut line = String::new();
                let is_over = reader.read_line(&mut line).unwrap_or_default() == 0;
                let mut state = heard.0.0.lock().unwrap_or_else(PoisonError::into_inner);
                state.text.push_str(&line);
                state.is_over |= is_over;
                heard.0.1.notify_all();
                if is_over {
                    return;
                }
            }
        });
        said
    }

    pub(super) fn text(&self) -> String {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).text.clone()
    }

    /// Waits until it has said this; answers all it has said.
    #[track_caller]
    pub(super) fn until(&self, words: &str) -> String {
        let state = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = |heard: &mut Heard| !heard.text.contains(words) && !heard.is_over;
        let waited = self.0.1.wait_timeout_while(state, PATIENCE, missing).unwrap_or_else(PoisonError::into_inner);
        let text = waited.0.text.clone();
        assert!(text.contains(words), "it did not say {words:?} but: {text}");
        text
    }

    /// Waits until it has said all it will; answers that.
    pub(super) fn to_its_end(&self) -> String {
        let state = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.0.1.wait_timeout_while(state, PATIENCE, |heard| !heard.is_over);
        waited.unwrap_or_else(PoisonError::into_inner).0.text.clone()
    }
}

impl Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text())
    }
}

/// Who may read and write a file.
pub(super) fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// The text between two marks.
#[track_caller]
pub(super) fn between<'text>(text: &'text str, before: &str, after: &str) -> &'text str {
    let Some((_, rest)) = text.split_once(before) else { panic!("no {before:?} in: {text}") };
    rest.split_once(after).map_or(rest, |(found, _)| found)
}

/// Speaks HTTP to a sandbox's control endpoint.
pub(super) async fn control(sandbox: &str, method: reqwest::Method, path: &str, body: Value) -> Value {
    let request = http().request(method, format!("{sandbox}/_sandbox/{path}")).json(&body);
    let answer = request.send().await.unwrap();
    assert!(answer.status().is_success(), "{path}: {}", answer.status());
    answer.json().await.unwrap()
}

/// The refunds of a charge in the sandbox's own books.
pub(super) async fn refunds_at_stripe(sandbox: &str, charge: &str) -> Vec<Value> {
    let ledger = control(sandbox, reqwest::Method::GET, "ledger", Value::Null).await;
    let found = ledger["data"].as_array().unwrap().iter().find(|entry| entry["charge"] == charge).unwrap();
    found["refunds"].as_array().unwrap().clone()
}

pub(super) fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

/// Checks that nothing of a secret stands in what was said.
#[track_caller]
pub(super) fn assert_silent_about(said: &str, secrets: &[&str]) {
    for secret in secrets {
        assert!(!secret.is_empty() && !said.contains(secret), "{}… was told:\n{said}", &secret[..8]);
    }
}
