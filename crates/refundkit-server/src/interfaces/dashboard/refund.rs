//! `/refunds/{id}`: everything known of one refund, and taking it back where that is possible. On paper it is a receipt.

use askama::Template;
use axum::extract::Path;
use refundkit::{
    Environment, ErrorCode, Refund, RefundEvent, RefundEventType, RefundId, RefundStage, RefundStatus,
    event::{Actor, ActorType},
    operations::{CancelRefund, ListRefundEvents},
    page::LIMIT_MAX,
    processors::stripe,
};
use serde_json::json;

use super::{
    form::{Entered, Posted},
    live,
    page::{self, Frame, Section, Shown},
    show::{self, Moment},
    viewer::Viewer,
};
use crate::{
    error::Error,
    interfaces::mcp::words,
    operations::{LookAtRefund, RefundLook, askers::Asker},
};

#[derive(Template)]
#[template(path = "refund.html")]
struct RefundPage<'a> {
    frame: Frame<'a>,
    entered: Entered,
    live: Option<String>,
    now: Now<'a>,
}

/// What a page is sent when the refund changed.
#[derive(Template)]
#[template(path = "refund_update.html")]
struct Update<'a> {
    now: Now<'a>,
}

/// The refund as it stands now: the part of the page that lives.
struct Now<'a> {
    viewer: &'a Viewer,
    id: String,
    amount: String,
    status: &'static str,
    status_name: &'static str,
    stage: Option<&'static str>,
    meaning: String,
    advice: Option<&'static str>,
    failure: Option<(String, String)>,
    ids: Vec<Named>,
    stripe_address: Option<String>,
    facts: Vec<(&'static str, String)>,
    metadata: Vec<(String, String)>,
    created: Moment,
    updated: Moment,
    settled: Option<Moment>,
    /// Whether it has come to its end: nothing of it can be taken back, and nobody needs to be told why.
    is_ended: bool,
    not_cancellable: Option<String>,
    timeline: Vec<Line>,
    is_timeline_cut: bool,
}

/// An id that people copy.
struct Named {
    name: &'static str,
    id: String,
}

/// A line of the timeline.
struct Line {
    status: &'static str,
    what: &'static str,
    when: Moment,
    by: String,
    key_id: Option<String>,
    client: Option<String>,
    message: Option<String>,
    attempt: Option<u32>,
    request_id: Option<String>,
}

/// `GET /refunds/{id}`.
pub(super) async fn show(viewer: Viewer, Path(id): Path<String>) -> Shown {
    let (look, events) = read(&viewer, id_of(&id)?).await?;
    page::html(&page_of(&viewer, look, events, Entered::default()))
}

/// `POST /refunds/{id}/cancel`.
pub(super) async fn cancel(Path(id): Path<String>, Posted { viewer, form }: Posted) -> Shown {
    let id = id_of(&id)?;
    match viewer.ask::<CancelRefund>(json!({ "id": id })).await {
        Ok(_) => page::to(&format!("/refunds/{id}")),
        Err(error) if error.code() == ErrorCode::NotFound => Err(error.into()),
        Err(error) => {
            let status = error.status();
            let (look, events) = read(&viewer, id).await?;
            page::html_with(status, &page_of(&viewer, look, events, form.again(error)))
        }
    }
}

/// What is sent to a page that shows this refund, which changed.
pub(super) async fn update(viewer: &Viewer, id: RefundId) -> Result<String, Error> {
    let (look, events) = read(viewer, id).await?;
    Update { now: now_of(viewer, look, events) }.render().map_err(Error::internal)
}

/// What is no id of a refund names none.
fn id_of(text: &str) -> Result<RefundId, Error> {
    text.parse().map_err(|_| Error::not_found("refund", text))
}

async fn read(viewer: &Viewer, id: RefundId) -> Result<(RefundLook, Vec<RefundEvent>), Error> {
    let look = viewer.ask::<LookAtRefund>(json!({ "id": id })).await?;
    let events = viewer.ask::<ListRefundEvents>(json!({ "id": id, "limit": LIMIT_MAX })).await?;
    Ok((look, events.data))
}

fn page_of(viewer: &Viewer, look: RefundLook, events: Vec<RefundEvent>, entered: Entered) -> RefundPage<'_> {
    RefundPage {
        frame: Frame { title: "Refund", section: Section::Refunds, viewer },
        entered,
        live: live::address_of(&look.refund, viewer.app.env.now()),
        now: now_of(viewer, look, events),
    }
}

fn now_of(viewer: &Viewer, look: RefundLook, events: Vec<RefundEvent>) -> Now<'_> {
    let RefundLook { refund, payment_intent, asked_by, not_cancellable } = look;
    Now {
        viewer,
        id: refund.id.to_string(),
        amount: show::money(refund.processor, refund.amount.minor(), refund.currency),
        status: refund.status.as_str(),
        status_name: show::status(refund.status),
        stage: show::stage(refund.stage),
        meaning: words::customer_message(&refund),
        advice: advice(&refund),
        stripe_address: stripe_address(viewer, &refund),
        facts: facts(&refund, asked_by),
        metadata: metadata(&refund),
        created: Moment::from(refund.created_at),
        updated: Moment::from(refund.updated_at),
        settled: refund.settled_at.map(Moment::from),
        is_ended: matches!(refund.status, RefundStatus::Completed | RefundStatus::Failed | RefundStatus::Cancelled),
        not_cancellable,
        is_timeline_cut: events.len() >= LIMIT_MAX as usize,
        timeline: events.into_iter().map(line).collect(),
        ids: ids(&refund, payment_intent),
        failure: refund.failure.map(|failure| (failure.code, failure.message)),
    }
}

