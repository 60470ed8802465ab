//! A caller's own key-value pairs on a refund, within the limits that also hold at Stripe.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize, de::Error as _};

/// The most keys a caller may set. Stripe allows 50; RefundKit needs three for itself.
pub const KEYS_MAX: usize = 47;
/// The longest key, in characters.
pub const KEY_CHARACTERS_MAX: usize = 40;
/// The longest text value, in characters.
pub const VALUE_CHARACTERS_MAX: usize = 500;
/// Keys that begin so are RefundKit's own.
pub const RESERVED_PREFIX: &str = "refundkit_";

/// Up to 47 pairs: keys of 1 to 40 characters without `[` and `]`, none beginning `refundkit_`; values are strings of at most
/// 500 characters, integers or booleans. Kept as given, and sent to the processor as text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Metadata(BTreeMap<String, MetadataValue>);

/// One metadata value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum MetadataValue {
    /// A boolean, sent to the processor as `true` or `false`.
    Boolean(bool),
    /// An integer, sent to the processor in decimal.
    Integer(i64),
    /// A text of at most 500 characters.
    Text(String),
}

impl fmt::Display for MetadataValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => fmt::Display::fmt(value, f),
            Self::Integer(value) => fmt::Display::fmt(value, f),
            Self::Text(value) => f.write_str(value),
        }
    }
}

/// Pairs that break one of the limits; the text says which.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidMetadata(String);

impl Metadata {
    /// Checks the pairs against the limits.
    pub fn new(pairs: BTreeMap<String, MetadataValue>) -> Result<Self, InvalidMetadata> {
        if pairs.len() > KEYS_MAX {
            return Err(InvalidMetadata(format!("must not have more than {KEYS_MAX} keys; this has {}", pairs.len())));
        }
        for (key, value) in &pairs {
            check_key(key)?;
            if let MetadataValue::Text(text) = value
                && text.chars().count() > VALUE_CHARACTERS_MAX
            {
                return Err(InvalidMetadata(format!(
                    "values must not be longer than {VALUE_CHARACTERS_MAX} characters (key `{key}`)"
                )));
            }
        }
        Ok(Self(pairs))
    }

    /// The pairs, ordered by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &MetadataValue)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Whether there are no pairs.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn check_key(key: &str) -> Result<(), InvalidMetadata> {
    let length = key.chars().count();
    if length == 0 || length > KEY_CHARACTERS_MAX {
        return Err(InvalidMetadata(format!("keys must have 1 to {KEY_CHARACTERS_MAX} characters")));
    }
    if key.contains(['[', ']']) {
        return Err(InvalidMetadata("keys must not contain square brackets".to_owned()));
    }
    if key.starts_with(RESERVED_PREFIX) {
        return Err(InvalidMetadata(format!("keys must not begin with `{RESERVED_PREFIX}`")));
    }
    Ok(())
}

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = BTreeMap::<String, serde_json::Value>::deserialize(deserializer)?;
        let mut pairs = BTreeMap::new();
        for (key, value) in raw {
            let value = match value {
                serde_json::Value::Bool(value) => MetadataValue::Boolean(value),
                serde_json::Value::String(text) => MetadataValue::Text(text),
                serde_json::Value::Number(number) if number.is_i64() => {
                    MetadataValue::Integer(number.as_i64().unwrap_or_default())
                }
                _ => return Err(D::Error::custom("values must be strings, integers or booleans")),
            };
            pairs.insert(key, value);
        }
        Self::new(pairs).map_err(D::Error::custom)
    }
}

impl schemars::JsonSchema for Metadata {
    fn schema_name() -> Cow<'static, str> {
        "Metadata".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "object",
            "maxProperties": KEYS_MAX,
            "propertyNames": { "pattern": "^(?!refundkit_)[^\\[\\]]{1,40}$" },
            "additionalProperties": {
                "anyOf": [
                    { "type": "string", "maxLength": VALUE_CHARACTERS_MAX },
                    { "type": "integer", "minimum": i64::MIN, "maximum": i64::MAX },
                    { "type": "boolean" },
                ],
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_kept_as_given_and_written_as_text() {
        let metadata: Metadata = serde_json::from_str(r#"{"order": "7", "line": 3, "gift": true}"#).unwrap();
        let texts: Vec<_> = metadata.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(texts, ["gift=true", "line=3", "order=7"]);
        assert_eq!(serde_json::to_string(&metadata).unwrap(), r#"{"gift":true,"line":3,"order":"7"}"#);
    }

    #[test]
    fn every_limit_is_kept() {
        let many: serde_json::Map<_, _> = (0..48).map(|n| (format!("k{n}"), n.into())).collect();
        for json in [
            serde_json::Value::Object(many),
            serde_json::json!({ "": "x" }),
            serde_json::json!({ "a".repeat(41): "x" }),
            serde_json::json!({ "a[b]": "x" }),
            serde_json::json!({ "refundkit_refund_id": "x" }),
            serde_json::json!({ "a": "x".repeat(501) }),
            serde_json::json!({ "a": 1.5 }),
            serde_json::json!({ "a": null }),
            serde_json::json!({ "a": ["x"] }),
        ] {
            assert!(serde_json::from_value::<Metadata>(json.clone()).is_err(), "{json}");
        }
    }
}
