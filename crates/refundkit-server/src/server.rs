//! The running server: routes, workers, metrics, and an orderly end.

use std::{io, sync::Arc};

use tokio::{net::TcpListener, task::JoinHandle};

use crate::{app::App, interfaces::rest, limits, workers};

/// A server that is running.
pub struct Server {
    app: Arc<App>,
    serving: JoinHandle<io::Result<()>>,
    working: JoinHandle<()>,
}

impl Server {
    /// Starts to serve and to work.
    pub fn start(app: Arc<App>, listener: TcpListener) -> Self {
        let routes = rest::router(Arc::clone(&app));
        let ended = app.shutdown.clone();
        let serving =
            tokio::spawn(
                async move { axum::serve(listener, routes).with_graceful_shutdown(ended.cancelled_owned()).await },
            );
        let working = tokio::spawn(workers::run(Arc::clone(&app)));
        tokio::spawn(workers::retain::run(Arc::clone(&app)));
        Self { app, serving, working }
    }

    /// Turns new requests away, finishes what is under way, and closes the database.
    ///
    /// What does not finish in time keeps its lease: a worker takes it up after the next start.
    pub async fn stop(self) {
        self.app.drain();
        let _ = self.working.await;
        self.app.tasks.close();
        let finished = async {
            let _ = self.serving.await;
            self.app.tasks.wait().await;
        };
        if tokio::time::timeout(limits::SHUTDOWN_WAIT_MAX, finished).await.is_err() {
            tracing::warn!("some work did not finish in time; it is taken up again after the next start");
        }
        self.app.request_log.close().await;
        self.app.store.close().await;
    }
}
