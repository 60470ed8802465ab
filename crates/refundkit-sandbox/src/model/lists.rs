//! Lists: newest first, cursors that are object ids, and `has_more`.

use serde_json::{Value, json};

use super::Scope;
use super::expand;
use crate::errors::StripeError;
use crate::params::{Cursor, PageParams};
use crate::table::{Row, Table};

/// One page of rows.
pub(crate) struct Page<'a, T> {
    pub(crate) rows: Vec<&'a T>,
    pub(crate) has_more: bool,
}

/// Cuts the page out of `candidates`, which come oldest first with their place in `table`.
///
/// `noun` is Stripe's word for a missing cursor: `No such refund: 're_x'`.
pub(crate) fn page<'a, T: Row>(
    table: &Table<T>,
    candidates: impl DoubleEndedIterator<Item = (u64, &'a T)>,
    wanted: &PageParams,
    noun: &str,
) -> Result<Page<'a, T>, StripeError> {
    let position = |id: &str, param: &str| {
        let missing = || StripeError::no_such(noun, id, param, crate::errors::OtherMode::Nowhere).into_bad_request();
        table.position(id).ok_or_else(missing)
    };
    let row = |(_, row): (u64, &'a T)| row;
    let mut rows: Vec<&T> = match &wanted.cursor {
        Cursor::Start => candidates.rev().map(row).take(wanted.limit + 1).collect(),
        Cursor::After(id) => {
            let cursor = position(id, "starting_after")?;
            candidates.rev().skip_while(|(at, _)| *at >= cursor).map(row).take(wanted.limit + 1).collect()
        }
        Cursor::Before(id) => {
            let cursor = position(id, "ending_before")?;
            candidates.skip_while(|(at, _)| *at <= cursor).map(row).take(wanted.limit + 1).collect()
        }
    };
    let has_more = rows.len() > wanted.limit;
    rows.truncate(wanted.limit);
    if matches!(wanted.cursor, Cursor::Before(_)) {
        rows.reverse();
    }
    Ok(Page { rows, has_more })
}

/// The list object around rendered rows.
pub(crate) fn show(data: &[Value], has_more: bool, url: &str) -> Value {
    json!({ "object": "list", "data": data, "has_more": has_more, "url": url })
}

impl Scope<'_> {
    /// The answer with the properties the caller wants to see whole.
    pub(crate) fn expanded(&self, mut answer: Value, paths: &[String]) -> Result<Value, StripeError> {
        expand::expand(self.books, self.livemode(), &mut answer, paths)?;
        Ok(answer)
    }
}
