//! What is left, what is refused and why; and that no sequence of reservations gives back more than was captured.

mod properties;

use refundkit::{
    Amount, Environment, ErrorCode, RefundId, RefundStatus, Timestamp,
    processor::{Charge, ProcessorRefund, ReportedStatus},
};

use super::*;

const HOUR_MS: i64 = 60 * 60 * 1_000;
const WINDOW_MS: i64 = 24 * HOUR_MS;

fn now() -> Timestamp {
    Timestamp::from_seconds(1_800_000_000)
}

fn charge() -> Charge {
    Charge {
        id: "ch_1".into(),
        payment_intent: Some("pi_1".into()),
        amount: Some(6000),
        amount_captured: 6000,
        currency: "usd".parse().unwrap(),
        captured: true,
        paid: true,
        refunded: false,
        disputed: false,
        livemode: false,
        has_transfer: false,
        payment_method: None,
        created_at: now(),
        refunds: Vec::new(),
    }
}

fn listed(id: &str, amount: i64, status: ReportedStatus) -> ProcessorRefund {
    ProcessorRefund {
        id: id.into(),
        charge: Some("ch_1".into()),
        amount,
        currency: "usd".parse().unwrap(),
        status,
        failure_reason: None,
        refund_id: None,
        created_at: now(),
        request_id: None,
    }
}

fn own(number: u8, amount: i64, status: RefundStatus) -> OwnRefund {
    let created_at = now().plus_millis(i64::from(number) - HOUR_MS);
    OwnRefund {
        id: RefundId::from_bits(number.into()),
        amount,
        status,
        external_refund_id: None,
        created_at,
        user_id: None,
    }
}

fn id(number: u8) -> RefundId {
    RefundId::from_bits(number.into())
}

fn ask(amount: Option<i64>) -> Ask {
    Ask {
        amount: amount.map(|minor| Amount::new(minor).unwrap()),
        currency: None,
        environment: Environment::Test,
        allow_duplicate: false,
        reverse_transfer_known: false,
        member: None,
    }
}

fn reserved(charge: &Charge, ask: &Ask, own: &[OwnRefund]) -> Result<i64, Refusal> {
    reserve(charge, ask, own, WINDOW_MS, now()).map(Amount::minor)
}

fn decided(charge: &Charge, ask: &Ask, own: &[OwnRefund]) -> PolicyDecision {
    policy(charge, ask, own, WINDOW_MS, now()).unwrap()
}

#[test]
fn what_the_processor_lists_and_what_we_have_under_way_count_once_each() {
    let mut charge = charge();
    charge.refunds = vec![
        listed("re_1", 100, ReportedStatus::Completed),
        listed("re_2", 200, ReportedStatus::Processing),
        listed("re_3", 300, ReportedStatus::RequiresAction),
        listed("re_4", 400, ReportedStatus::Unrecognised("new".into())),
        listed("re_5", 4000, ReportedStatus::Failed),
        listed("re_6", 4000, ReportedStatus::Canceled),
        ProcessorRefund { refund_id: Some(id(2)), ..listed("re_7", 500, ReportedStatus::Completed) },
    ];
    let owns = [
        OwnRefund { external_refund_id: Some("re_1".into()), ..own(1, 100, RefundStatus::Completed) },
        own(2, 500, RefundStatus::Pending),
        own(3, 600, RefundStatus::Pending),
        own(4, 700, RefundStatus::Processing),
        own(5, 4000, RefundStatus::Failed),
        own(6, 4000, RefundStatus::Cancelled),
    ];
    assert_eq!(what_is_left(&charge, &owns), Left { captured: 6000, refunded: 2800, left: 3200 });
}

#[test]
fn our_refund_that_the_processor_lists_as_failed_holds_no_money_even_before_we_hear_of_it() {
    let mut charge = charge();
    charge.refunds = vec![listed("re_1", 6000, ReportedStatus::Failed)];
    let unaware = OwnRefund { external_refund_id: Some("re_1".into()), ..own(1, 6000, RefundStatus::Processing) };
    assert_eq!(what_is_left(&charge, &[unaware]).left, 6000);
}

