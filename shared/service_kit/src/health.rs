//! `/health/live`, `/health/ready` and `/health` in the shape of `application/health+json`
//! (draft-inadarei-api-health-check-06).

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use futures_util::future::join_all;
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout};

/// A probe that takes longer is failing.
const PROBE_LIMIT: Duration = Duration::from_secs(1);

type Probe = dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync;

/// Something that the service depends on.
#[derive(Clone)]
pub struct Check {
    name: String,
    required: bool,
    probe: Arc<Probe>,
}

impl Check {
    /// A dependency without which the service is not ready. The probe's error is shown to operators:
    /// it must hold no secret.
    pub fn required<F, R>(name: impl Into<String>, probe: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), String>> + Send + 'static,
    {
        Self {
            name: name.into(),
            required: true,
            probe: Arc::new(move || Box::pin(probe())),
        }
    }

    /// A dependency whose loss is shown (`warn`) but does not take the service out of rotation.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.required = false;
        self
    }
}

/// One dependency's state.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Checked {
    /// `pass`, `warn` or `fail`.
    pub status: String,
    /// How long the probe took, in milliseconds.
    pub observed_ms: u64,
    /// What is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}

/// A service's state.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Health {
    /// `pass`, `warn` (something optional is missing) or `fail`.
    pub status: String,
    /// The service's name.
    pub service_id: String,
    /// Its version.
    pub version: String,
    /// Each dependency.
    pub checks: BTreeMap<String, Checked>,
}

/// Probes everything at once.
pub async fn health_of(service: &str, checks: &[Check]) -> Health {
    let probes = checks.iter().map(|check| async move {
        let started = Instant::now();
        let outcome = timeout(PROBE_LIMIT, (check.probe)())
            .await
            .unwrap_or_else(|_| Err("no answer within a second".to_owned()));
        let failed = if check.required { "fail" } else { "warn" };
        let checked = Checked {
            status: if outcome.is_ok() { "pass" } else { failed }.to_owned(),
            observed_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            output: outcome.err(),
        };
        (check.name.clone(), checked)
    });
    let checks: BTreeMap<String, Checked> = join_all(probes).await.into_iter().collect();
    let has = |status: &str| checks.values().any(|checked| checked.status == status);
    let status = match (has("fail"), has("warn")) {
        (true, _) => "fail",
        (false, true) => "warn",
        (false, false) => "pass",
    };
    Health {
        status: status.to_owned(),
        service_id: service.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        checks,
    }
}

impl IntoResponse for Health {
    fn into_response(self) -> Response {
        let status = if self.status == "fail" {
            StatusCode::SERVICE_UNAVAILABLE
        } else {
            StatusCode::OK
        };
        let body = serde_json::to_string(&self).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/health+json"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_hanging_dependency_fails_the_service_after_a_second_and_an_optional_one_warns() {
        let hangs = || Check::required("store", std::future::pending);
        let health = health_of("x", &[hangs()]).await;
        assert_eq!(health.status, "fail");
        assert_eq!(health.into_response().status(), 503);
        let health = health_of("x", &[hangs().optional()]).await;
        assert_eq!(health.status, "warn");
        assert_eq!(health.into_response().status(), 200);
    }
}
