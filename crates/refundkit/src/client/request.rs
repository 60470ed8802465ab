//! From an operation to an HTTP request: which field travels where.

use std::time::Duration;

use reqwest::{
    Url,
    header::{ACCEPT, CONTENT_TYPE},
};
use serde_json::{Map, Value};

use crate::{Effect, Error, ErrorCode, Method, Operation, operations::CancelRefund};

/// A request as it is sent, however often.
pub(super) struct Prepared {
    method: reqwest::Method,
    url: Url,
    body: Option<Vec<u8>>,
    timeout: Option<Duration>,
}

/// An operation as it is asked for, its type forgotten: what sends it is compiled once, and not once for each operation.
pub(super) struct Asked {
    pub(super) name: &'static str,
    pub(super) effect: Effect,
    method: Method,
    path: &'static str,
    fields: serde_json::Result<Value>,
}

impl Asked {
    pub(super) fn of<O: Operation>(operation: &O) -> Self {
        let fields = serde_json::to_value(operation);
        Self { name: O::NAME, effect: O::EFFECT, method: O::METHOD, path: O::PATH, fields }
    }

    /// Whether it may be sent again although an attempt may have been carried out.
    ///
    /// Of what is idempotent by nature only the cancel is: a repeated revoke or disconnect would answer for its own success with
    /// `not_found`, and the caller would read that as a failure.
    pub(super) fn may_repeat(&self) -> bool {
        match self.effect {
            Effect::Read => self.method == Method::Get,
            Effect::WriteOnce => true,
            Effect::WriteIdempotent => self.name == CancelRefund::NAME,
        }
    }
}

impl Prepared {
    /// Fills the path from the operation's fields and puts the others into the query or the body, as its method says.
    pub(super) fn new(asked: Asked, base_url: &Url) -> Result<Self, Error> {
        let unusable =
            |what: &str| Error::new(ErrorCode::ValidationError, format!("{} cannot be sent: {what}.", asked.name));
        let mut fields = match asked.fields {
            Ok(Value::Object(fields)) => fields,
            Ok(_) => return Err(unusable("it is not a struct with named fields")),
            Err(error) => return Err(unusable(&error.to_string())),
        };
        let mut url = base_url.clone();
        fill_path(&mut url, asked.path, &mut fields).map_err(|field| Error {
            field: Some(field.to_owned()),
            ..unusable(&format!("`{field}` is not usable in a path"))
        })?;
        let body = if asked.method.has_body() {
            Some(serde_json::to_vec(&fields).map_err(|error| unusable(&error.to_string()))?)
        } else {
            fill_query(&mut url, &fields);
            None
        };
        let method = match asked.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Delete => reqwest::Method::DELETE,
        };
        Ok(Self { method, url, body, timeout: None })
    }

    /// A GET of a path that is no operation.
    pub(super) fn get(base_url: &Url, path: &str) -> Result<Self, Error> {
        let mut url = base_url.clone();
        fill_path(&mut url, path, &mut Map::new())
            .map_err(|_| Error::new(ErrorCode::ValidationError, format!("{path} is not a path.")))?;
        Ok(Self { method: reqwest::Method::GET, url, body: None, timeout: None })
    }

    /// With a time for each attempt, in place of the client's.
    pub(super) fn within(self, timeout: Option<Duration>) -> Self {
        Self { timeout, ..self }
    }

    pub(super) fn request(&self, http: &reqwest::Client) -> reqwest::RequestBuilder {
        let mut request = http.request(self.method.clone(), self.url.clone()).header(ACCEPT, "application/json");
        if let Some(timeout) = self.timeout {
            request = request.timeout(timeout);
        }
        match &self.body {
            Some(body) => request.header(CONTENT_TYPE, "application/json").body(body.clone()),
            None => request,
        }
    }
}

/// Appends the path below the base URL's own, each `{field}` replaced and percent-encoded. Answers the field that cannot be.
fn fill_path<'path>(url: &mut Url, path: &'path str, fields: &mut Map<String, Value>) -> Result<(), &'path str> {
    let mut segments = url.path_segments_mut().map_err(|()| path)?;
    segments.pop_if_empty();
    for segment in path.split('/').skip(1) {
        let Some(field) = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
            segments.push(segment);
            continue;
        };
        let text = fields.remove(field).as_ref().map(text_of).ok_or(field)?;
        // These would be read as directions, not as names.
        if matches!(text.as_str(), "" | "." | "..") {
            return Err(field);
        }
        segments.push(&text);
    }
    Ok(())
}

fn fill_query(url: &mut Url, fields: &Map<String, Value>) {
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        url.query_pairs_mut().append_pair(name, &text_of(value));
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Host and port, as errors name a server.
pub(super) fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::{Scope, operations::ListRefunds};

    #[derive(Serialize, Deserialize, JsonSchema)]
    struct ReadThing {
        id: String,
        note: Option<String>,
        count: u32,
    }

    impl Operation for ReadThing {
        const NAME: &'static str = "read_thing";
        const TAG: &'static str = "Things";
        const METHOD: Method = Method::Get;
        const PATH: &'static str = "/v1/things/{id}/parts";
        const SCOPE: Scope = Scope::Read;
        const EFFECT: Effect = Effect::Read;
        type Output = ();
    }

    fn url_of(id: &str, note: Option<&str>) -> Result<String, Error> {
        let operation = ReadThing { id: id.to_owned(), note: note.map(str::to_owned), count: 3 };
        Prepared::new(Asked::of(&operation), &Url::parse("https://host/below/").unwrap())
            .map(|prepared| prepared.url.to_string())
    }

    #[test]
    fn fields_fill_the_path_percent_encoded_and_the_rest_is_the_query() {
        assert_eq!(url_of("ch_1", None).unwrap(), "https://host/below/v1/things/ch_1/parts?count=3");
        assert_eq!(
            url_of("a/b?c#d%2e é", Some("x&y=z")).unwrap(),
            "https://host/below/v1/things/a%2Fb%3Fc%23d%252e%20%C3%A9/parts?count=3&note=x%26y%3Dz"
        );
    }

    #[test]
    fn a_path_is_never_climbed() {
        for id in ["", ".", ".."] {
            assert_eq!(url_of(id, None).unwrap_err().field.as_deref(), Some("id"), "{id:?}");
        }
    }

    #[test]
    fn nothing_to_ask_is_no_query() {
        let prepared =
            Prepared::new(Asked::of(&ListRefunds::default()), &Url::parse("http://127.0.0.1:8080").unwrap()).unwrap();
        assert_eq!(prepared.url.as_str(), "http://127.0.0.1:8080/v1/refunds");
        assert!(prepared.body.is_none());
    }
}
