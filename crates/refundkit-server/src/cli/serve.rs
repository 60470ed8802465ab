//! `refundkit serve`: the server, until Ctrl-C or SIGTERM.

use std::{io, net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow, bail};
use refundkit_core::schedule::Schedule;
use refundkit_server::{
    app::{App, Parts},
    config::{Config, DatabaseUrl, MetricsListen, PublicUrl, Role},
    env::Env,
    limits, metrics,
    server::Server,
    server_lock::{self, LockError},
    setup,
};
use secrecy::ExposeSecret as _;
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
};

/// Serves until it is told to stop.
///
/// Examples:
///   refundkit serve
///   REFUNDKIT_LISTEN=0.0.0.0:8080 refundkit serve
///   REFUNDKIT_DATABASE_URL=postgres://refundkit@db/refundkit refundkit serve --role worker
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    config: Config,
}

pub(crate) async fn run(args: ServeArgs) -> anyhow::Result<ExitCode> {
    let config = args.config;
    if config.role != Role::All && matches!(config.data.database_url, DatabaseUrl::Sqlite { .. }) {
        bail!(
            "a SQLite file has one server, which does everything: leave REFUNDKIT_ROLE out, or give several servers a PostgreSQL database with REFUNDKIT_DATABASE_URL"
        );
    }
    let _alone = server_lock::take(&config.data.database_url).map_err(|error| {
        advise(error, "A SQLite file has one server: stop that one, or give this one another database with REFUNDKIT_DATABASE_URL. Several servers can share a PostgreSQL database")
    })?;
    let listener = listen(config.listen, "REFUNDKIT_LISTEN").await?;
    let address = listener.local_addr()?;
    let app = open(&config, address).await?;
    start_metrics(config.metrics_listen).await;
    let is_empty = setup::is_empty(&app.store).await?;
    let mut stop = Stop::new()?;
    let server = Server::start_as(config.role, Arc::clone(&app), listener);
    tracing::info!("listening on http://{address}");
    if is_empty && config.role.answers() {
        let token = app.vault.setup_token().expose_secret();
        tracing::warn!(
            "there is no organization yet: make one at {}/setup?token={token} or with `refundkit setup --organization NAME --email ADDRESS`",
            app.public_url.base
        );
    }
    stop.asked_for().await;
    tracing::info!("stopping: finishing what is under way");
    tokio::select! {
        () = server.stop() => Ok(ExitCode::SUCCESS),
        () = stop.asked_for() => anyhow::bail!("stopped at once; what was under way is taken up again after the next start"),
    }
}

/// Opens database and vault, and puts the server together.
pub(crate) async fn open(config: &Config, address: SocketAddr) -> anyhow::Result<Arc<App>> {
    let (store, vault) = setup::open(&config.data).await?;
    Ok(App::start(Parts {
        env: Env::default(),
        store,
        vault,
        stripe_api_base: config.stripe.stripe_api_base.clone(),
        stripe_carrier: None,
        public_url: config.public_url.clone().unwrap_or_else(|| PublicUrl::of_listener(address)),
        trusted_proxies: config.trusted_proxies.clone(),
        stripe_rate: config.stripe.stripe_rate,
        submit_deadline: Duration::from_millis(config.submit_deadline_ms),
        schedule: Schedule::sped_up(config.schedule_speedup),
        worker_rest_max: limits::WORKER_REST_MAX,
        rate_limit: config.rate_limit,
    }))
}

/// What to do when a server runs on the database already.
pub(crate) fn advise(error: LockError, advice: &str) -> anyhow::Error {
    match error {
        LockError::Held { .. } => anyhow!("{error}. {advice}"),
        LockError::Setup(error) => error.into(),
    }
}

/// Binds an address, or says which setting to change.
pub(crate) async fn listen(address: SocketAddr, setting: &str) -> anyhow::Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.with_context(|| format!("cannot listen on {address}; choose another address with {setting}"))
}

/// Serves metrics, or says why not: a server that makes refunds is not stopped by a port that is taken.
pub(crate) async fn start_metrics(listen: MetricsListen) {
    let MetricsListen::On(address) = listen else { return };
    match (metrics::install(), TcpListener::bind(address).await) {
        (Ok(handle), Ok(listener)) => {
            tokio::spawn(metrics::serve(listener, handle));
        }
        (Err(error), _) => tracing::warn!(%error, "metrics are not recorded"),
        (_, Err(error)) => {
            tracing::warn!(%address, %error, "metrics are not served; choose another address with REFUNDKIT_METRICS_LISTEN, or off");
        }
    }
}

/// Ctrl-C and SIGTERM, from the moment this is made: who says that it serves can also be told to stop.
pub(crate) struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for one of them; one that came earlier counts.
    pub(crate) async fn asked_for(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
