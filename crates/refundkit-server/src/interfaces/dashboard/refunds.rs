//! `/refunds`: every refund, searched and filtered, a page at a time.

use askama::Template;
use refundkit::{ConnectionStatus, ProcessorConnection, Refund, RefundStatus, operations::ListProcessors};
use serde_json::{Value, json};

use super::{
    filters::{self, Choice, Filters, Group},
    form::Entered,
    live,
    page::{self, Frame, Section, Shown},
    show::{self, Moment},
    viewer::Viewer,
};
use crate::{
    error::Error,
    limits,
    operations::{AskedRefund, ListAskers, SearchRefunds, askers::Askers},
};

#[derive(Template)]
#[template(path = "refunds.html")]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own that the template asks")]
struct RefundsPage<'a> {
    frame: Frame<'a>,
    entered: Entered,
    is_searched: bool,
    is_wrong: bool,
    /// How many filters hold.
    narrowing: usize,
    rows: Vec<Row>,
    is_update: bool,
    older: Option<String>,
    newest: Option<String>,
    searched_to: Option<Moment>,
    export: String,
    live: Option<String>,
    /// Whether refunds can be made: a processor is connected.
    is_connected: bool,
    choices: Choices,
}

/// Lines that changed, each in place of the one that the page has.
#[derive(Template)]
#[template(path = "refund_rows.html")]
struct Update {
    rows: Vec<Row>,
    is_update: bool,
}

/// What the filters offer.
struct Choices {
    statuses: Vec<Choice>,
    stages: Vec<Choice>,
    processors: Vec<Choice>,
    reasons: Vec<Choice>,
    doors: Vec<Choice>,
    askers: Vec<Group>,
}

/// A refund as a line of the list.
pub(super) struct Row {
    pub(super) id: String,
    pub(super) amount: String,
    pub(super) status: &'static str,
    pub(super) status_name: &'static str,
    pub(super) stage: Option<&'static str>,
    pub(super) payment: String,
    pub(super) reason: String,
    /// Who asked for it, where that is known.
    pub(super) who: Option<String>,
    pub(super) door: &'static str,
    pub(super) created: Moment,
}

impl Row {
    pub(super) fn of(AskedRefund { refund, asked_by }: &AskedRefund) -> Self {
        Self {
            id: refund.id.to_string(),
            amount: show::money(refund.processor, refund.amount.minor(), refund.currency),
            status: refund.status.as_str(),
            status_name: show::status(refund.status),
            stage: show::stage(refund.stage),
            payment: refund.transaction_id.to_string(),
            reason: show::reason(refund.reason),
            who: asked_by.as_ref().map(|asker| asker.name.clone()),
            door: show::door(refund.initiated_by),
            created: Moment::from(refund.created_at),
        }
    }
}

/// Whether a refund is on its way: pages keep up with it.
pub(super) const fn is_moving(refund: &Refund) -> bool {
    matches!(refund.status, RefundStatus::Pending | RefundStatus::Processing)
}

/// What the page shows below its form.
#[derive(Default)]
struct Found {
    refunds: Vec<AskedRefund>,
    next: Option<String>,
    searched_to: Option<Moment>,
}

/// What is sent to a page that lists these refunds, which changed.
pub(super) fn update(refunds: &[&AskedRefund]) -> Result<String, Error> {
    let rows = refunds.iter().map(|asked| Row::of(asked)).collect();
    Update { rows, is_update: true }.render().map_err(Error::internal)
}

/// `GET /refunds`.
pub(super) async fn show(viewer: Viewer) -> Shown {
    let filters = Filters::of_address(&viewer.address);
    let found = find(&viewer, &filters).await;
    if let Err(error) = &found
        && !filters::is_about_filters(error)
    {
        return Err(error.clone().into());
    }
    let askers = askers(&viewer, &filters).await?;
    match found {
        Ok(found) => {
            let is_unused = found.refunds.is_empty() && found.next.is_none() && !filters.is_any();
            let is_connected = !is_unused || is_connected(&viewer).await?;
            page::html(&page_of(&viewer, filters, Ok(found), askers, is_connected))
        }
        Err(error) => {
            let status = error.status();
            page::html_with(status, &page_of(&viewer, filters, Err(error), askers, true))
        }
    }
}

async fn find(viewer: &Viewer, filters: &Filters) -> Result<Found, Error> {
    let mut input = filters.input()?;
    input.insert("limit".to_owned(), limits::PAGE_ROWS.into());
    if let Some(cursor) = filters.cursor() {
        input.insert("cursor".to_owned(), cursor.into());
    }
    let found = viewer.ask::<SearchRefunds>(Value::Object(input)).await?;
    Ok(Found { refunds: found.data, next: found.page.next_cursor, searched_to: found.searched_to.map(Moment::from) })
}

/// Whose refunds can be looked for: who is looked for now is among them.
async fn askers(viewer: &Viewer, filters: &Filters) -> Result<Askers, Error> {
    let chosen = filters.asked_by().map(|id| ("chosen".to_owned(), id.to_string().into()));
    viewer.ask::<ListAskers>(Value::Object(chosen.into_iter().collect())).await
}

/// Whether refunds can be made: a processor is connected.
pub(super) async fn is_connected(viewer: &Viewer) -> Result<bool, Error> {
    Ok(has_connected(&viewer.ask::<ListProcessors>(json!({})).await?.data))
}

/// The same for a page that goes on.
pub(super) async fn is_connected_still(viewer: &Viewer) -> Result<bool, Error> {
    Ok(has_connected(&viewer.ask_on::<ListProcessors>(json!({})).await?.data))
}

fn has_connected(connections: &[ProcessorConnection]) -> bool {
    connections.iter().any(|connection| connection.status != ConnectionStatus::Disconnected)
}

fn page_of(
    viewer: &Viewer,
    filters: Filters,
    found: Result<Found, Error>,
    askers: Askers,
    is_connected: bool,
) -> RefundsPage<'_> {
    let (found, error) = match found {
        Ok(found) => (found, None),
        Err(error) => (Found::default(), Some(error)),
    };
    RefundsPage {
        frame: Frame { title: "Refunds", section: Section::Refunds, viewer },
        is_searched: filters.is_any(),
        is_wrong: error.is_some(),
        narrowing: filters.narrowing(),
        rows: found.refunds.iter().map(Row::of).collect(),
        is_update: false,
        older: found.next.map(|cursor| format!("/refunds{}", filters.query(&[("cursor", &cursor)]))),
        newest: filters.cursor().map(|_| format!("/refunds{}", filters.query(&[]))),
        searched_to: found.searched_to,
        export: format!("/refunds.csv{}", filters.query(&[])),
        live: live::address_of_rows(&found.refunds),
        is_connected,
        choices: Choices {
            statuses: filters::statuses(),
            stages: filters::stages(),
            processors: filters::processors(),
            reasons: filters::reasons(),
            doors: filters::doors(),
            askers: filters::askers(askers),
        },
        entered: filters.entered(error),
    }
}
