//! Signing in and out, the first organization of an empty installation, and the switch between test and live.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Query, State},
    http::{HeaderMap, StatusCode},
};
use refundkit::{Environment, ErrorCode};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use subtle::ConstantTimeEq as _;

use super::{
    form::{Entered, Form},
    page::{self, Shown},
    resume::{self, Carried},
    viewer::{self, Viewer},
};
use crate::{
    accounts,
    app::App,
    error::Error,
    interfaces::network::Client,
    setup::{self, FirstOrganization, SetupError},
    store::users::User,
};

/// Said to somebody whose form came too late.
const SIGNED_OUT: &str = "You were signed out meanwhile. Nothing was done. Sign in, and your form goes on.";

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    entered: Entered,
    notice: Option<&'static str>,
    /// Whether there is nobody who could sign in.
    is_empty: bool,
    /// A form that goes on once somebody signed in.
    carried: Option<Carried>,
}

impl LoginPage {
    async fn of(
        app: &App,
        entered: Entered,
        notice: Option<&'static str>,
        carried: Option<Carried>,
    ) -> Result<Self, Error> {
        Ok(Self { entered, notice, is_empty: setup::is_empty(&app.store).await?, carried })
    }
}

#[derive(Template)]
#[template(path = "setup.html")]
struct SetupPage {
    entered: Entered,
}

/// What the address of the log-in page may say.
#[derive(Debug, Default, Deserialize)]
pub(super) struct LoginQuery {
    next: Option<String>,
    notice: Option<String>,
}

/// `GET /login`.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Query(query): Query<LoginQuery>,
    viewer: Result<Viewer, page::Problem>,
) -> Shown {
    viewer::check_safe_road(&app, &headers)?;
    let next = own_address(query.next.as_deref().unwrap_or_default());
    if viewer.is_ok() {
        return page::to(next);
    }
    let notice = match query.notice.as_deref() {
        Some("signed-out") => Some("You are signed out."),
        Some("password-changed") => Some("Your password is changed. Sign in with the new one."),
        _ if next != "/" => Some("Sign in to see that page."),
        _ => None,
    };
    page::html(&LoginPage::of(&app, Entered::with(&[("next", next)]), notice, None).await?)
}

/// In place of what a form asked for, whose sender was signed out meanwhile.
pub(super) async fn show_signed_out(app: &App, headers: &HeaderMap, carried: Carried) -> Shown {
    viewer::check_safe_road(app, headers)?;
    let page = LoginPage::of(app, Entered::default(), Some(SIGNED_OUT), Some(carried)).await?;
    page::html_with(StatusCode::UNAUTHORIZED, &page)
}

/// `POST /login`.
pub(super) async fn sign_in(
    State(app): State<Arc<App>>,
    Client(from): Client,
    headers: HeaderMap,
    form: Form,
) -> Shown {
    viewer::check_safe_road(&app, &headers)?;
    let carried = Carried::within(&form);
    match accounts::sign_in(&app, form.get("email"), form.secret("password"), from).await {
        Ok(token) => {
            // Always to another page: one that answers a password would be asked for again, password and all, by whoever goes back.
            let mut response = match carried {
                Some(carried) => page::to(&resume::address(&app, &token, &carried).await?)?,
                None => page::to(own_address(form.get("next")))?,
            };
            viewer::set_cookie(&app, &mut response, Some(&token))?;
            Ok(response)
        }
        Err(error) => {
            let (status, notice) = (error.status(), carried.is_some().then_some(SIGNED_OUT));
            page::html_with(status, &LoginPage::of(&app, form.again(error), notice, carried).await?)
        }
    }
}

/// A path of this server, and nothing else: where to go after signing in. Browsers leave out tabs and line breaks, and take a
/// backslash for a slash, so that `/\t/elsewhere` would lead to another server.
fn own_address(address: &str) -> &str {
    let is_plain = |character: char| character != '\\' && !character.is_control();
    let is_own = address.starts_with('/') && !address.starts_with("//") && address.chars().all(is_plain);
    if is_own { address } else { "/" }
}

/// `POST /logout`. Whoever wants to leave leaves, whatever the page showed.
pub(super) async fn sign_out(viewer: Viewer, _form: Form) -> Shown {
    accounts::sign_out(&viewer.app, viewer.signed_in.session.clone()).await?;
    let mut response = page::to("/login?notice=signed-out")?;
    viewer::set_cookie(&viewer.app, &mut response, None)?;
    Ok(response)
}

