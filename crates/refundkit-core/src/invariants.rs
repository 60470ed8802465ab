//! What must hold whatever happens: named once, checked by the server while it runs (and counted when it does not hold), by the
//! simulation after each run, and by the tests that kill the program.
//!
//! Each check is given what it judges and says what is wrong. How to get at the facts is the business of whoever checks.

use std::fmt;

use refundkit::{
    RefundId, RefundStatus,
    processor::{ProcessorRefund, ReportedStatus},
};

use crate::{days::Tally, lifecycle::Job};

/// A promise of RefundKit's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// A refund of ours exists at the processor at most once.
    MadeOnce,
    /// What is given back of a charge, by our books and by what the processor lists, never exceeds what was captured.
    NeverMoreThanCaptured,
    /// Status and amount of a refund are what the processor says, once it has said.
    BooksAgree,
    /// A refund whose outcome is open will be looked at again.
    OpenIsWatched,
    /// A status changes only along the documented table.
    StatusMovesAsDocumented,
    /// An idempotency key stands for one refund for ever.
    KeyNamesOneRefund,
    /// The figures of each day say what the refunds say.
    DaysAgree,
}

/// All of them.
pub const INVARIANTS: [Invariant; 7] = [
    Invariant::MadeOnce,
    Invariant::NeverMoreThanCaptured,
    Invariant::BooksAgree,
    Invariant::OpenIsWatched,
    Invariant::StatusMovesAsDocumented,
    Invariant::KeyNamesOneRefund,
    Invariant::DaysAgree,
];

impl Invariant {
    /// Its name, as metrics and logs have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MadeOnce => "made_once",
            Self::NeverMoreThanCaptured => "never_more_than_captured",
            Self::BooksAgree => "books_agree",
            Self::OpenIsWatched => "open_is_watched",
            Self::StatusMovesAsDocumented => "status_moves_as_documented",
            Self::KeyNamesOneRefund => "key_names_one_refund",
            Self::DaysAgree => "days_agree",
        }
    }
}

/// A promise that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// What was found, in words.
    pub found: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant.as_str(), self.found)
    }
}

impl std::error::Error for Violation {}

fn violation(invariant: Invariant, found: String) -> Result<(), Violation> {
    Err(Violation { invariant, found })
}

/// Checks [`Invariant::MadeOnce`] among all refunds of a charge at the processor.
pub fn made_once(refund_id: RefundId, at_processor: &[ProcessorRefund]) -> Result<(), Violation> {
    let mut copies = at_processor.iter().filter(|copy| copy.refund_id == Some(refund_id));
    match (copies.next(), copies.next()) {
        (Some(first), Some(second)) => {
            violation(Invariant::MadeOnce, format!("{refund_id} is {} and {} at the processor", first.id, second.id))
        }
        _ => Ok(()),
    }
}

/// Checks [`Invariant::NeverMoreThanCaptured`]: the amounts are those of all refunds that hold money, each counted once.
pub fn never_more_than_captured(
    charge: &str,
    captured: i64,
    amounts: impl IntoIterator<Item = i64>,
) -> Result<(), Violation> {
    let given_back = amounts.into_iter().fold(0_i64, i64::saturating_add);
    if given_back <= captured {
        return Ok(());
    }
    let found = format!("{given_back} of {charge} is given back or on its way, and {captured} was captured");
    violation(Invariant::NeverMoreThanCaptured, found)
}

