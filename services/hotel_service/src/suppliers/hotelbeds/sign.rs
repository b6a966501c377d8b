//! Who we are: key and a signature of key, secret and second, made anew for each attempt. Source:
//! `X-Signature` in the vendor's OpenAPI document, and hotelbeds-go `hotelbeds.go`.

use aws_lc_rs::digest::{SHA256, digest};
use http::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use supplier_client::{Sent, Signable, Signer, SupplierError, SupplierErrorKind};

/// Key and secret of an account.
pub(super) struct Account {
    pub(super) key: String,
    pub(super) secret: SecretString,
}

impl Signer for Account {
    fn sign(&self, request: &Signable<'_>) -> Result<HeaderMap, SupplierError> {
        let signed = format!(
            "{}{}{}",
            self.key,
            self.secret.expose_secret(),
            request.now.as_second()
        );
        let hash = digest(&SHA256, signed.as_bytes());
        let signature = hex::encode(hash);
        let value = |text: &str| {
            HeaderValue::from_str(text).map_err(|_| {
                let detail = "the API key cannot stand in a header";
                SupplierError::new(SupplierErrorKind::NotAuthorised, detail).with_sent(Sent::No)
            })
        };
        Ok(HeaderMap::from_iter([
            (HeaderName::from_static("api-key"), value(&self.key)?),
            (HeaderName::from_static("x-signature"), value(&signature)?),
        ]))
    }
}
