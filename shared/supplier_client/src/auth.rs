//! How a client proves who it is. Secrets are masked by type; the headers that carry them are marked
//! sensitive, so that nothing below prints them either.

use std::fmt;
use std::sync::Arc;

use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use crate::error::{Sent, SupplierError, SupplierErrorKind};

/// The credentials of a client.
#[derive(Clone, Default)]
pub enum Auth {
    /// None.
    #[default]
    None,
    /// `Authorization: Bearer …` with a fixed token.
    Bearer(SecretString),
    /// A fixed secret in a header of the supplier's own.
    Header {
        /// The header's name.
        name: HeaderName,
        /// Its value.
        secret: SecretString,
    },
    /// A signature made anew for each attempt.
    Custom(Arc<dyn Signer>),
}

/// Makes the headers that authenticate one attempt, for signatures of key, secret and time.
pub trait Signer: Send + Sync {
    /// The headers to add. They are treated as secrets.
    ///
    /// # Errors
    /// If no signature can be made; the request is then not sent.
    fn sign(&self, request: &Signable<'_>) -> Result<HeaderMap, SupplierError>;
}

/// What a signature may cover.
#[derive(Debug)]
pub struct Signable<'r> {
    /// The method.
    pub method: &'r http::Method,
    /// Path and query exactly as sent, the base URL's prefix included.
    pub target: &'r str,
    /// The body.
    pub body: &'r [u8],
    /// Now, by the client's clock.
    pub now: Timestamp,
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Bearer(_) => "Bearer([masked])",
            Self::Header { .. } => "Header([masked])",
            Self::Custom(_) => "Custom",
        })
    }
}

/// Sets `Authorization: Bearer …`.
pub(crate) fn set_bearer(
    headers: &mut HeaderMap,
    token: &SecretString,
) -> Result<(), SupplierError> {
    set_secret(
        headers,
        AUTHORIZATION,
        &format!("Bearer {}", token.expose_secret()),
    )
}

/// Sets a header that nothing may print.
pub(crate) fn set_secret(
    headers: &mut HeaderMap,
    name: HeaderName,
    secret: &str,
) -> Result<(), SupplierError> {
    let mut value = HeaderValue::from_str(secret).map_err(|_| {
        let detail =
            format!("the secret for header {name} holds characters that HTTP does not allow");
        SupplierError::new(SupplierErrorKind::NotAuthorised, detail).with_sent(Sent::No)
    })?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}
