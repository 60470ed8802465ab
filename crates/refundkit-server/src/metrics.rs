//! The names of all metrics, and the loopback listener that serves them to Prometheus.

use std::time::Duration;

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use refundkit_core::invariants::{INVARIANTS, Violation};

/// Counter: requests answered, by `operation` and `status`.
pub const REQUESTS: &str = "refundkit_requests_total";
/// Histogram: seconds from request to answer, by `operation`.
pub const REQUEST_SECONDS: &str = "refundkit_request_seconds";
/// Counter: refund events written, by `type`.
pub const REFUND_EVENTS: &str = "refundkit_refund_events_total";
/// Counter: answers of a processor to submissions, by `outcome`.
pub const SUBMISSIONS: &str = "refundkit_submissions_total";
/// Counter: calls to a processor that nobody waits for, by `kind`.
pub const BACKGROUND_CALLS: &str = "refundkit_background_calls_total";
/// Counter: notifications of processors, by `verdict`: what became of them at the door.
pub const NOTIFICATIONS: &str = "refundkit_notifications_total";
/// Counter: notifications that were digested, by `outcome`.
pub const NOTIFICATIONS_DIGESTED: &str = "refundkit_notifications_digested_total";
/// Counter: differences found between our books and a processor's, by `kind`.
pub const DRIFT: &str = "refundkit_drift_total";
/// Gauge: by how many seconds the longest due look is late.
pub const LOOKS_LATE_SECONDS: &str = "refundkit_looks_late_seconds";
/// Gauge: refunds that are to be submitted now.
pub const JOBS_DUE: &str = "refundkit_jobs_due";
/// Gauge: things since the start that a person should look at; each was one ERROR line in the log.
pub const ALARMS: &str = "refundkit_alarms";
/// Counter: promises found broken, by `invariant`. Anything but zero is a defect.
pub const VIOLATIONS: &str = "refundkit_invariant_violations_total";
/// Counter: log entries that were dropped because too many waited.
pub const LOG_ENTRIES_DROPPED: &str = "refundkit_log_entries_dropped_total";

const BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Raises an alarm: one ERROR line and a gauge.
pub fn alarm(refund_id: Option<refundkit::RefundId>, message: &str) {
    let refund_id = refund_id.map(|id| id.to_string()).unwrap_or_default();
    tracing::error!(refund_id, "{message}");
    metrics::gauge!(ALARMS).increment(1.0);
}

/// Tells that a promise does not hold: one ERROR line, the gauge, and the counter of that promise.
pub fn violated(refund_id: Option<refundkit::RefundId>, violation: &Violation) {
    metrics::counter!(VIOLATIONS, "invariant" => violation.invariant.as_str()).increment(1);
    alarm(refund_id, &format!("a promise does not hold: {violation}"));
}

/// Starts to record. Once in a process.
pub fn install() -> Result<PrometheusHandle, BuildError> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full(REQUEST_SECONDS.to_owned()), &BUCKETS)?
        .install_recorder()?;
    describe_counter!(REQUESTS, "Requests answered, by operation and status");
    describe_histogram!(REQUEST_SECONDS, Unit::Seconds, "Seconds from request to answer, by operation");
    describe_counter!(REFUND_EVENTS, "Refund events written, by type");
    describe_counter!(SUBMISSIONS, "Answers of a processor to submissions, by outcome");
    describe_counter!(BACKGROUND_CALLS, "Calls to a processor that nobody waits for, by kind");
    describe_counter!(NOTIFICATIONS, "Notifications of processors, by what became of them at the door");
    describe_counter!(NOTIFICATIONS_DIGESTED, "Notifications digested, by outcome");
    describe_counter!(DRIFT, "Differences found between our books and a processor's, by kind");
    describe_gauge!(LOOKS_LATE_SECONDS, Unit::Seconds, "By how much the longest due look at a refund is late");
    describe_gauge!(JOBS_DUE, "Refunds that are to be submitted now");
    describe_gauge!(ALARMS, "Things since the start that a person should look at");
    describe_counter!(VIOLATIONS, "Promises found broken, by invariant");
    for invariant in INVARIANTS {
        metrics::counter!(VIOLATIONS, "invariant" => invariant.as_str()).increment(0);
    }
    describe_counter!(LOG_ENTRIES_DROPPED, "Log entries dropped because too many waited");
    metrics::gauge!(ALARMS).set(0.0);
    Ok(handle)
}

/// Serves the metrics until the process ends.
pub async fn serve(listener: tokio::net::TcpListener, handle: PrometheusHandle) -> std::io::Result<()> {
    let upkeep = handle.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP_EVERY).await;
            upkeep.run_upkeep();
        }
    });
    let routes = axum::Router::new().route("/metrics", axum::routing::get(move || async move { handle.render() }));
    axum::serve(listener, routes).await
}
