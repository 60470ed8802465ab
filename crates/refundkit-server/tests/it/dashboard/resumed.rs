//! Forms that come too late, or from the other environment: nothing typed is lost, and nothing is done without a click.

use refundkit_server::{caller::Role, limits};

use super::{
    browser::Page,
    people::id_of,
    visitor::{OWNER, Visitor},
};
use crate::support::Stage;

const CHARGE: &str = "ch_1N4HbSKz9cXRvFYr";
const CREATE: &str = "/refunds/new";
const SIGNED_OUT: &str = "You were signed out meanwhile. Nothing was done. Sign in, and your form goes on.";
const KEY: &str = "sk_test_51HnobodyKnowsThisKeyAtAll";

fn owned(fields: &[(&str, &str)]) -> Vec<(String, String)> {
    fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The fields of a refund that was confirmed, ready to be sent.
async fn confirmed(who: &Visitor<'_>, amount: &str) -> Vec<(String, String)> {
    let page = who.get(&format!("/refunds/new?transactionId={CHARGE}")).await;
    let fields = [
        ("transactionId", CHARGE),
        ("amount", amount),
        ("currency", "usd"),
        ("reason", "product_defective"),
        ("formId", page.has(200, &[]).value("formId")),
    ];
    who.post("/refunds/new/confirm", &fields).await.has(200, &["What will happen"]).all_hidden(CREATE)
}

/// Ends somebody's session from another browser.
async fn end_session(stage: &Stage) {
    let elsewhere = Visitor::signed_in(stage, OWNER).await;
    elsewhere.post("/settings/account/sessions", &[]).await.leads_to("/settings/account?notice=sessions");
}

/// The owner of another organization, signed in.
async fn another(stage: &Stage) -> Visitor<'_> {
    let (mut stranger, (email, password)) = Visitor::of_another(stage).await;
    let answer = stranger.post("/login", &[("email", &email), ("password", password)]).await;
    stranger.keep(&answer);
    stranger
}

