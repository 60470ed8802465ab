//! Connections of which no request comes.

use std::time::Duration;

use refundkit_server::limits;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::support::Stage;

/// How long to wait for a server that lets go of a connection when its time is over.
const PATIENCE: Duration = Duration::from_secs(4 * limits::HEADER_READ_MAX.as_secs());

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_asks_for_nothing_is_let_go() {
    let stage = Stage::new().await;
    let address = stage.url.strip_prefix("http://").unwrap();
    let closed = ["", "P", "PRI * HT", "GET /healthz HTTP/1.1\r\nhost: x\r\n"].map(async |sent| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        // How it ends is the same: an end, or a reset.
        let _ = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.unwrap_or_else(|_| panic!("{sent:?} is held"));
        assert!(!rest.starts_with(b"HTTP/1.1 2"), "{sent:?}");
    });
    futures_util::future::join_all(closed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_asked_may_rest_and_ask_again() {
    let stage = Stage::new().await;
    let mut stream = TcpStream::connect(stage.url.strip_prefix("http://").unwrap()).await.unwrap();
    for _ in 0..2 {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut answer = [0; 15];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
        let mut rest = vec![0; 4096];
        let _ = stream.read(&mut rest).await.unwrap();
    }
}
