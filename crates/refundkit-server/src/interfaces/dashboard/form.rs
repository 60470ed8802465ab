//! Forms: read within bounds, believed only when they come from our own pages, and shown again with what was typed and what was
//! wrong beside it.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts as _, Request},
    http::{HeaderMap, header, request::Parts},
    response::{IntoResponse, Response},
};
use refundkit::ErrorCode;
use secrecy::SecretString;
use tokio::time::timeout;

use super::{
    page::{Looking, Problem},
    resume::{self, SWITCHES_TO},
    viewer::Viewer,
};
use crate::{app::App, error::Error, limits};

/// What a person filled in, by field.
#[derive(Default)]
pub(super) struct Form(BTreeMap<String, String>);

impl Form {
    /// What an address asks for, as if it were a form: forms that only look are sent so.
    pub(super) fn of_query(query: &str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// What is in a field; empty when there is nothing.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", |value| value.trim())
    }

    /// What is in a field, when there is something.
    pub(super) fn given(&self, name: &str) -> Option<&str> {
        Some(self.get(name)).filter(|value| !value.is_empty())
    }

    /// What is in a field that nobody should see; not trimmed.
    pub(super) fn secret(&self, name: &str) -> SecretString {
        SecretString::from(self.0.get(name).cloned().unwrap_or_default())
    }

    /// Whether a box is ticked.
    pub(super) fn is_ticked(&self, name: &str) -> bool {
        self.get(name) == "true"
    }

    /// Every field with what is in it, as it came.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The fields whose names begin so, by what follows.
    pub(super) fn behind(&self, prefix: &str) -> Self {
        let fields = self.fields().filter_map(|(name, value)| Some((name.strip_prefix(prefix)?, value)));
        Self(fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// The same form without its other fields.
    pub(super) fn with_only(mut self, names: &[&str]) -> Self {
        self.0.retain(|name, _| names.contains(&name.as_str()));
        self
    }

    /// The same form with something in a field that is empty.
    pub(super) fn or(mut self, name: &str, value: &str) -> Self {
        if self.given(name).is_none() {
            self.0.insert(name.to_owned(), value.to_owned());
        }
        self
    }

    /// The same form to be shown again.
    pub(super) fn again(self, error: Error) -> Entered {
        Entered { form: self, error: Some(error) }
    }
}

impl FromIterator<(String, String)> for Form {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(fields: I) -> Self {
        Self(fields.into_iter().collect())
    }
}

impl FromRequest<Arc<App>> for Form {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        check_origin(app, request.headers())?;
        let media_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if !media_type.is_some_and(|text| text.starts_with("application/x-www-form-urlencoded")) {
            return Err(Error::new(ErrorCode::UnsupportedMediaType, "This is not a form.").into());
        }
        let body = timeout(limits::BODY_READ_MAX, Bytes::from_request(request, app)).await;
        let body = body.map_err(|_| Error::validation("", "The form did not arrive in time. Nothing was done."))?;
        let body = body.map_err(|_| Error::new(ErrorCode::RequestTooLarge, "The form is too large."))?;
        Ok(Self(form_urlencoded::parse(&body).into_owned().collect()))
    }
}

/// A form of somebody who is signed in, made by that person and in the environment that they see.
pub(super) struct Posted {
    /// Who.
    pub(super) viewer: Viewer,
    /// What.
    pub(super) form: Form,
}

impl FromRequest<Arc<App>> for Posted {
    type Rejection = Response;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Response> {
        // The form is read first, and then who sends it: a body that is held back must not keep alive what somebody was meanwhile.
        let (mut parts, body) = request.into_parts();
        let form = Form::from_request(Request::from_parts(parts.clone(), body), app).await;
        let form = form.map_err(IntoResponse::into_response)?;
        let mut viewer = match Viewer::from_request_parts(&mut parts, app).await {
            Ok(viewer) => viewer,
            Err(problem) => return Err(resume::signed_out(app, &parts, &form, problem).await),
        };
        if form.given("person").is_some_and(|person| person != viewer.id().to_string()) {
            let error = Error::new(ErrorCode::Conflict, "Somebody else made this form. Nothing was done.")
                .hint("Open its page again.");
            return Err(resume::instead(&viewer, parts.uri.path(), &form, error).into_response());
        }
        if form.get("environment") != viewer.environment().as_str() {
            switch(&mut viewer, &parts, &form).await?;
        }
        Ok(Self { viewer, form })
    }
}

/// Shows the environment that a form belongs to, where the form says that this is meant; otherwise says that it did nothing.
async fn switch(viewer: &mut Viewer, parts: &Parts, form: &Form) -> Result<(), Response> {
    let made_in = form.get("environment");
    match made_in.parse() {
        Ok(environment) if form.get(SWITCHES_TO) == made_in => {
            viewer.switch_to(environment).await.map_err(Problem::from).map_err(IntoResponse::into_response)?;
            if let Some(looking) = parts.extensions.get::<Looking>() {
                looking.is(viewer);
            }
            Ok(())
        }
        _ => {
            let message = format!(
                "This form belongs to the {made_in} environment, and you are in {} now. Nothing was done.",
                viewer.environment()
            );
            let error = Error::new(ErrorCode::EnvironmentMismatch, message)
                .hint("Switch the environment back, or open the page again in this one.");
            Err(resume::instead(viewer, parts.uri.path(), form, error).into_response())
        }
    }
}

/// Whether a form comes from our own pages, by what browsers say of it themselves and pages cannot change.
fn check_origin(app: &App, headers: &HeaderMap) -> Result<(), Error> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let is_ours = match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => {
            let (scheme, authority) = origin.split_once("://").unwrap_or_default();
            // A page without encryption may be anybody's who sits on the way.
            let is_safe = scheme == "https" || (scheme == "http" && !app.public_url.is_https());
            is_safe && (Some(authority) == text("host") || authority == app.public_url.authority)
        }
        (None, None) => false,
    };
    if is_ours {
        return Ok(());
    }
    Err(Error::new(ErrorCode::Unauthorized, "This form did not come from a page of this server. Nothing was done.")
        .hint("Open the page and send the form from there."))
}

