//! Who asked for a refund, at the pages: named in every list and file, and found by.

use refundkit_server::caller::Role;
use serde_json::json;

use super::{
    browser::{Browser, Page},
    people::id_of,
};
use crate::support::{Stage, send};

const CHARGE: &str = "ch_1N4HbSKz9cXRvFYr";

/// Makes a key of this name, and a refund with it; answers the key's id and the refund's.
async fn by_key(stage: &Stage, name: &str, amount: i64) -> (String, String) {
    let made = stage.post("/v1/api-keys", json!({ "name": name, "scope": "write" })).await;
    let made = made.data(201);
    let body = json!({ "transactionId": CHARGE, "amount": amount, "reason": "other" });
    let request = stage.request(reqwest::Method::POST, "/v1/refunds", made["key"].as_str().unwrap()).json(&body);
    let refund = send(request).await;
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    (text(&made["id"]), text(&refund.data(201)["id"]))
}

/// Makes a refund at the pages; answers its id.
async fn by_person(browser: &Browser<'_>, amount: &str) -> String {
    let fields =
        [("transactionId", CHARGE), ("amount", amount), ("currency", "usd"), ("reason", "other"), ("formId", amount)];
    let page = browser.post("/refunds/new/confirm", &fields).await;
    let fields = page.has(200, &["What will happen"]).hidden("/refunds/new");
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let made = browser.post("/refunds/new", &fields).await;
    made.has(303, &[]).location.clone().unwrap().strip_prefix("/refunds/").unwrap().to_owned()
}

/// The line of a refund.
fn line<'a>(page: &'a Page, id: &str) -> &'a str {
    page.between(&format!("<tr id=\"{id}\""), "</tr>")
}

