//! What an operation is to an agent, and from an agent's arguments to the operation's input.
//!
//! A tool types nothing twice: its arguments are named fields of the operation's struct, its output is a view of the operation's
//! output. The tools there are stand in `tools`.

use refundkit::{Effect, Scope};
use serde_json::{Map, Value};

use super::{schema, view::Shown};
use crate::{
    error::Error,
    interfaces::idempotency,
    registry::{Entry, OPERATIONS},
};

/// The argument that becomes the idempotency key of the call.
pub const IDEMPOTENCY_KEY: &str = "idempotencyKey";

/// An operation as agents see it.
#[derive(Debug)]
pub struct Tool<T> {
    /// Its name, at most 64 characters. Never changed once it is published.
    pub name: &'static str,
    /// The effect first, then when to use it, then the next tool. Nothing that depends on time, data or the caller.
    pub description: &'static str,
    /// The fields of the operation that agents may set, in this order.
    pub arguments: &'static [Argument],
    /// Whether it asks the processor, not only RefundKit's own books.
    pub asks_processor: bool,
    /// How its answer is shown.
    pub show: fn(&T) -> Shown,
    /// The schema of what is shown.
    pub shown: fn() -> Value,
}

impl<T> Tool<T> {
    /// The tool with its types forgotten.
    pub const fn entry(&self, show: fn(Value) -> Result<Shown, Error>) -> ToolEntry {
        ToolEntry {
            name: self.name,
            description: self.description,
            arguments: self.arguments,
            asks_processor: self.asks_processor,
            show,
            shown: self.shown,
        }
    }
}

/// A field of an operation as an argument of its tool.
#[derive(Debug, Clone, Copy)]
pub struct Argument {
    /// The field.
    pub field: &'static str,
    /// The argument, where agents know it by a name that says more (`refundId` for `id`).
    pub name: &'static str,
    /// Whether agents must give it.
    pub required: bool,
    /// What agents must know beyond the field's own description.
    pub note: &'static str,
}

impl Argument {
    /// A field that may be left out.
    pub const fn optional(field: &'static str) -> Self {
        Self { field, name: field, required: false, note: "" }
    }

    /// A field that must be given.
    pub const fn required(field: &'static str) -> Self {
        Self { field, name: field, required: true, note: "" }
    }

    /// Under another name.
    #[must_use]
    pub const fn named(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    /// With something more to know.
    #[must_use]
    pub const fn note(mut self, note: &'static str) -> Self {
        self.note = note;
        self
    }
}

/// A tool with its types forgotten: what the doors list and call.
#[derive(Debug, Clone, Copy)]
pub struct ToolEntry {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub description: &'static str,
    /// What it takes.
    pub arguments: &'static [Argument],
    /// Whether it asks the processor.
    pub asks_processor: bool,
    /// How an answer is shown.
    pub show: fn(Value) -> Result<Shown, Error>,
    /// The schema of what is shown.
    pub shown: fn() -> Value,
}

/// What an agent asks for: the operation's input, and its idempotency key.
#[derive(Debug)]
pub struct Ask {
    /// The input, as a REST caller would have sent it.
    pub input: Value,
    /// The key, when one was given.
    pub idempotency_key: Option<String>,
}

impl ToolEntry {
    /// Whether agents may give an idempotency key: where a repeat would do something more.
    pub fn takes_key(entry: &Entry) -> bool {
        entry.keyed && entry.effect == Effect::WriteOnce
    }

    /// From arguments to what is asked. Unknown and missing arguments are refused by name; their values are the operation's
    /// business.
    pub fn read(&self, entry: &Entry, arguments: Map<String, Value>) -> Result<Ask, Error> {
        let mut input = Map::new();
        let mut idempotency_key = None;
        for (name, value) in arguments {
            if let Some(argument) = self.arguments.iter().find(|argument| argument.name == name) {
                input.insert(argument.field.to_owned(), value);
            } else if name == IDEMPOTENCY_KEY && Self::takes_key(entry) {
                idempotency_key = Some(idempotency::from_value(&value)?);
            } else {
                return Err(self.unknown(entry, &name));
            }
        }
        let missing = self.arguments.iter().find(|argument| argument.required && !input.contains_key(argument.field));
        match missing {
            Some(Argument { name, .. }) => Err(Error::validation(*name, format!("`{name}` is missing."))),
            None => Ok(Ask { input: Value::Object(input), idempotency_key }),
        }
    }

    fn unknown(&self, entry: &Entry, name: &str) -> Error {
        let own_key = Self::takes_key(entry).then_some(IDEMPOTENCY_KEY);
        let known: Vec<_> = self
            .arguments
            .iter()
            .map(|argument| argument.name)
            .chain(own_key)
            .map(|name| format!("`{name}`"))
            .collect();
        let name = super::plain::line(name);
        let message = format!("`{name}` is not an argument of {}; expected {}.", self.name, known.join(", "));
        Error::validation(name, message)
    }

    /// The tool as the protocol describes it.
    pub fn described(&self, entry: &Entry) -> rmcp::model::Tool {
        let reads = entry.effect == Effect::Read;
        let annotations = rmcp::model::ToolAnnotations::new()
            .read_only(reads)
            .destructive(!reads)
            .idempotent(entry.effect != Effect::WriteOnce)
            .open_world(self.asks_processor);
        rmcp::model::Tool::new(self.name, self.description, schema::object(schema::input(self, entry)))
            .with_raw_output_schema(schema::object((self.shown)()).into())
            .with_annotations(annotations)
    }
}

/// The tools, with their operations, in the order of the documentation.
pub fn all() -> impl Iterator<Item = (&'static Entry, &'static ToolEntry)> {
    OPERATIONS.iter().filter_map(|entry| Some((entry, entry.tool.as_ref()?)))
}

/// The tool of this name.
pub fn find(name: &str) -> Option<(&'static Entry, &'static ToolEntry)> {
    all().find(|(_, tool)| tool.name == name)
}

/// Whether a key of this scope sees the tool. A scope that could not be found out hides nothing: calls are checked in any case.
pub fn is_seen_with(entry: &Entry, scope: Option<Scope>) -> bool {
    scope.is_none_or(|scope| scope >= entry.scope)
}
