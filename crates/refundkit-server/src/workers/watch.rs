//! Watching refunds that the processor has: those that lie side by side in its lists are read in one call.
//!
//! A batch is the longest due look of a connection and its neighbours in time that are due too or may be looked at early. The list is read
//! from the newest of them downwards, so every call settles at least one look: never more than one call each, and one for a
//! hundred where the account's refunds are ours. What the list does not bring, and is due, is asked for alone.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use refundkit::{
    ConnectionId, Timestamp,
    processor::{ProcessorError, ProcessorErrorKind, ProcessorRefund},
    processors::{PaymentProcessor, RefundQuery},
};
use refundkit_core::lifecycle::{self, Command, Step};
use tokio::sync::Semaphore;

use super::poll;
use crate::{
    app::App,
    error::Error,
    limits, metrics,
    processors::{self, Patience},
    progress,
    store::{
        StoreError, jobs,
        jobs::{DueConnection, Look},
        refunds,
        refunds::StoredRefund,
    },
};

/// How many looks of each connection one list call has settled lately.
#[derive(Debug, Default)]
pub struct Densities(Mutex<HashMap<ConnectionId, Density>>);

#[derive(Debug, Clone, Copy)]
struct Density {
    /// How many looks are worth claiming together.
    together: u32,
    /// How many single looks there were since a list was last tried.
    singles: u32,
}

impl Densities {
    fn with<T>(&self, id: ConnectionId, work: impl FnOnce(&mut Density) -> T) -> T {
        let mut densities = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        work(densities.entry(id).or_insert(Density { together: limits::LOOKS_TOGETHER_MAX, singles: 0 }))
    }

    /// How many looks to claim for one call. Where they lie too far apart a list is still tried now and then.
    fn claimable(&self, id: ConnectionId) -> u32 {
        self.with(id, |density| {
            if density.together > 1 {
                return density.together;
            }
            density.singles = density.singles.saturating_add(1);
            if density.singles < limits::SINGLE_LOOKS_MAX {
                return 1;
            }
            density.singles = 0;
            limits::LOOKS_TOGETHER_MAX
        })
    }

    fn note(&self, id: ConnectionId, asked: usize, settled: usize) {
        let settled_count = u32::try_from(settled).unwrap_or(u32::MAX);
        self.with(id, |density| {
            let grown = density.together.saturating_add(density.together / 8).saturating_add(1);
            let next = if settled >= asked { grown } else { settled_count };
            density.together = next.clamp(1, limits::LOOKS_TOGETHER_MAX);
        });
    }
}

/// Starts the looks that are due, as far as there are places and budgets, and says how long to rest.
pub async fn start_due(app: &Arc<App>, places: &Arc<Semaphore>) -> Result<Duration, StoreError> {
    let now = app.env.now();
    let connections = {
        let mut connection = app.store.read().await?;
        jobs::list_by_next_look(&mut connection, limits::CONNECTIONS_CLAIMED_MAX).await?
    };
    let late_ms = connections.first().map_or(0, |longest| now.millis_since(longest.run_at).max(0));
    ::metrics::gauge!(metrics::LOOKS_LATE_SECONDS).set(Duration::from_millis(late_ms.unsigned_abs()).as_secs_f64());
    let mut rest = app.worker_rest_max;
    let until = |at: Timestamp| Duration::from_millis(at.millis_since(now).max(0).unsigned_abs());
    for due in connections {
        if due.run_at > now {
            rest = rest.min(until(due.run_at));
            break;
        }
        let Ok(place) = Arc::clone(places).try_acquire_owned() else { break };
        if let Err(again_at) = app.budgets.take(due.id, due.tenant.environment, now) {
            rest = rest.min(until(again_at));
            continue;
        }
        let (leased_until, most) = (now.plus_millis(limits::JOB_LEASE_MS), app.densities.claimable(due.id));
        let claimed = app.store.write::<_, StoreError, _>(move |connection| {
            Box::pin(async move { jobs::claim_looks(connection, due.id, now, leased_until, most).await })
        });
        let claimed = match claimed.await {
            Ok(claimed) => claimed,
            // The others need not wait for this one's trouble.
            Err(error) => {
                tracing::error!(connection_id = %due.id, %error, "looks could not be claimed");
                continue;
            }
        };
        rest = Duration::ZERO;
        let worker = Arc::clone(app);
        app.tasks.spawn(async move {
            if let Err(error) = look(&worker, due, claimed, leased_until).await {
                tracing::error!(connection_id = %due.id, %error, "looks failed; they come again when their lease lapses");
            }
            drop(place);
            worker.job_put.notify_one();
        });
    }
    Ok(rest)
}

/// A look that was claimed, and the refund to look at.
struct Watched {
    look: Look,
    refund: StoredRefund,
    /// Whether a list is known not to bring it.
    alone: bool,
}

impl Watched {
    /// Where it stands in the processor's lists, as far as that is of use.
    fn place(&self) -> Option<Timestamp> {
        self.look.external_created_at.filter(|_| !self.alone)
    }
}