/// What the filter offers.
fn offered(page: &Page) -> &str {
    page.between("<select id=\"askedBy\"", "</select>")
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_files_and_the_overview_name_who_asked() {
    let stage = Stage::new().await;
    let owner = Browser::owner(&stage).await;
    let (key, of_key) = by_key(&stage, "=Shop <1>", 100).await;
    let of_person = by_person(&owner, "2.00").await;
    let person = id_of(&stage, "owner@acme.example").await;
    for path in ["/refunds", "/"] {
        let page = owner.get(path).await;
        assert!(page.has(200, &["Asked for by"]).text.contains("<td class=\"line last\">"));
        let (one, other) = (line(&page, &of_key), line(&page, &of_person));
        assert!(one.contains("=Shop") && one.contains("API") && !one.contains("<1>"), "{path}: {one}");
        assert!(other.contains("owner@acme.example") && other.contains("Dashboard"), "{path}: {other}");
    }
    let page = owner.get(&format!("/refunds/{of_key}")).await;
    assert!(page.has(200, &["Asked for by"]).text.contains("(rk_test_"), "{}", page.text);

    let text = owner.get("/refunds.csv").await.text;
    let lines: Vec<_> = text.split_terminator("\r\n").collect();
    assert!(lines[0].contains(",initiatedBy,askedBy,askedById,failureCode,"), "{}", lines[0]);
    assert!(lines[1].contains(&format!(",dashboard,owner@acme.example,{person},")), "{}", lines[1]);
    assert!(lines[2].contains(&format!(",api,'=Shop <1>,{key},")), "{}", lines[2]);
    for (asked_by, id) in [(&key, &of_key), (&person, &of_person)] {
        let text = owner.get(&format!("/refunds.csv?askedBy={asked_by}")).await.text;
        assert!(text.lines().count() == 2 && text.contains(id), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_moves_names_who_asked() {
    let stage = Stage::new().await;
    let owner = Browser::owner(&stage).await;
    let made = stage.create("py_1SandboxActionNeeded", 800).await;
    let id = made.data(201)["id"].as_str().unwrap();
    let page = owner.get("/refunds").await;
    let name = line(&page, id).split("<span class=\"who\">").nth(1).unwrap().split('<').next().unwrap();
    let stream = owner.open(page.live()).await;
    stage.post(&format!("/v1/refunds/{id}/cancel"), json!({})).await.data(200);
    let text = tokio::time::timeout(std::time::Duration::from_secs(30), stream.text()).await.unwrap().unwrap();
    assert!(text.contains(&format!("<span class=\"who\">{name}</span>")), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_chooses_whose_refunds_to_see_also_of_those_who_are_gone() {
    let stage = Stage::new().await;
    let (owner, admin) = (Browser::owner(&stage).await, Browser::of(&stage, Role::Admin).await);
    let (key, of_key) = by_key(&stage, "Shop", 100).await;
    let of_admin = by_person(&admin, "2.00").await;
    let of_owner = by_person(&owner, "3.00").await;
    let (owner_id, admin_id) = (id_of(&stage, "owner@acme.example").await, id_of(&stage, "admin@acme.example").await);

    let member = Browser::of(&stage, Role::Member).await;
    let member_id = id_of(&stage, "member@acme.example").await;
    let page = member.get("/refunds").await;
    for id in [&key, &owner_id, &admin_id, &member_id] {
        assert!(offered(&page).contains(&format!("<option value=\"{id}\">")), "{}", offered(&page));
    }
    page.has(200, &["<optgroup label=\"People\">", "<optgroup label=\"API keys\">", "<summary>Filters</summary>"]);

    stage.delete(&format!("/v1/api-keys/{key}")).await.data(200);
    owner.done(&format!("/settings/team/{admin_id}/remove"), &[]).await.has(200, &[]);
    let page = owner.get("/refunds").await;
    assert!(!offered(&page).contains(&key) && !offered(&page).contains(&admin_id), "{}", offered(&page));
    assert!(line(&page, &of_key).contains("Shop") && line(&page, &of_admin).contains("admin@acme.example"));

    let all = [&of_key, &of_admin, &of_owner];
    for (asked_by, found, named) in [
        (&key, Some(&of_key), "Shop (rk_test_"),
        (&key, Some(&of_key), ", revoked</option>"),
        (&admin_id, Some(&of_admin), ">admin@acme.example, no longer a member</option>"),
        (&owner_id, Some(&of_owner), ">owner@acme.example</option>"),
        (&member_id, None, ">member@acme.example</option>"),
    ] {
        let page = member.get(&format!("/refunds?askedBy={asked_by}")).await;
        page.has(200, &["<summary>Filters (1)</summary>", &format!("<option value=\"{asked_by}\" selected>")]);
        assert!(offered(&page).contains(named), "{named} in {}", offered(&page));
        for id in all {
            assert_eq!(page.text.contains(&format!("<tr id=\"{id}\"")), Some(id) == found, "{asked_by}");
        }
    }
    let page = member.get(&format!("/refunds?askedBy={key}&status=completed&initiatedBy=api")).await;
    assert!(page.has(200, &["Filters (3)"]).text.contains(&of_key));
    member.get(&format!("/refunds?askedBy={key}&initiatedBy=dashboard")).await.has(200, &["Nothing found"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_nobody_here_is_not_named_and_what_is_no_id_is_said_so() {
    let stage = Stage::new().await;
    let owner = Browser::owner(&stage).await;
    let (key, _) = by_key(&stage, "Shop", 100).await;
    let person = id_of(&stage, "owner@acme.example").await;
    let stranger = Browser::of_another(&stage).await;
    for id in [&key, &person] {
        let page = stranger.get(&format!("/refunds?askedBy={id}")).await;
        page.has(200, &["Nothing found", &format!("selected>{id}</option>")]);
        page.has_not(&["Shop", "owner@acme.example"]);
    }
    owner.post("/environment", &[("switchTo", "live"), ("next", "/")]).await.has(303, &[]);
    owner.get(&format!("/refunds?askedBy={key}")).await.has(200, &["Nothing found"]).has_not(&["Shop"]);
    let page = owner.get("/refunds?askedBy=Shop").await;
    assert!(
        page.has(400, &["aria-describedby=\"askedBy-wrong\""]).wrong("askedBy").contains("is not the id of a person")
    );
}
