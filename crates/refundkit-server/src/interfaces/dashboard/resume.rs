//! A form that did nothing where it was sent, because its sender was signed out meanwhile or sees the other environment now, goes on.
//!
//! What was typed stays in the browser: the page to sign in carries it in hidden fields, the address after it carries it sealed, for
//! whoever signed in and for a while, and the server keeps nothing. There it is shown, with what it does and in whose name, and that
//! person's click alone sends it on, to the page it was made for. Secrets are not carried, nor fields that no page has; a refund that
//! was confirmed is shown to be confirmed again.

use std::sync::Arc;

use askama::Template;
use axum::{
    http::{StatusCode, request::Parts},
    response::{IntoResponse as _, Response},
};
use refundkit::{Environment, ErrorCode, Timestamp, UserId};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::{
    form::Form,
    page::{self, Frame, Problem, Section, Shown},
    show, sign_in,
    viewer::Viewer,
};
use crate::{accounts, app::App, error::Error, interfaces::scrub::scrub, limits};

/// The forms that can go on: where each is sent, and what it does. `{}` stands for an id.
const FORMS: [(&str, &str); 19] = [
    ("/refunds/new/confirm", "A refund, to be confirmed"),
    ("/refunds/new", "A refund, to be confirmed"),
    ("/refunds/{}/cancel", "Cancels a refund"),
    ("/settings/processors/stripe", "Saves Stripe's secret key"),
    ("/settings/processors/stripe/webhook-secret", "Saves the signing secret of Stripe's notifications"),
    ("/settings/processors/stripe/connect", "Saves the settings of Stripe Connect"),
    ("/settings/processors/stripe/test", "Tests Stripe's key"),
    ("/settings/processors/stripe/disconnect", "Disconnects Stripe"),
    ("/settings/api-keys", "Makes an API key"),
    ("/settings/api-keys/{}/revoke", "Revokes an API key"),
    ("/settings/team", "Invites somebody"),
    ("/settings/team/{}/role", "Changes the role of a member"),
    ("/settings/team/{}/remove", "Removes a member"),
    ("/settings/team/invitations/{}/revoke", "Revokes an invitation"),
    ("/settings/organization", "Changes the organization's settings"),
    ("/settings/organization/limits", "Sets what members may refund"),
    ("/settings/organization/limits/remove", "Removes a limit, so that members refund nothing in that currency"),
    ("/settings/account", "Changes your password"),
    ("/settings/account/sessions", "Signs you out everywhere else"),
];

/// What fields are called where they are typed, in the order in which they are shown. Others follow, by their name.
const LABELS: [(&str, &str); 19] = [
    ("transactionId", "Payment"),
    ("amount", "Amount"),
    ("currency", "Currency"),
    ("reason", "Reason"),
    ("allowDuplicate", "The same amount once more"),
    ("name", "Name"),
    ("scope", "Scope"),
    ("email", "E-mail"),
    ("role", "Role"),
    ("duplicateWindowHours", "Duplicate window, in hours"),
    ("remove", "Currency"),
    ("secretKey", "Stripe secret key"),
    ("webhookSecret", "Signing secret"),
    ("force", "Although refunds are open"),
    ("account", "Connected account"),
    ("reverseTransfer", "Take the transfer back"),
    ("refundApplicationFee", "Give the application fee back"),
    ("currentPassword", "Current password"),
    ("password", "New password"),
];

/// Fields that tell people nothing: the environment and the person are said in words, a number makes a form that is sent twice one
/// request, and `username` is there for browsers that remember passwords.
const UNTOLD: [&str; 4] = ["environment", "person", "formId", "username"];
/// What is in the name of each field that holds a secret.
const SECRET: [&str; 3] = ["password", "secret", "token"];
/// The field of the form to sign in that says where the carried one is sent.
const ACTION: &str = "resume";
/// How the carried fields are named in it.
const PREFIX: &str = "resume.";
/// The field by which a form that goes on says that its environment is to be shown from now on.
pub(super) const SWITCHES_TO: &str = "switchesTo";

/// A form that did nothing yet.
pub(super) struct Carried {
    action: String,
    does: &'static str,
    environment: Environment,
    fields: Vec<(String, String)>,
}

/// A form in the address to which signing in leads.
#[derive(Serialize, Deserialize)]
struct Sealed {
    action: String,
    fields: Vec<(String, String)>,
    until: Timestamp,
}

/// A field of it, as people are told.
struct Told {
    name: String,
    /// None where it is a secret, which is not carried.
    value: Option<String>,
}

