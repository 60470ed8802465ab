//! Form parameters: decoding `a[b][c]=v`, and reading them one by one so that whatever nobody asked for is refused.
//!
//! A handler takes every parameter it knows, calls [`Params::finish`], and only then looks at meaning: Stripe, too,
//! complains about unknown parameters before anything else.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::errors::StripeError;
use crate::limits::{
    METADATA_KEY_CHARS_MAX, METADATA_KEYS_MAX, METADATA_VALUE_CHARS_MAX, PAGE_DEFAULT, PAGE_MAX, PARAM_DEPTH_MAX,
};

/// One decoded value: text, or a group of named values. Lists are groups named `0`, `1`, ...
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
enum Node {
    Text(String),
    Group(BTreeMap<String, Node>),
}

/// The parameters of one request that nobody has taken yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Params {
    fields: BTreeMap<String, Node>,
    #[serde(skip)]
    within: Option<String>,
}

impl Params {
    /// Decodes form text: a query, a body, or both joined by `&`.
    pub(crate) fn parse(encoded: &str) -> Result<Params, StripeError> {
        let mut fields = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(encoded.as_bytes()) {
            let path = split_name(&name);
            if path.len() > PARAM_DEPTH_MAX {
                return Err(StripeError::unknown_parameters(&[name.into_owned()]));
            }
            insert(&mut fields, &path, value.into_owned());
        }
        Ok(Params { fields, within: None })
    }

