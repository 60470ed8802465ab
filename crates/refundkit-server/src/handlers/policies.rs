//! Whether a payment could be refunded now: decided from the payment and our books alone.

use refundkit::{PolicyDecision, operations::CheckPolicy};
use refundkit_core::eligibility;

use super::{refunds::refused, transactions};
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
        let ask = eligibility::Ask { amount: self.amount, ..read.ask(context) };
        let now = context.app.env.now();
        let decision = eligibility::policy(&read.charge, &ask, &own, DUPLICATE_WINDOW_MS, now)
            .map_err(|refusal| refused(&refusal, &read.charge))?;
        Ok(Answer::ok(decision))
    }
}
