//! What came to an end on each day: how a refund counts in the figures of its tenant.
//!
//! A refund counts on the day on which it settled, in UTC, in its currency. A success that the processor takes back no longer
//! counts on its day, and counts as failed on the day on which it failed. Where the figures are kept is not known here.

use std::{collections::BTreeMap, fmt, str::FromStr};

use refundkit::{Currency, RefundStatus, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::lifecycle::{State, Subject};

/// Milliseconds of a day.
pub const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// A day in UTC. On the wire `2026-02-22`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i64);

/// A text that is not a day of this era.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidDay;

impl Day {
    /// The day that many days after 1970-01-01.
    pub const fn from_number(days: i64) -> Self {
        Self(days)
    }

    /// The day of an instant.
    pub const fn of(at: Timestamp) -> Self {
        Self(at.as_millis().div_euclid(DAY_MS))
    }

    /// Days since 1970-01-01.
    pub const fn number(self) -> i64 {
        self.0
    }

    /// This day, `days` earlier.
    #[must_use]
    pub const fn back(self, days: i64) -> Self {
        Self(self.0.saturating_sub(days))
    }

    /// The day after.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Its first instant.
    pub const fn begins_at(self) -> Timestamp {
        Timestamp::from_millis(self.0.saturating_mul(DAY_MS))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.begins_at().to_string();
        f.write_str(text.split('T').next().unwrap_or_default())
    }
}

impl fmt::Display for InvalidDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("is not a day: expected a date such as 2026-02-22")
    }
}

impl FromStr for Day {
    type Err = InvalidDay;
    fn from_str(text: &str) -> Result<Self, InvalidDay> {
        let at: Timestamp = format!("{text}T00:00:00Z").parse().map_err(|_| InvalidDay)?;
        Ok(Self::of(at))
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// How many refunds came to an end, and how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Refunds that are completed.
    pub completed: i64,
    /// What those give back together, in the processor's smallest unit.
    pub completed_amount: i64,
    /// How long those took from being asked for to completion, together, in milliseconds.
    pub settle_ms: i64,
    /// Refunds that failed.
    pub failed: i64,
    /// Refunds that were taken back.
    pub cancelled: i64,
}

impl Counts {
    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            completed: self.completed.saturating_add(other.completed),
            completed_amount: self.completed_amount.saturating_add(other.completed_amount),
            settle_ms: self.settle_ms.saturating_add(other.settle_ms),
            failed: self.failed.saturating_add(other.failed),
            cancelled: self.cancelled.saturating_add(other.cancelled),
        }
    }

    /// This without the other.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self {
            completed: self.completed.saturating_sub(other.completed),
            completed_amount: self.completed_amount.saturating_sub(other.completed_amount),
            settle_ms: self.settle_ms.saturating_sub(other.settle_ms),
            failed: self.failed.saturating_sub(other.failed),
            cancelled: self.cancelled.saturating_sub(other.cancelled),
        }
    }
}

/// How one refund counts, and on which day; none while it is open.
pub fn counted(subject: &Subject, status: RefundStatus, settled_at: Option<Timestamp>) -> Option<(Day, Counts)> {
    let settled_at = settled_at?;
    let none = Counts::default();
    let counts = match status {
        RefundStatus::Completed => Counts {
            completed: 1,
            completed_amount: subject.amount.minor(),
            // A clock that went back in between makes nothing faster than at once.
            settle_ms: settled_at.millis_since(subject.created_at).max(0),
            ..none
        },
        RefundStatus::Failed => Counts { failed: 1, ..none },
        RefundStatus::Cancelled => Counts { cancelled: 1, ..none },
        RefundStatus::Pending | RefundStatus::Processing => return None,
    };
    Some((Day::of(settled_at), counts))
}

/// Counts by day and currency: those of a tenant, or what is to be added to them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally(BTreeMap<(Day, Currency), Counts>);

impl Tally {
    /// Adds counts of a day.
    pub fn add(&mut self, day: Day, currency: Currency, counts: Counts) {
        let known = self.0.entry((day, currency)).or_default();
        *known = known.plus(counts);
        if *known == Counts::default() {
            self.0.remove(&(day, currency));
        }
    }

    /// Counts a refund that stands so.
    pub fn count(&mut self, subject: &Subject, status: RefundStatus, settled_at: Option<Timestamp>) {
        if let Some((day, counts)) = counted(subject, status, settled_at) {
            self.add(day, subject.currency, counts);
        }
    }

