//! A server on loopback that plays a script, one step for each request, and keeps what it was asked.

use std::{
    fmt::Write as _,
    sync::{Arc, Mutex},
    time::Duration,
};

use refundkit::RefundKit;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::KEY;

/// What the server does with one request.
pub(crate) enum Step {
    Answer {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: String,
    },
    /// Closes the connection without a word.
    Drop,
    /// Promises more than it sends.
    Cut,
    /// Says nothing and keeps the connection.
    Silence,
}

pub(crate) fn text(status: u16, body: &str) -> Step {
    Step::Answer { status, headers: Vec::new(), body: body.to_owned() }
}

pub(crate) fn answer(status: u16, body: &Value) -> Step {
    text(status, &body.to_string())
}

pub(crate) fn done(data: &Value) -> Step {
    answer(200, &json!({ "data": data, "error": null }))
}

pub(crate) fn failed(status: u16, code: &str, retryable: bool) -> Step {
    let error = json!({ "code": code, "message": "No.", "requestId": "req_1", "retryable": retryable });
    answer(status, &json!({ "data": null, "error": error }))
}

pub(crate) fn with_header(step: Step, name: &'static str, value: &str) -> Step {
    match step {
        Step::Answer { status, mut headers, body } => {
            headers.push((name, value.to_owned()));
            Step::Answer { status, headers, body }
        }
        other => other,
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

pub(crate) struct Server {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// Plays the steps, one for each request; what comes after them is refused as a connection.
    pub(crate) async fn play(steps: impl IntoIterator<Item = Step>) -> Self {
        let steps: Vec<_> = steps.into_iter().collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&seen);
        tokio::spawn(async move {
            let mut kept = Vec::new();
            for step in steps {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = read_request(&mut stream).await;
                record.lock().unwrap().push(request);
                perform(step, stream, &mut kept).await;
            }
            drop(listener);
            std::future::pending::<()>().await;
        });
        Self { url, seen }
    }

    pub(crate) fn client(&self) -> RefundKit {
        RefundKit::builder().api_key(KEY).base_url(&self.url).timeout(Duration::from_secs(5)).build().unwrap()
    }

    pub(crate) fn host(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn perform(step: Step, mut stream: TcpStream, kept: &mut Vec<TcpStream>) {
    match step {
        Step::Answer { status, headers, body } => {
            let mut head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n", body.len());
            for (name, value) in headers {
                write!(head, "{name}: {value}\r\n").unwrap();
            }
            // Who reads no further hangs up: no failure of the script.
            let _ = stream.write_all(format!("{head}\r\n{body}").as_bytes()).await;
            let _ = stream.shutdown().await;
        }
        Step::Drop => {}
        Step::Cut => {
            let half = "HTTP/1.1 201 Created\r\nContent-Length: 500\r\n\r\n{\"data\":{\"id\":";
            stream.write_all(half.as_bytes()).await.unwrap();
        }
        Step::Silence => kept.push(stream),
    }
}

async fn read_request(stream: &mut TcpStream) -> Seen {
    let mut bytes = Vec::new();
    let (head, mut body) = loop {
        read_some(stream, &mut bytes).await;
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break (String::from_utf8(bytes[..end].to_vec()).unwrap(), bytes[end + 4..].to_vec());
        }
    };
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
    let pair = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap();
    let mut seen = Seen { line, headers: lines.map(pair).collect(), body: String::new() };
    let length: usize = seen.header("content-length").map_or(0, |length| length.parse().unwrap());
    while body.len() < length {
        read_some(stream, &mut body).await;
    }
    seen.body = String::from_utf8(body).unwrap();
    seen
}

async fn read_some(stream: &mut TcpStream, bytes: &mut Vec<u8>) {
    let mut chunk = [0; 4096];
    let count = stream.read(&mut chunk).await.unwrap();
    assert_ne!(count, 0, "the request ended early");
    bytes.extend_from_slice(&chunk[..count]);
}
