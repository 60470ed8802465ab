//! Operations that only the dashboard has, a file for each noun: like those of the API, but without a path. Fields are the input;
//! the doc comment is the description.

pub mod askers;
pub mod logs;
pub mod looks;
pub mod members;
pub mod notifications;
pub mod organizations;
pub mod overview;
pub mod refunds;
pub mod search;

pub use askers::{AskedRefund, ListAskers};
pub use logs::{GetLog, SearchLogs};
pub use looks::{LookAtRefund, LookAtTransaction, RefundLook, TransactionLook};
pub use members::{ChangeRole, InviteMember, ListMembers, RemoveMember, RevokeInvitation};
pub use notifications::ListNotifications;
pub use organizations::{GetOrganization, UpdateOrganization};
pub use overview::GetOverview;
pub use refunds::ReadRefunds;
pub use search::SearchRefunds;

use refundkit::{PageInfo, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A page of a search, newest first. A search examines so many rows for a page and no more: a page may be short, or empty, and
/// yet have more behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Searched<T> {
    /// What was found.
    pub data: Vec<T>,
    /// Where the next page begins.
    pub page: PageInfo,
    /// How far back the search went when it ended before the page was full; null otherwise.
    pub searched_to: Option<Timestamp>,
}

/// A count that goes no further than a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BoundedCount {
    /// How many were counted.
    pub count: i64,
    /// Whether there are more than that.
    pub is_more: bool,
}

/// A text to search for: at most 500 characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(transparent, inline)]
pub struct SearchText(#[schemars(length(max = 500))] String);

impl SearchText {
    /// The longest text, in characters: the longest metadata value.
    pub const CHARACTERS_MAX: usize = refundkit::metadata::VALUE_CHARACTERS_MAX;

    /// Accepts what can be found.
    pub fn new(text: String) -> Result<Self, &'static str> {
        if text.chars().count() > Self::CHARACTERS_MAX {
            return Err("must not be longer than 500 characters");
        }
        if text.contains('\0') {
            return Err("must not contain a zero character");
        }
        Ok(Self(text))
    }

    /// The text without the spaces around it; none when nothing else is in it.
    pub fn trimmed(&self) -> Option<&str> {
        Some(self.0.trim()).filter(|text| !text.is_empty())
    }
}

impl<'de> Deserialize<'de> for SearchText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
