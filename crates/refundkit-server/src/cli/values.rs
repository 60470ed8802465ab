//! What arguments may say, parsed where they are typed: after that no text is an id, an amount or a word.

use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use refundkit::{
    Amount, Timestamp,
    money::InvalidAmount,
    operations::api_keys::{KeyName, NAME_CHARACTERS_MAX},
    page::{CURSOR_CHARACTERS_MAX, Cursor, LIMIT_MAX, Limit, OFFSET_MAX, Offset},
};

/// One of the words of an enum; help and completion list them.
pub(crate) fn word<T>(all: &[T], word_of: fn(T) -> &'static str) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err: std::error::Error + Send + Sync> + Copy + Send + Sync + 'static,
{
    PossibleValuesParser::new(all.iter().copied().map(word_of)).try_map(|text| text.parse())
}

pub(crate) fn amount(text: &str) -> Result<Amount, InvalidAmount> {
    text.parse().map_err(|_| InvalidAmount).and_then(Amount::new)
}

pub(crate) fn limit(text: &str) -> Result<Limit, String> {
    text.parse().ok().and_then(Limit::new).ok_or_else(|| format!("must be a number from 1 to {LIMIT_MAX}"))
}

pub(crate) fn offset(text: &str) -> Result<Offset, String> {
    text.parse().ok().and_then(Offset::new).ok_or_else(|| format!("must be a number from 0 to {OFFSET_MAX}"))
}

pub(crate) fn cursor(text: &str) -> Result<Cursor, String> {
    Cursor::new(text)
        .ok_or_else(|| format!("must be the nextCursor of a page, at most {CURSOR_CHARACTERS_MAX} characters"))
}

pub(crate) fn key_name(text: &str) -> Result<KeyName, String> {
    KeyName::new(text)
        .ok_or_else(|| format!("must have 1 to {NAME_CHARACTERS_MAX} characters, none of them a control character"))
}

/// A time in the past: so long ago, or an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Since {
    /// So many milliseconds ago.
    Ago(i64),
    /// Then.
    At(Timestamp),
}

impl Since {
    /// The instant, as of now.
    pub(crate) fn before(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Ago(millis) => now.plus_millis(-millis),
            Self::At(at) => at,
        }
    }
}

/// How far back: days or hours (`30d`, `12h`), or an instant.
pub(crate) fn since(text: &str) -> Result<Since, String> {
    const HOUR_MS: i64 = 60 * 60 * 1000;
    let ago = |number: &str, unit_ms: i64| Some(Since::Ago(unit_ms * i64::from(number.parse::<u16>().ok()?)));
    let hours = text.strip_suffix('h').and_then(|number| ago(number, HOUR_MS));
    let days = text.strip_suffix('d').and_then(|number| ago(number, 24 * HOUR_MS));
    let at = |text: &str| text.parse().ok().map(Since::At);
    let since = hours.or(days).or_else(|| at(text)).or_else(|| at(&format!("{text}T00:00:00Z")));
    since.ok_or_else(|| "must be days or hours (30d, 12h), a day (2026-11-01), or a time in RFC 3339".to_owned())
}

/// `KEY=VALUE`; the value is text and may contain further equals signs.
pub(crate) fn pair(text: &str) -> Result<(String, String), &'static str> {
    let (key, value) = text.split_once('=').ok_or("must be KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_a_whole_number_in_the_smallest_unit() {
        assert_eq!(amount("2500").unwrap().minor(), 2500);
        for text in ["25.00", "25,00", "$25", "0", "-5", "", "1000000000000", "2500usd"] {
            assert!(amount(text).unwrap_err().to_string().contains("2500 for $25.00"), "{text}");
        }
    }

    #[test]
    fn since_is_a_while_ago_or_an_instant() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("12h", "2026-11-22T00:00:00.000Z"),
            ("30d", "2026-10-23T12:00:00.000Z"),
            ("2026-11-01", "2026-11-01T00:00:00.000Z"),
            ("2026-11-01T10:30:00Z", "2026-11-01T10:30:00.000Z"),
        ] {
            assert_eq!(since(text).unwrap().before(now).to_string(), expected, "{text}");
        }
        for text in ["", "d", "-1d", "30", "yesterday", "30 d", "99999999d"] {
            assert!(since(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_pair_splits_at_its_first_equals_sign() {
        assert_eq!(pair("note=a=b").unwrap(), ("note".to_owned(), "a=b".to_owned()));
        assert_eq!(pair("note=").unwrap(), ("note".to_owned(), String::new()));
        assert!(pair("note").is_err());
    }
}
