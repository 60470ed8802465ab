//! Schemas small enough for a model's context: derived from those of the operations, without what says nothing to a model.

use refundkit::{Effect, money::AMOUNT_MAX};
use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::tool::{Argument, IDEMPOTENCY_KEY, ToolEntry};
use crate::{interfaces::openapi, registry::Entry};

/// The schema of a tool's arguments.
pub(super) fn input(tool: &ToolEntry, entry: &Entry) -> Value {
    let whole = openapi::input_schema(entry);
    let mut properties = Map::new();
    for argument in tool.arguments {
        let mut field = whole["properties"][argument.field].clone();
        let about = field["description"].as_str().unwrap_or_default();
        let about = [sentences(tool, argument, about).as_str(), argument.note].join(" ").trim().to_owned();
        compact(&mut field);
        field["description"] = about.into();
        properties.insert(argument.name.to_owned(), field);
    }
    if ToolEntry::takes_key(entry) {
        debug_assert_eq!(entry.effect, Effect::WriteOnce);
        properties.insert(
            IDEMPOTENCY_KEY.to_owned(),
            json!({
                "type": "string",
                "description": "Your own key for this one refund: a repeat with it answers the same refund.",
            }),
        );
    }
    let required: Vec<_> = tool.arguments.iter().filter(|argument| argument.required).map(|one| one.name).collect();
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

/// The sentences of a field's description that are true of the argument: not what leaving it out means where it must be given, and
/// not what concerns fields that the tool does not take.
fn sentences(tool: &ToolEntry, argument: &Argument, description: &str) -> String {
    let concerns = |sentence: &&str| {
        let names_another = sentence.strip_prefix("Not together with `").is_some_and(|rest| {
            !tool.arguments.iter().any(|one| rest.strip_prefix(one.field).is_some_and(|rest| rest.starts_with('`')))
        });
        !(names_another || argument.required && sentence.starts_with("Omitted:"))
    };
    let ends: Vec<_> = description.split_inclusive(". ").filter(concerns).collect();
    ends.concat().trim_end().to_owned()
}

/// The schema of a view: these fields of a type, and what is added to them.
pub(super) fn view<T: JsonSchema>(fields: &[&str], added: &[(&str, Value)]) -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize().with(|settings| settings.inline_subschemas = true);
    let whole = settings.into_generator().into_root_schema_for::<T>().to_value();
    let mut properties = Map::new();
    for field in fields {
        let mut schema = whole["properties"][field].clone();
        openapi::remove_nulls(&mut schema);
        compact(&mut schema);
        bare(&mut schema);
        properties.insert((*field).to_owned(), schema);
    }
    for (name, schema) in added {
        properties.insert((*name).to_owned(), schema.clone());
    }
    json!({ "type": "object", "properties": properties })
}

/// Words without their explanations, and none of the rules that only say what an identifier looks like: who breaks one is told.
fn compact(schema: &mut Value) {
    let Value::Object(fields) = schema else { return };
    if let Some(Value::Array(choices)) = fields.get("oneOf")
        && choices.iter().all(|choice| choice["const"].is_string())
    {
        let words: Vec<_> = choices.iter().map(|choice| choice["const"].clone()).collect();
        fields.remove("oneOf");
        fields.insert("type".to_owned(), "string".into());
        fields.insert("enum".to_owned(), words.into());
    }
    if fields.get("maximum").is_some_and(|most| *most == AMOUNT_MAX) {
        fields.remove("maximum");
    }
    for noise in ["title", "pattern", "propertyNames", "maxProperties", "additionalProperties"] {
        fields.remove(noise);
    }
}

/// For what RefundKit answers, the type says enough.
fn bare(schema: &mut Value) {
    if let Value::Object(fields) = schema {
        fields.retain(|name, _| matches!(name.as_str(), "type" | "items"));
        fields.values_mut().for_each(|field| {
            if field.is_object() {
                bare(field);
            }
        });
    }
}

/// A schema as the object that the protocol wants.
pub(super) fn object(schema: Value) -> Map<String, Value> {
    match schema {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
