//! Signing in and out: what is refused, what ends a session, and which forms are believed.

use refundkit_server::{
    accounts, limits,
    store::{StoreError, sessions},
};

use super::visitor::{OWNER, Visitor};
use crate::support::{Setting, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_in_gets_a_cookie_for_this_host_alone_and_signing_out_ends_it() {
    let stage = Stage::new().await;
    let mut ada = Visitor::stranger(&stage);
    ada.get("/settings/account").await.leads_to("/login?next=%2Fsettings%2Faccount");
    let page = ada.sign_in(" Owner@ACME.example", OWNER.1).await;
    page.leads_to("/");
    let cookie = page.cookie.unwrap();
    for part in ["__Host-refundkit=", "HttpOnly", "SameSite=Lax", "Secure", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(ada.is_signed_in().await);
    ada.post("/logout", &[]).await.leads_to("/login?notice=signed-out");
    assert!(!ada.is_signed_in().await, "what the browser kept is worth nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_address_and_a_wrong_password_are_refused_in_the_same_words() {
    let stage = Stage::new().await;
    let mut somebody = Visitor::stranger(&stage);
    let unknown = somebody.sign_in("nobody@acme.example", OWNER.1).await;
    let wrong = somebody.sign_in(OWNER.0, "not the password").await;
    for (page, email) in [(&unknown, "nobody@acme.example"), (&wrong, OWNER.0)] {
        page.has(403, &["This e-mail address and this password do not belong together.", email]);
        assert!(!page.text.contains("not the password") && page.cookie.is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tries_are_counted_where_they_come_from_as_far_as_that_is_believed() {
    let stage = Stage::with(Setting { trusted_proxies: "127.0.0.1", ..Setting::default() }).await;
    let somebody = Visitor::stranger(&stage);
    let attempt = async |email: &str, from: &str| {
        let form = somebody.form("/login", &[("email", email), ("password", "a wrong password")]);
        let form = form.header("sec-fetch-site", "same-origin").header("x-forwarded-for", from);
        somebody.send(form).await.status
    };
    for _ in 0..limits::SIGN_INS_MAX {
        assert_eq!(attempt(OWNER.0, "203.0.113.9").await, 403);
    }
    assert_eq!(attempt(OWNER.0, "203.0.113.9").await, 429);
    assert_eq!(attempt(OWNER.0, "1.1.1.1, 203.0.113.9").await, 429, "what a client invents changes nothing");
    assert_eq!(attempt("nobody@acme.example", "203.0.113.9").await, 403);
    // The owner herself is somewhere else, and not locked out.
    assert_eq!(attempt(OWNER.0, "203.0.113.10").await, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_nobody_trusts_is_not_believed() {
    let stage = Stage::new().await;
    let somebody = Visitor::stranger(&stage);
    let mut statuses = Vec::new();
    for number in 0..=limits::SIGN_INS_MAX {
        let form = somebody.form("/login", &[("email", OWNER.0), ("password", "a wrong password")]);
        let form =
            form.header("sec-fetch-site", "same-origin").header("x-forwarded-for", format!("203.0.113.{number}"));
        statuses.push(somebody.send(form).await.status);
    }
    assert_eq!(statuses.last(), Some(&429), "{statuses:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_when_nobody_uses_it_and_after_a_week_in_any_case() {
    let stage = Stage::new().await;
    let now = stage.app.env.now();
    let aged = async |seen: i64, created: i64| {
        let mut ada = Visitor::stranger(&stage);
        let page = ada.sign_in(OWNER.0, OWNER.1).await;
        let cookie = page.cookie.unwrap();
        let token = cookie.split(';').next().unwrap().split_once('=').unwrap().1.to_owned();
        let hash = accounts::token_hash(&token);
        let session = sessions::find(&mut stage.app.store.read().await.unwrap(), &hash).await.unwrap().unwrap();
        let older =
            sessions::Session { seen_at: now.plus_millis(-seen), created_at: now.plus_millis(-created), ..session };
        let write = stage.app.store.write::<_, StoreError, _>(move |connection| {
            Box::pin(async move {
                sessions::delete(connection, &older.token_hash).await?;
                sessions::insert(connection, &older).await
            })
        });
        write.await.unwrap();
        ada.is_signed_in().await
    };
    let minute = 60_000;
    assert!(aged(limits::SESSION_IDLE_MS - minute, limits::SESSION_IDLE_MS - minute).await);
    assert!(!aged(limits::SESSION_IDLE_MS + minute, limits::SESSION_IDLE_MS + minute).await);
    assert!(aged(0, limits::SESSION_MS_MAX - minute).await);
    assert!(!aged(0, limits::SESSION_MS_MAX + minute).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_from_elsewhere_or_from_the_other_environment_does_nothing() {
    let stage = Stage::new().await;
    let ada = Visitor::signed_in(&stage, OWNER).await;
    let fields = [("environment", "test"), ("name", "Stolen"), ("duplicateWindowHours", "1")];
    let path = "/settings/organization";
    ada.send(ada.form(path, &fields)).await.has(403, &["did not come from a page of this server"]);
    for (name, value) in [
        ("origin", "https://elsewhere.example"),
        ("origin", "null"),
        // The right host, as whoever sits on the way would be it.
        ("origin", "http://refunds.example"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        ada.send(ada.form(path, &fields).header(name, value)).await.has(403, &["Nothing was done"]);
    }
    ada.send(
        ada.form("/settings/account/sessions", &[("environment", "test")]).header("origin", "https://refunds.example"),
    )
    .await
    .leads_to("/settings/account?notice=sessions");
    let live = [("environment", "live"), ("name", "Stolen"), ("duplicateWindowHours", "1")];
    let mistaken = ada.send(ada.form(path, &live).header("sec-fetch-site", "same-origin")).await;
    mistaken.has(400, &["belongs to the live environment"]);
    let page = ada.get(path).await;
    assert!(!page.text.contains("Stolen"));
}

#[tokio::test(flavor = "multi_thread")]
async fn changing_the_password_asks_for_the_old_one_and_ends_the_other_sessions() {
    let stage = Stage::new().await;
    let ada = Visitor::signed_in(&stage, OWNER).await;
    let other = Visitor::signed_in(&stage, OWNER).await;
    let change = async |current: &str, new: &str| {
        ada.post("/settings/account", &[("currentPassword", current), ("password", new)]).await
    };
    let wrong = change("not the password", "another correct horse").await;
    assert_eq!(wrong.has(400, &[]).wrong("currentPassword"), "This is not your current password.");
    let short = change(OWNER.1, "short").await;
    assert!(short.has(400, &[]).wrong("password").starts_with("The password must have 12 to 200 characters."));
    assert!(!short.text.contains(OWNER.1), "no password is put back into a form");
    assert!(other.is_signed_in().await, "nothing changed yet");

    change(OWNER.1, "another correct horse").await.leads_to("/settings/account?notice=password");
    assert_eq!((ada.is_signed_in().await, other.is_signed_in().await), (true, false));
    let mut again = ada.elsewhere();
    again.sign_in(OWNER.0, OWNER.1).await.has(403, &[]);
    again.sign_in(OWNER.0, "another correct horse").await.leads_to("/");
    ada.post("/settings/account/sessions", &[]).await.leads_to("/settings/account?notice=sessions");
    assert_eq!((ada.is_signed_in().await, again.is_signed_in().await), (true, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_are_told_to_come_through_https_alone() {
    let stage = Stage::new().await;
    for path in ["/login", "/settings/account", "/nothing"] {
        let answer = reqwest::Client::new().get(format!("{}{path}", stage.url)).header("accept", "text/html");
        let answer = answer.send().await.unwrap();
        assert_eq!(answer.headers()["strict-transport-security"], "max-age=31536000", "{path}");
    }
}
