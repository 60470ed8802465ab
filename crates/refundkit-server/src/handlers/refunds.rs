//! Refunds: create, read, list, cancel, and their audit trail.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt as _;
use refundkit::{
    ErrorCode, Page, ProcessorErrorDetail, Refund, RefundEvent, RefundId, RefundStage, RefundStatus,
    operations::{CancelRefund, CreateRefund, GetRefund, ListRefundEvents, ListRefunds},
    processor::{Charge, RefundRequest},
    processors::PaymentProcessor,
};
use refundkit_core::{
    eligibility::{self, Ask, Refusal},
    invariants,
    lifecycle::{Command, Rejection, State},
};
use tokio::time::timeout;

use super::{members, organizations, pages, transactions, transactions::ReadTransaction};
use crate::{
    error::Error,
    hint::Hint,
    interfaces::mcp::{tool::Tool, tools},
    limits::JOB_LEASE_MS,
    metrics,
    processors::{self, Patience},
    progress::{self, NotApplied},
    registry::{self, Answer, Claim, Context, ContextFuture, Handle, Repeat},
    store::{
        Lock, idempotency_keys,
        idempotency_keys::BoundKey,
        jobs, refund_events, refund_metadata, refunds,
        refunds::{PageStart, StoredRefund},
    },
    workers::submit,
};

impl Handle for CreateRefund {
    const REPEAT: Option<Repeat<Self>> = Some(repeat_create);
    const STATUSES: &'static [u16] = &[201, 202];
    const TOOL: Option<&'static Tool<Refund>> = Some(&tools::PROCESS_REFUND);

    fn refuse_agents(&self, has_idempotency_key: bool) -> Result<(), Error> {
        if self.allow_duplicate == Some(true) && !has_idempotency_key {
            let message = "`allowDuplicate` is possible for agents only together with an idempotency key.";
            return Err(Error::validation("allowDuplicate", message)
                .hint("Give an `idempotencyKey` of your own, so that a repeat of this call cannot refund once more."));
        }
        Ok(())
    }

    async fn handle(self, context: &Context) -> Result<Answer<Refund>, Error> {
        let read = transactions::read(context, &self.transaction_id, "transactionId", self.processor).await?;
        let ask = Ask {
            amount: self.amount,
            currency: self.currency,
            allow_duplicate: self.allow_duplicate == Some(true),
            ..read.ask(context)
        };
        if let Err(refusal) = eligibility::check_charge(&read.charge, &ask, &[]) {
            // Only a refusal is worth another look: which of our own refunds explains it?
            let own = read.own_refunds(context).await?;
            let refusal = eligibility::check_charge(&read.charge, &ask, &own).err().unwrap_or(refusal);
            return Err(refused(&refusal, &read.charge));
        }
        let processor = Arc::clone(&read.processor);
        match reserve(context, self, read, ask).await? {
            Reserved::New(refund) => answer_create(&*submit_inline(context, refund, processor).await),
            Reserved::Before(claim, bound) => registry::replay(context, &claim, bound, repeat_create).await,
        }
    }
}

/// What came of writing a refund down.
enum Reserved {
    /// It is written down.
    New(Box<StoredRefund>),
    /// Its idempotency key was bound while its charge was being read: this request repeats one that was faster.
    Before(Claim, BoundKey),
}

fn repeat_create(context: &Context, id: String) -> ContextFuture<'_, Answer<Refund>> {
    repeat(context, id, answer_create)
}

