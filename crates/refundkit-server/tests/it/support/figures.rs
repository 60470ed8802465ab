//! The figures of each day, held against the refunds themselves.

use refundkit_core::{
    days::{Day, Tally},
    invariants::{self, Violation},
};
use refundkit_server::{
    progress,
    store::{Connection, Tenant, refund_days, refunds::StoredRefund},
};

use super::Stage;
use crate::simulation::all_refunds;

/// Counts all refunds of a tenant anew, and compares.
pub(crate) async fn days_agree(
    connection: &mut Connection,
    tenant: Tenant,
    refunds: impl IntoIterator<Item = &StoredRefund>,
) -> Result<(), Violation> {
    let mut recounted = Tally::default();
    for refund in refunds {
        recounted.count(&progress::subject(refund), refund.state.status(), refund.state.settled_at());
    }
    let kept = refund_days::since(connection, tenant, Day::from_number(0)).await.unwrap();
    invariants::days_agree(&kept, &recounted)
}

impl Stage {
    /// Fails unless the figures kept are those of the refunds.
    pub(crate) async fn assert_days_agree(&self) {
        let tenant = self.tenant().await;
        let mut connection = self.app.store.read().await.unwrap();
        let refunds = all_refunds(&mut connection, tenant).await;
        assert!(!refunds.is_empty());
        days_agree(&mut connection, tenant, &refunds).await.unwrap();
    }
}
