//! The HTTP face: turns requests into the model's, and carries out what its answers ask of the transport.
//!
//! No Stripe rule lives here. The only liberty it takes is to cut a connection when the model says so, which is why it
//! wraps the listener.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, Method as HttpMethod, StatusCode};
use axum::response::{IntoResponse, Response as HttpResponse};
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use crate::limits::BODY_BYTES_MAX;
use crate::request::{Method, Request, Response};
use crate::sandbox::Sandbox;

/// Serves until `shutdown` resolves.
pub(crate) async fn serve(
    sandbox: Sandbox,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let app = Router::new().fallback(handle).with_state(sandbox);
    let service = app.into_make_service_with_connect_info::<Scissors>();
    axum::serve(CuttableListener(listener), service).with_graceful_shutdown(shutdown).await
}

async fn handle(
    State(sandbox): State<Sandbox>,
    ConnectInfo(scissors): ConnectInfo<Scissors>,
    request: axum::extract::Request,
) -> HttpResponse {
    let request = match read(request).await {
        Ok(request) => request,
        Err(refusal) => return refusal,
    };
    let response = match sandbox.apply(&request).await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(%error, "the sandbox's state is not on disk");
            return refuse(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string());
        }
    };
    if response.transport.delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(response.transport.delay_ms)).await;
    }
    if response.transport.cut {
        scissors.cut();
    }
    write(response)
}

async fn read(request: axum::extract::Request) -> Result<Request, HttpResponse> {
    let (head, body) = request.into_parts();
    let method = match head.method {
        HttpMethod::GET => Method::Get,
        HttpMethod::POST => Method::Post,
        HttpMethod::DELETE => Method::Delete,
        _ => return Err(refuse(StatusCode::METHOD_NOT_ALLOWED, "Stripe knows GET, POST and DELETE.")),
    };
    let body = axum::body::to_bytes(body, BODY_BYTES_MAX).await;
    let body = body.map_err(|_| refuse(StatusCode::PAYLOAD_TOO_LARGE, "The request body is too large."))?;
    Ok(Request {
        method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        authorization: header(&head.headers, "authorization"),
        idempotency_key: header(&head.headers, "idempotency-key"),
        stripe_version: header(&head.headers, "stripe-version"),
        stripe_account: header(&head.headers, "stripe-account"),
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().filter(|value| !value.is_empty()).map(str::to_owned)
}

fn write(response: Response) -> HttpResponse {
    let mut builder = HttpResponse::builder().status(response.status);
    for (name, value) in &response.headers {
        builder = builder.header(name, value);
    }
    builder.body(Body::from(response.body)).unwrap_or_else(|error| {
        // A header that came in was echoed and cannot go out again.
        refuse(StatusCode::BAD_REQUEST, &error.to_string())
    })
}

fn refuse(status: StatusCode, message: &str) -> HttpResponse {
    let error = serde_json::json!({ "error": { "type": "invalid_request_error", "message": message } });
    (status, [("Content-Type", "application/json")], error.to_string()).into_response()
}

/// Cuts the connection it belongs to.
#[derive(Debug, Clone, Default)]
struct Scissors {
    is_cut: Arc<AtomicBool>,
}

impl Scissors {
    fn cut(&self) {
        self.is_cut.store(true, Ordering::Relaxed);
    }
}

impl Connected<IncomingStream<'_, CuttableListener>> for Scissors {
    fn connect_info(stream: IncomingStream<'_, CuttableListener>) -> Self {
        stream.io().scissors.clone()
    }
}

/// Accepts connections that can be cut.
struct CuttableListener(TcpListener);

impl Listener for CuttableListener {
    type Io = CuttableStream;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "answers may be slower");
        }
        (CuttableStream { stream, scissors: Scissors::default() }, address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

/// A connection that writes nothing any more once it is cut: the peer sees it closed without an answer.
struct CuttableStream {
    stream: TcpStream,
    scissors: Scissors,
}

impl CuttableStream {
    fn check(&self) -> io::Result<()> {
        if self.scissors.is_cut.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }
}

impl AsyncRead for CuttableStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for CuttableStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
