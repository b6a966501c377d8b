//! The key of the log. One secret of 32 bytes; what chains records and what signs heads are derived
//! from it and differ.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use auth::key_file;
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};

/// The key cannot be used. Never holds a part of it.
#[derive(Debug, thiserror::Error)]
#[error("{name} cannot be used: {problem}")]
pub struct AuditKeyError {
    name: String,
    problem: String,
}

/// The label of a key file's one PEM block.
const LABEL: &str = "INTERLINE AUDIT KEY";
/// Bytes of the secret.
const LENGTH: usize = 32;

/// What the log is written and verified with. Cheap to clone.
#[derive(Clone)]
pub struct AuditKey {
    chain: hmac::Key,
    heads: Arc<Ed25519KeyPair>,
    id: String,
}

impl fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl AuditKey {
    /// The key that the setting `audit.key` holds: 32 random bytes in base64.
    ///
    /// # Errors
    /// [`AuditKeyError`] when the text is not that.
    pub fn from_setting(secret: &SecretString) -> Result<Self, AuditKeyError> {
        let bytes = STANDARD.decode(secret.expose_secret().trim()).ok();
        bytes
            .and_then(|bytes| Self::of(&bytes))
            .ok_or_else(|| AuditKeyError {
                name: "audit.key".to_owned(),
                problem: "it is not 32 bytes in base64; make one with: openssl rand -base64 32"
                    .to_owned(),
            })
    }

    /// The development key of a data folder, `keys/audit.pem`, made on first use.
    ///
    /// # Errors
    /// [`AuditKeyError`] when the folder cannot be written or the file holds something else.
    pub fn development(data_dir: &Path) -> Result<Self, AuditKeyError> {
        let path = data_dir.join("keys").join("audit.pem");
        let wrong = |problem: String| AuditKeyError {
            name: path.display().to_string(),
            problem,
        };
        let pem = key_file::read_or_create(&path, || {
            let mut secret = [0; LENGTH];
            aws_lc_rs::rand::fill(&mut secret).map_err(|_| "no randomness")?;
            Ok(key_file::to_pem(LABEL, &secret))
        })
        .map_err(wrong)?;
        Self::from_pem(&pem).ok_or_else(|| wrong("it holds no audit key".to_owned()))
    }

    /// The development key of a data folder, which must be there.
    ///
    /// # Errors
    /// [`AuditKeyError`] when there is none.
    pub fn existing(data_dir: &Path) -> Result<Self, AuditKeyError> {
        let path = data_dir.join("keys").join("audit.pem");
        let wrong = |problem: String| AuditKeyError {
            name: path.display().to_string(),
            problem,
        };
        let pem = std::fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
        Self::from_pem(&pem).ok_or_else(|| wrong("it holds no audit key".to_owned()))
    }

    fn from_pem(pem: &str) -> Option<Self> {
        key_file::from_pem(pem).and_then(|bytes| Self::of(&bytes))
    }

    fn of(secret: &[u8]) -> Option<Self> {
        if secret.len() != LENGTH {
            return None;
        }
        let master = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let derived = |purpose: &str| hmac::sign(&master, purpose.as_bytes());
        let chain = derived("interline audit chain 1");
        let heads = derived("interline audit heads 1");
        let heads = Ed25519KeyPair::from_seed_unchecked(heads.as_ref()).ok()?;
        let id = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, heads.public_key().as_ref());
        Some(Self {
            chain: hmac::Key::new(hmac::HMAC_SHA256, chain.as_ref()),
            heads: Arc::new(heads),
            id: hex::encode(id.as_ref().get(..8)?),
        })
    }

    /// The key's name in signed heads: the first 8 bytes of the SHA-256 of the public half, in hex.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The authentication code of a record's bytes, in hex.
    pub(crate) fn code(&self, bytes: &[u8]) -> String {
        hex::encode(hmac::sign(&self.chain, bytes))
    }

    /// The signature of a head's bytes, in base64.
    pub(crate) fn sign(&self, bytes: &[u8]) -> String {
        STANDARD.encode(self.heads.sign(bytes))
    }

    /// Whether this key signed a head's bytes.
    pub(crate) fn has_signed(&self, bytes: &[u8], signature: &str) -> bool {
        use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
        STANDARD.decode(signature).is_ok_and(|signature| {
            UnparsedPublicKey::new(&ED25519, self.heads.public_key().as_ref())
                .verify(bytes, &signature)
                .is_ok()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_32_bytes_in_base64_and_nothing_else() {
        let good = SecretString::from(format!("{}\n", STANDARD.encode([7; 32])));
        let key = AuditKey::from_setting(&good).unwrap();
        assert_eq!(key.id().len(), 16);
        assert!(!format!("{key:?}").contains(&STANDARD.encode([7; 32])));
        for wrong in [
            "",
            "secret",
            &STANDARD.encode([7; 31]),
            &STANDARD.encode([7; 33]),
        ] {
            let error = AuditKey::from_setting(&SecretString::from(wrong)).unwrap_err();
            assert!(error.to_string().starts_with("audit.key cannot be used"));
        }
    }

    #[test]
    fn a_development_key_is_made_once() {
        let folder = std::env::temp_dir().join(format!("interline-audit-{}", uuid::Uuid::new_v4()));
        assert!(AuditKey::existing(&folder).is_err());
        let one = AuditKey::development(&folder).unwrap();
        let two = AuditKey::development(&folder).unwrap();
        assert_eq!(one.id(), two.id());
        assert_eq!(AuditKey::existing(&folder).unwrap().id(), one.id());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
