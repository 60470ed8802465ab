//! What people type, read strictly: money in its currency, and days. What could be meant in two ways is refused.

use refundkit::{
    Amount, Currency, ProcessorName, Timestamp,
    money::{AMOUNT_MAX, CurrencyUnit, write_amount},
};

/// Digits between two signs that part thousands.
const GROUP: usize = 3;
/// The milliseconds of a day in UTC, which has no leap seconds here.
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Signs of currencies, and the currencies that write them. A sign that several share says no more than that it is one of them.
const SIGNS: [(&str, &str); 30] = [
    (
        "$",
        "usd ars aud bbd bmd bnd bsd bzd cad clp cop dop fjd gyd hkd jmd kyd lrd mxn nad nzd sbd sgd srd ttd twd uyu xcd",
    ),
    ("US$", "usd"),
    ("CA$", "cad"),
    ("C$", "cad"),
    ("A$", "aud"),
    ("AU$", "aud"),
    ("NZ$", "nzd"),
    ("HK$", "hkd"),
    ("S$", "sgd"),
    ("NT$", "twd"),
    ("MX$", "mxn"),
    ("R$", "brl"),
    ("€", "eur"),
    ("£", "gbp egp fkp gip lbp shp"),
    ("¥", "jpy cny"),
    ("￥", "jpy cny"),
    ("₩", "krw"),
    ("₹", "inr"),
    ("₫", "vnd"),
    ("₱", "php"),
    ("฿", "thb"),
    ("₪", "ils"),
    ("₺", "try"),
    ("₴", "uah"),
    ("₦", "ngn"),
    ("₡", "crc"),
    ("zł", "pln"),
    ("Kč", "czk"),
    ("Ft", "huf"),
    ("kr", "dkk isk nok sek"),
];

