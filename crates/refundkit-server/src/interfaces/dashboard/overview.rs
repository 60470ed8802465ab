//! `/`: how refunds are going, what needs a person, and thirty days as a chart.

use askama::Template;
use axum::extract::Query;
use refundkit::{Currency, Environment, ProcessorName};
use serde::Deserialize;
use serde_json::json;

use super::{
    live,
    page::{self, Frame, Section, Shown},
    refunds::{self, Row},
    show::{self, Moment},
    viewer::Viewer,
};
use crate::{
    error::Error,
    operations::{
        BoundedCount,
        overview::{CurrencyOverview, GetOverview, Overview, Totals},
    },
};

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage<'a> {
    frame: Frame<'a>,
    now: Now,
    rows: Vec<Row>,
    is_update: bool,
    live: Option<String>,
}

/// What a page is sent when one of its refunds changed: all figures again.
#[derive(Template)]
#[template(path = "overview_update.html")]
struct Update {
    now: Now,
}

/// The figures as they stand now: the part of the page that lives.
struct Now {
    overview: Overview,
    environment: Environment,
    volumes: Vec<Volume>,
    chart: Option<Chart>,
    tiles: Tiles,
    /// Whether refunds can be made: a processor is connected.
    is_connected: bool,
    /// When the figures were read: they move with the refunds below, and not with new ones.
    as_of: Moment,
}

/// What the address may say.
#[derive(Debug, Default, Deserialize)]
pub(super) struct OverviewQuery {
    currency: Option<String>,
}

/// What was refunded in a currency.
struct Volume {
    code: String,
    amount: String,
    refunds: String,
    is_charted: bool,
}

/// The figures that stand alone; none where there is nothing to divide by.
struct Tiles {
    success_rate: Option<String>,
    outcomes: String,
    settle_time: Option<String>,
    in_progress: String,
}

/// `GET /`.
pub(super) async fn show(viewer: Viewer, Query(query): Query<OverviewQuery>) -> Shown {
    let overview = viewer.ask::<GetOverview>(json!({})).await?;
    let wanted = query.currency.as_deref().and_then(|text| text.parse::<Currency>().ok());
    let is_connected = refunds::is_connected(&viewer).await?;
    let now = Now::of(&viewer, overview, wanted, is_connected);
    let page = OverviewPage {
        frame: Frame { title: "Overview", section: Section::Overview, viewer: &viewer },
        rows: now.overview.recent.iter().map(Row::of).collect(),
        is_update: false,
        live: live::address_of_overview(&now.overview.recent, now.chart.as_ref().map(|chart| chart.currency)),
        now,
    };
    page::html(&page)
}

/// What is sent to a page with these figures, of which a refund changed.
pub(super) async fn update(viewer: &Viewer, charted: Option<Currency>) -> Result<String, Error> {
    let overview = viewer.ask_on::<GetOverview>(json!({})).await?;
    let is_connected = refunds::is_connected_still(viewer).await?;
    let mut now = Now::of(viewer, overview, charted, is_connected);
    // Another currency's chart would stand below the heading of this one.
    now.chart = now.chart.filter(|chart| Some(chart.currency) == charted);
    Update { now }.render().map_err(Error::internal)
}

impl Now {
    fn of(viewer: &Viewer, overview: Overview, wanted: Option<Currency>, is_connected: bool) -> Self {
        // A currency in which nothing was refunded has no volume to show.
        let refunded: Vec<_> = overview.currencies.iter().filter(|figures| figures.completed > 0).collect();
        let charted =
            refunded.iter().find(|figures| Some(figures.currency) == wanted).or_else(|| refunded.first()).copied();
        Self {
            environment: viewer.environment(),
            volumes: refunded.iter().map(|figures| Volume::of(figures, charted)).collect(),
            chart: charted.map(Chart::of),
            tiles: Tiles {
                success_rate: overview.totals.success_rate_basis_points.map(percent),
                outcomes: outcomes(&overview.totals),
                settle_time: overview.totals.average_settle_ms.map(show::duration),
                in_progress: counted(&overview.in_progress),
            },
            is_connected,
            as_of: viewer.app.env.now().into(),
            overview,
        }
    }
}

impl Volume {
    fn of(figures: &CurrencyOverview, charted: Option<&CurrencyOverview>) -> Self {
        Self {
            code: figures.currency.to_string(),
            amount: show::money(ProcessorName::Stripe, figures.completed_amount, figures.currency),
            refunds: refunds_counted(figures.completed),
            is_charted: charted.is_some_and(|charted| charted.currency == figures.currency),
        }
    }
}

/// A count that may be more than was counted.
fn counted(count: &BoundedCount) -> String {
    let plus = if count.is_more { "+" } else { "" };
    format!("{}{plus}", show::number(count.count))
}

