//! `/settings/account`: the person's own password and sessions.

use std::sync::Arc;

use askama::Template;
use axum::{
    Router,
    extract::Query,
    routing::{get, post},
};
use refundkit::ProcessorName;
use serde::Deserialize;
use serde_json::json;

use super::{
    form::{Entered, Posted},
    page::{self, Frame, Section, Shown},
    show,
    viewer::Viewer,
};
use crate::{accounts, app::App, caller::Role, error::Error, interfaces::network::Client, operations::GetOrganization};

const ADDRESS: &str = "/settings/account";

/// The routes of the page.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route(ADDRESS, get(show).post(change_password))
        .route("/settings/account/sessions", post(sign_out_elsewhere))
}

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage<'a> {
    frame: Frame<'a>,
    notice: Option<&'static str>,
    /// What somebody may refund whose refunds are limited.
    member_limits: Option<Vec<String>>,
    entered: Entered,
}

async fn page_of<'a>(
    viewer: &'a Viewer,
    notice: Option<&'static str>,
    entered: Entered,
) -> Result<AccountPage<'a>, Error> {
    let member_limits = match viewer.role() {
        Role::Member => {
            let limits = viewer.ask::<GetOrganization>(json!({})).await?.member_limits;
            let written =
                limits.iter().map(|(currency, amount)| show::money(ProcessorName::Stripe, amount.minor(), *currency));
            Some(written.collect())
        }
        Role::Admin | Role::Owner => None,
    };
    let frame = Frame { title: "Account", section: Section::Account, viewer };
    Ok(AccountPage { frame, notice, member_limits, entered })
}

/// What the address of the page may say.
#[derive(Debug, Default, Deserialize)]
struct PageQuery {
    notice: Option<String>,
}

async fn show(viewer: Viewer, Query(query): Query<PageQuery>) -> Shown {
    let notice = match query.notice.as_deref() {
        Some("password") => Some("Your password is changed, and you are signed out everywhere else."),
        Some("sessions") => Some("You are signed out everywhere else."),
        _ => None,
    };
    page::html(&page_of(&viewer, notice, Entered::default()).await?)
}

async fn change_password(Client(from): Client, Posted { viewer, form }: Posted) -> Shown {
    let (current, new) = (form.secret("currentPassword"), form.secret("password"));
    match accounts::change_password(&viewer.app, &viewer.signed_in, current, new, from).await {
        Ok(()) => page::to("/settings/account?notice=password"),
        Err(error) => {
            let status = error.status();
            page::html_with(status, &page_of(&viewer, None, form.again(error)).await?)
        }
    }
}

async fn sign_out_elsewhere(Posted { viewer, .. }: Posted) -> Shown {
    accounts::sign_out_elsewhere(&viewer.app, viewer.signed_in.session.clone()).await?;
    page::to("/settings/account?notice=sessions")
}
