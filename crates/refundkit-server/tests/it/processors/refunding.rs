//! Making refunds: what is accepted, once; what is refused, in whose words.

use refundkit::processor::{PreparedRefund, ReportedStatus};

use super::{
    NO_REFUNDS, Requests, Trouble, accepted, assert_refusal, cost, prepared, refunded, refused, request, worlds,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_prepared_refund_is_accepted_in_one_call_and_carries_our_id() {
    for world in worlds().await {
        let (processor, payments) = (world.processor(), world.payments());
        for payment in [&payments.plain].into_iter().chain(payments.others) {
            let (id, request) = request(payment, 100);
            let prepared = processor.prepare_refund(&request);
            assert_eq!((prepared.amount, prepared.currency), (100, request.currency));
            assert_eq!(prepared.idempotency_key, request.idempotency_key);
            let before = world.asked().await.len();
            let refund = accepted(processor.submit_refund(&prepared).await);
            assert_eq!(cost(world.as_ref(), before).await, 1);
            assert_eq!((refund.amount, refund.currency.as_str()), (100, payment.currency));
            assert_eq!((refund.charge.as_deref(), refund.refund_id), (Some(payment.charge), Some(id)));
            assert_eq!((refund.status, refund.failure_reason), (ReportedStatus::Completed, None));
            assert!(refund.request_id.is_some() && !refund.id.is_empty());
            assert_eq!(world.books(payment.charge).await, [100], "{}", payment.id);
        }
        let (_, waiting) = refunded(processor.as_ref(), &payments.action_needed, 100).await;
        assert_eq!(waiting.status, ReportedStatus::RequiresAction);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn preparing_asks_nobody_and_gives_the_same_bytes_every_time() {
    for world in worlds().await {
        let (processor, payments) = (world.processor(), world.payments());
        let (_, request) = request(&payments.plain, 100);
        let before = world.asked().await.len();
        let prepared = processor.prepare_refund(&request);
        assert_eq!(prepared, world.processor().prepare_refund(&request));
        assert_eq!(cost(world.as_ref(), before).await, 0);
        let stored: PreparedRefund = serde_json::from_str(&serde_json::to_string(&prepared).unwrap()).unwrap();
        assert_eq!(stored, prepared, "it survives the way into a database and back");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_prepared_refund_sent_again_is_one_refund() {
    for world in worlds().await {
        let (processor, plain) = (world.processor(), world.payments().plain);
        let prepared = prepared(processor.as_ref(), &plain, 100);
        let first = accepted(processor.submit_refund(&prepared).await);
        for _ in 0..2 {
            // Another process, which read the stored bytes.
            let again = accepted(world.processor().submit_refund(&prepared).await);
            assert_eq!((again.id, again.amount), (first.id.clone(), 100));
        }
        assert_eq!(world.books(plain.charge).await, [100]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_prepared_refund_sent_at_the_same_time_is_one_refund() {
    for world in worlds().await {
        let (processor, plain) = (world.processor(), world.payments().plain);
        let (other, prepared) = (world.processor(), prepared(processor.as_ref(), &plain, 100));
        let (one, two) = tokio::join!(processor.submit_refund(&prepared), other.submit_refund(&prepared));
        assert_eq!(accepted(one).id, accepted(two).id);
        assert_eq!(world.books(plain.charge).await, [100]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_refund_under_its_own_key_is_a_second_refund() {
    for world in worlds().await {
        let (processor, plain) = (world.processor(), world.payments().plain);
        let (_, one) = refunded(processor.as_ref(), &plain, 100).await;
        let (_, two) = refunded(processor.as_ref(), &plain, 100).await;
        assert_ne!(one.id, two.id);
        assert_eq!(world.books(plain.charge).await, [100, 100]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_try_sends_the_same_bytes_under_the_same_key() {
    for world in worlds().await {
        let (processor, plain) = (world.processor(), world.payments().plain);
        world.arm(Requests::Writes, Trouble::LostBefore, 1).await;
        world.arm(Requests::Writes, Trouble::ErrorBefore, 1).await;
        let prepared = prepared(processor.as_ref(), &plain, 100);
        let before = world.asked().await.len();
        accepted(processor.submit_refund(&prepared).await);
        let asked = world.asked().await.split_off(before);
        let [one, two, three] = &asked[..] else { panic!("three tries expected: {asked:?}") };
        assert_eq!((one, one), (two, three));
        assert_eq!((&one.body, one.idempotency_key.as_ref()), (&prepared.body, Some(&prepared.idempotency_key)));
        assert_eq!(one.api_version.as_ref(), Some(&prepared.api_version));
        assert_eq!(world.books(plain.charge).await, [100]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_keep_the_processors_words_code_and_request_and_are_not_repeated() {
    for world in worlds().await {
        let (processor, payments) = (world.processor(), world.payments());
        let (disputed, disputed_refusal) = payments.refused;
        let left = payments.partly_refunded.captured - payments.refunded;
        refunded(processor.as_ref(), &payments.plain, payments.plain.captured).await;
        let missing = super::Payment { charge: payments.missing.0, ..payments.plain };
        for (payment, amount, refusal) in [
            (disputed, 100, disputed_refusal),
            (payments.partly_refunded, left + 1, payments.too_much),
            (payments.plain, 1, payments.already_refunded),
            (missing, 100, payments.missing.1),
        ] {
            let before = world.asked().await.len();
            let error = refused(processor.submit_refund(&prepared(processor.as_ref(), &payment, amount)).await);
            assert_refusal(&error, refusal);
            assert_eq!(cost(world.as_ref(), before).await, 1, "{refusal:?}");
        }
        assert_eq!(world.books(disputed.charge).await, NO_REFUNDS);
        assert_eq!(world.books(payments.partly_refunded.charge).await, [payments.refunded]);
        assert_eq!(world.books(payments.plain.charge).await, [payments.plain.captured]);
        // What was left can still be refunded.
        refunded(processor.as_ref(), &payments.partly_refunded, left).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_processor_knows_its_name() {
    for world in worlds().await {
        let processor = world.processor();
        let refund =
            refused(processor.submit_refund(&prepared(processor.as_ref(), &world.payments().refused.0, 1)).await);
        assert_eq!(refund.detail.name, processor.name().as_str());
    }
}
