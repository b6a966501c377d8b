//! The key above all others. It is in no database and in no backup of one.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::{hkdf, hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use service_kit::{Context, Profile, StartError};
use settings::{ExposeSecret as _, SecretString};

use crate::cipher::{Broken, Cipher, KEY_LEN};

/// Why there is no master key.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// The text is not a key.
    #[error(
        "personal_data.master_key: must be 32 bytes in base64, such as `openssl rand -base64 32` prints"
    )]
    Malformed,
    /// Production got none.
    #[error(
        "personal_data.master_key is empty: production seals personal data under no key that it made \
         itself; set it to 32 bytes in base64 (`openssl rand -base64 32`), or to file:/path"
    )]
    Missing,
    /// The development key cannot be read or written.
    #[error("personal data key {path}: {problem}")]
    File {
        /// The file.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl From<MasterKeyError> for StartError {
    fn from(error: MasterKeyError) -> Self {
        Self::Other(error.to_string())
    }
}

/// The master key, as the keys that follow from it (HKDF, RFC 5869), one per use.
#[derive(Clone)]
pub struct MasterKey(Arc<Keys>);

struct Keys {
    subjects: Cipher,
    secrets: Cipher,
    index: hmac::Key,
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey")
    }
}

impl MasterKey {
    /// The master key of a service: the setting `personal_data.master_key`, or in development
    /// `<data_dir>/keys/personal.key`, made on first use and readable by its owner alone.
    ///
    /// # Errors
    /// [`StartError`] when the setting is no key, is missing in production, or the file cannot be used.
    pub fn of(context: &Context) -> Result<Self, StartError> {
        let given: SecretString = context.settings.get("personal_data.master_key")?;
        if !given.expose_secret().is_empty() {
            return Ok(Self::from_text(&given)?);
        }
        if context.profile == Profile::Production {
            return Err(MasterKeyError::Missing.into());
        }
        Ok(Self::development(&context.data_dir)?)
    }

    /// The key in its text: 32 bytes in base64.
    ///
    /// # Errors
    /// [`MasterKeyError::Malformed`] for any other text.
    pub fn from_text(text: &SecretString) -> Result<Self, MasterKeyError> {
        let bytes = STANDARD.decode(text.expose_secret().trim());
        let keys = bytes.ok().and_then(|bytes| keys_of(&bytes));
        Ok(Self(Arc::new(keys.ok_or(MasterKeyError::Malformed)?)))
    }

    /// The development key of a data folder.
    ///
    /// # Errors
    /// [`MasterKeyError::File`] when it cannot be read, written or used.
    pub fn development(data_dir: &Path) -> Result<Self, MasterKeyError> {
        let path = data_dir.join("keys").join("personal.key");
        let wrong = |problem: String| MasterKeyError::File {
            path: path.display().to_string(),
            problem,
        };
        let text = auth::key_file::read_or_create(&path, || {
            let mut key = [0; KEY_LEN];
            rand::fill(&mut key).map_err(|_| "no randomness")?;
            Ok(STANDARD.encode(key))
        })
        .map_err(wrong)?;
        Self::from_text(&text.into()).map_err(|_| wrong("is not 32 bytes in base64".to_owned()))
    }

    pub(crate) fn wrap_subject(&self, subject: &str, key: &[u8]) -> Result<String, Broken> {
        self.0.subjects.seal("subject key", subject, key)
    }

    pub(crate) fn unwrap_subject(&self, subject: &str, wrapped: &str) -> Option<Cipher> {
        Cipher::new(&self.0.subjects.open("subject key", subject, wrapped)?)
    }

    pub(crate) fn wrap_secret(&self, purpose: &str, secret: &[u8]) -> Result<String, Broken> {
        self.0.secrets.seal(purpose, "", secret)
    }

    pub(crate) fn unwrap_secret(&self, purpose: &str, wrapped: &str) -> Option<Vec<u8>> {
        self.0.secrets.open(purpose, "", wrapped)
    }

    /// A keyed fingerprint (HMAC-SHA-256) of a text. The same text under the same purpose has the same one; who
    /// has the database and not the key cannot try texts out.
    pub fn index(&self, purpose: &str, text: &str) -> String {
        let mut context = hmac::Context::with_key(&self.0.index);
        for part in [purpose.as_bytes(), &[0], text.as_bytes()] {
            context.update(part);
        }
        URL_SAFE_NO_PAD.encode(context.sign())
    }
}

fn keys_of(master: &[u8]) -> Option<Keys> {
    if master.len() != KEY_LEN {
        return None;
    }
    let root = hkdf::Salt::new(hkdf::HKDF_SHA256, b"interline personal data 1").extract(master);
    let derive = |info: &[u8]| {
        let mut key = [0; KEY_LEN];
        root.expand(&[info], hkdf::HKDF_SHA256)
            .and_then(|okm| okm.fill(&mut key))
            .ok()?;
        Some(key)
    };
    Some(Keys {
        subjects: Cipher::new(&derive(b"subjects")?)?,
        secrets: Cipher::new(&derive(b"secrets")?)?,
        index: hmac::Key::new(hmac::HMAC_SHA256, &derive(b"index")?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> MasterKey {
        MasterKey::from_text(&STANDARD.encode([byte; KEY_LEN]).into()).unwrap()
    }

    #[test]
    fn a_key_is_thirty_two_bytes_and_nothing_else() {
        for text in [
            "",
            "secret",
            &STANDARD.encode([0; 16]),
            &STANDARD.encode([0; 33]),
        ] {
            let error = MasterKey::from_text(&(*text).to_owned().into()).unwrap_err();
            assert!(error.to_string().contains("personal_data.master_key"));
        }
        let padded = format!("{}\n", STANDARD.encode([1; 32]));
        assert!(MasterKey::from_text(&padded.into()).is_ok());
        assert_eq!(format!("{:?}", key(1)), "MasterKey");
    }

    #[test]
    fn an_index_depends_on_text_purpose_and_key() {
        let one = key(1).index("email", "a@example.com");
        assert_eq!(one, key(1).index("email", "a@example.com"));
        for other in [
            key(1).index("email", "b@example.com"),
            key(1).index("phone", "a@example.com"),
            key(1).index("emaila", "@example.com"),
            key(2).index("email", "a@example.com"),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn the_development_key_is_made_once_and_is_its_owners_alone() {
        let mut number = [0; 8];
        rand::fill(&mut number).unwrap();
        let name = format!("interline-personal-{:016x}", u64::from_be_bytes(number));
        let folder = std::env::temp_dir().join(name);
        let one = MasterKey::development(&folder).unwrap();
        let again = MasterKey::development(&folder).unwrap();
        assert_eq!(one.index("a", "b"), again.index("a", "b"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let file = folder.join("keys").join("personal.key");
            let mode = std::fs::metadata(file).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
}
