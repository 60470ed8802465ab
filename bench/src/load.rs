//! The load: a number of clients, each with one connection, each sending its next request when it has its answer.
//!
//! A closed loop over plain HTTP/1.1, so that the driver costs little beside what it measures. It reads answers with a
//! `content-length`, which is all that the two subjects send.

use std::{
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// The longest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// What to send, how, and for how long.
pub struct Plan {
    pub address: String,
    pub clients: usize,
    pub warm_up: Duration,
    pub duration: Duration,
    pub expected_status: u16,
}

/// What came back.
#[derive(Default)]
pub struct Load {
    /// Requests that began after the warm-up, answered as expected.
    pub requests: u64,
    /// Every request, the warm-up's included.
    pub requests_in_all: u64,
    pub seconds: f64,
    /// One for each of `requests`, sorted.
    pub latencies_us: Vec<u64>,
}

impl Load {
    pub fn per_second(&self) -> f64 {
        self.requests as f64 / self.seconds
    }

    pub fn percentile_us(&self, percent: usize) -> u64 {
        let last = self.latencies_us.len().saturating_sub(1);
        self.latencies_us.get(last * percent / 100).copied().unwrap_or_default()
    }
}

/// Runs the plan. `request` writes the nth request; any answer but the expected one ends the run.
pub async fn run(plan: &Plan, request: impl Fn(u64) -> Vec<u8> + 'static) -> anyhow::Result<Load> {
    let numbers = Arc::new(AtomicU64::new(0));
    let request = Rc::new(request);
    let measured_from = Instant::now() + plan.warm_up;
    let until = measured_from + plan.duration;
    let local = tokio::task::LocalSet::new();
    let mut clients = Vec::new();
    for _ in 0..plan.clients {
        let (numbers, request, address, expected) =
            (numbers.clone(), request.clone(), plan.address.clone(), plan.expected_status);
        clients.push(local.spawn_local(async move {
            let mut client = Client::connect(&address).await?;
            let mut latencies_us = Vec::new();
            while Instant::now() < until {
                let bytes = request(numbers.fetch_add(1, Ordering::Relaxed));
                let sent = Instant::now();
                let answer = client.ask(&bytes).await?;
                ensure!(answer.status == expected, "{} instead of {expected}: {}", answer.status, answer.body);
                if sent >= measured_from {
                    latencies_us.push(sent.elapsed().as_micros() as u64);
                }
            }
            Ok(latencies_us)
        }));
    }
    let mut load = Load::default();
    local
        .run_until(async {
            for client in clients {
                load.latencies_us.extend(client.await??);
            }
            anyhow::Ok(())
        })
        .await?;
    load.seconds = measured_from.elapsed().as_secs_f64();
    load.latencies_us.sort_unstable();
    load.requests = load.latencies_us.len() as u64;
    load.requests_in_all = numbers.load(Ordering::Relaxed);
    Ok(load)
}

/// One connection that is kept open.
pub struct Client {
    stream: TcpStream,
    received: Vec<u8>,
}

/// One answer.
pub struct Answer {
    pub status: u16,
    pub body: String,
}

impl Client {
    pub async fn connect(address: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::with_capacity(4096) })
    }

    /// Sends a whole request and reads the whole answer.
    pub async fn ask(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        self.stream.write_all(request).await?;
        self.received.clear();
        let head_end = loop {
            self.read_more().await?;
            if let Some(end) = self.received.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let head = std::str::from_utf8(&self.received[..head_end])?;
        let status = head.split(' ').nth(1).context("no status line")?.parse()?;
        let length: usize = head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .map(|(_, value)| value.trim().parse())
            .context("no content-length")??;
        ensure!(length <= ANSWER_BYTES_MAX, "an answer of {length} bytes");
        while self.received.len() < head_end + length {
            self.read_more().await?;
        }
        Ok(Answer { status, body: String::from_utf8(self.received[head_end..head_end + length].to_vec())? })
    }

    async fn read_more(&mut self) -> anyhow::Result<()> {
        ensure!(self.received.len() <= ANSWER_BYTES_MAX + 8192, "an answer without end");
        let read = self.stream.read_buf(&mut self.received).await?;
        ensure!(read > 0, "the connection was closed in the middle of an answer");
        Ok(())
    }
}

/// Writes a request: the head that every HTTP client sends, and a JSON body where there is one.
pub fn request(method: &str, path: &str, authorization: &str, body: Option<&str>) -> Vec<u8> {
    let body = body.unwrap_or_default();
    let content = if body.is_empty() { "" } else { "content-type: application/json\r\n" };
    format!(
        "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {authorization}\r\n{content}content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
