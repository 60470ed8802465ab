//! The API description made readable: a page for people (no script, no other host) and a text for language models.

use std::fmt::Write as _;

use serde_json::Value;

/// What a caller must know before the first call, in both forms.
const BASICS: [&str; 6] = [
    "Send `Authorization: Bearer rk_test_…` (or `rk_live_…`). A key belongs to one organization, one environment and one scope: read, write or admin.",
    "Answers are `{\"data\": …, \"error\": null}`, lists add `page`; failures are `{\"data\": null, \"error\": {\"code\", \"message\", \"requestId\", \"retryable\", …}}` with `hint` saying what to do next and `processor` repeating what Stripe said.",
    "Money is an integer in the currency's smallest unit as Stripe counts it: 2500 is $25.00 and ¥2500.",
    "Send an `Idempotency-Key` with every create. A repeat with the same key and body gets the first answer, also after a crash; nobody is refunded twice.",
    "Agents have the same as tools, over the Model Context Protocol: POST /mcp with the same key, or `refundkit mcp` on stdio.",
    "202 means that the outcome is not known yet: do not create another refund, read this one again.",
];

/// The page.
pub fn html(document: &Value) -> String {
    let mut page = String::with_capacity(64 * 1024);
    page.push_str(HEAD);
    let _ = write!(page, "<h1>RefundKit API <small>{}</small></h1>", escape(text(&document["info"]["version"])));
    page.push_str("<p>The same as <a href=\"/openapi.json\">/openapi.json</a> (OpenAPI 3.1), to read.</p><ul>");
    for basic in BASICS {
        let _ = write!(page, "<li>{}</li>", prose(basic));
    }
    page.push_str("</ul>");
    for (tag, operations) in by_tag(document) {
        let _ = write!(page, "<h2>{}</h2>", escape(tag));
        for operation in operations {
            operation.write_html(&mut page);
        }
    }
    page.push_str("</main></body></html>\n");
    page
}

/// The text.
pub fn text_for_models(document: &Value) -> String {
    let mut out = String::from(
        "# RefundKit\n\n> Refund infrastructure: one call refunds a Stripe payment, once, follows it to its end and says truthfully where it stands.\n\n",
    );
    for basic in BASICS {
        let _ = writeln!(out, "- {basic}");
    }
    out.push_str("\nFull description: /openapi.json (OpenAPI 3.1). For people: /docs.\n");
    for (tag, operations) in by_tag(document) {
        let _ = writeln!(out, "\n## {tag}\n");
        for operation in operations {
            let _ = writeln!(
                out,
                "### {} {}\n\n{}\n",
                operation.method,
                operation.path,
                text(&operation.item["description"])
            );
            for field in operation.fields() {
                let need = if field.required { "required" } else { "optional" };
                let _ = writeln!(
                    out,
                    "- `{}` ({}, {need}, {}): {}",
                    field.name, field.kind, field.place, field.description
                );
            }
        }
    }
    out
}

struct Shown<'a> {
    method: String,
    path: &'a str,
    item: &'a Value,
}

struct Field<'a> {
    name: &'a str,
    place: &'a str,
    kind: String,
    required: bool,
    description: &'a str,
}

fn by_tag(document: &Value) -> Vec<(&str, Vec<Shown<'_>>)> {
    let mut tags: Vec<(&str, Vec<Shown<'_>>)> = Vec::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let shown = Shown { method: method.to_ascii_uppercase(), path, item: operation };
            let tag = text(&operation["tags"][0]);
            match tags.iter_mut().find(|(known, _)| *known == tag) {
                Some((_, operations)) => operations.push(shown),
                None => tags.push((tag, vec![shown])),
            }
        }
    }
    tags
}

