//! Money: whole numbers in the unit the processor counts in, and how people read and type them.
//!
//! No floating point, and no conversion between currencies. How many decimals a currency has on the wire is the
//! processor's business, not ISO's: the table here is Stripe's (<https://docs.stripe.com/currencies>).

use std::{borrow::Cow, fmt, str::FromStr};

use serde::de::{self, Visitor};

use crate::processor_connection::ProcessorName;

/// The smallest amount: one unit.
pub const AMOUNT_MIN: i64 = 1;
/// The largest amount that RefundKit handles.
pub const AMOUNT_MAX: i64 = 999_999_999_999;

/// An amount of money to move, 1 to 999999999999, in the processor's smallest unit (2500 is $25.00, and ¥2500).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Amount(i64);

/// An amount outside the range that RefundKit handles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an integer from 1 to 999999999999, in the currency's smallest unit (2500 for $25.00)")]
pub struct InvalidAmount;

impl Amount {
    /// Accepts 1 to 999999999999.
    pub const fn new(minor: i64) -> Result<Self, InvalidAmount> {
        if minor >= AMOUNT_MIN && minor <= AMOUNT_MAX { Ok(Self(minor)) } else { Err(InvalidAmount) }
    }

    /// The number, in the processor's smallest unit.
    pub const fn minor(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl serde::Serialize for Amount {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Amount {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Whole;
        impl Visitor<'_> for Whole {
            type Value = Amount;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an integer from 1 to 999999999999, in the currency's smallest unit (2500 for $25.00)")
            }
            fn visit_i64<E: de::Error>(self, minor: i64) -> Result<Amount, E> {
                Amount::new(minor).map_err(E::custom)
            }
            fn visit_u64<E: de::Error>(self, minor: u64) -> Result<Amount, E> {
                i64::try_from(minor).map_err(|_| E::custom(InvalidAmount)).and_then(|minor| self.visit_i64(minor))
            }
            fn visit_f64<E: de::Error>(self, _: f64) -> Result<Amount, E> {
                Err(E::custom(InvalidAmount))
            }
            fn visit_str<E: de::Error>(self, _: &str) -> Result<Amount, E> {
                Err(E::custom("must be a JSON integer, not a string"))
            }
        }
        deserializer.deserialize_any(Whole)
    }
}

impl schemars::JsonSchema for Amount {
    fn schema_name() -> Cow<'static, str> {
        "Amount".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "integer", "minimum": AMOUNT_MIN, "maximum": AMOUNT_MAX })
    }
}

/// An ISO 4217 currency code: three letters, accepted in upper or lower case, answered in lower case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

/// A text that is not a currency code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a three-letter ISO 4217 currency code such as usd")]
pub struct InvalidCurrency;

impl Currency {
    /// The code in lower case.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for Currency {
    type Err = InvalidCurrency;
    fn from_str(text: &str) -> Result<Self, InvalidCurrency> {
        let letters: [u8; 3] = text.as_bytes().try_into().map_err(|_| InvalidCurrency)?;
        let one_case = letters.iter().all(u8::is_ascii_lowercase) || letters.iter().all(u8::is_ascii_uppercase);
        if one_case { Ok(Self(letters.map(|letter| letter.to_ascii_lowercase()))) } else { Err(InvalidCurrency) }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl serde::Serialize for Currency {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> serde::Deserialize<'de> for Currency {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <Cow<'de, str>>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl schemars::JsonSchema for Currency {
    fn schema_name() -> Cow<'static, str> {
        "Currency".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^([a-z]{3}|[A-Z]{3})$" })
    }
}

/// How a processor counts a currency, and how people write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CurrencyUnit {
    /// Decimals between the processor's unit and the currency's main unit: 2 for usd, 0 for jpy, 3 for kwd.
    pub wire_decimals: u32,
    /// Decimals people write: as on the wire, except for currencies that the processor counts in hundredths although they have none.
    pub shown_decimals: u32,
    /// Amounts must be a multiple of this many units: 1, 10 (three-decimal currencies at Stripe) or 100.
    pub step: i64,
}

impl CurrencyUnit {
    /// The processor's table.
    pub fn of(processor: ProcessorName, currency: Currency) -> Self {
        match processor {
            ProcessorName::Stripe => stripe_unit(currency),
        }
    }
}

fn stripe_unit(currency: Currency) -> CurrencyUnit {
    match currency.as_str() {
        "bif" | "clp" | "djf" | "gnf" | "jpy" | "kmf" | "krw" | "mga" | "pyg" | "rwf" | "vnd" | "vuv" | "xaf"
        | "xof" | "xpf" => CurrencyUnit { wire_decimals: 0, shown_decimals: 0, step: 1 },
        "isk" | "ugx" => CurrencyUnit { wire_decimals: 2, shown_decimals: 0, step: 100 },
        "bhd" | "jod" | "kwd" | "omr" | "tnd" => CurrencyUnit { wire_decimals: 3, shown_decimals: 3, step: 10 },
        _ => CurrencyUnit { wire_decimals: 2, shown_decimals: 2, step: 1 },
    }
}

/// Writes an amount as people do: `25.00 USD`, `500 JPY`, `1.230 KWD`. Amounts below zero keep their sign.
pub fn write_amount(processor: ProcessorName, minor: i64, currency: Currency) -> String {
    let unit = CurrencyUnit::of(processor, currency);
    let code = currency.as_str().to_ascii_uppercase();
    let scale = 10i64.pow(unit.wire_decimals);
    let (whole, rest) = (minor.unsigned_abs() / scale.unsigned_abs(), minor.unsigned_abs() % scale.unsigned_abs());
    let sign = if minor < 0 { "-" } else { "" };
    if unit.shown_decimals == 0 && rest == 0 {
        format!("{sign}{whole} {code}")
    } else {
        let width = unit.wire_decimals as usize;
        format!("{sign}{whole}.{rest:0width$} {code}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors;

    #[derive(serde::Deserialize)]
    struct Written {
        amount: i64,
        currency: Currency,
        text: String,
    }

    #[test]
    fn amounts_are_written_as_people_write_them() {
        for written in vectors::read::<Written>("money") {
            assert_eq!(write_amount(ProcessorName::Stripe, written.amount, written.currency), written.text);
        }
    }

    #[test]
    fn only_integers_in_range_are_amounts() {
        for json in ["0", "-1", "1000000000000", "2500.0", "\"2500\"", "1e3", "true", "null", "99999999999999999999"] {
            assert!(serde_json::from_str::<Amount>(json).is_err(), "{json}");
        }
        for (json, allowed) in vectors::read::<(serde_json::Value, bool)>("amounts") {
            assert_eq!(serde_json::from_value::<Amount>(json.clone()).is_ok(), allowed, "{json}");
        }
        assert_eq!(serde_json::from_str::<Amount>("999999999999").unwrap().minor(), AMOUNT_MAX);
    }

    #[test]
    fn currency_codes_are_lowered_and_mixtures_refused() {
        for (text, code) in vectors::read::<(String, Option<String>)>("currencies") {
            assert_eq!(text.parse::<Currency>().ok().map(|currency| currency.to_string()), code, "{text}");
        }
    }
}
