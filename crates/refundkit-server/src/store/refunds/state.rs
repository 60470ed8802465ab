//! Where a refund stands, written: the columns of its row that change.

use refundkit_core::lifecycle::State;

use super::StoredRefund;
use crate::store::{Connection, StoreError, connection::Param, to_json};

/// What writes where a refund stands now.
macro_rules! moving {
    ($and:literal) => {
        concat!(
            "UPDATE refunds SET status = $4, state = $5, external_refund_id = $6, refusal = $7, updated_at = $8, ",
            "stage = $9 WHERE organization_id = $1 AND environment = $2 AND id = $3",
            $and
        )
    };
}

fn moved(refund: &StoredRefund) -> Result<[Param<'_>; 9], StoreError> {
    let refusal = refund.refusal.as_ref().map(|refusal| to_json("refusal", refusal)).transpose()?;
    Ok([
        refund.tenant.organization_id.into(),
        refund.tenant.environment.into(),
        refund.id.into(),
        refund.state.status().into(),
        to_json("state", &refund.state)?.into(),
        refund.state.external_refund_id().into(),
        refusal.into(),
        refund.updated_at.into(),
        refund.state.stage().into(),
    ])
}

/// Writes where a refund stands now that was read in this transaction.
pub async fn update(connection: &mut Connection, refund: &StoredRefund) -> Result<(), StoreError> {
    connection.queue(moving!(""), &moved(refund)?).await
}

/// Writes where a refund stands now, if it still stood as `before`. Answers whether it did; if not, nothing is written.
pub async fn replace(connection: &mut Connection, refund: &StoredRefund, before: &State) -> Result<bool, StoreError> {
    let before = Param::from(to_json("state", before)?);
    let params: Vec<_> = moved(refund)?.into_iter().chain([before]).collect();
    Ok(connection.execute(moving!(" AND state = $10"), &params).await? == 1)
}
