//! Whether a payment can be refunded and how much of it: what the processor lists, our own books, and duplicates.
//!
//! [`check_charge`] looks at what the processor says and needs no lock; [`reserve`] decides against our own refunds of the
//! same charge and must run under its lock. Requests, connections and idempotency keys are checked elsewhere.

mod member;
mod refusal;

use refundkit::{
    Amount, Currency, Environment, PolicyDecision, ProcessorName, RefundId, RefundStatus, Timestamp, UserId,
    money::{AMOUNT_MAX, CurrencyUnit, write_amount},
    processor::{Charge, ProcessorRefund, ReportedStatus},
};

pub use member::Member;
pub use refusal::Refusal;

/// The processor whose words and currency table are spoken here: the only one so far.
const PROCESSOR: ProcessorName = ProcessorName::Stripe;

/// One of our own refunds of the charge, as our books have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnRefund {
    /// Its id.
    pub id: RefundId,
    /// How much, in the processor's unit.
    pub amount: i64,
    /// Where it stands.
    pub status: RefundStatus,
    /// Its id at the processor, once that is known.
    pub external_refund_id: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// The person who asked for it, when it was one.
    pub user_id: Option<UserId>,
}

/// What of a charge has been given back and what has not, in the processor's unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// What was captured; 0 for a charge that was not.
    pub captured: i64,
    /// What the processor lists as refunded or being refunded, and what we have under way that it does not list yet.
    pub refunded: i64,
    /// What may still be refunded; never negative.
    pub left: i64,
}

/// What somebody asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// How much; none: all that is left.
    pub amount: Option<Amount>,
    /// The currency they believe the charge to be in.
    pub currency: Option<Currency>,
    /// The environment they are in.
    pub environment: Environment,
    /// Whether they want it although the same refund was made already.
    pub allow_duplicate: bool,
    /// Whether the connection says who pays for what was transferred to a connected account.
    pub reverse_transfer_known: bool,
    /// Who asks, when it is somebody whose refunds the owner limits.
    pub member: Option<Member>,
}

/// Counts what is left of a charge: captured, less the processor's refunds that are not failed or canceled, less our own
/// live ones that it does not list yet.
///
/// Sums saturate: an impossible sum leaves nothing, which errs on the side of not paying.
pub fn what_is_left(charge: &Charge, own: &[OwnRefund]) -> Left {
    let captured = if charge.captured { charge.amount_captured.max(0) } else { 0 };
    let listed = charge.refunds.iter().filter(|refund| holds_money(&refund.status)).map(|refund| refund.amount);
    let under_way = unlisted(charge, own).filter(|own| own.status.holds_money());
    let refunded =
        listed.chain(under_way.map(|own| own.amount)).fold(0_i64, |sum, amount| sum.saturating_add(amount.max(0)));
    Left { captured, refunded, left: captured.saturating_sub(refunded).max(0) }
}

fn holds_money(status: &ReportedStatus) -> bool {
    match status {
        ReportedStatus::Completed
        | ReportedStatus::Processing
        | ReportedStatus::RequiresAction
        | ReportedStatus::Unrecognised(_) => true,
        ReportedStatus::Failed | ReportedStatus::Canceled => false,
    }
}

/// Our refunds of the charge that the processor does not list (yet).
pub fn unlisted<'a>(charge: &'a Charge, own: &'a [OwnRefund]) -> impl Iterator<Item = &'a OwnRefund> {
    own.iter().filter(|own| !is_listed(own, &charge.refunds))
}

/// Whether the processor lists our refund: under the id it gave, or carrying ours.
fn is_listed(own: &OwnRefund, listed: &[ProcessorRefund]) -> bool {
    listed
        .iter()
        .any(|refund| refund.refund_id == Some(own.id) || own.external_refund_id.as_deref() == Some(&refund.id))
}

/// Checks what the charge itself says, in this order: environment, paid, not fully refunded, currency and its unit, and
/// who pays for what was transferred.
pub fn check_charge(charge: &Charge, ask: &Ask, own: &[OwnRefund]) -> Result<(), Refusal> {
    if charge.livemode != (ask.environment == Environment::Live) {
        return Err(Refusal::EnvironmentMismatch { environment: ask.environment });
    }
    if !charge.paid {
        return Err(Refusal::NotPaid);
    }
    if charge.refunded {
        return Err(Refusal::AlreadyRefunded { refund_id: newest_live(own) });
    }
    if let Some(asked) = ask.currency
        && asked != charge.currency
    {
        return Err(Refusal::CurrencyMismatch { asked });
    }
    let step = CurrencyUnit::of(PROCESSOR, charge.currency).step;
    if let Some(amount) = ask.amount
        && amount.minor().checked_rem(step) != Some(0)
    {
        return Err(Refusal::AmountStep { step });
    }
    if charge.has_transfer && !ask.reverse_transfer_known {
        return Err(Refusal::TransferUndecided);
    }
    Ok(())
}

