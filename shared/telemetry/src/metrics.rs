//! Prometheus metrics of one service.

use std::sync::Arc;

use prometheus::{
    Encoder, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder,
};

/// A metric could not be registered: its name or labels are wrong, or taken with other labels.
#[derive(Debug, thiserror::Error)]
#[error("metric {name}: {source}")]
pub struct MetricsError {
    name: String,
    source: prometheus::Error,
}

/// The metrics of one service. Clones share one registry. Every name begins with `interline_`.
#[derive(Clone, Debug, Default)]
pub struct Metrics(Arc<Registry>);

impl Metrics {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// A counter with labels.
    ///
    /// # Errors
    /// [`MetricsError`] for an ill-formed or taken name.
    pub fn counter(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntCounterVec, MetricsError> {
        self.register(name, IntCounterVec::new(Opts::new(name, help), labels))
    }

    /// A gauge with labels.
    ///
    /// # Errors
    /// [`MetricsError`] for an ill-formed or taken name.
    pub fn gauge(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntGaugeVec, MetricsError> {
        self.register(name, IntGaugeVec::new(Opts::new(name, help), labels))
    }

    /// A histogram of seconds with labels, from 1 ms to 2 minutes.
    ///
    /// # Errors
    /// [`MetricsError`] for an ill-formed or taken name.
    pub fn seconds(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<HistogramVec, MetricsError> {
        let buckets = vec![
            0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
            60.0, 120.0,
        ];
        let options = HistogramOpts::new(name, help).buckets(buckets);
        self.register(name, HistogramVec::new(options, labels))
    }

    fn register<C>(&self, name: &str, made: prometheus::Result<C>) -> Result<C, MetricsError>
    where
        C: prometheus::core::Collector + Clone + 'static,
    {
        made.and_then(|collector| {
            self.0.register(Box::new(collector.clone()))?;
            Ok(collector)
        })
        .map_err(|source| MetricsError {
            name: name.to_owned(),
            source,
        })
    }

    /// Everything in Prometheus' text format 0.0.4, followed by the process's own figures.
    pub fn render(&self) -> String {
        let mut text = Vec::new();
        // Encoding to memory fails only for a metric without name or samples: leave it out.
        let _ = TextEncoder::new().encode(&self.0.gather(), &mut text);
        let mut text = String::from_utf8(text).unwrap_or_default();
        text.push_str(&process_figures());
        text
    }
}

/// Resident memory and open files as `/proc/self` tells them; nothing on other systems.
fn process_figures() -> String {
    let mut text = String::new();
    let resident = std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| {
            let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
            line.split_whitespace().nth(1)?.parse::<u64>().ok()
        });
    if let Some(kib) = resident {
        text.push_str("# HELP process_resident_memory_bytes Resident memory size in bytes.\n");
        text.push_str("# TYPE process_resident_memory_bytes gauge\n");
        text.push_str(&format!("process_resident_memory_bytes {}\n", kib * 1024));
    }
    if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
        text.push_str("# HELP process_open_fds Number of open file descriptors.\n");
        text.push_str("# TYPE process_open_fds gauge\n");
        text.push_str(&format!("process_open_fds {}\n", files.count()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_rendered_and_a_taken_name_is_refused() {
        let metrics = Metrics::new();
        let calls = metrics
            .counter("interline_calls_total", "Calls.", &["supplier"])
            .unwrap();
        calls.with_label_values(&["duffel"]).inc();
        assert!(
            metrics
                .render()
                .contains("interline_calls_total{supplier=\"duffel\"} 1")
        );
        assert!(
            metrics
                .counter("interline_calls_total", "Calls.", &["other"])
                .is_err()
        );
    }
}
