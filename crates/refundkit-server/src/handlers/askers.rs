//! Who asked for refunds: named beside them, and offered to be looked for.

use crate::{
    error::Error,
    limits,
    operations::{
        AskedRefund, ListAskers,
        askers::{Asker, AskerId, Askers},
    },
    registry::{Answer, Context, Handle},
    store::{
        Connection, Tenant, api_keys,
        refunds::{StoredRefund, askers},
        users,
    },
};

/// Refunds as lists show them: with one look at who asked for all of them.
pub async fn asked(
    connection: &mut Connection,
    tenant: Tenant,
    refunds: &[StoredRefund],
) -> Result<Vec<AskedRefund>, Error> {
    let ids: Vec<_> = refunds.iter().map(|refund| refund.id).collect();
    let mut askers = askers::list_of(connection, tenant, &ids).await?;
    let asked = |refund: &StoredRefund| AskedRefund { refund: refund.shown(), asked_by: askers.remove(&refund.id) };
    Ok(refunds.iter().map(asked).collect())
}

impl Handle for ListAskers {
    async fn handle(self, context: &Context) -> Result<Answer<Askers>, Error> {
        let tenant = context.caller.tenant;
        let mut connection = context.app.store.read().await?;
        let connection = &mut connection;
        let people = users::list(connection, tenant.organization_id).await?;
        let people =
            people.into_iter().take(limits::ASKERS_OFFERED_MAX).map(|user| askers::person(user.id, user.email));
        let keys = api_keys::list(connection, tenant).await?;
        let keys = keys.into_iter().take(limits::ASKERS_OFFERED_MAX).map(|key| Asker {
            id: AskerId::Key(key.id),
            name: key.name,
            key_prefix: Some(key.prefix),
            is_gone: false,
        });
        let mut offered = Askers { people: sorted(people.collect()), keys: sorted(keys.collect()) };
        if let Some(id) = self.chosen {
            let group = match id {
                AskerId::Person(_) => &mut offered.people,
                AskerId::Key(_) => &mut offered.keys,
            };
            if group.iter().all(|asker| asker.id != id) {
                let found = askers::find(connection, tenant, id).await?;
                // Of one that nobody knows there is nothing to say but what was asked for.
                group.push(found.unwrap_or_else(|| askers::unnamed(id)));
            }
        }
        Ok(Answer::ok(offered))
    }
}

fn sorted(mut askers: Vec<Asker>) -> Vec<Asker> {
    askers.sort_by_cached_key(|asker| asker.name.to_lowercase());
    askers
}
