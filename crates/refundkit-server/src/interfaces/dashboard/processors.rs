//! `/settings/processors`: Stripe is connected, its notifications are watched, and it is taken away again.

use std::sync::Arc;

use askama::Template;
use axum::{
    Router,
    extract::Query,
    routing::{get, post},
};
use refundkit::{
    ConnectionStatus, ErrorCode, ProcessorConnection, ProcessorName,
    operations::{ConnectStripe, DisconnectStripe, ListProcessors, TestStripe},
    processors::stripe::{API_BASE, permission_label},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    form::{Entered, Form, Posted},
    page::{self, Frame, Problem, Section, Shown},
    show::Moment,
    stream::{self, Looked},
    viewer::Viewer,
};
use crate::{
    app::App,
    error::Error,
    operations::{ListNotifications, notifications::Notification},
    registry::Handle,
};

const ADDRESS: &str = "/settings/processors";

/// The routes of the page.
pub(super) fn routes() -> Router<Arc<App>> {
    // An address that only takes forms leads back to the page when somebody opens it.
    let form = || get(async || page::to(ADDRESS));
    Router::new()
        .route(ADDRESS, get(show))
        .route("/settings/processors/live", get(live))
        .route("/settings/processors/stripe", form().merge(post(connect)))
        .route("/settings/processors/stripe/webhook-secret", form().merge(post(save_webhook_secret)))
        .route("/settings/processors/stripe/connect", form().merge(post(save_connect)))
        .route("/settings/processors/stripe/test", form().merge(post(test)))
        .route("/settings/processors/stripe/disconnect", form().merge(post(disconnect)))
}

#[derive(Template)]
#[template(path = "processors.html")]
struct ProcessorsPage<'a> {
    frame: Frame<'a>,
    notice: Option<&'static str>,
    stripe: Option<Stripe>,
    news: News,
    forms: Forms,
    /// Where Stripe is, when it is not Stripe itself, and the key that the sandbox of `refundkit dev` knows.
    sandbox: Option<(String, &'static str)>,
}

/// The forms of the page: as they were left, or as they were typed and refused.
#[derive(Default)]
struct Forms {
    key: Entered,
    webhook_secret: Entered,
    connect: Entered,
    test: Entered,
    disconnect: Entered,
    /// A refusal that can be overruled was shown.
    may_force: bool,
}

/// A form of the page.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Key,
    WebhookSecret,
    Connect,
    Test,
    Disconnect,
}

impl Forms {
    fn of(stripe: Option<&Stripe>) -> Self {
        let connect = stripe.and_then(|stripe| stripe.connection.connect.clone()).unwrap_or_default();
        let word = |said: Option<bool>| said.map_or("", |yes| if yes { "true" } else { "false" });
        let connect = Entered::with(&[
            ("account", connect.account.as_deref().unwrap_or_default()),
            ("reverseTransfer", word(connect.reverse_transfer)),
            ("refundApplicationFee", word(connect.refund_application_fee)),
        ]);
        Self { connect, ..Self::default() }
    }

    fn again(mut self, part: Part, form: Form, error: Error) -> Self {
        // Somebody else's change in between is no refusal to overrule: it asks for another look.
        self.may_force = error.code() == ErrorCode::Conflict && error.retry_after_seconds().is_none();
        let entered = form.again(error);
        *match part {
            Part::Key => &mut self.key,
            Part::WebhookSecret => &mut self.webhook_secret,
            Part::Connect => &mut self.connect,
            Part::Test => &mut self.test,
            Part::Disconnect => &mut self.disconnect,
        } = entered;
        self
    }
}

/// The connection to Stripe, as it is shown.
struct Stripe {
    connection: ProcessorConnection,
    since: Moment,
    changed: Moment,
}

impl Stripe {
    fn is_connected(&self) -> bool {
        self.connection.status != ConnectionStatus::Disconnected
    }

