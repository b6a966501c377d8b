//! Amadeus (Enterprise host): token by client credentials in the form, the headers of every call, the
//! error body with its table of codes, and the look-up of a record by our own reference.
//!
//! Source: amadeus4dev/amadeus-open-api-specification, `spec/json/*.json`; the header `ama-Client-Ref`
//! is the Enterprise host's (`SESSION_ID:REQUEST_ID`).

pub mod errors;
pub mod records;

use std::sync::Arc;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use service_kit::{Context, StartError};
use supplier_client::{
    Auth, CallCx, CredentialsIn, OAuth2Client, OAuth2Config, Safety, SupplierError,
    SupplierMetrics, Transport, WireRequest, WireResponse, by_status,
};
use travel_types::Clock;
use vertical_kit::supplier_settings::SupplierSettings;

/// The keys that production must set: the sandbox's stand in the default documents.
pub const MUST_BE_SET: [&str; 3] = ["base_url", "client_id", "client_secret"];

const MEDIA_TYPE: &str = "application/vnd.amadeus+json";
const TOKEN_PATH: &str = "/v1/security/oauth2/token";

/// Every body of the platform's is wrapped so.
#[derive(Debug, Deserialize, Serialize)]
pub struct Data<T> {
    /// What it is about.
    pub data: T,
}

/// The platform as one adapter calls it.
pub struct Amadeus {
    wire: Arc<dyn Transport>,
}

/// A `POST` with a body in the platform's media type.
///
/// # Errors
/// [`supplier_client::SupplierErrorKind::InvalidRequest`] if the body cannot be written as JSON.
pub fn post(
    operation: &'static str,
    path: impl Into<String>,
    safety: Safety,
    body: &impl Serialize,
) -> Result<WireRequest, SupplierError> {
    let request = WireRequest::post(operation, path, safety).json(body)?;
    Ok(request.header("content-type", MEDIA_TYPE))
}

/// A `POST` that only asks (searches, prices), which the platform wants to be told.
///
/// # Errors
/// As [`post`].
pub fn question(
    operation: &'static str,
    path: impl Into<String>,
    body: &impl Serialize,
) -> Result<WireRequest, SupplierError> {
    let request = post(operation, path, Safety::Safe, body)?;
    Ok(request.header("x-http-method-override", "GET"))
}

/// Tokens by client credentials in the form (`Authorizaton`, `POST /security/oauth2/token`).
fn tokens(
    endpoint: Arc<dyn Transport>,
    client_id: String,
    secret: SecretString,
    clock: Clock,
) -> Auth {
    let mut config = OAuth2Config::new(TOKEN_PATH, client_id, secret);
    config.credentials_in = CredentialsIn::Body;
    Auth::OAuth2(OAuth2Client::new(endpoint, config, clock))
}

impl Amadeus {
    /// The platform behind a wire that has its credentials already.
    pub fn new(wire: Arc<dyn Transport>) -> Self {
        Self { wire }
    }

    /// The platform as configured for the supplier `name`: beside the keys of every supplier,
    /// `suppliers.<name>.client_id` and `suppliers.<name>.client_secret`.
    ///
    /// # Errors
    /// [`StartError`] for a value that cannot be used.
    pub fn connect(
        context: &Context,
        metrics: &SupplierMetrics,
        settings: &SupplierSettings,
        name: &str,
    ) -> Result<Self, StartError> {
        let client_id: String = context
            .settings
            .get(&format!("suppliers.{name}.client_id"))?;
        let secret: SecretString = context
            .settings
            .get(&format!("suppliers.{name}.client_secret"))?;
        let endpoint = settings.client(context, metrics, &[], by_status, Auth::None)?;
        let auth = tokens(Arc::new(endpoint), client_id, secret, context.clock.clone());
        let headers = [("Accept", MEDIA_TYPE)];
        let client = settings.client(context, metrics, &headers, by_status, auth)?;
        Ok(Self::new(Arc::new(client)))
    }

    /// Sends a request and gives back a success.
    ///
    /// # Errors
    /// Whatever the call failed with, or what the answer's code means ([`errors::failure`]).
    pub async fn call(
        &self,
        cx: &CallCx,
        request: WireRequest,
    ) -> Result<WireResponse, SupplierError> {
        let changes = *request.safety() != Safety::Safe;
        let correlation = &cx.correlation;
        let named = format!("{}:{}", correlation.trace_id(), correlation.request_id());
        let request = request.header("ama-client-ref", &named);
        let response = self.wire.call(cx, request).await?;
        if response.status.is_success() {
            return Ok(response);
        }
        Err(errors::failure(&response, changes))
    }
}

#[cfg(test)]
mod tests;
