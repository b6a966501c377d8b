//! The signature of a request: SHA-512 over key, secret and the present second, in hexadecimal. Source:
//! rapid-java-sdk `RapidAuthenticationStrategy.kt`.

use aws_lc_rs::digest::{SHA512, digest};
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use supplier_client::{Sent, Signable, Signer, SupplierError, SupplierErrorKind};

/// The credentials of an account.
pub(super) struct Signature {
    pub(super) api_key: SecretString,
    pub(super) secret: SecretString,
}

impl Signature {
    fn header(&self, second: i64) -> String {
        let (key, secret) = (self.api_key.expose_secret(), self.secret.expose_secret());
        let hash = digest(&SHA512, format!("{key}{secret}{second}").as_bytes());
        let signature = hex::encode(hash);
        format!("EAN apikey={key},signature={signature},timestamp={second}")
    }
}

impl Signer for Signature {
    fn sign(&self, request: &Signable<'_>) -> Result<HeaderMap, SupplierError> {
        let header = self.header(request.now.as_second());
        let value = HeaderValue::from_str(&header).map_err(|_| {
            let detail = "the key cannot stand in a header";
            SupplierError::new(SupplierErrorKind::NotAuthorised, detail).with_sent(Sent::No)
        })?;
        Ok(HeaderMap::from_iter([(AUTHORIZATION, value)]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected hash is that of `printf rapid_sandboxrapid_sandbox_secret1700000000 | sha512sum`.
    #[test]
    fn the_signature_is_the_hash_of_key_secret_and_second() {
        let signature = Signature {
            api_key: "rapid_sandbox".into(),
            secret: "rapid_sandbox_secret".into(),
        };
        let signable = Signable {
            method: &http::Method::GET,
            target: "/v3/properties/availability",
            body: b"",
            now: "2023-11-14T22:13:20.75Z".parse().unwrap(),
        };
        let headers = signature.sign(&signable).unwrap();
        let expected = "EAN apikey=rapid_sandbox,signature=da149c5c878152965e7de0e7333477f7c12a3f8f34dec91983bdb8c440ded5fd7c818fe57daa92594d1575d2820af463ae0e0c2c3e5bc92729156bac7ad8e9b7,timestamp=1700000000";
        assert_eq!(headers[AUTHORIZATION], expected);
        let broken = Signature {
            api_key: "k\n".into(),
            secret: "s3cret".into(),
        };
        let error = broken.sign(&signable).unwrap_err();
        assert!(!error.to_string().contains("s3cret"));
    }
}
