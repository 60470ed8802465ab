//! The API description (OpenAPI 3.1), written from the list of operations.
//!
//! OpenAPI 3.1 is JSON Schema 2020-12, so the schemas are those of the operation structs. `docs/openapi.json` is this document.

use refundkit::{Effect, ErrorBody, Method, Operation};
use schemars::{Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::idempotency;
use crate::{
    limits,
    registry::{Entry, OPERATIONS},
};

/// Statuses that any operation may answer, with the codes they stand for.
const FAILURES: [(&str, &str); 10] = [
    ("400", "`validation_error` or `environment_mismatch`: the request is wrong."),
    ("401", "`invalid_api_key`: the API key is missing, malformed, unknown or revoked."),
    ("403", "`unauthorized`: the key's scope does not allow this."),
    ("404", "`not_found`: no such resource in this organization and environment."),
    (
        "409",
        "`refund_already_processed`, `refund_not_cancellable`, `idempotency_key_in_use` or `conflict`: another state forbids it.",
    ),
    ("413", "`request_too_large`: the body is larger than the server reads."),
    ("415", "`unsupported_media_type`: the body is not JSON."),
    (
        "422",
        "`processor_error`, `processor_not_connected` or `idempotency_key_reused`: the processor refused, or would refuse.",
    ),
    ("429", "`rate_limited`: too many requests; see `Retry-After`."),
    ("502", "`processor_error`: the processor could not be read before anything was written; try again."),
];

fn settings() -> SchemaSettings {
    SchemaSettings::draft2020_12().with(|settings| {
        "/components/schemas".clone_into(settings.definitions_path.to_mut());
        settings.meta_schema = None;
    })
}

/// The schema of an operation's input, complete in itself: nothing optional may be null.
pub fn input_schema(entry: &Entry) -> Value {
    schema_of_input(entry.input)
}

/// The same, of an operation's type.
pub fn input_schema_of<O: Operation>() -> Value {
    schema_of_input(|generator| O::json_schema(generator))
}

fn schema_of_input(input: fn(&mut SchemaGenerator) -> Schema) -> Value {
    let mut generator = SchemaSettings::draft2020_12()
        .for_deserialize()
        .with(|settings| {
            settings.inline_subschemas = true;
            settings.meta_schema = None;
        })
        .into_generator();
    let mut schema = input(&mut generator).to_value();
    remove_nulls(&mut schema);
    schema
}

/// Whether an operation answers pages of a list, which bring `data` themselves.
pub fn answers_pages(entry: &Entry) -> bool {
    is_page(&(entry.output)(&mut settings().into_generator()).to_value())
}

fn is_page(output: &Value) -> bool {
    output["$ref"].as_str().is_some_and(|name| name.contains("Page"))
}

/// Takes `null` out of what inputs may be, and what says nothing (a default of null, Rust's number formats).
pub(super) fn remove_nulls(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields.get("default").is_some_and(Value::is_null) {
                fields.remove("default");
            }
            fields
                .remove("format")
                .filter(|format| format == "date-time")
                .map(|format| fields.insert("format".to_owned(), format));
            if let Some(Value::Array(types)) = fields.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    fields.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(values)) = fields.get_mut("enum") {
                values.retain(|value| !value.is_null());
            }
            if let Some(Value::Array(choices)) = fields.get_mut("anyOf") {
                choices.retain(|choice| choice["type"] != "null");
                if let [only] = choices.as_slice() {
                    let only = only.clone();
                    fields.remove("anyOf");
                    if let Value::Object(only) = only {
                        for (name, value) in only {
                            fields.entry(name).or_insert(value);
                        }
                    }
                }
            }
            fields.values_mut().for_each(remove_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_nulls),
        _ => {}
    }
}

/// The API description.
pub fn document() -> Value {
    let mut outputs = settings().for_serialize().into_generator();
    let mut paths = Map::new();
    for entry in OPERATIONS {
        let item = paths.entry(entry.path).or_insert_with(|| json!({}));
        item[entry.method.as_str().to_ascii_lowercase()] = operation(entry, &mut outputs);
    }
    let error = outputs.subschema_for::<ErrorBody>();
    let mut schemas = outputs.take_definitions(true);
    schemas.insert(
        "ErrorAnswer".to_owned(),
        json!({
            "type": "object",
            "required": ["data", "error"],
            "properties": { "data": { "type": "null" }, "error": error },
        }),
    );
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "RefundKit",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Refunds for AI agents and the teams behind them: one call refunds a customer, once.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "apiKey": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": failures(),
            "securitySchemes": {
                "apiKey": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A RefundKit key: `Authorization: Bearer rk_test_…` or `rk_live_…`.",
                },
            },
        },
    })
}

