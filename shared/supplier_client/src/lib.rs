//! Calls to suppliers and services. An adapter builds a [`WireRequest`] and reads a [`WireResponse`];
//! [`ApiClient`] sends it under every policy: deadline, bulkhead, pacing, breaker, retries, time-outs,
//! credentials, correlation, metrics. `docs/integration-layer.md` is the manual.

mod auth;
mod breaker;
mod bulkhead;
mod call;
#[cfg(test)]
mod call_tests;
mod classify;
mod client;
mod engine;
mod error;
mod metrics;
mod oauth2;
#[cfg(test)]
mod oauth2_tests;
mod outgoing;
mod pacing;
mod policy;
pub mod recording;
mod retry;
pub mod scripted;
pub mod tolerant;
mod wire;

use async_trait::async_trait;
use telemetry::Correlation;
use tokio::time::Instant;

pub use auth::{Auth, Signable, Signer};
pub use breaker::{Breaker, BreakerObserver, BreakerState, Ticket};
pub use classify::{Classifier, Verdict, by_status};
pub use client::{ApiClient, ApiClientConfig, ClientStatus, ConfigError};
pub use error::{Blame, Retry, Sent, SupplierError, SupplierErrorKind};
pub use metrics::SupplierMetrics;
pub use oauth2::{CredentialsIn, OAuth2Client, OAuth2Config};
pub use policy::{
    BreakerPolicy, BulkheadPolicy, POLICY_DEFAULTS, PacingPolicy, Policy, RetryPolicy,
};
pub use retry::RetryBudget;
pub use wire::{Safety, WireRequest, WireResponse, path_segment};

/// What a call is told by whoever makes it: no more than this.
#[derive(Clone, Debug)]
pub struct CallCx {
    /// When the caller gives up. Nothing of the call lasts longer.
    pub deadline: Instant,
    /// The request that caused the call.
    pub correlation: Correlation,
}

impl CallCx {
    /// A call that may last until `deadline`.
    pub fn new(deadline: Instant, correlation: Correlation) -> Self {
        Self {
            deadline,
            correlation,
        }
    }
}

/// The one way out. Adapters take an `Arc<dyn Transport>`, so that tests can script the wire.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends the request and gives back a complete answer that the classifier calls a success or an
    /// answer ([`Verdict`]).
    ///
    /// # Errors
    /// Whatever else happened, with blame, retry and how far the request got.
    async fn call(&self, cx: &CallCx, request: WireRequest) -> Result<WireResponse, SupplierError>;
}

/// The manual's examples, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/integration-layer.md")]
pub struct Manual;
