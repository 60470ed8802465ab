//! The people of an organization: list, invite, change, remove. Everything that changes who may do what happens under one lock, in
//! which the caller's own role is read again.

use refundkit::{ErrorCode, OrganizationId, UserId};
use secrecy::ExposeSecret as _;

use crate::{
    accounts,
    caller::{Caller, Role},
    error::Error,
    limits,
    operations::{
        ChangeRole, InviteMember, ListMembers, RemoveMember, RevokeInvitation,
        members::{Invitation, Member, NewInvitation, Team},
    },
    registry::{Answer, Context, Handle},
    store::{Connection, Lock, invitations, invitations::Invitation as StoredInvitation, sessions, users, users::User},
};

impl Handle for ListMembers {
    const ROLE: Role = Role::Admin;

    async fn handle(self, context: &Context) -> Result<Answer<Team>, Error> {
        let organization = context.caller.tenant.organization_id;
        let (you, now) = (you(&context.caller)?, context.app.env.now());
        let mut connection = context.app.store.read().await?;
        let members = users::list(&mut connection, organization).await?;
        let invitations = invitations::list(&mut connection, organization).await?;
        Ok(Answer::ok(Team {
            members: members.into_iter().map(|user| shown(user, you)).collect(),
            invitations: invitations.into_iter().filter(|one| one.expires_at > now).map(shown_invitation).collect(),
        }))
    }
}

impl Handle for InviteMember {
    const ROLE: Role = Role::Admin;

    async fn handle(self, context: &Context) -> Result<Answer<NewInvitation>, Error> {
        let (app, caller) = (&context.app, context.caller.clone());
        let token = accounts::new_token(app);
        let token_hash = accounts::token_hash(token.expose_secret());
        let now = app.env.now();
        let invitation = StoredInvitation {
            id: app.env.new_invitation_id(),
            organization_id: caller.tenant.organization_id,
            email: accounts::checked_email("email", &self.email)?,
            role: self.role,
            invited_by: you(&caller)?,
            created_at: now,
            expires_at: now.plus_millis(limits::INVITATION_MS),
        };
        let stored = invitation.clone();
        app.store
            .write::<_, Error, _>(move |connection| {
                Box::pin(async move { invite(connection, &caller, &stored, &token_hash).await })
            })
            .await?;
        let link = format!("{}/invitation?token={}", app.public_url.base, token.expose_secret());
        Ok(Answer::ok(NewInvitation { invitation: shown_invitation(invitation), link }))
    }
}

async fn invite(
    connection: &mut Connection,
    caller: &Caller,
    invitation: &StoredInvitation,
    token_hash: &str,
) -> Result<(), Error> {
    let organization = invitation.organization_id;
    let acting = lock(connection, caller).await?;
    check_manages(acting, invitation.role, "invite")?;
    if users::find_by_email(connection, &invitation.email).await?.is_some() {
        return Err(Error::new(ErrorCode::Conflict, "This address has an account already.").field(Some("email")));
    }
    let mut open = 0;
    for earlier in invitations::list(connection, organization).await? {
        let is_over = earlier.expires_at <= invitation.created_at;
        if earlier.email == invitation.email {
            check_manages(acting, earlier.role, "invite")?;
        }
        if is_over || earlier.email == invitation.email {
            invitations::delete(connection, organization, earlier.id).await?;
        } else {
            open += 1;
        }
    }
    if open >= limits::INVITATIONS_MAX {
        return Err(Error::new(ErrorCode::Conflict, format!("{open} invitations are open, which is the most."))
            .hint("Revoke some that nobody uses."));
    }
    Ok(invitations::insert(connection, invitation, token_hash).await?)
}

impl Handle for RevokeInvitation {
    const ROLE: Role = Role::Admin;

    async fn handle(self, context: &Context) -> Result<Answer<Invitation>, Error> {
        let caller = context.caller.clone();
        let revoked = context.app.store.write::<_, Error, _>(move |connection| {
            Box::pin(async move {
                let acting = lock(connection, &caller).await?;
                let organization = caller.tenant.organization_id;
                let open = invitations::list(connection, organization).await?;
                let found = open.into_iter().find(|one| one.id == self.id);
                let found = found.ok_or_else(|| Error::not_found("invitation", self.id))?;
                check_manages(acting, found.role, "revoke the invitation of")?;
                invitations::delete(connection, organization, found.id).await?;
                Ok(found)
            })
        });
        Ok(Answer::ok(shown_invitation(revoked.await?)))
    }
}

impl Handle for ChangeRole {
    const ROLE: Role = Role::Owner;