fn ids(refund: &Refund, payment_intent: Option<String>) -> Vec<Named> {
    let named = |name, id: Option<String>| Some(Named { name, id: id? });
    let charge = &refund.external_transaction_id;
    [
        named("Refund", Some(refund.id.to_string())),
        named("Payment", Some(charge.clone())),
        named("PaymentIntent", payment_intent),
        named("Refund at Stripe", refund.external_refund_id.clone()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn facts(refund: &Refund, asked_by: Option<Asker>) -> Vec<(&'static str, String)> {
    let door = show::door(refund.initiated_by);
    let asked_by = asked_by.map(|asker| match asker.key_prefix {
        Some(prefix) => format!("{} ({prefix}…)", asker.name),
        None => asker.name,
    });
    vec![
        ("Reason", show::reason(refund.reason)),
        ("Processor", show::processor(refund.processor).to_owned()),
        ("Asked for by", asked_by.map_or_else(|| door.to_owned(), |who| format!("{who} · {door}"))),
    ]
}

fn metadata(refund: &Refund) -> Vec<(String, String)> {
    let pairs = refund.metadata.iter().flat_map(refundkit::Metadata::iter);
    pairs.map(|(key, value)| (key.to_owned(), value.to_string())).collect()
}

/// Where Stripe's own dashboard shows the payment; none where Stripe is a sandbox, which has no dashboard.
fn stripe_address(viewer: &Viewer, refund: &Refund) -> Option<String> {
    let is_real = viewer.app.stripe_api_base.trim_end_matches('/') == stripe::API_BASE;
    let mode = if refund.environment == Environment::Live { "" } else { "test/" };
    is_real.then(|| format!("https://dashboard.stripe.com/{mode}payments/{}", refund.external_transaction_id))
}

/// What the one who looks at it should do, when that is something.
fn advice(refund: &Refund) -> Option<&'static str> {
    match (refund.status, refund.stage) {
        (RefundStatus::Failed, _) => {
            Some(advice_on_failure(refund.failure.as_ref().map_or("", |failure| failure.code.as_str())))
        }
        (_, RefundStage::OutcomeUnknown) => Some(
            "It may have happened. RefundKit looks at the processor until it knows. Make no other refund for it meanwhile, and \
             promise nothing.",
        ),
        (_, RefundStage::RequiresAction) => Some(
            "The processor has asked the customer for bank details. It goes on when they answer; until then it can be cancelled.",
        ),
        (_, RefundStage::Queued) => {
            Some("The processor could not take it yet. It is sent again by itself, under the same key.")
        }
        (RefundStatus::Completed | RefundStatus::Cancelled | RefundStatus::Pending | RefundStatus::Processing, _) => {
            None
        }
    }
}

/// What to do about a refund that failed, by why it did. Only where a card cannot be paid is another way to pay the right answer:
/// where the customer disputed the payment, it would pay them twice.
fn advice_on_failure(code: &str) -> &'static str {
    match code {
        "charge_disputed" | "refund_disputed_payment" | "charge_for_pending_refund_disputed" => {
            "Do not pay the customer in another way: the bank decides about this payment, and where you lose, it returns the \
             money itself. Answer or accept the dispute in Stripe instead of refunding."
        }
        "charge_already_refunded" => {
            "Nothing is left of this payment: it was refunded before, perhaps elsewhere. Look at the payment's refunds in Stripe \
             before you promise anything."
        }
        "expired_or_canceled_card" | "lost_or_stolen_card" | "charge_not_refundable" => {
            "The money is with you, not with the customer, and cannot go back the way it came: the customer needs another way \
             to get it."
        }
        "insufficient_funds" | "insufficient_balance_for_refund" => {
            "The money is with you, not with the customer: your balance at Stripe did not cover it. Add to the balance, then \
             refund again."
        }
        _ => {
            "This refund did not reach the customer. Find out why before you refund again, and look at the payment in Stripe: \
             money that came another way must not be paid twice."
        }
    }
}

fn line(event: RefundEvent) -> Line {
    Line {
        status: event.to_status.as_str(),
        what: what(event.event_type),
        when: Moment::from(event.created_at),
        by: by(&event.actor),
        key_id: event.actor.key_id.map(|id| id.to_string()),
        client: event.actor.client,
        message: event.message,
        // That something was tried once goes without saying.
        attempt: event.attempt.filter(|attempt| *attempt > 1),
        request_id: event.processor_request_id,
    }
}

/// What happened, as people say it.
const fn what(event: RefundEventType) -> &'static str {
    match event {
        RefundEventType::Created => "Asked for",
        RefundEventType::Submitting => "Sent to the processor",
        RefundEventType::Postponed => "Not executed; it is sent again",
        RefundEventType::OutcomeUnknown => "Outcome unknown",
        RefundEventType::RequiresAction => "Needs the customer",
        RefundEventType::Processing => "The processor is executing it",
        RefundEventType::Completed => "Completed",
        RefundEventType::Failed => "Failed",
        RefundEventType::CancelRequested => "Asked to take it back",
        RefundEventType::CancelRefused => "Could not be taken back",
        RefundEventType::Cancelled => "Cancelled",
        RefundEventType::Updated => "Changed",
        RefundEventType::Contradicted => "The processor contradicts itself",
    }
}

fn by(actor: &Actor) -> String {
    match (actor.actor_type, &actor.user_email, actor.through) {
        (ActorType::System, ..) => "RefundKit".to_owned(),
        (ActorType::Caller, Some(email), _) => email.clone(),
        (ActorType::Caller, None, Some(door)) => show::door(door).to_owned(),
        (ActorType::Caller, None, None) => "A caller".to_owned(),
    }
}