impl Carried {
    /// The form that was sent to this path; none where it cannot go on.
    pub(super) fn of(path: &str, form: &Form) -> Option<Self> {
        let carried = Self {
            action: path.to_owned(),
            does: what_it_does(path)?,
            environment: form.get("environment").parse().ok()?,
            fields: form.fields().filter(|(name, _)| is_known(name)).map(without_secrets).collect(),
        };
        let mut encoded = form_urlencoded::Serializer::new(String::new());
        encoded.extend_pairs(carried.hidden());
        (encoded.finish().len() <= limits::FORM_CARRIED_BYTES_MAX).then_some(carried)
    }

    /// The form that is carried by the one to sign in.
    pub(super) fn within(form: &Form) -> Option<Self> {
        Self::of(form.given(ACTION)?, &form.behind(PREFIX))
    }

    /// The hidden fields that carry it.
    pub(super) fn hidden(&self) -> Vec<(String, &str)> {
        let action = (ACTION.to_owned(), self.action.as_str());
        let fields = self.fields.iter().map(|(name, value)| (format!("{PREFIX}{name}"), value.as_str()));
        std::iter::once(action).chain(fields).collect()
    }

    /// Who made it; none where it does not say.
    fn person(&self) -> Option<&str> {
        self.fields.iter().find(|(name, _)| name == "person").map(|(_, person)| person.as_str())
    }

    fn told(&self) -> Vec<Told> {
        let place = |name: &str| LABELS.iter().position(|(field, _)| *field == name);
        let mut fields: Vec<_> = self.fields.iter().filter(|(name, _)| !UNTOLD.contains(&name.as_str())).collect();
        fields.sort_by_key(|(name, _)| place(name).unwrap_or(LABELS.len()));
        let told = fields.into_iter().map(|(name, value)| {
            let label = LABELS.iter().find(|(field, _)| field == name).map_or(name.as_str(), |(_, label)| *label);
            let value = match value.as_str() {
                "" if is_secret(name) => None,
                "" => Some("(left empty)".to_owned()),
                value => Some(as_people_say(name, value)),
            };
            Told { name: label.to_owned(), value }
        });
        told.collect()
    }
}

/// What the form does that is sent there; none where none can go on.
fn what_it_does(path: &str) -> Option<&'static str> {
    let is_id = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
    };
    let is_there = |pattern: &str| {
        let (parts, given) = (pattern.split('/'), path.split('/'));
        parts.clone().count() == given.clone().count()
            && parts.zip(given).all(|(part, given)| if part == "{}" { is_id(given) } else { part == given })
    };
    FORMS.iter().find(|(pattern, _)| is_there(pattern)).map(|(_, does)| *does)
}

/// Whether a page has such a field. What confirmed a refund is left out: it is confirmed again.
fn is_known(name: &str) -> bool {
    UNTOLD.contains(&name) || LABELS.iter().any(|(field, _)| *field == name)
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET.iter().any(|word| name.contains(word))
}

/// A field as it is carried: what is secret is left out, and so is a key that somebody pasted in a wrong place.
fn without_secrets((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), if is_secret(name) { String::new() } else { scrub(value) })
}

/// What is in a field, in the words in which it was chosen.
fn as_people_say(name: &str, value: &str) -> String {
    match (name, value) {
        ("reason", reason) => reason.parse().map_or_else(|_| reason.to_owned(), show::reason),
        ("currency" | "remove", code) => code.to_ascii_uppercase(),
        (_, "true") => "Yes".to_owned(),
        (_, "false") => "No".to_owned(),
        (_, other) => other.to_owned(),
    }
}

#[derive(Template)]
#[template(path = "resume.html")]
struct ResumePage<'a> {
    frame: Frame<'a>,
    carried: &'a Carried,
    told: Vec<Told>,
    /// Whether somebody signed in for it just now.
    is_after_sign_in: bool,
    /// Whether another person made it.
    is_of_another: bool,
}

impl ResumePage<'_> {
    /// Whether the form is of the environment that is not shown.
    fn switches(&self) -> bool {
        self.carried.environment != self.frame.viewer.environment()
    }

    /// Whether its address is of one thing, which the fields do not name.
    fn names_one(&self) -> bool {
        FORMS.iter().all(|(pattern, _)| *pattern != self.carried.action)
    }

    fn is_live(&self) -> bool {
        self.carried.environment == Environment::Live
    }
}

