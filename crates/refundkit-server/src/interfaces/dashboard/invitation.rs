//! `/invitation?token=…`: whoever holds the link becomes a member.

use std::sync::Arc;

use askama::Template;
use axum::{
    Router,
    extract::{Query, State},
    http::HeaderMap,
    routing::get,
};
use refundkit::ErrorCode;
use serde::Deserialize;

use super::{
    form::{Entered, Form},
    page::{self, Shown},
    show::Moment,
    viewer,
};
use crate::{
    accounts::{
        self,
        joining::{self, Invited},
    },
    app::App,
};

/// The route of the page.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/invitation", get(show).post(accept))
}

#[derive(Template)]
#[template(path = "invitation.html")]
struct InvitationPage {
    invited: Invited,
    until: Moment,
    entered: Entered,
}

impl InvitationPage {
    fn of(invited: Invited, entered: Entered) -> Self {
        Self { until: invited.invitation.expires_at.into(), invited, entered }
    }
}

/// What the address of the page says.
#[derive(Debug, Default, Deserialize)]
struct PageQuery {
    #[serde(default)]
    token: String,
}

async fn show(State(app): State<Arc<App>>, headers: HeaderMap, Query(query): Query<PageQuery>) -> Shown {
    viewer::check_safe_road(&app, &headers)?;
    let invited = joining::find(&app, &query.token).await?;
    page::html(&InvitationPage::of(invited, Entered::default()))
}

async fn accept(State(app): State<Arc<App>>, headers: HeaderMap, Query(query): Query<PageQuery>, form: Form) -> Shown {
    viewer::check_safe_road(&app, &headers)?;
    match joining::accept(&app, &query.token, form.secret("password")).await {
        Ok(user) => {
            let token = accounts::begin_session(&app, &user).await?;
            let mut response = page::to("/")?;
            viewer::set_cookie(&app, &mut response, Some(&token))?;
            Ok(response)
        }
        Err(error) if error.code() == ErrorCode::NotFound => Err(error.into()),
        Err(error) => {
            let (status, invited) = (error.status(), joining::find(&app, &query.token).await?);
            page::html_with(status, &InvitationPage::of(invited, form.again(error)))
        }
    }
}