    /// The same parameters in one canonical spelling, to compare requests with.
    pub(crate) fn canonical(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, StripeError> {
        match self.fields.remove(name) {
            None => Ok(None),
            Some(Node::Text(text)) if text.is_empty() => Err(StripeError::empty_parameter(&self.full_name(name))),
            Some(Node::Text(text)) => Ok(Some(text)),
            Some(Node::Group(_)) => Err(StripeError::invalid(&self.full_name(name), "Invalid string: {}")),
        }
    }

    pub(crate) fn required_text(&mut self, name: &str) -> Result<String, StripeError> {
        self.text(name)?.ok_or_else(|| StripeError::missing_parameter(&self.full_name(name)))
    }

    /// Text that may be emptied: `Some("")` unsets it.
    pub(crate) fn clearable_text(&mut self, name: &str) -> Result<Option<String>, StripeError> {
        if self.fields.get(name) == Some(&Node::Text(String::new())) {
            self.fields.remove(name);
            return Ok(Some(String::new()));
        }
        self.text(name)
    }

    pub(crate) fn integer(&mut self, name: &str) -> Result<Option<i64>, StripeError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| StripeError::not_an_integer(&self.full_name(name), &text))
    }

    /// An amount in minor units, at least one.
    pub(crate) fn amount(&mut self, name: &str) -> Result<Option<i64>, StripeError> {
        match self.integer(name)? {
            Some(amount) if amount < 1 => Err(StripeError::integer_too_small(&self.full_name(name), 1)),
            amount => Ok(amount),
        }
    }

    pub(crate) fn boolean(&mut self, name: &str) -> Result<Option<bool>, StripeError> {
        match self.text(name)?.as_deref() {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => Err(StripeError::invalid(&self.full_name(name), format!("Invalid boolean: {other}"))),
        }
    }

    /// One of a closed set of words; `None` when absent.
    pub(crate) fn one_of(&mut self, name: &str, choices: &[&'static str]) -> Result<Option<&'static str>, StripeError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        match choices.iter().find(|choice| **choice == text) {
            Some(choice) => Ok(Some(choice)),
            None => Err(StripeError::invalid(
                &self.full_name(name),
                format!("Invalid {name}: must be one of {}", spoken_list(choices)),
            )),
        }
    }

    /// A three-letter currency, in lower case.
    pub(crate) fn currency(&mut self, name: &str) -> Result<Option<String>, StripeError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let currency = text.to_lowercase();
        if currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_lowercase()) {
            return Ok(Some(currency));
        }
        Err(StripeError::invalid(&self.full_name(name), format!("Invalid currency: {text}")))
    }

    /// A list of texts, in order.
    pub(crate) fn list(&mut self, name: &str) -> Result<Vec<String>, StripeError> {
        let items = match self.fields.remove(name) {
            None => return Ok(Vec::new()),
            Some(Node::Group(items)) => items,
            Some(Node::Text(_)) => return Err(StripeError::invalid(&self.full_name(name), "Invalid array")),
        };
        let mut items: Vec<(String, Node)> = items.into_iter().collect();
        items.sort_by(|(a, _), (b, _)| (a.len(), a).cmp(&(b.len(), b)));
        items
            .into_iter()
            .map(|(place, item)| match item {
                Node::Text(text) => Ok(text),
                Node::Group(_) => {
                    Err(StripeError::invalid(&format!("{}[{place}]", self.full_name(name)), "Invalid string: {}"))
                }
            })
            .collect()
    }

    /// A group of parameters, to be read and finished like the whole.
    pub(crate) fn group(&mut self, name: &str) -> Result<Option<Params>, StripeError> {
        match self.fields.remove(name) {
            None => Ok(None),
            Some(Node::Group(fields)) => Ok(Some(Params { fields, within: Some(self.full_name(name)) })),
            Some(Node::Text(_)) => Err(StripeError::invalid(&self.full_name(name), "Invalid object")),
        }
    }

    /// Drops parameters that are known to Stripe and mean nothing here.
    pub(crate) fn ignore(&mut self, names: &[&str]) {
        for name in names {
            self.fields.remove(*name);
        }
    }

    /// The metadata to merge into an object.
    pub(crate) fn metadata(&mut self) -> Result<MetadataChange, StripeError> {
        let group = match self.fields.remove("metadata") {
            None => return Ok(MetadataChange::default()),
            Some(Node::Text(text)) if text.is_empty() => {
                return Ok(MetadataChange { clear: true, entries: BTreeMap::new() });
            }
            Some(Node::Text(_)) => return Err(StripeError::invalid("metadata", "Invalid hash")),
            Some(Node::Group(group)) => group,
        };
        let mut entries = BTreeMap::new();
        for (key, value) in group {
            let Node::Text(value) = value else {
                return Err(StripeError::invalid(&format!("metadata[{key}]"), "Invalid string: {}"));
            };
            let (key_chars, value_chars) = (key.chars().count(), value.chars().count());
            if key_chars > METADATA_KEY_CHARS_MAX {
                let message = format!(
                    "Metadata keys can have up to {METADATA_KEY_CHARS_MAX} characters, but you passed in a key that \
                     is {key_chars} characters. Invalid key: {key}"
                );
                return Err(StripeError::invalid("metadata", message));
            }
            if value_chars > METADATA_VALUE_CHARS_MAX {
                let message = format!(
                    "Metadata values can have up to {METADATA_VALUE_CHARS_MAX} characters, but you passed in a value \
                     that is {value_chars} characters. Invalid value: {value}"
                );
                return Err(StripeError::invalid(&format!("metadata[{key}]"), message));
            }
            entries.insert(key, value);
        }
        Ok(MetadataChange { clear: false, entries })
    }

    /// Page size and cursors of a list.
    pub(crate) fn page(&mut self) -> Result<PageParams, StripeError> {
        let limit = self.integer("limit")?.unwrap_or(PAGE_DEFAULT);
        if limit < 1 {
            return Err(StripeError::integer_too_small("limit", 1));
        }
        if limit > PAGE_MAX {
            return Err(StripeError::integer_too_large("limit", PAGE_MAX));
        }
        let (after, before) = (self.text("starting_after")?, self.text("ending_before")?);
        let cursor = match (after, before) {
            (None, None) => Cursor::Start,
            (Some(id), None) => Cursor::After(id),
            (None, Some(id)) => Cursor::Before(id),
            (Some(_), Some(_)) => {
                return Err(StripeError::exclusive_parameters(&["starting_after", "ending_before"]));
            }
        };
        Ok(PageParams { limit: usize::try_from(limit).unwrap_or(1), cursor })
    }

    /// The `created` filter: one second, or a span of seconds.
    pub(crate) fn created(&mut self) -> Result<CreatedFilter, StripeError> {
        let mut filter = CreatedFilter::default();
        if matches!(self.fields.get("created"), Some(Node::Group(_))) {
            let Some(mut span) = self.group("created")? else { return Ok(filter) };
            filter.after = span.integer("gt")?;
            filter.from = span.integer("gte")?;
            filter.before = span.integer("lt")?;
            filter.to = span.integer("lte")?;
            span.finish()?;
        } else if let Some(second) = self.integer("created")? {
            filter.from = Some(second);
            filter.to = Some(second);
        }
        Ok(filter)
    }

    /// Refuses whatever is left.
    pub(crate) fn finish(self) -> Result<(), StripeError> {
        if self.fields.is_empty() {
            return Ok(());
        }
        let names: Vec<String> =
            self.fields.iter().flat_map(|(name, node)| leaves(&self.full_name(name), node)).collect();
        Err(StripeError::unknown_parameters(&names))
    }

    fn full_name(&self, name: &str) -> String {
        match &self.within {
            Some(within) => format!("{within}[{name}]"),
            None => name.to_owned(),
        }
    }
}

