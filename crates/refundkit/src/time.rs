//! Instants, in UTC with milliseconds. Nothing here asks what time it is.

use std::{borrow::Cow, fmt, str::FromStr};

/// An instant in UTC, to the millisecond. On the wire RFC 3339 with exactly three decimals: `2026-02-22T10:30:00.000Z`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The last millisecond that every time zone can still show: 9999-12-30T21:59:59.999Z.
const MILLIS_MAX: i64 = 253_402_207_199_999;

/// A text that is not an RFC 3339 time of this era.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not a time: expected RFC 3339 such as 2026-02-22T10:30:00.000Z")]
pub struct InvalidTimestamp;

impl Timestamp {
    /// The instant that many milliseconds after 1970-01-01T00:00:00Z; values outside 1970 to 9999 are clamped.
    pub const fn from_millis(millis: i64) -> Self {
        if millis < 0 {
            Self(0)
        } else if millis > MILLIS_MAX {
            Self(MILLIS_MAX)
        } else {
            Self(millis)
        }
    }

    /// The instant that many seconds after 1970-01-01T00:00:00Z (how Stripe counts).
    pub const fn from_seconds(seconds: i64) -> Self {
        Self::from_millis(seconds.saturating_mul(1000))
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970-01-01T00:00:00Z.
    pub const fn as_seconds(self) -> i64 {
        self.0 / 1000
    }

    /// This instant, `millis` later (or earlier, when negative).
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self::from_millis(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to this instant; negative when `earlier` is later.
    pub const fn millis_since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }
}

/// The length of a time on the wire.
const TEXT_LENGTH: usize = 24;

/// Writes a number into these places, with zeros before it.
fn write_digits(places: &mut [u8], number: impl Into<i64>) {
    let mut rest = number.into();
    for digit in places.iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
    }
}

impl Timestamp {
    /// The instant as text, in place: every answer has several. The calendar is jiff's.
    fn text(self) -> [u8; TEXT_LENGTH] {
        let instant = jiff::Timestamp::from_millisecond(self.0).unwrap_or_default();
        let at = jiff::tz::Offset::UTC.to_datetime(instant);
        let mut text = *b"0000-00-00T00:00:00.000Z";
        write_digits(&mut text[..4], at.year());
        write_digits(&mut text[5..7], at.month());
        write_digits(&mut text[8..10], at.day());
        write_digits(&mut text[11..13], at.hour());
        write_digits(&mut text[14..16], at.minute());
        write_digits(&mut text[17..19], at.second());
        write_digits(&mut text[20..23], at.millisecond());
        text
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.text()).unwrap_or_default())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;
    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        let instant: jiff::Timestamp = text.parse().map_err(|_| InvalidTimestamp)?;
        let millis = instant.as_millisecond();
        if (0..=MILLIS_MAX).contains(&millis) { Ok(Self(millis)) } else { Err(InvalidTimestamp) }
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(std::str::from_utf8(&self.text()).unwrap_or_default())
    }
}

impl<'de> serde::Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <Cow<'de, str>>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Timestamp {
    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_decimals_and_utc_whatever_came_in() {
        let at: Timestamp = "2026-02-22T11:30:00+01:00".parse().unwrap();
        assert_eq!(at.to_string(), "2026-02-22T10:30:00.000Z");
        assert_eq!(Timestamp::from_millis(1).to_string(), "1970-01-01T00:00:00.001Z");
    }

    #[test]
    fn every_instant_can_be_shown() {
        assert_eq!(Timestamp::from_millis(i64::MAX).to_string(), "9999-12-30T21:59:59.999Z");
        assert_eq!(Timestamp::from_seconds(i64::MAX).to_string().len(), 24);
    }

    #[test]
    fn the_text_is_the_calendars() {
        // Steps that meet every hour, day of a month, leap year and century.
        for millis in (0..=MILLIS_MAX).step_by(86_400_000 * 97 + 3_723_457) {
            let instant = jiff::Timestamp::from_millisecond(millis).unwrap();
            assert_eq!(Timestamp::from_millis(millis).to_string(), format!("{instant:.3}"));
        }
    }

    #[test]
    fn what_is_not_a_time_is_refused() {
        for text in ["", "yesterday", "2026-02-30T00:00:00Z", "1969-12-31T23:59:59Z", "2026-02-22", "1700000000"] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }
}