/// Decides, under the lock of the charge, how much is refunded: first duplicates, then what is left, then what this person may
/// refund.
///
/// `own` are all our refunds of the charge. The amount returned must be written down as a refund before the lock is released.
pub fn reserve(
    charge: &Charge,
    ask: &Ask,
    own: &[OwnRefund],
    duplicate_window_ms: i64,
    now: Timestamp,
) -> Result<Amount, Refusal> {
    let left = what_is_left(charge, own);
    if !ask.allow_duplicate
        && let Some(refund_id) = duplicate_of(ask, left, own, duplicate_window_ms, now)
    {
        return Err(Refusal::Duplicate { refund_id });
    }
    if !charge.captured {
        return Err(Refusal::Uncaptured { payment_intent: charge.payment_intent.clone() });
    }
    if left.left == 0 {
        return Err(Refusal::AlreadyRefunded { refund_id: newest_live(own) });
    }
    let amount = match ask.amount {
        None => Amount::new(left.left).map_err(|_| Refusal::BeyondMaximum { left: left.left })?,
        Some(asked) if asked.minor() <= left.left => asked,
        Some(asked) => {
            let refund_id = if asked.minor() <= left.captured { newest_live(own) } else { None };
            return Err(Refusal::MoreThanLeft { asked, left: left.left, refund_id });
        }
    };
    match &ask.member {
        Some(member) => member.check(amount.minor(), own).map(|()| amount),
        None => Ok(amount),
    }
}

/// The refund that the one asked for would repeat: same charge, same amount, and open or young.
///
/// Without an amount, all that is left is compared; where nothing is left, everything, which is what a repeat of a full
/// refund means.
fn duplicate_of(ask: &Ask, left: Left, own: &[OwnRefund], window_ms: i64, now: Timestamp) -> Option<RefundId> {
    let amount = match ask.amount {
        Some(amount) => amount.minor(),
        None if left.left > 0 => left.left,
        None => left.captured,
    };
    newest(own.iter().filter(|own| own.amount == amount && own.is_open_or_young(window_ms, now)))
}

impl OwnRefund {
    fn is_open_or_young(&self, window_ms: i64, now: Timestamp) -> bool {
        match self.status {
            RefundStatus::Pending | RefundStatus::Processing => true,
            RefundStatus::Completed => now.millis_since(self.created_at) < window_ms,
            RefundStatus::Failed | RefundStatus::Cancelled => false,
        }
    }
}

/// Our refund that explains why less is left than was captured.
fn newest_live(own: &[OwnRefund]) -> Option<RefundId> {
    newest(own.iter().filter(|own| own.status.holds_money()))
}

fn newest<'a>(own: impl Iterator<Item = &'a OwnRefund>) -> Option<RefundId> {
    own.max_by_key(|own| (own.created_at, own.id)).map(|own| own.id)
}

/// Answers whether a charge could be refunded now, from the charge and our books alone. Reserves and promises nothing.
///
/// Errs only where the question itself is wrong (the environment, the currency or its unit), as a create would.
pub fn policy(
    charge: &Charge,
    ask: &Ask,
    own: &[OwnRefund],
    duplicate_window_ms: i64,
    now: Timestamp,
) -> Result<PolicyDecision, Refusal> {
    let left = what_is_left(charge, own);
    let anyway = Ask { allow_duplicate: true, member: None, ..*ask };
    let answer = check_charge(charge, ask, own)
        .and_then(|()| reserve(charge, &anyway, own, duplicate_window_ms, now).map(drop))
        .and_then(|()| match &ask.member {
            Some(member) => member.check_any(ask.amount, charge.currency, own),
            None => Ok(()),
        });
    let room = ask.member.map_or(AMOUNT_MAX, |member| member.room(own));
    let max_amount = left.left.min(room).min(AMOUNT_MAX);
    let (eligible, reason, max_amount) = match answer {
        Ok(()) => (true, format!("{} can be refunded.", shown(max_amount, charge)), max_amount),
        Err(
            refusal @ (Refusal::EnvironmentMismatch { .. }
            | Refusal::CurrencyMismatch { .. }
            | Refusal::AmountStep { .. }),
        ) => return Err(refusal),
        Err(
            refusal @ (Refusal::MoreThanLeft { .. } | Refusal::BeyondMaximum { .. } | Refusal::BeyondMember { .. }),
        ) => (false, refusal.message(charge), max_amount),
        Err(
            refusal @ (Refusal::NotPaid
            | Refusal::AlreadyRefunded { .. }
            | Refusal::Uncaptured { .. }
            | Refusal::TransferUndecided
            | Refusal::Duplicate { .. }),
        ) => (false, refusal.message(charge), 0),
    };
    let duplicate = duplicate_of(ask, left, own, duplicate_window_ms, now).filter(|_| eligible && !ask.allow_duplicate);
    let conditions = [
        charge.disputed.then(|| "The charge is or was disputed; the processor may refuse to refund it.".to_owned()),
        duplicate.map(|id| {
            format!("Refund {id} is for the same amount; another one is made only if a duplicate is expressly allowed.")
        }),
        ask.member.filter(|_| eligible).and_then(|member| member.condition(charge)),
    ];
    Ok(PolicyDecision {
        eligible,
        reason,
        max_amount,
        currency: charge.currency,
        deadline: None,
        conditions: conditions.into_iter().flatten().collect(),
    })
}

fn shown(minor: i64, charge: &Charge) -> String {
    write_amount(PROCESSOR, minor, charge.currency)
}

#[cfg(test)]
mod tests;