/// Metadata as a request wants it: merged into what is there; an empty value removes its key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct MetadataChange {
    pub(crate) clear: bool,
    pub(crate) entries: BTreeMap<String, String>,
}

impl MetadataChange {
    /// The object's metadata after the change, or Stripe's refusal of too many keys.
    pub(crate) fn applied_to(
        self,
        current: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, String>, StripeError> {
        let mut metadata = if self.clear { BTreeMap::new() } else { current.clone() };
        for (key, value) in self.entries {
            if value.is_empty() {
                metadata.remove(&key);
            } else {
                metadata.insert(key, value);
            }
        }
        if metadata.len() > METADATA_KEYS_MAX {
            let message = format!("An object can have up to {METADATA_KEYS_MAX} metadata keys.");
            return Err(StripeError::invalid("metadata", message));
        }
        Ok(metadata)
    }
}

/// Which page of a list is asked for.
#[derive(Debug, Clone)]
pub(crate) struct PageParams {
    pub(crate) limit: usize,
    pub(crate) cursor: Cursor,
}

/// Where a page begins, counted newest first.
#[derive(Debug, Clone)]
pub(crate) enum Cursor {
    Start,
    /// Rows older than this one.
    After(String),
    /// The rows just newer than this one.
    Before(String),
}

/// The `created` filter of a list, in unix seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct CreatedFilter {
    after: Option<i64>,
    from: Option<i64>,
    before: Option<i64>,
    to: Option<i64>,
}

impl CreatedFilter {
    pub(crate) fn accepts(&self, created: i64) -> bool {
        self.after.is_none_or(|bound| created > bound)
            && self.from.is_none_or(|bound| created >= bound)
            && self.before.is_none_or(|bound| created < bound)
            && self.to.is_none_or(|bound| created <= bound)
    }
}

/// `a[b][]` is the path `a`, `b`, and the next free place; a name with crooked brackets stays one word.
fn split_name(name: &str) -> Vec<&str> {
    let Some((head, rest)) = name.split_once('[') else { return vec![name] };
    let Some(inner) = rest.strip_suffix(']') else { return vec![name] };
    if head.is_empty() {
        return vec![name];
    }
    std::iter::once(head).chain(inner.split("][")).collect()
}

fn insert(fields: &mut BTreeMap<String, Node>, path: &[&str], value: String) {
    let Some((first, rest)) = path.split_first() else { return };
    let name = if first.is_empty() { fields.len().to_string() } else { (*first).to_owned() };
    if rest.is_empty() {
        fields.insert(name, Node::Text(value));
        return;
    }
    let node = fields.entry(name).or_insert_with(|| Node::Group(BTreeMap::new()));
    if let Node::Text(_) = node {
        *node = Node::Group(BTreeMap::new());
    }
    if let Node::Group(group) = node {
        insert(group, rest, value);
    }
}

fn leaves(name: &str, node: &Node) -> Vec<String> {
    match node {
        Node::Text(_) => vec![name.to_owned()],
        Node::Group(group) => {
            group.iter().flat_map(|(inner, node)| leaves(&format!("{name}[{inner}]"), node)).collect()
        }
    }
}

/// `a`, `a or b`, `a, b, or c`.
fn spoken_list(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [one, two] => format!("{one} or {two}"),
        [most @ .., last] => format!("{}, or {last}", most.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_and_lists_are_decoded_in_every_spelling_clients_use() {
        let mut params = Params::parse("metadata[order]=a%26b&expand[]=charge&expand[]=payment_intent").unwrap();
        assert_eq!(params.list("expand").unwrap(), ["charge", "payment_intent"]);
        assert_eq!(params.metadata().unwrap().entries["order"], "a&b");
        params.finish().unwrap();
        let mut params = Params::parse("types[1]=b&types[0]=a&created[gte]=5").unwrap();
        assert_eq!(params.list("types").unwrap(), ["a", "b"]);
        let created = params.created().unwrap();
        assert!(created.accepts(5) && !created.accepts(4));
    }

    #[test]
    fn whatever_nobody_took_is_named_in_the_refusal() {
        let params = Params::parse("foo=1&bar[baz]=2").unwrap();
        let body = params.finish().unwrap_err().body("req_1", false);
        assert!(body.contains("Received unknown parameters: bar[baz], foo"), "{body}");
    }

    #[test]
    fn equal_parameters_in_another_order_have_one_canonical_spelling() {
        let spell = |text| Params::parse(text).unwrap().canonical();
        assert_eq!(spell("a=1&b[x]=2"), spell("b%5Bx%5D=2&a=1"));
        assert_ne!(spell("a=1"), spell("a=2"));
    }
}
