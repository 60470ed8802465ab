//! The `Idempotency-Key` header, and the keys whose first request is still running in this process.
//!
//! What a key stands for is bound by the handler, in the transaction that writes the object.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use axum::http::HeaderMap;
use refundkit::ErrorCode;

use crate::{error::Error, limits::IDEMPOTENCY_KEY_CHARACTERS_MAX, store::Tenant};

/// The header's name.
pub const HEADER: &str = "idempotency-key";

/// Reads the header: 1 to 255 visible ASCII characters.
pub fn from_headers(headers: &HeaderMap) -> Result<Option<String>, Error> {
    let mut values = headers.get_all(HEADER).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let wrong = |message: String| Err(Error::validation("Idempotency-Key", message));
    if values.next().is_some() {
        return wrong("Idempotency-Key must be given once.".to_owned());
    }
    let bytes = value.as_bytes();
    if bytes.is_empty() || bytes.len() > IDEMPOTENCY_KEY_CHARACTERS_MAX || !bytes.iter().all(u8::is_ascii_graphic) {
        return wrong(format!(
            "Idempotency-Key must be 1 to {IDEMPOTENCY_KEY_CHARACTERS_MAX} visible ASCII characters."
        ));
    }
    Ok(Some(String::from_utf8_lossy(bytes).into_owned()))
}

/// Keys whose first request is running.
#[derive(Debug, Default)]
pub struct RunningKeys(Arc<Mutex<HashSet<(Tenant, String)>>>);

/// Holds a key while its request runs.
#[derive(Debug)]
pub struct Running {
    keys: Arc<Mutex<HashSet<(Tenant, String)>>>,
    key: (Tenant, String),
}

/// Another request holds the key: in this process, or at this moment in another one.
pub fn in_use() -> Error {
    Error::new(ErrorCode::IdempotencyKeyInUse, "A request with this Idempotency-Key is still running.")
        .hint("Wait a moment and repeat the same request with the same key; you will get its result.")
        .retry_after(1)
}

impl RunningKeys {
    /// Takes the key, or refuses because another request holds it.
    pub fn begin(&self, tenant: Tenant, key: &str) -> Result<Running, Error> {
        let key = (tenant, key.to_owned());
        if self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone()) {
            Ok(Running { keys: Arc::clone(&self.0), key })
        } else {
            Err(in_use())
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}
