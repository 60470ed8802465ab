//! Reading payments and refunds: whole, exact, and in few calls.

use std::collections::HashSet;

use refundkit::{
    processor::{ProcessorErrorKind, ReportedStatus},
    processors::RefundQuery,
};

use super::{ALL_TRIES, Credential, Payment, Requests, Trouble, assert_refusal, cost, refunded, request, worlds};

/// More refunds of one payment than a processor sends along with it.
const MANY: usize = 12;
/// More refunds than fit on the largest page.
const MORE_THAN_A_PAGE: usize = 103;
const PAGE: u32 = 100;

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_read_with_its_refunds_in_one_call_under_each_of_its_ids() {
    for world in worlds().await {
        let (processor, payments) = (world.processor(), world.payments());
        for payment in [&payments.plain, &payments.partly_refunded].into_iter().chain(payments.others) {
            let before = world.asked().await.len();
            let charge = processor.retrieve_charge(&payment.id.parse().unwrap()).await.unwrap();
            assert_eq!(cost(world.as_ref(), before).await, 1, "{}", payment.id);
            assert_eq!((charge.id.as_str(), charge.amount_captured), (payment.charge, payment.captured));
            assert_eq!(charge.currency.as_str(), payment.currency);
            assert_eq!((charge.paid, charge.captured, charge.refunded), (true, true, false), "{charge:?}");
            assert_eq!((charge.livemode, charge.disputed, charge.has_transfer), (false, false, false), "{charge:?}");
        }
        let of_intent = payments.others.iter().find(|payment| payment.id != payment.charge).unwrap();
        let charge = processor.retrieve_charge(&of_intent.charge.parse().unwrap()).await.unwrap();
        assert_eq!(charge.payment_intent.as_deref(), Some(of_intent.id));

        let partly = processor.retrieve_charge(&payments.partly_refunded.id.parse().unwrap()).await.unwrap();
        let [refund] = &partly.refunds[..] else { panic!("{partly:?}") };
        assert_eq!(
            (refund.amount, &refund.status, refund.refund_id),
            (payments.refunded, &ReportedStatus::Completed, None)
        );
        assert_eq!(refund.charge.as_deref(), Some(payments.partly_refunded.charge));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_with_many_refunds_is_read_complete_and_newest_first() {
    for world in worlds().await {
        let (processor, payments) = (world.processor(), world.payments());
        let of_intent = payments.others.iter().find(|payment| payment.id != payment.charge).unwrap();
        for payment in [&payments.plain, of_intent] {
            for amount in 1..=MANY {
                world.refund_elsewhere(payment.charge, i64::try_from(amount).unwrap()).await;
            }
            let before = world.asked().await.len();
            let charge = processor.retrieve_charge(&payment.id.parse().unwrap()).await.unwrap();
            let amounts: Vec<_> = charge.refunds.iter().map(|refund| refund.amount).collect();
            let expected: Vec<_> = (1..=MANY).rev().map(|amount| i64::try_from(amount).unwrap()).collect();
            assert_eq!(amounts, expected, "{}", payment.id);
            assert_eq!(cost(world.as_ref(), before).await, 2, "the payment, and one page of its refunds");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_paid_or_not_captured_is_told_as_it_is() {
    for world in worlds().await {
        let (processor, payments) = (world.processor(), world.payments());
        let uncaptured = processor.retrieve_charge(&payments.uncaptured.parse().unwrap()).await.unwrap();
        assert_eq!((uncaptured.captured, uncaptured.amount_captured), (false, 0));
        let unpaid = processor.retrieve_charge(&payments.unpaid.parse().unwrap()).await.unwrap();
        assert!(!unpaid.paid, "{unpaid:?}");
        let disputed = processor.retrieve_charge(&payments.refused.0.id.parse().unwrap()).await.unwrap();
        assert!(disputed.disputed && disputed.paid, "{disputed:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_or_in_the_other_mode_is_refused_in_the_processors_words() {
    for world in worlds().await {
        let (processor, payments) = (world.processor(), world.payments());
        let (missing, refusal) = payments.missing;
        let error = processor.retrieve_charge(&missing.parse().unwrap()).await.unwrap_err();
        assert_refusal(&error, refusal);
        let error = processor.retrieve_charge(&payments.other_mode.parse().unwrap()).await.unwrap_err();
        assert_eq!(error.kind, ProcessorErrorKind::OtherMode, "{error:?}");
        let error = processor.retrieve_refund(payments.missing_refund).await.unwrap_err();
        assert_eq!(
            (error.kind, error.detail.message.contains(payments.missing_refund)),
            (ProcessorErrorKind::NotFound, true)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_is_found_by_our_id_among_many_or_told_to_be_absent() {
    for world in worlds().await {
        let (processor, payments) = (world.processor(), world.payments());
        let (ours, made) = refunded(processor.as_ref(), &payments.plain, 7).await;
        for _ in 0..MORE_THAN_A_PAGE {
            world.refund_elsewhere(payments.plain.charge, 1).await;
        }
        let before = world.asked().await.len();
        let found = processor.find_refund(payments.plain.charge, ours).await.unwrap().unwrap();
        assert_eq!((found.id, found.refund_id, found.amount), (made.id, Some(ours), 7));
        assert_eq!(cost(world.as_ref(), before).await, 2, "two pages");
        let (never_sent, _) = request(&payments.plain, 7);
        assert_eq!(processor.find_refund(payments.plain.charge, never_sent).await.unwrap(), None);
        assert_eq!(processor.find_refund(payments.others[0].charge, ours).await.unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refunds_are_listed_by_pages_without_gap_or_repeat() {
    for world in worlds().await {
        let (processor, payments) = (world.processor(), world.payments());
        for _ in 0..MORE_THAN_A_PAGE {
            world.refund_elsewhere(payments.plain.charge, 1).await;
        }
        let charge = Some(payments.plain.charge.to_owned());
        let first = processor
            .list_refunds(&RefundQuery { charge: charge.clone(), limit: PAGE, ..RefundQuery::default() })
            .await;
        let first = first.unwrap();
        assert_eq!((first.refunds.len(), first.has_more), (PAGE as usize, true));
        let starting_after = first.refunds.last().map(|refund| refund.id.clone());
        let rest = RefundQuery { charge, starting_after, limit: PAGE, ..RefundQuery::default() };
        let rest = processor.list_refunds(&rest).await.unwrap();
        assert_eq!((rest.refunds.len(), rest.has_more), (MORE_THAN_A_PAGE - PAGE as usize, false));
        let ids: HashSet<_> = first.refunds.iter().chain(&rest.refunds).map(|refund| refund.id.as_str()).collect();
        assert_eq!(ids.len(), MORE_THAN_A_PAGE);

        // Without a charge: everybody's, newest first; and only what is new enough.
        let (_, made) = refunded(processor.as_ref(), &payments.others[0], 100).await;
        let newest = processor.list_refunds(&RefundQuery { limit: 1, ..RefundQuery::default() }).await.unwrap();
        assert_eq!((newest.refunds[0].id.as_str(), newest.has_more), (made.id.as_str(), true));
        let tomorrow = made.created_at.plus_millis(24 * 60 * 60 * 1000);
        let query = RefundQuery { created_from: Some(tomorrow), limit: PAGE, ..RefundQuery::default() };
        assert_eq!(processor.list_refunds(&query).await.unwrap().refunds, []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_is_read_back_as_it_was_made() {
    for world in worlds().await {
        let (processor, payments) = (world.processor(), world.payments());
        let payments = [&payments.plain, &payments.action_needed].into_iter().chain(payments.others);
        for payment in payments.copied().collect::<Vec<Payment>>() {
            let (id, made) = refunded(processor.as_ref(), &payment, 100).await;
            let read = processor.retrieve_refund(&made.id).await.unwrap();
            assert_eq!((&read.id, read.refund_id, read.amount), (&made.id, Some(id), 100));
            assert_eq!((read.charge.as_deref(), read.currency.as_str()), (Some(payment.charge), payment.currency));
            assert_eq!((read.status, read.created_at), (made.status, made.created_at));
            assert_ne!(read.request_id, made.request_id, "each answer names its own request");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_outlives_a_bad_moment_and_says_so_when_it_does_not() {
    for world in worlds().await {
        let (processor, plain) = (world.processor(), world.payments().plain);
        let id = plain.id.parse().unwrap();
        for trouble in [Trouble::LostAfter, Trouble::ErrorBefore, Trouble::Locked] {
            world.arm(Requests::Reads, trouble, 1).await;
            assert_eq!(processor.retrieve_charge(&id).await.unwrap().id, plain.charge, "{trouble:?}");
        }
        for (trouble, times, kind) in [
            (Trouble::LostBefore, ALL_TRIES, ProcessorErrorKind::Unavailable),
            (Trouble::ErrorBefore, ALL_TRIES, ProcessorErrorKind::Unavailable),
            (Trouble::Unreadable, 1, ProcessorErrorKind::Unavailable),
            (Trouble::Locked, ALL_TRIES, ProcessorErrorKind::RateLimited),
        ] {
            world.arm(Requests::Reads, trouble, times).await;
            let error = processor.retrieve_charge(&id).await.unwrap_err();
            assert_eq!((error.kind, error.kind.is_refusal()), (kind, false), "{trouble:?}: {error:?}");
            assert!(!error.detail.message.is_empty());
        }
        assert!(processor.retrieve_charge(&id).await.is_ok(), "all trouble was used up");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_only_reads_reads_everything() {
    for world in worlds().await {
        let (processor, payments) = (world.processor_with(Credential::ReadOnly), world.payments());
        for payment in [&payments.plain].into_iter().chain(payments.others) {
            assert_eq!(processor.retrieve_charge(&payment.id.parse().unwrap()).await.unwrap().id, payment.charge);
        }
        let query = RefundQuery { limit: PAGE, ..RefundQuery::default() };
        let refund = processor.list_refunds(&query).await.unwrap().refunds.remove(0);
        assert_eq!(processor.retrieve_refund(&refund.id).await.unwrap().id, refund.id);
    }
}
