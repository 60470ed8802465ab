//! The dashboard: pages for people, in the binary itself. A page is a handler here, a template in `templates/`, and operations that
//! it asks as any program would (`viewer`). No page touches the store, and none needs a script to be used.

mod account;
mod api_keys;
mod assets;
mod csv;
mod filters;
mod form;
mod invitation;
mod live;
mod logs;
mod new_refund;
mod organization;
mod overview;
mod page;
mod places;
mod processors;
mod refund;
mod refunds;
mod resume;
mod show;
mod sign_in;
mod stream;
mod team;
mod typed;
mod viewer;

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{get, post},
};

pub use page::problem;
pub use places::Places;

use crate::{app::App, limits};

/// The routes of the dashboard.
pub fn router(app: &Arc<App>) -> Router<Arc<App>> {
    Router::new()
        .route("/", get(overview::show))
        .route("/live", get(live::overview))
        .route("/login", get(sign_in::show).post(sign_in::sign_in))
        .route("/logout", post(sign_in::sign_out))
        .route("/resume", get(resume::show))
        .route("/environment", post(sign_in::switch_environment))
        .route("/setup", get(sign_in::show_setup).post(sign_in::set_up))
        .route("/refunds", get(refunds::show))
        .route("/refunds.csv", get(csv::export))
        .route("/refunds/live", get(live::rows))
        .route("/refunds/new", get(new_refund::show).post(new_refund::create))
        .route("/refunds/new/confirm", post(new_refund::confirm))
        .route("/refunds/{id}", get(refund::show))
        .route("/refunds/{id}/live", get(live::whole))
        .route("/refunds/{id}/cancel", post(refund::cancel))
        .route("/settings", get(async || page::to("/settings/processors")))
        .route("/assets/{name}", get(assets::serve))
        .merge(processors::routes())
        .merge(api_keys::routes())
        .merge(logs::routes())
        .merge(team::routes())
        .merge(organization::routes())
        .merge(account::routes())
        .merge(invitation::routes())
        .layer(DefaultBodyLimit::max(limits::FORM_BYTES_MAX))
        .layer(middleware::from_fn_with_state(Arc::clone(app), page::around))
}
