//! How the system is watched: log lines that carry their request, correlation that travels with every
//! call, and metrics for Prometheus.

mod correlation;
mod logging;
mod metrics;

pub use correlation::{Correlation, REQUEST_ID, TRACEPARENT};
pub use logging::{LogFormat, init_logging};
pub use metrics::{Metrics, MetricsError};
pub use prometheus::{Histogram, HistogramVec, IntCounterVec, IntGaugeVec};
