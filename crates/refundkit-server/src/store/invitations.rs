//! Invitations: links by which somebody may become a member once, by the SHA-256 of what they hold.

use refundkit::{InvitationId, OrganizationId, Timestamp, UserId};

use super::{Connection, StoreError, connection::params, row::Row};
use crate::caller::Role;

/// An invitation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// The organization.
    pub organization_id: OrganizationId,
    /// Who is invited: an e-mail address, in lower case.
    pub email: String,
    /// As what.
    pub role: Role,
    /// Who invites.
    pub invited_by: UserId,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when its link can be used.
    pub expires_at: Timestamp,
}

/// The columns that [`read`] reads: what every SELECT here begins with.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, organization_id, email, role, invited_by, created_at, expires_at FROM invitations WHERE ",
            $rest
        )
    };
}

fn read(row: &Row<'_>) -> Result<Invitation, StoreError> {
    Ok(Invitation {
        id: row.parse("id")?,
        organization_id: row.parse("organization_id")?,
        email: row.text("email")?,
        role: row.parse("role")?,
        invited_by: row.parse("invited_by")?,
        created_at: row.timestamp("created_at")?,
        expires_at: row.timestamp("expires_at")?,
    })
}

/// Inserts an invitation with the SHA-256 of what its link holds.
pub async fn insert(connection: &mut Connection, invitation: &Invitation, token_hash: &str) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO invitations (token_hash, id, organization_id, email, role, invited_by, created_at,
            expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let Invitation { id, organization_id, email, role, invited_by, created_at, expires_at } = invitation;
    let params = params![token_hash, *id, *organization_id, email, *role, *invited_by, *created_at, *expires_at];
    connection.queue(SQL, params).await
}

/// Finds the invitation whose link holds this.
pub async fn find_by_token(connection: &mut Connection, token_hash: &str) -> Result<Option<Invitation>, StoreError> {
    connection.fetch_optional(select!("token_hash = $1"), params![token_hash], read).await
}

/// Lists an organization's invitations, the first one first; those included whose time is over.
pub async fn list(connection: &mut Connection, organization_id: OrganizationId) -> Result<Vec<Invitation>, StoreError> {
    connection.fetch_all(select!("organization_id = $1 ORDER BY id"), params![organization_id], read).await
}

/// Deletes an invitation: used, revoked or replaced.
pub async fn delete(
    connection: &mut Connection,
    organization_id: OrganizationId,
    id: InvitationId,
) -> Result<(), StoreError> {
    const SQL: &str = "DELETE FROM invitations WHERE organization_id = $1 AND id = $2";
    connection.queue(SQL, params![organization_id, id]).await
}

/// Deletes the invitations that somebody made, who no longer may make them.
pub async fn delete_made_by(
    connection: &mut Connection,
    organization_id: OrganizationId,
    user_id: UserId,
) -> Result<(), StoreError> {
    const SQL: &str = "DELETE FROM invitations WHERE organization_id = $1 AND invited_by = $2";
    connection.queue(SQL, params![organization_id, user_id]).await
}

/// Deletes invitations whose time was over at some time.
pub async fn delete_expired(connection: &mut Connection, before: Timestamp) -> Result<u64, StoreError> {
    connection.execute("DELETE FROM invitations WHERE expires_at < $1", params![before]).await
}
