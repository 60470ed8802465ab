//! What holds for every page: its frame, its headers, and how it looks when something went wrong.

use std::sync::{Arc, Mutex, PoisonError};

use askama::Template;
use axum::{
    Extension,
    extract::{FromRequestParts as _, Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header, request::Parts},
    middleware::Next,
    response::{Html, IntoResponse, Redirect, Response},
};
use refundkit::{Environment, ErrorCode, RequestId};

use super::viewer::Viewer;
use crate::{app::App, error::Error};

/// Nothing but our own files; no script or style in the page itself; no other site may frame it or be sent its forms.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// For a year, browsers come to this host through https and nothing else.
const ONLY_HTTPS: &str = "max-age=31536000";

/// An answer of the dashboard: a page, or why there is none.
pub(super) type Shown = Result<Response, Problem>;

/// Who looks, where somebody is signed in: written by the one who finds out, read by a page that says what went wrong.
#[derive(Clone, Default)]
pub(super) struct Looking(Arc<Mutex<Option<Viewer>>>);

impl Looking {
    /// Says who it is.
    pub(super) fn is(&self, viewer: &Viewer) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(viewer.clone());
    }

    fn who(&self) -> Option<Viewer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Why there is no page.
#[derive(Debug, Clone)]
pub(super) enum Problem {
    /// Nobody is signed in: they should, and then see this address.
    SignIn {
        /// Path and query.
        next: String,
    },
    /// It could not be done.
    Failed(Error),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        match self {
            Self::SignIn { next } if next == "/" => Redirect::to("/login").into_response(),
            Self::SignIn { next } => {
                let query = form_urlencoded::Serializer::new(String::new()).append_pair("next", &next).finish();
                Redirect::to(&format!("/login?{query}")).into_response()
            }
            Self::Failed(error) => {
                let mut response = error.status().into_response();
                response.extensions_mut().insert(error);
                response
            }
        }
    }
}

/// A page that was rendered.
pub(super) fn html(template: &impl Template) -> Shown {
    Ok(Html(template.render().map_err(Error::internal)?).into_response())
}

/// The same with another status: a form that was refused.
pub(super) fn html_with(status: StatusCode, template: &impl Template) -> Shown {
    let mut response = html(template)?;
    *response.status_mut() = status;
    Ok(response)
}

/// To another page, after a form was done.
#[expect(clippy::unnecessary_wraps, reason = "it is what a handler answers, as a page is")]
pub(super) fn to(address: &str) -> Shown {
    Ok(Redirect::to(address).into_response())
}

/// A part of the dashboard, as the navigation names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    /// `/`.
    Overview,
    /// `/refunds`.
    Refunds,
    /// `/logs`.
    Logs,
    /// `/settings/processors`.
    Processors,
    /// `/settings/api-keys`.
    ApiKeys,
    /// `/settings/team`.
    Team,
    /// `/settings/organization`.
    Organization,
    /// `/settings/account`.
    Account,
    /// None of them.
    Elsewhere,
}

impl Section {
    /// The part that an address belongs to.
    pub(super) fn of(address: &str) -> Self {
        let path = address.split('?').next().unwrap_or_default();
        let is_in = |list: &str| path.strip_prefix(list).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        match path {
            "/" => Self::Overview,
            _ if is_in("/refunds") || is_in("/refunds.csv") => Self::Refunds,
            _ if is_in("/logs") => Self::Logs,
            _ if is_in("/settings/processors") => Self::Processors,
            _ if is_in("/settings/api-keys") => Self::ApiKeys,
            _ if is_in("/settings/team") => Self::Team,
            _ if is_in("/settings/organization") => Self::Organization,
            _ if is_in("/settings/account") => Self::Account,
            _ => Self::Elsewhere,
        }
    }
}

/// What is around every page of somebody who is signed in.
pub(super) struct Frame<'a> {
    /// What the page is called.
    pub(super) title: &'a str,
    /// Where it is.
    pub(super) section: Section,
    /// Who looks at it.
    pub(super) viewer: &'a Viewer,
}

