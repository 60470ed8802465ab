//! The table of endpoints.

use serde_json::Value;

use super::{
    Scope, accounts, balance, charges, disputes, events, payment_intents, refund_creation, refunds, webhook_endpoints,
};
use crate::errors::StripeError;
use crate::params::Params;
use crate::request::Method::{self, Delete, Get, Post};

/// Runs the endpoint below `/v1/` that these segments name, or nothing when there is none.
pub(crate) fn dispatch(
    scope: &mut Scope<'_>,
    method: Method,
    segments: &[&str],
    params: Params,
) -> Option<Result<Value, StripeError>> {
    Some(match (method, segments) {
        (Get, ["account"]) => accounts::retrieve(scope, params),
        (Get, ["balance"]) => balance::retrieve(scope, params),

        (Post, ["charges"]) => charges::create(scope, params),
        (Get, ["charges"]) => charges::list(scope, params),
        (Get, ["charges", id]) => charges::retrieve(scope, id, params),
        (Post, ["charges", id]) => charges::update(scope, id, params),
        (Post, ["charges", id, "capture"]) => charges::capture(scope, id, params),
        (Get, ["charges", id, "refunds"]) => refunds::list_of_charge(scope, id, params),
        (Post, ["charges", id, "refunds"]) => refund_creation::create_on_charge(scope, id, params),
        (Post, ["charges", id, "refund"]) => refund_creation::create_and_show_charge(scope, id, params),

        (Post, ["payment_intents"]) => payment_intents::create(scope, params),
        (Get, ["payment_intents"]) => payment_intents::list(scope, params),
        (Get, ["payment_intents", id]) => payment_intents::retrieve(scope, id, params),
        (Post, ["payment_intents", id, "confirm"]) => payment_intents::confirm(scope, id, params),
        (Post, ["payment_intents", id, "capture"]) => payment_intents::capture(scope, id, params),
        (Post, ["payment_intents", id, "cancel"]) => payment_intents::cancel(scope, id, params),

        (Post, ["refunds"]) => refund_creation::create(scope, params),
        (Get, ["refunds"]) => refunds::list(scope, params),
        (Get, ["refunds", id]) => refunds::retrieve(scope, id, params),
        (Post, ["refunds", id]) => refunds::update(scope, id, params),
        (Post, ["refunds", id, "cancel"]) => refunds::cancel(scope, id, params),
        (Post, ["test_helpers", "refunds", id, "expire"]) => refunds::expire(scope, id, params),

        (Get, ["disputes"]) => disputes::list(scope, params),
        (Get, ["disputes", id]) => disputes::retrieve(scope, id, params),

        (Get, ["events"]) => events::list(scope, params),
        (Get, ["events", id]) => events::retrieve(scope, id, params),

        (Post, ["webhook_endpoints"]) => webhook_endpoints::create(scope, params),
        (Get, ["webhook_endpoints"]) => webhook_endpoints::list(scope, params),
        (Get, ["webhook_endpoints", id]) => webhook_endpoints::retrieve(scope, id, params),
        (Post, ["webhook_endpoints", id]) => webhook_endpoints::update(scope, id, params),
        (Delete, ["webhook_endpoints", id]) => webhook_endpoints::delete(scope, id, params),
        _ => return None,
    })
}