/// Looks at refunds that were claimed together. It may be done twice: a look changes nothing at the processor.
pub async fn look(
    app: &Arc<App>,
    due: DueConnection,
    claimed: Vec<Look>,
    leased_until: Timestamp,
) -> Result<(), Error> {
    if claimed.is_empty() {
        return Ok(());
    }
    let processor = processors::of_connection(app, due.tenant, due.id, Patience::Background).await?;
    let mut batch = Batch { app, due, leased_until, processor, is_paid: true };
    let mut open = Vec::with_capacity(claimed.len());
    for look in claimed {
        let found = {
            let mut connection = app.store.read().await?;
            refunds::find(&mut connection, due.tenant, look.refund_id).await?
        };
        let Some(refund) = found else {
            return Err(Error::internal(format!("{} has a job and no row", look.refund_id)));
        };
        let watched = Watched { alone: look.external_created_at.is_none(), look, refund };
        match lifecycle::next_step(&watched.refund.state, app.env.now()) {
            Step::Poll => open.push(watched),
            Step::RepeatCancel => batch.repeat_cancel(watched).await?,
            Step::Nothing => batch.forget(&watched).await?,
            // Not accepted after all: the other worker's.
            Step::Send | Step::LookThenSend | Step::Look => batch.hand_over(&watched).await?,
        }
    }
    open.sort_by_key(|watched| std::cmp::Reverse(watched.look.external_created_at));
    batch.settle(open).await
}

/// Looks of one connection that were claimed together.
struct Batch<'a> {
    app: &'a Arc<App>,
    due: DueConnection,
    leased_until: Timestamp,
    processor: Arc<dyn PaymentProcessor>,
    /// Whether a call is paid for that was not made yet.
    is_paid: bool,
}

/// What a call left to be done.
enum Left {
    /// These.
    Open(Vec<Watched>),
    /// These, and the processor should be left alone.
    Turned(Vec<Watched>),
}

