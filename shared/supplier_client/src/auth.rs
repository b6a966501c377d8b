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

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;

    struct Stamp;

    impl Signer for Stamp {
        fn sign(&self, request: &Signable<'_>) -> Result<HeaderMap, SupplierError> {
            let value = HeaderValue::from_str(&format!("{} {}", request.target, request.now));
            Ok(HeaderMap::from_iter([(AUTHORIZATION, value.unwrap())]))
        }
    }

    fn applied(auth: &Auth) -> Result<HeaderMap, SupplierError> {
        let mut headers = HeaderMap::new();
        let request = Signable {
            method: &Method::GET,
            target: "/v1/a?b=c",
            body: b"",
            now: Timestamp::UNIX_EPOCH,
        };
        auth.apply(None, &request, &mut headers).map(|()| headers)
    }

    #[test]
    fn every_header_that_proves_who_we_are_is_marked_sensitive() {
        let api_key = Auth::Header {
            name: HeaderName::from_static("api-key"),
            secret: "k".into(),
        };
        for (auth, name, value) in [
            (Auth::Bearer("t".into()), "authorization", "Bearer t"),
            (api_key, "api-key", "k"),
            (
                Auth::Custom(Arc::new(Stamp)),
                "authorization",
                "/v1/a?b=c 1970-01-01T00:00:00Z",
            ),
        ] {
            let headers = applied(&auth).unwrap();
            assert_eq!(headers[name], value);
            assert!(headers[name].is_sensitive());
        }
    }

    #[test]
    fn a_secret_that_cannot_stand_in_a_header_is_not_repeated_in_the_error() {
        let error = applied(&Auth::Bearer("s3cret\n".into())).unwrap_err();
        assert_eq!(error.kind, SupplierErrorKind::NotAuthorised);
        assert!(!error.to_string().contains("s3cret"));
    }
}
