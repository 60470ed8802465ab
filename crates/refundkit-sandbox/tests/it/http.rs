//! The HTTP face: real sockets, a real file, real webhooks.

use std::path::Path;
use std::time::Duration;

use refundkit_sandbox::{DEV_SECRET_KEY, Sandbox, SandboxError, SandboxOptions};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::support::CHARGE;

/// Longer than any test needs, shorter than anybody's patience.
const PATIENCE: Duration = Duration::from_secs(20);

struct Running {
    address: String,
    stop: oneshot::Sender<()>,
    served: tokio::task::JoinHandle<Result<(), SandboxError>>,
}

fn options(state_file: Option<&Path>) -> SandboxOptions {
    SandboxOptions {
        state_file: state_file.map(Path::to_owned),
        refund_delay: Duration::from_millis(200),
        ..SandboxOptions::default()
    }
}

async fn start(options: SandboxOptions) -> Running {
    let sandbox = Sandbox::open(options).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async {
        stopped.await.ok();
    };
    let served = tokio::spawn(async move { sandbox.serve(listener, shutdown).await });
    Running { address, stop, served }
}

impl Running {
    async fn stop(self) {
        self.stop.send(()).unwrap();
        tokio::time::timeout(PATIENCE, self.served).await.unwrap().unwrap().unwrap();
    }

    /// The bytes that came back before the connection was closed.
    async fn raw(&self, method: &str, target: &str, headers: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: sandbox\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A connection that is cut may be reset; what came before is still the answer.
        drop(tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap());
        String::from_utf8(answer).unwrap()
    }

    async fn send(&self, method: &str, target: &str, headers: &str, body: &str) -> (u16, Value) {
        let headers = format!("Authorization: Bearer {DEV_SECRET_KEY}\r\n{headers}");
        let answer = self.raw(method, target, &headers, body).await;
        let status = answer.split(' ').nth(1).unwrap_or_else(|| panic!("no answer: {answer:?}")).parse().unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        (status, serde_json::from_str(body).unwrap_or(Value::String(body.to_owned())))
    }
}

#[tokio::test]
async fn a_cut_connection_answers_nothing_and_the_refund_was_made_all_the_same() {
    let running = start(options(None)).await;
    let rule = "{\"method\":\"POST\",\"path_prefix\":\"/v1/refunds\",\"fault\":{\"kind\":\"drop_after_effect\"}}";
    assert_eq!(running.send("POST", "/_sandbox/faults", "", rule).await.0, 200);
    let headers = format!("Authorization: Bearer {DEV_SECRET_KEY}\r\nIdempotency-Key: K\r\n");
    let body = format!("charge={CHARGE}&amount=100");
    assert_eq!(running.raw("POST", "/v1/refunds", &headers, &body).await, "");
    let (status, charge) = running.send("GET", &format!("/v1/charges/{CHARGE}"), "", "").await;
    assert_eq!((status, &charge["amount_refunded"]), (200, &100.into()));
    let again = running.raw("POST", "/v1/refunds", &headers, &body).await;
    assert!(again.to_lowercase().contains("idempotent-replayed: true"), "{again}");
    running.stop().await;
}

#[tokio::test]
async fn a_delayed_answer_comes_late_and_its_key_is_in_use_meanwhile() {
    let running = start(options(None)).await;
    let rule = "{\"fault\":{\"kind\":\"delay\",\"ms\":600},\"path_prefix\":\"/v1/refunds\"}";
    running.send("POST", "/_sandbox/faults", "", rule).await;
    let body = format!("charge={CHARGE}&amount=100");
    let second = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        running.send("POST", "/v1/refunds", "Idempotency-Key: K\r\n", &body).await
    };
    let (first, second) = tokio::join!(running.send("POST", "/v1/refunds", "Idempotency-Key: K\r\n", &body), second);
    assert_eq!((first.0, second.0), (200, 409));
    running.stop().await;
}

#[tokio::test]
async fn a_restart_finds_refunds_keys_and_timers_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stripe.json");
    let slow = SandboxOptions { refund_delay: Duration::from_secs(1), ..options(Some(&file)) };
    let running = start(slow.clone()).await;
    let create = ("Idempotency-Key: K\r\n", "charge=ch_1SandboxPending");
    let (status, refund) = running.send("POST", "/v1/refunds", create.0, create.1).await;
    assert_eq!((status, &refund["status"]), (200, &"pending".into()));
    // The answer is on disk before it is sent: a copy taken now is what a crash would leave.
    let crashed = folder.path().join("crashed.json");
    std::fs::copy(&file, &crashed).unwrap();
    running.stop().await;
    for file in [file, crashed] {
        let running = start(SandboxOptions { state_file: Some(file), ..slow.clone() }).await;
        let (_, replayed) = running.send("POST", "/v1/refunds", create.0, create.1).await;
        assert_eq!(replayed["id"], refund["id"]);
        let path = format!("/v1/refunds/{}", refund["id"].as_str().unwrap());
        let succeeded = async {
            while running.send("GET", &path, "", "").await.1["status"] != "succeeded" {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, succeeded).await.unwrap();
        running.stop().await;
    }
}

