//! The request log, read.

use refundkit::{LogEntry, Page, operations::ListLogs};

use super::pages;
use crate::{
    error::Error,
    registry::{Answer, Context, Handle},
    store::logs,
};

impl Handle for ListLogs {
    async fn handle(self, context: &Context) -> Result<Answer<Page<LogEntry>>, Error> {
        let before = pages::read_cursor(self.cursor.as_ref(), &())?;
        let mut connection = context.app.store.read().await?;
        let rows = logs::list(&mut connection, context.caller.tenant, before, pages::rows_for(self.limit)).await?;
        Ok(Answer::ok(pages::page(rows, self.limit, &(), |entry| entry.id.to_string())))
    }
}
