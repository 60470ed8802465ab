//! The organization: its settings, and what they mean for somebody who asks for a refund.

use std::collections::BTreeMap;

use refundkit::{Amount, Currency, OrganizationId};
use refundkit_core::eligibility;

use super::members;
use crate::{
    accounts,
    caller::{Caller, Role},
    error::Error,
    limits,
    operations::{GetOrganization, UpdateOrganization, organizations::Organization},
    registry::{Answer, Context, Handle},
    store::{Connection, Lock, organizations, organizations::Organization as StoredOrganization},
};

const HOUR_MS: i64 = 60 * 60 * 1000;

/// What the owner lets the caller refund in this currency, when the caller is by now somebody whose refunds are limited.
pub async fn limited(
    connection: &mut Connection,
    caller: &Caller,
    currency: Currency,
) -> Result<Option<eligibility::Member>, Error> {
    let role = members::role_now(connection, caller).await?;
    let Some((id, _)) = caller.user().filter(|_| role == Some(Role::Member)) else { return Ok(None) };
    let organization = organizations::get(connection, caller.tenant.organization_id).await?;
    Ok(Some(eligibility::Member { id, limit: organization.member_limits.get(&currency).copied() }))
}

impl Handle for GetOrganization {
    async fn handle(self, context: &Context) -> Result<Answer<Organization>, Error> {
        let mut connection = context.app.store.read().await?;
        Ok(Answer::ok(shown(organizations::get(&mut connection, context.caller.tenant.organization_id).await?)))
    }
}

impl Handle for UpdateOrganization {
    const ROLE: Role = Role::Owner;

    async fn handle(self, context: &Context) -> Result<Answer<Organization>, Error> {
        let id = context.caller.tenant.organization_id;
        let changes = checked(self)?;
        let updated = context
            .app
            .store
            .write::<_, Error, _>(move |connection| Box::pin(async move { update(connection, id, changes).await }));
        Ok(Answer::ok(shown(updated.await?)))
    }
}

async fn update(
    connection: &mut Connection,
    id: OrganizationId,
    changes: UpdateOrganization,
) -> Result<StoredOrganization, Error> {
    connection.lock(&Lock::Organization(id)).await?;
    let mut organization = organizations::get(connection, id).await?;
    if let Some(name) = changes.name {
        organization.name = name;
    }
    if let Some(hours) = changes.duplicate_window_hours {
        organization.duplicate_window_ms = hours.saturating_mul(HOUR_MS);
    }
    set_limits(&mut organization.member_limits, changes.member_limits.unwrap_or_default())?;
    organizations::update(connection, &organization).await?;
    Ok(organization)
}

/// The changes, when each of them is possible.
fn checked(changes: UpdateOrganization) -> Result<UpdateOrganization, Error> {
    let most = limits::DUPLICATE_WINDOW_HOURS_MAX;
    if changes.duplicate_window_hours.is_some_and(|hours| !(0..=most).contains(&hours)) {
        let message = format!("The duplicate window must be 0 to {most} hours.");
        return Err(Error::validation("duplicateWindowHours", message));
    }
    let name = changes.name.as_deref().map(|name| accounts::checked_name("name", name)).transpose()?;
    Ok(UpdateOrganization { name, ..changes })
}

fn set_limits(limits: &mut BTreeMap<Currency, Amount>, changes: BTreeMap<Currency, i64>) -> Result<(), Error> {
    for (currency, minor) in changes {
        if minor == 0 {
            limits.remove(&currency);
            continue;
        }
        let limit = Amount::new(minor).map_err(|error| {
            Error::validation(format!("memberLimits.{currency}"), format!("The limit in {currency} {error}, or 0."))
        })?;
        limits.insert(currency, limit);
    }
    let most = limits::MEMBER_LIMITS_MAX;
    if limits.len() > most {
        return Err(Error::validation("memberLimits", format!("Limits can be set for at most {most} currencies.")));
    }
    Ok(())
}

fn shown(organization: StoredOrganization) -> Organization {
    Organization {
        id: organization.id,
        name: organization.name,
        duplicate_window_hours: organization.duplicate_window_ms / HOUR_MS,
        member_limits: organization.member_limits,
        created_at: organization.created_at,
    }
}
