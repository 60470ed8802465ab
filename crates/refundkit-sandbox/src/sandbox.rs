//! The running sandbox: the model behind a lock, its file, and the clock. Requests come in through `http`, webhooks go
//! out through `webhooks`.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;

use crate::faults::{FaultPlan, FaultRuleError};
use crate::model::{Model, Settings};
use crate::request::{Request, Response};
use crate::world::World;
use crate::{http, state_file, webhooks};

/// How a sandbox is opened.
#[derive(Debug, Clone)]
pub struct SandboxOptions {
    /// Where ids and chance come from. Ignored when the state file exists.
    pub seed: u64,
    /// Where the state is kept; in memory only when absent.
    pub state_file: Option<PathBuf>,
    /// How long refunds take from one state to the next, and webhooks from one try to the next. Replaces what the state
    /// file says.
    pub refund_delay: Duration,
    /// What there is at the beginning. Ignored when the state file exists.
    pub world: World,
    /// Faults by chance. Replaces what the state file says.
    pub fault_plan: FaultPlan,
}

impl Default for SandboxOptions {
    fn default() -> Self {
        SandboxOptions {
            seed: 0,
            state_file: None,
            refund_delay: Duration::from_secs(5),
            world: World::default(),
            fault_plan: FaultPlan::default(),
        }
    }
}

/// Why a sandbox cannot be opened or served.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The state file is there and cannot be read.
    #[error("the sandbox's state file {path} cannot be read: {source}; remove it to begin anew")]
    Load {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The state file cannot be written.
    #[error("the sandbox's state file {path} cannot be written: {source}")]
    Save {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The refund delay does not fit.
    #[error("the refund delay is too long")]
    Delay,
    /// The fault plan cannot be armed.
    #[error("the fault plan is refused: {0}")]
    FaultPlan(#[from] FaultRuleError),
    /// The webhook sender cannot be set up.
    #[error("webhooks cannot be sent: {0}")]
    Webhooks(#[from] reqwest::Error),
    /// Listening failed.
    #[error("the sandbox stopped listening: {0}")]
    Serve(#[source] io::Error),
}

/// A Stripe-compatible server. Clones share one state.
#[derive(Debug, Clone)]
pub struct Sandbox {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    model: Mutex<Model>,
    state_file: Option<PathBuf>,
    /// The revision the file holds. Held while writing, so that concurrent requests share one write.
    saved_revision: Arc<tokio::sync::Mutex<Option<u64>>>,
}

impl Sandbox {
    /// Opens a sandbox, from its state file when there is one.
    pub fn open(options: SandboxOptions) -> Result<Sandbox, SandboxError> {
        let loaded = match &options.state_file {
            Some(path) => state_file::load(path).map_err(|source| SandboxError::Load { path: path.clone(), source })?,
            None => None,
        };
        let mut model = loaded.unwrap_or_else(|| options.world.build(options.seed, now_ms()));
        let delay_ms = i64::try_from(options.refund_delay.as_millis()).map_err(|_| SandboxError::Delay)?;
        model.set_settings(Settings { refund_delay_ms: delay_ms, webhook_retry_delay_ms: delay_ms });
        model.set_fault_plan(options.fault_plan)?;
        Ok(Sandbox {
            shared: Arc::new(Shared {
                model: Mutex::new(model),
                state_file: options.state_file,
                saved_revision: Arc::default(),
            }),
        })
    }

    /// Serves until `shutdown` resolves: answers requests, lets time pass, sends webhooks.
    pub async fn serve(
        &self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), SandboxError> {
        self.save().await?;
        let client = webhooks::client()?;
        tokio::select! {
            served = http::serve(self.clone(), listener, shutdown) => served.map_err(SandboxError::Serve)?,
            never = webhooks::run(self.clone(), client) => match never {},
        }
        self.save().await
    }

    /// Answers one request now, as if it had come over the network; what it changed is in the file afterwards.
    ///
    /// The answer's [`crate::Transport`] is left to the caller.
    pub async fn apply(&self, request: &Request) -> Result<Response, SandboxError> {
        let response = self.with_model(|model, now_ms| model.apply(request, now_ms));
        self.save().await?;
        Ok(response)
    }

    /// A copy of everything, to look at.
    pub fn snapshot(&self) -> Model {
        self.lock().clone()
    }

    /// Works on the model at this instant; saving is the caller's.
    pub(crate) fn with_model<T>(&self, work: impl FnOnce(&mut Model, i64) -> T) -> T {
        work(&mut self.lock(), now_ms())
    }

    /// Brings the file up to date. Requests that wait here together are served by one write.
    pub(crate) async fn save(&self) -> Result<(), SandboxError> {
        let Some(path) = &self.shared.state_file else { return Ok(()) };
        let wanted = self.lock().revision();
        let mut saved_revision = Arc::clone(&self.shared.saved_revision).lock_owned().await;
        if saved_revision.is_some_and(|saved| saved >= wanted) {
            return Ok(());
        }
        let (revision, bytes) = {
            let model = self.lock();
            (model.revision(), state_file::encode(&model))
        };
        let file = path.clone();
        // Whoever waits here may go away. The write goes on, and holds the lock until it is over: two at once would spoil the file.
        let written = tokio::task::spawn_blocking(move || {
            state_file::save(&file, &bytes?)?;
            *saved_revision = Some(revision);
            Ok(())
        });
        let written = written.await.unwrap_or_else(|panicked| Err(io::Error::other(panicked)));
        written.map_err(|source| SandboxError::Save { path: path.clone(), source })
    }

    /// No work on the model can leave it half done for others to see, so a poisoned lock is still good.
    fn lock(&self) -> MutexGuard<'_, Model> {
        self.shared.model.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The one look at the clock.
#[expect(clippy::disallowed_methods, reason = "the model takes the time as a value, and this is where it comes from")]
fn now_ms() -> i64 {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}