/// Writes the refund down, with its audit trail, its job already leased to this process as attempt 1, and the idempotency
/// key, after deciding under the lock of the charge. One transaction: the intention.
async fn reserve(
    context: &Context,
    operation: CreateRefund,
    read: ReadTransaction,
    ask: Ask,
) -> Result<Reserved, Error> {
    let (app, caller, claim) = (Arc::clone(&context.app), context.caller.clone(), context.claim.clone());
    let tenant = caller.tenant;
    let unit = async move |connection: &mut crate::store::Connection| {
        let ReadTransaction { connection: through, age, processor, charge } = read;
        // What is decided here holds until it is written: nobody decides about this charge, or changes the connection, meanwhile.
        members::hold(connection, &caller).await?;
        connection.lock_shared(&Lock::Connections(tenant)).await?;
        connection.lock(&Lock::Charge(through.id, &charge.id)).await?;
        if let Some(claim) = &claim
            && let Some(bound) = idempotency_keys::find(connection, tenant, &claim.key).await?
        {
            return Ok(Reserved::Before(claim.clone(), bound));
        }
        processors::check_unchanged(connection, tenant, &through, age).await?;
        let through = through.id;
        let own = refunds::list_of_transaction(connection, tenant, through, &charge.id).await?;
        let now = app.env.now();
        let ask = Ask { member: organizations::limited(connection, &caller, charge.currency).await?, ..ask };
        let amount = eligibility::reserve(&charge, &ask, &own, caller.duplicate_window_ms, now)
            .map_err(|refusal| refused(&refusal, &charge))?;
        let left = eligibility::what_is_left(&charge, &own);
        invariants::never_more_than_captured(&charge.id, left.captured, [left.refunded, amount.minor()])
            .inspect_err(|violation| metrics::violated(None, violation))
            .map_err(Error::internal)?;
        let id = app.env.new_refund_id();
        let prepared = processor.prepare_refund(&RefundRequest {
            charge: charge.id.clone(),
            amount,
            currency: charge.currency,
            reason: operation.reason,
            metadata: metadata_at_processor(&operation, id, tenant.organization_id),
            idempotency_key: id.to_string(),
        });
        let refund = StoredRefund {
            id,
            tenant,
            connection_id: through,
            processor: processor.name(),
            transaction_id: operation.transaction_id,
            external_transaction_id: charge.id,
            payment_intent: charge.payment_intent,
            amount,
            currency: charge.currency,
            reason: operation.reason,
            metadata: operation.metadata,
            state: State::created_with_first_attempt(now),
            prepared,
            refusal: None,
            initiated_by: caller.through,
            user_id: caller.user().map(|(id, _)| id),
            api_key_id: caller.key_id(),
            created_at: now,
            updated_at: now,
        };
        refunds::insert(connection, &refund).await?;
        refund_metadata::insert(connection, &refund).await?;
        progress::record(connection, &app, &refund, None, progress::created(), progress::caller(&caller)).await?;
        jobs::put(connection, tenant, id, "submit", now.plus_millis(JOB_LEASE_MS)).await?;
        if let Some(claim) = claim {
            idempotency_keys::insert_new(connection, tenant, &claim.key, &claim.bound_to(id), now).await?;
        }
        Ok(Reserved::New(Box::new(refund)))
    };
    context.app.store.write(move |connection| Box::pin(unit(connection))).await
}

/// The caller's pairs, and ours, by which the refund is found again at the processor.
fn metadata_at_processor(
    operation: &CreateRefund,
    id: RefundId,
    organization_id: refundkit::OrganizationId,
) -> Vec<(String, String)> {
    let own = [
        ("refundkit_refund_id".to_owned(), id.to_string()),
        ("refundkit_reason".to_owned(), operation.reason.to_string()),
        ("refundkit_organization_id".to_owned(), organization_id.to_string()),
    ];
    let callers = operation.metadata.iter().flat_map(refundkit::Metadata::iter);
    own.into_iter().chain(callers.map(|(key, value)| (key.to_owned(), value.to_string()))).collect()
}

