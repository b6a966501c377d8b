//! Log lines on standard error: readable in development, one JSON object a line elsewhere. Values are
//! fields, never parts of the message, so that no input can forge a line.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people; colours only where asked for.
    Readable {
        /// Whether to colour levels.
        colour: bool,
    },
    /// One JSON object a line.
    Json,
}

/// Starts logging for the whole process. `filter` is a level (`info`) or `tracing` directives
/// (`info,supplier_client=debug`). A second call changes nothing.
///
/// # Errors
/// The text of what is wrong with the filter.
pub fn init_logging(filter: &str, format: LogFormat) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| format!("log filter '{filter}' is not valid: {error}"))?;
    let registry = tracing_subscriber::registry().with(filter);
    let started = match format {
        LogFormat::Readable { colour } => registry
            .with(
                fmt::layer()
                    .with_writer(std::io::stderr)
                    .with_ansi(colour)
                    .with_target(false),
            )
            .try_init(),
        LogFormat::Json => registry
            .with(
                fmt::layer()
                    .json()
                    .flatten_event(true)
                    .with_current_span(true)
                    .with_span_list(false)
                    .with_writer(std::io::stderr),
            )
            .try_init(),
    };
    // Several services of one process share one subscriber: the first one wins.
    drop(started);
    Ok(())
}
