//! What an input should look like, in words for callers, out of the schema of its operation: type, range, the words allowed.

use serde_json::Value;

/// The part of a schema that a path leads to, as far as the schema knows the way, and how many steps that is.
pub fn find<'schema>(schema: &'schema Value, path: &[String]) -> (&'schema Value, usize) {
    let mut found = schema;
    for (steps, name) in path.iter().enumerate() {
        match found.get("properties").and_then(|fields| fields.get(name)) {
            Some(below) => found = below,
            None => return (found, steps),
        }
    }
    (found, path.len())
}

/// What a value must be, as the rest of a sentence that begins with its name.
pub fn must_be(schema: &Value) -> String {
    if let Some(Value::Array(choices)) = schema.get("oneOf") {
        let words: Vec<_> = choices.iter().filter_map(|choice| choice["const"].as_str()).collect();
        return match words.as_slice() {
            [only] => format!("must be `{only}`"),
            words => format!("must be one of {}", listed(words.iter().copied())),
        };
    }
    match schema["type"].as_str() {
        Some("integer") => match (schema["minimum"].as_i64(), schema["maximum"].as_i64()) {
            (Some(least), Some(most)) => format!("must be an integer from {least} to {most}"),
            _ => "must be an integer".to_owned(),
        },
        Some("boolean") => "must be true or false".to_owned(),
        Some("object") => "must be an object".to_owned(),
        Some("array") => "must be an array".to_owned(),
        _ => "must be a string".to_owned(),
    }
}

/// The fields that there are, as the rest of a sentence.
pub fn fields(schema: &Value) -> String {
    match schema.get("properties").and_then(Value::as_object) {
        Some(fields) if !fields.is_empty() => format!("the fields are {}", listed(fields.keys().map(String::as_str))),
        _ => "there are no fields".to_owned(),
    }
}

fn listed<'name>(names: impl Iterator<Item = &'name str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