fn page_of<'a>(viewer: &'a Viewer, carried: &'a Carried, is_after_sign_in: bool) -> ResumePage<'a> {
    let frame = Frame { title: "Your form", section: Section::of(&carried.action), viewer };
    let is_of_another = carried.person().is_some_and(|person| person != viewer.id().to_string());
    ResumePage { frame, carried, told: carried.told(), is_after_sign_in, is_of_another }
}

/// Where nobody is signed in, and somebody may have been: the page to sign in, which carries the form.
pub(super) async fn signed_out(app: &App, parts: &Parts, form: &Form, problem: Problem) -> Response {
    let carried = match problem {
        Problem::SignIn { .. } => Carried::of(parts.uri.path(), form),
        Problem::Failed(_) => None,
    };
    match carried {
        Some(carried) => sign_in::show_signed_out(app, &parts.headers, carried).await.into_response(),
        None => problem.into_response(),
    }
}

/// Where somebody who signed in finds the form that was carried. Nobody else can read it there, nor this person after a while.
pub(super) async fn address(app: &Arc<App>, token: &SecretString, carried: &Carried) -> Result<String, Error> {
    let Some(signed_in) = accounts::session(app, token.expose_secret()).await? else { return Ok("/login".to_owned()) };
    let until = app.env.now().plus_millis(limits::FORM_CARRIED_MS);
    let form = Sealed { action: carried.action.clone(), fields: carried.fields.clone(), until };
    let form = SecretString::from(serde_json::to_string(&form).map_err(Error::internal)?);
    let sealed = app.vault.seal(&app.env, &binding(signed_in.user.id), &form).map_err(Error::internal)?;
    Ok(format!("/resume?form={}", hex::encode(sealed)))
}

fn binding(person: UserId) -> String {
    format!("resume/{person}")
}

/// `GET /resume?form=…`: the form that was carried, shown before it is sent.
pub(super) async fn show(viewer: Viewer) -> Shown {
    let query = Form::of_query(viewer.address.split_once('?').map_or("", |(_, query)| query));
    match opened(&viewer, query.get("form")) {
        Some(carried) => page::html(&page_of(&viewer, &carried, true)),
        None => Err(Error::new(ErrorCode::NotFound, "This form does not go on from here any more.")
            .hint("It is kept for ten minutes, for the one who signed in. See whether it was sent on before, and open its page again.")
            .into()),
    }
}

/// The form in an address; none where it is not this person's, or too old.
fn opened(viewer: &Viewer, sealed: &str) -> Option<Carried> {
    let text = viewer.app.vault.open(&binding(viewer.id()), &hex::decode(sealed).ok()?).ok()?;
    serde_json::from_str::<Sealed>(text.expose_secret()).ok()?.carried(viewer.app.env.now())
}

impl Sealed {
    fn carried(self, now: Timestamp) -> Option<Carried> {
        if now > self.until {
            return None;
        }
        Carried::of(&self.action, &self.fields.into_iter().collect())
    }
}

