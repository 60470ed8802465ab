//! When to look again: bounds, order, and no instant that lies in the past.

use proptest::prelude::*;

use super::*;

fn start() -> Timestamp {
    Timestamp::from_seconds(1_800_000_000)
}

fn poll_delay_ms(age_ms: i64) -> i64 {
    let now = start().plus_millis(age_ms);
    Schedule::default().poll_at(start(), now).millis_since(now)
}

fn submit_delay_ms(attempts: u32) -> i64 {
    Schedule::default().submit_again_at(attempts, start()).millis_since(start())
}

#[test]
fn submitting_backs_off_to_a_quarter_of_an_hour() {
    let delays: Vec<i64> = (0..11).map(|attempts| submit_delay_ms(attempts) / SECOND_MS).collect();
    assert_eq!(delays, [2, 2, 5, 15, 60, 120, 240, 480, 900, 900, 900]);
    assert_eq!(submit_delay_ms(u32::MAX), SUBMIT_DELAY_MS_MAX);
}

#[test]
fn polling_is_quick_at_first_and_slower_with_age() {
    let delays: Vec<i64> = [0, 2, 4, 8, 60, 3_599, 3_600, 86_399, 86_400, 8_640_000]
        .map(|age_seconds| poll_delay_ms(age_seconds * SECOND_MS) / SECOND_MS)
        .into();
    assert_eq!(delays, [2, 2, 4, 8, 50, 50, 840, 840, 20_700, 20_700]);
}

#[test]
fn a_completed_refund_is_looked_at_daily_for_30_days_and_then_never() {
    let (schedule, mut now, mut looks) = (Schedule::default(), start(), 0);
    while let Some(next) = schedule.completed_poll_at(start(), now) {
        assert_eq!(next.millis_since(now), DAY_MS);
        (now, looks) = (next, looks + 1);
    }
    assert_eq!(looks, 30);
}

#[test]
fn a_pause_that_the_processor_asks_for_is_a_minimum_with_a_maximum() {
    let at = start().plus_millis(5_000);
    assert_eq!(not_before(at, None, start()), at);
    assert_eq!(not_before(at, Some(-1), start()), at);
    assert_eq!(not_before(at, Some(4_999), start()), at);
    assert_eq!(not_before(at, Some(5_001), start()), start().plus_millis(5_001));
    assert_eq!(not_before(at, Some(i64::MAX), start()), start().plus_millis(RETRY_AFTER_MS_MAX));
}

#[test]
fn what_outlasts_a_real_call_is_not_sped_up() {
    assert_eq!(Schedule::lapse_at(start()).millis_since(start()), ATTEMPT_LAPSE_MS);
}

proptest! {
    #[test]
    fn nothing_is_scheduled_in_the_past_or_at_once(
        age_ms in -DAY_MS..400 * DAY_MS, attempts in any::<u32>(), speedup in any::<u32>(),
    ) {
        let (schedule, now) = (Schedule::sped_up(speedup), start().plus_millis(age_ms));
        let instants = [
            Some(schedule.submit_again_at(attempts, now)),
            Some(schedule.look_again_at(start(), now)),
            Some(schedule.poll_at(start(), now)),
            Some(schedule.cancel_again_at(now)),
            schedule.completed_poll_at(start(), now),
        ];
        for instant in instants.into_iter().flatten() {
            prop_assert!(instant.millis_since(now) >= DELAY_MS_MIN);
        }
    }

    #[test]
    fn delays_only_grow(age_ms in 0..40 * DAY_MS, older_by_ms in 0..DAY_MS, attempts in 0..100_u32) {
        prop_assert!(poll_delay_ms(age_ms) <= poll_delay_ms(age_ms + older_by_ms));
        prop_assert!(submit_delay_ms(attempts) <= submit_delay_ms(attempts + 1));
    }

    #[test]
    fn a_change_is_seen_within_a_minute_then_15_minutes_then_6_hours(age_ms in 0..400 * DAY_MS) {
        let promised_ms = if age_ms < HOUR_MS {
            MINUTE_MS
        } else if age_ms < DAY_MS {
            15 * MINUTE_MS
        } else {
            6 * HOUR_MS
        };
        prop_assert!(poll_delay_ms(age_ms) < promised_ms);
    }

    #[test]
    fn a_speedup_divides(age_ms in 0..40 * DAY_MS, speedup in 1..40_u32) {
        let now = start().plus_millis(age_ms);
        let faster_ms = Schedule::sped_up(speedup).poll_at(start(), now).millis_since(now);
        prop_assert_eq!(faster_ms, poll_delay_ms(age_ms) / i64::from(speedup));
    }
}
