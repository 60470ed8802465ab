//! Lines between a client on stdio and the protocol: each is read as strictly as any other input before the protocol sees it. A line
//! that is no JSON, or names a key twice, is answered as the protocol says (-32700), and never gets further.

use refundkit_server::{interfaces::input, limits};
use rmcp::model::ErrorCode;
use serde_json::{Value, json};
use tokio::{
    io::{
        self, AsyncBufRead, AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _,
        BufReader, DuplexStream,
    },
    sync::mpsc,
    task::JoinHandle,
};

/// Bytes that wait between the protocol and its client.
const BYTES_WAITING_MAX: usize = 64 * 1024;
/// Lines that wait to be written.
const LINES_WAITING_MAX: usize = 64;

/// The protocol's side: what it reads, where it writes, and the task that ends when everything was written.
pub(crate) struct Lines {
    pub(crate) reader: DuplexStream,
    pub(crate) writer: DuplexStream,
    pub(crate) written: JoinHandle<()>,
}

/// Puts the strict reading between a client and the protocol.
pub(crate) fn checked(
    client: impl AsyncRead + Send + Unpin + 'static,
    answers: impl AsyncWrite + Send + Unpin + 'static,
) -> Lines {
    let (reader, protocol) = io::duplex(BYTES_WAITING_MAX);
    let (protocols_answers, writer) = io::duplex(BYTES_WAITING_MAX);
    let (lines, to_write) = mpsc::channel(LINES_WAITING_MAX);
    tokio::spawn(read_in(BufReader::new(client), protocol, lines.clone()));
    tokio::spawn(pass_out(BufReader::new(protocols_answers), lines));
    Lines { reader, writer, written: tokio::spawn(write_out(answers, to_write)) }
}

async fn read_in(mut client: impl AsyncBufRead + Unpin, mut protocol: DuplexStream, answers: mpsc::Sender<Vec<u8>>) {
    while let Ok(Some(line)) = next_line(&mut client).await {
        let wrong = match &line {
            Line::Whole(bytes) if bytes.trim_ascii().is_empty() => continue,
            Line::Whole(bytes) => input::body(bytes).err().map(|error| error.to_string()),
            Line::TooLong => Some(format!("A message is at most {} bytes.", limits::BODY_BYTES_MAX)),
        };
        let delivered = match (wrong, line) {
            (None, Line::Whole(bytes)) => protocol.write_all(&bytes).await.is_ok(),
            (wrong, _) => answers.send(refusal(&wrong.unwrap_or_default())).await.is_ok(),
        };
        if !delivered {
            return;
        }
    }
}

fn refusal(words: &str) -> Vec<u8> {
    let error = json!({ "code": ErrorCode::PARSE_ERROR.0, "message": words });
    let mut line = json!({ "jsonrpc": "2.0", "id": Value::Null, "error": error }).to_string().into_bytes();
    line.push(b'\n');
    line
}

async fn pass_out(mut protocol: impl AsyncBufRead + Unpin, answers: mpsc::Sender<Vec<u8>>) {
    let mut line = Vec::new();
    while protocol.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
        if answers.send(std::mem::take(&mut line)).await.is_err() {
            return;
        }
    }
}

async fn write_out(mut answers: impl AsyncWrite + Unpin, mut lines: mpsc::Receiver<Vec<u8>>) {
    while let Some(line) = lines.recv().await {
        // A client that is gone reads nothing more, and there is nobody to tell.
        if answers.write_all(&line).await.is_err() || answers.flush().await.is_err() {
            return;
        }
    }
}

enum Line {
    /// With the end of the line.
    Whole(Vec<u8>),
    /// More than a message may have; the rest of it is passed over.
    TooLong,
}

async fn next_line(client: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Line>> {
    let most = u64::try_from(limits::BODY_BYTES_MAX).unwrap_or(u64::MAX);
    let mut line = Vec::new();
    (&mut *client).take(most).read_until(b'\n', &mut line).await?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.ends_with(b"\n") || line.len() < limits::BODY_BYTES_MAX {
        return Ok(Some(Line::Whole(line)));
    }
    loop {
        let available = client.fill_buf().await?;
        let (end, length) = (available.iter().position(|byte| *byte == b'\n'), available.len());
        client.consume(end.map_or(length, |end| end + 1));
        if end.is_some() || length == 0 {
            return Ok(Some(Line::TooLong));
        }
    }
}
