//! How a client proves who it is. Secrets are masked by type; the headers that carry them are marked
//! sensitive, so that nothing below prints them either.

use std::fmt;
use std::sync::Arc;

use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use crate::CallCx;
use crate::error::{Sent, SupplierError, SupplierErrorKind};
use crate::oauth2::{AccessToken, OAuth2Client};

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
    /// `Authorization: Bearer …` with a token that is fetched and renewed.
    OAuth2(Arc<OAuth2Client>),
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

impl Auth {
    /// The token for an attempt, if this kind has tokens.
    pub(crate) async fn token(
        &self,
        cx: &CallCx,
    ) -> Result<Option<Arc<AccessToken>>, SupplierError> {
        match self {
            Self::OAuth2(client) => client.token(cx).await.map(Some),
            _ => Ok(None),
        }
    }

    /// Adds the headers that authenticate an attempt.
    pub(crate) fn apply(
        &self,
        token: Option<&AccessToken>,
        request: &Signable<'_>,
        headers: &mut HeaderMap,
    ) -> Result<(), SupplierError> {
        let (name, value) = match self {
            Self::None => return Ok(()),
            Self::Bearer(token) => (AUTHORIZATION, bearer(token)),
            Self::OAuth2(_) => match token {
                Some(token) => (AUTHORIZATION, bearer(&token.secret)),
                None => return Ok(()),
            },
            Self::Header { name, secret } => (name.clone(), secret.expose_secret().to_owned()),
            Self::Custom(signer) => {
                for (name, mut value) in signer.sign(request)? {
                    value.set_sensitive(true);
                    if let Some(name) = name {
                        headers.insert(name, value);
                    }
                }
                return Ok(());
            }
        };
        let mut value = HeaderValue::from_str(&value).map_err(|_| {
            let detail = format!("the secret for header {name} cannot stand in a header");
            SupplierError::new(SupplierErrorKind::NotAuthorised, detail).with_sent(Sent::No)
        })?;
        value.set_sensitive(true);
        headers.insert(name, value);
        Ok(())
    }
}

fn bearer(token: &SecretString) -> String {
    format!("Bearer {}", token.expose_secret())
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Bearer(_) => "Bearer([masked])",
            Self::Header { .. } => "Header([masked])",
            Self::OAuth2(_) => "OAuth2([masked])",
            Self::Custom(_) => "Custom",
        })
    }
}
