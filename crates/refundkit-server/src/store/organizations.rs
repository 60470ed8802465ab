//! Organizations, and the check of the master key. These rows are above tenants.

use refundkit::{OrganizationId, Timestamp};

use super::{Connection, StoreError, connection::params};

/// How many organizations there are.
pub async fn count(connection: &mut Connection) -> Result<i64, StoreError> {
    connection.fetch_one("SELECT COUNT(*) AS count FROM organizations", params![], |row| row.integer("count")).await
}

/// The first organization, if there is one.
pub async fn find_first(connection: &mut Connection) -> Result<Option<OrganizationId>, StoreError> {
    const SQL: &str = "SELECT id FROM organizations ORDER BY id LIMIT 1";
    connection.fetch_optional(SQL, params![], |row| row.parse("id")).await
}

/// The name of an organization.
pub async fn get_name(connection: &mut Connection, id: OrganizationId) -> Result<String, StoreError> {
    connection.fetch_one("SELECT name FROM organizations WHERE id = $1", params![id], |row| row.text("name")).await
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
