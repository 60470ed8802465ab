//! What must hold at the end of a story: our books, the model's ledger, and what callers were told.

use std::collections::BTreeMap;

use refundkit::{
    RefundId, RefundStatus, Timestamp,
    operations::ListRefunds,
    processor::{ProcessorRefund, ReportedStatus},
};
use refundkit_core::{
    invariants::{self, Violation},
    lifecycle::State,
};
use refundkit_sandbox::{LedgerCharge, LedgerRefund, Model};
use refundkit_server::store::{
    Connection, Tenant, refund_events, refunds,
    refunds::{PageStart, StoredRefund},
};

use super::caller::Ears;
use crate::support::figures::days_agree;

/// Reads every refund of the story.
pub(crate) async fn all_refunds(connection: &mut Connection, tenant: Tenant) -> Vec<StoredRefund> {
    refunds::list(connection, tenant, &ListRefunds::default(), PageStart::Newest, 1_000_000).await.unwrap()
}

/// The model's copy of a refund, as the rules see it.
fn copy(of: &LedgerRefund) -> ProcessorRefund {
    let status = match of.status.as_str() {
        "succeeded" => ReportedStatus::Completed,
        "pending" => ReportedStatus::Processing,
        "requires_action" => ReportedStatus::RequiresAction,
        "failed" => ReportedStatus::Failed,
        "canceled" => ReportedStatus::Canceled,
        other => ReportedStatus::Unrecognised(other.to_owned()),
    };
    ProcessorRefund {
        id: of.refund.clone(),
        charge: None,
        amount: of.amount,
        currency: "usd".parse().unwrap(),
        status,
        failure_reason: None,
        refund_id: of.metadata.get("refundkit_refund_id").and_then(|id| id.parse().ok()),
        created_at: Timestamp::from_millis(0),
        request_id: None,
    }
}

/// Says what does not hold, if anything.
pub(crate) async fn find_wrong(
    connection: &mut Connection,
    tenant: Tenant,
    model: &Model,
    ears: &Ears,
) -> Result<usize, String> {
    let ours: BTreeMap<RefundId, StoredRefund> =
        all_refunds(connection, tenant).await.into_iter().map(|refund| (refund.id, refund)).collect();
    let ledger = model.ledger();
    if let Some(violation) = ears.violations.first() {
        return Err(violation.to_string());
    }
    for id in &ears.refunds {
        if !ours.contains_key(id) {
            return Err(format!("a caller was told of {id}, and it does not exist"));
        }
    }
    let mut made = 0;
    for charge in ledger.iter().filter(|charge| !charge.livemode) {
        made += charge_agrees(charge, &ours).map_err(|violation| violation.to_string())?;
    }
    for refund in ours.values() {
        if matches!(refund.state, State::Queued { .. } | State::Submitting { .. } | State::OutcomeUnknown { .. }) {
            return Err(format!("{} was never settled: {:?}", refund.id, refund.state));
        }
        trail_tells_the_story(connection, tenant, refund).await?;
    }
    guard_held(&ours)?;
    days_agree(connection, tenant, ours.values()).await.map_err(|violation| violation.to_string())?;
    Ok(made)
}

/// Holds the refunds of one charge against the model's; answers how many of ours the model made.
fn charge_agrees(charge: &LedgerCharge, ours: &BTreeMap<RefundId, StoredRefund>) -> Result<usize, Violation> {
    let there: Vec<ProcessorRefund> = charge.refunds.iter().map(copy).collect();
    let ours: Vec<_> = ours.values().filter(|refund| refund.external_transaction_id == charge.charge).collect();
    let mut made = 0;
    for refund in &ours {
        invariants::made_once(refund.id, &there)?;
        let copy = there.iter().find(|copy| copy.refund_id == Some(refund.id));
        invariants::books_agree(refund.id, refund.amount.minor(), refund.state.status(), copy)?;
        made += usize::from(copy.is_some());
    }
    let here = ours.iter().filter(|refund| refund.state.status().holds_money());
    let not_there = here.filter(|refund| there.iter().all(|copy| copy.refund_id != Some(refund.id)));
    let held = charge.refunds.iter().filter(|refund| refund.live).map(|refund| refund.amount);
    let amounts: Vec<i64> = held.chain(not_there.map(|refund| refund.amount.minor())).collect();
    invariants::never_more_than_captured(&charge.charge, charge.amount_captured, amounts)?;
    for copy in there.iter().filter(|copy| copy.refund_id.is_some()) {
        let known = ours.iter().any(|refund| refund.state.external_refund_id() == Some(copy.id.as_str()));
        if !known {
            let found = format!("{} was made for {:?} and our books do not have it", copy.id, copy.refund_id);
            return Err(Violation { invariant: invariants::Invariant::BooksAgree, found });
        }
    }
    Ok(made)
}

/// The audit trail begins with the creation, misses no change of the status, and ends where the refund stands.
async fn trail_tells_the_story(
    connection: &mut Connection,
    tenant: Tenant,
    refund: &StoredRefund,
) -> Result<(), String> {
    let trail = refund_events::list(connection, tenant, refund.id, None, 10_000).await.unwrap();
    let mut status = None;
    for event in &trail {
        if event.from_status != status {
            return Err(format!("the trail of {} jumps from {status:?} to {:?}", refund.id, event.from_status));
        }
        if let Some(before) = status {
            invariants::status_moves_as_documented(refund.id, before, event.to_status)
                .map_err(|violation| violation.to_string())?;
        }
        status = Some(event.to_status);
    }
    if status != Some(refund.state.status()) {
        return Err(format!("the trail of {} ends at {status:?}, it is {}", refund.id, refund.state.status()));
    }
    Ok(())
}

/// No refund repeats another one that stands, unless its caller said so.
fn guard_held(ours: &BTreeMap<RefundId, StoredRefund>) -> Result<(), String> {
    let stands = |refund: &&StoredRefund| refund.state.status() != RefundStatus::Cancelled && refund.refusal.is_none();
    let standing: Vec<_> = ours.values().filter(stands).collect();
    for (place, first) in standing.iter().enumerate() {
        for second in &standing[place + 1..] {
            let same = first.external_transaction_id == second.external_transaction_id && first.amount == second.amount;
            let near = second.created_at.millis_since(first.created_at) < 24 * 60 * 60 * 1000;
            let first_failed_before =
                first.state.failure().is_some() && first.state.settled_at().is_some_and(|at| at <= second.created_at);
            let wanted = second.metadata.is_some();
            if same && near && !first_failed_before && !wanted {
                return Err(format!("{} repeats {}", second.id, first.id));
            }
        }
    }
    Ok(())
}