/// Runs the first attempt up to the deadline. It goes on when the caller goes away, because this is a task of the server's, and
/// in a task of its own when the deadline passes.
async fn submit_inline(
    context: &Context,
    refund: Box<StoredRefund>,
    processor: Arc<dyn PaymentProcessor>,
) -> Box<StoredRefund> {
    let app = &context.app;
    let attempt = submit::attempt(Arc::clone(app), refund.clone(), processor);
    let mut attempt = Box::pin(AssertUnwindSafe(attempt).catch_unwind());
    match timeout(app.submit_deadline, &mut attempt).await {
        Ok(Ok(Ok(refund))) => refund,
        // The outcome could not be written down, or is not in yet: the job will find it out.
        Ok(Ok(Err(error))) => {
            tracing::error!(refund_id = %refund.id, %error, "the outcome of an attempt was not recorded; a worker will look");
            refund
        }
        Ok(Err(_)) => {
            tracing::error!(refund_id = %refund.id, "an attempt panicked; a worker will look");
            refund
        }
        Err(_) => {
            app.tasks.spawn(attempt);
            refund
        }
    }
}

/// 201 when the processor accepted, 202 while that is not known, 422 when it refused the first attempt.
fn answer_create(refund: &StoredRefund) -> Result<Answer<Refund>, Error> {
    if let Some(refusal) = &refund.refusal {
        return Err(
            Error::refused(refusal.detail.clone(), refusal.hint.clone().map(Hint::from)).refund(Some(refund.id))
        );
    }
    let answer = match refund.state.stage() {
        RefundStage::Queued | RefundStage::Submitting | RefundStage::OutcomeUnknown => Answer::accepted(refund.shown()),
        RefundStage::RequiresAction | RefundStage::AwaitingProcessor | RefundStage::Settled => {
            Answer::created(refund.shown())
        }
    };
    Ok(answer.about(refund.id))
}

/// Answers a repeat from the refund as it is now.
fn repeat(
    context: &Context,
    id: String,
    answer: fn(&StoredRefund) -> Result<Answer<Refund>, Error>,
) -> ContextFuture<'_, Answer<Refund>> {
    Box::pin(async move { answer(&get(context, id.parse().map_err(Error::internal)?).await?) })
}

/// A refusal of the rules as an error: in the processor's words and code where it would refuse the same.
pub fn refused(refusal: &Refusal, charge: &Charge) -> Error {
    let message = refusal.message(charge);
    let error = match refusal.error_code() {
        ErrorCode::ProcessorError => Error::refused(
            ProcessorErrorDetail {
                name: refundkit::ProcessorName::Stripe.to_string(),
                code: refusal.code().map(str::to_owned),
                message,
                request_id: None,
                status_code: None,
            },
            None,
        ),
        code => Error::new(code, message),
    };
    let error = error.refund(refusal.refund_id()).field(refusal.field());
    error.hint(refusal)
}

/// Reads one refund of the caller's.
pub async fn get(context: &Context, id: RefundId) -> Result<StoredRefund, Error> {
    let mut connection = context.app.store.read().await?;
    let found = refunds::find(&mut connection, context.caller.tenant, id).await?;
    found.ok_or_else(|| Error::not_found("refund", id))
}

impl Handle for GetRefund {
    const TOOL: Option<&'static Tool<Refund>> = Some(&tools::CHECK_REFUND_STATUS);

    async fn handle(self, context: &Context) -> Result<Answer<Refund>, Error> {
        Ok(Answer::ok(get(context, self.id).await?.shown()).about(self.id))
    }
}

impl Handle for ListRefunds {
    const TOOL: Option<&'static Tool<Page<Refund>>> = Some(&tools::LIST_REFUNDS);

