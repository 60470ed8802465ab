//! The budget of background calls to a processor: polls, re-fetches and comparisons share it, for each connection of this
//! process. Creates never ask it; when the processor turns anything away for being asked too often, the background yields.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use refundkit::{ConnectionId, Environment, Timestamp};

use crate::limits;

/// What one token costs, in thousandths: a token a second is one thousandth a millisecond.
const TOKEN: i64 = 1_000;

/// The budgets of all connections.
#[derive(Debug)]
pub struct Budgets {
    /// Calls a second where a setting says; 0 for no limit.
    rate: Option<u32>,
    connections: Mutex<HashMap<ConnectionId, Budget>>,
}

/// The budget of one connection.
#[derive(Debug)]
struct Budget {
    /// Thousandths of a call that may be made now.
    thousandths: i64,
    counted_at: Timestamp,
    /// Until when nothing is asked, because the processor said that it is asked too often.
    paused_until: Timestamp,
    /// How long the next pause is.
    back_off_ms: i64,
}

impl Budgets {
    /// Budgets of `rate` calls a second for each connection: 10 in test and 40 in live when none is given, 0 for no limit.
    pub fn new(rate: Option<u32>) -> Self {
        Self { rate, connections: Mutex::default() }
    }

    fn rate(&self, environment: Environment) -> i64 {
        let default = match environment {
            Environment::Test => limits::STRIPE_RATE_TEST,
            Environment::Live => limits::STRIPE_RATE_LIVE,
        };
        self.rate.unwrap_or(default).into()
    }

    /// Takes one call, or says when to ask again.
    pub fn take(&self, id: ConnectionId, environment: Environment, now: Timestamp) -> Result<(), Timestamp> {
        let rate = self.rate(environment);
        self.with(id, rate, now, |budget| {
            if now < budget.paused_until {
                return Err(budget.paused_until);
            }
            if rate == 0 {
                return Ok(());
            }
            if budget.thousandths < TOKEN {
                let missing = TOKEN - budget.thousandths;
                return Err(now.plus_millis(missing.div_euclid(rate).saturating_add(1)));
            }
            budget.thousandths -= TOKEN;
            Ok(())
        })
    }

    /// The processor is asked too often: the background keeps quiet for as long as it says, or longer each time.
    pub fn back_off(
        &self,
        id: ConnectionId,
        environment: Environment,
        retry_after_ms: Option<i64>,
        now: Timestamp,
    ) -> Timestamp {
        self.with(id, self.rate(environment), now, |budget| {
            // Calls that were under way together are one offence.
            if now >= budget.paused_until {
                budget.paused_until = now.plus_millis(budget.back_off_ms);
                budget.back_off_ms = budget.back_off_ms.saturating_mul(2).min(limits::BACK_OFF_MS_MAX);
            }
            let asked = retry_after_ms.unwrap_or(0).clamp(0, refundkit_core::schedule::RETRY_AFTER_MS_MAX);
            budget.paused_until = budget.paused_until.max(now.plus_millis(asked));
            budget.paused_until
        })
    }

    /// A call was answered: the next pause is short again.
    pub fn answered(&self, id: ConnectionId) {
        let mut budgets = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(budget) = budgets.get_mut(&id) {
            budget.back_off_ms = limits::BACK_OFF_MS_MIN;
        }
    }

    fn with<T>(&self, id: ConnectionId, rate: i64, now: Timestamp, work: impl FnOnce(&mut Budget) -> T) -> T {
        let mut budgets = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        let full = rate.saturating_mul(TOKEN);
        let budget = budgets.entry(id).or_insert(Budget {
            thousandths: full,
            counted_at: now,
            paused_until: Timestamp::from_millis(0),
            back_off_ms: limits::BACK_OFF_MS_MIN,
        });
        let passed_ms = now.millis_since(budget.counted_at).max(0);
        budget.thousandths = budget.thousandths.saturating_add(passed_ms.saturating_mul(rate)).min(full);
        budget.counted_at = now;
        work(budget)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONNECTION: ConnectionId = ConnectionId::from_bits(1);
    const TEST: Environment = Environment::Test;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + millis)
    }

    fn calls(budgets: &Budgets, environment: Environment, millis: i64) -> usize {
        (0..1000).take_while(|_| budgets.take(CONNECTION, environment, at(millis)).is_ok()).count()
    }

    #[test]
    fn a_second_has_as_many_calls_as_the_setting_says() {
        for (rate, environment, expected) in
            [(Some(3), TEST, 3), (None, TEST, 10), (None, Environment::Live, 40), (Some(0), TEST, 1000)]
        {
            let budgets = Budgets::new(rate);
            assert_eq!(calls(&budgets, environment, 0), expected, "{rate:?} {environment}");
            assert_eq!(calls(&budgets, environment, 1000), expected, "{rate:?} {environment}");
        }
        let budgets = Budgets::new(Some(4));
        assert_eq!((calls(&budgets, TEST, 0), calls(&budgets, TEST, 500), calls(&budgets, TEST, 500)), (4, 2, 0));
        // Ten quiet minutes save nothing up.
        assert_eq!(calls(&budgets, TEST, 600_000), 4);
    }

    #[test]
    fn who_may_not_call_is_told_when_to_ask_again() {
        let budgets = Budgets::new(Some(10));
        assert_eq!(calls(&budgets, TEST, 0), 10);
        let again = budgets.take(CONNECTION, TEST, at(0)).unwrap_err();
        assert!(again > at(0) && again <= at(101), "{again}");
        assert!(budgets.take(CONNECTION, TEST, again).is_ok());
        // Another connection has its own.
        assert!(budgets.take(ConnectionId::from_bits(2), TEST, at(0)).is_ok());
    }

    #[test]
    fn a_pause_grows_with_each_offence_obeys_the_processor_and_ends_with_an_answer() {
        let budgets = Budgets::new(Some(0));
        let pause = |asked, millis| budgets.back_off(CONNECTION, TEST, asked, at(millis)).millis_since(at(millis));
        assert_eq!(pause(None, 0), 1_000);
        assert_eq!(pause(None, 1), 999, "the same offence");
        assert_eq!(budgets.take(CONNECTION, TEST, at(999)), Err(at(1000)));
        assert!(budgets.take(CONNECTION, TEST, at(1000)).is_ok());
        assert_eq!(pause(None, 10_000), 2_000);
        assert_eq!(pause(Some(30_000), 20_000), 30_000);
        budgets.answered(CONNECTION);
        assert_eq!(pause(None, 100_000), 1_000);
    }
}
