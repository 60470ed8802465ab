//! Who looks at a page: from the cookie to a caller, and the operations that pages ask in that person's name.

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, header, request::Parts},
    response::Response,
};
use refundkit::{Environment, ErrorCode, InitiatedBy, RequestId, UserId};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::page::{Looking, Problem};
use crate::{
    accounts::{self, SignedIn},
    app::App,
    caller::{Caller, Role, Who},
    error::Error,
    limits,
    registry::{self, Answer, Handle},
    store::Tenant,
};

/// The cookie where the server is reached through https: for this host alone, and never sent without encryption.
const COOKIE_SECURE: &str = "__Host-refundkit";
/// The cookie on this machine.
const COOKIE_LOCAL: &str = "refundkit";

/// Somebody who is signed in and looks at a page.
#[derive(Clone)]
pub(super) struct Viewer {
    /// The server.
    pub(super) app: Arc<App>,
    /// Who, and with which session.
    pub(super) signed_in: SignedIn,
    /// The request's id.
    pub(super) request_id: RequestId,
    /// The address of the page: path and query.
    pub(super) address: String,
}

impl Viewer {
    /// Whoever holds this token, at this address; none where it has ended.
    pub(super) async fn holding(
        app: &Arc<App>,
        token: &SecretString,
        request_id: RequestId,
        address: String,
    ) -> Result<Option<Self>, Error> {
        let signed_in = accounts::session(app, token.expose_secret()).await?;
        Ok(signed_in.map(|signed_in| Self { app: Arc::clone(app), signed_in, request_id, address }))
    }

    /// Shows another environment from now on.
    pub(super) async fn switch_to(&mut self, environment: Environment) -> Result<(), Error> {
        accounts::switch_environment(&self.app, self.signed_in.session.clone(), environment).await?;
        self.signed_in.session.environment = environment;
        Ok(())
    }

    /// The environment that is shown.
    pub(super) fn environment(&self) -> Environment {
        self.signed_in.session.environment
    }

    /// The person's id.
    pub(super) fn id(&self) -> UserId {
        self.signed_in.user.id
    }

    /// The person's address.
    pub(super) fn email(&self) -> &str {
        &self.signed_in.user.email
    }

    /// The organization's name.
    pub(super) fn organization(&self) -> &str {
        &self.signed_in.organization.name
    }

    /// The person's role.
    pub(super) fn role(&self) -> Role {
        self.signed_in.user.role
    }

    /// Whether the person manages things.
    pub(super) fn is_admin(&self) -> bool {
        self.role() >= Role::Admin
    }

    /// Refuses a page that is for those who manage things.
    pub(super) fn must_be_admin(&self) -> Result<(), Error> {
        if self.is_admin() {
            return Ok(());
        }
        let message = format!("Only an admin or owner of the organization can see this; you are {}.", self.role());
        Err(Error::new(ErrorCode::Unauthorized, message).hint("Ask one of them, or for another role."))
    }

    /// Asks an operation in this person's name.
    pub(super) async fn ask<O: Handle>(&self, input: Value) -> Result<O::Output, Error> {
        Ok(self.ask_once::<O>(None, input).await?.output)
    }

    /// The same under an idempotency key.
    pub(super) async fn ask_once<O: Handle>(
        &self,
        idempotency_key: Option<String>,
        input: Value,
    ) -> Result<Answer<O::Output>, Error> {
        registry::ask::<O>(&self.app, self.caller(), self.request_id, idempotency_key, self.path(), input).await
    }

    /// Asks again for what this page showed already, because it goes on: not counted against the person's rate.
    pub(super) async fn ask_on<O: Handle>(&self, input: Value) -> Result<O::Output, Error> {
        registry::ask_on::<O>(&self.app, self.caller(), self.request_id, self.path(), input).await
    }

    /// Whether the person may still look: the session has not ended, nor shows it another environment.
    pub(super) async fn is_still_here(&self) -> Result<bool, Error> {
        accounts::is_going_on(&self.app, &self.signed_in.session).await
    }

    fn path(&self) -> String {
        self.address.split('?').next().unwrap_or_default().to_owned()
    }

    fn caller(&self) -> Caller {
        let user = &self.signed_in.user;
        Caller {
            tenant: Tenant { organization_id: user.organization_id, environment: self.environment() },
            who: Who::Member { id: user.id, email: user.email.clone(), role: user.role },
            through: InitiatedBy::Dashboard,
            client: None,
            duplicate_window_ms: self.signed_in.organization.duplicate_window_ms,
        }
    }
}

impl FromRequestParts<Arc<App>> for Viewer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let address = parts.uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string);
        let request_id = parts.extensions.get::<RequestId>().copied();
        let request_id = request_id.ok_or_else(|| Error::internal("a request without an id"))?;
        if app.is_draining() {
            return Err(Error::unavailable("The server is shutting down; try again in a moment.").into());
        }
        // A form that was sent without a session begins again at its page.
        let next = if parts.method.is_safe() { address.clone() } else { "/".to_owned() };
        let Some(token) = token(app, &parts.headers) else { return Err(Problem::SignIn { next }) };
        match Self::holding(app, &token, request_id, address).await? {
            Some(viewer) => {
                if let Some(looking) = parts.extensions.get::<Looking>() {
                    looking.is(&viewer);
                }
                Ok(viewer)
            }
            None => Err(Problem::SignIn { next }),
        }
    }
}

/// What the browser holds.
pub(super) fn token(app: &App, headers: &HeaderMap) -> Option<SecretString> {
    let name = cookie_name(app);
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(key, _)| *key == name).map(|(_, value)| SecretString::from(value)).next()
}

fn cookie_name(app: &App) -> &'static str {
    if app.public_url.is_https() { COOKIE_SECURE } else { COOKIE_LOCAL }
}

/// Gives the browser the token to hold, or takes it away.
pub(super) fn set_cookie(app: &App, response: &mut Response, token: Option<&SecretString>) -> Result<(), Error> {
    let (value, seconds) = match token {
        Some(token) => (token.expose_secret(), limits::SESSION_MS_MAX / 1000),
        None => ("", 0),
    };
    let secure = if app.public_url.is_https() { "; Secure" } else { "" };
    let name = cookie_name(app);
    let cookie = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    let mut cookie = HeaderValue::from_str(&cookie).map_err(Error::internal)?;
    cookie.set_sensitive(true);
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(())
}

/// Refuses to sign anybody in where the session could be read on its way: neither https nor this machine.
pub(super) fn check_safe_road(app: &App, headers: &HeaderMap) -> Result<(), Error> {
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, port)| if port.contains(']') { host } else { name });
    if app.public_url.is_https() || matches!(name, "localhost" | "127.0.0.1" | "[::1]") {
        return Ok(());
    }
    Err(Error::new(ErrorCode::Unauthorized, "People can sign in through https only, or on the server's own machine.")
        .hint("Put the server behind https and say so with REFUNDKIT_PUBLIC_URL=https://…"))
}