/// Reads an amount as people write it in a currency: `25.00`, `500`, `1,234.50`, `1.234,50`, `1 234,50`, `1'234.50`, with the
/// currency's code or sign before or behind it. What can be meant in two ways is refused, and what is of another currency. Errs in
/// words for the one who typed it.
pub(super) fn parse_money(processor: ProcessorName, text: &str, currency: Currency) -> Result<Amount, String> {
    let unit = CurrencyUnit::of(processor, currency);
    let code = currency.as_str().to_ascii_uppercase();
    let example = example(processor, currency);
    let text = text.trim();
    if text.is_empty() {
        return Err(format!("The amount is missing: type it like {example}."));
    }
    let not_an_amount = || format!("This is not an amount: type it like {example}.");
    let (before, number, behind) = parts(text).ok_or_else(not_an_amount)?;
    for mark in [before, behind] {
        if !is_of(mark, currency).ok_or_else(not_an_amount)? {
            return Err(format!("The currency is {code}, not {mark}: type how many {code}, for example {example}."));
        }
    }
    let decimals = unit.shown_decimals as usize;
    let (whole, rest) = match read(number, decimals) {
        Reading::One { whole, rest } => (whole, rest),
        Reading::Two { whole, before, behind } => {
            let whole = write_whole(&whole, decimals);
            let other = if behind.len() > decimals {
                format!("{before}.{behind}, although {code} has {decimals} decimals")
            } else {
                format!("{before}.{behind} {code}")
            };
            return Err(format!(
                "This can be meant in two ways: {whole} {code}, or {other}. Type what you mean with a point and {decimals} decimals."
            ));
        }
        Reading::Broken => {
            return Err(format!(
                "This is not an amount: thousands are parted by one kind of sign, and in groups of three. Type it like {example}."
            ));
        }
        Reading::None => return Err(not_an_amount()),
    };
    if rest.len() > decimals {
        return Err(match decimals {
            0 => format!("{code} has no decimals: type it like {example}."),
            _ => format!("{code} has {decimals} decimals, and this has {}: type it like {example}.", rest.len()),
        });
    }
    let minor = minor_of(&whole, &rest, unit.wire_decimals as usize).and_then(|minor| Amount::new(minor).ok());
    let Some(amount) = minor else {
        return Err(if [whole, rest].iter().all(|digits| digits.bytes().all(|byte| byte == b'0')) {
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

/// What stands before a number, the number from its first digit to its last, and what stands behind it.
fn parts(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_at(text.find(|character: char| character.is_ascii_digit())?);
    let (number, behind) = rest.split_at(rest.rfind(|character: char| character.is_ascii_digit())?.checked_add(1)?);
    Some((before.trim(), number, behind.trim()))
}

/// Whether a mark beside a number, if there is one, can be of this currency; none where it is no currency's.
fn is_of(mark: &str, currency: Currency) -> Option<bool> {
    if mark.is_empty() {
        return Some(true);
    }
    if mark.len() == currency.as_str().len() && mark.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return Some(mark.eq_ignore_ascii_case(currency.as_str()));
    }
    let (_, codes) = SIGNS.iter().find(|(sign, _)| *sign == mark)?;
    Some(codes.split(' ').any(|code| code == currency.as_str()))
}

/// What a number can mean in a currency.
enum Reading {
    /// One thing: the digits before the decimals, and those.
    One { whole: String, rest: String },
    /// Two: a whole number with its thousands parted, or what stands before and behind a decimal sign.
    Two { whole: String, before: String, behind: String },
    /// Nothing: signs between the digits where none belong.
    Broken,
    /// Nothing: something else than digits and what parts them.
    None,
}

/// Reads digits and the signs between them.
fn read(number: &str, decimals: usize) -> Reading {
    let (mut groups, mut signs) = (vec![String::new()], Vec::new());
    for character in number.chars() {
        let sign = match character {
            '0'..='9' => {
                if let Some(group) = groups.last_mut() {
                    group.push(character);
                }
                continue;
            }
            '.' | ',' => character,
            '\'' | '’' => '\'',
            ' ' | '\u{a0}' | '\u{2009}' | '\u{202f}' => ' ',
            _ => return Reading::None,
        };
        signs.push(sign);
        groups.push(String::new());
    }
    let one = |whole: &[String], rest: &str| Reading::One { whole: whole.concat(), rest: rest.to_owned() };
    let (Some((sign, signs_before)), Some((behind, before))) = (signs.split_last(), groups.split_last()) else {
        return one(&groups, "");
    };
    let is_whole = is_grouped(&groups, &signs);
    let is_decimal = matches!(sign, '.' | ',')
        && !behind.is_empty()
        && !signs_before.contains(sign)
        && (signs_before.is_empty() || is_grouped(before, signs_before));
    match (is_whole, is_decimal) {
        // Where there are no decimals nothing parts them; and a point before three of three is how this program writes them.
        (true, true) if decimals == 0 => one(&groups, ""),
        (true, true) if decimals == behind.len() && *sign == '.' => one(before, behind),
        (true, true) => Reading::Two { whole: groups.concat(), before: before.concat(), behind: behind.clone() },
        (true, false) => one(&groups, ""),
        (false, true) => one(before, behind),
        (false, false) => Reading::Broken,
    }
}

/// Whether one kind of sign parts these digits into whole groups of three.
fn is_grouped(groups: &[String], signs: &[char]) -> bool {
    let Some((first, others)) = groups.split_first() else { return false };
    (1..=GROUP).contains(&first.len())
        && !first.starts_with('0')
        && others.iter().all(|group| group.len() == GROUP)
        && signs.windows(2).all(|pair| pair.first() == pair.last())
}

/// A whole number as it is typed in a currency with so many decimals.
fn write_whole(digits: &str, decimals: usize) -> String {
    if decimals == 0 { digits.to_owned() } else { format!("{digits}.{}", "0".repeat(decimals)) }
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
    use super::{super::show, *};

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
    fn money_is_read_as_people_write_it_elsewhere_too() {
        for (text, currency, minor) in [
            ("$25", "usd", 2500),
            ("25 $", "cad", 2500),
            ("US$ 25.00", "usd", 2500),
            ("25.00 USD", "usd", 2500),
            ("usd 25", "usd", 2500),
            ("25usd", "usd", 2500),
            ("$25 CAD", "cad", 2500),
            ("€25,00", "eur", 2500),
            ("25,5 €", "eur", 2550),
            ("25\u{a0}€", "eur", 2500),
            ("1,234.50", "usd", 123_450),
            ("1.234,50", "eur", 123_450),
            ("1 234,50", "eur", 123_450),
            ("1\u{a0}234,50", "eur", 123_450),
            ("1\u{202f}234,50 €", "eur", 123_450),
            ("1'234.50", "chf", 123_450),
            ("1’234.50", "chf", 123_450),
            ("CHF 1’234,50", "chf", 123_450),
            ("1'234", "chf", 123_400),
            ("1 234", "eur", 123_400),
            ("1,234,567", "usd", 123_456_700),
            ("1.234.567", "eur", 123_456_700),
            ("1.234.567,8", "eur", 123_456_780),
            ("9,999,999,999.99", "usd", 999_999_999_999),
            ("1,234,567.890", "kwd", 1_234_567_890),
            ("1.234.567,890", "kwd", 1_234_567_890),
            ("1.230", "kwd", 1230),
            ("1,23", "kwd", 1230),
            ("0,500", "kwd", 500),
            ("1234,560", "kwd", 1_234_560),
            ("¥1,500", "jpy", 1500),
            ("1.500", "jpy", 1500),
            ("500.000 ₫", "vnd", 500_000),
            ("1.500 kr", "isk", 150_000),
            ("149,00 kr", "sek", 14_900),
            ("12,34", "usd", 1234),
            ("0.05", "usd", 5),
            ("0,05", "eur", 5),
        ] {
            assert_eq!(parse(text, currency), Ok(minor), "{text} {currency}");
        }
    }

    #[test]
    fn what_could_be_meant_in_two_ways_is_refused_in_words_that_say_both() {
        for (text, currency, one, other) in [
            ("1,234", "kwd", "1234.000 KWD", "or 1.234 KWD."),
            ("1.234", "eur", "1234.00 EUR", "or 1.234, although EUR has 2 decimals."),
            ("1,234", "usd", "1234.00 USD", "or 1.234, although USD has 2 decimals."),
            ("25.001", "usd", "25001.00 USD", "or 25.001, although USD has 2 decimals."),
            ("€ 125.000", "eur", "125000.00 EUR", "or 125.000, although EUR has 2 decimals."),
        ] {
            let told = parse(text, currency).unwrap_err();
            assert!(told.starts_with("This can be meant in two ways"), "{text} {currency}: {told}");
            assert!(told.contains(one) && told.contains(other), "{text} {currency}: {told}");
        }
    }

    #[test]
    fn what_is_no_amount_is_refused_in_words() {
        for (text, currency, words) in [
            ("", "usd", "missing"),
            ("  ", "usd", "missing"),
            ("\u{a0}", "usd", "missing"),
            ("-5", "usd", "not an amount"),
            ("−5", "usd", "not an amount"),
            ("$-5", "usd", "not an amount"),
            ("+5", "usd", "not an amount"),
            ("(5)", "usd", "not an amount"),
            ("5%", "usd", "not an amount"),
            ("1e3", "usd", "not an amount"),
            (".5", "usd", "not an amount"),
            ("5.", "usd", "not an amount"),
            ("5,-", "eur", "not an amount"),
            ("５", "usd", "not an amount"),
            ("２５", "usd", "not an amount"),
            ("0x10", "usd", "not an amount"),
            ("NaN", "usd", "not an amount"),
            ("USD", "usd", "not an amount"),
            ("25 or 30", "usd", "not an amount"),
            ("USD USD 25", "usd", "not an amount"),
            ("25 cents", "usd", "not an amount"),
            ("1.2.3", "usd", "groups of three"),
            ("1,23,456.00", "usd", "groups of three"),
            ("1,2345.00", "usd", "groups of three"),
            ("1234,567.00", "usd", "groups of three"),
            ("0,123.00", "usd", "groups of three"),
            ("1,234.567,00", "usd", "groups of three"),
            ("1,234'567.00", "usd", "groups of three"),
            ("1.234.56", "eur", "groups of three"),
            ("1..5", "usd", "groups of three"),
            ("1,.5", "usd", "groups of three"),
            ("1  234", "eur", "groups of three"),
            ("2 5", "usd", "groups of three"),
            ("1'23", "chf", "groups of three"),
            ("0.001", "usd", "USD has 2 decimals, and this has 3"),
            ("25.0001", "usd", "USD has 2 decimals, and this has 4"),
            ("1,234.567", "usd", "USD has 2 decimals, and this has 3"),
            ("500.0", "jpy", "JPY has no decimals"),
            ("1,500.00", "jpy", "JPY has no decimals"),
            ("500.50", "isk", "ISK has no decimals"),
            ("1.235", "kwd", "last decimal"),
            ("1.2340", "kwd", "KWD has 3 decimals"),
            ("$25", "eur", "The currency is EUR, not $"),
            ("25 USD", "eur", "The currency is EUR, not USD"),
            ("US$25", "cad", "The currency is CAD, not US$"),
            ("$25 CAD", "usd", "The currency is USD, not CAD"),
            ("25 abc", "usd", "The currency is USD, not abc"),
            ("0", "usd", "more than 0"),
            ("0.00", "usd", "more than 0"),
            ("0,000", "kwd", "more than 0"),
            ("10000000000.00", "usd", "at most 9999999999.99 USD"),
            ("10,000,000,000.00", "usd", "at most 9999999999.99 USD"),
            ("1000000000000", "jpy", "at most 999999999999 JPY"),
            ("99999999999999999999999999", "usd", "at most"),
        ] {
            match parse(text, currency) {
                Err(told) => assert!(told.contains(words) && !words.is_empty(), "{text} {currency}: {told}"),
                Ok(minor) => assert!(words.is_empty(), "{text} {currency} became {minor}"),
            }
        }
    }

    /// Amounts of every length, with all kinds of digits, in currencies of every kind.
    fn amounts() -> impl Iterator<Item = (i64, Currency)> {
        let lengths = (0..12).map(|length| 10_i64.pow(length));
        let minors: Vec<i64> = lengths
            .flat_map(|scale| {
                [scale, scale * 10 - 1, scale + scale / 2, 123_456_789_012 / scale, 907_060_504_030 / scale]
            })
            .filter(|minor| (1..=AMOUNT_MAX).contains(minor))
            .collect();
        let currencies = ["usd", "eur", "jpy", "kwd", "isk", "ugx", "clp", "huf", "twd", "omr", "tnd", "xof", "zzz"];
        currencies.into_iter().flat_map(move |code| {
            let currency: Currency = code.parse().unwrap();
            let step = CurrencyUnit::of(ProcessorName::Stripe, currency).step;
            let whole = minors.clone().into_iter().map(move |minor| minor - minor % step);
            whole.filter(|minor| *minor > 0).map(move |minor| (minor, currency))
        })
    }

    #[test]
    fn what_is_written_can_be_typed_and_means_the_same() {
        for (minor, currency) in amounts() {
            let written = show::money(ProcessorName::Stripe, minor, currency);
            let plain = write_amount(ProcessorName::Stripe, minor, currency);
            let number = write_number(ProcessorName::Stripe, minor, currency);
            for text in [written, plain, number] {
                assert_eq!(parse(&text, currency.as_str()), Ok(minor), "{text} {currency}");
            }
        }
    }

    #[test]
    fn however_it_is_written_it_is_read_as_it_was_meant_or_not_at_all() {
        for (minor, currency) in amounts() {
            let written = show::money(ProcessorName::Stripe, minor, currency);
            let (number, _) = written.split_once(' ').unwrap();
            let (whole, rest) = number.split_once('.').map_or((number, None), |(whole, rest)| (whole, Some(rest)));
            let mut is_read = 0;
            for (thousands, decimal) in [
                (",", "."),
                (".", ","),
                (" ", ","),
                (" ", "."),
                ("\u{a0}", ","),
                ("\u{202f}", ","),
                ("'", "."),
                ("", ","),
            ] {
                let rest = rest.map_or(String::new(), |rest| format!("{decimal}{rest}"));
                let text = format!("{}{rest}", whole.replace(',', thousands));
                match parse(&text, currency.as_str()) {
                    Ok(read) => {
                        assert_eq!(read, minor, "{text} {currency}");
                        is_read += 1;
                    }
                    Err(told) => {
                        assert!(told.starts_with("This can be meant in two ways"), "{text} {currency}: {told}");
                    }
                }
            }
            // Only a comma before three digits, where the currency has three, is doubtful here.
            assert!(is_read >= 3, "{written}");
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
