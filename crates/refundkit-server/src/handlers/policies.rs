//! Whether a payment could be refunded now: decided from the payment and our books alone.

use refundkit::{Amount, PolicyDecision, operations::CheckPolicy};
use refundkit_core::eligibility::{self, Ask, OwnRefund};

use super::{
    refunds::refused,
    transactions::{self, ReadTransaction},
};
use crate::{
    error::Error,
    interfaces::mcp::{tool::Tool, tools},
    limits::DUPLICATE_WINDOW_MS,
    registry::{Answer, Context, Handle},
};

impl Handle for CheckPolicy {
    const TOOL: Option<&'static Tool<PolicyDecision>> = Some(&tools::GET_POLICY);

    async fn handle(self, context: &Context) -> Result<Answer<PolicyDecision>, Error> {
        let read = transactions::read(context, &self.transaction_id, "transactionId", None).await?;
        let own = read.own_refunds(context).await?;
        Ok(Answer::ok(decide(context, &read, &own, self.amount)?))
    }
}

/// Decides about a payment that was read.
pub fn decide(
    context: &Context,
    read: &ReadTransaction,
    own: &[OwnRefund],
    amount: Option<Amount>,
) -> Result<PolicyDecision, Error> {
    let ask = Ask { amount, ..read.ask(context) };
    let now = context.app.env.now();
    eligibility::policy(&read.charge, &ask, own, DUPLICATE_WINDOW_MS, now)
        .map_err(|refusal| refused(&refusal, &read.charge))
}
