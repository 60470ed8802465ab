//! Books that agree: our refunds of a connection, compared with those the processor lists, and every difference told by kind.
//!
//! No call made here moves money. Where the processor's copy brings news of a refund of ours, it goes the one road that polls
//! take, and the report says that our books were corrected. Refunds that somebody else made are remembered, so that each is
//! told once.

use std::{collections::HashSet, sync::Arc, time::Duration};

use refundkit::{
    ConnectionId, Environment, OrganizationId, RefundId, Timestamp,
    processor::{ProcessorError, ProcessorErrorKind, ProcessorRefund},
    processors::{PaymentProcessor, RefundQuery},
};
use refundkit_core::lifecycle::{self, Command};
use serde::Serialize;

use crate::{
    app::App,
    error::Error,
    limits, metrics,
    processors::{self, Patience},
    progress,
    store::{StoreError, Tenant, outside_refunds, refunds, refunds::StoredRefund},
};

/// A way in which two books can differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Our refund stands elsewhere than the processor says.
    StatusDiffers,
    /// Our refund is for another amount or currency than the processor says.
    AmountDiffers,
    /// The processor does not have a refund that it accepted.
    MissingAtProcessor,
    /// The processor has two refunds that carry the id of one of ours.
    SecondRefund,
    /// The processor's refund carries an id of RefundKit's that these books do not have.
    UnknownHere,
    /// Somebody else made it, and it was not known here or has changed since.
    MadeElsewhere,
}

impl Kind {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StatusDiffers => "status_differs",
            Self::AmountDiffers => "amount_differs",
            Self::MissingAtProcessor => "missing_at_processor",
            Self::SecondRefund => "second_refund",
            Self::UnknownHere => "unknown_here",
            Self::MadeElsewhere => "made_elsewhere",
        }
    }
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Drift {
    /// Which kind.
    pub kind: Kind,
    /// Our refund.
    pub refund_id: Option<RefundId>,
    /// The processor's.
    pub external_refund_id: Option<String>,
    /// The charge.
    pub external_transaction_id: Option<String>,
    /// Whether our books say now what the processor says.
    pub corrected: bool,
    /// What differs, in words.
    pub message: String,
}

/// What comparing one connection found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The connection.
    pub connection_id: ConnectionId,
    /// Whose it is.
    pub organization_id: OrganizationId,
    /// Its environment.
    pub environment: Environment,
    /// From when on refunds were compared.
    pub since: Timestamp,
    /// How many refunds of ours were compared.
    pub compared: usize,
    /// How many refunds the processor listed.
    pub listed: usize,
    /// How many differences there are.
    pub drift_count: usize,
    /// The differences; past the first thousand they are counted only.
    pub drift: Vec<Drift>,
    /// Why it could not be compared to the end, when it could not.
    pub error: Option<String>,
}

/// Why a comparison ended early.
#[derive(Debug)]
enum Interrupted {
    /// Our side.
    Here(Error),
    /// The processor's.
    There(Box<ProcessorError>),
    /// The processor was asked too often, by whomever, for as long as a comparison waits.
    NeverAllowed,
}

impl From<Error> for Interrupted {
    fn from(error: Error) -> Self {
        Self::Here(error)
    }
}

impl From<StoreError> for Interrupted {
    fn from(error: StoreError) -> Self {
        Self::Here(error.into())
    }
}

/// Compares a connection's refunds made since then. What was compared before it ended is in the report.
pub async fn compare(app: &Arc<App>, tenant: Tenant, id: ConnectionId, since: Timestamp) -> Report {
    let report = Report {
        connection_id: id,
        organization_id: tenant.organization_id,
        environment: tenant.environment,
        since,
        compared: 0,
        listed: 0,
        drift_count: 0,
        drift: Vec::new(),
        error: None,
    };
    let processor = match processors::of_connection(app, tenant, id, Patience::Background).await {
        Ok(processor) => processor,
        Err(error) => return Report { error: Some(error.to_string()), ..report },
    };
    let began_at = app.env.now();
    let mut comparison =
        Comparison { app, tenant, id, processor, began_at, answered_at: began_at, seen: HashSet::new(), report };
    let ended = comparison.run().await;
    let mut report = comparison.report;
    report.error = match ended {
        Ok(()) => None,
        Err(Interrupted::Here(error)) => Some(error.to_string()),
        Err(Interrupted::There(error)) => Some(error.detail.message),
        Err(Interrupted::NeverAllowed) => Some("The processor is asked too often, and answers nothing.".to_owned()),
    };
    report
}

struct Comparison<'a> {
    app: &'a Arc<App>,
    tenant: Tenant,
    id: ConnectionId,
    processor: Arc<dyn PaymentProcessor>,
    began_at: Timestamp,
    /// When the processor last answered.
    answered_at: Timestamp,
    /// Our refunds that the processor listed.
    seen: HashSet<RefundId>,
    report: Report,
}

