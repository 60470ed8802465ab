//! Who a key is.

use refundkit::{ErrorCode, Identity, operations::GetMe};

use crate::{
    caller::Who,
    error::Error,
    registry::{Answer, Context, Handle},
};

impl Handle for GetMe {
    async fn handle(self, context: &Context) -> Result<Answer<Identity>, Error> {
        let caller = &context.caller;
        let Who::Key { id, prefix, scope } = &caller.who else {
            return Err(Error::new(ErrorCode::Unauthorized, "This says who a key is; a person is not a key."));
        };
        Ok(Answer::ok(Identity {
            organization_id: caller.tenant.organization_id,
            environment: caller.tenant.environment,
            scope: *scope,
            key_id: *id,
            prefix: prefix.clone(),
        }))
    }
}
