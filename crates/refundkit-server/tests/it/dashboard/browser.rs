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

/// What stands for the hash of a password by which nobody signs in.
const NO_PASSWORD: &str = "nobody signs in by this";

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
    pub(super) cookie: Option<String>,
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

    /// The hidden fields of the form that is sent to this address, without the environment.
    pub(super) fn hidden(&self, action: &str) -> Vec<(String, String)> {
        self.all_hidden(action).into_iter().filter(|(name, _)| name != "environment").collect()
    }

    /// All of them.
    #[track_caller]
    pub(super) fn all_hidden(&self, action: &str) -> Vec<(String, String)> {
        let form = self.between(&format!("action=\"{action}\">"), "</form>");
        let fields = form.split("<input type=\"hidden\" name=\"").skip(1).map(|rest| {
            let (name, rest) = rest.split_once("\" value=\"").unwrap();
            (name.to_owned(), rest.split('"').next().unwrap().to_owned())
        });
        fields.collect()
    }

    /// Where the page is kept up to date.
    #[track_caller]
    pub(super) fn live(&self) -> &str {
        self.between("hx-sse:connect=\"", "\"")
    }

    /// Holds that this leads on to an address.
    #[track_caller]
    pub(super) fn leads_to(&self, address: &str) {
        assert_eq!((self.status, self.location.as_deref()), (303, Some(address)), "{}", self.text);
    }

    #[track_caller]
    pub(super) fn between(&self, begin: &str, end: &str) -> &str {
        let (_, after) = self.text.split_once(begin).unwrap_or_else(|| panic!("no {begin}: {}", self.text));
        after.split(end).next().unwrap()
    }
}

impl Page {
    /// Sends a request, and reads the page.
    pub(super) async fn of(request: RequestBuilder) -> Self {
        let answer = request.send().await.unwrap();
        let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (status, location, cookie) = (answer.status().as_u16(), header("location"), header("set-cookie"));
        Self { status, location, cookie, text: answer.text().await.unwrap() }
    }
}

/// A form as it is sent, without what browsers say of where it was made.
pub(super) fn form(http: &Client, stage: &Stage, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let request = http.post(format!("{}{path}", stage.url)).body(form);
    request.header("content-type", "application/x-www-form-urlencoded")
}

/// Writes somebody down.
pub(super) async fn insert(stage: &Stage, user: &User, password_hash: &str) {
    let (new, hash) = (user.clone(), password_hash.to_owned());
    let insert = stage.app.store.write::<_, StoreError, _>(move |connection| {
        Box::pin(async move { users::insert(connection, &new, &hash).await })
    });
    insert.await.unwrap();
}

/// The owner of another organization, whom nobody has written down yet.
pub(super) async fn owner_of_another(stage: &Stage) -> User {
    let key = stage.other_organization().await;
    let me = crate::support::send(stage.request(reqwest::Method::GET, "/v1/me", &key)).await;
    let organization_id: OrganizationId = me.data(200)["organizationId"].as_str().unwrap().parse().unwrap();
    User {
        id: UserId::from_bits(8),
        organization_id,
        email: "owner@other.example".to_owned(),
        role: Role::Owner,
        created_at: stage.app.env.now(),
        signed_in_at: None,
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

    /// Somebody of this role in the stage's organization.
    pub(super) async fn of(stage: &'a Stage, role: Role) -> Self {
        if role == Role::Owner {
            return Self::owner(stage).await;
        }
        let user = User {
            id: stage.app.env.new_user_id(),
            organization_id: stage.tenant().await.organization_id,
            email: format!("{role}@acme.example"),
            role,
            created_at: stage.app.env.now(),
            signed_in_at: None,
        };
        insert(stage, &user, NO_PASSWORD).await;
        Self::signed_in(stage, &user).await
    }

    /// Somebody of another organization.
    pub(super) async fn of_another(stage: &'a Stage) -> Self {
        let user = owner_of_another(stage).await;
        insert(stage, &user, NO_PASSWORD).await;
        Self::signed_in(stage, &user).await
    }

    async fn signed_in(stage: &'a Stage, user: &User) -> Self {
        let token = accounts::begin_session(&stage.app, user).await.unwrap();
        let cookie = format!("__Host-refundkit={}", token.expose_secret());
        Self { stage, http: Client::builder().redirect(Policy::none()).build().unwrap(), cookie }
    }

    pub(super) async fn send(&self, request: RequestBuilder) -> Page {
        Page::of(request.header("cookie", &self.cookie)).await
    }

    pub(super) async fn get(&self, path: &str) -> Page {
        self.send(self.http.get(format!("{}{path}", self.stage.url))).await
    }

    /// An answer that is read as it comes.
    pub(super) async fn open(&self, path: &str) -> Response {
        let request = self.http.get(format!("{}{}", self.stage.url, path.replace("&#38;", "&")));
        request.header("cookie", &self.cookie).send().await.unwrap()
    }

    /// A form as a page of the test environment has it, without what browsers say of where it was made.
    pub(super) fn form(&self, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
        form(&self.http, self.stage, path, &[&[("environment", "test")], fields].concat())
    }

    /// Sends a form as a page of this environment would.
    pub(super) async fn post_in(&self, environment: &str, path: &str, fields: &[(&str, &str)]) -> Page {
        let fields = [&[("environment", environment)], fields].concat();
        self.send(form(&self.http, self.stage, path, &fields).header("sec-fetch-site", "same-origin")).await
    }

    /// Sends a form that is done, and follows to the page that says so.
    pub(super) async fn done(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let page = self.post(path, fields).await;
        let location = page.has(303, &[]).location.clone().unwrap();
        self.get(&location).await
    }

    pub(super) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        self.post_in("test", path, fields).await
    }
}
