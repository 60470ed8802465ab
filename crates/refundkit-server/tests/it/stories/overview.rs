//! The overview: figures that are kept, and what needs a person.

use refundkit::{ConnectionStatus, ProcessorName};
use refundkit_core::days::Day;
use refundkit_server::{
    caller::Role,
    operations::{
        BoundedCount, GetOverview,
        overview::{CredentialTrouble, CurrencyOverview, Overview},
    },
    store::{StoreError, connections},
};
use serde_json::json;

use crate::support::Stage;

async fn overview(stage: &Stage) -> Overview {
    stage.ask::<GetOverview>(&stage.member(Role::Member).await, json!({})).await.unwrap()
}

fn of<'a>(overview: &'a Overview, currency: &str) -> &'a CurrencyOverview {
    overview.currencies.iter().find(|one| one.currency.as_str() == currency).unwrap()
}

const fn just(count: i64) -> BoundedCount {
    BoundedCount { count, is_more: false }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_happened_there_are_no_figures() {
    let stage = Stage::new().await;
    let shown = overview(&stage).await;
    assert_eq!(shown.to, Day::of(stage.app.env.now()));
    assert_eq!(shown.from.number(), shown.to.number() - 29);
    assert_eq!((shown.currencies.len(), shown.recent.len(), shown.in_progress), (0, 0, just(0)));
    assert_eq!((shown.totals.success_rate_basis_points, shown.totals.average_settle_ms), (None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ended_is_counted_by_currency_and_day_and_what_is_open_is_told() {
    let stage = Stage::new().await;
    for amount in [2500, 1000] {
        stage.create("ch_1N4HbSKz9cXRvFYr", amount).await.data(201);
    }
    stage.create("ch_1SandboxYen", 12).await.data(201);
    stage.create("ch_1SandboxDisputed", 100).await.error(422, "processor_error");
    stage.create("py_1SandboxActionNeeded", 8000).await.data(201);
    let shown = overview(&stage).await;

    let codes: Vec<_> = shown.currencies.iter().map(|one| one.currency.as_str()).collect();
    assert_eq!(codes[0], "usd", "the one with the most completed refunds comes first: {codes:?}");
    let usd = of(&shown, "usd");
    assert_eq!((usd.completed, usd.completed_amount, usd.cancelled), (2, 3500, 0));
    assert_eq!((of(&shown, "jpy").completed, of(&shown, "jpy").completed_amount), (1, 12));
    assert!(usd.average_settle_ms.is_some_and(|took| (0..20_000).contains(&took)), "{usd:?}");
    assert_eq!(usd.days.len(), 30);
    let (last, before) = usd.days.split_last().unwrap();
    assert_eq!((last.day, last.completed, last.completed_amount), (shown.to, 2, 3500));
    assert!(before.iter().all(|day| day.completed == 0 && day.completed_amount == 0));

    assert_eq!((shown.totals.completed, shown.totals.failed, shown.totals.cancelled), (3, 1, 0));
    assert_eq!(shown.totals.success_rate_basis_points, Some(7500));
    assert_eq!((shown.in_progress, shown.needs_person.requires_action), (just(1), just(1)));
    assert_eq!((shown.needs_person.outcome_unknown, shown.needs_person.failed_last7_days), (just(0), 1));
    assert_eq!(shown.needs_person.credential_trouble, []);
    assert_eq!(shown.recent.len(), 5);
    assert!(shown.recent.windows(2).all(|pair| pair[0].refund.id > pair[1].refund.id), "newest first");
    stage.assert_days_agree().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_success_that_is_taken_back_and_a_cancellation_are_counted_as_what_they_are() {
    let stage = Stage::new().await;
    let answer = stage.create("ch_1SandboxFails", 7000).await;
    let id = answer.data(201)["id"].as_str().unwrap().to_owned();
    assert_eq!(of(&overview(&stage).await, "usd").completed_amount, 7000);
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    stage.look_now(&id).await;
    stage.until(&id, "failed").await;

    let waiting = stage.create("py_1SandboxActionNeeded", 8000).await.data(201)["id"].as_str().unwrap().to_owned();
    stage.post(&format!("/v1/refunds/{waiting}/cancel"), json!({})).await.data(200);
    let totals = overview(&stage).await.totals;
    assert_eq!((totals.completed, totals.failed, totals.cancelled), (0, 1, 1));
    assert_eq!((totals.success_rate_basis_points, totals.average_settle_ms), (Some(0), None));
    stage.assert_days_agree().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_stripe_refuses_needs_a_person() {
    let stage = Stage::new().await;
    let (tenant, now) = (stage.tenant().await, stage.app.env.now());
    let marked = stage.app.store.write::<_, StoreError, _>(move |connection| {
        Box::pin(async move {
            let stored = connections::find(connection, tenant, ProcessorName::Stripe).await?.unwrap();
            let (id, status) = (stored.connection.id, ConnectionStatus::Invalid);
            connections::mark_status(connection, tenant, id, status, now).await.map(|()| id)
        })
    });
    let id = marked.await.unwrap();
    let trouble = overview(&stage).await.needs_person.credential_trouble;
    let (processor, status) = (ProcessorName::Stripe, ConnectionStatus::Invalid);
    assert_eq!(trouble, [CredentialTrouble { processor, connection_id: id, status }]);
}
