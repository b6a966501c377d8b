//! The text of a key: `ilk_<prefix>_<secret>`. The prefix finds it and may be shown.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use travel_types::{Id, Kind};

use crate::sessions::{NoRandomness, hash_of, random_secret};

/// `key_`: an API key.
pub(crate) enum ApiKeyKind {}

impl Kind for ApiKeyKind {
    const PREFIX: &'static str = "key";
}

/// An API key's id, `key_…`.
pub(crate) type ApiKeyId = Id<ApiKeyKind>;

/// What every key begins with, so that scanners of leaked secrets know it.
const MARK: &str = "ilk_";
/// Letters and digits of the prefix.
const PREFIX: usize = 12;
/// Longer than any key.
const LONGEST: usize = 128;

/// A new key.
pub(super) struct NewKey {
    /// The whole key: shown once, never stored.
    pub(super) text: String,
    pub(super) prefix: String,
}

impl NewKey {
    pub(super) fn random() -> Result<Self, NoRandomness> {
        let mut bytes = [0; PREFIX / 2];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| NoRandomness)?;
        let prefix: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self {
            text: format!("{MARK}{prefix}_{}", random_secret()?),
            prefix,
        })
    }
}

/// The prefix of a text that could be a key.
pub(super) fn prefix_of(text: &str) -> Option<&str> {
    let rest = text.strip_prefix(MARK).filter(|_| text.len() <= LONGEST)?;
    let (prefix, secret) = rest.split_once('_')?;
    let hex = prefix
        .bytes()
        .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    (prefix.len() == PREFIX && hex && !secret.is_empty()).then_some(prefix)
}

/// Whether a text is the key that was stored as this hash.
pub(super) fn matches(text: &str, hash: &str) -> bool {
    verify_slices_are_equal(hash_of(text).as_bytes(), hash.as_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_by_its_prefix_and_proven_by_the_whole() {
        let key = NewKey::random().unwrap();
        assert_eq!(prefix_of(&key.text), Some(key.prefix.as_str()));
        assert!(matches(&key.text, &hash_of(&key.text)));
        let other = NewKey::random().unwrap();
        assert!(!matches(&other.text, &hash_of(&key.text)));
        for wrong in [
            "",
            "ilk_",
            "ilk_0123456789ab",
            "ilk_0123456789ab_",
            "ilk_0123456789AB_x",
        ] {
            assert_eq!(prefix_of(wrong), None, "{wrong}");
        }
        assert_eq!(
            prefix_of(&format!("ilk_0123456789ab_{}", "x".repeat(200))),
            None
        );
    }
}
