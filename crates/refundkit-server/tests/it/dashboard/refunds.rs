//! Refunds at the pages: made in three steps and once, found, exported, explained, taken back.

use futures_util::future::join_all;
use serde_json::json;

use super::browser::{Browser, Page};
use crate::support::{Setting, Stage};

const CHARGE: &str = "ch_1N4HbSKz9cXRvFYr";
const CONFIRM: &str = "/refunds/new/confirm";
const CREATE: &str = "/refunds/new";

/// The form of the second step, filled in.
fn filled<'a>(charge: &'a str, amount: &'a str, form_id: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("transactionId", charge),
        ("amount", amount),
        ("currency", "usd"),
        ("reason", "product_defective"),
        ("formId", form_id),
    ]
}

fn as_str(fields: &[(String, String)]) -> Vec<(&str, &str)> {
    fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// The page of a refund that was made with the form of a confirmation.
async fn confirmed(browser: &Browser<'_>, page: &Page) -> String {
    let fields = page.has(200, &["What will happen"]).hidden(CREATE);
    let made = browser.post(CREATE, &as_str(&fields)).await;
    made.has(303, &[]).location.clone().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_is_made_in_three_steps_and_once_however_often_the_form_is_sent() {
    let stage = Stage::new().await;
    let owner = Browser::owner(&stage).await;
    owner.get("/refunds/new").await.has(200, &["name=\"transactionId\""]);
    let page = owner.get(&format!("/refunds/new?transactionId={CHARGE}")).await;
    page.has(200, &["Visa •••• 4242", "100.00 USD", "name=\"currency\" value=\"usd\""]);
    assert_eq!(page.value("amount"), "100.00", "all that is left is offered");
    let form_id = page.value("formId").to_owned();

    let page = owner.post(CONFIRM, &filled(CHARGE, "25", &form_id)).await;
    page.has(200, &["Refund 25.00 USD?", "75.00 USD of it will be left", "owner@acme.example", "to Visa •••• 4242"]);
    let fields = page.hidden(CREATE);
    let fields = as_str(&fields);
    let sent = join_all((0..4).map(|_| owner.post(CREATE, &fields))).await;
    let locations: Vec<_> = sent.iter().map(|page| page.has(303, &[]).location.clone().unwrap()).collect();
    assert!(locations.iter().all(|location| *location == locations[0]), "{locations:?}");
    // A step back and once more the same, and the same sent again much later.
    let page = owner.post(CONFIRM, &filled(CHARGE, "25.00", &form_id)).await;
    page.has(200, &["This form made", &locations[0]]).has_not(&["once more"]);
    assert_eq!(confirmed(&owner, &page).await, locations[0]);
    assert_eq!(stage.refunded_at_stripe(CHARGE).await, (2500, 1));

    // Another amount with the same form is another refund.
    let page = owner.post(CONFIRM, &filled(CHARGE, "10.00", &form_id)).await;
    assert_ne!(confirmed(&owner, &page).await, locations[0]);
    assert_eq!(stage.refunded_at_stripe(CHARGE).await, (3500, 2));

    let page = owner.get(&locations[0]).await;
    page.has(200, &["25.00 USD", "Completed", "Product defective", "owner@acme.example", "has been sent", "re_"]);
    let trail = stage.get(&format!("/v1{}/events", locations[0])).await;
    assert_eq!(trail.data(200)[0]["actor"]["userEmail"], "owner@acme.example");
    assert_eq!(stage.get(&format!("/v1{}", locations[0])).await.data(200)["initiatedBy"], "dashboard");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_an_amount_is_said_beside_it_and_nothing_typed_is_lost() {
    let stage = Stage::new().await;
    let owner = Browser::owner(&stage).await;
    for (amount, words) in [
        ("", "missing"),
        ("25.001", "25001.00 USD, or 25.001, although USD has 2 decimals"),
        ("€25,00", "The currency is USD, not €"),
        ("1,23,456.00", "groups of three"),
        ("0", "more than 0"),
        ("-5", "not an amount"),
        ("100.01", "greater than unrefunded amount"),
    ] {
        let page = owner.post(CONFIRM, &filled(CHARGE, amount, "form")).await;
        assert!(page.has(400, &[]).wrong("amount").contains(words), "{amount}: {}", page.wrong("amount"));
        page.has(400, &["<option value=\"product_defective\" selected>", "name=\"transactionId\" value=\"ch_"]);
        assert_eq!((page.value("amount"), page.value("formId")), (amount, "form"));
    }
    for (charge, currency, amount, words) in [
        ("ch_1SandboxYen", "jpy", "500.5", "JPY has no decimals"),
        ("ch_1SandboxDinar", "kwd", "1.235", "last decimal"),
        ("ch_1SandboxDinar", "usd", "1.20", "The payment is in kwd"),
    ] {
        let mut fields = filled(charge, amount, "form");
        fields[2].1 = currency;
        let page = owner.post(CONFIRM, &fields).await;
        assert!(page.has(400, &[]).wrong("amount").contains(words), "{}", page.wrong("amount"));
    }
    let mut fields = filled(CHARGE, "25.00", "form");
    fields[3].1 = "";
    assert!(owner.post(CONFIRM, &fields).await.has(400, &[]).wrong("reason").contains("Choose why"));
    assert_eq!(stage.refunded_at_stripe(CHARGE).await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_was_confirmed_is_made_and_an_address_chooses_no_key() {
    let stage = Stage::new().await;
    let owner = Browser::owner(&stage).await;
    let page = owner.get(&format!("/refunds/new?transactionId={CHARGE}&amount=25.00&formId=chosen")).await;
    assert_eq!(page.has(200, &[]).value("amount"), "25.00");
    let form_id = page.value("formId");
    assert_ne!(form_id, "chosen", "two people who follow one link ask for two refunds");

    let confirmed = owner.post(CONFIRM, &filled(CHARGE, "25.00", form_id)).await.hidden(CREATE);
    for (name, value) in [("idempotencyKey", "a-program's-own-key"), ("amount", "99.00"), ("formId", "another")] {
        let mut fields = confirmed.clone();
        fields.iter_mut().find(|(field, _)| field == name).unwrap().1 = value.to_owned();
        let refused = owner.post(CREATE, &as_str(&fields)).await;
        refused.has(400, &["not what was shown to be confirmed. Nothing was done."]);
    }
    assert_eq!(stage.refunded_at_stripe(CHARGE).await, (0, 0));
    owner.post(CREATE, &as_str(&confirmed)).await.has(303, &[]);
    assert_eq!(stage.refunded_at_stripe(CHARGE).await, (2500, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_cannot_be_refunded_is_explained() {
    let stage = Stage::new().await;
    let owner = Browser::owner(&stage).await;
    for (id, status, words) in [
        ("ch_invalid", 422, "No such charge"),
        ("re_123", 400, "transactionId-wrong"),
        ("ch 1", 400, "must be 1 to 255 letters"),
        ("pi_1SandboxUnpaid", 200, "does not have a successful charge"),
        ("ch_1SandboxUncaptured", 200, "must cancel the PaymentIntent"),
    ] {
        let page = owner.get(&format!("/refunds/new?transactionId={}", id.replace(' ', "+"))).await;
        page.has(status, &[words]).has_not(&["name=\"currency\"", "Paid on", ">0.00"]);
    }
    let uncaptured = owner.get("/refunds/new?transactionId=ch_1SandboxUncaptured").await;
    uncaptured.has(200, &["Authorized on", "<dt>Authorized</dt><dd>90.00 USD</dd>", "Nothing"]);
    let unpaid = owner.get("/refunds/new?transactionId=pi_1SandboxUnpaid").await;
    unpaid.has(200, &["Tried on", "<dt>Tried</dt><dd>15.00 USD</dd>", "Nothing"]);
    owner.get("/refunds/new?transactionId=ch_1SandboxDisputed").await.has(200, &["disputed this payment"]);
    let partly = owner.get("/refunds/new?transactionId=ch_1SandboxPartlyRefunded").await;
    partly.has(200, &["30.00 USD", "made elsewhere", "70.00 USD"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_is_refused_first_and_made_only_when_somebody_says_so() {
    let stage = Stage::new().await;
    let owner = Browser::owner(&stage).await;
    let made = stage.create(CHARGE, 2500).await;
    let first = made.data(201)["id"].as_str().unwrap();
    let page = owner.post(CONFIRM, &filled(CHARGE, "25.00", "form")).await;
    page.has(200, &[&format!("/refunds/{first}"), "value=\"true\" required> Refund 25.00 USD once more"]);
    let untold = page.hidden(CREATE);
    owner.post(CREATE, &as_str(&untold)).await.has(400, &["not what was shown to be confirmed"]);
    assert_eq!(stage.refunded_at_stripe(CHARGE).await, (2500, 1));
    let told = [as_str(&untold), vec![("allowDuplicate", "true")]].concat();
    let second = owner.post(CREATE, &told).await;
    let second = second.has(303, &[]).location.clone().unwrap();
    assert_ne!(second, format!("/refunds/{first}"));
    owner.post(CREATE, &told).await.leads_to(&second);
    assert_eq!(stage.refunded_at_stripe(CHARGE).await, (5000, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_that_nobody_knew_of_when_it_was_confirmed_is_refused_until_somebody_says_so() {
    let stage = Stage::new().await;
    let owner = Browser::owner(&stage).await;
    let page = owner.post(CONFIRM, &filled(CHARGE, "25.00", "form")).await;
    page.has_not(&["allowDuplicate"]);
    let made = stage.create(CHARGE, 2500).await;
    let first = made.data(201)["id"].as_str().unwrap();
    let refused = owner.post(CREATE, &as_str(&page.hidden(CREATE))).await;
    refused.has(409, &["was made already", &format!("/refunds/{first}"), "name=\"allowDuplicate\"", "25.00"]);
    refused.has_not(&["allowDuplicate: true"]);
    assert_eq!(stage.refunded_at_stripe(CHARGE).await, (2500, 1));

    let mut fields = filled(CHARGE, "25.00", refused.value("formId"));
    fields.push(("allowDuplicate", "true"));
    let page = owner.post(CONFIRM, &fields).await;
    page.has(200, &["once more"]).has_not(&["type=\"checkbox\""]);
    assert_ne!(confirmed(&owner, &page).await, format!("/refunds/{first}"));
    assert_eq!(stage.refunded_at_stripe(CHARGE).await, (5000, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_processor_refuses_leads_to_the_refund_that_tells_why() {
    let stage = Stage::new().await;
    let owner = Browser::owner(&stage).await;
    let page = owner.post(CONFIRM, &filled("ch_1SandboxDisputed", "5.00", "form")).await;
    let refused = owner.post(CREATE, &as_str(&page.hidden(CREATE))).await;
    refused.has(422, &["charged back", "See refund ref_"]);
    let id = refused.text.split("See refund ").nth(1).unwrap().split('<').next().unwrap();
    let page = owner.get(&format!("/refunds/{id}")).await;
    page.has(200, &["Failed", "charged back", "Do not pay the customer in another way", "the dispute in Stripe"]);
    page.has_not(&["The money is with you", "needs another way"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_sees_a_refund_of_another_organization_or_environment() {
    let stage = Stage::new().await;
    let made = stage.create(CHARGE, 2500).await;
    let path = format!("/refunds/{}", made.data(201)["id"].as_str().unwrap());
    let (owner, stranger) = (Browser::owner(&stage).await, Browser::of_another(&stage).await);
    owner.get(&path).await.has(200, &["25.00 USD"]);
    stranger.get(&path).await.has(404, &["There is nothing here"]).has_not(&["25.00"]);
    stranger.post(&format!("{path}/cancel"), &[]).await.has(404, &[]).has_not(&["25.00"]);
    stranger.get("/refunds").await.has(200, &["No refunds yet", "Connect Stripe"]).has_not(&["ref_"]);
    stranger.get("/refunds.csv").await.has(200, &["createdAt"]).has_not(&["ref_"]);
    for id in ["ref_01k9zzzzzzzzzzzzzzzzzzzzzz", "nothing", "ref_"] {
        owner.get(&format!("/refunds/{id}")).await.has(404, &["There is nothing here"]);
    }
    owner.post("/environment", &[("switchTo", "live"), ("next", &path)]).await.has(303, &[]);
    owner.get(&path).await.has(404, &["You are looking at <strong>live</strong>"]);
    // A form of the other environment does nothing.
    owner.post(CREATE, &filled(CHARGE, "1.00", "form")).await.has(400, &["Nothing was done"]);
    assert_eq!(stage.refunded_at_stripe(CHARGE).await, (2500, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_find_what_they_say_and_explain_what_they_cannot() {
    let stage = Stage::new().await;
    let owner = Browser::owner(&stage).await;
    owner
        .get("/refunds")
        .await
        .has(200, &["No refunds yet", "New refund", "<summary>Filters</summary>"])
        .has_not(&["hx-sse"]);
    assert_eq!(owner.get("/settings").await.location.as_deref(), Some("/settings/processors"));
    owner.get("/refunds?status=failed&currency=usd").await.has(200, &["<summary>Filters (2)</summary>"]);
    let body = json!({ "transactionId": CHARGE, "amount": 2500, "reason": "product_defective",
        "metadata": { "order": "A & B <1>" } });
    let one = stage.post("/v1/refunds", body).await.data(201)["id"].as_str().unwrap().to_owned();
    let other = stage.create("ch_1SandboxYen", 700).await.data(201)["id"].as_str().unwrap().to_owned();
    for (query, finds_one, finds_other) in [
        ("", true, true),
        ("status=&reason=&query=", true, true),
        ("reason=product_defective", true, false),
        ("query=ch_1SandboxYen", false, true),
        ("query=order%3AA+%26+B+%3C1%3E", true, false),
        ("currency=usd&amountMin=25.00&amountMax=25", true, false),
        ("currency=usd&amountMin=%2425&amountMax=25%2C00+USD", true, false),
        ("currency=JPY&amountMin=701", false, false),
        ("status=completed&initiatedBy=api", true, true),
        ("initiatedBy=dashboard", false, false),
        ("createdAfter=2020-01-01", true, true),
        ("createdBefore=2020-01-01", false, false),
    ] {
        let page = owner.get(&format!("/refunds?{query}")).await;
        let found = (page.has(200, &[]).text.contains(&one), page.text.contains(&other));
        assert_eq!(found, (finds_one, finds_other), "{query}");
    }
    owner.get("/refunds?query=nothing+%3Cb%3E").await.has(200, &["Nothing found", "Show all"]).has_not(&["<b>"]);
    for (query, field, words) in [
        ("amountMin=5", "currency", "currency is missing"),
        ("amountMin=5,000&currency=usd", "amountMin", "two ways: 5000.00 USD, or 5.000, although"),
        ("createdAfter=yesterday", "createdAfter", "2026-02-22"),
        ("status=lost", "status", "must be one of"),
    ] {
        let page = owner.get(&format!("/refunds?{query}")).await;
        assert!(page.has(400, &[]).wrong(field).contains(words), "{query}: {}", page.wrong(field));
        let page = owner.get(&format!("/refunds.csv?{query}")).await;
        page.has(400, &[]).has_not(&["createdAt,"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_holds_every_refund_and_no_formula() {
    /// More than one page of an export, and of the list.
    const REFUNDS: i64 = 103;
    let stage = Stage::with(Setting { stripe_rate: Some(0), ..Setting::default() }).await;
    let owner = Browser::owner(&stage).await;
    let body = json!({ "transactionId": "ch_1SandboxYen", "amount": 700, "reason": "other",
        "metadata": { "note": "say \"no\", twice" } });
    stage.post("/v1/refunds", body).await.data(201);
    for amount in 1..REFUNDS {
        stage.create(CHARGE, amount).await.data(201);
    }
    let answer = owner.open("/refunds.csv").await;
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert!(header("content-disposition").starts_with("attachment; filename=\"refunds-test-20"));
    assert!(header("content-type").starts_with("text/csv"));
    let text = answer.text().await.unwrap();
    let lines: Vec<_> = text.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), usize::try_from(REFUNDS).unwrap() + 1);
    assert!(lines[0].starts_with("id,createdAt,status,stage,amount,currency,amountWritten,reason"), "{}", lines[0]);
    assert!(lines[1].contains(",102,usd,1.02 USD,other,stripe,"), "the newest first: {}", lines[1]);
    let last = lines.last().unwrap();
    assert!(last.contains(",700,jpy,700 JPY,") && last.contains(r#""{""note"":""say \""no\"", twice""}""#), "{last}");

    let text = owner.get("/refunds.csv?currency=jpy").await.text;
    assert_eq!(text.lines().count(), 2, "{text}");
    let page = owner.get("/refunds").await;
    page.has(200, &["rel=\"next\"", "1.02 USD"]).has_not(&["Newest</a>"]);
    let older = page.text.split("rel=\"next\"").next().unwrap().rsplit("href=\"").next().unwrap();
    let older = older.split('"').next().unwrap().replace("&amp;", "&").replace("&#38;", "&");
    owner.get(&older).await.has(200, &["Newest</a>"]).has_not(&["1.02 USD"]);
    assert!(page.text.len() < 60_000, "{} bytes", page.text.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_waits_for_the_customer_can_be_taken_back_and_one_that_is_done_cannot() {
    let stage = Stage::new().await;
    let owner = Browser::owner(&stage).await;
    let waiting = stage.create("py_1SandboxActionNeeded", 800).await.data(201)["id"].as_str().unwrap().to_owned();
    let path = format!("/refunds/{waiting}");
    owner.get(&path).await.has(200, &["Needs the customer", "Cancel this refund", "Yes, cancel it", "hx-sse"]);
    let page = owner.post(&format!("{path}/cancel"), &[]).await;
    assert_eq!(page.has(303, &[]).location.as_deref(), Some(path.as_str()));
    owner.get(&path).await.has(200, &["Cancelled", "Refund record"]).has_not(&[
        "Cancel this refund",
        "Take it back",
        "hx-sse",
    ]);

    let done = stage.create(CHARGE, 2500).await.data(201)["id"].as_str().unwrap().to_owned();
    let path = format!("/refunds/{done}");
    // What completed lately can still fail: its page goes on looking.
    let page = owner.get(&path).await;
    page.has(200, &["<title>25.00 USD completed ·", "Refund receipt", "hx-sse"]);
    page.has_not(&["Cancel this refund", "Take it back", "attempt 1"]);
    owner.post(&format!("{path}/cancel"), &[]).await.has(409, &["role=\"alert\"", "the processor has executed it"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_overview_says_what_is_missing_and_counts_in_words_that_fit() {
    let stage = Stage::new().await;
    let (owner, stranger) = (Browser::owner(&stage).await, Browser::of_another(&stage).await);
    let page = stranger.get("/").await;
    page.has(
        200,
        &["Needs a person", "until Stripe is connected", "class=\"button primary\" href=\"/settings/processors\""],
    );
    page.has_not(&["Make a refund"]);
    owner.get("/").await.has(200, &["Make a refund", "Figures as of"]).has_not(&["Needs a person", "Connect Stripe"]);

    stage.create("ch_1SandboxDisputed", 500).await.error(422, "processor_error");
    let page = owner.get("/").await;
    page.has(200, &["1 failed in the last seven days. Its page says what to do."]);
    page.has_not(&["Refunded, USD", "<svg"]);
    stage.create(CHARGE, 2500).await.data(201);
    owner.get("/").await.has(200, &["Refunded, USD", "1 refund<", "class=\"ticks\""]).has_not(&["1 refunds"]);
}
