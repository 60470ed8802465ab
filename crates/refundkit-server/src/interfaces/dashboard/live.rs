//! Pages that keep up with refunds that are on their way: a stream of server-sent events for each, which looks every second,
//! sends what changed as HTML, and ends with the event `ended` once nothing moves any more.
//!
//! The page says with its address what it shows (`ref_….<updatedAt in milliseconds>`), so that nothing is missed in between and
//! nothing is sent twice. A stream that ends without `ended` is connected again by the page.

use std::convert::Infallible;

use axum::{
    extract::Path,
    response::{
        IntoResponse as _,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream;
use refundkit::{Currency, ErrorCode, Refund, RefundId, RefundStatus, Timestamp};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{
    form::Form,
    overview,
    page::{Problem, Shown},
    places::Place,
    refund,
    refunds::{self, is_moving},
    show,
    stream::{UNBUFFERED, ended},
    viewer::Viewer,
};
use crate::{
    error::Error,
    limits,
    operations::{AskedRefund, ReadRefunds},
};

/// A refund as a page shows it: which one, and as of when.
type Seen = (RefundId, i64);

/// What a page shows of its refunds.
enum Shows {
    /// Lines of a list.
    Rows,
    /// The newest ones below all figures, with this currency's chart if it has one.
    Overview(Option<Currency>),
    /// Everything about one.
    Whole,
}

/// A page that is kept up to date.
struct Live {
    viewer: Viewer,
    shows: Shows,
    seen: Vec<Seen>,
    is_begun: bool,
    until: Instant,
    is_settled: bool,
    is_over: bool,
    _place: Place,
}

/// Where a list's lines are kept up to date; none when none of them moves.
pub(super) fn address_of_rows(refunds: &[AskedRefund]) -> Option<String> {
    Some(format!("/refunds/live?ids={}", moving(refunds)?))
}

/// Where the overview is kept up to date; none when none of its refunds moves.
pub(super) fn address_of_overview(refunds: &[AskedRefund], charted: Option<Currency>) -> Option<String> {
    let currency = charted.map(|currency| format!("&currency={currency}")).unwrap_or_default();
    Some(format!("/live?ids={}{currency}", moving(refunds)?))
}

fn moving(refunds: &[AskedRefund]) -> Option<String> {
    let shown: Vec<_> =
        refunds.iter().map(|asked| &asked.refund).filter(|refund| is_moving(refund)).map(as_shown).collect();
    (!shown.is_empty()).then(|| shown.join(","))
}

/// Where the page of one refund is kept up to date; none when nothing more is expected of it.
pub(super) fn address_of(refund: &Refund, now: Timestamp) -> Option<String> {
    is_watched(refund, now).then(|| format!("/refunds/{}/live?since={}", refund.id, refund.updated_at.as_millis()))
}

/// Whether the page of a refund keeps up with it: on its way, or completed so lately that a late failure is to be seen.
fn is_watched(refund: &Refund, now: Timestamp) -> bool {
    let settled = refund.settled_at.filter(|_| refund.status == RefundStatus::Completed);
    is_moving(refund) || settled.is_some_and(|at| now.millis_since(at) < limits::COMPLETED_WATCHED_MS)
}

fn as_shown(refund: &Refund) -> String {
    let (id, at) = as_seen(refund);
    format!("{id}.{at}")
}

fn as_seen(refund: &Refund) -> Seen {
    (refund.id, refund.updated_at.as_millis())
}

/// `GET /refunds/live?ids=…`.
pub(super) async fn rows(viewer: Result<Viewer, Problem>) -> Shown {
    let Some(viewer) = here(viewer)? else { return Ok(said(ended())) };
    let seen = seen(&query(&viewer))?;
    Ok(begin(viewer, Shows::Rows, seen))
}

/// `GET /live?ids=…&currency=…`.
pub(super) async fn overview(viewer: Result<Viewer, Problem>) -> Shown {
    let Some(viewer) = here(viewer)? else { return Ok(said(ended())) };
    let query = query(&viewer);
    let seen = seen(&query)?;
    Ok(begin(viewer, Shows::Overview(query.get("currency").parse().ok()), seen))
}

fn seen(query: &Form) -> Result<Vec<Seen>, Error> {
    let seen = query.get("ids").split(',').map(read_shown).collect::<Option<Vec<_>>>();
    let seen = seen.filter(|seen| seen.len() <= crate::operations::refunds::REFUND_IDS_MAX);
    seen.ok_or_else(|| Error::validation("ids", "`ids` are not those of a page."))
}

/// `GET /refunds/{id}/live?since=…`.
pub(super) async fn whole(viewer: Result<Viewer, Problem>, Path(id): Path<String>) -> Shown {
    let Some(viewer) = here(viewer)? else { return Ok(said(ended())) };
    let seen = id.parse().ok().zip(query(&viewer).get("since").parse().ok());
    let seen = seen.ok_or_else(|| Error::new(ErrorCode::NotFound, format!("No such refund: '{id}'")))?;
    Ok(begin(viewer, Shows::Whole, vec![seen]))
}

/// Who looks; none when nobody is signed in any more, and the page is told so instead of being sent to sign in.
fn here(viewer: Result<Viewer, Problem>) -> Result<Option<Viewer>, Problem> {
    match viewer {
        Ok(viewer) => Ok(Some(viewer)),
        Err(Problem::SignIn { .. }) => Ok(None),
        Err(problem) => Err(problem),
    }
}

fn query(viewer: &Viewer) -> Form {
    Form::of_query(viewer.address.split_once('?').map_or("", |(_, query)| query))
}

fn read_shown(text: &str) -> Option<Seen> {
    let (id, at) = text.split_once('.')?;
    Some((id.parse().ok()?, at.parse().ok()?))
}

/// Begins a stream, if there is a place for it.
fn begin(viewer: Viewer, shows: Shows, seen: Vec<Seen>) -> axum::response::Response {
    let Some(place) = viewer.app.live_places.take(viewer.signed_in.user.id) else { return said(wait()) };
    let live = Live {
        viewer,
        shows,
        seen,
        is_begun: false,
        until: Instant::now() + limits::LIVE_STREAM_MAX,
        is_settled: false,
        is_over: false,
        _place: place,
    };
    let events =
        stream::unfold(live, async |live| live.next().await.map(|(event, live)| (Ok::<_, Infallible>(event), live)));
    let keep_alive = KeepAlive::new().interval(limits::LIVE_KEEP_ALIVE);
    ([UNBUFFERED], Sse::new(events).keep_alive(keep_alive)).into_response()
}

/// A stream of one event.
fn said(event: Event) -> axum::response::Response {
    Sse::new(stream::iter([Ok::<_, Infallible>(event)])).into_response()
}

/// Not now: the page connects again after a while.
fn wait() -> Event {
    Event::default().event("wait").retry(limits::LIVE_AGAIN_AFTER).data("")
}

impl Live {
    /// The next event; none when the stream ends.
    async fn next(mut self) -> Option<(Event, Self)> {
        while !self.is_over {
            if self.is_settled {
                self.is_over = true;
                return Some((ended(), self));
            }
            match self.look().await {
                Ok(Some(event)) => return Some((event, self)),
                Ok(None) => {}
                Err(error) => {
                    tracing::debug!(%error, "a page was not kept up to date");
                    self.is_over = true;
                    return Some((wait(), self));
                }
            }
            if !self.is_settled && !self.rest().await {
                return None;
            }
        }
        None
    }

    /// What changed since the page was told last.
    async fn look(&mut self) -> Result<Option<Event>, Error> {
        let ids: Vec<_> = self.seen.iter().map(|(id, _)| id).collect();
        let input = json!({ "ids": ids });
        let refunds = if self.is_begun {
            self.viewer.ask_on::<ReadRefunds>(input).await?
        } else {
            self.viewer.ask::<ReadRefunds>(input).await?
        };
        self.is_begun = true;
        let now: Vec<Seen> = refunds.iter().map(|asked| as_seen(&asked.refund)).collect();
        let changed: Vec<_> = refunds.iter().filter(|asked| !self.seen.contains(&as_seen(&asked.refund))).collect();
        let now_is = self.viewer.app.env.now();
        self.is_settled = !refunds.iter().any(|asked| match self.shows {
            Shows::Rows | Shows::Overview(_) => is_moving(&asked.refund),
            Shows::Whole => is_watched(&asked.refund, now_is),
        });
        let html = self.render(&changed).await?;
        self.seen = now;
        Ok(html.map(|html| Event::default().data(html)))
    }

    async fn render(&self, changed: &[&AskedRefund]) -> Result<Option<String>, Error> {
        let Some(first) = changed.first() else { return Ok(None) };
        let html = match self.shows {
            Shows::Rows => refunds::update(changed)?,
            Shows::Overview(charted) => {
                format!("{}{}", refunds::update(changed)?, overview::update(&self.viewer, charted).await?)
            }
            Shows::Whole => refund::update(&self.viewer, first.refund.id).await?,
        };
        Ok(Some(format!("{html}{}", news(changed))))
    }

    /// Waits for the next look; says no when the stream is to end before it.
    async fn rest(&self) -> bool {
        let is_over = tokio::select! {
            () = self.viewer.app.shutdown.cancelled() => true,
            () = sleep(limits::REFUNDS_LOOK_EVERY) => Instant::now() >= self.until,
        };
        !is_over && self.viewer.is_still_here().await.unwrap_or(false)
    }
}

/// What changed in a sentence, for those who hear the page.
fn news(changed: &[&AskedRefund]) -> String {
    let news: Vec<_> = changed
        .iter()
        .map(|AskedRefund { refund, .. }| {
            let amount = show::money(refund.processor, refund.amount.minor(), refund.currency);
            format!("The refund of {amount} is {} now.", show::status(refund.status).to_lowercase())
        })
        .collect();
    format!("<p id=\"news\" hx-swap-oob=\"innerHTML\">{}</p>", news.join(" "))
}