/// Signs in on the page that carries a form.
async fn sign_in_on(page: &Page, who: &mut Visitor<'_>, (email, password): (&str, &str)) -> Page {
    let mut fields = page.all_hidden("/login");
    fields.extend(owned(&[("email", email), ("password", password)]));
    let answer = who.send_form("/login", &fields).await;
    who.keep(&answer);
    match &answer.location {
        Some(address) => {
            assert_eq!(answer.status, 303, "a page that answers a password can be asked for again");
            who.get(address).await
        }
        None => answer,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_was_confirmed_too_late_goes_on_after_signing_in_and_is_made_once() {
    let stage = Stage::new().await;
    let mut ada = Visitor::signed_in(&stage, OWNER).await;
    let fields = confirmed(&ada, "25.00").await;
    end_session(&stage).await;

    let late = ada.send_form(CREATE, &fields).await;
    late.has(401, &[SIGNED_OUT, "name=\"resume\" value=\"/refunds/new\"", "name=\"resume.amount\" value=\"25.00\""]);
    let wrong = sign_in_on(&late, &mut ada, (OWNER.0, "not the password")).await;
    wrong.has(403, &[SIGNED_OUT, "do not belong together"]);
    let shown = sign_in_on(&wrong, &mut ada, OWNER).await;
    shown.has(
        200,
        &[
            "What was typed is kept",
            "A refund, to be confirmed",
            "<dt>Payment</dt><dd>ch_1N4HbSKz9cXRvFYr</dd>",
            "<dt>Amount</dt><dd>25.00</dd>",
            "<dt>Currency</dt><dd>USD</dd>",
            "<dt>Reason</dt><dd>Product defective</dd>",
            "<dt>In your name</dt><dd>owner@acme.example</dd>",
            "Go on</button>",
        ],
    );
    shown.has_not(&["Switch to", "Live:", "Not kept"]);
    assert!(ada.is_signed_in().await);
    assert_eq!(stage.refunded_at_stripe(CHARGE).await, (0, 0), "nothing happens without a click");

    let form = shown.all_hidden(CREATE);
    let (kept, left): (Vec<_>, Vec<_>) = fields.iter().partition(|field| form.contains(field));
    assert_eq!((form.len(), left.len()), (kept.len(), 1), "nothing is lost but that it was confirmed: {form:?}");
    let asked_again = ada.send_form(CREATE, &form).await;
    let form = asked_again.has(200, &["Refund 25.00 USD?", "What will happen"]).all_hidden(CREATE);
    assert_eq!(stage.refunded_at_stripe(CHARGE).await, (0, 0), "it is confirmed again");
    let made = ada.send_form(CREATE, &form).await;
    let address = made.has(303, &[]).location.clone().unwrap();
    assert!(address.starts_with("/refunds/ref_"), "{address}");
    ada.send_form(CREATE, &form).await.leads_to(&address);
    // The page that was left open in another tab asks for the same refund.
    ada.send_form(CREATE, &fields).await.leads_to(&address);
    assert_eq!(stage.refunded_at_stripe(CHARGE).await, (2500, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_not_carried_and_are_asked_for_again_beside_what_was_kept() {
    let stage = Stage::new().await;
    let mut ada = Visitor::stranger(&stage);
    let connect = "/settings/processors/stripe";
    let late = ada.post(connect, &[("secretKey", KEY), ("webhookSecret", "whsec_abcdefghijklmnop")]).await;
    late.has(401, &[SIGNED_OUT]).has_not(&["51HnobodyKnows", "abcdefghijklmnop"]);
    let shown = sign_in_on(&late, &mut ada, OWNER).await;
    shown.has(200, &["Saves Stripe&#39;s secret key", "Not kept, because it is a secret"]);
    let refused = ada.send_form(connect, &shown.all_hidden(connect)).await;
    assert!(refused.has(400, &[]).wrong("secretKey").contains("is empty"), "{}", refused.text);

    let account = "/settings/account";
    let fields = [("username", OWNER.0), ("currentPassword", OWNER.1), ("password", "another correct horse")];
    let late = Visitor::stranger(&stage).post(account, &fields).await;
    late.has(401, &[SIGNED_OUT]).has_not(&[OWNER.1, "another correct"]);
    let shown = sign_in_on(&late, &mut ada, OWNER).await;
    let refused = ada.send_form(account, &shown.has(200, &["Changes your password"]).all_hidden(account)).await;
    assert!(!refused.has(400, &[]).wrong("currentPassword").is_empty());

    // A key that was pasted in a wrong place is one too.
    let keys = "/settings/api-keys";
    let late = Visitor::stranger(&stage).post(keys, &[("name", KEY), ("scope", "read")]).await;
    late.has(401, &["sk_test_***"]).has_not(&["51HnobodyKnows"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_the_other_environment_is_shown_and_one_click_switches_and_goes_on() {
    let stage = Stage::new().await;
    let ada = Visitor::signed_in(&stage, OWNER).await;
    let fields = confirmed(&ada, "25.00").await;
    ada.post("/environment", &[("switchTo", "live"), ("next", "/")]).await.leads_to("/");
    let stopped = ada.send_form(CREATE, &fields).await;
    stopped.has(
        400,
        &[
            "This form belongs to the test environment, and you are in live now. Nothing was done.",
            "<dt>Amount</dt><dd>25.00</dd>",
            "Switch to test and go on</button>",
            "<body class=\"live\">",
        ],
    );
    assert_eq!(stage.refunded_at_stripe(CHARGE).await, (0, 0));
    ada.get("/").await.has(200, &["<body class=\"live\">"]);

    let form = stopped.all_hidden(CREATE);
    let forged = ada.form(CREATE, &[("environment", "test"), ("switchesTo", "test")]);
    ada.send(forged.header("sec-fetch-site", "cross-site")).await.has(403, &["Nothing was done"]);
    let mut other = form.clone();
    other.iter_mut().filter(|(name, _)| name == "switchesTo").for_each(|(_, value)| "live".clone_into(value));
    ada.send_form(CREATE, &other).await.has(400, &["Nothing was done"]);
    ada.get("/").await.has(200, &["<body class=\"live\">"]);

    let asked_again = ada.send_form(CREATE, &form).await;
    let form = asked_again.has(200, &["Refund 25.00 USD?", "<body class=\"test\">"]).all_hidden(CREATE);
    let made = ada.send_form(CREATE, &form).await;
    let address = made.has(303, &[]).location.clone().unwrap();
    ada.get(&address).await.has(200, &["<body class=\"test\">", "25.00 USD"]);
    ada.send_form(CREATE, &fields).await.leads_to(&address);
    assert_eq!(stage.refunded_at_stripe(CHARGE).await, (2500, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_in_to_test_is_told_of_a_form_that_was_made_in_live() {
    let stage = Stage::new().await;
    let mut ada = Visitor::stranger(&stage);
    let path = "/settings/organization";
    let fields = owned(&[("environment", "live"), ("name", "Acme & Söhne"), ("duplicateWindowHours", "48")]);
    let late = ada.send_form(path, &fields).await;
    let shown = sign_in_on(late.has(401, &[SIGNED_OUT]), &mut ada, OWNER).await;
    shown.has(
        200,
        &[
            "This form belongs to the live environment, and you are in test now.",
            "What was typed is kept",
            "Live:",
            "<dt>Duplicate window, in hours</dt><dd>48</dd>",
            "Switch to live and go on</button>",
            "<body class=\"test\">",
        ],
    );
    ada.get(path).await.has(200, &["<body class=\"test\">"]).has_not(&["Söhne"]);
    let form = [fields, owned(&[("switchesTo", "live")])].concat();
    ada.send_form(path, &form).await.leads_to("/settings/organization?notice=saved");
    ada.get(path).await.has(200, &["<body class=\"live\">", "Söhne"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_signs_in_sees_what_would_be_sent_in_their_own_name_and_may_do_no_more_than_ever() {
    let stage = Stage::new().await;
    let amy = Visitor::of_role(&stage, Role::Admin).await;
    let id = id_of(&stage, OWNER.0).await;
    let path = format!("/settings/team/{id}/role");
    let late = amy.elsewhere().post(&path, &[("role", "member")]).await;
    // Somebody left this page for the next one at the same browser.
    let mut next = amy.elsewhere();
    let shown = sign_in_on(&late, &mut next, ("admin@acme.example", "a password of twenty")).await;
    shown.has(
        200,
        &[
            "Changes the role of a member",
            &format!("<code>{path}</code>"),
            "<dt>Role</dt><dd>member</dd>",
            "<dt>In your name</dt><dd>admin@acme.example</dd>",
        ],
    );
    let refused = next.send_form(&path, &shown.all_hidden(&path)).await;
    refused.has(403, &["That is not yours to do", "<nav aria-label=\"Main\">", "<body class=\"test\">"]);

    let made = stage.create("py_1SandboxActionNeeded", 800).await;
    let path = format!("/refunds/{}/cancel", made.data(201)["id"].as_str().unwrap());
    let late = amy.elsewhere().post(&path, &[]).await;
    let (mut stranger, (email, password)) = Visitor::of_another(&stage).await;
    let shown = sign_in_on(&late, &mut stranger, (&email, password)).await;
    shown.has(200, &["Cancels a refund", "owner@other.example"]).has_not(&["8.00", "800", "Acme"]);
    stranger.send_form(&path, &shown.all_hidden(&path)).await.has(404, &["There is nothing here"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_somebody_else_is_shown_before_it_is_done_in_ones_own_name() {
    let stage = Stage::new().await;
    let ada = Visitor::signed_in(&stage, OWNER).await;
    let fields = confirmed(&ada, "25.00").await;
    let path = "/settings/organization";
    let saved = ada.get(path).await.all_hidden(path);
    let saved = [saved, owned(&[("name", "Renamed"), ("duplicateWindowHours", "0")])].concat();
    // Another person signed in at the same browser, in another tab.
    let stranger = another(&stage).await;
    for (path, fields) in [(CREATE, &fields), (path, &saved)] {
        let shown = stranger.send_form(path, fields).await;
        shown.has(400, &["Somebody else made this form in this browser. Nothing was done.", "in your name, for Other"]);
        assert_ne!(shown.all_hidden(path), *fields, "sent on, it is the form of whoever sends it");
    }
    stranger.get(path).await.has(200, &[]).has_not(&["Renamed"]);
    assert_eq!(stage.refunded_at_stripe(CHARGE).await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_carried_form_opens_for_the_one_who_signed_in_and_nobody_else() {
    let stage = Stage::new().await;
    let mut ada = Visitor::stranger(&stage);
    let late = ada.post("/settings/api-keys", &[("name", "Shop"), ("scope", "read")]).await;
    let mut fields = late.all_hidden("/login");
    fields.extend(owned(&[("email", OWNER.0), ("password", OWNER.1)]));
    let answer = ada.send_form("/login", &fields).await;
    ada.keep(&answer);
    let address = answer.location.clone().unwrap();
    assert!(address.starts_with("/resume?form=") && !address.contains("Shop"), "{address}");
    ada.get(&address).await.has(200, &["Makes an API key", "<dd>Shop</dd>"]);
    let stranger = another(&stage).await;
    stranger.get(&address).await.has(404, &["does not go on from here any more"]).has_not(&["Shop"]);
    let altered = format!("{}00", &address[..address.len() - 2]);
    for address in [altered.as_str(), "/resume?form=nonsense", "/resume"] {
        ada.get(address).await.has(404, &["does not go on from here any more"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_carried_but_forms_of_our_own_that_can_go_on() {
    let stage = Stage::new().await;
    let mut ada = Visitor::stranger(&stage);
    for path in ["/logout", "/environment"] {
        ada.post(path, &[("switchTo", "live")]).await.leads_to("/login");
    }
    let fields = [("environment", "test"), ("email", "eve@elsewhere.example"), ("role", "admin")];
    for site in ["cross-site", "same-site", "none"] {
        let forged = ada.form("/settings/team", &fields).header("sec-fetch-site", site);
        ada.send(forged).await.has(403, &["Nothing was done"]).has_not(&["name=\"resume"]);
    }
    let long = "x".repeat(limits::FORM_CARRIED_BYTES_MAX);
    ada.post("/settings/team", &[("email", &long), ("role", "admin")]).await.leads_to("/login");
    ada.send_form("/settings/team", &owned(&[("email", "no environment")])).await.leads_to("/login");

    for action in
        ["/logout", "/login", "/setup", "/environment", "//elsewhere.example/refunds/new", "https://e.example"]
    {
        let fields = [("resume", action), ("resume.environment", "test"), ("email", OWNER.0), ("password", OWNER.1)];
        let answer = ada.post("/login", &fields).await;
        ada.keep(&answer);
        answer.leads_to("/");
        assert!(ada.is_signed_in().await, "{action}");
    }
    // What is in the fields is text and nothing else.
    let fields = [("\"><script>", "\"><script>alert(1)</script>"), ("name", "<b>")];
    let shown = ada.post_in("live", "/settings/api-keys", &fields).await;
    shown.has(400, &["Makes an API key", "<dd>&#60;b&#62;</dd>"]).has_not(&["<script>", "<b>", "\"\">"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_for_somebody_who_is_signed_in_is_said_within_the_frame() {
    let stage = Stage::new().await;
    let (ada, bob) = (Visitor::signed_in(&stage, OWNER).await, Visitor::of_role(&stage, Role::Member).await);
    let frame =
        ["<nav aria-label=\"Main\">", "<body class=\"test\">", "· Acme · RefundKit</title>", "Request <code>req_"];
    let missing = ada.get("/refunds/ref_01k9zzzzzzzzzzzzzzzzzzzzzz").await;
    missing.has(404, &frame).has(404, &["There is nothing here", "href=\"/refunds\" aria-current=\"page\""]);
    bob.get("/settings/team").await.has(403, &frame).has(403, &["That is not yours to do", "you are member"]);
    let nowhere = ada.form("/nowhere", &[]).build().unwrap().url().clone();
    let asked = reqwest::Client::new().get(nowhere.clone()).header("accept", "text/html");
    ada.send(asked.try_clone().unwrap()).await.has(404, &frame).has_not(&["aria-current"]);

    let only_a_form = ada.form("/settings/team/user_1/role", &[]).build().unwrap().url().clone();
    let only_a_form = reqwest::Client::new().get(only_a_form).header("accept", "text/html");
    ada.send(only_a_form).await.has(405, &frame).has(405, &["GET is not possible here"]);

    let stranger = ada.elsewhere();
    stranger.send(asked).await.has(404, &["<body class=\"outside\">", "Go to the overview"]).has_not(&["<nav"]);
    stranger.get("/invitation?token=nothing").await.has(404, &["<body class=\"outside\">"]).has_not(&["<nav", "Acme"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_switch_on_the_answer_to_a_form_leads_to_a_page_that_can_be_opened() {
    let stage = Stage::new().await;
    let ada = Visitor::signed_in(&stage, OWNER).await;
    for path in [
        "/refunds/new/confirm",
        "/settings/organization/limits",
        "/settings/organization/limits/remove",
        "/settings/team/user_1/role",
        "/settings/account/sessions",
        "/settings/api-keys/key_1/revoke",
        "/settings/processors/stripe/test",
    ] {
        let switched = ada.post("/environment", &[("switchTo", "test"), ("next", path)]).await;
        let page = ada.get(switched.has(303, &[]).location.as_deref().unwrap()).await;
        assert_eq!(page.status, 200, "{path}");
    }
}
