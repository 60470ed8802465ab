//! Pages that live: a stream of fragments, each sent when it differs from the one before, while somebody looks.
//!
//! A stream ends with the server, with the session, and after a while; the event [`ENDED`] tells the page not to come back.

use std::{convert::Infallible, pin::Pin};

use axum::{
    http::{HeaderName, HeaderValue},
    response::{
        IntoResponse as _, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream;
use tokio::time::{Instant, sleep};

use super::{places::Place, viewer::Viewer};
use crate::{accounts, error::Error, limits};

/// The event after which a page does not come back by itself.
pub(super) const ENDED: &str = "ended";
/// Tells proxies that keep answers back not to.
pub(super) const UNBUFFERED: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));

/// A look at what a page shows: its fragment, as HTML.
pub(super) type Looked<'a> = Pin<Box<dyn Future<Output = Result<String, Error>> + Send + 'a>>;

/// What a fragment is looked up with.
pub(super) type Look = for<'a> fn(&'a Viewer) -> Looked<'a>;

struct Live {
    viewer: Viewer,
    look: Look,
    sent: Option<String>,
    until: Instant,
    _place: Place,
}

/// Sends what the look finds now, and again whenever it finds something else. Without anybody signed in, and where too many pages
/// live already, it ends at once.
pub(super) fn fragments(viewer: Option<Viewer>, look: Look) -> Response {
    let live = viewer.and_then(|viewer| {
        let place = viewer.app.live_places.take(viewer.signed_in.user.id)?;
        let until = Instant::now() + limits::LIVE_STREAM_MAX;
        Some(Box::new(Live { viewer, look, sent: None, until, _place: place }))
    });
    let events = stream::unfold(Next::Look(live), |next| async {
        match next {
            Next::Look(Some(live)) => next_event(live).await,
            Next::Look(None) => Some((Ok::<_, Infallible>(ended()), Next::Nothing)),
            Next::Nothing => None,
        }
    });
    let keep_alive = KeepAlive::new().interval(limits::LIVE_KEEP_ALIVE);
    ([UNBUFFERED], Sse::new(events).keep_alive(keep_alive)).into_response()
}

/// What a stream does next: it looks (with nobody to look for, it says that it ended), or it is over.
enum Next {
    Look(Option<Box<Live>>),
    Nothing,
}

/// Waits for news. None when the server is to end: the page comes back to the next one.
async fn next_event(mut live: Box<Live>) -> Option<(Result<Event, Infallible>, Next)> {
    loop {
        if live.sent.is_some() {
            tokio::select! {
                () = live.viewer.app.shutdown.cancelled() => return None,
                () = sleep(limits::LIVE_LOOK_EVERY) => {}
            }
        }
        let session = &live.viewer.signed_in.session;
        let stands = accounts::is_going_on(&live.viewer.app, session).await.unwrap_or(true);
        if !stands || Instant::now() >= live.until {
            return Some((Ok(ended()), Next::Nothing));
        }
        // A look that failed is made again: what is shown stays true of the time at which it was.
        let found = (live.look)(&live.viewer).await.ok().filter(|found| live.sent.as_ref() != Some(found));
        if let Some(found) = found {
            // A carriage return would end a line of the stream.
            let event = Event::default().data(found.replace('\r', ""));
            live.sent = Some(found);
            return Some((Ok(event), Next::Look(Some(live))));
        }
        live.sent.get_or_insert_default();
    }
}

/// Nothing more will come.
pub(super) fn ended() -> Event {
    Event::default().event(ENDED).data("")
}
