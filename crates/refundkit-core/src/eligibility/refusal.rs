//! Why a refund is refused before the processor is asked, in the processor's words and codes where it has some.

use refundkit::{Amount, Currency, Environment, ErrorCode, RefundId, money::CurrencyUnit, processor::Charge};

use super::{PROCESSOR, shown};

/// Why a refund is not made. Nothing was written and nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The charge is real money and the caller is testing, or the reverse.
    EnvironmentMismatch {
        /// The caller's environment.
        environment: Environment,
    },
    /// The charge was never paid.
    NotPaid,
    /// Nothing is left.
    AlreadyRefunded {
        /// Our refund that explains it.
        refund_id: Option<RefundId>,
    },
    /// The charge was authorised only.
    Uncaptured {
        /// The PaymentIntent it belongs to.
        payment_intent: Option<String>,
    },
    /// The charge is in another currency.
    CurrencyMismatch {
        /// The currency that was asked for.
        asked: Currency,
    },
    /// The processor counts this currency in larger steps.
    AmountStep {
        /// What amounts must be a multiple of.
        step: i64,
    },
    /// Part of the charge went to a connected account, and nobody has said who pays.
    TransferUndecided,
    /// The same refund was made already.
    Duplicate {
        /// That refund.
        refund_id: RefundId,
    },
    /// Something is left, but less than was asked for.
    MoreThanLeft {
        /// What was asked for.
        asked: Amount,
        /// What is left.
        left: i64,
        /// Our refund that explains it.
        refund_id: Option<RefundId>,
    },
    /// All that is left is more than one refund can carry.
    BeyondMaximum {
        /// What is left.
        left: i64,
    },
    /// It is more than the owner lets this person refund.
    BeyondMember {
        /// The most of one payment; none: nothing in this currency.
        limit: Option<Amount>,
        /// What this person refunded of the payment before.
        already: i64,
    },
}

impl Refusal {
    /// The error that a caller gets.
    pub const fn error_code(&self) -> ErrorCode {
        match self {
            Self::EnvironmentMismatch { .. } => ErrorCode::EnvironmentMismatch,
            Self::NotPaid | Self::AlreadyRefunded { .. } | Self::Uncaptured { .. } | Self::MoreThanLeft { .. } => {
                ErrorCode::ProcessorError
            }
            Self::CurrencyMismatch { .. } | Self::AmountStep { .. } | Self::BeyondMaximum { .. } => {
                ErrorCode::ValidationError
            }
            Self::TransferUndecided => ErrorCode::Conflict,
            Self::Duplicate { .. } => ErrorCode::RefundAlreadyProcessed,
            Self::BeyondMember { .. } => ErrorCode::Unauthorized,
        }
    }

