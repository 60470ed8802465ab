//! Pages of lists: limits, cursors, and what a page carries.

use std::{borrow::Cow, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::Error as _};

/// The most objects on a page.
pub const LIMIT_MAX: u32 = 100;
/// How many objects a page has when nothing is said.
pub const LIMIT_DEFAULT: u32 = 25;
/// The furthest a list can be entered by counting.
pub const OFFSET_MAX: u32 = 10_000;
/// The longest cursor, in characters.
pub const CURSOR_CHARACTERS_MAX: usize = 200;

/// A page of a list, newest first unless the operation says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct Page<T> {
    /// The objects.
    pub data: Vec<T>,
    /// Where the next page begins.
    pub page: PageInfo,
}

/// Where the next page begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct PageInfo {
    /// Whether there is more.
    pub has_more: bool,
    /// What to send as `cursor`, with the same filters, for the next page.
    pub next_cursor: Option<String>,
}

macro_rules! bounded {
    ($(#[$doc:meta])* $name:ident, $min:expr, $max:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
        #[serde(transparent)]
        pub struct $name(u32);

        impl $name {
            /// The number.
            pub const fn get(self) -> u32 { self.0 }

            /// Accepts numbers in range.
            pub fn new(number: u32) -> Option<Self> { ($min..=$max).contains(&number).then_some(Self(number)) }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let number = i64::deserialize(deserializer)?;
                u32::try_from(number).ok().and_then(Self::new)
                    .ok_or_else(|| D::Error::custom(format_args!("must be an integer from {} to {}", $min, $max)))
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> { stringify!($name).into() }
            fn inline_schema() -> bool { true }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "integer", "minimum": $min, "maximum": $max })
            }
        }
    };
}

bounded! {
    /// How many objects a page may have: 1 to 100.
    Limit, 1, LIMIT_MAX
}
bounded! {
    /// How many objects to pass over: 0 to 10000.
    Offset, 0, OFFSET_MAX
}

impl Default for Limit {
    fn default() -> Self {
        Self(LIMIT_DEFAULT)
    }
}

/// Where a page begins: the `nextCursor` of the page before. Opaque, and valid with the same filters only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Cursor(String);

impl Cursor {
    /// Accepts what a server gave as `nextCursor`.
    pub fn new(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-' || byte == b'.';
        ((1..=CURSOR_CHARACTERS_MAX).contains(&text.len()) && text.bytes().all(allowed)).then_some(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?)
            .ok_or_else(|| D::Error::custom("must be the nextCursor of a page"))
    }
}

impl JsonSchema for Cursor {
    fn schema_name() -> Cow<'static, str> {
        "Cursor".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[A-Za-z0-9_.-]{1,200}$" })
    }
}