/// A request is given up while the file is being written, as at the end of a process or when its caller hangs up.
#[cfg(unix)]
#[tokio::test]
async fn a_write_that_nobody_waits_for_any_more_does_not_meet_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let (file, beside) = (folder.path().join("stripe.json"), folder.path().join("stripe.json.new"));
    let sandbox = Sandbox::open(options(Some(&file))).unwrap();
    let refund = refundkit_sandbox::Request::new(
        refundkit_sandbox::Method::Post,
        "/v1/refunds",
        format!("charge={CHARGE}&amount=1"),
    );
    let refund = refund.with_api_key(DEV_SECRET_KEY);

    // A pipe where the file is to be written: that write waits for a reader.
    assert!(std::process::Command::new("mkfifo").arg(&beside).status().unwrap().success());
    assert!(tokio::time::timeout(Duration::from_millis(200), sandbox.apply(&refund)).await.is_err());
    let pipe = folder.path().join("pipe");
    std::fs::rename(&beside, &pipe).unwrap();
    let mut next = std::pin::pin!(sandbox.apply(&refund));
    let waits = tokio::time::timeout(Duration::from_millis(200), &mut next).await.is_err();
    tokio::task::spawn_blocking(move || std::fs::read(pipe)).await.unwrap().unwrap();
    assert!(waits, "two writes were under way at once");
    assert_eq!(next.await.unwrap().status, 200);
    let reopened = Sandbox::open(options(Some(&file))).unwrap().snapshot().ledger();
    assert_eq!(reopened, sandbox.snapshot().ledger());
}

#[cfg(unix)]
#[tokio::test]
async fn the_state_file_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stripe.json");
    let running = start(options(Some(&file))).await;
    running.send("POST", "/v1/refunds", "", &format!("charge={CHARGE}")).await;
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    running.stop().await;
}

#[test]
fn a_broken_state_file_is_an_error_and_not_a_new_world() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stripe.json");
    std::fs::write(&file, "{\"format\":1,").unwrap();
    let error = Sandbox::open(options(Some(&file))).unwrap_err();
    assert!(error.to_string().contains("remove it to begin anew"), "{error}");
}

#[tokio::test]
async fn webhooks_arrive_signed_and_in_order_and_are_tried_again() {
    let running = start(options(None)).await;
    let hook = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("url=http://{}/hook&enabled_events[]=refund.*", hook.local_addr().unwrap());
    assert_eq!(running.send("POST", "/v1/webhook_endpoints", "", &url).await.0, 200);
    running.send("POST", "/v1/refunds", "", "charge=ch_1SandboxFails").await;
    let mut kinds = Vec::new();
    for answer in ["500 No", "200 OK", "200 OK", "200 OK"] {
        let (mut stream, _) = tokio::time::timeout(PATIENCE, hook.accept()).await.unwrap().unwrap();
        let event = read_webhook(&mut stream).await;
        kinds.push(event["type"].as_str().unwrap().to_owned());
        let answer = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
    kinds[1..].sort();
    assert_eq!(kinds, ["refund.created", "refund.created", "refund.failed", "refund.updated"]);
    running.stop().await;
}

/// One webhook's event, once its whole body is there.
async fn read_webhook(stream: &mut TcpStream) -> Value {
    let mut bytes = Vec::new();
    loop {
        stream.read_buf(&mut bytes).await.unwrap();
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && let Ok(event) = serde_json::from_str(body)
        {
            assert!(head.to_lowercase().contains("stripe-signature: t="), "{head}");
            return event;
        }
    }
}

#[tokio::test]
async fn what_is_too_large_or_no_method_of_stripes_is_refused() {
    let running = start(options(None)).await;
    assert_eq!(running.send("PUT", "/v1/refunds", "", "").await.0, 405);
    let large = "x".repeat(300 * 1024);
    let answer = running.raw("POST", "/v1/refunds", "", &large).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 413"), "{answer}");
    running.stop().await;
}

#[tokio::test]
async fn a_process_can_ask_its_own_sandbox_without_a_socket() {
    let sandbox = Sandbox::open(options(None)).unwrap();
    let request = refundkit_sandbox::Request::new(
        refundkit_sandbox::Method::Post,
        "/v1/refunds",
        format!("charge={CHARGE}&amount=100"),
    );
    let response = sandbox.apply(&request.with_api_key(DEV_SECRET_KEY)).await.unwrap();
    assert_eq!(response.status, 200);
    let ledger = sandbox.snapshot().ledger();
    assert_eq!(ledger.iter().find(|row| row.charge == CHARGE).unwrap().amount_refunded, 100);
}
