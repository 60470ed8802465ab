//! A browser with somebody signed in: what it sends, and what it reads on a page.

use refundkit::{OrganizationId, UserId};
use refundkit_server::{
    accounts,
    caller::Role,
    store::{StoreError, users, users::User},
};
use reqwest::{Client, RequestBuilder, Response, redirect::Policy};
use secrecy::ExposeSecret as _;

use crate::support::Stage;

/// A browser with somebody signed in.
pub(super) struct Browser<'a> {
    pub(super) stage: &'a Stage,
    http: Client,
    cookie: String,
}

/// A page as it arrived.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) status: u16,
    pub(super) text: String,
    pub(super) location: Option<String>,
}

impl Page {
    /// The page itself, of an answer of this status, with these words in it.
    #[track_caller]
    pub(super) fn has(&self, status: u16, words: &[&str]) -> &Self {
        assert_eq!(self.status, status, "{}", self.text);
        for words in words {
            assert!(self.text.contains(words), "no '{words}' in {}", self.text);
        }
        self
    }

    #[track_caller]
    pub(super) fn has_not(&self, words: &[&str]) -> &Self {
        for words in words {
            assert!(!self.text.contains(words), "'{words}' in {}", self.text);
        }
        self
    }

    /// The words that stand beside a field.
    #[track_caller]
    pub(super) fn wrong(&self, field: &str) -> &str {
        self.between(&format!("id=\"{field}-wrong\">"), "</p>")
    }

    /// What is in a field.
    #[track_caller]
    pub(super) fn value(&self, name: &str) -> &str {
        self.between(&format!("name=\"{name}\""), ">").split("value=\"").nth(1).unwrap().split('"').next().unwrap()
    }

    /// The hidden fields of the form that is sent to this address.
    pub(super) fn hidden(&self, action: &str) -> Vec<(String, String)> {
        let form = self.between(&format!("action=\"{action}\">"), "</form>");
        let fields = form.split("<input type=\"hidden\" name=\"").skip(1).map(|rest| {
            let (name, rest) = rest.split_once("\" value=\"").unwrap();
            (name.to_owned(), rest.split('"').next().unwrap().to_owned())
        });
        fields.filter(|(name, _)| name != "environment").collect()
    }

    /// Where the page is kept up to date.
    #[track_caller]
    pub(super) fn live(&self) -> &str {
        self.between("hx-sse:connect=\"", "\"")
    }

    #[track_caller]
    fn between(&self, begin: &str, end: &str) -> &str {
        let (_, after) = self.text.split_once(begin).unwrap_or_else(|| panic!("no {begin}: {}", self.text));
        after.split(end).next().unwrap()
    }
}

impl<'a> Browser<'a> {
    /// The owner of the stage's organization.
    pub(super) async fn owner(stage: &'a Stage) -> Self {
        let mut connection = stage.app.store.read().await.unwrap();
        let found = users::find_by_email(&mut connection, "owner@acme.example").await.unwrap();
        drop(connection);
        Self::signed_in(stage, &found.unwrap().0).await
    }

    /// Somebody of another organization.
    pub(super) async fn of_another(stage: &'a Stage) -> Self {
        let key = stage.other_organization().await;
        let me = crate::support::send(stage.request(reqwest::Method::GET, "/v1/me", &key)).await;
        let organization_id: OrganizationId = me.data(200)["organizationId"].as_str().unwrap().parse().unwrap();
        let user = User {
            id: UserId::from_bits(8),
            organization_id,
            email: "owner@other.example".to_owned(),
            role: Role::Owner,
            created_at: stage.app.env.now(),
            signed_in_at: None,
        };
        let new = user.clone();
        let insert = stage.app.store.write::<_, StoreError, _>(move |connection| {
            Box::pin(async move { users::insert(connection, &new, "nobody signs in by this").await })
        });
        insert.await.unwrap();
        Self::signed_in(stage, &user).await
    }

    async fn signed_in(stage: &'a Stage, user: &User) -> Self {
        let token = accounts::begin_session(&stage.app, user).await.unwrap();
        let cookie = format!("__Host-refundkit={}", token.expose_secret());
        Self { stage, http: Client::builder().redirect(Policy::none()).build().unwrap(), cookie }
    }

    async fn send(&self, request: RequestBuilder) -> Page {
        let answer = request.header("cookie", &self.cookie).send().await.unwrap();
        let location = answer.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
        Page { status: answer.status().as_u16(), location, text: answer.text().await.unwrap() }
    }

    pub(super) async fn get(&self, path: &str) -> Page {
        self.send(self.http.get(format!("{}{path}", self.stage.url))).await
    }

    /// An answer that is read as it comes.
    pub(super) async fn open(&self, path: &str) -> Response {
        let request = self.http.get(format!("{}{}", self.stage.url, path.replace("&amp;", "&")));
        request.header("cookie", &self.cookie).send().await.unwrap()
    }

    /// Sends a form as a page of this environment would.
    pub(super) async fn post_in(&self, environment: &str, path: &str, fields: &[(&str, &str)]) -> Page {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("environment", environment).extend_pairs(fields);
        let request = self.http.post(format!("{}{path}", self.stage.url)).body(form.finish());
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        self.send(request.header("sec-fetch-site", "same-origin")).await
    }

    pub(super) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        self.post_in("test", path, fields).await
    }
}