/// `POST /environment`.
pub(super) async fn switch_environment(viewer: Viewer, form: Form) -> Shown {
    let environment: Environment = form
        .get("switchTo")
        .parse()
        .map_err(|_| Error::validation("switchTo", "The environment must be `test` or `live`."))?;
    accounts::switch_environment(&viewer.app, viewer.signed_in.session.clone(), environment).await?;
    // What is shown belongs to one environment; the list that it is on exists in both.
    page::to(section_of(own_address(form.get("next"))))
}

/// The page that a page's environment can be switched on: its list, where it shows one object.
fn section_of(address: &str) -> &str {
    let path = address.split('?').next().unwrap_or("/");
    match path.strip_prefix("/refunds/") {
        Some("new") => "/refunds/new",
        Some(_) => "/refunds",
        None if path.starts_with("/logs/") => "/logs",
        None if path.starts_with("/settings/processors/") => "/settings/processors",
        None if path.starts_with("/settings/api-keys/") => "/settings/api-keys",
        None if path.starts_with("/settings/team/") => "/settings/team",
        None if path.starts_with("/settings/organization/") => "/settings/organization",
        None if path.starts_with("/settings/account/") => "/settings/account",
        None => path,
    }
}

/// What the address of the first page says.
#[derive(Debug, Default, Deserialize)]
pub(super) struct SetupQuery {
    #[serde(default)]
    token: String,
}

/// `GET /setup?token=…`.
pub(super) async fn show_setup(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Query(query): Query<SetupQuery>,
) -> Shown {
    check_setup(&app, &headers, &query.token).await?;
    page::html(&SetupPage { entered: Entered::default() })
}

/// `POST /setup?token=…`.
pub(super) async fn set_up(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Query(query): Query<SetupQuery>,
    form: Form,
) -> Shown {
    check_setup(&app, &headers, &query.token).await?;
    match begin(&app, &form).await {
        Ok(owner) => {
            let token = accounts::begin_session(&app, &owner).await?;
            let mut response = page::to("/settings/processors")?;
            viewer::set_cookie(&app, &mut response, Some(&token))?;
            Ok(response)
        }
        Err(error) => {
            let status = error.status();
            page::html_with(status, &SetupPage { entered: form.again(error) })
        }
    }
}

/// The page exists for whoever was shown its address by the server, and only while there is nobody.
async fn check_setup(app: &Arc<App>, headers: &HeaderMap, token: &str) -> Result<(), Error> {
    let expected = app.vault.setup_token();
    let is_right: bool = expected.expose_secret().as_bytes().ct_eq(token.as_bytes()).into();
    if !is_right || !setup::is_empty(&app.store).await? {
        return Err(Error::new(ErrorCode::NotFound, "This installation is set up, or this is not its address.").hint(
            "Sign in at /login, or ask for the address that `refundkit serve` prints when nobody is there yet.",
        ));
    }
    viewer::check_safe_road(app, headers)
}

async fn begin(app: &Arc<App>, form: &Form) -> Result<User, Error> {
    let first = FirstOrganization {
        name: accounts::checked_name("organization", form.get("organization"))?,
        email: accounts::checked_email("email", form.get("email"))?,
        password: form.secret("password"),
    };
    accounts::check_new_password("password", &first.password)?;
    setup::first_owner(&app.store, &app.env, first).await.map_err(|error| match error {
        SetupError::Store(error) => error.into(),
        SetupError::AlreadyDone => Error::new(ErrorCode::Conflict, "Somebody was faster: this installation is set up."),
        other => Error::internal(other),
    })
}

#[cfg(test)]
mod tests {
    use super::own_address;

    #[test]
    fn signing_in_leads_nowhere_but_here() {
        for own in ["/", "/refunds?status=failed&q=a%09b", "/refunds/ref_1#now"] {
            assert_eq!(own_address(own), own);
        }
        for other in [
            "",
            "refunds",
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "/\t/evil.example",
            "/\r\n/evil.example",
            "/\u{0}/evil.example",
            "/\u{7f}/evil.example",
            "/\u{85}/evil.example",
        ] {
            assert_eq!(own_address(other), "/", "{other:?}");
        }
    }
}
