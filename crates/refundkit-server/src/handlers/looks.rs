//! Looking closely at one payment or one refund, for people at a page.

use std::sync::Arc;

use refundkit::{Operation as _, RefundId, operations::CreateRefund};
use refundkit_core::{
    eligibility::{self, Ask, OwnRefund, Refusal},
    lifecycle::{self, Command},
};

use super::{
    organizations, policies, refunds,
    transactions::{self, ReadTransaction},
};
use crate::{
    caller::Role,
    error::Error,
    operations::{LookAtRefund, LookAtTransaction, RefundLook, TransactionLook, looks::MemberRoom},
    progress,
    registry::{Answer, Context, Handle},
    store::{
        idempotency_keys,
        refunds::{StoredRefund, askers},
    },
};

impl Handle for LookAtTransaction {
    async fn handle(self, context: &Context) -> Result<Answer<TransactionLook>, Error> {
        let read = transactions::read(context, &self.transaction_id, "transactionId", None).await?;
        let own = read.own_refunds(context).await?;
        let policy = policies::decide(context, &read, &own, self.amount).await?;
        let ask = Ask { amount: self.amount, ..read.ask(context) };
        let window = context.caller.duplicate_window_ms;
        let duplicate_of = match eligibility::reserve(&read.charge, &ask, &own, window, context.app.env.now()) {
            Err(Refusal::Duplicate { refund_id }) => Some(refund_id),
            Ok(_) | Err(_) => None,
        };
        let made = match &self.idempotency_key {
            Some(key) => made_with(context, key).await?,
            None => None,
        };
        let member = room(context, &read, &own).await?;
        let (paid, captured) = (read.charge.paid, read.charge.captured);
        let (payment_method, amount_asked) = (read.charge.payment_method.clone(), read.charge.amount);
        let transaction = transactions::tell(context, self.transaction_id, read, &own);
        Ok(Answer::ok(TransactionLook {
            transaction,
            payment_method,
            policy,
            amount_asked,
            paid,
            captured,
            duplicate_of,
            made,
            member,
        }))
    }
}

/// The refund that a key stands for already.
async fn made_with(context: &Context, key: &str) -> Result<Option<RefundId>, Error> {
    let mut connection = context.app.store.read().await?;
    let bound = idempotency_keys::find(&mut connection, context.caller.tenant, key).await?;
    Ok(bound.filter(|bound| bound.operation == CreateRefund::NAME).and_then(|bound| bound.resource_id.parse().ok()))
}

/// What the caller may refund of the payment, when somebody set a bound.
async fn room(context: &Context, read: &ReadTransaction, own: &[OwnRefund]) -> Result<Option<MemberRoom>, Error> {
    if context.caller.role() != Some(Role::Member) {
        return Ok(None);
    }
    let mut connection = context.app.store.read().await?;
    let member = organizations::limited(&mut connection, &context.caller, read.charge.currency).await?;
    Ok(member.map(|member| {
        let theirs = own.iter().filter(|own| own.user_id == Some(member.id) && own.status.holds_money());
        MemberRoom { limit: member.limit, used: theirs.fold(0, |sum: i64, own| sum.saturating_add(own.amount)) }
    }))
}

impl Handle for LookAtRefund {
    async fn handle(self, context: &Context) -> Result<Answer<RefundLook>, Error> {
        let refund = refunds::get(context, self.id).await?;
        let mut connection = context.app.store.read().await?;
        let mut askers = askers::list_of(&mut connection, refund.tenant, &[refund.id]).await?;
        Ok(Answer::ok(RefundLook {
            asked_by: askers.remove(&refund.id),
            not_cancellable: not_cancellable(context, &refund),
            payment_intent: refund.payment_intent.clone(),
            refund: refund.shown(),
        }))
    }
}

/// Why the rules would refuse to take the refund back; none while they would not.
fn not_cancellable(context: &Context, refund: &StoredRefund) -> Option<String> {
    let app = Arc::clone(&context.app);
    let subject = progress::subject(refund);
    let asked = lifecycle::decide(&subject, &refund.state, Command::RequestCancel, &app.schedule, app.env.now());
    match asked {
        Ok(decision) if decision.state != refund.state => None,
        Ok(_) if refund.state.is_open() => {
            Some("The processor was asked to take it back and has not answered yet.".to_owned())
        }
        Ok(_) => Some("It was taken back.".to_owned()),
        Err(rejection) => Some(rejection.to_string()),
    }
}
