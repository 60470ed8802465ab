//! From bytes and text to an operation: strict, and precise about what is wrong.
//!
//! Duplicate keys, nulls, unknown fields and wrong types are refused with the path of the field. Nothing is guessed.

use std::{cell::LazyCell, fmt};

use refundkit::{ErrorCode, Operation};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, error::Category};
use serde_path_to_error::Segment;

use super::{openapi, scrub::scrub, shape};
use crate::error::Error;

/// Parses a body: JSON in UTF-8, an object, no key twice, at most 128 levels deep. An empty body is an empty object.
pub fn body(bytes: &[u8]) -> Result<Map<String, Value>, Error> {
    if bytes.is_empty() {
        return Ok(Map::new());
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Error::validation("", "The body is not valid UTF-8."))?;
    let strict: StrictValue = serde_json::from_str(text).map_err(|error| not_valid(&error))?;
    match strict.0 {
        Value::Object(fields) => Ok(fields),
        _ => Err(Error::validation("", "The body must be a JSON object.")),
    }
}

fn not_valid(error: &serde_json::Error) -> Error {
    let (line, column) = (error.line(), error.column());
    let message = match error.classify() {
        // Our own words, from below.
        Category::Data => format!("The body is not valid JSON: {}.", scrub(&error.to_string())),
        Category::Eof => "The body is not valid JSON: it ends too early.".to_owned(),
        Category::Syntax | Category::Io => {
            format!("The body is not valid JSON: look at line {line}, column {column}.")
        }
    };
    Error::validation("", message)
}

/// Parses a query string into text values; a name twice is refused.
pub fn query(text: &str) -> Result<Vec<(String, String)>, Error> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        if pairs.iter().any(|(known, _)| *known == name) {
            return Err(Error::validation(name.clone(), format!("`{name}` is given twice.")));
        }
        pairs.push((name.into_owned(), value.into_owned()));
    }
    Ok(pairs)
}

/// A path or query value as the JSON that the input's schema asks for: text stays text unless a number or boolean is wanted.
pub fn coerce(schema: &Value, text: String) -> Value {
    match schema["type"].as_str() {
        // Only the plain spelling: `1e3`, `+7` and ` 7` stay text and are refused as such.
        Some("integer") => match text.parse::<i64>() {
            Ok(number) if number.to_string() == text => number.into(),
            _ => Value::String(text),
        },
        Some("boolean") if text == "true" => Value::Bool(true),
        Some("boolean") if text == "false" => Value::Bool(false),
        _ => Value::String(text),
    }
}

/// The schema of an operation's input, made when something is wrong with one.
type InputSchema = LazyCell<Value>;

/// Parses an operation from its input.
pub fn parse<O: Operation>(input: Value) -> Result<O, Error> {
    let schema: InputSchema = LazyCell::new(openapi::input_schema_of::<O>);
    refuse_misfits(&input, &schema, &mut Vec::new())?;
    serde_path_to_error::deserialize(input).map_err(|error| {
        let path: Vec<_> = error.path().iter().filter_map(name_of).collect();
        describe(&schema, &path, &scrub(&error.into_inner().to_string()))
    })
}

fn name_of(segment: &Segment) -> Option<String> {
    match segment {
        Segment::Map { key } => Some(key.clone()),
        Segment::Enum { .. } | Segment::Seq { .. } | Segment::Unknown => None,
    }
}

/// How serde begins to say that a value is of another type, or not among those allowed. What our own types say begins otherwise.
const MISFITS: [&str; 4] = ["invalid type", "invalid value", "invalid length", "unknown variant"];

/// A sentence for a caller in place of serde's words.
fn describe(schema: &Value, path: &[String], cause: &str) -> Error {
    if MISFITS.iter().any(|misfit| cause.starts_with(misfit)) {
        return misfit(schema, path);
    }
    let (found, _) = shape::find(schema, path);
    let path = scrub(&path.join("."));
    let path = path.as_str();
    if let Some(name) = cause.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        let field = join(path, name);
        let message = format!("`{field}` is missing.");
        return Error::validation(field, message);
    }
    if cause.starts_with("unknown field `") {
        return Error::validation(path, format!("`{path}` is not a field here; {}.", shape::fields(found)));
    }
    let subject = if path.is_empty() { "The request".to_owned() } else { format!("`{path}`") };
    let verb = if cause.starts_with("must ") || cause.starts_with("is ") {
        cause.to_owned()
    } else {
        format!("is wrong: {cause}")
    };
    Error::validation(path, format!("{subject} {verb}."))
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() || path.ends_with(name) { name.to_owned() } else { format!("{path}.{name}") }
}

/// What the value at this path must be, as far as the schema knows the way.
fn misfit(schema: &Value, path: &[String]) -> Error {
    let (found, steps) = shape::find(schema, path);
    let path = scrub(&path[..steps].join("."));
    let subject = if path.is_empty() { "The request".to_owned() } else { format!("`{path}`") };
    Error::validation(path, format!("{subject} {}.", shape::must_be(found)))
}

