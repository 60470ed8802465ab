//! Refunding on a bad day: what certainly did not happen, what may have happened, and that it happens once.

use refundkit::processor::{ProcessorErrorKind, ReportedStatus};

use super::{
    ALL_TRIES, Credential, LONG_PAUSE_SECONDS, NO_REFUNDS, Requests, Trouble, accepted, cost, not_executed, prepared,
    request, unknown, worlds,
};

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_once_is_asked_for_again_and_the_refund_is_one() {
    for trouble in [Trouble::LostBefore, Trouble::LostAfter, Trouble::ErrorBefore, Trouble::ErrorAfter, Trouble::Locked]
    {
        for world in worlds().await {
            let (processor, plain) = (world.processor(), world.payments().plain);
            world.arm(Requests::Writes, trouble, 1).await;
            let before = world.asked().await.len();
            let refund = accepted(processor.submit_refund(&prepared(processor.as_ref(), &plain, 100)).await);
            assert_eq!((refund.amount, refund.status), (100, ReportedStatus::Completed), "{trouble:?}");
            assert_eq!(cost(world.as_ref(), before).await, 2, "{trouble:?}");
            assert_eq!(world.books(plain.charge).await, [100], "{trouble:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_answer_the_outcome_is_unknown_and_the_same_bytes_find_it_out() {
    for (trouble, times, done) in [
        (Trouble::LostBefore, ALL_TRIES, false),
        (Trouble::LostAfter, ALL_TRIES, true),
        (Trouble::ErrorBefore, ALL_TRIES, false),
        (Trouble::ErrorAfter, ALL_TRIES, true),
        (Trouble::Unreadable, 1, true),
    ] {
        for world in worlds().await {
            let (processor, plain) = (world.processor(), world.payments().plain);
            world.arm(Requests::Writes, trouble, times).await;
            let (id, request) = request(&plain, 100);
            let prepared = processor.prepare_refund(&request);
            let error = unknown(processor.submit_refund(&prepared).await);
            assert_eq!(error.kind, ProcessorErrorKind::Unavailable, "{trouble:?}");
            // Whether it was done stands in the processor's books, where it is found by our id.
            let found = processor.find_refund(plain.charge, id).await.unwrap();
            assert_eq!(found.is_some(), done, "{trouble:?}");
            assert_eq!(world.books(plain.charge).await.len(), usize::from(done), "{trouble:?}");
            accepted(processor.submit_refund(&prepared).await);
            assert_eq!(world.books(plain.charge).await, [100], "{trouble:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_that_the_processor_remembers_is_neither_success_nor_failure() {
    for world in worlds().await {
        let (processor, plain) = (world.processor(), world.payments().plain);
        world.arm(Requests::Writes, Trouble::RememberedError, 1).await;
        let (id, request) = request(&plain, 100);
        let prepared = processor.prepare_refund(&request);
        for _ in 0..2 {
            let error = unknown(processor.submit_refund(&prepared).await);
            assert_eq!((error.kind, error.detail.status_code), (ProcessorErrorKind::Unavailable, Some(500)));
        }
        let found = processor.find_refund(plain.charge, id).await.unwrap().unwrap();
        assert_eq!((found.amount, world.books(plain.charge).await), (100, vec![100]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_turned_away_was_certainly_not_executed() {
    for trouble in [Trouble::RateLimit { retry_after_seconds: None }, Trouble::Locked] {
        for world in worlds().await {
            let (processor, plain) = (world.processor(), world.payments().plain);
            world.arm(Requests::Writes, trouble, ALL_TRIES).await;
            let before = world.asked().await.len();
            let prepared = prepared(processor.as_ref(), &plain, 100);
            let error = not_executed(processor.submit_refund(&prepared).await);
            assert_eq!((error.kind, error.retry_after_ms), (ProcessorErrorKind::RateLimited, None), "{trouble:?}");
            assert_eq!(error.detail.status_code, Some(429));
            assert_eq!(cost(world.as_ref(), before).await, ALL_TRIES as usize, "{trouble:?}");
            assert_eq!(world.books(plain.charge).await, NO_REFUNDS, "{trouble:?}");
            accepted(processor.submit_refund(&prepared).await);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_pause_that_the_processor_asks_for_is_left_to_the_caller() {
    for world in worlds().await {
        let (processor, plain) = (world.processor(), world.payments().plain);
        world.arm(Requests::Writes, Trouble::RateLimit { retry_after_seconds: Some(LONG_PAUSE_SECONDS) }, 1).await;
        let before = world.asked().await.len();
        let error = not_executed(processor.submit_refund(&prepared(processor.as_ref(), &plain, 100)).await);
        assert_eq!(error.retry_after_ms, Some(i64::from(LONG_PAUSE_SECONDS) * 1000));
        assert_eq!(
            cost(world.as_ref(), before).await,
            1,
            "who is told to wait a minute does not ask again in half a second"
        );
        assert_eq!(world.books(plain.charge).await, NO_REFUNDS);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn doubt_outlives_a_refusal() {
    for world in worlds().await {
        let payments = world.payments();
        let (disputed, _) = payments.refused;
        for (credential, payment, kind) in [
            (Credential::Good, disputed, payments.refused.1.kind),
            (Credential::ReadOnly, payments.plain, ProcessorErrorKind::MissingPermission),
        ] {
            // The first try is lost: nobody knows what it did. The refusal of the second says nothing about the first.
            let processor = world.processor_with(credential);
            world.arm(Requests::Writes, Trouble::LostBefore, 1).await;
            let before = world.asked().await.len();
            let error = unknown(processor.submit_refund(&prepared(processor.as_ref(), &payment, 100)).await);
            assert_eq!((error.kind, error.kind.is_refusal()), (kind, true), "the refusal is told all the same");
            assert_eq!(cost(world.as_ref(), before).await, 2);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn doubt_outlives_being_turned_away() {
    for first in [Trouble::LostAfter, Trouble::LostBefore] {
        for world in worlds().await {
            let (processor, plain) = (world.processor(), world.payments().plain);
            world.arm(Requests::Writes, first, 1).await;
            world.arm(Requests::Writes, Trouble::Locked, ALL_TRIES - 1).await;
            let prepared = prepared(processor.as_ref(), &plain, 100);
            let error = unknown(processor.submit_refund(&prepared).await);
            assert_eq!(error.kind, ProcessorErrorKind::RateLimited, "{first:?}");
            accepted(processor.submit_refund(&prepared).await);
            assert_eq!(world.books(plain.charge).await, [100], "{first:?}");
        }
    }
}