#[test]
fn money_that_the_processor_says_is_out_counts_although_our_books_gave_the_refund_up() {
    let mut charge = charge();
    charge.refunds =
        vec![ProcessorRefund { refund_id: Some(id(1)), ..listed("re_1", 6000, ReportedStatus::Completed) }];
    assert_eq!(what_is_left(&charge, &[own(1, 6000, RefundStatus::Failed)]).left, 0);
}

#[test]
fn impossible_amounts_never_make_room() {
    let mut charge = charge();
    charge.refunds =
        vec![listed("re_1", i64::MAX, ReportedStatus::Completed), listed("re_2", -5, ReportedStatus::Completed)];
    let own = [own(1, i64::MAX, RefundStatus::Pending)];
    assert_eq!(what_is_left(&charge, &own), Left { captured: 6000, refunded: i64::MAX, left: 0 });
    charge.amount_captured = i64::MIN;
    assert_eq!(what_is_left(&charge, &own).left, 0);
}

#[test]
fn the_first_check_that_fails_answers() {
    let mut charge = charge();
    (charge.livemode, charge.paid, charge.refunded, charge.has_transfer) = (true, false, true, true);
    charge.currency = "kwd".parse().unwrap();
    let mut asked = Ask { currency: Some("eur".parse().unwrap()), ..ask(Some(1234)) };

    let refused = |charge: &Charge, asked: &Ask| check_charge(charge, asked, &[]).unwrap_err();
    assert_eq!(refused(&charge, &asked), Refusal::EnvironmentMismatch { environment: Environment::Test });
    charge.livemode = false;
    assert_eq!(refused(&charge, &asked), Refusal::NotPaid);
    charge.paid = true;
    assert_eq!(refused(&charge, &asked), Refusal::AlreadyRefunded { refund_id: None });
    charge.refunded = false;
    assert_eq!(refused(&charge, &asked), Refusal::CurrencyMismatch { asked: "eur".parse().unwrap() });
    asked.currency = Some(charge.currency);
    assert_eq!(refused(&charge, &asked), Refusal::AmountStep { step: 10 });
    asked.amount = Some(Amount::new(1230).unwrap());
    assert_eq!(refused(&charge, &asked), Refusal::TransferUndecided);
    asked.reverse_transfer_known = true;
    assert_eq!(check_charge(&charge, &asked, &[]), Ok(()));
}

#[test]
fn a_live_caller_cannot_refund_a_test_charge() {
    let live = Ask { environment: Environment::Live, ..ask(None) };
    let refusal = check_charge(&charge(), &live, &[]).unwrap_err();
    assert_eq!(refusal.message(&charge()), "Charge ch_1 is a test charge; this key is for live.");
}

#[test]
fn amounts_must_fit_the_unit_the_processor_counts_in() {
    for (currency, amount, step) in
        [("kwd", 1234, Some(10)), ("kwd", 1230, None), ("isk", 550, Some(100)), ("ugx", 500, None), ("usd", 1, None)]
    {
        let charge = Charge { currency: currency.parse().unwrap(), ..charge() };
        let refusal = check_charge(&charge, &ask(Some(amount)), &[]).err();
        assert_eq!(refusal, step.map(|step| Refusal::AmountStep { step }), "{currency} {amount}");
    }
}

#[test]
fn a_dispute_alone_refuses_nothing() {
    let disputed = Charge { disputed: true, ..charge() };
    assert_eq!(check_charge(&disputed, &ask(None), &[]), Ok(()));
    assert_eq!(reserved(&disputed, &ask(None), &[]), Ok(6000));
}

#[test]
fn without_an_amount_all_that_is_left_is_refunded() {
    assert_eq!(reserved(&charge(), &ask(None), &[own(1, 1500, RefundStatus::Pending)]), Ok(4500));
}