    fn status(&self) -> &'static str {
        match self.connection.status {
            ConnectionStatus::Active => "Connected",
            ConnectionStatus::Invalid => "Key refused",
            ConnectionStatus::Disconnected => "Disconnected",
        }
    }

    fn name(&self) -> &str {
        self.connection.account_name.as_deref().unwrap_or("Stripe")
    }

    /// Permissions that the key lacks, as Stripe's Dashboard calls them.
    fn missing(&self) -> Vec<(&str, &'static str)> {
        let missing = self.connection.missing_permissions.iter();
        missing.map(|permission| (permission.as_str(), permission_label(permission).unwrap_or_default())).collect()
    }

    /// Whether Stripe can reach the address for notifications: it sends through https only.
    fn is_reachable(&self) -> bool {
        self.connection.webhook_url.starts_with("https://")
    }
}

impl ProcessorsPage<'_> {
    /// Whether a key must be given before refunds can be made.
    fn is_unconnected(&self) -> bool {
        !self.stripe.as_ref().is_some_and(Stripe::is_connected)
    }

    /// Where Stripe's Dashboard keeps what belongs to this environment.
    fn dashboard(&self) -> &'static str {
        if self.frame.is_live() { "https://dashboard.stripe.com" } else { "https://dashboard.stripe.com/test" }
    }
}

/// The newest notifications.
#[derive(Template)]
#[template(path = "notifications.html")]
struct News {
    rows: Vec<NewsRow>,
}

struct NewsRow {
    name: String,
    kind: String,
    outcome: String,
    received: Moment,
    refund: Option<String>,
}

impl From<Notification> for NewsRow {
    fn from(notification: Notification) -> Self {
        Self {
            name: notification.external_event_id,
            kind: notification.event_type,
            outcome: outcome(notification.outcome),
            received: notification.received_at.into(),
            refund: notification.refund_id.map(|id| id.to_string()),
        }
    }
}

/// What became of a notification, as people say it.
fn outcome(word: String) -> String {
    let said = match word.as_str() {
        "waiting" => "Received",
        "look_wanted" => "RefundKit read the refund because of it",
        "looked" => "The refund was read",
        "agrees" => "Known already",
        "foreign" => "Not a refund of RefundKit's",
        "not_shown" => "Stripe does not show what it is about",
        "other_mode" => "Of Stripe's other mode: ignored",
        "other_account" => "Of another account: ignored",
        "unknown_type" => "Not about a refund: ignored",
        _ => return word,
    };
    said.to_owned()
}

/// What the address of the page may say.
#[derive(Debug, Default, Deserialize)]
struct PageQuery {
    notice: Option<String>,
}

async fn show(viewer: Viewer, Query(query): Query<PageQuery>) -> Shown {
    let notice = match query.notice.as_deref() {
        Some("connected") => Some("Stripe is connected. The key was tried, and is sealed now."),
        Some("webhook-secret") => Some("The signing secret is saved. The one before stays valid for 24 hours."),
        Some("settings") => Some("The settings are saved."),
        Some("tested") => Some("Stripe accepts the key."),
        Some("disconnected") => Some("Stripe is disconnected. Open refunds are followed to their end."),
        _ => None,
    };
    let (stripe, news) = load(&viewer).await?;
    let forms = Forms::of(stripe.as_ref());
    page::html(&page_of(&viewer, notice, stripe, news, forms))
}

fn page_of<'a>(
    viewer: &'a Viewer,
    notice: Option<&'static str>,
    stripe: Option<Stripe>,
    news: News,
    forms: Forms,
) -> ProcessorsPage<'a> {
    let base = &viewer.app.stripe_api_base;
    let sandbox = (base.trim_end_matches('/') != API_BASE).then(|| (base.clone(), refundkit_sandbox::DEV_SECRET_KEY));
    let frame = Frame { title: "Processors", section: Section::Processors, viewer };
    ProcessorsPage { frame, notice, stripe, news, forms, sandbox }
}

