//! The client.

use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::{Instant, timeout_at};
use travel_types::Clock;
use url::Url;

use crate::auth::{Auth, Signable, set_bearer, set_secret};
use crate::classify::{Classifier, settle, unless_unknown};
use crate::engine::{Engine, HttpEngine, Outgoing, SendCause, SendFailure};
use crate::error::{Blame, Sent, SupplierError, SupplierErrorKind};
use crate::metrics::SupplierMetrics;
use crate::policy::Policy;
use crate::wire::{WireRequest, WireResponse};
use crate::{CallCx, Transport};
use secrecy::ExposeSecret;

/// What is fixed about a client.
#[derive(Clone, Debug)]
pub struct ApiClientConfig {
    /// The supplier's name: a label of metrics and logs.
    pub name: String,
    /// Scheme, host, port and perhaps a path prefix, which is kept.
    pub base_url: Url,
    /// Headers of every call; a request's own header of that name wins.
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
    /// [`ConfigError`] if the URL is none, is not `http` or `https`, or holds a password, a query or a
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
}

/// The client of one supplier or service.
pub struct ApiClient {
    config: ApiClientConfig,
    headers: HeaderMap,
    classifier: Classifier,
    auth: Auth,
    #[allow(dead_code, reason = "counted from the next commit on")]
    metrics: SupplierMetrics,
    clock: Clock,
    engine: Box<dyn Engine>,
}

impl ApiClient {
    /// A client.
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
        let connect = Duration::from_millis(config.policy.connect_timeout_ms);
        let engine = HttpEngine::new(connect, config.policy.max_response_bytes).map_err(wrong)?;
        Ok(Self {
            config,
            headers,
            classifier,
            auth,
            metrics: metrics.clone(),
            clock,
            engine: Box::new(engine),
        })
    }

    fn url(&self, request: &WireRequest) -> Result<Url, SupplierError> {
        let prefix = self.config.base_url.path().trim_end_matches('/');
        let path = format!("{prefix}{}", request.path());
        let mut url = self.config.base_url.clone();
        url.set_path(&path);
        if !request.path().starts_with('/') || url.path() != path {
            let detail = format!("path {:?} would not arrive as written", request.path());
            return Err(
                SupplierError::new(SupplierErrorKind::InvalidRequest, detail).with_sent(Sent::No),
            );
        }
        url.set_query(request.encoded_query().as_deref());
        Ok(url)
    }

    fn outgoing(&self, cx: &CallCx, request: &WireRequest) -> Result<Outgoing, SupplierError> {
        if let Some(fault) = request.fault() {
            return Err(
                SupplierError::new(SupplierErrorKind::InvalidRequest, fault).with_sent(Sent::No)
            );
        }
        let url = self.url(request)?;
        let mut headers = self.headers.clone();
        for (name, value) in request.headers() {
            headers.insert(name.clone(), value.clone());
        }
        cx.correlation.apply(&mut headers);
        match &self.auth {
            Auth::None => {}
            Auth::Bearer(token) => set_bearer(&mut headers, token)?,
            Auth::Header { name, secret } => {
                set_secret(&mut headers, name.clone(), secret.expose_secret())?;
            }
            Auth::Custom(signer) => {
                let target = &url[url::Position::BeforePath..];
                let signed = signer.sign(&Signable {
                    method: request.method(),
                    target,
                    body: request.body_bytes(),
                    now: self.clock.now(),
                })?;
                for (name, mut value) in signed {
                    value.set_sensitive(true);
                    if let Some(name) = name {
                        headers.insert(name, value);
                    }
                }
            }
        }
        Ok(Outgoing {
            method: request.method().clone(),
            url,
            headers,
            body: request.body_bytes().clone(),
        })
    }
}

#[async_trait]
impl Transport for ApiClient {
    async fn call(&self, cx: &CallCx, request: WireRequest) -> Result<WireResponse, SupplierError> {
        let outgoing = self.outgoing(cx, &request)?;
        let attempt = Duration::from_millis(self.config.policy.attempt_timeout_ms);
        let until = cx.deadline.min(Instant::now() + attempt);
        let sent = timeout_at(until, self.engine.send(outgoing)).await;
        let sent = sent.unwrap_or_else(|_| {
            Err(SendFailure {
                sent: Sent::Maybe,
                blame: Blame::Supplier,
                cause: SendCause::TimedOut,
                detail: "no complete answer in time".to_owned(),
            })
        });
        match sent {
            Ok(incoming) => {
                let response =
                    WireResponse::new(&request, incoming.status, incoming.headers, incoming.body);
                let verdict = (self.classifier)(&request, &response);
                settle(&request, response, verdict, None)
            }
            Err(failure) => {
                let kind = match failure.cause {
                    SendCause::TimedOut => SupplierErrorKind::Timeout,
                    SendCause::Unbuildable => SupplierErrorKind::InvalidRequest,
                    SendCause::TooLarge => SupplierErrorKind::Protocol,
                    SendCause::Connect | SendCause::Broken => SupplierErrorKind::Unavailable,
                };
                let error = SupplierError::new(kind, failure.detail)
                    .with_blame(failure.blame)
                    .with_sent(failure.sent);
                Err(unless_unknown(&request, error))
            }
        }
    }
}
