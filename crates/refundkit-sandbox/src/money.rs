//! Amounts as Stripe writes them in its messages. Nothing computes here; amounts stay `i64` minor units.

/// How many digits of the minor unit stand after the decimal point, by Stripe's own table.
///
/// <https://docs.stripe.com/currencies#zero-decimal>; ISK and UGX travel with two digits though they have none.
fn decimals(currency: &str) -> usize {
    match currency {
        "bif" | "clp" | "djf" | "gnf" | "jpy" | "kmf" | "krw" | "mga" | "pyg" | "rwf" | "vnd" | "vuv" | "xaf"
        | "xof" | "xpf" => 0,
        "bhd" | "jod" | "kwd" | "omr" | "tnd" => 3,
        _ => 2,
    }
}

/// True when Stripe refuses this amount because the currency's last digit must be zero.
pub(crate) fn is_too_fine(amount: i64, currency: &str) -> bool {
    decimals(currency) == 3 && amount % 10 != 0
}

/// The amount with its currency's sign: `$1,040.00`, `¥500`, `5.000 KWD`.
pub(crate) fn show(amount: i64, currency: &str) -> String {
    let decimals = decimals(currency);
    let digits = format!("{:0>width$}", amount.unsigned_abs(), width = decimals + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    let mut number = String::new();
    if amount < 0 {
        number.push('-');
    }
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            number.push(',');
        }
        number.push(digit);
    }
    if decimals > 0 {
        number.push('.');
        number.push_str(fraction);
    }
    match currency {
        "usd" => format!("${number}"),
        "eur" => format!("€{number}"),
        "gbp" => format!("£{number}"),
        "jpy" => format!("¥{number}"),
        _ => format!("{number} {}", currency.to_uppercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_follow_their_currency() {
        assert_eq!(show(4000, "usd"), "$40.00");
        assert_eq!(show(123_456_789, "usd"), "$1,234,567.89");
        assert_eq!(show(5, "eur"), "€0.05");
        assert_eq!(show(12_000, "jpy"), "¥12,000");
        assert_eq!(show(5000, "kwd"), "5.000 KWD");
        assert_eq!(show(-250, "gbp"), "£-2.50");
    }

    #[test]
    fn the_last_digit_of_three_decimals_must_be_zero() {
        assert!(is_too_fine(5124, "kwd"));
        assert!(!is_too_fine(5120, "kwd"));
        assert!(!is_too_fine(5124, "usd"));
    }
}
