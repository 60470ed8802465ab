//! Who asked for refunds: a person or a key, by the name it has now. What a person was called who left, the audit trail knows.

use std::collections::HashMap;

use refundkit::{RefundId, UserId, event::Actor};

use super::{Filtered, search};
use crate::{
    operations::askers::{Asker, AskerId},
    store::{Connection, StoreError, Tenant, api_keys, row::Row, users},
};

/// Everything that tells who asked for some refunds, whose ids follow and then [`NAMES`].
const REFUNDS: &str = "SELECT asked.id, asked.user_id, asked.api_key_id, users.email, api_keys.name, api_keys.prefix, api_keys.revoked_at,
        CASE WHEN asked.user_id IS NOT NULL AND users.id IS NULL THEN
            (SELECT actor FROM refund_events WHERE refund_events.refund_id = asked.id
                AND refund_events.organization_id = $1 AND refund_events.environment = $2
                ORDER BY refund_events.id LIMIT 1) END AS actor
    FROM (SELECT id, user_id, api_key_id FROM refunds WHERE";
const NAMES: &str = ") AS asked
    LEFT JOIN users ON users.id = asked.user_id AND users.organization_id = $1
    LEFT JOIN api_keys ON api_keys.id = asked.api_key_id
        AND api_keys.organization_id = $1 AND api_keys.environment = $2";

fn read(row: &Row<'_>) -> Result<Option<Asker>, StoreError> {
    if let Some(id) = row.parse_optional("user_id")? {
        return Ok(Some(match row.optional_text("email")? {
            Some(email) => person(id, email),
            None => {
                let actor: Option<Actor> = row.json_optional("actor")?;
                let email = actor.and_then(|actor| actor.user_email);
                Asker { name: email.unwrap_or_else(|| id.to_string()), is_gone: true, ..unnamed(AskerId::Person(id)) }
            }
        }));
    }
    let Some(id) = row.parse_optional("api_key_id")?.map(AskerId::Key) else { return Ok(None) };
    Ok(Some(match row.optional_text("name")? {
        Some(name) => {
            let is_gone = row.optional_integer("revoked_at")?.is_some();
            Asker { id, name, key_prefix: row.optional_text("prefix")?, is_gone }
        }
        None => unnamed(id),
    }))
}

/// A member, by the address that the person has now.
pub fn person(id: UserId, email: String) -> Asker {
    Asker { id: AskerId::Person(id), name: email, key_prefix: None, is_gone: false }
}

/// One of whom nothing is known but the id.
pub fn unnamed(id: AskerId) -> Asker {
    Asker { id, name: id.to_string(), key_prefix: None, is_gone: false }
}

/// Lists who asked for these refunds, at most a hundred, by refund. Those of which that is not known are left out.
pub async fn list_of(
    connection: &mut Connection,
    tenant: Tenant,
    ids: &[RefundId],
) -> Result<HashMap<RefundId, Asker>, StoreError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let mut sql = Filtered::new(REFUNDS, tenant);
    sql.and_among(ids);
    sql.push(&[NAMES]);
    let rows = connection.fetch_all(&sql.text, &sql.params, |row| Ok((row.parse("id")?, read(row)?))).await?;
    Ok(rows.into_iter().filter_map(|(id, asker)| Some((id, asker?))).collect())
}

/// Finds somebody, also who left and also a key that is revoked.
pub async fn find(connection: &mut Connection, tenant: Tenant, id: AskerId) -> Result<Option<Asker>, StoreError> {
    let user_id = match id {
        AskerId::Key(id) => return api_keys::find_asker(connection, tenant, id).await,
        AskerId::Person(id) => id,
    };
    if let Some(user) = users::find_member(connection, tenant.organization_id, user_id).await? {
        return Ok(Some(person(user_id, user.email)));
    }
    let mut sql = search::of_person(tenant, user_id, None, None);
    sql.push(&[" LIMIT 1"]);
    let newest: Option<RefundId> = connection.fetch_optional(&sql.text, &sql.params, |row| row.parse("id")).await?;
    let Some(newest) = newest else { return Ok(None) };
    Ok(list_of(connection, tenant, &[newest]).await?.remove(&newest))
}
