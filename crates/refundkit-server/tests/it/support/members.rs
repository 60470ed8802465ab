//! People of an organization, as callers: what the dashboard's pages ask for, without the pages.

use refundkit::{InitiatedBy, UserId};
use refundkit_server::{
    caller::{Caller, Role, Who},
    error::Error,
    limits::DUPLICATE_WINDOW_MS,
    registry::{self, Handle},
    store::{StoreError, Tenant, users, users::User},
};
use serde_json::Value;

use super::Stage;

/// Somebody of this role who is signed in for a tenant, and whom the database does not know.
pub(crate) fn member_of(tenant: Tenant, role: Role) -> Caller {
    let who = Who::Member { id: UserId::from_bits(7), email: "mia@acme.example".to_owned(), role };
    Caller { tenant, who, through: InitiatedBy::Dashboard, client: None, duplicate_window_ms: DUPLICATE_WINDOW_MS }
}

impl Stage {
    /// A new member of this role, who is signed in to the stage's organization, in the test environment.
    pub(crate) async fn member(&self, role: Role) -> Caller {
        let (tenant, id) = (self.tenant().await, self.app.env.new_user_id());
        let email = format!("{id}@acme.example");
        let user = User {
            id,
            organization_id: tenant.organization_id,
            email: email.clone(),
            role,
            created_at: self.app.env.now(),
            signed_in_at: None,
        };
        let insert = self.app.store.write::<_, StoreError, _>(move |connection| {
            Box::pin(async move { users::insert(connection, &user, "nobody signs in by this").await })
        });
        insert.await.unwrap();
        Caller { who: Who::Member { id, email, role }, ..member_of(tenant, role) }
    }

    /// Asks for an operation as a page does.
    pub(crate) async fn ask<O: Handle>(&self, caller: &Caller, input: Value) -> Result<O::Output, Error> {
        let request_id = self.app.env.new_request_id();
        let asked = registry::ask::<O>(&self.app, caller.clone(), request_id, None, "/page".to_owned(), input);
        asked.await.map(|answer| answer.output)
    }
}