    /// What a refund's move from one state to another adds and takes away: nothing, unless it changes how the refund counts.
    pub fn moved(&mut self, subject: &Subject, before: &State, after: &State) {
        if let Some((day, counts)) = counted(subject, before.status(), before.settled_at()) {
            self.add(day, subject.currency, Counts::default().minus(counts));
        }
        self.count(subject, after.status(), after.settled_at());
    }

    /// What is not zero, in the order of days and currencies.
    pub fn iter(&self) -> impl Iterator<Item = (Day, Currency, Counts)> {
        self.0.iter().map(|((day, currency), counts)| (*day, *currency, *counts))
    }
}

#[cfg(test)]
mod tests {
    use refundkit::{Amount, Failure};

    use super::*;
    use crate::lifecycle::Accepted;

    const HOUR_MS: i64 = 60 * 60 * 1000;

    fn subject() -> Subject {
        let created_at = "2026-02-22T23:00:00Z".parse().unwrap();
        Subject { amount: Amount::new(2500).unwrap(), currency: "usd".parse().unwrap(), created_at }
    }

    fn accepted() -> Accepted {
        Accepted { external_refund_id: "re_1".to_owned(), cancel_requested: false, contradiction: None }
    }

    fn completed(settled_at: Timestamp) -> State {
        State::Completed { accepted: accepted(), settled_at }
    }

    fn failed(settled_at: Timestamp) -> State {
        let failure = Failure { code: "lost_or_stolen_card".to_owned(), message: "It came back.".to_owned() };
        State::Failed { accepted: Some(accepted()), failure, settled_at }
    }

    fn told(tally: &Tally) -> Vec<(String, Counts)> {
        tally.iter().map(|(day, currency, counts)| (format!("{day} {currency}"), counts)).collect()
    }

    #[test]
    fn a_day_is_one_of_utc_and_survives_the_way_to_text_and_back() {
        let at: Timestamp = "2026-02-23T00:59:59.999+01:00".parse().unwrap();
        assert_eq!(Day::of(at).to_string(), "2026-02-22");
        assert_eq!("2026-02-22".parse(), Ok(Day::of(at)));
        assert_eq!(serde_json::to_string(&Day::of(at).next()).unwrap(), r#""2026-02-23""#);
        assert!("2026-02-30".parse::<Day>().is_err() && "2026-02-22T".parse::<Day>().is_err());
    }

    #[test]
    fn a_refund_counts_on_the_day_on_which_it_settled() {
        let (subject, mut tally) = (subject(), Tally::default());
        let settled_at = subject.created_at.plus_millis(2 * HOUR_MS);
        tally.moved(&subject, &State::Processing { accepted: accepted() }, &completed(settled_at));
        let counts = Counts { completed: 1, completed_amount: 2500, settle_ms: 2 * HOUR_MS, ..Counts::default() };
        assert_eq!(told(&tally), [("2026-02-23 usd".to_owned(), counts)]);
    }

    #[test]
    fn a_success_that_is_taken_back_leaves_its_day_and_fails_on_another() {
        let (subject, mut tally) = (subject(), Tally::default());
        let (first, later) =
            (subject.created_at.plus_millis(HOUR_MS / 2), subject.created_at.plus_millis(49 * HOUR_MS));
        tally.moved(&subject, &State::Processing { accepted: accepted() }, &completed(first));
        tally.moved(&subject, &completed(first), &failed(later));
        assert_eq!(told(&tally), [("2026-02-25 usd".to_owned(), Counts { failed: 1, ..Counts::default() })]);
    }

    #[test]
    fn what_changes_without_settling_otherwise_counts_as_before() {
        let (subject, mut tally) = (subject(), Tally::default());
        let noted = Accepted { contradiction: Some("pending".to_owned()), ..accepted() };
        let settled_at = subject.created_at;
        tally.moved(&subject, &completed(settled_at), &State::Completed { accepted: noted, settled_at });
        tally.moved(
            &subject,
            &State::created_with_first_attempt(settled_at),
            &State::Processing { accepted: accepted() },
        );
        assert_eq!(tally, Tally::default());
    }

    #[test]
    fn a_clock_that_went_back_makes_no_refund_faster_than_at_once() {
        let subject = subject();
        let settled_at = subject.created_at.plus_millis(-HOUR_MS);
        let (_, counts) = counted(&subject, RefundStatus::Completed, Some(settled_at)).unwrap();
        assert_eq!(counts.settle_ms, 0);
    }
}
