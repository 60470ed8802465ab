//! The HTTP client that all processors of a process share: its pool of connections, its trust, and its time limits.
//!
//! It follows no redirect, knows no proxy, and trusts the roots compiled into the program, so that it starts without a
//! store of the operating system's and without a network. What is said over it does not live here.

use std::{sync::OnceLock, time::Duration};

use reqwest::{Certificate, Client, redirect::Policy};

use crate::{Error, ErrorCode};

/// How long to wait for a processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection, TLS included; at most half of `total`, so that a call which never reached the processor ends as
    /// that, and not in doubt.
    pub connect: Duration,
    /// For an answer to begin, and then for each next piece of it.
    pub read: Duration,
    /// For a whole call, from its first try to the end of its last.
    pub total: Duration,
}

impl Timeouts {
    /// 5 seconds to connect, 20 for an answer to begin or go on, 30 in all.
    pub const DEFAULT: Self =
        Self { connect: Duration::from_secs(5), read: Duration::from_secs(20), total: Duration::from_secs(30) };
}

impl Timeouts {
    pub(super) fn consistent(self) -> Self {
        Self { connect: self.connect.min(self.total / 2), ..self }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Carries requests in place of the network: how a simulation puts itself where the processor is.
#[async_trait::async_trait]
pub trait Carrier: Send + Sync {
    /// Carries one request, and brings back the answer or says why there is none.
    async fn carry(&self, request: reqwest::Request) -> Result<reqwest::Response, NotCarried>;
}

/// Why a carrier brings back no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotCarried {
    /// Nothing was sent.
    NotReached,
    /// Something may have arrived; no answer came back.
    Cut,
}

/// Idle connections kept for each host.
const IDLE_CONNECTIONS_MAX: usize = 32;
/// How long an idle connection is kept: less than servers usually keep theirs, so that few requests meet a closed one.
const IDLE_CONNECTION_KEPT: Duration = Duration::from_secs(30);

static SHARED: OnceLock<Client> = OnceLock::new();

/// The shared client; one of its own where the limits for connecting and reading differ from the usual.
pub(super) fn client(timeouts: &Timeouts) -> Result<Client, Error> {
    if timeouts.connect != Timeouts::DEFAULT.connect || timeouts.read != Timeouts::DEFAULT.read {
        return build(timeouts);
    }
    if let Some(client) = SHARED.get() {
        return Ok(client.clone());
    }
    let client = build(&Timeouts::DEFAULT)?;
    Ok(SHARED.get_or_init(|| client).clone())
}

fn build(timeouts: &Timeouts) -> Result<Client, Error> {
    // Only the first provider of a process is installed; one that is there already is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let unusable = |error: reqwest::Error| Error::new(ErrorCode::InternalError, format!("No HTTP client: {error}"));
    let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS
        .iter()
        .map(|root| Certificate::from_der(root))
        .collect::<Result<Vec<_>, _>>()
        .map_err(unusable)?;
    Client::builder()
        .user_agent(concat!("refundkit/", env!("CARGO_PKG_VERSION"), " (rust)"))
        .tls_certs_only(roots)
        .redirect(Policy::none())
        .no_proxy()
        .connect_timeout(timeouts.connect)
        .read_timeout(timeouts.read)
        .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
        .pool_idle_timeout(IDLE_CONNECTION_KEPT)
        .build()
        .map_err(unusable)
}