    async fn handle(self, context: &Context) -> Result<Answer<Member>, Error> {
        let caller = context.caller.clone();
        let (you, organization) = (you(&caller)?, caller.tenant.organization_id);
        let changed = context.app.store.write::<_, Error, _>(move |connection| {
            Box::pin(async move {
                let acting = lock(connection, &caller).await?;
                let user = member(connection, organization, self.id).await?;
                check_manages(acting, user.role.max(self.role), "change the role of")?;
                if self.role < user.role {
                    keep_an_owner(connection, &user).await?;
                    // A link that somebody kept must not give back what was taken.
                    invitations::delete_made_by(connection, organization, user.id).await?;
                }
                users::update_role(connection, organization, user.id, self.role).await?;
                Ok(User { role: self.role, ..user })
            })
        });
        Ok(Answer::ok(shown(changed.await?, you)))
    }
}

impl Handle for RemoveMember {
    const ROLE: Role = Role::Admin;

    async fn handle(self, context: &Context) -> Result<Answer<Member>, Error> {
        let caller = context.caller.clone();
        let (you, organization) = (you(&caller)?, caller.tenant.organization_id);
        let removed = context.app.store.write::<_, Error, _>(move |connection| {
            Box::pin(async move {
                let acting = lock(connection, &caller).await?;
                let user = member(connection, organization, self.id).await?;
                check_manages(acting, user.role, "remove")?;
                keep_an_owner(connection, &user).await?;
                sessions::delete_of_user(connection, user.id, None).await?;
                invitations::delete_made_by(connection, organization, user.id).await?;
                users::delete(connection, organization, user.id).await?;
                Ok(user)
            })
        });
        Ok(Answer::ok(shown(removed.await?, you)))
    }
}

/// Who the caller is. Only people get this far.
fn you(caller: &Caller) -> Result<UserId, Error> {
    caller.user().map(|(id, _)| id).ok_or_else(|| Error::internal("a key among people"))
}

/// Makes every other change of the organization's people wait, and answers what the caller is by now.
async fn lock(connection: &mut Connection, caller: &Caller) -> Result<Role, Error> {
    let organization = caller.tenant.organization_id;
    connection.lock(&Lock::Organization(organization)).await?;
    let found = users::find_member(connection, organization, you(caller)?).await?;
    found.map(|user| user.role).ok_or_else(no_longer)
}

/// What the caller is by now, when it is a person: who was removed is refused. Told for as long as the unit of work lasts, in one
/// that first [holds](hold) the organization's people.
pub async fn role_now(connection: &mut Connection, caller: &Caller) -> Result<Option<Role>, Error> {
    let Some((id, _)) = caller.user() else { return Ok(None) };
    let found = users::find_member(connection, caller.tenant.organization_id, id).await?;
    found.map(|user| Some(user.role)).ok_or_else(no_longer)
}

/// Makes changes of the organization's people wait for this unit of work, when the caller is one of them.
pub async fn hold(connection: &mut Connection, caller: &Caller) -> Result<(), Error> {
    if caller.user().is_some() {
        connection.lock_shared(&Lock::Organization(caller.tenant.organization_id)).await?;
    }
    Ok(())
}

fn no_longer() -> Error {
    Error::new(ErrorCode::Unauthorized, "You are no longer a member of this organization.")
}

async fn member(connection: &mut Connection, organization: OrganizationId, id: UserId) -> Result<User, Error> {
    let found = users::find_member(connection, organization, id).await?;
    found.ok_or_else(|| Error::not_found("member", id))
}

fn check_manages(acting: Role, other: Role, what: &str) -> Result<(), Error> {
    if acting.manages(other) {
        return Ok(());
    }
    let article = if other == Role::Member { "a" } else { "an" };
    let (who, ask) = if other == Role::Member { ("admins and owners", "one of them") } else { ("owners", "an owner") };
    let message = format!("Only {who} can {what} {article} {other}; you are {acting}.");
    Err(Error::new(ErrorCode::Unauthorized, message).hint(format!("Ask {ask} to do it.")))
}

/// Refuses to take the last owner from an organization: nobody could give it another one.
async fn keep_an_owner(connection: &mut Connection, user: &User) -> Result<(), Error> {
    let members = users::list(connection, user.organization_id).await?;
    let is_owner = |one: &&User| one.role == Role::Owner;
    if user.role == Role::Owner && members.iter().filter(is_owner).count() == 1 {
        return Err(Error::new(ErrorCode::Conflict, "This is the only owner of the organization.")
            .hint("Make somebody else an owner first."));
    }
    Ok(())
}

fn shown(user: User, you: UserId) -> Member {
    Member {
        id: user.id,
        email: user.email,
        role: user.role,
        created_at: user.created_at,
        signed_in_at: user.signed_in_at,
        is_you: user.id == you,
    }
}

fn shown_invitation(invitation: StoredInvitation) -> Invitation {
    Invitation {
        id: invitation.id,
        email: invitation.email,
        role: invitation.role,
        created_at: invitation.created_at,
        expires_at: invitation.expires_at,
    }
}