/// A line of the navigation.
pub(super) struct Line {
    pub(super) name: &'static str,
    pub(super) address: &'static str,
    pub(super) is_here: bool,
}

impl Frame<'_> {
    fn line(&self, name: &'static str, address: &'static str, section: Section) -> Line {
        Line { name, address, is_here: self.section == section }
    }

    /// What everybody sees first.
    pub(super) fn main_lines(&self) -> Vec<Line> {
        let mut lines =
            vec![self.line("Overview", "/", Section::Overview), self.line("Refunds", "/refunds", Section::Refunds)];
        if self.viewer.is_admin() {
            lines.push(self.line("Logs", "/logs", Section::Logs));
        }
        lines
    }

    /// Settings that this person may see.
    pub(super) fn settings_lines(&self) -> Vec<Line> {
        let mut lines = vec![self.line("Processors", "/settings/processors", Section::Processors)];
        if self.viewer.is_admin() {
            lines.push(self.line("API keys", "/settings/api-keys", Section::ApiKeys));
            lines.push(self.line("Team", "/settings/team", Section::Team));
            lines.push(self.line("Organization", "/settings/organization", Section::Organization));
        }
        lines.push(self.line("Account", "/settings/account", Section::Account));
        lines
    }

    /// Whether pages show real money.
    pub(super) fn is_live(&self) -> bool {
        self.viewer.environment() == Environment::Live
    }
}

/// What holds for every answer: its headers, and a page in place of an error.
pub(super) async fn around(
    State(app): State<Arc<App>>,
    Extension(id): Extension<RequestId>,
    mut request: Request,
    next: Next,
) -> Response {
    let looking = Looking::default();
    request.extensions_mut().insert(looking.clone());
    let mut response = next.run(request).await;
    if let Some(error) = response.extensions_mut().remove::<Error>() {
        response = refused(&error, id, looking.who().as_ref());
    }
    with_headers(&app, response)
}

/// An error as a page, for people who come to no page of the dashboard: within the frame, where this is the request of somebody who is
/// signed in.
pub async fn problem(app: &Arc<App>, error: &Error, id: RequestId, parts: Option<Parts>) -> Response {
    let viewer = match parts {
        Some(mut parts) => Viewer::from_request_parts(&mut parts, app).await.ok(),
        None => None,
    };
    with_headers(app, refused(error, id, viewer.as_ref()))
}

fn with_headers(app: &App, mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    if app.public_url.is_https() {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(ONLY_HTTPS));
    }
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"));
    response
}

/// What went wrong, as people read it.
struct Told {
    title: &'static str,
    message: String,
    hint: Option<String>,
    request_id: String,
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    told: Told,
}

#[derive(Template)]
#[template(path = "problem_inside.html")]
struct ProblemInside<'a> {
    frame: Frame<'a>,
    told: Told,
    /// Whether it may be there in the other environment.
    is_missing: bool,
}

/// An error as a page: within the frame, where somebody looks who is signed in.
fn refused(error: &Error, id: RequestId, viewer: Option<&Viewer>) -> Response {
    let body = error.body(id);
    let title = match error.code() {
        ErrorCode::NotFound => "There is nothing here",
        ErrorCode::Unauthorized => "That is not yours to do",
        ErrorCode::RateLimited => "Slow down a little",
        ErrorCode::InternalError => "That is our mistake",
        _ => "That did not work",
    };
    let told = Told { title, message: body.message, hint: body.hint, request_id: body.request_id };
    let rendered = match viewer {
        Some(viewer) => {
            let section = Section::of(&viewer.address);
            let is_missing = error.code() == ErrorCode::NotFound && section != Section::Elsewhere;
            ProblemInside { frame: Frame { title, section, viewer }, told, is_missing }.render()
        }
        None => ProblemPage { told }.render(),
    };
    match rendered {
        Ok(text) => (error.status(), Html(text)).into_response(),
        Err(_) => error.response(id),
    }
}
