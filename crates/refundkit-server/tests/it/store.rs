//! The store's own promises: what failed left nothing, groups are durable together, leases hold.

mod askers;
mod figures;
mod searches;

use crate::support::database;
use refundkit::{Environment, InitiatedBy, LogEntry, RefundId, RequestId, Timestamp};
use refundkit_server::{
    env::Env,
    store::{Store, StoreError, Tenant, idempotency_keys, idempotency_keys::BoundKey, jobs, logs, organizations},
};

async fn store() -> (tempfile::TempDir, Store, Env, Tenant) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&database(&folder).await).await.unwrap();
    let env = Env::default();
    let tenant = Tenant { organization_id: env.new_organization_id(), environment: Environment::Test };
    (folder, store, env, tenant)
}

fn bound(resource: &str) -> BoundKey {
    BoundKey { operation: "create_refund".to_owned(), fingerprint: "f".to_owned(), resource_id: resource.to_owned() }
}

/// Two hundred units at once, each of which binds a key; every third fails, before or after it wrote.
async fn every_third_unit_fails(when: Failing) -> Vec<(bool, bool)> {
    let (_folder, store, env, tenant) = store().await;
    let now = env.now();
    let writing: Vec<_> = (0..200)
        .map(|n: u32| {
            let store = store.clone();
            tokio::spawn(async move {
                store
                    .write::<(), StoreError, _>(move |connection| {
                        Box::pin(async move {
                            let fails = n.is_multiple_of(3);
                            let on_purpose = || Err(StoreError::Commit("on purpose".to_owned()));
                            if fails && when == Failing::BeforeItWrote {
                                return on_purpose();
                            }
                            idempotency_keys::insert(connection, tenant, &n.to_string(), &bound("x"), now).await?;
                            if fails { on_purpose() } else { Ok(()) }
                        })
                    })
                    .await
                    .is_ok()
            })
        })
        .collect();
    let mut answers = Vec::new();
    for (n, wrote) in writing.into_iter().enumerate() {
        let wrote = wrote.await.unwrap();
        let found = idempotency_keys::find(&mut store.read().await.unwrap(), tenant, &n.to_string()).await.unwrap();
        answers.push((wrote, found.is_some()));
    }
    answers
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Failing {
    BeforeItWrote,
    HalfDone,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_that_fails_before_it_wrote_fails_alone() {
    for (n, (wrote, found)) in every_third_unit_fails(Failing::BeforeItWrote).await.into_iter().enumerate() {
        assert_eq!((wrote, found), (n % 3 != 0, n % 3 != 0), "{n}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_that_fails_half_done_leaves_nothing_and_every_answer_is_true() {
    for (n, (wrote, found)) in every_third_unit_fails(Failing::HalfDone).await.into_iter().enumerate() {
        assert_eq!(wrote, found, "{n}");
        assert!(n % 3 != 0 || !wrote, "{n}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_that_panics_does_not_stop_the_writer() {
    let (_folder, store, env, tenant) = store().await;
    let now = env.now();
    let panicked = store
        .write::<(), StoreError, _>(move |connection| {
            Box::pin(async move {
                idempotency_keys::insert(connection, tenant, "k", &bound("x"), now).await?;
                panic!("on purpose")
            })
        })
        .await;
    assert!(panicked.is_err());
    let inserted = store
        .write::<_, StoreError, _>(move |connection| {
            Box::pin(async move { idempotency_keys::insert(connection, tenant, "k", &bound("y"), now).await })
        })
        .await
        .unwrap();
    assert!(inserted, "what the panic wrote must be gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_bound_once_in_its_own_tenant_and_environment() {
    let (_folder, store, env, tenant) = store().await;
    let now = env.now();
    let live = Tenant { environment: Environment::Live, ..tenant };
    let other = Tenant { organization_id: env.new_organization_id(), ..tenant };
    for (tenant, expected) in [(tenant, true), (tenant, false), (live, true), (other, true)] {
        let inserted = store
            .write::<_, StoreError, _>(move |connection| {
                Box::pin(async move { idempotency_keys::insert(connection, tenant, "k", &bound("x"), now).await })
            })
            .await
            .unwrap();
        assert_eq!(inserted, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_due_job_is_claimed_once_until_its_lease_lapses() {
    let (_folder, store, env, tenant) = store().await;
    let (id, now): (RefundId, _) = (env.new_refund_id(), env.now());
    let claim = async |at: Timestamp| {
        store
            .write::<_, StoreError, _>(move |connection| {
                Box::pin(async move { jobs::claim(connection, at, at.plus_millis(1000), 10).await })
            })
            .await
            .unwrap()
    };
    store
        .write::<_, StoreError, _>(move |connection| {
            Box::pin(async move { jobs::put(connection, tenant, id, "submit", now).await })
        })
        .await
        .unwrap();
    let first = claim(now).await;
    assert_eq!(first.len(), 1);
    assert_eq!(claim(now.plus_millis(999)).await, []);
    assert_eq!(claim(now.plus_millis(1000)).await, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_writes_what_waits_and_then_refuses() {
    let (_folder, store, env, tenant) = store().await;
    let now = env.now();
    let writing = {
        let store = store.clone();
        tokio::spawn(async move {
            store
                .write::<_, StoreError, _>(move |connection| {
                    Box::pin(async move { idempotency_keys::insert(connection, tenant, "k", &bound("x"), now).await })
                })
                .await
        })
    };
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    store.close().await;
    assert!(writing.await.unwrap().unwrap());
    let refused = store.write::<(), StoreError, _>(|_| Box::pin(async { Ok(()) })).await;
    assert!(matches!(refused, Err(StoreError::Closed)), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn old_log_entries_are_cleared_away_a_batch_at_a_time_and_new_ones_stay() {
    let (_folder, store, env, tenant) = store().await;
    let now = env.now();
    let entry = move |at: Timestamp, number: u128| LogEntry {
        id: RequestId::from_bits((u128::try_from(at.as_millis()).unwrap() << 80) + number),
        created_at: at,
        operation: "get_me".to_owned(),
        method: "GET".to_owned(),
        path: "/v1/me".to_owned(),
        status: 200,
        error_code: None,
        error_message: None,
        duration_ms: 1,
        key_id: Some(env.new_key_id()),
        user_id: None,
        user_email: None,
        through: InitiatedBy::Api,
        client: None,
        idempotency_key: None,
        refund_id: None,
        input: None,
    };
    let entries: Vec<_> = (0..5).map(|number| entry(now.plus_millis(-1000), number)).chain([entry(now, 9)]).collect();
    let deleted = store
        .write::<_, StoreError, _>(move |connection| {
            Box::pin(async move {
                organizations::insert(connection, tenant.organization_id, "Acme", now).await?;
                for entry in &entries {
                    logs::insert(connection, tenant, entry).await?;
                }
                let mut deleted = Vec::new();
                for _ in 0..3 {
                    deleted.push(logs::delete_before(connection, now, 3).await?);
                }
                Ok(deleted)
            })
        })
        .await
        .unwrap();
    assert_eq!(deleted, [3, 2, 0]);
    let left = logs::list(&mut store.read().await.unwrap(), tenant, None, 10).await.unwrap();
    assert_eq!(left.iter().map(|entry| entry.created_at).collect::<Vec<_>>(), [now]);
}
