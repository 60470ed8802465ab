//! `/logs`: the calls of programs and agents and what people changed, and one call in full.

use std::{collections::HashMap, sync::Arc};

use askama::Template;
use axum::{
    Router,
    extract::{Path, Query},
    routing::get,
};
use refundkit::{Effect, InitiatedBy, KeyId, LogEntry, operations::ListApiKeys};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    page::{self, Frame, Section, Shown},
    show::{self, Moment},
    viewer::Viewer,
};
use crate::{
    app::App,
    error::Error,
    limits,
    operations::{GetLog, SearchLogs},
    registry,
};

const ADDRESS: &str = "/logs";
/// Calls on a page.
const CALLS_ON_A_PAGE: u32 = 50;

/// The routes of the pages.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route(ADDRESS, get(list)).route("/logs/{id}", get(show))
}

#[derive(Template)]
#[template(path = "logs.html")]
struct LogsPage<'a> {
    frame: Frame<'a>,
    filter: Filter,
    doors: Vec<(&'static str, &'static str)>,
    operations: Vec<&'static str>,
    rows: Vec<Call>,
    searched_to: Option<Moment>,
    newest: String,
    older: Option<String>,
    days: i64,
}

#[derive(Template)]
#[template(path = "log.html")]
struct LogPage<'a> {
    frame: Frame<'a>,
    entry: LogEntry,
    call: Call,
    input: Option<Input>,
    characters: usize,
}

/// A call, as it is shown.
struct Call {
    id: String,
    operation: String,
    status: u16,
    badge: &'static str,
    error_code: Option<String>,
    door: &'static str,
    who: String,
    duration: String,
    at: Moment,
}

impl Call {
    fn of(entry: &LogEntry, keys: &HashMap<KeyId, String>) -> Self {
        let key = entry.key_id.map(|id| keys.get(&id).cloned().unwrap_or_else(|| id.to_string()));
        Self {
            id: entry.id.to_string(),
            operation: entry.operation.clone(),
            status: entry.status,
            badge: badge(entry.status),
            error_code: entry.error_code.clone(),
            door: show::door(entry.through),
            who: entry.user_email.clone().or(key).unwrap_or_default(),
            duration: format!("{} ms", entry.duration_ms),
            at: entry.created_at.into(),
        }
    }
}

/// The colour of a status.
const fn badge(status: u16) -> &'static str {
    match status {
        ..300 => "completed",
        300..500 => "pending",
        _ => "failed",
    }
}

/// Which calls to show.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Filter {
    through: String,
    operation: String,
    only_errors: String,
    cursor: String,
}

impl Filter {
    fn only_errors(&self) -> bool {
        !self.only_errors.is_empty()
    }

    fn is_any(&self) -> bool {
        !self.through.is_empty() || !self.operation.is_empty() || self.only_errors()
    }

    fn input(&self) -> Value {
        let mut input = Map::from_iter([("limit".to_owned(), CALLS_ON_A_PAGE.into())]);
        for (name, value) in [("through", &self.through), ("operation", &self.operation), ("cursor", &self.cursor)] {
            if !value.is_empty() {
                input.insert(name.to_owned(), value.as_str().into());
            }
        }
        if self.only_errors() {
            input.insert("onlyErrors".to_owned(), true.into());
        }
        input.into()
    }

    /// The address of a page with these filters.
    fn address(&self, cursor: Option<&str>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let only_errors = if self.only_errors() { "true" } else { "" };
        for (name, value) in [
            ("through", self.through.as_str()),
            ("operation", &self.operation),
            ("onlyErrors", only_errors),
            ("cursor", cursor.unwrap_or_default()),
        ] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        let query = query.finish();
        if query.is_empty() { ADDRESS.to_owned() } else { format!("{ADDRESS}?{query}") }
    }
}

/// Operations that are logged: all that programs have, and what people change.
fn operations() -> Vec<&'static str> {
    let changes = registry::INTERNAL.iter().filter(|entry| entry.effect != Effect::Read);
    registry::OPERATIONS.iter().chain(changes).map(|entry| entry.name).collect()
}

/// What keys are called, and how they begin.
async fn key_names(viewer: &Viewer) -> Result<HashMap<KeyId, String>, Error> {
    let keys = viewer.ask::<ListApiKeys>(json!({})).await?.data;
    Ok(keys.into_iter().map(|key| (key.id, format!("{} ({}…)", key.name, key.prefix))).collect())
}

async fn list(viewer: Viewer, Query(filter): Query<Filter>) -> Shown {
    let found = viewer.ask::<SearchLogs>(filter.input()).await?;
    let keys = key_names(&viewer).await?;
    page::html(&LogsPage {
        frame: Frame { title: "Logs", section: Section::Logs, viewer: &viewer },
        doors: InitiatedBy::ALL.iter().map(|through| (through.as_str(), show::door(*through))).collect(),
        operations: operations(),
        rows: found.data.iter().map(|entry| Call::of(entry, &keys)).collect(),
        searched_to: found.searched_to.map(Moment::from),
        newest: filter.address(None),
        older: found.page.next_cursor.map(|cursor| filter.address(Some(&cursor))),
        filter,
        days: limits::LOG_DAYS,
    })
}

async fn show(viewer: Viewer, Path(id): Path<String>) -> Shown {
    // What is no id of a call is an address where nothing is.
    let asked = viewer.ask::<GetLog>(json!({ "id": id })).await;
    let entry =
        asked.map_err(|error| if error.field_name() == Some("id") { Error::not_found("call", &id) } else { error })?;
    let keys = key_names(&viewer).await?;
    let input = entry.input.as_deref().map(Input::read);
    page::html(&LogPage {
        frame: Frame { title: "A call", section: Section::Logs, viewer: &viewer },
        call: Call::of(&entry, &keys),
        input,
        entry,
        characters: limits::LOG_INPUT_CHARACTERS_MAX,
    })
}

/// What was sent, with one field on a line.
struct Input {
    text: String,
    is_cut: bool,
}

impl Input {
    fn read(text: &str) -> Self {
        match serde_json::from_str::<Value>(text) {
            Ok(value) => {
                Self { text: serde_json::to_string_pretty(&value).unwrap_or_else(|_| text.to_owned()), is_cut: false }
            }
            // What was too long was cut, and is no JSON any more.
            Err(_) => Self { text: text.to_owned(), is_cut: true },
        }
    }
}
