//! Pages that keep up with refunds on their way.

use std::time::Duration;

use refundkit_server::limits;
use serde_json::json;
use tokio::time::timeout;

use super::browser::Browser;
use crate::support::Stage;

/// How long a stream may take to end that should end soon.
const PATIENCE: Duration = Duration::from_secs(30);

async fn waiting(stage: &Stage) -> String {
    stage.create("py_1SandboxActionNeeded", 800).await.data(201)["id"].as_str().unwrap().to_owned()
}

async fn whole(answer: reqwest::Response) -> String {
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    timeout(PATIENCE, answer.text()).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_told_what_moves_and_that_nothing_moves_any_more() {
    let stage = Stage::new().await;
    let owner = Browser::owner(&stage).await;
    let id = waiting(&stage).await;
    stage.create("ch_1N4HbSKz9cXRvFYr", 2500).await.data(201);
    let page = owner.get("/refunds").await;
    assert!(page.live().contains(&id) && !page.live().contains(','), "only what moves: {}", page.live());
    let stream = owner.open(page.live()).await;
    stage.post(&format!("/v1/refunds/{id}/cancel"), json!({})).await.data(200);
    let text = whole(stream).await;
    assert!(text.contains(&format!("<tr id=\"{id}\" class=\"fresh\" hx-swap-oob=\"true\">")), "{text}");
    assert!(text.contains("Cancelled") && text.contains("The refund of 800 JPY is cancelled now."), "{text}");
    assert_eq!(text.matches("<tr ").count(), 1, "{text}");
    assert!(text.contains("event: ended"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_figures_of_the_overview_move_with_its_refunds() {
    let stage = Stage::new().await;
    let owner = Browser::owner(&stage).await;
    let id = waiting(&stage).await;
    stage.create("ch_1N4HbSKz9cXRvFYr", 2500).await.data(201);
    let page = owner.get("/").await;
    page.has(
        200,
        &["1 completed, 0 failed, 0 cancelled", "Needs the customer", "<h2 id=\"chart\">Refunded each day, USD</h2>"],
    );
    assert!(page.live().starts_with("/live?") && page.live().ends_with("currency=usd"), "{}", page.live());
    let stream = owner.open(page.live()).await;
    stage.post(&format!("/v1/refunds/{id}/cancel"), json!({})).await.data(200);
    let text = whole(stream).await;
    for told in [
        &format!("<tr id=\"{id}\" class=\"fresh\" hx-swap-oob=\"true\">"),
        "<div id=\"figures\" hx-swap-oob=\"innerHTML\">",
        "1 completed, 0 failed, 1 cancelled",
        "<div id=\"plot\" hx-swap-oob=\"innerHTML\">",
        "<tbody id=\"days\" hx-swap-oob=\"innerHTML\">",
        "event: ended",
    ] {
        assert!(text.contains(told), "{told} in {text}");
    }
    assert!(!text.contains("href=\"/refunds?stage=requires_action\""), "nobody is needed any more: {text}");
    assert_eq!(owner.get("/live?ids=nonsense").await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_a_refund_is_told_what_happened() {
    let stage = Stage::new().await;
    let owner = Browser::owner(&stage).await;
    let id = waiting(&stage).await;
    let page = owner.get(&format!("/refunds/{id}")).await;
    let stream = owner.open(page.live()).await;
    stage.post(&format!("/v1/refunds/{id}/cancel"), json!({})).await.data(200);
    let text = whole(stream).await;
    assert!(text.contains("<div id=\"now\" hx-swap-oob=\"innerHTML\">") && text.contains("badge cancelled"), "{text}");
    assert!(text.contains("event: ended"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_told_nothing_and_streams_end_with_the_session_and_the_server() {
    let mut stage = Stage::new().await;
    let id = waiting(&stage).await;
    let path = format!("/refunds/{id}/live?since=0");
    {
        let stranger = Browser::of_another(&stage).await;
        let text = whole(stranger.open(&path).await).await;
        assert!(text.contains("event: ended") && !text.contains("800"), "{text}");
        let nobody = reqwest::get(format!("{}{path}", stage.url)).await.unwrap();
        assert!(whole(nobody).await.contains("event: ended"));

        let owner = Browser::owner(&stage).await;
        assert_eq!(owner.get("/refunds/live?ids=nonsense").await.status, 400);
        assert_eq!(owner.get("/refunds/nonsense/live?since=0").await.status, 404);
        let stream = owner.open(&path).await;
        owner.post("/logout", &[]).await.has(303, &[]);
        let text = whole(stream).await;
        assert!(text.contains("Needs the customer") && !text.contains("event: ended"), "{text}");
    }
    let stream = {
        let owner = Browser::owner(&stage).await;
        owner.open(&path).await
    };
    stage.restart().await;
    assert!(whole(stream).await.contains("Needs the customer"), "it was told before the server ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_person_has_so_many_live_pages_and_others_have_theirs() {
    let stage = Stage::new().await;
    let id = waiting(&stage).await;
    let path = format!("/refunds/{id}/live?since=0");
    let owner = Browser::owner(&stage).await;
    let mut open = Vec::new();
    for _ in 0..limits::LIVE_STREAMS_OF_ONE_MAX {
        let mut stream = owner.open(&path).await;
        stream.chunk().await.unwrap().unwrap();
        open.push(stream);
    }
    let text = whole(owner.open(&path).await).await;
    assert!(text.contains("event: wait") && !text.contains("800"), "{text}");
    let other = Browser::of_another(&stage).await;
    assert!(!whole(other.open(&path).await).await.contains("event: wait"), "another person has a place");
}