/// In place of what a form asked for that was made in the other environment or by somebody else: the form, shown before it is sent
/// there or in this person's name. This error where it cannot go on.
pub(super) fn instead(viewer: &Viewer, path: &str, form: &Form, error: Error) -> Shown {
    match Carried::of(path, form) {
        Some(carried) => page::html_with(StatusCode::BAD_REQUEST, &page_of(viewer, &carried, false)),
        None => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// The templates, by their names.
    fn templates() -> Vec<(String, String)> {
        let folder = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/templates")).unwrap();
        let files = folder.map(|file| file.unwrap().path());
        files.map(|path| (path.display().to_string(), fs::read_to_string(&path).unwrap())).collect()
    }

    /// What stands between the quotes of an attribute, with an id in place of each expression.
    fn attribute(tag: &str, name: &str) -> Option<String> {
        let mut value = String::new();
        let mut rest = tag.split_once(&format!(" {name}=\""))?.1;
        loop {
            let end = rest.find(['"', '{'])?;
            let (plain, after) = rest.split_at(end);
            value.push_str(plain);
            match after.strip_prefix("{{") {
                Some(expression) => (value, rest) = (value + "id_1", expression.split_once("}}")?.1),
                None => return Some(value),
            }
        }
    }

    fn tags(text: &str, begin: &str) -> Vec<String> {
        text.split(begin).skip(1).map(|rest| format!("{begin}{}", rest.split(">\n").next().unwrap())).collect()
    }

    #[test]
    fn every_form_that_changes_something_can_go_on_and_no_other() {
        let mut sent_to = Vec::new();
        for (path, text) in templates() {
            for form in tags(&text, "<form ").iter().filter(|form| form.contains("method=\"post\"")) {
                // Forms without an address are sent to where they are: by people whom nobody knows yet.
                let Some(action) = attribute(form, "action").filter(|action| action != "id_1") else { continue };
                if ["/login", "/logout", "/environment"].contains(&action.as_str()) {
                    assert_eq!(what_it_does(&action), None);
                } else {
                    assert!(what_it_does(&action).is_some(), "{path}: {action}");
                    sent_to.push(action);
                }
            }
        }
        for (pattern, _) in FORMS {
            assert!(sent_to.contains(&pattern.replace("{}", "id_1")), "no form is sent to {pattern}");
        }
    }

    #[test]
    fn a_form_goes_nowhere_but_to_its_own_page() {
        for path in [
            "",
            "/",
            "/login",
            "/logout",
            "/environment",
            "/setup",
            "/invitation",
            "/refunds",
            "/refunds/new/",
            "/refunds/new?next=/",
            "/refunds//cancel",
            "/refunds/../cancel",
            "/refunds/a b/cancel",
            "/refunds/ref_1/cancel/",
            "/refunds/%2e%2e/cancel",
            "//elsewhere.example/refunds/new",
            "https://elsewhere.example/refunds/new",
            "refunds/new",
            "/v1/refunds",
        ] {
            assert_eq!(what_it_does(path), None, "{path}");
        }
    }

    #[test]
    fn secrets_are_told_by_the_names_of_their_fields() {
        let mut secrets = 0;
        for (path, text) in templates() {
            for input in tags(&text, "<input ") {
                let Some(name) = attribute(&input, "name") else { continue };
                let is_hidden_from_view = input.contains("type=\"password\"");
                assert_eq!(is_secret(&name), is_hidden_from_view, "{path}: {name}");
                secrets += usize::from(is_hidden_from_view);
            }
        }
        assert!(secrets >= 6, "the fields are written in another way now");
        for name in ["token", "sessionToken", "newPassword", "client_secret"] {
            assert!(is_secret(name), "{name}");
        }
    }

    #[test]
    fn a_sealed_form_goes_on_until_its_time_is_over() {
        let until: Timestamp = "2026-02-22T12:00:00Z".parse().unwrap();
        let sealed = || Sealed {
            action: "/settings/api-keys".to_owned(),
            fields: vec![("environment".to_owned(), "test".to_owned())],
            until,
        };
        assert!(sealed().carried(until).is_some());
        assert!(sealed().carried(until.plus_millis(1)).is_none());
    }

    fn form(fields: &[(&str, &str)]) -> Form {
        Form::of_query(&form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish())
    }

    #[test]
    fn a_form_is_carried_whole_but_for_secrets_and_comes_out_as_it_went_in() {
        let key = "sk_test_51HnobodyKnowsThisKeyAtAll";
        let fields = [
            ("environment", "live"),
            ("secretKey", key),
            ("account", key),
            ("name", " <A> & \"b\"\r\n"),
            ("scope", ""),
            ("resume", "/settings/account"),
            ("resume.name", "nested"),
            ("In your name", "somebody@else.example"),
            ("idempotencyKey", "dashboard_1"),
            (SWITCHES_TO, "live"),
        ];
        let carried = Carried::of("/settings/processors/stripe", &form(&fields)).unwrap();
        let hidden = carried.hidden();
        let hidden: Vec<_> = hidden.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        assert!(hidden.iter().all(|(_, value)| !value.contains("nobodyKnows")), "{hidden:?}");
        let again = Carried::within(&form(&hidden)).unwrap();
        assert_eq!((&again.action, again.environment), (&carried.action, Environment::Live));
        assert_eq!(again.fields, carried.fields);
        let field = |name: &str| again.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str());
        assert_eq!((field("secretKey"), field("scope"), field("name")), (Some(""), Some(""), Some(" <A> & \"b\"\r\n")));
        for unknown in ["resume", "resume.name", "In your name", "idempotencyKey", SWITCHES_TO] {
            assert_eq!(field(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn what_no_person_typed_is_not_carried() {
        let long = "é".repeat(limits::FORM_CARRIED_BYTES_MAX / 6);
        assert!(Carried::of("/refunds/new", &form(&[("environment", "test"), ("amount", &long)])).is_none());
        for environment in ["", "staging"] {
            assert!(Carried::of("/refunds/new", &form(&[("environment", environment)])).is_none());
        }
    }
}
