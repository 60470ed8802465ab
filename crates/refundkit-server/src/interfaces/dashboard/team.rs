//! `/settings/team`: who is a member, who is invited, and what each may do.

use std::sync::Arc;

use askama::Template;
use axum::{
    Router,
    extract::{Path, Query},
    routing::{get, post},
};
use refundkit::ErrorCode;
use serde::Deserialize;
use serde_json::json;

use super::{
    form::{Entered, Posted},
    page::{self, Frame, Section, Shown},
    show::Moment,
    viewer::Viewer,
};
use crate::{
    app::App,
    caller::Role,
    error::Error,
    operations::{ChangeRole, InviteMember, ListMembers, RemoveMember, RevokeInvitation, members},
};

const ADDRESS: &str = "/settings/team";

/// The routes of the page.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route(ADDRESS, get(show).post(invite))
        .route("/settings/team/{id}", get(show_member))
        .route("/settings/team/{id}/role", post(change_role))
        .route("/settings/team/{id}/remove", post(remove))
        .route("/settings/team/invitations/{id}/revoke", post(revoke))
}

#[derive(Template)]
#[template(path = "team.html")]
struct TeamPage<'a> {
    frame: Frame<'a>,
    notice: Option<&'static str>,
    invited: Option<members::NewInvitation>,
    members: Vec<Member>,
    invitations: Vec<Invitation>,
    roles: Vec<Role>,
    entered: Entered,
}

#[derive(Template)]
#[template(path = "member.html")]
struct MemberPage<'a> {
    frame: Frame<'a>,
    member: Member,
    entered: Entered,
}

/// A member, as it is shown to somebody who may change it or not.
struct Member {
    id: String,
    email: String,
    role: Role,
    is_you: bool,
    joined: Moment,
    signed_in: Option<Moment>,
    is_managed: bool,
    roles: Vec<Role>,
}

struct Invitation {
    id: String,
    email: String,
    role: Role,
    expires: Moment,
    is_managed: bool,
}

/// The roles that somebody may give, the least first.
fn roles_of(viewer: &Viewer) -> Vec<Role> {
    Role::ALL.into_iter().filter(|role| viewer.role().manages(*role)).collect()
}

impl Member {
    fn of(viewer: &Viewer, member: members::Member) -> Self {
        Self {
            id: member.id.to_string(),
            email: member.email,
            role: member.role,
            is_you: member.is_you,
            joined: member.created_at.into(),
            signed_in: member.signed_in_at.map(Moment::from),
            is_managed: viewer.role().manages(member.role),
            roles: if viewer.role() == Role::Owner { roles_of(viewer) } else { Vec::new() },
        }
    }
}

impl Invitation {
    fn of(viewer: &Viewer, invitation: members::Invitation) -> Self {
        Self {
            id: invitation.id.to_string(),
            email: invitation.email,
            role: invitation.role,
            expires: invitation.expires_at.into(),
            is_managed: viewer.role().manages(invitation.role),
        }
    }
}

async fn page_of<'a>(
    viewer: &'a Viewer,
    notice: Option<&'static str>,
    invited: Option<members::NewInvitation>,
    entered: Entered,
) -> Result<TeamPage<'a>, Error> {
    let team = viewer.ask::<ListMembers>(json!({})).await?;
    Ok(TeamPage {
        frame: Frame { title: "Team", section: Section::Team, viewer },
        notice,
        invited,
        members: team.members.into_iter().map(|member| Member::of(viewer, member)).collect(),
        invitations: team.invitations.into_iter().map(|one| Invitation::of(viewer, one)).collect(),
        roles: roles_of(viewer),
        entered,
    })
}

fn untouched() -> Entered {
    Entered::with(&[("role", Role::Member.as_str())])
}

/// What the address of the page may say.
#[derive(Debug, Default, Deserialize)]
struct PageQuery {
    notice: Option<String>,
}

async fn show(viewer: Viewer, Query(query): Query<PageQuery>) -> Shown {
    let notice = match query.notice.as_deref() {
        Some("role") => Some("The role is changed, from the person's next step on."),
        Some("removed") => Some("The person is no longer a member and is signed out everywhere."),
        Some("revoked") => Some("The invitation is revoked: its link no longer works."),
        _ => None,
    };
    page::html(&page_of(&viewer, notice, None, untouched()).await?)
}

async fn invite(Posted { viewer, form }: Posted) -> Shown {
    let input = json!({ "email": form.get("email"), "role": form.get("role") });
    match viewer.ask::<InviteMember>(input).await {
        Ok(invited) => page::html(&page_of(&viewer, None, Some(invited), untouched()).await?),
        Err(error) if !viewer.is_admin() => Err(error.into()),
        Err(error) => {
            let status = error.status();
            page::html_with(status, &page_of(&viewer, None, None, form.again(error)).await?)
        }
    }
}

async fn find(viewer: &Viewer, id: &str) -> Result<Member, Error> {
    let team = viewer.ask::<ListMembers>(json!({})).await?;
    let found = team.members.into_iter().find(|member| member.id.to_string() == id);
    found.map(|member| Member::of(viewer, member)).ok_or_else(|| Error::not_found("member", id))
}

fn member_page(viewer: &Viewer, member: Member, entered: Entered) -> MemberPage<'_> {
    MemberPage { frame: Frame { title: "A member", section: Section::Team, viewer }, member, entered }
}

async fn show_member(viewer: Viewer, Path(id): Path<String>) -> Shown {
    let member = find(&viewer, &id).await?;
    page::html(&member_page(&viewer, member, Entered::default()))
}

async fn change_role(Path(id): Path<String>, Posted { viewer, form }: Posted) -> Shown {
    match viewer.ask::<ChangeRole>(json!({ "id": id, "role": form.get("role") })).await {
        // Who gave up the right to look at the team goes where everybody may be.
        Ok(member) if member.is_you && member.role < Role::Admin => page::to("/"),
        Ok(_) => page::to("/settings/team?notice=role"),
        Err(error) if error.code() == ErrorCode::Conflict || error.code() == ErrorCode::ValidationError => {
            let member = find(&viewer, &id).await?;
            page::html_with(error.status(), &member_page(&viewer, member, form.again(error)))
        }
        Err(error) => Err(error.into()),
    }
}

async fn remove(Path(id): Path<String>, Posted { viewer, form }: Posted) -> Shown {
    match viewer.ask::<RemoveMember>(json!({ "id": id })).await {
        Ok(member) if member.is_you => page::to("/login"),
        Ok(_) => page::to("/settings/team?notice=removed"),
        Err(error) if error.code() == ErrorCode::Conflict => {
            let member = find(&viewer, &id).await?;
            page::html_with(error.status(), &member_page(&viewer, member, form.again(error)))
        }
        Err(error) => Err(error.into()),
    }
}

async fn revoke(Path(id): Path<String>, Posted { viewer, .. }: Posted) -> Shown {
    viewer.ask::<RevokeInvitation>(json!({ "id": id })).await?;
    page::to("/settings/team?notice=revoked")
}
