//! The metric families of all clients of one service.

use tokio::time::Instant;

use telemetry::{HistogramVec, IntCounterVec, IntGaugeVec, Metrics, MetricsError};

use crate::breaker::{BreakerObserver, BreakerState};

/// Registered once per service and shared by its clients. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SupplierMetrics {
    calls: IntCounterVec,
    attempts: IntCounterVec,
    retries: IntCounterVec,
    breaker_state: IntGaugeVec,
    breaker_transitions: IntCounterVec,
    seconds: HistogramVec,
    in_flight: IntGaugeVec,
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

impl SupplierMetrics {
    /// A retry goes out.
    pub(crate) fn retry(&self, supplier: &str, operation: &str) {
        self.retries.with_label_values(&[supplier, operation]).inc();
    }

    /// What a client's breaker tells of its changes.
    pub(crate) fn breaker_observer(&self, supplier: &str) -> BreakerObserver {
        let supplier = supplier.to_owned();
        let state = self.breaker_state.with_label_values(&[supplier.as_str()]);
        let transitions = self.breaker_transitions.clone();
        state.set(0);
        Box::new(move |new| {
            state.set(match new {
                BreakerState::Closed => 0,
                BreakerState::HalfOpen => 1,
                BreakerState::Open => 2,
            });
            transitions
                .with_label_values(&[supplier.as_str(), new.as_str()])
                .inc();
            tracing::warn!(%supplier, state = new.as_str(), "breaker changed");
        })
    }
}

/// Counts how a call or an attempt ended, whichever way: a dropped future too.
pub(crate) struct Ending<'c> {
    metrics: &'c SupplierMetrics,
    supplier: &'c str,
    operation: &'static str,
    /// The `outcome` label. What nobody sets was dropped.
    pub(crate) outcome: &'static str,
    /// When a call began; `None` for an attempt.
    began: Option<Instant>,
}

impl<'c> Ending<'c> {
    /// Of a call, which is under way from now on.
    pub(crate) fn of_call(
        metrics: &'c SupplierMetrics,
        supplier: &'c str,
        operation: &'static str,
    ) -> Self {
        metrics.in_flight.with_label_values(&[supplier]).inc();
        let mut ending = Self::of_attempt(metrics, supplier, operation);
        ending.began = Some(Instant::now());
        ending
    }

    /// Of an attempt.
    pub(crate) fn of_attempt(
        metrics: &'c SupplierMetrics,
        supplier: &'c str,
        operation: &'static str,
    ) -> Self {
        Self {
            metrics,
            supplier,
            operation,
            outcome: "cancelled",
            began: None,
        }
    }
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let labels = [self.supplier, self.operation, self.outcome];
        let Some(began) = self.began else {
            self.metrics.attempts.with_label_values(&labels).inc();
            return;
        };
        self.metrics.calls.with_label_values(&labels).inc();
        self.metrics
            .seconds
            .with_label_values(&[self.supplier, self.operation])
            .observe(began.elapsed().as_secs_f64());
        self.metrics
            .in_flight
            .with_label_values(&[self.supplier])
            .dec();
    }
}
