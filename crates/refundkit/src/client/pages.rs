//! Lists read to their end: which operations come in pages, and the stream of what they list.

use futures_util::{Stream, TryStreamExt as _, stream};

use super::RefundKit;
use crate::{
    Error, LogEntry, Operation, Page, Refund, RefundEvent,
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
        stream::try_unfold(Some((self.clone(), list)), async |state| {
            let Some((client, mut list)) = state else { return Ok::<_, Error>(None) };
            let Page { data, page } = client.send(&list).await?.output;
            let next = page.next_cursor.filter(|_| page.has_more).and_then(Cursor::new).map(|cursor| {
                list.turn_to(cursor);
                (client, list)
            });
            Ok(Some((stream::iter(data.into_iter().map(Ok::<_, Error>)), next)))
        })
        .try_flatten()
    }
}