/// A form as it is shown: with what was typed, and what was wrong.
#[derive(Default)]
pub(super) struct Entered {
    form: Form,
    error: Option<Error>,
}

impl Entered {
    /// A form with these values, before anybody typed.
    pub(super) fn with(values: &[(&str, &str)]) -> Self {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self { form: Form(values.collect()), error: None }
    }

    /// A form with what was typed, and what is wrong if anything is.
    pub(super) fn of(form: Form, error: Option<Error>) -> Self {
        Self { form, error }
    }

    /// What is in a field.
    pub(super) fn value(&self, name: &str) -> &str {
        self.form.get(name)
    }

    /// Whether a field has this value.
    pub(super) fn is(&self, name: &str, value: &str) -> bool {
        self.form.get(name) == value
    }

    /// What is wrong with a field.
    pub(super) fn wrong(&self, name: &str) -> Option<Wrong> {
        self.error.as_ref().filter(|error| error.field_name() == Some(name)).map(Wrong::of)
    }

    /// What is wrong with the whole: an error about none of these fields, whose names stand here with spaces between.
    pub(super) fn wrong_besides(&self, fields: &str) -> Option<Wrong> {
        let is_besides = |name: &str| fields.split(' ').all(|field| field != name);
        self.error.as_ref().filter(|error| error.field_name().is_none_or(is_besides)).map(Wrong::of)
    }
}

/// What was wrong, in the API's words.
pub(super) struct Wrong {
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Wrong {
    fn of(error: &Error) -> Self {
        Self { message: error.to_string(), hint: error.hint_text() }
    }
}