/// Checks [`Invariant::BooksAgree`] for a refund of this status, against the processor's copy; none: it has none.
pub fn books_agree(
    refund_id: RefundId,
    amount: i64,
    status: RefundStatus,
    copy: Option<&ProcessorRefund>,
) -> Result<(), Violation> {
    let agrees = match status {
        RefundStatus::Pending => {
            matches!(copy_status(copy), None | Some(ReportedStatus::RequiresAction | ReportedStatus::Unrecognised(_)))
        }
        RefundStatus::Processing => matches!(copy_status(copy), Some(ReportedStatus::Processing)),
        RefundStatus::Completed => matches!(copy_status(copy), Some(ReportedStatus::Completed)),
        RefundStatus::Failed => {
            matches!(copy_status(copy), None | Some(ReportedStatus::Failed | ReportedStatus::Canceled))
        }
        RefundStatus::Cancelled => matches!(copy_status(copy), None | Some(ReportedStatus::Canceled)),
    };
    if !agrees {
        let there = copy.map_or_else(|| "nothing".to_owned(), |copy| format!("{:?} ({})", copy.status, copy.id));
        return violation(Invariant::BooksAgree, format!("{refund_id} is {status} here and {there} there"));
    }
    match copy {
        Some(copy) if copy.amount != amount => {
            violation(Invariant::BooksAgree, format!("{refund_id} is for {amount} here and {} there", copy.amount))
        }
        _ => Ok(()),
    }
}

fn copy_status(copy: Option<&ProcessorRefund>) -> Option<&ReportedStatus> {
    copy.map(|copy| &copy.status)
}

/// Checks [`Invariant::OpenIsWatched`]: what is open has a job.
pub fn open_is_watched(refund_id: RefundId, status: RefundStatus, job: Option<&Job>) -> Result<(), Violation> {
    if matches!(status, RefundStatus::Pending | RefundStatus::Processing) && job.is_none() {
        return violation(Invariant::OpenIsWatched, format!("{refund_id} is {status} and has no job"));
    }
    Ok(())
}

/// Checks [`Invariant::StatusMovesAsDocumented`].
pub fn status_moves_as_documented(
    refund_id: RefundId,
    before: RefundStatus,
    after: RefundStatus,
) -> Result<(), Violation> {
    use RefundStatus::{Cancelled, Completed, Failed, Pending, Processing};
    let documented = before == after
        || match before {
            Pending => matches!(after, Processing | Completed | Failed | Cancelled),
            Processing => matches!(after, Pending | Completed | Failed | Cancelled),
            Completed => matches!(after, Failed),
            Failed | Cancelled => false,
        };
    if documented {
        return Ok(());
    }
    violation(Invariant::StatusMovesAsDocumented, format!("{refund_id} went from {before} to {after}"))
}

/// Checks [`Invariant::KeyNamesOneRefund`].
pub fn key_names_one_refund(key: &str, first: RefundId, again: RefundId) -> Result<(), Violation> {
    if first == again {
        return Ok(());
    }
    violation(Invariant::KeyNamesOneRefund, format!("the key {key} stands for {first} and for {again}"))
}

