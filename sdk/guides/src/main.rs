//! Runs the Rust blocks of one document: `refundkit-guides PAGE`. Where the server is, the environment says.
//!
//! The blocks are taken from the documents when this is built; nothing of them lives here.

use std::{collections::HashMap, error::Error};

use refundkit::{Timestamp, webhook};

/// The blocks as functions. What readers are shown is not written for this crate's lints.
#[allow(clippy::pedantic, clippy::all, dead_code, unused_imports, reason = "examples say no more than they need")]
mod pages {
    include!(concat!(env!("OUT_DIR"), "/pages.rs"));
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    pages::run(&std::env::args().nth(1).ok_or("usage: refundkit-guides PAGE")?).await
}

/// Sends a receiver the notification in `PAYLOAD`, signed now.
fn deliver(
    receive: impl Fn(&[u8], &HashMap<String, String>) -> Result<u16, Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let payload = std::env::var("PAYLOAD")?;
    let sent_at = Timestamp::from_seconds(std::env::var("SENT_AT")?.parse()?);
    let signature =
        webhook::sign(&std::env::var("REFUNDKIT_WEBHOOK_SECRET")?.into(), "evt_1", sent_at, payload.as_bytes())?;
    let headers = [
        ("webhook-id", "evt_1".to_owned()),
        ("webhook-timestamp", sent_at.as_seconds().to_string()),
        ("webhook-signature", signature.standard),
    ];
    let headers: HashMap<_, _> = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    println!("{}", receive(payload.as_bytes(), &headers)?);
    let refused = receive(format!("{payload} ").as_bytes(), &headers).is_err();
    println!("{refused}");
    Ok(())
}
