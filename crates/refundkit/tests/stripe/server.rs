//! A server on the loopback that plays a script: one step for each request, in order, and remembers what it was sent.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// What the server does with one request, after reading it whole.
pub(crate) enum Step {
    /// Sends these bytes and closes.
    Send(Vec<u8>),
    /// Closes without a word.
    Cut,
    /// Never answers.
    Hang,
    /// Sends the head of these bytes at once and their body byte by byte, with this pause between them.
    Drip(Vec<u8>, Duration),
}

/// A request as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) method: String,
    pub(crate) target: String,
    /// By lowercase name.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

pub(crate) struct ScriptedServer {
    pub(crate) base: String,
    received: Arc<Mutex<Vec<Received>>>,
}

/// A JSON answer with a `Request-Id`.
pub(crate) fn json(status: u16, body: &str) -> Step {
    json_with(status, "", body)
}

/// A JSON answer with more headers, each ending in CRLF.
pub(crate) fn json_with(status: u16, headers: &str, body: &str) -> Step {
    let length = body.len();
    Step::Send(
        format!(
            "HTTP/1.1 {status} Scripted\r\nContent-Type: application/json\r\nRequest-Id: req_scripted\r\n\
             Connection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        )
        .into_bytes(),
    )
}

impl ScriptedServer {
    pub(crate) async fn start(script: impl IntoIterator<Item = Step>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let received = Arc::new(Mutex::new(Vec::new()));
        let memory = Arc::clone(&received);
        let mut steps: Vec<Step> = script.into_iter().collect();
        steps.reverse();
        let steps = Arc::new(Mutex::new(steps));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(play(stream, Arc::clone(&steps), Arc::clone(&memory)));
            }
        });
        Self { base, received }
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// The targets asked for, in order.
    pub(crate) fn targets(&self) -> Vec<String> {
        self.received().into_iter().map(|request| request.target).collect()
    }
}

async fn play(mut stream: TcpStream, steps: Arc<Mutex<Vec<Step>>>, memory: Arc<Mutex<Vec<Received>>>) {
    let Some(request) = read_request(&mut stream).await else { return };
    memory.lock().unwrap().push(request);
    let step = steps.lock().unwrap().pop();
    match step {
        Some(Step::Send(bytes)) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        Some(Step::Drip(bytes, pause)) => {
            let (head, body) = bytes.split_at(head_length(&bytes).unwrap_or_default());
            for piece in std::iter::once(head).chain(body.chunks(1)) {
                if stream.write_all(piece).await.is_err() {
                    return;
                }
                tokio::time::sleep(pause).await;
            }
        }
        Some(Step::Hang) => std::future::pending().await,
        Some(Step::Cut) | None => {}
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<Received> {
    let mut bytes = Vec::new();
    let head_length = loop {
        if let Some(length) = head_length(&bytes) {
            break length;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..head_length].to_vec()).ok()?;
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let headers: BTreeMap<_, _> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    while bytes.len() < head_length + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let body = String::from_utf8(bytes[head_length..].to_vec()).ok()?;
    Some(Received { method, target, headers, body })
}

/// The length of an HTTP head with its empty line, once it is whole.
fn head_length(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|end| end + 4)
}
