//! Notifications of processors, as they arrived.

use refundkit::ProcessorName;

use crate::{
    error::Error,
    limits,
    operations::{ListNotifications, notifications::Notification},
    registry::{Answer, Context, Handle},
    store::{connections, processor_events},
};

impl Handle for ListNotifications {
    async fn handle(self, context: &Context) -> Result<Answer<Vec<Notification>>, Error> {
        let mut connection = context.app.store.read().await?;
        let Some(stripe) = connections::find(&mut connection, context.caller.tenant, ProcessorName::Stripe).await?
        else {
            return Ok(Answer::ok(Vec::new()));
        };
        let newest =
            processor_events::list_newest(&mut connection, stripe.connection.id, limits::NOTIFICATIONS_SHOWN).await?;
        let shown = newest.into_iter().map(|(event, outcome)| Notification {
            external_event_id: event.id,
            event_type: event.event_type,
            received_at: event.received_at,
            outcome,
            refund_id: event.refund_id,
        });
        Ok(Answer::ok(shown.collect()))
    }
}
