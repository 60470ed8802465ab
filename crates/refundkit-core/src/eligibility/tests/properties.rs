//! A processor and our books, driven apart by every outcome there is.

use proptest::prelude::*;

use super::*;

/// Something that happens to the charge; refunds are picked by number, modulo how many there are.
#[derive(Debug, Clone)]
enum Happening {
    /// Somebody asks for a refund, and it is written down if the rules allow it.
    Asked { amount: Option<i64>, allow_duplicate: bool },
    /// The processor executes one, whether or not we hear of it.
    Executed(usize),
    /// The processor refuses one, and we hear of it.
    Refused(usize),
    /// The processor's copy fails, whether or not we hear of it.
    FailedThere(usize),
    /// We learn how the processor's copy stands.
    Heard(usize),
}

/// A refund in both books.
struct Entry {
    ours: OwnRefund,
    theirs: Option<ProcessorRefund>,
}

impl Entry {
    /// Money it holds: what the processor says, and what we reserved where it does not say anything.
    fn held(&self) -> i64 {
        let holds = match &self.theirs {
            Some(theirs) => theirs.status == ReportedStatus::Completed,
            None => self.ours.status.holds_money(),
        };
        if holds { self.ours.amount } else { 0 }
    }

    fn happens(&mut self, happening: &Happening) {
        match happening {
            Happening::Asked { .. } => {}
            Happening::Executed(_) => {
                if self.theirs.is_none() && self.ours.status.holds_money() {
                    let copy = listed(&format!("re_{}", self.ours.id), self.ours.amount, ReportedStatus::Completed);
                    self.theirs = Some(ProcessorRefund { refund_id: Some(self.ours.id), ..copy });
                }
            }
            Happening::Refused(_) => {
                if self.theirs.is_none() {
                    self.ours.status = RefundStatus::Failed;
                }
            }
            Happening::FailedThere(_) => {
                if let Some(theirs) = &mut self.theirs {
                    theirs.status = ReportedStatus::Failed;
                }
            }
            Happening::Heard(_) => {
                if let Some(theirs) = &self.theirs {
                    self.ours.status = theirs.status.status();
                    self.ours.external_refund_id = Some(theirs.id.clone());
                }
            }
        }
    }
}

fn any_happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        3 => (prop::option::weighted(0.8, 1..3000_i64), any::<bool>())
            .prop_map(|(amount, allow_duplicate)| Happening::Asked { amount, allow_duplicate }),
        1 => any::<usize>().prop_map(Happening::Executed),
        1 => any::<usize>().prop_map(Happening::Refused),
        1 => any::<usize>().prop_map(Happening::FailedThere),
        1 => any::<usize>().prop_map(Happening::Heard),
    ]
}

proptest! {
    #[test]
    fn reserved_and_posted_together_never_exceed_what_was_captured(
        happenings in prop::collection::vec(any_happening(), 1..60),
    ) {
        let mut entries: Vec<Entry> = Vec::new();
        for happening in happenings {
            match happening {
                Happening::Asked { amount, allow_duplicate } => {
                    let refunds = entries.iter().filter_map(|entry| entry.theirs.clone()).collect();
                    let charge = Charge { refunds, ..charge() };
                    let owns: Vec<OwnRefund> = entries.iter().map(|entry| entry.ours.clone()).collect();
                    if let Ok(reserved) = reserved(&charge, &Ask { allow_duplicate, ..ask(amount) }, &owns) {
                        let number = u8::try_from(entries.len()).unwrap();
                        entries.push(Entry { ours: own(number, reserved, RefundStatus::Pending), theirs: None });
                    }
                }
                Happening::Executed(pick) | Happening::Refused(pick) | Happening::FailedThere(pick) | Happening::Heard(pick) => {
                    let count = entries.len().max(1);
                    if let Some(entry) = entries.get_mut(pick % count) {
                        entry.happens(&happening);
                    }
                }
            }
            let held: i64 = entries.iter().map(Entry::held).sum();
            prop_assert!(held <= charge().amount_captured, "{held} of {}", charge().amount_captured);
        }
    }

    #[test]
    fn what_is_left_is_never_negative_and_never_more_than_was_captured(
        captured in any::<i64>(),
        amounts in prop::collection::vec(any::<i64>(), 0..8),
        ours in prop::collection::vec(any::<i64>(), 0..8),
    ) {
        let refunds = amounts.iter().map(|amount| listed("re_x", *amount, ReportedStatus::Completed)).collect();
        let charge = Charge { amount_captured: captured, refunds, ..charge() };
        let owns: Vec<OwnRefund> = ours.iter().map(|amount| own(1, *amount, RefundStatus::Pending)).collect();
        let left = what_is_left(&charge, &owns);
        prop_assert!(left.left >= 0 && left.left <= left.captured && left.refunded >= 0);
    }
}
