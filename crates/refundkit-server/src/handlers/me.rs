//! Who a key is.

use refundkit::{Identity, operations::GetMe};

use crate::{
    error::Error,
    registry::{Answer, Context, Handle},
};

impl Handle for GetMe {
    async fn handle(self, context: &Context) -> Result<Answer<Identity>, Error> {
        let caller = &context.caller;
        Ok(Answer::ok(Identity {
            organization_id: caller.tenant.organization_id,
            environment: caller.tenant.environment,
            scope: caller.scope,
            key_id: caller.key_id,
            prefix: caller.key_prefix.clone(),
        }))
    }
}