#[test]
fn the_same_amount_again_is_a_duplicate_while_open_or_young() {
    let old = |status| OwnRefund { created_at: now().plus_millis(-WINDOW_MS), ..own(1, 1000, status) };
    let duplicate = Err(Refusal::Duplicate { refund_id: id(1) });
    for (refund, expected) in [
        (own(1, 1000, RefundStatus::Pending), &duplicate),
        (own(1, 1000, RefundStatus::Processing), &duplicate),
        (own(1, 1000, RefundStatus::Completed), &duplicate),
        (own(1, 1000, RefundStatus::Failed), &Ok(1000)),
        (own(1, 1000, RefundStatus::Cancelled), &Ok(1000)),
        (own(1, 1001, RefundStatus::Pending), &Ok(1000)),
        (old(RefundStatus::Pending), &duplicate),
        (old(RefundStatus::Processing), &duplicate),
        (old(RefundStatus::Completed), &Ok(1000)),
    ] {
        assert_eq!(reserved(&charge(), &ask(Some(1000)), std::slice::from_ref(&refund)), *expected, "{refund:?}");
        let on_purpose = Ask { allow_duplicate: true, ..ask(Some(1000)) };
        assert_eq!(reserved(&charge(), &on_purpose, &[refund]), Ok(1000));
    }
}

#[test]
fn of_several_duplicates_the_newest_is_named() {
    let owns = [
        own(1, 1000, RefundStatus::Completed),
        own(3, 1000, RefundStatus::Failed),
        own(2, 1000, RefundStatus::Pending),
    ];
    assert_eq!(reserved(&charge(), &ask(Some(1000)), &owns), Err(Refusal::Duplicate { refund_id: id(2) }));
}

#[test]
fn a_repeated_full_refund_is_a_duplicate_and_any_other_amount_is_not_left() {
    let full = [own(1, 6000, RefundStatus::Pending)];
    let explained = Some(id(1));
    assert_eq!(reserved(&charge(), &ask(None), &full), Err(Refusal::Duplicate { refund_id: id(1) }));
    assert_eq!(reserved(&charge(), &ask(Some(6000)), &full), Err(Refusal::Duplicate { refund_id: id(1) }));
    let nothing_left = Err(Refusal::AlreadyRefunded { refund_id: explained });
    assert_eq!(reserved(&charge(), &ask(Some(1000)), &full), nothing_left);
    let on_purpose = Ask { allow_duplicate: true, ..ask(None) };
    assert_eq!(reserved(&charge(), &on_purpose, &full), nothing_left);

    let halves = [own(1, 3000, RefundStatus::Completed), own(2, 3000, RefundStatus::Pending)];
    assert_eq!(reserved(&charge(), &ask(None), &halves), Err(Refusal::AlreadyRefunded { refund_id: Some(id(2)) }));
}

#[test]
fn a_repeat_of_half_is_a_duplicate_also_when_half_is_all_that_is_left() {
    let half = [own(1, 3000, RefundStatus::Completed)];
    assert_eq!(reserved(&charge(), &ask(None), &half), Err(Refusal::Duplicate { refund_id: id(1) }));
}

#[test]
fn what_others_refunded_is_not_explained_by_us() {
    let mut charge = charge();
    charge.refunds = vec![listed("re_1", 6000, ReportedStatus::Completed)];
    assert_eq!(reserved(&charge, &ask(None), &[]), Err(Refusal::AlreadyRefunded { refund_id: None }));
}

#[test]
fn more_than_is_left_names_our_refund_only_where_that_explains_it() {
    let owns = [own(1, 3000, RefundStatus::Completed)];
    let refusal = |asked: i64| reserved(&charge(), &ask(Some(asked)), &owns).unwrap_err();
    assert_eq!(refusal(4000).refund_id(), Some(id(1)));
    assert_eq!(refusal(7000).refund_id(), None);
    assert_eq!(
        refusal(4000).message(&charge()),
        "Refund amount ($40.00) is greater than unrefunded amount on charge ($30.00)"
    );
}

#[test]
fn an_uncaptured_charge_has_nothing_left() {
    let held = Charge { captured: false, ..charge() };
    let refusal = reserved(&held, &ask(None), &[]).unwrap_err();
    let begins = "This uncaptured Charge was created by a PaymentIntent (pi_1). You must cancel the PaymentIntent";
    assert!(refusal.message(&held).starts_with(begins));
    let without_intent = Charge { payment_intent: None, ..held };
    let refusal = reserved(&without_intent, &ask(None), &[]).unwrap_err();
    assert_eq!(refusal, Refusal::Uncaptured { payment_intent: None });
}

