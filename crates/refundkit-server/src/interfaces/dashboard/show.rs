//! How things are written for people: money, times, statuses.

use refundkit::{
    Currency, InitiatedBy, ProcessorName, RefundReason, RefundStage, RefundStatus, Timestamp, money::write_amount,
};

/// Digits between two separators of thousands.
const GROUP: usize = 3;

/// An amount as people read it: `1,234.50 USD`, `500 JPY`.
pub(super) fn money(processor: ProcessorName, minor: i64, currency: Currency) -> String {
    let plain = write_amount(processor, minor, currency);
    let (number, code) = plain.split_once(' ').unwrap_or((&plain, ""));
    let (whole, rest) = number.split_once('.').map_or((number, None), |(whole, rest)| (whole, Some(rest)));
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("-", digits));
    let grouped = grouped(digits);
    match rest {
        Some(rest) => format!("{sign}{grouped}.{rest} {code}"),
        None => format!("{sign}{grouped} {code}"),
    }
}

fn grouped(digits: &str) -> String {
    let mut grouped = String::with_capacity(digits.len() + digits.len() / GROUP);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(GROUP) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A count as people read it: `1,234,567`.
pub(super) fn number(count: i64) -> String {
    let digits = count.unsigned_abs().to_string();
    format!("{}{}", if count < 0 { "-" } else { "" }, grouped(&digits))
}

/// A span of time as people say it, in the two units that matter: `1.4 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`.
pub(super) fn duration(millis: i64) -> String {
    let seconds = millis / 1000;
    match (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, 0) => format!("{millis} ms"),
        (0, 0, 0, seconds) => format!("{seconds}.{} s", millis % 1000 / 100),
        (0, 0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (0, hours, minutes, _) => format!("{hours} h {minutes} min"),
        (days, hours, ..) => format!("{days} d {hours} h"),
    }
}

/// A time as it is read where no script turns it into the reader's zone: `23 Nov 2026, 03:21 UTC`.
pub(super) fn time(at: Timestamp) -> String {
    written(at, "%-d %b %Y, %H:%M UTC")
}

fn written(at: Timestamp, format: &str) -> String {
    let instant = jiff::Timestamp::from_millisecond(at.as_millis()).unwrap_or_default();
    instant.to_zoned(jiff::tz::TimeZone::UTC).strftime(format).to_string()
}

/// A time in a page: for machines in `datetime`, for people as text.
pub(super) struct Moment(Timestamp);

impl Moment {
    /// RFC 3339.
    pub(super) fn iso(&self) -> String {
        self.0.to_string()
    }

    /// As it is read without a script.
    pub(super) fn text(&self) -> String {
        time(self.0)
    }

    /// The same to the second: where the order of things matters.
    pub(super) fn text_to_the_second(&self) -> String {
        written(self.0, "%-d %b %Y, %H:%M:%S UTC")
    }
}

impl From<Timestamp> for Moment {
    fn from(at: Timestamp) -> Self {
        Self(at)
    }
}

/// A status as people say it.
pub(super) const fn status(status: RefundStatus) -> &'static str {
    match status {
        RefundStatus::Pending => "Pending",
        RefundStatus::Processing => "Processing",
        RefundStatus::Completed => "Completed",
        RefundStatus::Failed => "Failed",
        RefundStatus::Cancelled => "Cancelled",
    }
}

/// What the stage adds to the status, where it adds something.
pub(super) const fn stage(stage: RefundStage) -> Option<&'static str> {
    match stage {
        RefundStage::Queued => Some("Not sent yet"),
        RefundStage::Submitting => Some("Being sent"),
        RefundStage::OutcomeUnknown => Some("Outcome unknown"),
        RefundStage::RequiresAction => Some("Needs the customer"),
        RefundStage::AwaitingProcessor => Some("At the processor"),
        RefundStage::Settled => None,
    }
}

/// A reason as people say it: `Product not received`.
pub(super) fn reason(reason: RefundReason) -> String {
    let words = reason.as_str().replace('_', " ");
    let (first, rest) = words.split_at(1);
    format!("{}{rest}", first.to_ascii_uppercase())
}

/// A door as people say it.
pub(super) const fn door(door: InitiatedBy) -> &'static str {
    match door {
        InitiatedBy::Api => "API",
        InitiatedBy::Mcp => "Agent (MCP)",
        InitiatedBy::Dashboard => "Dashboard",
        InitiatedBy::Cli => "Command line",
    }
}

/// A processor's name as it writes it itself.
pub(super) const fn processor(name: ProcessorName) -> &'static str {
    match name {
        ProcessorName::Stripe => "Stripe",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_said_in_the_units_that_matter() {
        for (millis, text) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_450, "1.4 s"),
            (200_000, "3 min 20 s"),
            (7_500_000, "2 h 5 min"),
            (273_600_000, "3 d 4 h"),
        ] {
            assert_eq!(duration(millis), text);
        }
    }

    #[test]
    fn money_is_grouped_and_keeps_its_decimals() {
        for (minor, currency, text) in [
            (0, "usd", "0.00 USD"),
            (2500, "usd", "25.00 USD"),
            (123_456_789, "usd", "1,234,567.89 USD"),
            (-100_000, "eur", "-1,000.00 EUR"),
            (500, "jpy", "500 JPY"),
            (1_500_000, "jpy", "1,500,000 JPY"),
            (1_234_560, "kwd", "1,234.560 KWD"),
        ] {
            assert_eq!(money(ProcessorName::Stripe, minor, currency.parse().unwrap()), text);
        }
    }
}
