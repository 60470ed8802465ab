//! What the sandbox remembers under an idempotency key, and when it refuses one.
//!
//! <https://docs.stripe.com/api/idempotent_requests>. Which answers are worth remembering is decided in the model.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::errors::StripeError;
use crate::limits::{IDEMPOTENCY_AGE_MAX_MS, IDEMPOTENCY_KEY_CHARS_MAX, IDEMPOTENCY_RECORDS_MAX};
use crate::table::{Row, Table};

/// The first answer given under a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) key: String,
    pub(crate) path: String,
    pub(crate) fingerprint: String,
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) request_id: String,
    pub(crate) created_at_ms: i64,
    /// Until then the first request is still under way, because a fault delays its answer.
    pub(crate) busy_until_ms: i64,
}

impl Row for Record {
    fn id(&self) -> &str {
        &self.key
    }
}

/// The records of one account in one mode.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Records {
    records: Table<Record>,
}

impl Records {
    /// The first answer under this key, nothing for a new key, or the refusal of a misused one.
    pub(crate) fn recall(
        &mut self,
        key: &str,
        path: &str,
        canonical_params: &str,
        now_ms: i64,
    ) -> Result<Option<&Record>, StripeError> {
        let characters = key.chars().count();
        if characters > IDEMPOTENCY_KEY_CHARS_MAX {
            return Err(StripeError::key_too_long(characters));
        }
        self.forget_old(now_ms);
        let Some(record) = self.records.get(key) else { return Ok(None) };
        if record.path != path {
            return Err(StripeError::key_at_other_endpoint(key, path, &record.path));
        }
        if record.fingerprint != fingerprint(canonical_params) {
            return Err(StripeError::key_with_other_parameters(key));
        }
        if now_ms < record.busy_until_ms {
            return Err(StripeError::key_in_use(key));
        }
        Ok(Some(record))
    }

    pub(crate) fn remember(&mut self, record: Record) {
        if self.records.len() >= IDEMPOTENCY_RECORDS_MAX {
            self.records.remove_oldest();
        }
        self.records.insert(record);
    }

    fn forget_old(&mut self, now_ms: i64) {
        let forgotten_before_ms = now_ms.saturating_sub(IDEMPOTENCY_AGE_MAX_MS);
        while self.records.oldest().is_some_and(|record| record.created_at_ms <= forgotten_before_ms) {
            self.records.remove_oldest();
        }
    }
}

/// Stands for the parameters of a request, so that they need not be kept.
pub(crate) fn fingerprint(canonical_params: &str) -> String {
    hex::encode(Sha256::digest(canonical_params.as_bytes()))
}