#[test]
fn all_that_is_left_must_be_an_amount() {
    let huge = Charge { amount_captured: AMOUNT_MAX + 1, ..charge() };
    assert_eq!(reserved(&huge, &ask(None), &[]), Err(Refusal::BeyondMaximum { left: AMOUNT_MAX + 1 }));
    assert_eq!(reserved(&huge, &ask(Some(AMOUNT_MAX)), &[]), Ok(AMOUNT_MAX));
}

#[test]
fn refusals_speak_the_processors_words_and_codes() {
    let already = Refusal::AlreadyRefunded { refund_id: Some(id(1)) };
    assert_eq!(already.message(&charge()), "Charge ch_1 has already been refunded.");
    assert_eq!((already.code(), already.error_code()), (Some("charge_already_refunded"), ErrorCode::ProcessorError));
    assert_eq!(
        Refusal::NotPaid.message(&charge()),
        "This PaymentIntent (pi_1) does not have a successful charge to refund."
    );
    let duplicate = Refusal::Duplicate { refund_id: id(1) };
    assert_eq!(duplicate.error_code(), ErrorCode::RefundAlreadyProcessed);
}

#[test]
fn refused_amounts_are_written_with_their_currencys_sign() {
    for (currency, asked, left, expected) in [
        ("usd", 123_456_789, 5, "Refund amount ($1,234,567.89) is greater than unrefunded amount on charge ($0.05)"),
        ("eur", 4000, 3000, "Refund amount (€40.00) is greater than unrefunded amount on charge (€30.00)"),
        ("gbp", 100_000, 99_999, "Refund amount (£1,000.00) is greater than unrefunded amount on charge (£999.99)"),
        ("jpy", 12_000, 500, "Refund amount (¥12,000) is greater than unrefunded amount on charge (¥500)"),
        ("kwd", 5000, 10, "Refund amount (5.000 KWD) is greater than unrefunded amount on charge (0.010 KWD)"),
    ] {
        let charge = Charge { currency: currency.parse().unwrap(), ..charge() };
        let refusal = Refusal::MoreThanLeft { asked: Amount::new(asked).unwrap(), left, refund_id: None };
        assert_eq!(refusal.message(&charge), expected);
    }
}

#[test]
fn every_refusal_has_words() {
    let amount = Amount::new(100).unwrap();
    for refusal in [
        Refusal::EnvironmentMismatch { environment: Environment::Live },
        Refusal::NotPaid,
        Refusal::AlreadyRefunded { refund_id: None },
        Refusal::Uncaptured { payment_intent: None },
        Refusal::CurrencyMismatch { asked: "eur".parse().unwrap() },
        Refusal::AmountStep { step: 10 },
        Refusal::TransferUndecided,
        Refusal::Duplicate { refund_id: id(1) },
        Refusal::MoreThanLeft { asked: amount, left: 1, refund_id: None },
        Refusal::BeyondMaximum { left: i64::MAX },
        Refusal::BeyondMember { limit: None, already: 0 },
        Refusal::BeyondMember { limit: Some(amount), already: 0 },
        Refusal::BeyondMember { limit: Some(amount), already: 1 },
    ] {
        assert!(!refusal.message(&charge()).is_empty(), "{refusal:?}");
    }
}

#[test]
fn a_policy_says_how_much_could_be_refunded_now() {
    let all = decided(&charge(), &ask(None), &[own(1, 1500, RefundStatus::Completed)]);
    assert_eq!((all.eligible, all.max_amount), (true, 4500));
    assert_eq!((all.reason.as_str(), all.conditions), ("45.00 USD can be refunded.", vec![]));

    let too_much = decided(&charge(), &ask(Some(7000)), &[]);
    assert_eq!((too_much.eligible, too_much.max_amount), (false, 6000));
    let refunded = decided(&Charge { refunded: true, ..charge() }, &ask(None), &[]);
    assert_eq!((refunded.eligible, refunded.max_amount), (false, 0));
    assert_eq!(refunded.reason, "Charge ch_1 has already been refunded.");
    let unpaid = decided(&Charge { paid: false, ..charge() }, &ask(None), &[]);
    assert_eq!((unpaid.eligible, unpaid.max_amount), (false, 0));
    let transferred = decided(&Charge { has_transfer: true, ..charge() }, &ask(None), &[]);
    assert_eq!((transferred.eligible, transferred.max_amount), (false, 0));
}

