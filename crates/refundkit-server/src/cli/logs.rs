//! `refundkit logs`: the calls made to the API, as the server answered them.

use std::process::ExitCode;

use clap::Args;
use refundkit::{
    LogEntry, Page, RefundKit,
    operations::ListLogs,
    page::{Cursor, Limit},
};

use super::{
    exit::Exit,
    output::{Output, page_footer, table, time},
    values,
};

/// Which calls.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  refundkit logs --limit 100")]
pub(crate) struct LogsArgs {
    /// How many to a page, 1 to 100; 25 when nothing is said.
    #[arg(long, value_parser = values::limit)]
    limit: Option<Limit>,
    /// The nextCursor of the page before.
    #[arg(long, value_parser = values::cursor)]
    cursor: Option<Cursor>,
}

pub(crate) async fn run(args: LogsArgs, client: &RefundKit, output: Output) -> anyhow::Result<ExitCode> {
    let list = ListLogs { limit: args.limit, cursor: args.cursor };
    output.show(&client.logs().list(&list).await?, tell)?;
    Ok(Exit::Done.into())
}

fn tell(page: &Page<LogEntry>) -> String {
    let rows = page.data.iter().map(|entry| {
        [
            time(entry.created_at),
            entry.status.to_string(),
            format!("{} {}", entry.method, entry.path),
            entry.error_code.clone().unwrap_or_else(|| "-".to_owned()),
            format!("{} ms", entry.duration_ms),
            entry.through.to_string(),
            entry.id.to_string(),
        ]
    });
    table(["TIME", "STATUS", "CALL", "ERROR", "TOOK", "THROUGH", "REQUEST"], rows) + &page_footer(&page.page)
}
