//! API keys: who may call, in which environment, for what.
//!
//! The key itself is random and shown once; only its SHA-256 and its first 16 characters are kept.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{KeyId, OrganizationId, Scope, Timestamp, refund::words};

words! {
    /// Test money or real money. The two never meet.
    Environment {
        /// Test money.
        Test = "test",
        /// Real money.
        Live = "live",
    }
}

impl Environment {
    /// What keys of this environment begin with.
    pub const fn key_prefix(self) -> &'static str {
        match self {
            Self::Test => "rk_test_",
            Self::Live => "rk_live_",
        }
    }
}

/// Random characters after the prefix of a key.
pub const KEY_RANDOM_CHARACTERS: usize = 32;
/// Characters of a key that may be stored and shown.
pub const KEY_PREFIX_CHARACTERS: usize = 16;

/// The SHA-256 of a key, as lowercase hex: what a server stores in its place.
pub fn hash_api_key(key: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let halves = |byte: u8| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]].map(char::from);
    Sha256::digest(key.as_bytes()).into_iter().flat_map(halves).collect()
}

/// Whether a text has the form of a RefundKit key: `rk_test_` or `rk_live_` and exactly 32 URL-safe characters.
pub fn is_valid_api_key_format(key: &str) -> bool {
    api_key_environment(key).is_some()
}

/// The environment that a key of valid form belongs to.
pub fn api_key_environment(key: &str) -> Option<Environment> {
    Environment::ALL.iter().copied().find(|environment| {
        key.strip_prefix(environment.key_prefix()).is_some_and(|random| {
            random.len() == KEY_RANDOM_CHARACTERS
                && random.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        })
    })
}

/// An API key, without the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct ApiKey {
    /// The key's id.
    pub id: KeyId,
    /// What its owner calls it.
    pub name: String,
    /// What it may do.
    pub scope: Scope,
    /// Where it works.
    pub environment: Environment,
    /// Its first 16 characters, to recognise it by.
    pub prefix: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last used, to the minute; null if never.
    pub last_used_at: Option<Timestamp>,
}

/// A key just made. The only answer that ever carries the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct CreatedApiKey {
    /// The key's id.
    pub id: KeyId,
    /// What its owner calls it.
    pub name: String,
    /// What it may do.
    pub scope: Scope,
    /// Where it works.
    pub environment: Environment,
    /// Its first 16 characters, to recognise it by.
    pub prefix: String,
    /// The key, this once. Null when the request is a repeat: keys are not stored; revoke this one and make another.
    pub key: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Who a key is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct Identity {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The environment.
    pub environment: Environment,
    /// What the key may do.
    pub scope: Scope,
    /// The key's id.
    pub key_id: KeyId,
    /// The key's first 16 characters.
    pub prefix: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors;

    #[test]
    fn a_key_says_its_environment_and_nothing_else_passes() {
        for (key, environment) in vectors::read::<(String, Option<Environment>)>("apiKeys") {
            assert_eq!(api_key_environment(&key), environment, "{key}");
            assert_eq!(is_valid_api_key_format(&key), environment.is_some(), "{key}");
        }
    }

    #[test]
    fn a_key_is_hashed_as_sha256_hex() {
        for (text, hash) in vectors::read::<(String, String)>("sha256") {
            assert_eq!(hash_api_key(&text), hash, "{text}");
        }
    }
}
