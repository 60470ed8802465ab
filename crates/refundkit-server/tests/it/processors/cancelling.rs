//! Taking refunds back: what waits for the customer can be, what is executed cannot.

use refundkit::processor::{ProcessorErrorKind, ReportedStatus};

use super::{ALL_TRIES, NO_REFUNDS, Requests, Trouble, accepted, refunded, refused, unknown, worlds};

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_waits_for_the_customer_is_taken_back() {
    for world in worlds().await {
        let (processor, waiting) = (world.processor(), world.payments().action_needed);
        let (id, made) = refunded(processor.as_ref(), &waiting, 100).await;
        assert_eq!(world.books(waiting.charge).await, [100]);
        let cancelled = accepted(processor.cancel_refund(&made.id, "cancel-1").await);
        assert_eq!((&cancelled.id, cancelled.refund_id), (&made.id, Some(id)));
        assert_eq!(cancelled.status, ReportedStatus::Canceled);
        assert_eq!(world.books(waiting.charge).await, NO_REFUNDS, "its share of the payment is free again");
        assert_eq!(processor.retrieve_refund(&made.id).await.unwrap().status, ReportedStatus::Canceled);
        // The same request again is the same answer; a new one comes too late.
        accepted(processor.cancel_refund(&made.id, "cancel-1").await);
        let error = refused(processor.cancel_refund(&made.id, "cancel-2").await);
        assert_eq!(error.kind, ProcessorErrorKind::NotCancellable);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executed_refund_is_not_taken_back_and_the_processor_says_so() {
    for world in worlds().await {
        let (processor, plain) = (world.processor(), world.payments().plain);
        let (_, made) = refunded(processor.as_ref(), &plain, 100).await;
        let error = refused(processor.cancel_refund(&made.id, "cancel-1").await);
        assert_eq!((error.kind, error.detail.status_code), (ProcessorErrorKind::NotCancellable, Some(400)));
        assert!(!error.detail.message.is_empty() && error.detail.request_id.is_some() && error.hint.is_some());
        assert_eq!(world.books(plain.charge).await, [100]);
        let error = refused(processor.cancel_refund(world.payments().missing_refund, "cancel-2").await);
        assert_eq!(error.kind, ProcessorErrorKind::NotFound);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_a_cancellation_is_asked_for_again_or_left_unknown() {
    for world in worlds().await {
        let (processor, waiting) = (world.processor(), world.payments().action_needed);
        let (_, made) = refunded(processor.as_ref(), &waiting, 100).await;
        world.arm(Requests::Writes, Trouble::LostAfter, 1).await;
        let cancelled = accepted(processor.cancel_refund(&made.id, "cancel-1").await);
        assert_eq!(cancelled.status, ReportedStatus::Canceled);

        let (_, made) = refunded(processor.as_ref(), &waiting, 200).await;
        world.arm(Requests::Writes, Trouble::LostBefore, ALL_TRIES).await;
        let error = unknown(processor.cancel_refund(&made.id, "cancel-2").await);
        assert_eq!(error.kind, ProcessorErrorKind::Unavailable);
        assert_eq!(processor.retrieve_refund(&made.id).await.unwrap().status, ReportedStatus::RequiresAction);
        accepted(processor.cancel_refund(&made.id, "cancel-2").await);
    }
}
