//! One authenticated box: AES-256-GCM (NIST SP 800-38D) with a random nonce of 96 bits, as text.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Bytes of every key here.
pub(crate) const KEY_LEN: usize = 32;
/// What every sealed text begins with. No JSON text does.
const MARK: &str = "sealed.1.";

/// Whether a stored text was sealed by a vault, for tables that also have rows from before they were
/// sealed.
pub fn is_sealed(text: &str) -> bool {
    text.starts_with(MARK)
}

/// A key that seals and opens.
pub(crate) struct Cipher(LessSafeKey);

/// The machine has no randomness, or the cipher failed: neither is the fault of what was given.
#[derive(Debug)]
pub(crate) struct Broken;

impl Cipher {
    pub(crate) fn new(key: &[u8]) -> Option<Self> {
        let key = UnboundKey::new(&AES_256_GCM, key).ok()?;
        Some(Self(LessSafeKey::new(key)))
    }

    /// `purpose` and `about` are authenticated but not contained.
    pub(crate) fn seal(&self, purpose: &str, about: &str, plain: &[u8]) -> Result<String, Broken> {
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).map_err(|_| Broken)?;
        let mut text = plain.to_vec();
        self.0
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                context(purpose, about),
                &mut text,
            )
            .map_err(|_| Broken)?;
        let mut whole = nonce.to_vec();
        whole.append(&mut text);
        Ok(format!("{MARK}{}", URL_SAFE_NO_PAD.encode(whole)))
    }

    /// `None` for anything but a text that this key sealed for the same purpose and person.
    pub(crate) fn open(&self, purpose: &str, about: &str, sealed: &str) -> Option<Vec<u8>> {
        let whole = URL_SAFE_NO_PAD.decode(sealed.strip_prefix(MARK)?).ok()?;
        let (nonce, text) = whole.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut text = text.to_vec();
        let plain = self
            .0
            .open_in_place(nonce, context(purpose, about), &mut text);
        Some(plain.ok()?.to_vec())
    }
}

/// Neither part can hold a NUL byte, so no two pairs join to the same bytes: purposes are words of the
/// program, and a subject with one is refused by PostgreSQL.
fn context(purpose: &str, about: &str) -> Aad<Vec<u8>> {
    let mut bytes = purpose.as_bytes().to_vec();
    bytes.push(0);
    bytes.extend_from_slice(about.as_bytes());
    Aad::from(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_opens_only_under_its_key_purpose_and_person_and_unchanged() {
        let cipher = Cipher::new(&[7; KEY_LEN]).unwrap();
        let sealed = cipher.seal("a", "usr_1", b"Tony Stark").unwrap();
        assert!(is_sealed(&sealed) && !is_sealed("[{}]"));
        assert_eq!(cipher.open("a", "usr_1", &sealed).unwrap(), b"Tony Stark");
        assert_ne!(sealed, cipher.seal("a", "usr_1", b"Tony Stark").unwrap());
        assert_eq!(cipher.open("b", "usr_1", &sealed), None);
        assert_eq!(cipher.open("a", "usr_2", &sealed), None);
        let other = Cipher::new(&[8; KEY_LEN]).unwrap();
        assert_eq!(other.open("a", "usr_1", &sealed), None);
        for n in 0..sealed.len() {
            let mut bytes = sealed.clone().into_bytes();
            bytes[n] = if bytes[n] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert_eq!(cipher.open("a", "usr_1", &changed), None, "byte {n}");
            assert_eq!(cipher.open("a", "usr_1", &sealed[..n]), None, "{n} bytes");
        }
    }
}
