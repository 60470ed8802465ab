//! Following a refund until it is settled: by asking again, ever more seldom, for as long as the caller has patience.

use std::{
    io::{self, IsTerminal as _},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use refundkit::{Error, Refund, RefundKit, RefundStage};

use super::{
    output::{Output, clean, note},
    refunds::standing,
};

/// The pause before asking the first time, and after every change.
const PAUSE_FIRST: Duration = Duration::from_millis(500);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// How often in a row the server may be unreachable before that is the answer.
const MISSES_MAX: u32 = 5;

/// Why following ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The refund is completed, failed or cancelled.
    Settled,
    /// The caller's patience ended, by the clock or by Ctrl-C.
    GaveUp,
}

/// Keeps `refund` up to date until it is settled, and tells each change.
pub(crate) async fn follow(
    client: &RefundKit,
    refund: &mut Refund,
    patience: Option<Duration>,
    output: Output,
    changed: impl FnMut(&Refund) -> io::Result<()>,
) -> anyhow::Result<End> {
    let impatience = async {
        match patience {
            Some(patience) => tokio::time::sleep(patience).await,
            None => std::future::pending().await,
        }
    };
    let spinner = Spinner::new(output);
    tokio::select! {
        settled = poll(client, refund, &spinner, changed) => settled.map(|()| End::Settled),
        () = impatience => Ok(End::GaveUp),
        interrupt = tokio::signal::ctrl_c() => Ok(interrupt.map(|()| End::GaveUp)?),
    }
}

async fn poll(
    client: &RefundKit,
    refund: &mut Refund,
    spinner: &Spinner,
    mut changed: impl FnMut(&Refund) -> io::Result<()>,
) -> anyhow::Result<()> {
    let mut pause = PAUSE_FIRST;
    let mut misses = 0;
    while refund.stage != RefundStage::Settled {
        spinner.say(&format!("{} is {}", refund.id, standing(refund)));
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(PAUSE_MAX);
        match client.refunds().get(refund.id).await {
            Ok(now) => {
                misses = 0;
                if now != *refund {
                    *refund = now;
                    spinner.aside(|| changed(refund))?;
                    pause = PAUSE_FIRST;
                }
            }
            Err(error) if error.retryable && misses < MISSES_MAX => {
                misses += 1;
                spinner.aside(|| note_miss(&error));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn note_miss(error: &Error) {
    note(&format!("{} Asking again.", clean(&error.message)));
}

/// A sign of life on stderr, where somebody is looking.
struct Spinner(Option<ProgressBar>);

impl Spinner {
    fn new(output: Output) -> Self {
        if output.json || !io::stderr().is_terminal() {
            return Self(None);
        }
        let bar = ProgressBar::new_spinner().with_style(ProgressStyle::default_spinner());
        bar.enable_steady_tick(Duration::from_millis(120));
        Self(Some(bar))
    }

    fn say(&self, text: &str) {
        if let Some(bar) = &self.0 {
            bar.set_message(text.to_owned());
        }
    }

    /// Does something that writes to the terminal without the spinner in between.
    fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.0 {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
