//! Whether a payment could be refunded now: decided from the payment and our books alone.

use refundkit::{PolicyDecision, operations::CheckPolicy};
use refundkit_core::eligibility;

use super::{organizations, refunds::refused, transactions};
use crate::{
    error::Error,
    interfaces::mcp::{tool::Tool, tools},
    registry::{Answer, Context, Handle},
};

impl Handle for CheckPolicy {
    const TOOL: Option<&'static Tool<PolicyDecision>> = Some(&tools::GET_POLICY);

    async fn handle(self, context: &Context) -> Result<Answer<PolicyDecision>, Error> {
        let read = transactions::read(context, &self.transaction_id, "transactionId", None).await?;
        let own = read.own_refunds(context).await?;
        let member = match context.caller.limited() {
            None => None,
            Some(_) => {
                let mut connection = context.app.store.read().await?;
                organizations::limited(&mut connection, &context.caller, read.charge.currency).await?
            }
        };
        let ask = eligibility::Ask { amount: self.amount, member, ..read.ask(context) };
        let now = context.app.env.now();
        let decision = eligibility::policy(&read.charge, &ask, &own, context.caller.duplicate_window_ms, now)
            .map_err(|refusal| refused(&refusal, &read.charge))?;
        Ok(Answer::ok(decision))
    }
}
