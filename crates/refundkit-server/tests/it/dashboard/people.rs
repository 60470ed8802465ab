//! The team: who is invited, who may do what, and that there is always an owner.

use refundkit_server::{
    caller::Role,
    limits,
    store::{StoreError, invitations, users},
};

use super::visitor::{OWNER, Visitor};
use crate::support::Stage;

const PASSWORD: &str = "a password of twenty";

/// Invites somebody; answers the link's path and query.
async fn invite(inviting: &Visitor<'_>, email: &str, role: &str) -> String {
    let page = inviting.post("/settings/team", &[("email", email), ("role", role)]).await;
    page.has(200, &["is invited", &email.to_lowercase()]);
    let link = page.between("<code id=\"link\">", "</code>");
    link.strip_prefix("https://refunds.example").unwrap().to_owned()
}

pub(super) async fn id_of(stage: &Stage, email: &str) -> String {
    let found = users::find_by_email(&mut stage.app.store.read().await.unwrap(), email).await.unwrap();
    found.unwrap().0.id.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_link_becomes_a_member_once() {
    let stage = Stage::new().await;
    let ada = Visitor::signed_in(&stage, OWNER).await;
    let link = invite(&ada, "Bob@acme.example", "member").await;
    let listed = ada.get("/settings/team").await;
    listed.has(200, &["bob@acme.example", "Invited"]);
    assert!(!listed.text.contains(&link), "a link is shown once");

    let mut bob = Visitor::stranger(&stage);
    bob.get(&link).await.has(200, &["Join Acme", "owner@acme.example invites you as member", "bob@acme.example"]);
    let short = bob.post(&link, &[("password", "short")]).await;
    assert!(short.has(400, &[]).wrong("password").contains("12 to 200"));
    let joined = bob.post(&link, &[("password", PASSWORD)]).await;
    joined.leads_to("/");
    bob.keep(&joined);
    bob.get("/settings/account").await.has(200, &["bob@acme.example", "member", "Nothing yet"]);
    for used in [bob.get(&link).await, bob.post(&link, &[("password", PASSWORD)]).await] {
        used.has(404, &["There is no such invitation"]);
    }
    bob.elsewhere().sign_in("bob@acme.example", PASSWORD).await.leads_to("/");
    let again = ada.post("/settings/team", &[("email", "BOB@acme.example"), ("role", "member")]).await;
    assert_eq!(again.has(409, &[]).wrong("email"), "This address has an account already.");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_link_makes_one_member_however_many_follow_it_at_once() {
    let stage = Stage::new().await;
    let ada = Visitor::signed_in(&stage, OWNER).await;
    let link = invite(&ada, "bob@acme.example", "member").await;
    let (one, other) = (Visitor::stranger(&stage), Visitor::stranger(&stage));
    let fields = [("password", PASSWORD)];
    let (first, second) = tokio::join!(one.post(&link, &fields), other.post(&link, &fields));
    let mut statuses = [first.status, second.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 404]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_that_is_replaced_revoked_or_too_old_is_worth_nothing() {
    let stage = Stage::new().await;
    let ada = Visitor::signed_in(&stage, OWNER).await;
    let bob = Visitor::stranger(&stage);
    let first = invite(&ada, "bob@acme.example", "member").await;
    let second = invite(&ada, "bob@acme.example", "admin").await;
    bob.get(&first).await.has(404, &[]);
    bob.get(&second).await.has(200, &["as admin"]);
    let page = ada.get("/settings/team").await;
    let revoke =
        format!("/settings/team/invitations/{}/revoke", page.between("/settings/team/invitations/", "/revoke"));
    ada.post(&revoke, &[]).await.leads_to("/settings/team?notice=revoked");
    bob.get(&second).await.has(404, &[]);
    bob.post(&second, &[("password", PASSWORD)]).await.has(404, &[]);
    ada.post(&revoke, &[]).await.has(404, &[]);

    let third = invite(&ada, "bob@acme.example", "member").await;
    let organization = stage.tenant().await.organization_id;
    let token = third.split_once("token=").unwrap().1.to_owned();
    stage
        .app
        .store
        .write::<_, StoreError, _>(move |connection| {
            Box::pin(async move {
                let open = invitations::list(connection, organization).await?.remove(0);
                invitations::delete(connection, organization, open.id).await?;
                let made_at = open.created_at.plus_millis(-limits::INVITATION_MS);
                let old = invitations::Invitation { created_at: made_at, expires_at: open.created_at, ..open };
                invitations::insert(connection, &old, &refundkit_server::accounts::token_hash(&token)).await
            })
        })
        .await
        .unwrap();
    bob.post(&third, &[("password", PASSWORD)]).await.has(404, &["too old"]);
    assert!(!ada.get("/settings/team").await.text.contains("bob@acme.example"));
}

#[tokio::test(flavor = "multi_thread")]
async fn members_see_their_account_and_no_other_settings_of_people() {
    let stage = Stage::new().await;
    let bob = Visitor::of_role(&stage, Role::Member).await;
    for path in ["/settings/team", "/settings/organization", "/settings/api-keys", "/logs"] {
        bob.get(path).await.has(403, &["That is not yours to do"]);
    }
    bob.post("/settings/team", &[("email", "eve@acme.example"), ("role", "member")]).await.has(403, &[]);
    bob.post("/settings/organization", &[("name", "Mine"), ("duplicateWindowHours", "1")]).await.has(403, &[]);
    bob.post("/settings/organization/limits", &[("currency", "usd"), ("amount", "9")]).await.has(403, &[]);
    bob.get("/settings/account").await.has(200, &["member@acme.example"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn admins_manage_members_and_owners_manage_everybody() {
    let stage = Stage::new().await;
    let ada = Visitor::signed_in(&stage, OWNER).await;
    let amy = Visitor::of_role(&stage, Role::Admin).await;
    let bob = Visitor::of_role(&stage, Role::Member).await;
    invite(&amy, "eve@acme.example", "member").await;
    let refused = amy.post("/settings/team", &[("email", "eve@acme.example"), ("role", "owner")]).await;
    refused.has(403, &["Only owners can invite an owner; you are admin."]);
    invite(&ada, "dan@acme.example", "owner").await;
    amy.post("/settings/team", &[("email", "dan@acme.example"), ("role", "member")]).await.has(403, &[]);
    amy.get("/settings/organization").await.has(200, &["Only an owner changes it"]);
    amy.post("/settings/organization/limits", &[("currency", "usd"), ("amount", "9")]).await.has(403, &[]);

    let (owner, member) = (id_of(&stage, OWNER.0).await, id_of(&stage, "member@acme.example").await);
    amy.post(&format!("/settings/team/{owner}/remove"), &[]).await.has(403, &["Only owners can remove an owner"]);
    amy.post(&format!("/settings/team/{member}/role"), &[("role", "admin")]).await.has(403, &[]);
    ada.post(&format!("/settings/team/{member}/role"), &[("role", "admin")])
        .await
        .leads_to("/settings/team?notice=role");
    bob.get("/settings/team").await.has(200, &["eve@acme.example"]);
    ada.post(&format!("/settings/team/{member}/role"), &[("role", "member")])
        .await
        .leads_to("/settings/team?notice=role");
    bob.get("/settings/team").await.has(403, &[]);
    amy.post(&format!("/settings/team/{member}/remove"), &[]).await.leads_to("/settings/team?notice=removed");
    assert!(!bob.is_signed_in().await, "who is removed is signed out");
    bob.elsewhere().sign_in("member@acme.example", PASSWORD).await.has(403, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_always_an_owner() {
    let stage = Stage::new().await;
    let ada = Visitor::signed_in(&stage, OWNER).await;
    let id = id_of(&stage, OWNER.0).await;
    let (role, remove) = (format!("/settings/team/{id}/role"), format!("/settings/team/{id}/remove"));
    let last = "This is the only owner of the organization.";
    ada.post(&remove, &[]).await.has(409, &[last, "Make somebody else an owner first."]);
    ada.post(&role, &[("role", "member")]).await.has(409, &[last]);
    let olga = Visitor::of_role(&stage, Role::Owner).await;
    olga.post(&role, &[("role", "admin")]).await.leads_to("/settings/team?notice=role");
    ada.post("/settings/team", &[("email", "x@acme.example"), ("role", "owner")]).await.has(403, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_owners_who_take_it_from_each_other_at_once_leave_one() {
    let stage = Stage::new().await;
    let ada = Visitor::signed_in(&stage, OWNER).await;
    let olga = Visitor::of_role(&stage, Role::Owner).await;
    let (adas, olgas) = (id_of(&stage, OWNER.0).await, id_of(&stage, "owner.2@acme.example").await);
    let (from_olga, from_ada) = (format!("/settings/team/{olgas}/role"), format!("/settings/team/{adas}/role"));
    let member = [("role", "member")];
    let (one, other) = tokio::join!(ada.post(&from_olga, &member), olga.post(&from_ada, &member));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 403], "the second one was no owner any more: {} {}", one.text, other.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_removed_or_demoted_leaves_no_way_back() {
    let stage = Stage::new().await;
    let ada = Visitor::signed_in(&stage, OWNER).await;
    let amy = Visitor::of_role(&stage, Role::Admin).await;
    let kept = invite(&amy, "amys.other@acme.example", "member").await;
    let id = id_of(&stage, "admin@acme.example").await;
    ada.post(&format!("/settings/team/{id}/role"), &[("role", "member")]).await.leads_to("/settings/team?notice=role");
    Visitor::stranger(&stage).get(&kept).await.has(404, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_of_another_organization_are_nobody_here() {
    let (stage, elsewhere) = (Stage::new().await, Stage::new().await);
    let ada = Visitor::signed_in(&stage, OWNER).await;
    let stranger = id_of(&elsewhere, OWNER.0).await;
    let other_id = stage.app.env.new_user_id();
    for id in [stranger, other_id.to_string()] {
        ada.get(&format!("/settings/team/{id}")).await.has(404, &[]);
        ada.post(&format!("/settings/team/{id}/role"), &[("role", "member")]).await.has(404, &[]);
        ada.post(&format!("/settings/team/{id}/remove"), &[]).await.has(404, &[]);
    }
}