impl Batch<'_> {
    /// Looks at what is due, and with the first call at what may be looked at early; gives back what the budget does not allow.
    async fn settle(&mut self, mut open: Vec<Watched>) -> Result<(), Error> {
        while !open.is_empty() {
            if !self.may_call() {
                return self.give_back(open).await;
            }
            let left = match span(&open) {
                Some((newest, oldest)) => self.look_together(open, newest, oldest).await?,
                None => self.look_alone(open).await?,
            };
            // Only what is due is worth another call.
            let now = self.app.env.now();
            let (due, early) = match left {
                Left::Open(open) => open.into_iter().partition(|watched| watched.look.run_at <= now),
                Left::Turned(open) => (Vec::new(), open),
            };
            self.give_back(early).await?;
            open = due;
        }
        Ok(())
    }

    /// Reads the list from the newest of them downwards.
    async fn look_together(&self, open: Vec<Watched>, newest: Timestamp, oldest: Timestamp) -> Result<Left, Error> {
        let query = RefundQuery {
            created_from: Some(oldest),
            created_to: Some(newest),
            limit: limits::LOOKS_TOGETHER_MAX,
            ..RefundQuery::default()
        };
        ::metrics::counter!(metrics::BACKGROUND_CALLS, "kind" => "list").increment(1);
        let began_at = self.app.env.now();
        let page = match self.processor.list_refunds(&query).await {
            Ok(page) => page,
            Err(error) => return self.not_answered(open, error).await,
        };
        // What is as old as the page's end may stand on the next one.
        let read_above = page.refunds.last().filter(|_| page.has_more).map(|last| last.created_at);
        let mut listed: HashMap<String, ProcessorRefund> =
            page.refunds.into_iter().map(|refund| (refund.id.clone(), refund)).collect();
        let (mut read, mut left, mut asked) = (Vec::new(), Vec::new(), 0_usize);
        for mut watched in open {
            asked += usize::from(watched.place().is_some());
            let copy = watched.refund.state.external_refund_id().and_then(|id| listed.remove(id));
            match (copy, watched.place()) {
                (Some(copy), _) => read.push((watched.refund.id, Command::Observed(copy))),
                (None, place) => {
                    watched.alone |= place.is_some_and(|place| read_above.is_none_or(|end| place > end));
                    left.push(watched);
                }
            }
        }
        if read.is_empty()
            && let Some(first) = left.iter_mut().find(|watched| watched.place().is_some())
        {
            // More refunds share its second than a page has: it would be missed again.
            first.alone = true;
        }
        self.app.densities.note(self.due.id, asked, read.len());
        self.app.budgets.answered(self.due.id);
        progress::apply_all(self.app, self.due.tenant, read, began_at).await?;
        Ok(Left::Open(left))
    }

    /// Reads the one that is due longest.
    async fn look_alone(&self, mut open: Vec<Watched>) -> Result<Left, Error> {
        let longest = open.iter().enumerate().min_by_key(|(_, watched)| watched.look.run_at).map(|(at, _)| at);
        let Some(longest) = longest else { return Ok(Left::Open(open)) };
        let watched = open.swap_remove(longest);
        let refund = &watched.refund;
        let Some(external_id) = refund.state.external_refund_id() else {
            return Err(Error::internal(format!("{} is watched and has no id at the processor", refund.id)));
        };
        ::metrics::counter!(metrics::BACKGROUND_CALLS, "kind" => "look").increment(1);
        let began_at = self.app.env.now();
        match self.processor.retrieve_refund(external_id).await {
            Ok(copy) => {
                self.app.budgets.answered(self.due.id);
                let read = vec![(refund.id, Command::Observed(copy))];
                progress::apply_all(self.app, self.due.tenant, read, began_at).await?;
                Ok(Left::Open(open))
            }
            Err(error) if error.kind == ProcessorErrorKind::RateLimited => {
                open.push(watched);
                self.not_answered(open, error).await
            }
            Err(error) => {
                let is_answer = error.kind.is_refusal();
                self.not_answered(vec![watched], error).await?;
                // Waiting for silence once is enough: the others are for the next batch.
                Ok(if is_answer { Left::Open(open) } else { Left::Turned(open) })
            }
        }
    }

    /// Notes that these could not be looked at. Who is asked too often is left alone, and nothing is lost by it.
    async fn not_answered(&self, open: Vec<Watched>, error: ProcessorError) -> Result<Left, Error> {
        if error.kind == ProcessorErrorKind::RateLimited {
            self.turned_away(&error);
            return Ok(Left::Turned(open));
        }
        let claimed_at = self.leased_until.plus_millis(-limits::JOB_LEASE_MS);
        poll::note_refused_credential(self.app, self.due.tenant, self.due.id, claimed_at, &error).await?;
        let now = self.app.env.now();
        let (due, early): (Vec<_>, Vec<_>) = open.into_iter().partition(|watched| watched.look.run_at <= now);
        let failed =
            due.into_iter().map(|watched| (watched.refund.id, Command::ObserveFailed(error.clone()))).collect();
        progress::apply_all(self.app, self.due.tenant, failed, now).await?;
        Ok(Left::Open(early))
    }

    fn turned_away(&self, error: &ProcessorError) {
        let (id, environment, now) = (self.due.id, self.due.tenant.environment, self.app.env.now());
        let until = self.app.budgets.back_off(id, environment, error.retry_after_ms, now);
        tracing::warn!(connection_id = %id, %until, "the processor is asked too often; background calls pause");
    }

    fn may_call(&mut self) -> bool {
        let now = self.app.env.now();
        std::mem::take(&mut self.is_paid)
            || self.app.budgets.take(self.due.id, self.due.tenant.environment, now).is_ok()
    }

    async fn repeat_cancel(&mut self, watched: Watched) -> Result<(), Error> {
        if !self.may_call() {
            return self.give_back(vec![watched]).await;
        }
        ::metrics::counter!(metrics::BACKGROUND_CALLS, "kind" => "look").increment(1);
        poll::repeat_cancel(self.app, watched.refund, Arc::clone(&self.processor)).await
    }

    async fn give_back(&self, open: Vec<Watched>) -> Result<(), Error> {
        if open.is_empty() {
            return Ok(());
        }
        let leased_until = self.leased_until;
        let given = self.app.store.write::<_, Error, _>(move |connection| {
            Box::pin(async move {
                for watched in &open {
                    jobs::give_back(connection, &watched.look, leased_until).await?;
                }
                Ok(())
            })
        });
        given.await
    }

    /// Nothing is left to be seen.
    async fn forget(&self, watched: &Watched) -> Result<(), Error> {
        let id = watched.refund.id;
        self.app.store.write(move |connection| Box::pin(async move { Ok(jobs::delete(connection, id).await?) })).await
    }

    async fn hand_over(&self, watched: &Watched) -> Result<(), Error> {
        let (tenant, id, now) = (self.due.tenant, watched.refund.id, self.app.env.now());
        let put = self.app.store.write::<_, Error, _>(move |connection| {
            Box::pin(async move { Ok(jobs::put(connection, tenant, id, "submit", now).await?) })
        });
        put.await
    }
}

/// From where to where the processor's list is to be read; none where a list would bring one refund at most.
fn span(open: &[Watched]) -> Option<(Timestamp, Timestamp)> {
    let places = || open.iter().filter_map(Watched::place);
    let newest = places().max().filter(|_| places().nth(1).is_some())?;
    Some((newest, places().min()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_looks_are_claimed_together_as_a_list_has_settled_lately() {
        let (densities, id) = (Densities::default(), ConnectionId::from_bits(1));
        assert_eq!(densities.claimable(id), 100);
        densities.note(id, 100, 60);
        assert_eq!(densities.claimable(id), 60);
        densities.note(id, 60, 60);
        assert_eq!(densities.claimable(id), 68);
        densities.note(id, 68, 1);
        // Where only strangers lie between them, they are looked at one by one, and a list is tried again now and then.
        let claimed: Vec<_> = (0..limits::SINGLE_LOOKS_MAX).map(|_| densities.claimable(id)).collect();
        assert_eq!(claimed.iter().filter(|most| **most == 100).count(), 1);
        assert_eq!(claimed.iter().filter(|most| **most == 1).count(), claimed.len() - 1);
    }
}
