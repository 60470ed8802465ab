//! Lists read to their end: which operations come in pages, and the stream of what they list.

use std::collections::HashSet;

use futures_util::{Stream, TryStreamExt as _, stream};

use super::RefundKit;
use crate::{
    Error, ErrorCode, LogEntry, Operation, Page, Refund, RefundEvent,
    operations::{ListLogs, ListRefundEvents, ListRefunds},
    page::Cursor,
};

/// An operation that answers a page at a time.
pub trait PagedOperation: Operation<Output = Page<Self::Item>> + Clone {
    /// What it lists.
    type Item: Send + 'static;

    /// Asks for the page that begins at this cursor instead.
    fn turn_to(&mut self, cursor: Cursor);
}

impl PagedOperation for ListRefunds {
    type Item = Refund;

    fn turn_to(&mut self, cursor: Cursor) {
        // A page is entered by counting or by its cursor, not both: after the first it is the cursor.
        self.offset = None;
        self.cursor = Some(cursor);
    }
}

impl PagedOperation for ListRefundEvents {
    type Item = RefundEvent;

    fn turn_to(&mut self, cursor: Cursor) {
        self.cursor = Some(cursor);
    }
}

impl PagedOperation for ListLogs {
    type Item = LogEntry;

    fn turn_to(&mut self, cursor: Cursor) {
        self.cursor = Some(cursor);
    }
}

impl RefundKit {
    /// Reads a list one by one, over all its pages. After an error it ends.
    ///
    /// `network_error` when a page names a cursor that was followed already: such a list has no end.
    ///
    /// ```no_run
    /// use futures_util::TryStreamExt as _;
    /// use refundkit::{RefundKit, RefundStatus, operations::ListRefunds};
    ///
    /// # async fn example(client: RefundKit) -> Result<(), refundkit::Error> {
    /// let mut refunds = std::pin::pin!(client.stream(ListRefunds::default().status(RefundStatus::Completed)));
    /// while let Some(refund) = refunds.try_next().await? {
    ///     println!("{} {}", refund.id, refund.amount);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn stream<O: PagedOperation>(&self, list: O) -> impl Stream<Item = Result<O::Item, Error>> + Send + use<O> {
        stream::try_unfold(Some((self.clone(), list, HashSet::new())), async |state| {
            let Some((client, mut list, mut followed)) = state else { return Ok::<_, Error>(None) };
            let Page { data, page } = client.send(&list).await?.output;
            let mut rows: Vec<Result<_, Error>> = data.into_iter().map(Ok).collect();
            let next = match page.next_cursor.filter(|_| page.has_more).and_then(Cursor::new) {
                None => None,
                Some(cursor) if followed.insert(cursor.to_string()) => {
                    list.turn_to(cursor);
                    Some((client, list, followed))
                }
                Some(_) => {
                    rows.push(Err(without_end::<O>()));
                    None
                }
            };
            Ok(Some((stream::iter(rows), next)))
        })
        .try_flatten()
    }
}

fn without_end<O: Operation>() -> Error {
    Error::new(ErrorCode::NetworkError, format!("The pages of {} begin again and do not end.", O::PATH))
}
