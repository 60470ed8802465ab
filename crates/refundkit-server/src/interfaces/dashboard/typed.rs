//! What people type, read strictly: money in its currency, and days. What could be meant in two ways is refused.

use refundkit::{
    Amount, Currency, ProcessorName, Timestamp,
    money::{AMOUNT_MAX, CurrencyUnit, write_amount},
};

/// The milliseconds of a day in UTC, which has no leap seconds here.
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Reads an amount as people write it in a currency, `25.00` or `500`: digits, and where the currency has decimals, one point
/// with at most so many digits behind it. Errs in words for the one who typed it.
pub(super) fn parse_money(processor: ProcessorName, text: &str, currency: Currency) -> Result<Amount, String> {
    let unit = CurrencyUnit::of(processor, currency);
    let code = currency.as_str().to_ascii_uppercase();
    let example = example(processor, currency);
    let text = text.trim();
    if text.is_empty() {
        return Err(format!("The amount is missing: type it as {example}."));
    }
    if text.contains([',', '\'', ' ', '\u{a0}']) {
        return Err(format!("Type the amount with digits and a point only, without separators: {example}."));
    }
    let (whole, rest) = text.split_once('.').map_or((text, None), |(whole, rest)| (whole, Some(rest)));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !rest.is_none_or(is_number) {
        return Err(format!("This is not an amount: type it as {example}."));
    }
    let rest = rest.unwrap_or_default();
    let decimals = unit.shown_decimals as usize;
    if rest.len() > decimals {
        return Err(match decimals {
            0 => format!("{code} has no decimals: type the amount as {example}."),
            _ => format!("{code} has {decimals} decimals, and this has {}: type it as {example}.", rest.len()),
        });
    }
    let minor = minor_of(whole, rest, unit.wire_decimals as usize).and_then(|minor| Amount::new(minor).ok());
    let Some(amount) = minor else {
        return Err(if text.bytes().all(|byte| matches!(byte, b'0' | b'.')) {
            "The amount must be more than 0.".to_owned()
        } else {
            format!("The amount must be at most {}.", write_amount(processor, AMOUNT_MAX, currency))
        });
    };
    if amount.minor() % unit.step != 0 {
        return Err(format!("The last decimal of an amount in {code} must be 0, because the processor rounds to it."));
    }
    Ok(amount)
}

/// The number of the smallest units; none when it is too large to count.
fn minor_of(whole: &str, rest: &str, decimals: usize) -> Option<i64> {
    let zeros = decimals.checked_sub(rest.len())?;
    format!("{whole}{rest}{}", "0".repeat(zeros)).parse().ok()
}

fn example(processor: ProcessorName, currency: Currency) -> String {
    let scale = 10_i64.pow(CurrencyUnit::of(processor, currency).wire_decimals);
    write_number(processor, 25 * scale, currency)
}

/// An amount as it is typed: `write_amount` without the currency's code.
pub(super) fn write_number(processor: ProcessorName, minor: i64, currency: Currency) -> String {
    let written = write_amount(processor, minor, currency);
    written.split_once(' ').map_or(written.clone(), |(number, _)| number.to_owned())
}

/// Whether a day stands for its beginning or its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    /// Midnight before it.
    Begin,
    /// Midnight after it.
    End,
}

