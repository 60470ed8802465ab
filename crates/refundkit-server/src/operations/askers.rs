//! Who asks for refunds: people of the organization, and API keys of the environment.

use std::{borrow::Cow, fmt, str::FromStr};

use refundkit::{Effect, KeyId, Method, Operation, Refund, Scope, UserId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A person or an API key, by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskerId {
    /// A person (`usr_…`).
    Person(UserId),
    /// An API key (`key_…`).
    Key(KeyId),
}

/// A text that is the id of neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not the id of a person (`usr_…`) or of an API key (`key_…`)")]
pub struct InvalidAskerId;

impl fmt::Display for AskerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(id) => id.fmt(f),
            Self::Key(id) => id.fmt(f),
        }
    }
}

impl FromStr for AskerId {
    type Err = InvalidAskerId;

    fn from_str(text: &str) -> Result<Self, InvalidAskerId> {
        let person = text.parse().map(Self::Person);
        person.or_else(|_| text.parse().map(Self::Key)).map_err(|_| InvalidAskerId)
    }
}

impl Serialize for AskerId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AskerId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <Cow<'de, str>>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for AskerId {
    fn schema_name() -> Cow<'static, str> {
        "AskerId".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let pattern = format!("^({}|{})_[0-7][0-9a-hjkmnp-tv-z]{{25}}$", UserId::PREFIX, KeyId::PREFIX);
        schemars::json_schema!({ "type": "string", "pattern": pattern })
    }
}

/// Somebody who asks for refunds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Asker {
    /// The person's id (`usr_…`), or the key's (`key_…`).
    pub id: AskerId,
    /// The person's e-mail address, or the key's name; the id where neither is known.
    pub name: String,
    /// The first characters of a key.
    pub key_prefix: Option<String>,
    /// Whether the person is no member any more, or the key is revoked.
    pub is_gone: bool,
}

/// A refund, with who asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AskedRefund {
    /// The refund.
    pub refund: Refund,
    /// Who asked for it; null where that was not written down.
    pub asked_by: Option<Asker>,
}

/// Lists whose refunds can be looked for: the organization's people and the environment's keys, up to 100 of each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListAskers {
    /// Somebody (`usr_…`, `key_…`) to be listed in any case: also who left, and also a key that is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<AskerId>,
}

impl Operation for ListAskers {
    const NAME: &'static str = "list_askers";
    const TAG: &'static str = "Refunds";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "";
    const SCOPE: Scope = Scope::Read;
    const EFFECT: Effect = Effect::Read;
    type Output = Askers;
}

/// Whose refunds can be looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Askers {
    /// People, by their addresses.
    pub people: Vec<Asker>,
    /// The newest keys, by their names.
    pub keys: Vec<Asker>,
}
