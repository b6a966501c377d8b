//! `interline health`: asks a service whether it is well. For containers, whose image holds no other
//! program that could ask.

use std::time::Duration;

use http::Uri;
use service_kit::StartError;
use supplier_client::{
    ApiClient, ApiClientConfig, Auth, CallCx, Policy, SupplierMetrics, Transport as _, WireRequest,
    by_status,
};
use telemetry::{Correlation, Metrics};
use tokio::time::Instant;
use travel_types::Clock;

use crate::screen::Screen;

/// A service that has not answered by then is not well. Its own checks take a second at most.
const LIMIT: Duration = Duration::from_secs(3);

#[derive(clap::Args)]
pub(crate) struct HealthOptions {
    /// The address that is asked: http://host:port, and /health/ready unless another path is given.
    #[arg(env = "INTERLINE_HEALTH_URL", default_value = "http://127.0.0.1:8000")]
    url: String,
}

/// Ends well if the answer is a 2xx.
pub(crate) fn health(options: &HealthOptions) -> Result<(), StartError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(other)?;
    let body = runtime.block_on(ask(&options.url))?;
    Screen::new().line(body.trim_end());
    Ok(())
}

async fn ask(url: &str) -> Result<String, StartError> {
    let (base, path) = parts(url).ok_or_else(|| {
        StartError::Other(format!(
            "'{url}' cannot be asked; it must be http://host:port or http://host:port/path"
        ))
    })?;
    let metrics = SupplierMetrics::register(&Metrics::new())?;
    // The next question comes from whoever runs the container.
    let mut policy = Policy::default();
    policy.retry.max_attempts = 1;
    let config = ApiClientConfig::new("health", &base)
        .map_err(other)?
        .policy(policy);
    let client =
        ApiClient::new(config, by_status, Auth::None, &metrics, Clock::system()).map_err(other)?;
    let call = CallCx::new(Instant::now() + LIMIT, Correlation::new());
    let unwell = |problem: &dyn std::fmt::Display| StartError::Other(format!("{url}: {problem}"));
    let answer = client.call(&call, WireRequest::get("health", path)).await;
    let answer = answer.map_err(|error| unwell(&error))?;
    if !answer.status.is_success() {
        return Err(unwell(&answer.status));
    }
    Ok(String::from_utf8_lossy(&answer.body).into_owned())
}

/// An address as what a client is made for and what it asks.
fn parts(url: &str) -> Option<(String, String)> {
    let uri: Uri = url.parse().ok()?;
    let base = format!("{}://{}", uri.scheme_str()?, uri.authority()?);
    let path = match uri.path() {
        "" | "/" => "/health/ready",
        path => path,
    };
    Some((base, path.to_owned()))
}

fn other(error: impl std::fmt::Display) -> StartError {
    StartError::Other(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_a_path_means_readiness() {
        let asked = |url: &str| parts(url).map(|(base, path)| base + &path);
        for (url, full) in [
            (
                "http://127.0.0.1:8000",
                "http://127.0.0.1:8000/health/ready",
            ),
            ("http://[::1]:8011/", "http://[::1]:8011/health/ready"),
            ("http://a:1/health/live", "http://a:1/health/live"),
        ] {
            assert_eq!(asked(url).as_deref(), Some(full));
        }
        assert_eq!(asked("127.0.0.1:8000"), None);
        assert_eq!(asked("/health/ready"), None);
    }
}
