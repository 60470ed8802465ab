//! Pages of lists: from the rows of a query to a page, and cursors that are valid with their filters only.

use std::{fmt::Display, str::FromStr};

use refundkit::{
    Page, PageInfo, Timestamp,
    page::{Cursor, Limit},
};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::{error::Error, hint::Hint, operations::Searched};

/// Characters of the digest of the filters in a cursor: enough to notice other filters.
const FILTERS_DIGEST_CHARACTERS: usize = 8;

/// How many rows a query must ask for, to know whether there are more.
pub fn rows_for(limit: Option<Limit>) -> u32 {
    limit.unwrap_or_default().get() + 1
}

/// Makes a page from rows, of which one more was asked for than fits.
pub fn page<T>(mut rows: Vec<T>, limit: Option<Limit>, filters: &impl Serialize, id: impl Fn(&T) -> String) -> Page<T> {
    let limit = limit.unwrap_or_default().get() as usize;
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let next_cursor = rows.last().filter(|_| has_more).map(|last| cursor(id(last), filters));
    Page { data: rows, page: PageInfo { has_more, next_cursor } }
}

/// The page of a search that goes on behind the row with the id `next`, and came as far as `searched_to` if it was not full.
pub fn searched<T>(
    data: Vec<T>,
    next: Option<impl Display>,
    searched_to: Option<Timestamp>,
    filters: &impl Serialize,
) -> Searched<T> {
    let next_cursor = next.map(|id| cursor(id, filters));
    Searched { data, page: PageInfo { has_more: next_cursor.is_some(), next_cursor }, searched_to }
}

fn cursor(id: impl Display, filters: &impl Serialize) -> String {
    format!("{id}.{}", digest(filters))
}

/// A page with everything on it.
pub fn whole<T>(rows: Vec<T>) -> Page<T> {
    Page { data: rows, page: PageInfo { has_more: false, next_cursor: None } }
}

/// Reads the id out of a cursor that was made with the same filters.
pub fn read_cursor<I: FromStr>(cursor: Option<&Cursor>, filters: &impl Serialize) -> Result<Option<I>, Error> {
    let Some(cursor) = cursor else { return Ok(None) };
    let parts = cursor.as_str().split_once('.');
    let id = parts.and_then(|(id, made_with)| (made_with == digest(filters)).then(|| id.parse().ok()).flatten());
    id.map(Some).ok_or_else(|| {
        Error::validation("cursor", "`cursor` is not the nextCursor of a page of this list with these filters.")
            .hint(Hint::BeginList)
    })
}

fn digest(filters: &impl Serialize) -> String {
    let canonical = serde_json::to_vec(filters).unwrap_or_default();
    let mut text = hex::encode(Sha256::digest(canonical));
    text.truncate(FILTERS_DIGEST_CHARACTERS);
    text
}
