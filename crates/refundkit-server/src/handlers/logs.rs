//! The request log, read.

use refundkit::{LogEntry, Page, RequestId, operations::ListLogs};

use super::pages;
use crate::{
    caller::Role,
    error::Error,
    limits,
    operations::{GetLog, SearchLogs, SearchText, Searched},
    registry::{Answer, Context, Handle},
    store::logs,
};

/// The first status that tells of an error.
const FIRST_ERROR_STATUS: u16 = 400;
/// Entries that a search reads at a time.
const READ_TOGETHER: u32 = 250;

impl Handle for ListLogs {
    async fn handle(self, context: &Context) -> Result<Answer<Page<LogEntry>>, Error> {
        let before = pages::read_cursor(self.cursor.as_ref(), &())?;
        let mut connection = context.app.store.read().await?;
        let rows = logs::list(&mut connection, context.caller.tenant, before, pages::rows_for(self.limit)).await?;
        Ok(Answer::ok(pages::page(rows, self.limit, &(), |entry| entry.id.to_string())))
    }
}

impl SearchLogs {
    fn wants(&self, entry: &LogEntry) -> bool {
        let operation = self.operation.as_ref().and_then(SearchText::trimmed);
        self.through.is_none_or(|through| entry.through == through)
            && operation.is_none_or(|operation| entry.operation == operation)
            && (self.only_errors != Some(true) || entry.status >= FIRST_ERROR_STATUS)
    }
}

impl Handle for SearchLogs {
    const ROLE: Role = Role::Admin;

    async fn handle(self, context: &Context) -> Result<Answer<Searched<LogEntry>>, Error> {
        let filters = Self { limit: None, cursor: None, ..self.clone() };
        let mut before: Option<RequestId> = pages::read_cursor(self.cursor.as_ref(), &filters)?;
        let limit = self.limit.unwrap_or_default().get() as usize;
        let mut connection = context.app.store.read().await?;
        let (mut found, mut examined) = (Vec::new(), 0);
        let searched_to = loop {
            let entries = logs::list(&mut connection, context.caller.tenant, before, READ_TOGETHER).await?;
            let Some(last) = entries.last().map(|last| (last.id, last.created_at)) else { break None };
            let is_last = entries.len() < READ_TOGETHER as usize;
            found.extend(entries.into_iter().filter(|entry| self.wants(entry)));
            before = Some(last.0);
            examined += READ_TOGETHER;
            if is_last || found.len() > limit {
                break None;
            }
            if examined >= limits::LOG_ENTRIES_EXAMINED_MAX {
                break Some(last);
            }
        };
        let is_full = found.len() > limit;
        found.truncate(limit);
        let next = match searched_to {
            Some((id, _)) => Some(id),
            None => found.last().map(|last| last.id).filter(|_| is_full),
        };
        Ok(Answer::ok(pages::searched(found, next, searched_to.map(|(_, at)| at), &filters)))
    }
}

impl Handle for GetLog {
    const ROLE: Role = Role::Admin;

    async fn handle(self, context: &Context) -> Result<Answer<LogEntry>, Error> {
        let mut connection = context.app.store.read().await?;
        let found = logs::find(&mut connection, context.caller.tenant, self.id).await?;
        Ok(Answer::ok(found.ok_or_else(|| Error::not_found("log entry", self.id))?))
    }
}
