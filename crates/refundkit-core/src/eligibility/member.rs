//! What a member may refund: as much of one payment as the owner says, in one refund or in several.

use refundkit::{Amount, Currency, UserId, money::CurrencyUnit, processor::Charge};

use super::{OwnRefund, PROCESSOR, Refusal, shown};

/// Somebody whose refunds the owner limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub id: UserId,
    /// The most that this person may refund of one payment in the payment's currency; none: nothing at all.
    pub limit: Option<Amount>,
}

impl Member {
    /// What this person has refunded of the payment, or is refunding. An impossible sum saturates, which leaves no room.
    fn already(&self, own: &[OwnRefund]) -> i64 {
        let theirs = own.iter().filter(|own| own.user_id == Some(self.id) && own.status.holds_money());
        theirs.fold(0_i64, |sum, own| sum.saturating_add(own.amount.max(0)))
    }

    /// What this person may still refund of the payment; never negative.
    pub(super) fn room(&self, own: &[OwnRefund]) -> i64 {
        self.limit.map_or(0, |limit| limit.minor().saturating_sub(self.already(own)).max(0))
    }

    /// Whether this person may refund so much, beside what they refunded of the payment before.
    pub(super) fn check(&self, minor: i64, own: &[OwnRefund]) -> Result<(), Refusal> {
        if minor <= self.room(own) {
            return Ok(());
        }
        Err(Refusal::BeyondMember { limit: self.limit, already: self.already(own) })
    }

    /// The same, or, where no amount is asked for, whether this person may refund anything at all.
    pub(super) fn check_any(
        &self,
        asked: Option<Amount>,
        currency: Currency,
        own: &[OwnRefund],
    ) -> Result<(), Refusal> {
        self.check(asked.map_or(CurrencyUnit::of(PROCESSOR, currency).step, Amount::minor), own)
    }

    /// What bounds this person's refunds of the payment, in words.
    pub(super) fn condition(&self, charge: &Charge) -> Option<String> {
        let limit = shown(self.limit?.minor(), charge);
        Some(format!("You may refund at most {limit} of one payment; an owner sets this limit."))
    }
}
