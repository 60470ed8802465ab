//! `refundkit reconcile`: our books against the processor's, on the database itself, whether or not a server runs beside it.

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use anyhow::bail;
use refundkit_core::schedule::Schedule;
use refundkit_server::{
    app::{App, Parts},
    config::{DataConfig, DatabaseUrl, PublicUrl, StripeConfig},
    env::Env,
    interfaces::network::TrustedProxies,
    limits,
    reconcile::{self, Report},
    setup,
    store::connections,
};
use serde::Serialize;

use super::{
    exit::Exit,
    output::{Output, clean, table},
    values,
};

/// Compares the refunds of every connection with those that the processor lists, and tells every difference by kind.
///
/// It works on the database itself, with the settings of `refundkit serve`; a server may run beside it. It never moves money.
/// Where the processor's copy brings news of a refund, our books are corrected as a poll would; refunds made elsewhere are
/// remembered, and told once. Exits with 8 when there was any difference, with 5 when it could not be compared to the end.
///
/// Examples:
///   refundkit reconcile
///   refundkit reconcile --since 7d --json
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct ReconcileArgs {
    /// How far back: days or hours (30d, 12h), a day (2026-11-01), or a time.
    #[arg(long, value_name = "WHEN", default_value = "30d", value_parser = values::since)]
    since: values::Since,
    #[command(flatten)]
    data: DataConfig,
    #[command(flatten)]
    stripe: StripeConfig,
}

/// What was found, connection by connection.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    drift_count: usize,
    connections: Vec<Report>,
}

pub(crate) async fn run(args: ReconcileArgs, output: Output) -> anyhow::Result<ExitCode> {
    if let DatabaseUrl::Sqlite { path } = &args.data.database_url
        && !path.exists()
    {
        bail!("there is no database at {}; say where it is with REFUNDKIT_DATABASE_URL", path.display());
    }
    let (store, vault) = setup::open(&args.data).await?;
    let app = App::start(Parts {
        env: Env::default(),
        stripe_carrier: None,
        worker_rest_max: limits::WORKER_REST_MAX,
        store,
        vault,
        stripe_api_base: args.stripe.stripe_api_base,
        public_url: PublicUrl::of_listener(SocketAddr::from(([127, 0, 0, 1], 0))),
        trusted_proxies: TrustedProxies::default(),
        stripe_rate: args.stripe.stripe_rate,
        submit_deadline: Duration::ZERO,
        schedule: Schedule::default(),
        rate_limit: 0,
    });
    let since = args.since.before(app.env.now());
    let followed = connections::list_followed(&mut *app.store.read().await?).await?;
    let mut found = Found { drift_count: 0, connections: Vec::with_capacity(followed.len()) };
    for (tenant, id) in followed {
        let report = reconcile::compare(&app, tenant, id, since).await;
        found.drift_count += report.drift_count;
        found.connections.push(report);
    }
    app.request_log.close().await;
    app.store.close().await;
    output.show(&found, tell)?;
    let is_cut_short = found.connections.iter().any(|report| report.error.is_some());
    Ok(match (found.drift_count, is_cut_short) {
        (0, false) => Exit::Done,
        (0, true) => Exit::Temporary,
        _ => Exit::Drift,
    }
    .into())
}

fn tell(found: &Found) -> String {
    if found.connections.is_empty() {
        return "No processor is connected: there is nothing to compare.\n".to_owned();
    }
    found.connections.iter().map(tell_one).collect::<Vec<_>>().join("\n")
}

fn tell_one(report: &Report) -> String {
    let Report { connection_id, environment, since, compared, listed, drift_count, .. } = report;
    let mut text = format!(
        "{connection_id} ({environment}) since {since}: compared {compared}, at the processor {listed}, differences {drift_count}\n"
    );
    if !report.drift.is_empty() {
        let rows = report.drift.iter().map(|drift| {
            [
                drift.kind.as_str().to_owned(),
                drift.refund_id.map_or_else(|| "-".to_owned(), |id| id.to_string()),
                if drift.corrected { "yes" } else { "no" }.to_owned(),
                clean(&drift.message).into_owned(),
            ]
        });
        text += "\n";
        text += &table(["KIND", "REFUND", "IN OUR BOOKS NOW", "WHAT DIFFERS"], rows);
    }
    if let Some(error) = &report.error {
        text.extend(["\nNot compared to the end: ", &clean(error), "\n"]);
    }
    text
}