impl Comparison<'_> {
    async fn run(&mut self) -> Result<(), Interrupted> {
        self.theirs().await?;
        self.ours().await
    }

    /// Goes through the processor's list, newest first.
    async fn theirs(&mut self) -> Result<(), Interrupted> {
        let mut query = RefundQuery {
            created_from: Some(self.report.since),
            limit: limits::LOOKS_TOGETHER_MAX,
            ..RefundQuery::default()
        };
        loop {
            let page = loop {
                self.may_call().await?;
                match self.processor.list_refunds(&query).await {
                    Ok(page) => break page,
                    Err(error) => self.yields_to(error)?,
                }
            };
            self.answered();
            query.starting_after = page.refunds.last().map(|refund| refund.id.clone());
            for theirs in page.refunds {
                self.report.listed += 1;
                self.match_up(theirs).await?;
            }
            if !page.has_more {
                return Ok(());
            }
        }
    }

    /// One refund of the processor's.
    async fn match_up(&mut self, theirs: ProcessorRefund) -> Result<(), Interrupted> {
        let Some(ours) = self.find(&theirs).await? else {
            return match theirs.refund_id {
                Some(_) => {
                    let message = format!(
                        "{} carries the id of a refund that is not in these books: were they restored from an older \
                         copy, or does another installation use this account?",
                        described(&theirs)
                    );
                    self.told(Kind::UnknownHere, theirs.refund_id, Some(&theirs), false, message);
                    Ok(())
                }
                None => self.import(theirs).await,
            };
        };
        self.seen.insert(ours.id);
        if is_same(&ours, &theirs) {
            self.report.compared += 1;
            return Ok(());
        }
        // Our books may have moved on since the page was read: what differs is read again.
        let fresh = self.retrieve(&theirs.id).await?.unwrap_or(theirs);
        self.differs(ours.id, fresh).await
    }

    /// Goes through our refunds of that time and asks for those that the processor did not list.
    async fn ours(&mut self) -> Result<(), Interrupted> {
        let mut after = refunds::first_id_of(self.report.since);
        loop {
            let page = {
                let mut connection = self.app.store.read().await?;
                let limit = limits::LOOKS_TOGETHER_MAX;
                refunds::list_after(&mut connection, self.tenant, self.id, after, limit).await?
            };
            let Some(last) = page.last() else { return Ok(()) };
            after = last.id;
            for ours in page {
                // What was made since the comparison began may be too new for the list.
                if ours.created_at >= self.began_at || self.seen.contains(&ours.id) {
                    continue;
                }
                // Never accepted, as far as is known: there is nothing to compare with, and the workers go on.
                let Some(external_id) = ours.state.external_refund_id() else { continue };
                match self.retrieve(external_id).await? {
                    Some(theirs) if is_same(&ours, &theirs) => self.report.compared += 1,
                    Some(theirs) => self.differs(ours.id, theirs).await?,
                    None => {
                        self.report.compared += 1;
                        let message = format!("{external_id} was accepted, and the processor does not have it.");
                        self.missing(&ours, message);
                    }
                }
            }
        }
    }

    /// Our refund that the processor's is a copy of.
    async fn find(&self, theirs: &ProcessorRefund) -> Result<Option<StoredRefund>, StoreError> {
        let mut connection = self.app.store.read().await?;
        let known = refunds::find_by_external_id(&mut connection, self.tenant, self.id, &theirs.id).await?;
        match (known, theirs.refund_id) {
            (Some(refund), _) => Ok(Some(refund)),
            (None, None) => Ok(None),
            (None, Some(id)) => {
                let carried = refunds::find(&mut connection, self.tenant, id).await?;
                Ok(carried.filter(|refund| refund.connection_id == self.id))
            }
        }
    }

    /// Lets the one road decide what the processor's copy means, and tells what differs and whether it still does.
    async fn differs(&mut self, id: RefundId, theirs: ProcessorRefund) -> Result<(), Interrupted> {
        self.report.compared += 1;
        let Some(before) = self.load(id).await? else { return Ok(()) };
        if is_same(&before, &theirs) {
            return Ok(());
        }
        let read = vec![(id, Command::Observed(theirs.clone()))];
        // Read a moment ago, for this.
        progress::apply_all(self.app, self.tenant, read, self.app.env.now()).await?;
        let after = self.load(id).await?;
        let corrected = after.is_some_and(|after| is_same(&after, &theirs));
        let known_as = before.state.external_refund_id();
        let (kind, message) = if known_as.is_some_and(|known_as| known_as != theirs.id) {
            let known_as = known_as.unwrap_or_default();
            (
                Kind::SecondRefund,
                format!("{} carries our id, and we know the refund as {known_as}.", described(&theirs)),
            )
        } else if before.amount.minor() != theirs.amount || before.currency != theirs.currency {
            let (amount, currency) = (before.amount, before.currency);
            (Kind::AmountDiffers, format!("Ours is for {amount} {currency}; {}.", described(&theirs)))
        } else {
            (Kind::StatusDiffers, format!("Ours is {}; {}.", before.state.status(), described(&theirs)))
        };
        self.told(kind, Some(id), Some(&theirs), corrected, message);
        Ok(())
    }

    async fn load(&self, id: RefundId) -> Result<Option<StoredRefund>, StoreError> {
        refunds::find(&mut *self.app.store.read().await?, self.tenant, id).await
    }

    /// Remembers a refund that somebody else made; it is told when it is new or has changed.
    async fn import(&mut self, theirs: ProcessorRefund) -> Result<(), Interrupted> {
        let (tenant, id, now, seen) = (self.tenant, self.id, self.app.env.now(), theirs.clone());
        let is_news = self
            .app
            .store
            .write::<_, StoreError, _>(move |connection| {
                Box::pin(async move { outside_refunds::put(connection, tenant, id, &seen, now).await })
            })
            .await?;
        if is_news {
            let message = format!("Made elsewhere: {}.", described(&theirs));
            self.told(Kind::MadeElsewhere, None, Some(&theirs), true, message);
        }
        Ok(())
    }

    fn missing(&mut self, ours: &StoredRefund, message: String) {
        self.record(Drift {
            kind: Kind::MissingAtProcessor,
            refund_id: Some(ours.id),
            external_refund_id: ours.state.external_refund_id().map(str::to_owned),
            external_transaction_id: Some(ours.external_transaction_id.clone()),
            corrected: false,
            message,
        });
    }

    fn told(
        &mut self,
        kind: Kind,
        refund_id: Option<RefundId>,
        theirs: Option<&ProcessorRefund>,
        corrected: bool,
        message: String,
    ) {
        self.record(Drift {
            kind,
            refund_id,
            external_refund_id: theirs.map(|theirs| theirs.id.clone()),
            external_transaction_id: theirs.and_then(|theirs| theirs.charge.clone()),
            corrected,
            message,
        });
    }

    fn record(&mut self, drift: Drift) {
        ::metrics::counter!(metrics::DRIFT, "kind" => drift.kind.as_str()).increment(1);
        self.report.drift_count += 1;
        if self.report.drift.len() < limits::DRIFT_TOLD_MAX {
            self.report.drift.push(drift);
        }
    }

    /// The processor's refund; none when it says that it has none.
    async fn retrieve(&mut self, external_id: &str) -> Result<Option<ProcessorRefund>, Interrupted> {
        loop {
            self.may_call().await?;
            let found = match self.processor.retrieve_refund(external_id).await {
                Ok(refund) => Some(refund),
                Err(error) if error.kind == ProcessorErrorKind::NotFound => None,
                Err(error) => {
                    self.yields_to(error)?;
                    continue;
                }
            };
            self.answered();
            return Ok(found);
        }
    }

    fn answered(&mut self) {
        self.app.budgets.answered(self.id);
        self.answered_at = self.app.env.now();
    }

    /// Waits until the budget allows another call, but not for ever: a processor that always turns us away would be waited for
    /// in a place that the comparison of another connection needs.
    async fn may_call(&self) -> Result<(), Interrupted> {
        loop {
            if self.app.is_draining() {
                return Err(Error::unavailable("The server is shutting down.").into());
            }
            let now = self.app.env.now();
            let Err(again_at) = self.app.budgets.take(self.id, self.tenant.environment, now) else {
                ::metrics::counter!(metrics::BACKGROUND_CALLS, "kind" => "reconcile").increment(1);
                return Ok(());
            };
            if now >= self.app.schedule.comparison_given_up_at(self.answered_at) {
                return Err(Interrupted::NeverAllowed);
            }
            let wait = Duration::from_millis(again_at.millis_since(now).max(1).unsigned_abs());
            tokio::time::sleep(wait.min(limits::WORKER_REST_MAX)).await;
        }
    }

    /// Goes on after the pause that the processor asks for; anything else ends the comparison.
    fn yields_to(&self, error: ProcessorError) -> Result<(), Interrupted> {
        if error.kind != ProcessorErrorKind::RateLimited {
            return Err(Interrupted::There(Box::new(error)));
        }
        let (environment, now) = (self.tenant.environment, self.app.env.now());
        self.app.budgets.back_off(self.id, environment, error.retry_after_ms, now);
        Ok(())
    }
}

fn is_same(ours: &StoredRefund, theirs: &ProcessorRefund) -> bool {
    lifecycle::agrees(&ours.state, &theirs.id, &theirs.status)
        && ours.amount.minor() == theirs.amount
        && ours.currency == theirs.currency
}

fn described(theirs: &ProcessorRefund) -> String {
    let ProcessorRefund { id, charge, amount, currency, status, .. } = theirs;
    let of = charge.as_ref().map(|charge| format!(" of {charge}")).unwrap_or_default();
    format!("the processor's {id}{of} is {} ({amount} {currency})", status.status())
}