async fn load(viewer: &Viewer) -> Result<(Option<Stripe>, News), Error> {
    let listed = viewer.ask::<ListProcessors>(json!({})).await?;
    let stripe = listed.data.into_iter().find(|connection| connection.processor == ProcessorName::Stripe);
    let stripe = stripe.map(|connection| Stripe {
        since: connection.created_at.into(),
        changed: connection.updated_at.into(),
        connection,
    });
    Ok((stripe, newest(viewer).await?))
}

async fn newest(viewer: &Viewer) -> Result<News, Error> {
    let newest = viewer.ask::<ListNotifications>(json!({})).await?;
    Ok(News { rows: newest.into_iter().map(NewsRow::from).collect() })
}

/// `GET /settings/processors/live`: the newest notifications, as they arrive.
async fn live(viewer: Result<Viewer, Problem>) -> Shown {
    // Where nobody is signed in the page is told to stop; where something failed it tries again, later and later.
    let viewer = match viewer {
        Err(problem @ Problem::Failed(_)) => return Err(problem),
        other => other.ok(),
    };
    Ok(stream::fragments(viewer, |viewer| -> Looked<'_> {
        Box::pin(async move { newest(viewer).await?.render().map_err(Error::internal) })
    }))
}

async fn connect(Posted { viewer, form }: Posted) -> Shown {
    // An empty field is sent too: nobody who pressed the button meant to keep the key.
    let mut input = Map::from_iter([("secretKey".to_owned(), Value::from(form.get("secretKey")))]);
    if let Some(secret) = form.given("webhookSecret") {
        input.insert("webhookSecret".to_owned(), secret.into());
    }
    if form.is_ticked("force") {
        input.insert("force".to_owned(), true.into());
    }
    done_or_again::<ConnectStripe>(viewer, form, Part::Key, input.into(), "connected").await
}

async fn save_webhook_secret(Posted { viewer, form }: Posted) -> Shown {
    let input = json!({ "webhookSecret": form.get("webhookSecret") });
    done_or_again::<ConnectStripe>(viewer, form, Part::WebhookSecret, input, "webhook-secret").await
}

async fn save_connect(Posted { viewer, form }: Posted) -> Shown {
    let mut connect = Map::from_iter([("account".to_owned(), form.get("account").into())]);
    for name in ["reverseTransfer", "refundApplicationFee"] {
        match form.get(name) {
            "" => {}
            "true" => drop(connect.insert(name.to_owned(), true.into())),
            "false" => drop(connect.insert(name.to_owned(), false.into())),
            other => drop(connect.insert(name.to_owned(), other.into())),
        }
    }
    done_or_again::<ConnectStripe>(viewer, form, Part::Connect, json!({ "connect": connect }), "settings").await
}

async fn test(Posted { viewer, form }: Posted) -> Shown {
    done_or_again::<TestStripe>(viewer, form, Part::Test, json!({}), "tested").await
}

async fn disconnect(Posted { viewer, form }: Posted) -> Shown {
    let input = if form.is_ticked("force") { json!({ "force": true }) } else { json!({}) };
    done_or_again::<DisconnectStripe>(viewer, form, Part::Disconnect, input, "disconnected").await
}

/// Asks for what a form is about: back to the page when it is done, the page with what was wrong when it is not.
async fn done_or_again<O: Handle>(viewer: Viewer, form: Form, part: Part, input: Value, notice: &'static str) -> Shown {
    let error = match viewer.ask::<O>(input).await {
        Ok(_) => return page::to(&format!("{ADDRESS}?notice={notice}")),
        Err(error) if error.code() == ErrorCode::Unauthorized => return Err(error.into()),
        Err(error) => beside_its_field(part, error),
    };
    let status = error.status();
    let (stripe, news) = load(&viewer).await?;
    let forms = Forms::of(stripe.as_ref()).again(part, form, error);
    page::html_with(status, &page_of(&viewer, None, stripe, news, forms))
}

/// What Stripe refuses of a key that was just typed is about that key.
fn beside_its_field(part: Part, error: Error) -> Error {
    let is_refusal = error.code() == ErrorCode::ProcessorError && error.status().is_client_error();
    if part == Part::Key && is_refusal { error.field(Some("secretKey")) } else { error }
}
