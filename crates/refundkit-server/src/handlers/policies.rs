//! Whether a payment could be refunded now: decided from the payment and our books alone.

use refundkit::{Amount, PolicyDecision, operations::CheckPolicy};
use refundkit_core::eligibility::{self, Ask, OwnRefund};

use super::{
    organizations,
    refunds::refused,
    transactions::{self, ReadTransaction},
};
use crate::{
    caller::Role,
    error::Error,
    interfaces::mcp::{tool::Tool, tools},
    registry::{Answer, Context, Handle},
};

impl Handle for CheckPolicy {
    const TOOL: Option<&'static Tool<PolicyDecision>> = Some(&tools::GET_POLICY);

    async fn handle(self, context: &Context) -> Result<Answer<PolicyDecision>, Error> {
        let read = transactions::read(context, &self.transaction_id, "transactionId", None).await?;
        let own = read.own_refunds(context).await?;
        Ok(Answer::ok(decide(context, &read, &own, self.amount).await?))
    }
}

/// Decides about a payment that was read.
pub async fn decide(
    context: &Context,
    read: &ReadTransaction,
    own: &[OwnRefund],
    amount: Option<Amount>,
) -> Result<PolicyDecision, Error> {
    let member = match context.caller.role() {
        None | Some(Role::Admin | Role::Owner) => None,
        Some(Role::Member) => {
            let mut connection = context.app.store.read().await?;
            organizations::limited(&mut connection, &context.caller, read.charge.currency).await?
        }
    };
    let ask = Ask { amount, member, ..read.ask(context) };
    let now = context.app.env.now();
    eligibility::policy(&read.charge, &ask, own, context.caller.duplicate_window_ms, now)
        .map_err(|refusal| refused(&refusal, &read.charge))
}
