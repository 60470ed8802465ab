//! The running server: connections, workers, and an orderly end.

use std::{pin::pin, sync::Arc, time::Duration};

use axum::{Router, http::Request};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    task::JoinHandle,
    time::{sleep, timeout},
};
use tower::ServiceExt as _;

use crate::{
    app::App,
    config::Role,
    interfaces::{network::Peer, rate_limit, rest},
    limits, workers,
};

/// A server that is running.
pub struct Server {
    app: Arc<App>,
    serving: JoinHandle<()>,
    working: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts to serve and to work.
    pub fn start(app: Arc<App>, listener: TcpListener) -> Self {
        Self::start_as(Role::All, app, listener)
    }

    /// Starts to do what the role is about.
    pub fn start_as(role: Role, app: Arc<App>, listener: TcpListener) -> Self {
        let routes =
            if role.answers() { rest::router(Arc::clone(&app)) } else { rest::health_router(Arc::clone(&app)) };
        let serving = tokio::spawn(serve(Arc::clone(&app), listener, routes));
        if role.answers() {
            tokio::spawn(rate_limit::run(Arc::clone(&app)));
        }
        let working = role.works().then(|| {
            tokio::spawn(workers::retain::run(Arc::clone(&app)));
            tokio::spawn(workers::digest::run(Arc::clone(&app)));
            tokio::spawn(workers::reconcile::run(Arc::clone(&app)));
            tokio::spawn(workers::run(Arc::clone(&app)))
        });
        Self { app, serving, working }
    }

    /// Turns new requests away, finishes what is under way, and closes the database.
    ///
    /// What does not finish in time keeps its lease: a worker takes it up after the next start.
    pub async fn stop(self) {
        self.app.drain();
        if let Some(working) = self.working {
            let _ = working.await;
        }
        self.app.tasks.close();
        let finished = async {
            let _ = self.serving.await;
            self.app.tasks.wait().await;
        };
        if timeout(limits::SHUTDOWN_WAIT_MAX, finished).await.is_err() {
            tracing::warn!("some work did not finish in time; it is taken up again after the next start");
        }
        self.app.request_log.close().await;
        self.app.store.close().await;
    }
}

/// Accepts connections until the process is to end, then lets those that are answering finish.
async fn serve(app: Arc<App>, listener: TcpListener, routes: Router) {
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1().timer(TokioTimer::new()).header_read_timeout(limits::HEADER_READ_MAX);
    http.http2().timer(TokioTimer::new()).keep_alive_interval(limits::HEADER_READ_MAX);
    let (places, open) = (Arc::new(Semaphore::new(limits::CONNECTIONS_MAX)), GracefulShutdown::new());
    loop {
        let accepted = tokio::select! {
            () = app.shutdown.cancelled() => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let Some((stream, peer, place)) = accepted else { continue };
        let asked = Arc::new(Notify::new());
        let asks = Arc::clone(&asked);
        let routes = routes.clone().map_request(move |mut request: Request<_>| {
            asks.notify_one();
            request.extensions_mut().insert(peer);
            request
        });
        let service = TowerToHyperService::new(routes);
        let connection = open.watch(http.serve_connection(TokioIo::new(stream), service).into_owned());
        tokio::spawn(async move {
            // A connection that breaks is its client's business.
            let _ = while_it_asks(connection, &asked).await;
            drop(place);
        });
    }
    drop(listener);
    if timeout(limits::CONNECTIONS_WAIT_MAX, open.shutdown()).await.is_err() {
        tracing::debug!("connections that were not answering were left behind");
    }
}

/// Serves a connection, unless no request comes of it in the time that a head has. The limit of HTTP/1 alone is not enough: it
/// begins once it is clear that HTTP/1 is spoken, and who sends nothing, or half of HTTP/2's preface, would hold a place for ever.
async fn while_it_asks<T>(connection: impl Future<Output = T>, asked: &Notify) -> Option<T> {
    let mut connection = pin!(connection);
    tokio::select! {
        served = &mut connection => return Some(served),
        () = asked.notified() => {}
        () = sleep(limits::HEADER_READ_MAX) => return None,
    }
    Some(connection.await)
}

/// The next connection, once there is a place for it; none when accepting failed, after a rest.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> Option<(TcpStream, Peer, OwnedSemaphorePermit)> {
    /// How long to rest when no connection can be accepted (too many open files).
    const REST: Duration = Duration::from_millis(100);
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, address)) => {
            let _ = stream.set_nodelay(true);
            Some((stream, Peer(address.ip()), place))
        }
        Err(error) => {
            tracing::warn!(%error, "a connection was not accepted");
            sleep(REST).await;
            None
        }
    }
}
