//! `refundkit serve`: the server, until Ctrl-C or SIGTERM.

use std::{io, net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context as _;
use refundkit_core::schedule::Schedule;
use refundkit_server::{
    app::{App, Parts},
    config::{Config, MetricsListen},
    metrics,
    server::Server,
    setup,
    store::organizations,
};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
};

/// Serves until it is told to stop.
///
/// Examples:
///   refundkit serve
///   REFUNDKIT_LISTEN=0.0.0.0:8080 refundkit serve
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    config: Config,
}

pub(crate) async fn run(args: ServeArgs) -> anyhow::Result<ExitCode> {
    let config = args.config;
    let listener = listen(config.listen, "REFUNDKIT_LISTEN").await?;
    let app = open(&config).await?;
    let address = listener.local_addr()?;
    start_metrics(config.metrics_listen).await;
    let organizations = organizations::count(&mut *app.store.read().await?).await?;
    let mut stop = Stop::new()?;
    let server = Server::start(Arc::clone(&app), listener);
    tracing::info!("listening on http://{address}");
    if organizations == 0 {
        tracing::warn!(
            "there is no organization yet: make one with `refundkit setup --organization NAME --email ADDRESS`"
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
pub(crate) async fn open(config: &Config) -> anyhow::Result<Arc<App>> {
    let (store, vault) = setup::open(&config.data).await?;
    Ok(App::start(Parts {
        store,
        vault,
        stripe_api_base: config.stripe_api_base.clone(),
        submit_deadline: Duration::from_millis(config.submit_deadline_ms),
        schedule: Schedule::sped_up(config.schedule_speedup),
        rate_limit: config.rate_limit,
        public_url: config.public_url.clone(),
    }))
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