/// Refuses nulls anywhere, since a null amount must not quietly mean "everything"; and arrays in place of objects, which serde
/// would take for the values of their fields.
fn refuse_misfits(value: &Value, schema: &InputSchema, path: &mut Vec<String>) -> Result<(), Error> {
    match value {
        Value::Null => {
            let path = scrub(&path.join("."));
            let message = format!("`{path}` must not be null; leave it out instead.");
            Err(Error::validation(path, message))
        }
        Value::Object(fields) => fields.iter().try_for_each(|(name, value)| {
            path.push(name.clone());
            refuse_misfits(value, schema, path)?;
            path.pop();
            Ok(())
        }),
        Value::Array(_) if shape::find(schema, path).0["type"] == "object" => Err(misfit(schema, path)),
        Value::Array(items) => items.iter().try_for_each(|value| refuse_misfits(value, schema, path)),
        _ => Ok(()),
    }
}

/// `unsupported_media_type`: there is a body and it does not say that it is JSON.
pub fn not_json() -> Error {
    Error::new(
        ErrorCode::UnsupportedMediaType,
        "The body must be JSON: send the header `Content-Type: application/json`.",
    )
}

/// JSON that refuses an object with one key twice: which of the two was meant cannot be known.
struct StrictValue(Value);

impl<'de> Deserialize<'de> for StrictValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Strict;
        impl<'de> Visitor<'de> for Strict {
            type Value = StrictValue;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }
            fn visit_unit<E>(self) -> Result<StrictValue, E> {
                Ok(StrictValue(Value::Null))
            }
            fn visit_bool<E>(self, value: bool) -> Result<StrictValue, E> {
                Ok(StrictValue(value.into()))
            }
            fn visit_i64<E>(self, value: i64) -> Result<StrictValue, E> {
                Ok(StrictValue(value.into()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<StrictValue, E> {
                Ok(StrictValue(value.into()))
            }
            fn visit_f64<E>(self, value: f64) -> Result<StrictValue, E> {
                Ok(StrictValue(value.into()))
            }
            fn visit_str<E>(self, value: &str) -> Result<StrictValue, E> {
                Ok(StrictValue(value.into()))
            }
            fn visit_string<E>(self, value: String) -> Result<StrictValue, E> {
                Ok(StrictValue(value.into()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<StrictValue, A::Error> {
                let mut array = Vec::new();
                while let Some(StrictValue(item)) = items.next_element()? {
                    array.push(item);
                }
                Ok(StrictValue(array.into()))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<StrictValue, A::Error> {
                let mut object = Map::new();
                while let Some(key) = entries.next_key::<String>()? {
                    if object.contains_key(&key) {
                        return Err(de::Error::custom(format_args!("the key `{key}` appears twice")));
                    }
                    let StrictValue(value) = entries.next_value()?;
                    object.insert(key, value);
                }
                Ok(StrictValue(object.into()))
            }
        }
        deserializer.deserialize_any(Strict)
    }
}

#[cfg(test)]
mod tests {
    use refundkit::{RequestId, operations::CreateRefund};

    use super::*;

    fn refusal(json: &str) -> (Option<String>, String) {
        let parsed = body(json.as_bytes()).and_then(|fields| parse::<CreateRefund>(fields.into()));
        let body = parsed.unwrap_err().body(RequestId::from_bits(0));
        (body.field, body.message)
    }

    #[test]
    fn every_refusal_names_the_field() {
        for (json, field, words) in [
            ("{}", Some("transactionId"), "`transactionId` is missing."),
            (r#"{"transactionId":"ch_1"}"#, Some("reason"), "`reason` is missing."),
            (r#"{"transactionId":"../x","reason":"other"}"#, Some("transactionId"), "letters, digits"),
            (
                r#"{"transactionId":"ch_1","reason":"because"}"#,
                Some("reason"),
                "must be one of `product_not_received`, `",
            ),
            (r#"{"transactionId":"ch_1","reason":"other","amount":2500.0}"#, Some("amount"), "must be an integer"),
            (r#"{"transactionId":"ch_1","reason":"other","amount":"2500"}"#, Some("amount"), "not a string"),
            (r#"{"transactionId":"ch_1","reason":"other","amount":-1}"#, Some("amount"), "must be an integer from 1"),
            (r#"{"transactionId":"ch_1","reason":"other","amount":null}"#, Some("amount"), "must not be null"),
            (r#"{"transactionId":"ch_1","reason":"other","amuont":1}"#, Some("amuont"), "is not a field here"),
            (
                r#"{"transactionId":"ch_1","reason":"other","metadata":{"a":1.5}}"#,
                Some("metadata"),
                "strings, integers or booleans",
            ),
            (
                r#"{"transactionId":"ch_1","transactionId":"ch_2","reason":"other"}"#,
                None,
                "`transactionId` appears twice",
            ),
            ("[]", None, "must be a JSON object"),
            ("{", None, "not valid JSON"),
        ] {
            let (found, message) = refusal(json);
            assert_eq!(found.as_deref(), field, "{json}: {message}");
            assert!(message.contains(words), "{json}: {message}");
        }
    }

    #[test]
    fn deep_nesting_and_invalid_utf8_are_refused_not_followed() {
        assert!(body("[".repeat(100_000).as_bytes()).is_err());
        assert!(body(b"{\"a\":\"\xff\"}").is_err());
    }
}
