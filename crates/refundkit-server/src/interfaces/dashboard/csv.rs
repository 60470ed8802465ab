//! `/refunds.csv`: the refunds of a list as a file for spreadsheets (RFC 4180), read and sent a page at a time.

use std::io;

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use futures_util::stream;
use refundkit::money::write_amount;
use serde_json::Value;
use tokio::{sync::mpsc, time::timeout};

use super::{filters::Filters, page::Shown, places::Place, viewer::Viewer};
use crate::{
    error::Error,
    limits,
    operations::{AskedRefund, SearchRefunds, Searched},
};

/// The columns, named as the API names them; `amountWritten` is the amount as people read it, and `askedBy` is who asked for the
/// refund, by a name that somebody chose.
const COLUMNS: &str = "id,createdAt,status,stage,amount,currency,amountWritten,reason,processor,transactionId,\
                       externalTransactionId,externalRefundId,initiatedBy,askedBy,askedById,failureCode,failureMessage,metadata,updatedAt,\
                       settledAt,environment\r\n";

/// Pieces that may wait to be fetched.
const PIECES_WAITING_MAX: usize = 2;

/// A part of the file, or its end: a file without one is broken off, and its reader must hear of that.
enum Piece {
    Rows(String),
    End,
}

/// `GET /refunds.csv`.
pub(super) async fn export(viewer: Viewer) -> Shown {
    let place = viewer.app.export_places.take(viewer.signed_in.user.id);
    let place = place.ok_or_else(|| Error::unavailable("Several exports are under way; try again in a moment."))?;
    let mut input = Filters::of_address(&viewer.address).input()?;
    input.insert("limit".to_owned(), limits::EXPORT_ROWS.into());
    // The first page is read before anything is answered, so that what is wrong is said on a page and not in a file.
    let input = Value::Object(input);
    let first = viewer.ask::<SearchRefunds>(input.clone()).await?;
    let day = viewer.app.env.now().to_string();
    let name = format!("refunds-{}-{}.csv", viewer.environment(), day.split('T').next().unwrap_or_default());
    let (pieces, body) = mpsc::channel(PIECES_WAITING_MAX);
    tokio::spawn(write(viewer, input, first, pieces, place));
    Ok(file(&name, body)?)
}

/// The answer: ends well only when the last piece says so.
fn file(name: &str, pieces: mpsc::Receiver<Piece>) -> Result<Response, Error> {
    let rows = stream::unfold(Some(pieces), async |pieces| {
        let mut pieces = pieces?;
        match pieces.recv().await {
            Some(Piece::Rows(rows)) => Some((Ok(Bytes::from(rows)), Some(pieces))),
            Some(Piece::End) => None,
            None => Some((Err(io::Error::other("the export broke off")), None)),
        }
    });
    let mut response = Body::from_stream(rows).into_response();
    let disposition = format!("attachment; filename=\"{name}\"");
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8; header=present"));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_str(&disposition).map_err(Error::internal)?);
    Ok(response)
}

/// Writes the file for as long as somebody fetches it and may.
async fn write(viewer: Viewer, input: Value, first: Searched<AskedRefund>, pieces: mpsc::Sender<Piece>, _place: Place) {
    let mut found = first;
    let mut text = COLUMNS.to_owned();
    loop {
        text.extend(found.data.iter().map(line));
        if send(&viewer, &pieces, Piece::Rows(std::mem::take(&mut text))).await.is_none() {
            return;
        }
        let Some(cursor) = found.page.next_cursor else { break };
        match next(&viewer, &input, cursor).await {
            Ok(Some(page)) => found = page,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(%error, "an export broke off");
                return;
            }
        }
    }
    send(&viewer, &pieces, Piece::End).await;
}

/// Hands a piece over; none when nobody takes it, or the process is to end.
async fn send(viewer: &Viewer, pieces: &mpsc::Sender<Piece>, piece: Piece) -> Option<()> {
    tokio::select! {
        () = viewer.app.shutdown.cancelled() => None,
        sent = timeout(limits::EXPORT_STALL_MAX, pieces.send(piece)) => sent.ok()?.ok(),
    }
}