impl Shown<'_> {
    fn fields(&self) -> Vec<Field<'_>> {
        let parameters = self.item["parameters"].as_array().into_iter().flatten().map(|parameter| Field {
            name: text(&parameter["name"]),
            place: text(&parameter["in"]),
            kind: kind(&parameter["schema"]),
            required: parameter["required"] == true,
            description: text(&parameter["description"]),
        });
        let schema = &self.item["requestBody"]["content"]["application/json"]["schema"];
        let body = schema["properties"].as_object().into_iter().flatten().map(|(name, field)| Field {
            name,
            place: "body",
            kind: kind(field),
            required: schema["required"].as_array().is_some_and(|names| names.iter().any(|known| known == name)),
            description: text(&field["description"]),
        });
        parameters.chain(body).collect()
    }

    fn write_html(&self, page: &mut String) {
        let _ = write!(
            page,
            "<article id=\"{}\"><h3><code><b>{}</b> {}</code></h3>",
            escape(text(&self.item["operationId"])),
            self.method,
            escape(self.path)
        );
        for paragraph in text(&self.item["description"]).split("\n\n") {
            let _ = write!(page, "<p>{}</p>", prose(paragraph));
        }
        let fields = self.fields();
        if !fields.is_empty() {
            page.push_str(
                "<div class=\"scroll\"><table><thead><tr><th>Field<th>Where<th>Type<th>Meaning</thead><tbody>",
            );
            for field in fields {
                let need = if field.required { " <em>required</em>" } else { "" };
                let _ = write!(
                    page,
                    "<tr><td><code>{}</code>{need}<td>{}<td>{}<td>{}",
                    escape(field.name),
                    field.place,
                    escape(&field.kind),
                    prose(field.description)
                );
            }
            page.push_str("</tbody></table></div>");
        }
        let statuses: Vec<&str> =
            self.item["responses"].as_object().into_iter().flatten().map(|(status, _)| status.as_str()).collect();
        let _ = write!(page, "<p class=\"quiet\">Answers: {}</p></article>", escape(&statuses.join(", ")));
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A schema in a few words.
fn kind(schema: &Value) -> String {
    if let Some(words) = schema["enum"].as_array() {
        return words.iter().map(text).collect::<Vec<_>>().join(" | ");
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        return choices.iter().map(|choice| text(&choice["const"])).collect::<Vec<_>>().join(" | ");
    }
    let name = text(&schema["type"]);
    match (&schema["minimum"], &schema["maximum"]) {
        (Value::Number(min), Value::Number(max)) => format!("{name} {min} to {max}"),
        _ => name.to_owned(),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Escaped text with `code` in backticks.
fn prose(text: &str) -> String {
    let mut html = String::new();
    for (position, part) in escape(text).split('`').enumerate() {
        if position % 2 == 1 {
            let _ = write!(html, "<code>{part}</code>");
        } else {
            html.push_str(part);
        }
    }
    html
}

const HEAD: &str = r#"<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>RefundKit API</title><style>
:root { color-scheme: light dark; --line: light-dark(#e3e5e8, #2e3238); --quiet: light-dark(#5b6470, #9aa3ae); --soft: light-dark(#f6f7f9, #1b1e22); }
body { margin: 0; font: 16px/1.55 system-ui, sans-serif; background: light-dark(#fff, #131518); color: light-dark(#16181c, #e8eaed); }
main { max-width: 60rem; margin: 0 auto; padding: 2rem 1.25rem 6rem; }
h1 small, .quiet { color: var(--quiet); font-weight: 400; font-size: .875rem; }
h2 { margin: 3rem 0 1rem; border-bottom: 1px solid var(--line); padding-bottom: .25rem; }
article { margin: 0 0 2.5rem; }
code { font: .875em ui-monospace, monospace; background: var(--soft); padding: .1em .3em; border-radius: 4px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9375rem; }
th, td { text-align: left; vertical-align: top; padding: .4rem .75rem .4rem 0; border-bottom: 1px solid var(--line); }
th { color: var(--quiet); font-weight: 500; }
em { color: var(--quiet); font-size: .8125rem; }
</style></head><body><main>
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interfaces::openapi;

    #[test]
    fn every_operation_is_on_the_page_and_in_the_text() {
        let document = openapi::document();
        let (page, text) = (html(&document), text_for_models(&document));
        for entry in crate::registry::OPERATIONS {
            assert!(page.contains(&format!("id=\"{}\"", entry.name)), "{}", entry.name);
            assert!(text.contains(&format!("### {} {}", entry.method.as_str(), entry.path)), "{}", entry.name);
        }
        assert!(!page.contains("<script") && !page.contains("http://") && !page.contains("https://"));
    }
}
