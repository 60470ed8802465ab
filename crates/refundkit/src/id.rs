//! Identifiers that RefundKit makes: a prefix that says what they name, and a UUIDv7 in Crockford base32.
//!
//! Ids sort by the time they were made. Making one takes 128 bits from the caller: time and randomness are not asked for
//! here. Ids of processors (`ch_…`, `re_…`) are opaque strings and do not live here.

use std::{borrow::Cow, fmt, str::FromStr};

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const ENCODED_LENGTH: usize = 26;
const DIGITS_AT_ONCE: usize = 12;
/// The bits that these digits stand for.
const BITS_AT_ONCE: u128 = (1 << (5 * DIGITS_AT_ONCE)) - 1;

/// The longest id: `conn_` and the digits.
const TEXT_LENGTH_MAX: usize = 5 + ENCODED_LENGTH;

/// An id as text, in place: ids are written often.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct IdText {
    bytes: [u8; TEXT_LENGTH_MAX],
    length: u8,
}

impl IdText {
    /// The prefix, which ends with the underscore, and the bits.
    fn new(prefix: &str, bits: u128) -> Self {
        let mut bytes = [0; TEXT_LENGTH_MAX];
        let length = prefix.len() + ENCODED_LENGTH;
        let (before, digits) = bytes[..length].split_at_mut(prefix.len());
        before.copy_from_slice(prefix.as_bytes());
        let mut rest = bits;
        // As many digits at a time as a register holds.
        for part in digits.rchunks_mut(DIGITS_AT_ONCE) {
            let mut bits = u64::try_from(rest & BITS_AT_ONCE).unwrap_or_default();
            for digit in part.iter_mut().rev() {
                *digit = ALPHABET[usize::try_from(bits & 31).unwrap_or_default()];
                bits >>= 5;
            }
            rest >>= BITS_AT_ONCE.count_ones();
        }
        Self { bytes, length: u8::try_from(length).unwrap_or_default() }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The text's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

impl AsRef<str> for IdText {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for IdText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for IdText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// What each byte stands for; [`NO_DIGIT`] for those that stand for nothing.
const DIGITS: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut digit = 0;
    while digit < 32 {
        digits[ALPHABET[digit as usize] as usize] = digit;
        digit += 1;
    }
    digits
};
const NO_DIGIT: u8 = u8::MAX;

fn decode(text: &str) -> Option<u128> {
    if text.len() != ENCODED_LENGTH || text.as_bytes()[0] > b'7' {
        return None;
    }
    text.bytes().try_fold(0u128, |bits, byte| {
        let digit = DIGITS[usize::from(byte)];
        (digit != NO_DIGIT).then_some((bits << 5) | u128::from(digit))
    })
}

/// An id that is not of the form its kind has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not {article} id: expected `{prefix}_` and 26 characters")]
pub struct InvalidId {
    /// The prefix that was expected, without the underscore.
    pub prefix: &'static str,
    article: &'static str,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal, $article:literal;)+) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            /// What every such id begins with, without the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// Makes the id from the 128 bits of a UUID (version 7, so that ids sort by creation).
            pub const fn from_bits(bits: u128) -> Self { Self(bits) }

            /// The id as text, without an allocation.
            pub fn text(self) -> IdText {
                const PREFIX: &str = concat!($prefix, "_");
                const { assert!(PREFIX.len() + ENCODED_LENGTH <= TEXT_LENGTH_MAX) }
                IdText::new(PREFIX, self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.text().as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Display::fmt(self, f) }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                text.strip_prefix(concat!($prefix, "_")).and_then(decode).map(Self)
                    .ok_or(InvalidId { prefix: $prefix, article: $article })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.text().as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> { stringify!($name).into() }
            fn inline_schema() -> bool { true }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string",
                    "pattern": concat!("^", $prefix, "_[0-7][0-9a-hjkmnp-tv-z]{25}$"),
                })
            }
        }
    )+ };
}

ids! {
    /// An organization: the tenant. Nothing of one organization is visible to another.
    OrganizationId = "org", "an organization";
    /// An API key (not the key itself, which is shown once).
    KeyId = "key", "an API key";
    /// A processor connection: an organization's account at a processor, in one environment.
    ConnectionId = "conn", "a processor connection";
    /// A refund.
    RefundId = "ref", "a refund";
    /// A person who signs in to the dashboard.
    UserId = "usr", "a user";
    /// A link by which somebody may become a member.
    InvitationId = "inv", "an invitation";
    /// An entry of the audit trail.
    EventId = "evt", "an event";
    /// One request to the server, as answered in the `Request-Id` header.
    RequestId = "req", "a request";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_the_way_to_text_and_back() {
        for bits in [0, 1, u128::MAX, 0x0195_2e5f_0000_7abc_8def_0123_4567_89ab] {
            let id = RefundId::from_bits(bits);
            assert_eq!(id.to_string().len(), 30);
            assert_eq!(id.to_string().parse(), Ok(id));
            assert_eq!((id.text().as_str(), id.text().as_bytes()), (&*id.to_string(), id.to_string().as_bytes()));
        }
    }

    #[test]
    fn text_order_is_creation_order() {
        let (earlier, later) = (RefundId::from_bits(1 << 80), RefundId::from_bits(2 << 80));
        assert!(earlier.to_string() < later.to_string());
    }

    #[test]
    fn what_is_not_such_an_id_is_refused() {
        for text in [
            "",
            "ref_",
            "re_3abc",
            "key_00000000000000000000000000",
            "ref_8zzzzzzzzzzzzzzzzzzzzzzzzz",
            "ref_0000000000000000000000000U",
        ] {
            assert!(text.parse::<RefundId>().is_err(), "{text}");
        }
    }
}
