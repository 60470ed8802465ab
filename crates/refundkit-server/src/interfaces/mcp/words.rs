//! Where a refund stands, in words that are safe to tell a customer; and what an agent should do next.
//!
//! Nothing is called done that is not: `completed` means that the processor sent it, not that it arrived, and it may still come
//! back. Nothing is promised either.

use refundkit::{PolicyDecision, Refund, RefundStage, RefundStatus, money::write_amount};

/// The refund's amount as people write it.
pub(super) fn amount(refund: &Refund) -> String {
    write_amount(refund.processor, refund.amount.minor(), refund.currency)
}

/// What a customer may be told.
pub(in crate::interfaces) fn customer_message(refund: &Refund) -> String {
    let amount = amount(refund);
    match (refund.status, refund.stage) {
        (RefundStatus::Completed, _) => format!(
            "Your refund of {amount} has been sent. Depending on your bank it can take several business days until you see it."
        ),
        (RefundStatus::Failed, _) => format!("Your refund of {amount} did not go through."),
        (RefundStatus::Cancelled, _) => format!("The refund of {amount} was cancelled and will not be paid out."),
        (_, RefundStage::OutcomeUnknown) => {
            format!(
                "Your refund of {amount} was requested. We do not know yet whether it went through and are finding out."
            )
        }
        (_, RefundStage::RequiresAction) => format!(
            "Your refund of {amount} needs something from you first: please follow the message that you get about it."
        ),
        (RefundStatus::Processing, _) => {
            format!("Your refund of {amount} is being processed. It has not been paid out yet.")
        }
        (RefundStatus::Pending, _) => format!("Your refund of {amount} was requested. It is not confirmed yet."),
    }
}

/// What an agent should do next, when there is something.
pub(super) fn next_step(refund: &Refund) -> Option<String> {
    let id = refund.id;
    let check = format!("refundkit_check_refund_status (refundId {id})");
    match (refund.status, refund.stage) {
        (RefundStatus::Completed | RefundStatus::Cancelled, _) => None,
        (RefundStatus::Failed, _) => Some(
            "Hand this to a person, who sees from the failure whether the customer needs another way to get the money; after a dispute, paying another way pays twice. Do not simply repeat the refund."
                .to_owned(),
        ),
        (_, RefundStage::OutcomeUnknown) => Some(format!(
            "It may have happened: do not retry with other arguments, do not promise it, make no other refund for it. Ask again in a minute with {check}."
        )),
        (_, RefundStage::RequiresAction) => Some(format!(
            "Wait for the customer to act, and ask again with {check}. If the refund was a mistake: refundkit_cancel_refund."
        )),
        (_, RefundStage::Queued | RefundStage::Submitting) => {
            Some(format!("Make no other refund for it. Ask again in a minute with {check}."))
        }
        (_, RefundStage::AwaitingProcessor | RefundStage::Settled) => {
            Some(format!("Make no other refund for it. Ask again later with {check}."))
        }
    }
}

/// What to do with a decision of the policy.
pub(super) fn after_policy(decision: &PolicyDecision, at_most: &str) -> String {
    if decision.eligible {
        format!(
            "If it was decided to refund it: refundkit_process_refund with an amount of at most {} ({at_most}).",
            decision.max_amount
        )
    } else if decision.max_amount > 0 {
        format!("Do not ask for this amount: at most {} ({at_most}) could be refunded.", decision.max_amount)
    } else {
        "Do not call refundkit_process_refund for it; refundkit_list_refunds shows what was refunded already."
            .to_owned()
    }
}

#[cfg(test)]
mod tests {
    use refundkit::{Amount, Environment, InitiatedBy, ProcessorName, RefundReason};

    use super::*;

    fn refund(status: RefundStatus, stage: RefundStage) -> Refund {
        let at = "2026-02-22T10:30:00.000Z".parse().unwrap();
        Refund {
            id: "ref_01k9zzzzzzzzzzzzzzzzzzzzzz".parse().unwrap(),
            organization_id: "org_01k9zzzzzzzzzzzzzzzzzzzzzz".parse().unwrap(),
            environment: Environment::Test,
            transaction_id: "ch_1".parse().unwrap(),
            external_transaction_id: "ch_1".to_owned(),
            external_refund_id: None,
            amount: Amount::new(2500).unwrap(),
            currency: "usd".parse().unwrap(),
            reason: RefundReason::Other,
            status,
            stage,
            processor: ProcessorName::Stripe,
            metadata: None,
            initiated_by: InitiatedBy::Mcp,
            failure: None,
            created_at: at,
            updated_at: at,
            settled_at: None,
            return_id: None,
            approval_id: None,
            dispute_risk_score: None,
            split_from_id: None,
            store_credit_id: None,
        }
    }

    #[test]
    fn no_customer_is_told_more_than_what_happened() {
        for &status in RefundStatus::ALL {
            for &stage in RefundStage::ALL {
                let refund = refund(status, stage);
                let told = customer_message(&refund);
                assert!(told.contains("25.00 USD") && told.ends_with('.'), "{told}");
                for word in ["done", "arrived", "complete", "success", "guarantee", "will receive", "promise"] {
                    assert!(!told.contains(word), "{status} {stage}: {told}");
                }
                assert_eq!(
                    told.contains("has been sent"),
                    status == RefundStatus::Completed,
                    "{status} {stage}: {told}"
                );
            }
        }
    }

    #[test]
    fn what_is_not_at_its_end_has_a_next_step() {
        for &status in RefundStatus::ALL {
            for &stage in RefundStage::ALL {
                let next = next_step(&refund(status, stage));
                let at_its_end = matches!(status, RefundStatus::Completed | RefundStatus::Cancelled);
                assert_eq!(next.is_none(), at_its_end, "{status} {stage}: {next:?}");
            }
        }
    }
}
