//! Operations on API keys.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ApiKey, CreatedApiKey, Effect, KeyId, Method, Operation, Page, Scope};

/// Lists the API keys of this environment that are not revoked, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct ListApiKeys {}

impl Operation for ListApiKeys {
    const NAME: &'static str = "list_api_keys";
    const TAG: &'static str = "API keys";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/v1/api-keys";
    const SCOPE: Scope = Scope::Admin;
    const EFFECT: Effect = Effect::Read;
    type Output = Page<ApiKey>;
}

/// Makes an API key in the caller's environment. The key is shown this once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct CreateApiKey {
    /// What you call it, 1 to 100 characters.
    pub name: KeyName,
    /// What it may do.
    pub scope: Scope,
}

impl Operation for CreateApiKey {
    const NAME: &'static str = "create_api_key";
    const TAG: &'static str = "API keys";
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/v1/api-keys";
    const SCOPE: Scope = Scope::Admin;
    const EFFECT: Effect = Effect::WriteOnce;
    type Output = CreatedApiKey;
}

impl CreateApiKey {
    /// Asks for a key of that name and scope.
    pub const fn new(name: KeyName, scope: Scope) -> Self {
        Self { name, scope }
    }
}

/// Revokes an API key at once. The last admin key of an environment cannot be revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct RevokeApiKey {
    /// The key's id (`key_…`).
    pub id: KeyId,
}

impl Operation for RevokeApiKey {
    const NAME: &'static str = "revoke_api_key";
    const TAG: &'static str = "API keys";
    const METHOD: Method = Method::Delete;
    const PATH: &'static str = "/v1/api-keys/{id}";
    const SCOPE: Scope = Scope::Admin;
    const EFFECT: Effect = Effect::WriteIdempotent;
    type Output = ApiKey;
}

impl RevokeApiKey {
    /// Asks to revoke the key with this id.
    pub const fn new(id: KeyId) -> Self {
        Self { id }
    }
}

/// The longest name of a key, in characters.
pub const NAME_CHARACTERS_MAX: usize = 100;

/// What somebody calls a key: 1 to 100 characters, none of them a control character.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct KeyName(String);

impl KeyName {
    /// Accepts 1 to 100 characters without control characters.
    pub fn new(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        let printable = !text.trim().is_empty() && !text.chars().any(char::is_control);
        (printable && text.chars().count() <= NAME_CHARACTERS_MAX).then_some(Self(text))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for KeyName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?)
            .ok_or_else(|| serde::de::Error::custom("must have 1 to 100 characters, without control characters"))
    }
}

impl JsonSchema for KeyName {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "KeyName".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "maxLength": NAME_CHARACTERS_MAX, "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]*[^\\s\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$",
        })
    }
}
