//! What arguments may say, parsed where they are typed: after that no text is an id, an amount or a word.

use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use refundkit::{
    Amount,
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
    fn a_pair_splits_at_its_first_equals_sign() {
        assert_eq!(pair("note=a=b").unwrap(), ("note".to_owned(), "a=b".to_owned()));
        assert_eq!(pair("note=").unwrap(), ("note".to_owned(), String::new()));
        assert!(pair("note").is_err());
    }
}
