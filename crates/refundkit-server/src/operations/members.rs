//! The people of an organization: members, and those who are invited.

use refundkit::{Effect, InvitationId, Method, Operation, Scope, Timestamp, UserId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::caller::Role;

/// A member of the organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// The person's id.
    pub id: UserId,
    /// The e-mail address.
    pub email: String,
    /// What the person may do.
    pub role: Role,
    /// When the person became a member.
    pub created_at: Timestamp,
    /// When the person last signed in; null when never.
    pub signed_in_at: Option<Timestamp>,
    /// Whether this is the caller.
    pub is_you: bool,
}

/// Somebody who may become a member, by a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// The e-mail address.
    pub email: String,
    /// As what.
    pub role: Role,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when the link can be used.
    pub expires_at: Timestamp,
}

/// Everybody: members, and invitations that are open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Team {
    /// Those who are members, the first one first.
    pub members: Vec<Member>,
    /// Those who may become one.
    pub invitations: Vec<Invitation>,
}

/// An invitation with its link, which is shown this once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewInvitation {
    /// The invitation.
    pub invitation: Invitation,
    /// The address to send to the person.
    pub link: String,
}

/// Lists the organization's members and open invitations.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListMembers {}

impl Operation for ListMembers {
    const NAME: &'static str = "list_members";
    const TAG: &'static str = "Members";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "";
    const SCOPE: Scope = Scope::Admin;
    const EFFECT: Effect = Effect::Read;
    type Output = Team;
}

/// Invites somebody by a link, which works once and for seven days. Inviting the same address again makes a new link in place of
/// the one before. Admins invite members; owners invite anybody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InviteMember {
    /// The person's e-mail address.
    pub email: String,
    /// What the person may do.
    pub role: Role,
}

impl Operation for InviteMember {
    const NAME: &'static str = "invite_member";
    const TAG: &'static str = "Members";
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "";
    const SCOPE: Scope = Scope::Admin;
    const EFFECT: Effect = Effect::WriteIdempotent;
    type Output = NewInvitation;
}

/// Revokes an invitation at once. Admins revoke those of members; owners any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RevokeInvitation {
    /// The invitation's id (`inv_…`).
    pub id: InvitationId,
}

impl Operation for RevokeInvitation {
    const NAME: &'static str = "revoke_invitation";
    const TAG: &'static str = "Members";
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "";
    const SCOPE: Scope = Scope::Admin;
    const EFFECT: Effect = Effect::WriteIdempotent;
    type Output = Invitation;
}

/// Gives a member another role, from the next request on. There is always an owner. Invitations that somebody made who may make
/// none any more are revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeRole {
    /// The member's id (`usr_…`).
    pub id: UserId,
    /// What the person may do from now on.
    pub role: Role,
}

impl Operation for ChangeRole {
    const NAME: &'static str = "change_role";
    const TAG: &'static str = "Members";
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "";
    const SCOPE: Scope = Scope::Admin;
    const EFFECT: Effect = Effect::WriteIdempotent;
    type Output = Member;
}

/// Removes a member, and ends the person's sessions and invitations at once. There is always an owner. Admins remove members;
/// owners anybody. What the person did stays in the audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RemoveMember {
    /// The member's id (`usr_…`).
    pub id: UserId,
}

impl Operation for RemoveMember {
    const NAME: &'static str = "remove_member";
    const TAG: &'static str = "Members";
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "";
    const SCOPE: Scope = Scope::Admin;
    const EFFECT: Effect = Effect::WriteIdempotent;
    type Output = Member;
}