/// So many refunds, in words that fit the number.
fn refunds_counted(count: i64) -> String {
    format!("{} {}", show::number(count), if count == 1 { "refund" } else { "refunds" })
}

fn outcomes(totals: &Totals) -> String {
    let [completed, failed, cancelled] = [totals.completed, totals.failed, totals.cancelled].map(show::number);
    format!("{completed} completed, {failed} failed, {cancelled} cancelled")
}

/// Hundredths of a percent as people read them: `98.7%`; never rounded up to all.
fn percent(basis_points: i64) -> String {
    match (basis_points / 100, basis_points % 100 / 10) {
        (whole, 0) => format!("{whole}%"),
        (whole, tenth) => format!("{whole}.{tenth}%"),
    }
}

/// Thirty days of a currency, as bars. In units of the drawing.
struct Chart {
    currency: Currency,
    code: String,
    bars: Vec<Bar>,
    most: String,
    half: String,
    days: Vec<Figures>,
}

/// A day in the drawing.
struct Bar {
    x: usize,
    y: i64,
    height: i64,
    label: String,
}

/// A day in figures.
struct Figures {
    day: String,
    amount: String,
    completed: i64,
    failed: i64,
}

/// The height of the tallest bar, and the line that bars stand on.
const BAR_HEIGHT: i64 = 150;
const BASE: i64 = 151;
/// From one bar to the next.
const BAR_STEP: usize = 21;

impl Chart {
    fn of(figures: &CurrencyOverview) -> Self {
        let money = |minor| show::money(ProcessorName::Stripe, minor, figures.currency);
        let most = figures.days.iter().map(|day| day.completed_amount).max().unwrap_or(0);
        let bars = figures.days.iter().enumerate().map(|(place, day)| {
            let height = scaled(day.completed_amount, most);
            let label = format!("{}: {}", day.day, money(day.completed_amount));
            Bar { x: place * BAR_STEP, y: BASE - height, height, label }
        });
        let rows = figures.days.iter().rev().filter(|day| day.completed != 0 || day.failed != 0).map(|day| Figures {
            day: day.day.to_string(),
            amount: money(day.completed_amount),
            completed: day.completed,
            failed: day.failed,
        });
        Self {
            currency: figures.currency,
            code: figures.currency.as_str().to_ascii_uppercase(),
            bars: bars.collect(),
            most: money(most),
            half: money(most / 2),
            days: rows.collect(),
        }
    }

    fn first_day(&self) -> &str {
        self.bars.first().map_or("", |bar| bar.day())
    }

    fn last_day(&self) -> &str {
        self.bars.last().map_or("", |bar| bar.day())
    }

    /// The last day, and those whole weeks before it: `22 Feb`.
    fn ticks(&self) -> Vec<String> {
        let mut ticks: Vec<_> =
            self.bars.iter().rev().step_by(DAYS_OF_A_TICK).take(TICKS).map(|bar| short_day(bar.day())).collect();
        ticks.reverse();
        ticks
    }
}

/// Days between two words below the drawing, and how many there are: the style sheet has as many columns.
const DAYS_OF_A_TICK: usize = 7;
const TICKS: usize = 4;

/// `2026-02-22` as `22 Feb`.
fn short_day(day: &str) -> String {
    day.parse::<jiff::civil::Date>().map_or_else(|_| day.to_owned(), |day| day.strftime("%-d %b").to_string())
}

impl Bar {
    fn day(&self) -> &str {
        self.label.split(':').next().unwrap_or_default()
    }
}

/// How high the bar of an amount is: something is never nothing.
fn scaled(amount: i64, most: i64) -> i64 {
    if amount <= 0 || most <= 0 {
        return 0;
    }
    let height = i128::from(amount) * i128::from(BAR_HEIGHT) / i128::from(most);
    i64::try_from(height).unwrap_or(BAR_HEIGHT).clamp(2, BAR_HEIGHT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_never_rounded_up() {
        for (basis_points, text) in [(10_000, "100%"), (9_999, "99.9%"), (9_870, "98.7%"), (5_000, "50%"), (0, "0%")] {
            assert_eq!(percent(basis_points), text);
        }
    }

    #[test]
    fn bars_fit_the_drawing_and_something_is_seen() {
        for (amount, most, height) in [
            (0, 0, 0),
            (0, 100, 0),
            (1, 1_000_000, 2),
            (50, 100, 75),
            (100, 100, 150),
            (i64::MAX, i64::MAX, 150),
            (-5, 100, 0),
        ] {
            assert_eq!(scaled(amount, most), height, "{amount} of {most}");
        }
    }
}