    async fn handle(self, context: &Context) -> Result<Answer<Page<Refund>>, Error> {
        if self.cursor.is_some() && self.offset.is_some() {
            return Err(Error::validation("offset", "`cursor` and `offset` cannot be given together."));
        }
        let filters = Self { limit: None, cursor: None, offset: None, ..self.clone() };
        let below = pages::read_cursor(self.cursor.as_ref(), &filters)?;
        let start = match (below, self.offset) {
            (Some(id), _) => PageStart::Below(id),
            (None, Some(offset)) => PageStart::Offset(offset.get()),
            (None, None) => PageStart::Newest,
        };
        let mut connection = context.app.store.read().await?;
        let rows =
            refunds::list(&mut connection, context.caller.tenant, &filters, start, pages::rows_for(self.limit)).await?;
        let rows = rows.iter().map(StoredRefund::shown).collect();
        Ok(Answer::ok(pages::page(rows, self.limit, &filters, |refund| refund.id.to_string())))
    }
}

impl Handle for ListRefundEvents {
    async fn handle(self, context: &Context) -> Result<Answer<Page<RefundEvent>>, Error> {
        let refund = get(context, self.id).await?;
        let after = pages::read_cursor(self.cursor.as_ref(), &self.id)?;
        let mut connection = context.app.store.read().await?;
        let rows =
            refund_events::list(&mut connection, refund.tenant, refund.id, after, pages::rows_for(self.limit)).await?;
        let page = pages::page(rows, self.limit, &self.id, |event| event.id.to_string());
        Ok(Answer::ok(page).about(self.id))
    }
}

impl Handle for CancelRefund {
    const REPEAT: Option<Repeat<Self>> = Some(|context, id| repeat(context, id, answer_cancel));
    const STATUSES: &'static [u16] = &[200, 202];
    const TOOL: Option<&'static Tool<Refund>> = Some(&tools::CANCEL_REFUND);

    async fn handle(self, context: &Context) -> Result<Answer<Refund>, Error> {
        let (app, tenant) = (&context.app, context.caller.tenant);
        let actor = progress::caller(&context.caller);
        let refund = progress::apply(app, tenant, self.id, Command::RequestCancel, actor, context.claim.clone())
            .await
            .map_err(|error| not_cancelled(error, self.id))?;
        if !refund.state.is_cancel_requested() {
            return answer_cancel(&refund);
        }
        let processor = processors::of_connection(app, tenant, refund.connection_id, Patience::Insistent).await?;
        let asked = app.tasks.spawn(submit::cancel(Arc::clone(app), refund.clone(), processor, context.claim.clone()));
        match timeout(app.submit_deadline, asked).await {
            Ok(Ok(Ok((refund, None)))) => answer_cancel(&refund),
            Ok(Ok(Ok((refund, Some(said))))) => Err(Error::new(
                ErrorCode::RefundNotCancellable,
                format!(
                    "The refund is {}; the processor will not take it back: {}",
                    refund.state.status(),
                    said.message
                ),
            )
            .processor(said)
            .refund(Some(refund.id))),
            Ok(Ok(Err(_)) | Err(_)) | Err(_) => Ok(Answer::accepted(refund.shown()).about(self.id)),
        }
    }
}

/// 200 when it is cancelled, 202 while the processor has not answered.
fn answer_cancel(refund: &StoredRefund) -> Result<Answer<Refund>, Error> {
    match refund.state.status() {
        RefundStatus::Cancelled => Ok(Answer::ok(refund.shown()).about(refund.id)),
        _ if refund.state.is_cancel_requested() && refund.state.is_open() => {
            Ok(Answer::accepted(refund.shown()).about(refund.id))
        }
        status => Err(Error::new(
            ErrorCode::RefundNotCancellable,
            format!("The refund is {status}: it can no longer be taken back."),
        )
        .refund(Some(refund.id))),
    }
}

fn not_cancelled(error: NotApplied, id: RefundId) -> Error {
    match error {
        NotApplied::Failed(error) => error,
        NotApplied::Rejected(Rejection::NotCancellable { retryable, message, .. }) => {
            let error = Error::new(ErrorCode::RefundNotCancellable, message).refund(Some(id));
            if retryable { error.retry_after(2) } else { error }
        }
        NotApplied::Rejected(other) => Error::internal(other),
    }
}
