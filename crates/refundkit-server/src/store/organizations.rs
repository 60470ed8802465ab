//! Organizations, and the check of the master key. These rows are above tenants.

use std::collections::BTreeMap;

use refundkit::{Amount, Currency, OrganizationId, Timestamp};

use super::{Connection, StoreError, connection::params, row::Row, to_json};
use crate::limits;

/// An organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// Its id.
    pub id: OrganizationId,
    /// Its name.
    pub name: String,
    /// For how long a second refund like an earlier one is taken for a repeat, in milliseconds.
    pub duplicate_window_ms: i64,
    /// The most that a member may refund of one payment, by currency; nothing in a currency that is not here.
    pub member_limits: BTreeMap<Currency, Amount>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// The duplicate window of a row: what RefundKit does when nobody has said otherwise, where the column is null.
pub(super) fn duplicate_window_ms(row: &Row<'_>) -> Result<i64, StoreError> {
    Ok(row.optional_integer("duplicate_window_ms")?.unwrap_or(limits::DUPLICATE_WINDOW_MS))
}

/// How many organizations there are.
pub async fn count(connection: &mut Connection) -> Result<i64, StoreError> {
    connection.fetch_one("SELECT COUNT(*) AS count FROM organizations", params![], |row| row.integer("count")).await
}

/// The first organization, if there is one.
pub async fn find_first(connection: &mut Connection) -> Result<Option<OrganizationId>, StoreError> {
    const SQL: &str = "SELECT id FROM organizations ORDER BY id LIMIT 1";
    connection.fetch_optional(SQL, params![], |row| row.parse("id")).await
}

/// An organization that must exist.
pub async fn get(connection: &mut Connection, id: OrganizationId) -> Result<Organization, StoreError> {
    const SQL: &str =
        "SELECT id, name, duplicate_window_ms, member_limits, created_at FROM organizations WHERE id = $1";
    let read = |row: &Row<'_>| {
        Ok(Organization {
            id: row.parse("id")?,
            name: row.text("name")?,
            duplicate_window_ms: duplicate_window_ms(row)?,
            member_limits: row.json_optional("member_limits")?.unwrap_or_default(),
            created_at: row.timestamp("created_at")?,
        })
    };
    connection.fetch_one(SQL, params![id], read).await
}

/// Writes an organization's name and settings.
pub async fn update(connection: &mut Connection, organization: &Organization) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE organizations SET name = $2, duplicate_window_ms = $3, member_limits = $4 WHERE id = $1";
    let Organization { id, name, duplicate_window_ms, member_limits, created_at: _ } = organization;
    let limits = to_json("member_limits", member_limits)?;
    connection.queue(SQL, params![*id, name, *duplicate_window_ms, limits]).await
}

/// Inserts an organization.
pub async fn insert(
    connection: &mut Connection,
    id: OrganizationId,
    name: &str,
    created_at: Timestamp,
) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO organizations (id, name, created_at) VALUES ($1, $2, $3)";
    connection.queue(SQL, params![id, name, created_at]).await
}

/// The value sealed under the master key when the database was made.
pub async fn find_master_key_check(connection: &mut Connection) -> Result<Option<Vec<u8>>, StoreError> {
    const SQL: &str = "SELECT sealed FROM master_key_check LIMIT 1";
    connection.fetch_optional(SQL, params![], |row| row.bytes("sealed")).await
}

/// Inserts the value sealed under the master key.
pub async fn insert_master_key_check(connection: &mut Connection, sealed: &[u8]) -> Result<(), StoreError> {
    connection.queue("INSERT INTO master_key_check (sealed) VALUES ($1)", params![sealed]).await
}
