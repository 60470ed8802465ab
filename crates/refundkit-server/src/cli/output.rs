//! Results on stdout: tables and lines for people, JSON for programs.
//!
//! Texts come from servers and customers, so nothing that a terminal would obey reaches it.

use std::{
    borrow::Cow,
    fmt::Write as _,
    io::{self, Write as _},
};

use comfy_table::{ContentArrangement, Table, presets};
use refundkit::{Currency, PageInfo, ProcessorName, Timestamp, money::write_amount};
use serde::Serialize;

/// Where results go, and in which form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    pub(crate) json: bool,
}

impl Output {
    /// Prints a result: as it is for programs, told for people.
    pub(crate) fn show<T: Serialize>(self, value: &T, tell: impl FnOnce(&T) -> String) -> io::Result<()> {
        print(&if self.json { to_json(value) } else { tell(value) })
    }

    /// Prints one of several results: a line of JSON for programs, told for people.
    pub(crate) fn show_line<T: Serialize>(self, value: &T, tell: impl FnOnce(&T) -> String) -> io::Result<()> {
        print(&if self.json { to_json_line(value) } else { tell(value) })
    }
}

/// Prints text; a closed pipe is an error of kind `BrokenPipe`, not a panic.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Says something on stderr that is not the result. With stderr closed, nobody misses it.
pub(crate) fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// One JSON document, with line breaks for whoever reads along.
pub(crate) fn to_json(value: &impl Serialize) -> String {
    // Every value printed here came out of JSON, so it goes into it again.
    escape_for_terminal(&(serde_json::to_string_pretty(value).unwrap_or_default() + "\n"))
}

fn to_json_line(value: &impl Serialize) -> String {
    escape_for_terminal(&(serde_json::to_string(value).unwrap_or_default() + "\n"))
}

/// JSON escapes what ASCII calls control characters; the others are escaped here. The document stays the same.
fn escape_for_terminal(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        if is_unprintable(character) && character != '\n' {
            let _ = write!(text, "\\u{:04x}", u32::from(character));
        } else {
            text.push(character);
        }
    }
    text
}

/// Text that a terminal shows and does not obey: control characters and those that reorder a line become visible.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unprintable) {
        return Cow::Borrowed(text);
    }
    let mut cleaned = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_unprintable(character) {
            cleaned.extend(character.escape_unicode());
        } else {
            cleaned.push(character);
        }
    }
    Cow::Owned(cleaned)
}

const fn is_unprintable(character: char) -> bool {
    character.is_ascii_control()
        || matches!(
            character,
            '\u{80}'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// A table without lines, as wide as it needs to be: easy to read, easy to cut.
pub(crate) fn table<const COLUMNS: usize>(
    head: [&str; COLUMNS],
    rows: impl IntoIterator<Item = [String; COLUMNS]>,
) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(head);
    for row in rows {
        table.add_row(row.map(|cell| clean(&cell).into_owned()));
    }
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.trim_end().strip_prefix(' ').unwrap_or(line.trim_end()));
        text.push('\n');
    }
    text
}

/// Lines of a name and a value each, aligned, without those that have no value.
pub(crate) fn facts<const LINES: usize>(lines: [(&str, Option<String>); LINES]) -> String {
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    lines.into_iter().fold(String::new(), |mut text, (name, value)| {
        if let Some(value) = value {
            let _ = writeln!(text, "  {name:width$}  {}", clean(&value));
        }
        text
    })
}

/// What to say below a list.
pub(crate) fn page_footer(page: &PageInfo) -> String {
    match &page.next_cursor {
        Some(cursor) if page.has_more => {
            format!("\nThere are more: the same command with --cursor {}\n", clean(cursor))
        }
        _ => String::new(),
    }
}

/// An amount for people, and as the API counts it where that differs: `25.00 USD (2500)`, `8000 JPY`.
pub(crate) fn both_amounts(processor: ProcessorName, minor: i64, currency: Currency) -> String {
    let written = write_amount(processor, minor, currency);
    if written.split(' ').next() == Some(minor.to_string().as_str()) { written } else { format!("{written} ({minor})") }
}

/// A time to the second, in UTC.
pub(crate) fn time(at: Timestamp) -> String {
    let text = at.to_string();
    match (text.get(..10), text.get(11..19)) {
        (Some(date), Some(time)) => format!("{date} {time} UTC"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_made_visible() {
        assert_eq!(clean("Zürich 🙂 50 %"), "Zürich 🙂 50 %");
        assert_eq!(
            clean("a\x1b]0;title\x07b\r\nc\u{9b}2J\u{202e}d"),
            "a\\u{1b}]0;title\\u{7}b\\u{d}\\u{a}c\\u{9b}2J\\u{202e}d"
        );
    }

    #[test]
    fn json_stays_the_same_document_and_harmless() {
        let value = serde_json::json!({ "note": "a\x1b[2J\u{9b}2J\u{7f}\u{202e}b" });
        let text = to_json(&value);
        assert!(!text.replace('\n', "").contains(is_unprintable), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn tables_have_no_lines_and_no_trailing_space() {
        let rows = [["ref_1".to_owned(), "25.00 USD".to_owned()], ["ref_10\n".to_owned(), "5 ISK".to_owned()]];
        insta::assert_snapshot!(table(["ID", "AMOUNT"], rows), @r"
        ID           AMOUNT
        ref_1        25.00 USD
        ref_10\u{a}  5 ISK
        ");
    }

    #[test]
    fn amounts_are_told_both_ways_where_they_differ() {
        let both = |minor, currency: &str| both_amounts(ProcessorName::Stripe, minor, currency.parse().unwrap());
        assert_eq!(both(2500, "usd"), "25.00 USD (2500)");
        assert_eq!(both(8000, "jpy"), "8000 JPY");
        assert_eq!(both(500, "isk"), "5 ISK (500)");
    }

    #[test]
    fn times_are_read_at_a_glance() {
        assert_eq!(time("2026-02-22T10:30:00.123Z".parse().unwrap()), "2026-02-22 10:30:00 UTC");
    }
}
