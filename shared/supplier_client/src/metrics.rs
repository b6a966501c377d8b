//! The metric families of all clients of one service.

use telemetry::{HistogramVec, IntCounterVec, IntGaugeVec, Metrics, MetricsError};

/// Registered once per service and shared by its clients. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SupplierMetrics {
    pub(crate) calls: IntCounterVec,
    pub(crate) attempts: IntCounterVec,
    pub(crate) retries: IntCounterVec,
    pub(crate) breaker_state: IntGaugeVec,
    pub(crate) breaker_transitions: IntCounterVec,
    pub(crate) seconds: HistogramVec,
    pub(crate) in_flight: IntGaugeVec,
}

impl SupplierMetrics {
    /// Registers the families.
    ///
    /// # Errors
    /// [`MetricsError`] if they are registered already.
    pub fn register(metrics: &Metrics) -> Result<Self, MetricsError> {
        Ok(Self {
            calls: metrics.counter(
                "interline_supplier_calls_total",
                "Calls, by how they ended.",
                &["supplier", "operation", "outcome"],
            )?,
            attempts: metrics.counter(
                "interline_supplier_attempts_total",
                "Requests put on the wire, by what came of each.",
                &["supplier", "operation", "outcome"],
            )?,
            retries: metrics.counter(
                "interline_supplier_retries_total",
                "Attempts after a call's first.",
                &["supplier", "operation"],
            )?,
            breaker_state: metrics.gauge(
                "interline_supplier_breaker_state",
                "0 closed, 1 half-open, 2 open.",
                &["supplier"],
            )?,
            breaker_transitions: metrics.counter(
                "interline_supplier_breaker_transitions_total",
                "Changes of the breaker's state, by the new state.",
                &["supplier", "to"],
            )?,
            seconds: metrics.seconds(
                "interline_supplier_seconds",
                "Duration of calls, waits and retries included.",
                &["supplier", "operation"],
            )?,
            in_flight: metrics.gauge(
                "interline_supplier_in_flight",
                "Calls under way.",
                &["supplier"],
            )?,
        })
    }
}
