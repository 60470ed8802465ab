//! The request log: every call of an operation, counted and written down behind its answer, with secrets redacted.

use std::{sync::Arc, time::Instant};

use refundkit::{Effect, InitiatedBy, LogEntry, RequestId, Timestamp};
use serde_json::Value;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

use super::{mcp, scrub::scrub};
use crate::{
    app::App,
    caller::Caller,
    error::Error,
    limits,
    metrics::{LOG_ENTRIES_DROPPED, REQUEST_SECONDS, REQUESTS},
    registry::{Answer, Call, Entry},
    store::{Store, StoreError, Tenant, api_keys, logs},
};

/// The way to the task that writes the log.
pub struct RequestLog {
    sender: Mutex<Option<mpsc::Sender<(Tenant, LogEntry)>>>,
    weak: mpsc::WeakSender<(Tenant, LogEntry)>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl RequestLog {
    /// Starts the task that writes.
    pub fn start(store: Store) -> Self {
        let (sender, queue) = mpsc::channel(limits::LOG_ENTRIES_QUEUED_MAX);
        let weak = sender.downgrade();
        let task = tokio::spawn(write_entries(store, queue));
        Self { sender: Mutex::new(Some(sender)), weak, task: Mutex::new(Some(task)) }
    }

    fn send(&self, tenant: Tenant, entry: LogEntry) {
        let sent = self.weak.upgrade().is_some_and(|sender| sender.try_send((tenant, entry)).is_ok());
        if !sent {
            metrics::counter!(LOG_ENTRIES_DROPPED).increment(1);
        }
    }

    /// Writes what waits, and stops.
    pub async fn close(&self) {
        drop(self.sender.lock().await.take());
        if let Some(task) = self.task.lock().await.take() {
            let _ = task.await;
        }
    }
}

async fn write_entries(store: Store, mut queue: mpsc::Receiver<(Tenant, LogEntry)>) {
    let mut batch = Vec::new();
    while queue.recv_many(&mut batch, limits::LOG_ENTRIES_WRITTEN_MAX).await > 0 {
        let entries = std::mem::take(&mut batch);
        let written: Result<(), StoreError> = store
            .write(move |connection| {
                Box::pin(async move {
                    for (tenant, entry) in &entries {
                        logs::insert(connection, *tenant, entry).await?;
                    }
                    for (key, at) in last_uses(&entries) {
                        api_keys::mark_used(connection, key, at).await?;
                    }
                    Ok(())
                })
            })
            .await;
        if let Err(error) = written {
            tracing::warn!(%error, "log entries were not written");
        }
        if !queue.is_closed() && queue.len() < limits::LOG_ENTRIES_WRITTEN_MAX {
            tokio::time::sleep(limits::LOG_WRITE_DELAY).await;
        }
    }
}

fn last_uses(entries: &[(Tenant, LogEntry)]) -> Vec<(refundkit::KeyId, Timestamp)> {
    let mut uses: Vec<(refundkit::KeyId, Timestamp)> = Vec::new();
    for (_, entry) in entries {
        let Some(key_id) = entry.key_id else { continue };
        match uses.iter_mut().find(|(key, _)| *key == key_id) {
            Some((_, at)) => *at = entry.created_at,
            None => uses.push((key_id, entry.created_at)),
        }
    }
    // In one order everywhere: two instances that note the same keys must not wait for each other in a circle.
    uses.sort_unstable_by_key(|(key, _)| *key);
    uses
}

/// A call that is under way.
pub struct Record {
    entry: &'static Entry,
    started: Instant,
    caller: Caller,
    id: RequestId,
    path: String,
    idempotency_key: Option<String>,
    input: Option<String>,
}

impl Record {
    /// Notes what came in.
    pub fn begin(entry: &'static Entry, call: &Call) -> Self {
        Self {
            idempotency_key: call.idempotency_key.as_deref().map(scrub),
            input: redacted(&call.input),
            ..Self::without_input(entry, call.admitted.caller(), call.request_id, &call.path)
        }
    }

    /// Notes a call whose input was not read.
    pub fn without_input(entry: &'static Entry, caller: &Caller, id: RequestId, path: &str) -> Self {
        let (caller, path) = (caller.clone(), scrub(path));
        Self { entry, started: Instant::now(), caller, id, path, idempotency_key: None, input: None }
    }

    /// Notes what went out.
    pub fn end<T>(self, app: &Arc<App>, result: &Result<Answer<T>, Error>) {
        let (status, refund_id) = match result {
            Ok(answer) => (answer.status, answer.refund_id),
            Err(error) => (error.status().as_u16(), error.refund_id()),
        };
        let elapsed = self.started.elapsed();
        metrics::counter!(REQUESTS, "operation" => self.entry.name, "status" => status.to_string()).increment(1);
        metrics::histogram!(REQUEST_SECONDS, "operation" => self.entry.name).record(elapsed);
        if self.caller.through == InitiatedBy::Dashboard && self.entry.effect == Effect::Read {
            // People look at pages; the log is of what programs asked, and of what people changed.
            return;
        }
        let error = result.as_ref().err();
        app.request_log.send(
            self.caller.tenant,
            LogEntry {
                id: self.id,
                created_at: app.env.now(),
                operation: self.entry.name.to_owned(),
                method: if self.path == mcp::http::PATH { "POST" } else { self.entry.method.as_str() }.to_owned(),
                path: self.path,
                status,
                error_code: error.map(|error| error.code().to_string()),
                error_message: error.map(|error| scrub(&error.to_string())),
                duration_ms: i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX),
                key_id: self.caller.key_id(),
                user_id: self.caller.user().map(|(id, _)| id),
                user_email: self.caller.user().map(|(_, email)| email.to_owned()),
                through: self.caller.through,
                client: self.caller.client.as_deref().map(scrub),
                idempotency_key: self.idempotency_key,
                refund_id,
                input: self.input,
            },
        );
    }
}

/// The input as JSON text without secrets, cut to what the log keeps.
fn redacted(input: &Value) -> Option<String> {
    if input.as_object().is_none_or(serde_json::Map::is_empty) {
        return None;
    }
    let hidden = has_secret_field(input).then(|| hide_fields(input.clone()));
    let text = scrub(&serde_json::to_string(hidden.as_ref().unwrap_or(input)).unwrap_or_default());
    Some(match text.char_indices().nth(limits::LOG_INPUT_CHARACTERS_MAX) {
        Some((end, _)) => text[..end].to_owned(),
        None => text,
    })
}

fn is_secret_name(name: &str) -> bool {
    let has = |word: &str| name.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()));
    ["secret", "password", "token", "apikey", "api_key"].into_iter().any(has)
}

fn has_secret_field(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.iter().any(|(name, value)| is_secret_name(name) || has_secret_field(value)),
        Value::Array(items) => items.iter().any(has_secret_field),
        _ => false,
    }
}

fn hide_fields(mut value: Value) -> Value {
    match &mut value {
        Value::Object(fields) => {
            for (name, value) in fields {
                *value = if is_secret_name(name) { "***".into() } else { hide_fields(value.take()) };
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = hide_fields(item.take())),
        _ => {}
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_redacted_by_name_and_by_look() {
        let input = serde_json::json!({
            "secretKey": "anything", "metadata": { "note": "my key is sk_test_abcdefghijkl", "order": "7" },
        });
        let text = redacted(&input).unwrap();
        assert!(!text.contains("anything") && !text.contains("sk_test_abc"), "{text}");
        assert!(text.contains("\"order\":\"7\""), "{text}");
    }
}
