//! `expand[]`: references replaced by the objects they name, up to four steps deep.

use serde_json::Value;

use super::accounts::Books;
use super::lists;
use crate::errors::StripeError;
use crate::limits::{EXPANSION_DEPTH_MAX, EXPANSIONS_MAX};

/// Refunds shown inside an expanded charge.
const REFUNDS_SHOWN: usize = 10;

/// Expands every path in place; `data.` steps go through each row of a list.
pub(crate) fn expand(books: &Books, livemode: bool, answer: &mut Value, paths: &[String]) -> Result<(), StripeError> {
    if paths.len() > EXPANSIONS_MAX {
        return Err(StripeError::invalid("expand", format!("You can expand up to {EXPANSIONS_MAX} properties.")));
    }
    for path in paths {
        let steps: Vec<&str> = path.split('.').collect();
        if steps.iter().filter(|step| **step != "data").count() > EXPANSION_DEPTH_MAX {
            let message = format!("You cannot expand more than {EXPANSION_DEPTH_MAX} levels of a property ({path}).");
            return Err(StripeError::invalid("expand", message));
        }
        follow(books, livemode, answer, &steps, path)?;
    }
    Ok(())
}

fn follow(books: &Books, livemode: bool, at: &mut Value, steps: &[&str], path: &str) -> Result<(), StripeError> {
    let Some((step, rest)) = steps.split_first() else { return Ok(()) };
    let kind = at.get("object").and_then(Value::as_str).unwrap_or_default().to_owned();
    if kind == "list" && *step == "data" {
        for row in at.get_mut("data").and_then(Value::as_array_mut).into_iter().flatten() {
            follow(books, livemode, row, rest, path)?;
        }
        return Ok(());
    }
    if !is_expandable(&kind, step) {
        return Err(StripeError::cannot_expand(path));
    }
    if kind == "charge" && *step == "refunds" && at.get("refunds").is_none() {
        let refunds = refunds_of(books, at);
        at["refunds"] = refunds;
    } else if let Some(Value::String(id)) = at.get(*step)
        && let Some(object) = find(books, livemode, step, id)
    {
        at[*step] = object;
    }
    match at.get_mut(*step) {
        Some(inner) if inner.is_object() => follow(books, livemode, inner, rest, path),
        _ => Ok(()),
    }
}

fn is_expandable(kind: &str, step: &str) -> bool {
    matches!(
        (kind, step),
        ("charge", "refunds" | "payment_intent")
            | ("payment_intent", "latest_charge")
            | ("refund" | "dispute", "charge" | "payment_intent")
    )
}

fn find(books: &Books, livemode: bool, step: &str, id: &str) -> Option<Value> {
    match step {
        "charge" | "latest_charge" => books.charges.get(id).map(|charge| charge.show(livemode)),
        "payment_intent" => books.payment_intents.get(id).map(|intent| intent.show(livemode)),
        _ => None,
    }
}

/// The newest refunds of a charge, as Stripe embeds them.
fn refunds_of(books: &Books, charge: &Value) -> Value {
    let id = charge.get("id").and_then(Value::as_str).unwrap_or_default();
    let ids = books.charges.get(id).map_or(&[][..], |charge| &charge.refund_ids);
    let newest = ids.iter().rev().take(REFUNDS_SHOWN).filter_map(|id| books.refunds.get(id));
    let data: Vec<Value> = newest.map(super::refunds::Refund::show).collect();
    lists::show(&data, ids.len() > REFUNDS_SHOWN, &format!("/v1/charges/{id}/refunds"))
}
