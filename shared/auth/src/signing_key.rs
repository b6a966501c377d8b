//! The private keys that access tokens are signed with: RSA of 2048 to 8192 bits with the exponent
//! 65537, named by their thumbprints (RFC 7638).

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};

use crate::jwks::{Jwk, PublicKey};
use crate::{SigningError, key_file};

/// A private key that signs, with its public side. Clones share it.
#[derive(Clone)]
pub struct SigningKey {
    pair: Arc<RsaKeyPair>,
    jwk: Jwk,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.jwk.kid())
    }
}

impl SigningKey {
    /// A new key of 2048 bits. Takes a tenth of a second and more: not for a runtime's thread.
    ///
    /// # Errors
    /// [`SigningError::Failed`] when the machine has no randomness.
    pub fn generate() -> Result<Self, SigningError> {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| SigningError::Failed)?;
        Self::of(pair).map_err(|_| SigningError::Failed)
    }

    /// The key in a file: PEM, PKCS#8 or PKCS#1.
    ///
    /// # Errors
    /// [`SigningError::Key`] names the file and what is wrong with it.
    pub fn from_file(path: &Path) -> Result<Self, SigningError> {
        let read = std::fs::read_to_string(path).map_err(|error| error.to_string());
        read.and_then(|pem| Self::from_pem(&pem))
            .map_err(|problem| SigningError::Key {
                path: path.display().to_string(),
                problem,
            })
    }

    /// The key of a PEM text, PKCS#8 or PKCS#1.
    ///
    /// # Errors
    /// What is wrong with it, in words for an operator.
    pub fn from_pem(pem: &str) -> Result<Self, String> {
        let der = key_file::from_pem(pem).ok_or_else(|| "is not a PEM file".to_owned())?;
        Self::from_der(&der)
    }

    /// The key of a DER text, PKCS#8 or PKCS#1.
    ///
    /// # Errors
    /// What is wrong with it, in words for an operator.
    pub fn from_der(der: &[u8]) -> Result<Self, String> {
        let pair = RsaKeyPair::from_pkcs8(der)
            .or_else(|_| RsaKeyPair::from_der(der))
            .map_err(|error| format!("is not an RSA key ({error})"))?;
        Self::of(pair)
    }

    fn of(pair: RsaKeyPair) -> Result<Self, String> {
        let modulus = pair.public_key().modulus();
        let modulus = modulus.big_endian_without_leading_zero();
        let exponent = pair.public_key().exponent();
        if PublicKey::new(modulus, exponent.big_endian_without_leading_zero()).is_none() {
            return Err(
                "must have 2048 to 8192 bits and the exponent 65537, and not be weak".to_owned(),
            );
        }
        let jwk = Jwk::new(modulus);
        Ok(Self {
            pair: Arc::new(pair),
            jwk,
        })
    }

    /// The private key as DER (PKCS#8). A secret.
    ///
    /// # Errors
    /// [`SigningError::Failed`] when it cannot be written so.
    pub fn to_der(&self) -> Result<Vec<u8>, SigningError> {
        let der: Pkcs8V1Der<'static> = self.pair.as_der().map_err(|_| SigningError::Failed)?;
        Ok(der.as_ref().to_vec())
    }

    /// The private key as PEM (PKCS#8). A secret.
    ///
    /// # Errors
    /// [`SigningError::Failed`] when it cannot be written so.
    pub fn to_pem(&self) -> Result<String, SigningError> {
        Ok(key_file::to_pem("PRIVATE KEY", &self.to_der()?))
    }

    /// The public side, as it is published.
    pub fn jwk(&self) -> &Jwk {
        &self.jwk
    }

    /// The key's name in tokens.
    pub fn kid(&self) -> &str {
        self.jwk.kid()
    }

    /// The signature of a message, RS256.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningError> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                message,
                &mut signature,
            )
            .map_err(|_| SigningError::Failed)?;
        Ok(signature)
    }
}