#[test]
fn a_policy_names_disputes_and_duplicates_as_conditions() {
    let disputed = Charge { disputed: true, ..charge() };
    let decision = decided(&disputed, &ask(Some(1000)), &[own(1, 1000, RefundStatus::Completed)]);
    assert_eq!((decision.eligible, decision.max_amount), (true, 5000));
    assert_eq!(decision.conditions.len(), 2);
    assert!(decision.conditions[0].contains("disputed"));
    assert!(decision.conditions[1].contains(&id(1).to_string()));
}

#[test]
fn a_policy_question_that_is_wrong_itself_is_refused() {
    let live = Ask { environment: Environment::Live, ..ask(None) };
    let refusal = policy(&charge(), &live, &[], WINDOW_MS, now()).unwrap_err();
    assert_eq!(refusal.error_code(), ErrorCode::EnvironmentMismatch);
}

fn limited(limit: Option<i64>) -> Member {
    Member { id: UserId::from_bits(1), limit: limit.map(|minor| Amount::new(minor).unwrap()) }
}

fn by(person: u128, refund: OwnRefund) -> OwnRefund {
    OwnRefund { user_id: Some(UserId::from_bits(person)), ..refund }
}

#[test]
fn a_member_refunds_as_much_of_one_payment_as_the_owner_says_however_it_is_split() {
    let member = |amount| Ask { member: Some(limited(Some(2000))), ..ask(amount) };
    assert_eq!(reserved(&charge(), &member(Some(2000)), &[]), Ok(2000));
    let beyond = |already| Err(Refusal::BeyondMember { limit: Amount::new(2000).ok(), already });
    assert_eq!(reserved(&charge(), &member(Some(2001)), &[]), beyond(0));
    assert_eq!(reserved(&charge(), &member(None), &[]), beyond(0), "all that is left is more");
    let before = [by(1, own(1, 1500, RefundStatus::Processing))];
    assert_eq!(reserved(&charge(), &member(Some(500)), &before), Ok(500));
    assert_eq!(reserved(&charge(), &member(Some(501)), &before), beyond(1500));
    // What came to nothing, what others refunded and what programs refunded does not count.
    let others = [
        by(1, own(1, 1500, RefundStatus::Failed)),
        by(1, own(2, 1500, RefundStatus::Cancelled)),
        by(2, own(3, 1700, RefundStatus::Completed)),
        own(4, 1800, RefundStatus::Completed),
    ];
    assert_eq!(reserved(&charge(), &member(Some(2000)), &others), Ok(2000));
}

#[test]
fn where_the_owner_set_no_limit_a_member_refunds_nothing() {
    let nothing = Ask { member: Some(limited(None)), ..ask(Some(1)) };
    let refusal = reserved(&charge(), &nothing, &[]).unwrap_err();
    assert_eq!(refusal, Refusal::BeyondMember { limit: None, already: 0 });
    assert_eq!(refusal.error_code(), ErrorCode::Unauthorized);
    assert_eq!(refusal.message(&charge()), "Members cannot refund in USD: the owner has set no limit for it.");
}

#[test]
fn a_policy_tells_a_member_what_that_member_may_refund() {
    let member = |limit, amount| Ask { member: Some(limited(limit)), ..ask(amount) };
    let some = decided(&charge(), &member(Some(2000), None), &[by(1, own(1, 500, RefundStatus::Completed))]);
    assert_eq!((some.eligible, some.max_amount, some.reason.as_str()), (true, 1500, "15.00 USD can be refunded."));
    assert!(some.conditions[0].contains("at most 20.00 USD of one payment"), "{:?}", some.conditions);
    let too_much = decided(&charge(), &member(Some(2000), Some(2001)), &[]);
    assert_eq!((too_much.eligible, too_much.max_amount), (false, 2000));
    let used_up = decided(&charge(), &member(Some(2000), None), &[by(1, own(1, 2000, RefundStatus::Completed))]);
    assert_eq!((used_up.eligible, used_up.max_amount), (false, 0));
    assert!(used_up.reason.contains("you refunded 20.00 USD of charge ch_1 already"), "{}", used_up.reason);
    let nothing = decided(&charge(), &member(None, None), &[]);
    assert_eq!((nothing.eligible, nothing.max_amount), (false, 0));
}
