//! Becoming a member by an invitation: whoever holds its link sets a password, once.

use std::sync::Arc;

use refundkit::ErrorCode;
use secrecy::SecretString;

use super::{check_new_password, hash_password, token_hash};
use crate::{
    app::App,
    error::Error,
    limits,
    store::{Connection, Lock, invitations, invitations::Invitation, organizations, users, users::User},
};

/// An invitation, as whoever holds its link reads it.
#[derive(Debug, Clone)]
pub struct Invited {
    /// The invitation.
    pub invitation: Invitation,
    /// The name of the organization.
    pub organization: String,
    /// The e-mail address of who invites.
    pub by: String,
}

/// Finds the invitation whose link holds this. `not_found` when there is none, or none any more.
pub async fn find(app: &Arc<App>, token: &str) -> Result<Invited, Error> {
    let mut connection = app.store.read().await?;
    let now = app.env.now();
    let invitation = invitations::find_by_token(&mut connection, &token_hash(token)).await?;
    let invitation = invitation.filter(|one| one.expires_at > now).ok_or_else(over)?;
    let by = users::find(&mut connection, invitation.invited_by).await?.ok_or_else(over)?;
    let organization = organizations::get(&mut connection, invitation.organization_id).await?;
    Ok(Invited { invitation, organization: organization.name, by: by.email })
}

fn over() -> Error {
    Error::new(ErrorCode::NotFound, "There is no such invitation, or it was used, replaced or revoked, or is too old.")
        .hint("An invitation works once and for seven days. Ask whoever invited you for a new one.")
}

/// Makes the person a member with this password. The link is used up in the same transaction.
///
/// `validation_error` on `password`; `not_found` when the invitation is over; `conflict` when the address has an account by now.
pub async fn accept(app: &Arc<App>, token: &str, password: SecretString) -> Result<User, Error> {
    let found = find(app, token).await?.invitation;
    check_new_password("password", &password)?;
    let password_hash = hash_password(password).await.map_err(Error::internal)?;
    let user = User {
        id: app.env.new_user_id(),
        organization_id: found.organization_id,
        email: found.email,
        role: found.role,
        created_at: app.env.now(),
        signed_in_at: None,
    };
    let token_hash = token_hash(token);
    app.store
        .write::<_, Error, _>(move |connection| {
            Box::pin(async move {
                join(connection, &token_hash, &user, &password_hash).await?;
                Ok(user)
            })
        })
        .await
}

async fn join(connection: &mut Connection, token_hash: &str, user: &User, password_hash: &str) -> Result<(), Error> {
    connection.lock(&Lock::Organization(user.organization_id)).await?;
    connection.lock(&Lock::Address(&user.email)).await?;
    let invitation = invitations::find_by_token(connection, token_hash).await?;
    let invitation = invitation.filter(|one| one.expires_at > user.created_at).ok_or_else(over)?;
    if users::find_by_email(connection, &user.email).await?.is_some() {
        return Err(Error::new(ErrorCode::Conflict, format!("{} has an account already.", user.email))
            .hint("Sign in with it. A person belongs to one organization: use another address for this one."));
    }
    if users::list(connection, user.organization_id).await?.len() >= limits::MEMBERS_MAX {
        let message = format!("This organization has {} members, which is the most.", limits::MEMBERS_MAX);
        return Err(Error::new(ErrorCode::Conflict, message));
    }
    users::insert(connection, user, password_hash).await?;
    Ok(invitations::delete(connection, user.organization_id, invitation.id).await?)
}