/// Checks [`Invariant::DaysAgree`]: the figures that are kept, against what counting all refunds comes to.
pub fn days_agree(kept: &Tally, recounted: &Tally) -> Result<(), Violation> {
    let (mut left, mut right) = (kept.iter(), recounted.iter());
    loop {
        match (left.next(), right.next()) {
            (None, None) => return Ok(()),
            (left, right) if left == right => {}
            (left, right) => {
                let found = format!("the figures kept are {left:?} where the refunds come to {right:?}");
                return violation(Invariant::DaysAgree, found);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use refundkit::Timestamp;

    use super::*;
    use crate::{
        days::{Counts, Day},
        lifecycle::JobKind,
    };

    const ID: RefundId = RefundId::from_bits(1);

    fn copy(id: &str, status: ReportedStatus, refund_id: Option<RefundId>) -> ProcessorRefund {
        ProcessorRefund {
            id: id.to_owned(),
            charge: None,
            amount: 100,
            currency: "usd".parse().unwrap(),
            status,
            failure_reason: None,
            refund_id,
            created_at: Timestamp::from_seconds(0),
            request_id: None,
        }
    }

    #[track_caller]
    fn violates(result: Result<(), Violation>, invariant: Invariant) {
        assert_eq!(result.unwrap_err().invariant, invariant);
    }

    #[test]
    fn two_copies_are_one_too_many() {
        let ours = |id| copy(id, ReportedStatus::Completed, Some(ID));
        assert_eq!(made_once(ID, &[ours("re_1"), copy("re_2", ReportedStatus::Completed, None)]), Ok(()));
        violates(made_once(ID, &[ours("re_1"), ours("re_2")]), Invariant::MadeOnce);
    }

    #[test]
    fn the_captured_amount_is_the_limit() {
        assert_eq!(never_more_than_captured("ch_1", 100, [60, 40]), Ok(()));
        violates(never_more_than_captured("ch_1", 100, [60, 41]), Invariant::NeverMoreThanCaptured);
        violates(never_more_than_captured("ch_1", 100, [i64::MAX, i64::MAX]), Invariant::NeverMoreThanCaptured);
    }

    #[test]
    fn books_agree_only_where_both_sides_say_the_same() {
        let there = |status| copy("re_1", status, Some(ID));
        let agree = |status, there: Option<ProcessorRefund>| books_agree(ID, 100, status, there.as_ref());
        assert_eq!(agree(RefundStatus::Completed, Some(there(ReportedStatus::Completed))), Ok(()));
        assert_eq!(agree(RefundStatus::Failed, None), Ok(()));
        violates(agree(RefundStatus::Failed, Some(there(ReportedStatus::Completed))), Invariant::BooksAgree);
        violates(agree(RefundStatus::Completed, None), Invariant::BooksAgree);
        violates(agree(RefundStatus::Cancelled, Some(there(ReportedStatus::Failed))), Invariant::BooksAgree);
        violates(
            books_agree(ID, 99, RefundStatus::Completed, Some(&there(ReportedStatus::Completed))),
            Invariant::BooksAgree,
        );
    }

    #[test]
    fn an_open_refund_without_a_job_is_lost_from_sight() {
        let job = Job { kind: JobKind::Poll, run_at: Timestamp::from_seconds(0) };
        assert_eq!(open_is_watched(ID, RefundStatus::Pending, Some(&job)), Ok(()));
        violates(open_is_watched(ID, RefundStatus::Pending, None), Invariant::OpenIsWatched);
        assert_eq!(open_is_watched(ID, RefundStatus::Cancelled, None), Ok(()));
    }

    #[test]
    fn the_table_of_moves_is_the_documented_one() {
        use RefundStatus::{Cancelled, Completed, Failed, Pending, Processing};
        let all = [Pending, Processing, Completed, Failed, Cancelled];
        let allowed: Vec<_> = all
            .into_iter()
            .flat_map(|before| all.map(|after| (before, after)))
            .filter(|(before, after)| before != after && status_moves_as_documented(ID, *before, *after).is_ok())
            .collect();
        assert_eq!(
            allowed,
            [
                (Pending, Processing),
                (Pending, Completed),
                (Pending, Failed),
                (Pending, Cancelled),
                (Processing, Pending),
                (Processing, Completed),
                (Processing, Failed),
                (Processing, Cancelled),
                (Completed, Failed),
            ]
        );
    }

    #[test]
    fn a_key_that_stands_for_two_refunds_is_told() {
        assert_eq!(key_names_one_refund("k", ID, ID), Ok(()));
        violates(key_names_one_refund("k", ID, RefundId::from_bits(2)), Invariant::KeyNamesOneRefund);
    }

    #[test]
    fn figures_that_say_something_else_are_told() {
        let usd = "usd".parse().unwrap();
        let tally = |failed| {
            let mut tally = Tally::default();
            tally.add(Day::from_number(20_000), usd, Counts { failed, ..Counts::default() });
            tally
        };
        assert_eq!(days_agree(&tally(2), &tally(2)), Ok(()));
        violates(days_agree(&tally(2), &tally(1)), Invariant::DaysAgree);
        violates(days_agree(&tally(2), &Tally::default()), Invariant::DaysAgree);
        violates(days_agree(&Tally::default(), &tally(1)), Invariant::DaysAgree);
    }

    #[test]
    fn every_invariant_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = INVARIANTS.iter().map(|invariant| invariant.as_str()).collect();
        assert_eq!(names.len(), INVARIANTS.len());
    }
}
