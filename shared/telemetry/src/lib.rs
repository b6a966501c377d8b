//! Logging, correlation and metrics.
