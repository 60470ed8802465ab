//! The callers' own pairs, a row each: written with the refund, and never changed. They exist to be searched by.

use refundkit::Metadata;

use super::{Connection, StoreError, connection::params, refunds::StoredRefund};

/// Inserts the pairs of a refund, each value as the text that people know it by.
pub async fn insert(connection: &mut Connection, refund: &StoredRefund) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO refund_metadata (organization_id, environment, value, refund_id, key)
        VALUES ($1, $2, $3, $4, $5)";
    for (key, value) in refund.metadata.iter().flat_map(Metadata::iter) {
        let value = value.to_string();
        // PostgreSQL has no text with a zero character in it, and nobody can type one into a search.
        if key.contains('\0') || value.contains('\0') {
            continue;
        }
        let (organization_id, environment) = (refund.tenant.organization_id, refund.tenant.environment);
        connection.queue(SQL, params![organization_id, environment, value, refund.id, key]).await?;
    }
    Ok(())
}
