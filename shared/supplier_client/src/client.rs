//! The client of one supplier: what is fixed about it, and what it shares between its calls. One call's
//! way through the policies is in [`crate::call`].

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;
use travel_types::Clock;
use url::Url;

use crate::auth::Auth;
use crate::breaker::{Breaker, BreakerState};
use crate::bulkhead::Bulkhead;
use crate::classify::Classifier;
use crate::engine::{Engine, HttpEngine};
use crate::error::SupplierError;
use crate::metrics::SupplierMetrics;
use crate::pacing::Pacer;
use crate::policy::Policy;
use crate::retry::{Backoff, RetryBudget};
use crate::wire::{WireRequest, WireResponse};
use crate::{CallCx, Transport};

/// What is fixed about a client.
#[derive(Clone, Debug)]
pub struct ApiClientConfig {
    /// The supplier's name: a label of metrics and logs.
    pub name: String,
    /// Scheme, host, port and perhaps a path prefix, which is kept.
    pub base_url: Url,
    /// Headers of every call; a request's own header of that name wins. No secrets: see [`Auth`].
    pub headers: Vec<(String, String)>,
    /// Whether the other side is one of our own services, which is told the deadline.
    pub internal: bool,
    /// The numbers of the policies.
    pub policy: Policy,
    /// Fixes the jitter of retries, for tests.
    pub jitter_seed: Option<u64>,
}

/// A client cannot be made as configured.
#[derive(Debug, thiserror::Error)]
#[error("client {name}: {fault}")]
pub struct ConfigError {
    name: String,
    fault: String,
}

impl ApiClientConfig {
    /// A client without headers of its own and with the default policy.
    ///
    /// # Errors
    /// [`ConfigError`] if the URL is none, is not `http` or `https`, or holds a user, a query or a
    /// fragment.
    pub fn new(name: impl Into<String>, base_url: &str) -> Result<Self, ConfigError> {
        let name = name.into();
        let wrong = |fault: &str| ConfigError {
            name: name.clone(),
            fault: fault.to_owned(),
        };
        // The text of a wrong URL is not repeated: it may hold a password.
        let base_url = Url::parse(base_url).map_err(|_| wrong("base URL is not a URL"))?;
        let bare = base_url.username().is_empty()
            && base_url.password().is_none()
            && base_url.query().is_none()
            && base_url.fragment().is_none();
        if !bare {
            return Err(wrong(
                "base URL must not hold a user, a query or a fragment",
            ));
        }
        if !matches!(base_url.scheme(), "http" | "https") {
            return Err(wrong("base URL must be http or https"));
        }
        Ok(Self {
            name,
            base_url,
            headers: Vec::new(),
            internal: false,
            policy: Policy::default(),
            jitter_seed: None,
        })
    }

    /// The same with a header on every call.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with these policies.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// The same for one of our own services.
    #[must_use]
    pub fn internal(mut self) -> Self {
        self.internal = true;
        self
    }

    /// The same with jitter that is drawn alike each time.
    #[must_use]
    pub fn jitter_seed(mut self, seed: u64) -> Self {
        self.jitter_seed = Some(seed);
        self
    }
}

/// How a client stands, for a health page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientStatus {
    /// The supplier's name.
    pub name: String,
    /// The state of its breaker.
    pub breaker: BreakerState,
    /// How long the breaker keeps attempts away, if it does.
    pub retry_in: Option<Duration>,
    /// How long the supplier's own `Retry-After` keeps attempts away, if it does.
    pub paused_for: Option<Duration>,
    /// Attempts in the breaker's window.
    pub attempts: u32,
    /// Failures among them.
    pub failures: u32,
    /// Retries that the budget would pay for now.
    pub retries_left: u64,
}

/// The client of one supplier or service: one per process and supplier, shared by all calls.
pub struct ApiClient {
    pub(crate) config: ApiClientConfig,
    pub(crate) headers: HeaderMap,
    pub(crate) classifier: Classifier,
    pub(crate) auth: Auth,
    pub(crate) metrics: SupplierMetrics,
    pub(crate) clock: Clock,
    pub(crate) engine: Box<dyn Engine>,
    pub(crate) bulkhead: Bulkhead,
    pub(crate) pacer: Pacer,
    pub(crate) breaker: Arc<Breaker>,
    pub(crate) budget: RetryBudget,
    pub(crate) backoff: Backoff,
}

impl ApiClient {
    /// A client. `classifier` is [`crate::by_status`] unless the supplier's statuses mislead.
    ///
    /// # Errors
    /// [`ConfigError`] for numbers or headers that make no sense, or a machine without TLS roots.
    pub fn new(
        config: ApiClientConfig,
        classifier: Classifier,
        auth: Auth,
        metrics: &SupplierMetrics,
        clock: Clock,
    ) -> Result<Self, ConfigError> {
        let connect = Duration::from_millis(config.policy.connect_timeout_ms);
        let engine =
            HttpEngine::new(connect, config.policy.max_response_bytes).map_err(|fault| {
                ConfigError {
                    name: config.name.clone(),
                    fault,
                }
            })?;
        Self::with_engine(config, classifier, auth, metrics, clock, Box::new(engine))
    }

    pub(crate) fn with_engine(
        config: ApiClientConfig,
        classifier: Classifier,
        auth: Auth,
        metrics: &SupplierMetrics,
        clock: Clock,
        engine: Box<dyn Engine>,
    ) -> Result<Self, ConfigError> {
        let wrong = |fault: String| ConfigError {
            name: config.name.clone(),
            fault,
        };
        if let Some(fault) = config.policy.fault() {
            return Err(wrong(fault.to_owned()));
        }
        let mut headers = HeaderMap::new();
        for (name, value) in &config.headers {
            let (Ok(header), Ok(value)) = (
                HeaderName::from_bytes(name.as_bytes()),
                HeaderValue::from_str(value),
            ) else {
                return Err(wrong(format!("header {name:?} cannot be sent")));
            };
            headers.insert(header, value);
        }
        let policy = &config.policy;
        let observer = metrics.breaker_observer(&config.name);
        Ok(Self {
            headers,
            classifier,
            auth,
            metrics: metrics.clone(),
            clock,
            engine,
            bulkhead: Bulkhead::new(&policy.bulkhead),
            pacer: Pacer::new(&policy.pacing),
            breaker: Breaker::new(policy.breaker.clone(), observer),
            budget: RetryBudget::new(&policy.retry),
            backoff: Backoff::new(&policy.retry, config.jitter_seed),
            config,
        })
    }

    /// How the client stands now.
    pub fn status(&self) -> ClientStatus {
        let now = Instant::now();
        let (attempts, failures) = self.breaker.window(now);
        ClientStatus {
            name: self.config.name.clone(),
            breaker: self.breaker.state(now),
            retry_in: self.breaker.refusal(now),
            paused_for: self.pacer.paused_for(now),
            attempts,
            failures,
            retries_left: self.budget.left(),
        }
    }
}

#[async_trait]
impl Transport for ApiClient {
    async fn call(&self, cx: &CallCx, request: WireRequest) -> Result<WireResponse, SupplierError> {
        self.observed(cx, &request).await
    }
}