fn operation(entry: &Entry, outputs: &mut SchemaGenerator) -> Value {
    let input = input_schema(entry);
    let description = input["description"].as_str().unwrap_or_default();
    let summary = description.split("\n\n").next().unwrap_or_default();
    let in_path = |name: &str| entry.path.contains(&format!("{{{name}}}"));
    let required =
        |name: &str| input["required"].as_array().is_some_and(|names| names.iter().any(|known| known == name));
    let fields = input["properties"].as_object().cloned().unwrap_or_default();
    let (in_address, in_body): (Vec<_>, Vec<_>) =
        fields.into_iter().partition(|(name, _)| in_path(name) || !entry.method.has_body());
    let mut parameters: Vec<Value> = in_address
        .into_iter()
        .map(|(name, mut schema)| {
            let description = schema.as_object_mut().and_then(|schema| schema.remove("description")).unwrap_or_default();
            let place = if in_path(&name) { "path" } else { "query" };
            json!({ "name": name, "in": place, "required": in_path(&name) || required(&name), "description": description, "schema": schema })
        })
        .collect();
    if entry.keyed {
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": false,
            "description": "The same key with the same request gets the first answer again, also after a crash. Kept 30 days.",
            "schema": { "type": "string", "pattern": "^[!-~]{1,255}$", "maxLength": limits::IDEMPOTENCY_KEY_CHARACTERS_MAX },
        }));
        debug_assert_eq!(idempotency::HEADER, "idempotency-key");
    }
    let mut item = json!({
        "operationId": entry.name,
        "tags": [entry.tag],
        "summary": summary,
        "description": format!("{description}\n\nNeeds a key with the scope `{}`.", entry.scope),
        "parameters": parameters,
        "responses": responses(entry, outputs),
    });
    let fields: Map<String, Value> = in_body.into_iter().collect();
    if entry.method.has_body() && !fields.is_empty() {
        let names: Vec<&String> = fields.keys().filter(|name| required(name)).collect();
        let schema =
            json!({ "type": "object", "properties": fields, "required": names, "additionalProperties": false });
        item["requestBody"] =
            json!({ "required": !names.is_empty(), "content": { "application/json": { "schema": schema } } });
    }
    item
}

fn responses(entry: &Entry, outputs: &mut SchemaGenerator) -> Value {
    let output = (entry.output)(outputs).to_value();
    let envelope = if is_page(&output) {
        json!({ "allOf": [output, { "type": "object", "required": ["error"], "properties": { "error": { "type": "null" } } }] })
    } else {
        json!({ "type": "object", "required": ["data", "error"], "properties": { "data": output, "error": { "type": "null" } } })
    };
    let mut responses = Map::new();
    for status in entry.statuses {
        let words = match status {
            201 => "Made.",
            202 => {
                "Taken on; the outcome is not known yet. Read it again instead of repeating the request under another key."
            }
            _ => "Done.",
        };
        responses.insert(
            status.to_string(),
            json!({ "description": words, "content": { "application/json": { "schema": envelope } } }),
        );
    }
    let has_body = entry.method.has_body();
    for (status, _) in FAILURES {
        let possible = match status {
            "413" | "415" => has_body,
            "409" => entry.effect != Effect::Read,
            _ => true,
        };
        if possible {
            responses.insert(status.to_owned(), json!({ "$ref": format!("#/components/responses/{status}") }));
        }
    }
    responses.insert("default".to_owned(), json!({ "$ref": "#/components/responses/default" }));
    debug_assert!(entry.method != Method::Get || entry.effect == Effect::Read);
    Value::Object(responses)
}

fn failures() -> Value {
    let schema = json!({ "application/json": { "schema": { "$ref": "#/components/schemas/ErrorAnswer" } } });
    let mut responses: Map<String, Value> = FAILURES
        .iter()
        .map(|(status, words)| ((*status).to_owned(), json!({ "description": words, "content": schema })))
        .collect();
    responses.insert(
        "default".to_owned(),
        json!({ "description": "`service_unavailable` (503): try again. `internal_error` (500): a defect.", "content": schema }),
    );
    Value::Object(responses)
}