/// Reads a day in UTC (`2026-02-22`) as the instant at its edge; an instant in RFC 3339 is itself. None for anything else.
pub(super) fn parse_day(text: &str, edge: Edge) -> Option<Timestamp> {
    let text = text.trim();
    if text.len() != "2026-02-22".len() {
        return text.parse().ok();
    }
    let midnight: Timestamp = format!("{text}T00:00:00Z").parse().ok()?;
    Some(match edge {
        Edge::Begin => midnight,
        Edge::End => midnight.plus_millis(DAY_MS),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, currency: &str) -> Result<i64, String> {
        parse_money(ProcessorName::Stripe, text, currency.parse().unwrap()).map(Amount::minor)
    }

    #[test]
    fn money_is_read_as_people_write_it_in_its_currency() {
        for (text, currency, minor) in [
            ("25.00", "usd", 2500),
            ("25", "usd", 2500),
            ("25.5", "usd", 2550),
            ("0.01", "usd", 1),
            (" 10.10 ", "eur", 1010),
            ("007.00", "usd", 700),
            ("9999999999.99", "usd", 999_999_999_999),
            ("500", "jpy", 500),
            ("999999999999", "jpy", 999_999_999_999),
            ("1.230", "kwd", 1230),
            ("1.23", "kwd", 1230),
            ("5", "bhd", 5000),
            ("500", "isk", 50_000),
            ("3", "ugx", 300),
            ("1200", "krw", 1200),
            ("19.99", "gbp", 1999),
            ("1.5", "zzz", 150),
        ] {
            assert_eq!(parse(text, currency), Ok(minor), "{text} {currency}");
        }
    }

    #[test]
    fn what_could_be_meant_in_two_ways_is_refused_in_words() {
        for (text, currency, words) in [
            ("", "usd", "missing"),
            ("  ", "usd", "missing"),
            ("1,234.50", "usd", "without separators"),
            ("25,00", "eur", "without separators"),
            ("1 000", "usd", "without separators"),
            ("1'000", "chf", "without separators"),
            ("$25", "usd", "type it as 25.00"),
            ("25 ", "usd", ""),
            ("-5", "usd", "not an amount"),
            ("+5", "usd", "not an amount"),
            ("1e3", "usd", "not an amount"),
            (".5", "usd", "not an amount"),
            ("5.", "usd", "not an amount"),
            ("1.2.3", "usd", "not an amount"),
            ("２５", "usd", "not an amount"),
            ("0x10", "usd", "not an amount"),
            ("NaN", "usd", "not an amount"),
            ("25.001", "usd", "USD has 2 decimals, and this has 3"),
            ("500.0", "jpy", "JPY has no decimals"),
            ("500.50", "isk", "ISK has no decimals"),
            ("1.235", "kwd", "last decimal"),
            ("1.2340", "kwd", "KWD has 3 decimals"),
            ("0", "usd", "more than 0"),
            ("0.00", "usd", "more than 0"),
            ("10000000000.00", "usd", "at most 9999999999.99 USD"),
            ("1000000000000", "jpy", "at most 999999999999 JPY"),
            ("99999999999999999999999999", "usd", "at most"),
        ] {
            match parse(text, currency) {
                Err(told) => assert!(told.contains(words) && !words.is_empty(), "{text} {currency}: {told}"),
                Ok(minor) => assert!(words.is_empty(), "{text} {currency} became {minor}"),
            }
        }
    }

    #[test]
    fn what_is_written_can_be_typed() {
        let currencies = ["usd", "eur", "jpy", "kwd", "isk", "ugx", "clp", "huf", "twd", "omr", "tnd", "xof", "zzz"];
        for currency in currencies.map(|code| code.parse::<Currency>().unwrap()) {
            let step = CurrencyUnit::of(ProcessorName::Stripe, currency).step;
            for minor in [step, 7 * step, 100 * step, 123_450 * step] {
                let number = write_number(ProcessorName::Stripe, minor, currency);
                assert_eq!(parse(&number, currency.as_str()), Ok(minor), "{number} {currency}");
            }
        }
    }

    #[test]
    fn a_day_has_two_edges() {
        let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
        let told = |at: &str| Some(at.to_owned());
        assert_eq!(text(parse_day("2026-02-28", Edge::Begin)), told("2026-02-28T00:00:00.000Z"));
        assert_eq!(text(parse_day("2026-02-28", Edge::End)), told("2026-03-01T00:00:00.000Z"));
        assert_eq!(text(parse_day("2026-02-28T10:00:00Z", Edge::End)), told("2026-02-28T10:00:00.000Z"));
        for wrong in ["2026-02-30", "28.02.2026", "today", "2026-2-28", ""] {
            assert_eq!(parse_day(wrong, Edge::Begin), None, "{wrong}");
        }
    }
}
