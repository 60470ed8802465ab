//! `/settings/organization`: its name, when a second refund is a repeat, and what members may refund.

use std::sync::Arc;

use askama::Template;
use axum::{
    Router,
    extract::Query,
    routing::{get, post},
};
use refundkit::{Currency, ProcessorName};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    form::{Entered, Posted},
    page::{self, Frame, Section, Shown},
    show, typed,
    viewer::Viewer,
};
use crate::{
    app::App,
    caller::Role,
    error::Error,
    limits,
    operations::{GetOrganization, UpdateOrganization},
};

const ADDRESS: &str = "/settings/organization";

/// The routes of the page.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route(ADDRESS, get(show).post(save))
        .route("/settings/organization/limits", post(set_limit))
        .route("/settings/organization/limits/remove", post(remove_limit))
}

#[derive(Template)]
#[template(path = "organization.html")]
struct OrganizationPage<'a> {
    frame: Frame<'a>,
    notice: Option<&'static str>,
    is_owner: bool,
    id: String,
    name: String,
    hours: i64,
    hours_max: i64,
    member_limits: Vec<Limit>,
    settings: Entered,
    limit: Entered,
}

/// What members may refund in a currency.
struct Limit {
    currency: Currency,
    code: String,
    amount: String,
}

/// Which of the forms is shown again.
#[derive(Default)]
struct Again {
    settings: Option<Entered>,
    limit: Option<Entered>,
}

async fn page_of<'a>(
    viewer: &'a Viewer,
    notice: Option<&'static str>,
    again: Again,
) -> Result<OrganizationPage<'a>, Error> {
    viewer.must_be_admin()?;
    let organization = viewer.ask::<GetOrganization>(json!({})).await?;
    let hours = organization.duplicate_window_hours;
    let settings = again.settings.unwrap_or_else(|| {
        Entered::with(&[("name", &organization.name), ("duplicateWindowHours", &hours.to_string())])
    });
    let limits = organization.member_limits.iter().map(|(currency, amount)| Limit {
        currency: *currency,
        code: currency.as_str().to_ascii_uppercase(),
        amount: show::money(ProcessorName::Stripe, amount.minor(), *currency),
    });
    Ok(OrganizationPage {
        frame: Frame { title: "Organization", section: Section::Organization, viewer },
        notice,
        is_owner: viewer.role() == Role::Owner,
        id: organization.id.to_string(),
        hours,
        hours_max: limits::DUPLICATE_WINDOW_HOURS_MAX,
        member_limits: limits.collect(),
        settings,
        limit: again.limit.unwrap_or_default(),
        name: organization.name,
    })
}

/// What the address of the page may say.
#[derive(Debug, Default, Deserialize)]
struct PageQuery {
    notice: Option<String>,
}

async fn show(viewer: Viewer, Query(query): Query<PageQuery>) -> Shown {
    let notice = match query.notice.as_deref() {
        Some("saved") => Some("The settings are saved. They hold from the next refund on."),
        Some("limit") => Some("The limit is set. It holds from the next refund on."),
        Some("removed") => Some("The limit is removed: members no longer refund in this currency."),
        _ => None,
    };
    page::html(&page_of(&viewer, notice, Again::default()).await?)
}

async fn save(Posted { viewer, form }: Posted) -> Shown {
    let hours = form.get("duplicateWindowHours");
    let asked = match hours.parse::<i64>() {
        Ok(hours) => {
            let input = json!({ "name": form.get("name"), "duplicateWindowHours": hours });
            viewer.ask::<UpdateOrganization>(input).await.map(drop)
        }
        Err(_) => Err(Error::validation("duplicateWindowHours", "This is not a number of hours, such as 24.")),
    };
    match asked {
        Ok(()) => page::to("/settings/organization?notice=saved"),
        Err(error) if error.field_name().is_none() => Err(error.into()),
        Err(error) => {
            let (status, again) = (error.status(), form.again(error));
            let again = Again { settings: Some(again), ..Again::default() };
            page::html_with(status, &page_of(&viewer, None, again).await?)
        }
    }
}

async fn set_limit(Posted { viewer, form }: Posted) -> Shown {
    let asked = match typed_limit(form.get("currency"), form.get("amount")) {
        Ok(limits) => viewer.ask::<UpdateOrganization>(json!({ "memberLimits": limits })).await.map(drop),
        Err(error) => Err(error),
    };
    match asked {
        Ok(()) => page::to("/settings/organization?notice=limit"),
        Err(error) if error.field_name().is_none() => Err(error.into()),
        Err(error) => {
            let (status, again) = (error.status(), form.again(error));
            let again = Again { limit: Some(again), ..Again::default() };
            page::html_with(status, &page_of(&viewer, None, again).await?)
        }
    }
}

/// The limit that somebody typed.
fn typed_limit(currency: &str, amount: &str) -> Result<Value, Error> {
    let currency = typed_currency(currency)?;
    let amount = typed::parse_money(ProcessorName::Stripe, amount, currency);
    let amount = amount.map_err(|message| Error::validation("amount", message))?;
    Ok(json!({ currency.as_str(): amount }))
}

fn typed_currency(text: &str) -> Result<Currency, Error> {
    let currency = text.to_ascii_lowercase().parse();
    currency.map_err(|_| Error::validation("currency", "This is not the code of a currency, such as USD."))
}

async fn remove_limit(Posted { viewer, form }: Posted) -> Shown {
    let currency = typed_currency(form.get("remove"))?;
    viewer.ask::<UpdateOrganization>(json!({ "memberLimits": { currency.as_str(): 0 } })).await?;
    page::to("/settings/organization?notice=removed")
}
