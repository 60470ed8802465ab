//! Waiting for a refund: asking again, ever more seldom, for as long as the caller has patience.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Refunds;
use crate::{Error, ErrorCode, Refund, RefundId, RefundStage};

/// The pause before asking the first time, and after every change.
const PAUSE_FIRST: Duration = Duration::from_millis(500);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(10);

impl Refunds<'_> {
    /// Reads a refund again and again until it is completed, failed or cancelled, and answers with it.
    ///
    /// `progress` is told the refund as it is read first, and after every change. A refund that is still under way after `patience`
    /// is a `timeout`: nothing is wrong with it, waiting again is safe, and some take days. Trouble that may pass is waited out.
    ///
    /// ```no_run
    /// # async fn example(client: refundkit::RefundKit, id: refundkit::RefundId) -> Result<(), refundkit::Error> {
    /// use std::time::Duration;
    ///
    /// let refund = client.refunds().wait_until_settled(id, Duration::from_secs(60), |refund| println!("{}", refund.status)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn wait_until_settled(
        &self,
        id: RefundId,
        patience: Duration,
        mut progress: impl FnMut(&Refund),
    ) -> Result<Refund, Error> {
        let until = Instant::now() + patience;
        let mut pause = PAUSE_FIRST;
        let mut last: Option<Refund> = None;
        loop {
            match self.get(id).await {
                Ok(now) => {
                    let changed = last.as_ref().is_none_or(|last| (last.status, last.stage) != (now.status, now.stage));
                    if changed {
                        pause = PAUSE_FIRST;
                        progress(&now);
                    }
                    if now.stage == RefundStage::Settled {
                        return Ok(now);
                    }
                    last = Some(now);
                }
                Err(error) if !error.retryable || Instant::now() >= until => return Err(error),
                Err(_) => {}
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(late(id, last.as_ref(), patience));
            }
            sleep(pause.min(left)).await;
            pause = (pause * 3 / 2).min(PAUSE_MAX);
        }
    }
}

fn late(id: RefundId, refund: Option<&Refund>, patience: Duration) -> Error {
    let stands = refund.map_or_else(
        || "could not be read".to_owned(),
        |refund| format!("is still {} ({})", refund.status, refund.stage),
    );
    let hint = "It goes on by itself: wait again, or have its end reported by a webhook. Do not create another one.";
    Error {
        refund_id: Some(id),
        retryable: true,
        hint: Some(hint.to_owned()),
        ..Error::new(ErrorCode::Timeout, format!("Refund {id} {stands} after {} ms.", patience.as_millis()))
    }
}
