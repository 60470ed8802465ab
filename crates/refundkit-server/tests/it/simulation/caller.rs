//! Who asks for refunds: programs that repeat a request under its key until they are answered, and agents that simply ask again.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use refundkit::{ErrorCode, InitiatedBy, RefundId, RequestId, Scope};
use refundkit_core::invariants::{self, Violation};
use refundkit_server::{
    app::App,
    caller::{Caller, Who},
    error::Error,
    registry::{Call, OPERATIONS},
    store::Tenant,
};
use serde_json::{Value, json};

/// Somebody who wants a refund.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) charge: &'static str,
    pub(crate) amount: Option<i64>,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) allow_duplicate: bool,
    /// When they first ask, after the story began.
    pub(crate) at: Duration,
    /// Whether they change their mind, and when.
    pub(crate) cancels_after: Option<Duration>,
    /// Whether they have an answer that ends their asking.
    pub(crate) answered: bool,
}

/// What all callers of a story were told.
#[derive(Debug, Default, Clone)]
pub(crate) struct Ears {
    /// Which refund each key stands for.
    pub(crate) keys: BTreeMap<String, RefundId>,
    /// The refunds that anybody was told of.
    pub(crate) refunds: Vec<RefundId>,
    /// Promises that were broken towards callers.
    pub(crate) violations: Vec<Violation>,
}

/// Calls an operation as a door does.
async fn call(app: &Arc<App>, tenant: Tenant, name: &str, key: Option<&str>, input: Value) -> Result<Value, Error> {
    let entry = OPERATIONS.iter().find(|entry| entry.name == name).unwrap();
    let caller = Caller {
        tenant,
        who: Who::Key {
            id: refundkit::KeyId::from_bits(1),
            prefix: "rk_test_simulate".to_owned(),
            scope: Scope::Write,
        },
        through: InitiatedBy::Api,
        client: None,
        duplicate_window_ms: refundkit_server::limits::DUPLICATE_WINDOW_MS,
    };
    let Ok(admitted) = entry.admit(app, caller) else { panic!("a caller with the right scope is let in") };
    let request_id: RequestId = app.env.new_request_id();
    let call =
        Call { admitted, request_id, idempotency_key: key.map(str::to_owned), path: entry.path.to_owned(), input };
    let answer = entry.call(Arc::clone(app), call).await?;
    Ok(serde_json::from_str(answer.output.get()).unwrap())
}

/// Asks until there is an answer that ends it.
pub(crate) async fn ask(
    app: Arc<App>,
    tenant: Tenant,
    asks: Arc<Mutex<Vec<Ask>>>,
    place: usize,
    ears: Arc<Mutex<Ears>>,
) {
    let ask = asks.lock().unwrap()[place].clone();
    let key = ask.idempotency_key.as_deref();
    let mut input = json!({ "transactionId": ask.charge, "reason": "other" });
    if let Some(amount) = ask.amount {
        input["amount"] = amount.into();
    }
    if ask.allow_duplicate {
        input["allowDuplicate"] = true.into();
        // So that the verdict can tell it from a repeat that nobody asked for.
        input["metadata"] = json!({ "again": true });
    }
    let mut pause = Duration::from_secs(1);
    for _ in 0..8 {
        match call(&app, tenant, "create_refund", key, input.clone()).await {
            Ok(refund) => {
                asks.lock().unwrap()[place].answered = true;
                let id: RefundId = refund["id"].as_str().unwrap().parse().unwrap();
                heard(&ears, key, id);
                if let Some(after) = ask.cancels_after {
                    tokio::time::sleep(after).await;
                    let _ = call(&app, tenant, "cancel_refund", None, json!({ "id": id.to_string() })).await;
                }
                return;
            }
            Err(error) => {
                let body = serde_json::to_value(error.body(RequestId::from_bits(0))).unwrap();
                // A refusal of what was written down names the refund.
                if error.code() == ErrorCode::ProcessorError
                    && let (Some(id), true) = (body["refundId"].as_str(), error.is_replayed() || error.status() == 422)
                    && let Some(key) = key
                    && body["processor"]["statusCode"].is_number()
                {
                    heard(&ears, Some(key), id.parse().unwrap());
                }
                if body["retryable"] != true {
                    asks.lock().unwrap()[place].answered = true;
                    return;
                }
            }
        }
        tokio::time::sleep(pause).await;
        pause *= 3;
    }
}

fn heard(ears: &Arc<Mutex<Ears>>, key: Option<&str>, id: RefundId) {
    let mut ears = ears.lock().unwrap();
    if let Some(key) = key {
        let first = *ears.keys.entry(key.to_owned()).or_insert(id);
        if let Err(violation) = invariants::key_names_one_refund(key, first, id) {
            ears.violations.push(violation);
        }
    }
    ears.refunds.push(id);
}