    /// The processor's own code, where it has one for this.
    pub const fn code(&self) -> Option<&'static str> {
        match self {
            Self::AlreadyRefunded { .. } => Some("charge_already_refunded"),
            Self::EnvironmentMismatch { .. }
            | Self::NotPaid
            | Self::Uncaptured { .. }
            | Self::CurrencyMismatch { .. }
            | Self::AmountStep { .. }
            | Self::TransferUndecided
            | Self::Duplicate { .. }
            | Self::MoreThanLeft { .. }
            | Self::BeyondMaximum { .. }
            | Self::BeyondMember { .. } => None,
        }
    }

    /// What is wrong, in words: the processor's, where it would refuse the same.
    pub fn message(&self, charge: &Charge) -> String {
        let id = &charge.id;
        match self {
            Self::EnvironmentMismatch { environment } => {
                let mode = if charge.livemode { Environment::Live } else { Environment::Test };
                format!("Charge {id} is a {mode} charge; this key is for {environment}.")
            }
            Self::NotPaid => match &charge.payment_intent {
                Some(intent) => format!("This PaymentIntent ({intent}) does not have a successful charge to refund."),
                None => format!("Charge {id} was not paid; there is nothing to refund."),
            },
            Self::AlreadyRefunded { .. } => format!("Charge {id} has already been refunded."),
            Self::Uncaptured { payment_intent: Some(intent) } => format!(
                "This uncaptured Charge was created by a PaymentIntent ({intent}). You must cancel the PaymentIntent \
                 instead of refunding the Charge."
            ),
            Self::Uncaptured { payment_intent: None } => {
                format!("Charge {id} has not been captured; there is nothing to refund.")
            }
            Self::CurrencyMismatch { asked } => format!("Charge {id} is in {}, not in {asked}.", charge.currency),
            Self::AmountStep { step } => format!("Amounts in {} must be a multiple of {step}.", charge.currency),
            Self::TransferUndecided => format!(
                "Part of charge {id} was transferred to a connected account, and the connection does not say who pays \
                 for its refund."
            ),
            Self::Duplicate { refund_id } => {
                format!("The same refund of charge {id} was made already: {refund_id}.")
            }
            Self::MoreThanLeft { asked, left, .. } => format!(
                "Refund amount ({}) is greater than unrefunded amount on charge ({})",
                with_symbol(asked.minor(), charge.currency),
                with_symbol(*left, charge.currency),
            ),
            Self::BeyondMaximum { left } => {
                format!("What is left of charge {id} ({}) is more than one refund can carry.", shown(*left, charge))
            }
            Self::BeyondMember { limit: None, .. } => {
                let currency = charge.currency.as_str().to_ascii_uppercase();
                format!("Members cannot refund in {currency}: the owner has set no limit for it.")
            }
            Self::BeyondMember { limit: Some(limit), already: 0 } => {
                format!("As a member you may refund at most {} of one payment.", shown(limit.minor(), charge))
            }
            Self::BeyondMember { limit: Some(limit), already } => format!(
                "As a member you may refund at most {} of one payment, and you refunded {} of charge {id} already.",
                shown(limit.minor(), charge),
                shown(*already, charge),
            ),
        }
    }

    /// The input that is wrong, where it is one.
    pub const fn field(&self) -> Option<&'static str> {
        match self {
            Self::CurrencyMismatch { .. } => Some("currency"),
            Self::AmountStep { .. }
            | Self::MoreThanLeft { .. }
            | Self::BeyondMaximum { .. }
            | Self::BeyondMember { limit: Some(_), .. } => Some("amount"),
            Self::EnvironmentMismatch { .. } => Some("transactionId"),
            Self::NotPaid
            | Self::AlreadyRefunded { .. }
            | Self::Uncaptured { .. }
            | Self::TransferUndecided
            | Self::Duplicate { .. }
            | Self::BeyondMember { limit: None, .. } => None,
        }
    }

    /// Our refund that explains it.
    pub const fn refund_id(&self) -> Option<RefundId> {
        match self {
            Self::AlreadyRefunded { refund_id } | Self::MoreThanLeft { refund_id, .. } => *refund_id,
            Self::Duplicate { refund_id } => Some(*refund_id),
            Self::EnvironmentMismatch { .. }
            | Self::NotPaid
            | Self::Uncaptured { .. }
            | Self::CurrencyMismatch { .. }
            | Self::AmountStep { .. }
            | Self::TransferUndecided
            | Self::BeyondMaximum { .. }
            | Self::BeyondMember { .. } => None,
        }
    }
}

/// An amount as Stripe writes it in its messages: `$1,040.00`, `¥12,000`, `5.000 KWD`.
fn with_symbol(minor: i64, currency: Currency) -> String {
    let decimals = CurrencyUnit::of(PROCESSOR, currency).wire_decimals;
    let scale = 10_u64.checked_pow(decimals).unwrap_or(1).max(1);
    let units = minor.unsigned_abs();
    let whole = grouped(units.checked_div(scale).unwrap_or_default());
    let rest = units.checked_rem(scale).unwrap_or_default();
    let number = match usize::try_from(decimals) {
        Ok(width @ 1..) => format!("{whole}.{rest:0width$}"),
        Ok(_) | Err(_) => whole,
    };
    match currency.as_str() {
        "usd" => format!("${number}"),
        "eur" => format!("€{number}"),
        "gbp" => format!("£{number}"),
        "jpy" => format!("¥{number}"),
        code => format!("{number} {}", code.to_ascii_uppercase()),
    }
}

fn grouped(whole: u64) -> String {
    let digits = whole.to_string();
    let mut text = String::with_capacity(digits.len().saturating_mul(2));
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && digits.len().saturating_sub(place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