/// The next page; none when the person may not see it any more.
async fn next(viewer: &Viewer, input: &Value, cursor: String) -> Result<Option<Searched<AskedRefund>>, Error> {
    if !viewer.is_still_here().await? {
        return Ok(None);
    }
    let mut input = input.clone();
    input["cursor"] = cursor.into();
    viewer.ask_on::<SearchRefunds>(input).await.map(Some)
}

fn line(AskedRefund { refund, asked_by }: &AskedRefund) -> String {
    let optional = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let metadata = refund.metadata.as_ref().and_then(|metadata| serde_json::to_string(metadata).ok());
    // The same JSON, whose texts cannot begin a cell where files are separated by semicolons.
    let metadata = metadata.map(|json| json.replace(';', "\\u003b"));
    let cells = [
        refund.id.to_string(),
        refund.created_at.to_string(),
        refund.status.to_string(),
        refund.stage.to_string(),
        refund.amount.to_string(),
        refund.currency.to_string(),
        write_amount(refund.processor, refund.amount.minor(), refund.currency),
        refund.reason.to_string(),
        refund.processor.to_string(),
        refund.transaction_id.to_string(),
        refund.external_transaction_id.clone(),
        optional(refund.external_refund_id.as_deref()),
        refund.initiated_by.to_string(),
        optional(asked_by.as_ref().map(|asker| asker.name.as_str())),
        asked_by.as_ref().map(|asker| asker.id.to_string()).unwrap_or_default(),
        optional(refund.failure.as_ref().map(|failure| failure.code.as_str())),
        optional(refund.failure.as_ref().map(|failure| failure.message.as_str())),
        metadata.unwrap_or_default(),
        refund.updated_at.to_string(),
        refund.settled_at.map(|at| at.to_string()).unwrap_or_default(),
        refund.environment.to_string(),
    ];
    let cells: Vec<_> = cells.iter().map(|text| cell(text)).collect();
    format!("{}\r\n", cells.join(","))
}

/// A cell: quoted where it must be, and never a formula to a spreadsheet, whoever wrote the text.
fn cell(text: &str) -> String {
    let text = guarded(text);
    if text.contains([',', ';', '"', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

/// The text with an apostrophe before what would make it a formula: at its beginning, and behind each semicolon, at which
/// spreadsheets of many countries begin a cell, and behind whatever else may begin one there.
fn guarded(text: &str) -> String {
    let mut guarded = String::with_capacity(text.len());
    let mut is_first = true;
    for character in text.chars() {
        if is_first && matches!(character, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠' | '\t' | '\r') {
            guarded.push('\'');
        }
        // What stands between a semicolon and the formula may be left out on the way.
        is_first = matches!(character, ';' | '\t' | '\r' | '\n')
            || (is_first && !guarded.is_empty() && matches!(character, ' ' | '"'));
        guarded.push(character);
    }
    guarded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_never_formulas() {
        for (text, written) in [
            ("plain", "plain"),
            ("", ""),
            ("a,b", "\"a,b\""),
            ("say \"no\"", "\"say \"\"no\"\"\""),
            ("two\r\nlines", "\"two\r\nlines\""),
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@x", "'@x"),
            ("\tx", "'\tx"),
            ("a;b", "\"a;b\""),
            ("no\n=1", "\"no\n'=1\""),
            ("＝1+1", "'＝1+1"),
            ("no;＠x", "\"no;'＠x\""),
            ("no;=1+1", "\"no;'=1+1\""),
            ("no; @x;-1", "\"no; '@x;'-1\""),
            ("no;\"+1", "\"no;\"\"'+1\""),
            ("=HYPERLINK(\"http://x\",1)", "\"'=HYPERLINK(\"\"http://x\"\",1)\""),
        ] {
            assert_eq!(cell(text), written);
        }
    }

    #[tokio::test]
    async fn a_file_that_breaks_off_does_not_end_well() {
        for (pieces, is_whole) in
            [(vec![Piece::Rows("a\r\n".into()), Piece::End], true), (vec![Piece::Rows("a\r\n".into())], false)]
        {
            let (sender, receiver) = mpsc::channel(PIECES_WAITING_MAX);
            for piece in pieces {
                sender.send(piece).await.ok().unwrap();
            }
            drop(sender);
            let body = file("x.csv", receiver).unwrap().into_body();
            assert_eq!(axum::body::to_bytes(body, 100).await.is_ok(), is_whole);
        }
    }
}
