//! Somebody at a browser: an address, a password, a cookie, and what is read on a page.

use refundkit_server::{accounts, caller::Role, store::users::User};
use reqwest::{Client, RequestBuilder, redirect::Policy};
use secrecy::SecretString;

use super::browser::{self, Page};
use crate::support::Stage;

/// The owner of every stage.
pub(super) const OWNER: (&str, &str) = ("owner@acme.example", "correct horse battery");

/// Somebody at a browser.
pub(super) struct Visitor<'a> {
    stage: &'a Stage,
    http: Client,
    cookie: Option<String>,
}

/// The address of a new member of this role. The stage's first owner has the plain one.
fn address(role: Role) -> String {
    let second = if role == Role::Owner { ".2" } else { "" };
    format!("{role}{second}@acme.example")
}

impl<'a> Visitor<'a> {
    /// Somebody whom nobody knows.
    pub(super) fn stranger(stage: &'a Stage) -> Self {
        Self { stage, http: Client::builder().redirect(Policy::none()).build().unwrap(), cookie: None }
    }

    /// Somebody who signed in.
    pub(super) async fn signed_in(stage: &'a Stage, (email, password): (&str, &str)) -> Self {
        let mut visitor = Self::stranger(stage);
        visitor.sign_in(email, password).await.leads_to("/");
        visitor
    }

    /// A new member of the stage's organization, who signed in.
    pub(super) async fn of_role(stage: &'a Stage, role: Role) -> Self {
        let (email, password) = (address(role), "a password of twenty");
        let hash = accounts::hash_password(SecretString::from(password)).await.unwrap();
        let user = User {
            id: stage.app.env.new_user_id(),
            organization_id: stage.tenant().await.organization_id,
            email: email.clone(),
            role,
            created_at: stage.app.env.now(),
            signed_in_at: None,
        };
        browser::insert(stage, &user, &hash).await;
        Self::signed_in(stage, (&email, password)).await
    }

    /// The owner of another organization, who can sign in.
    pub(super) async fn of_another(stage: &'a Stage) -> (Self, (String, &'static str)) {
        let (user, password) = (browser::owner_of_another(stage).await, "a password of twenty");
        let hash = accounts::hash_password(SecretString::from(password)).await.unwrap();
        browser::insert(stage, &user, &hash).await;
        (Self::stranger(stage), (user.email, password))
    }

    /// The same person at another browser, without a cookie.
    pub(super) fn elsewhere(&self) -> Self {
        Self::stranger(self.stage)
    }

    pub(super) async fn send(&self, request: RequestBuilder) -> Page {
        Page::of(match &self.cookie {
            Some(cookie) => request.header("cookie", cookie),
            None => request,
        })
        .await
    }

    pub(super) async fn get(&self, path: &str) -> Page {
        self.send(self.http.get(format!("{}{path}", self.stage.url))).await
    }

    /// A form as it is sent, without what browsers say of where it was made.
    pub(super) fn form(&self, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
        browser::form(&self.http, self.stage, path, fields)
    }

    /// Sends a form of a page of the test environment.
    pub(super) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        self.post_in("test", path, fields).await
    }

    /// Sends a form of a page of this environment.
    pub(super) async fn post_in(&self, environment: &str, path: &str, fields: &[(&str, &str)]) -> Page {
        let fields = [&[("environment", environment)], fields].concat();
        self.send(self.form(path, &fields).header("sec-fetch-site", "same-origin")).await
    }

    /// Sends a form with these fields and no others, as a page does that has them.
    pub(super) async fn send_form(&self, path: &str, fields: &[(String, String)]) -> Page {
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.send(self.form(path, &fields).header("sec-fetch-site", "same-origin")).await
    }

    /// The first bytes of a form that is sent bit by bit, with what browsers say of it; what is missing of it.
    pub(super) fn head_of_form(&self, path: &str, fields: &[(&str, &str)]) -> (String, String) {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let (cookie, length) = (self.cookie.as_deref().unwrap_or_default(), form.len());
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\nsec-fetch-site: same-origin\r\ncookie: {cookie}\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
        );
        (head, form)
    }

    /// Signs in, and keeps the cookie.
    pub(super) async fn sign_in(&mut self, email: &str, password: &str) -> Page {
        let page = self.post("/login", &[("email", email), ("password", password)]).await;
        self.keep(&page);
        page
    }

    /// Keeps the cookie of an answer, as a browser does.
    pub(super) fn keep(&mut self, page: &Page) {
        if let Some(cookie) = &page.cookie {
            self.cookie = cookie.split(';').next().map(str::to_owned);
        }
    }

    /// Holds that this browser is signed in, or is not.
    pub(super) async fn is_signed_in(&self) -> bool {
        self.get("/settings/account").await.status == 200
    }
}
