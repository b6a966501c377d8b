//! The text of refresh tokens: a log-in's id and a secret. The secret that follows on one is an HMAC
//! of it over a random nonce, so that it can be said again while the store holds hashes alone.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A log-in's id and a secret, in bytes.
const ID_BYTES: usize = 16;
const SECRET_BYTES: usize = 32;

/// The machine has no randomness.
#[derive(Debug, thiserror::Error)]
#[error("no randomness")]
pub(crate) struct NoRandomness;

/// Id and secret of a well-formed token.
pub(super) fn parts(token: &str) -> Option<(&str, &str)> {
    let (id, secret) = token.split_once('.')?;
    let is = |text: &str, bytes: usize| {
        // Longer texts are not decoded at all.
        text.len() <= 64 && URL_SAFE_NO_PAD.decode(text).is_ok_and(|b| b.len() == bytes)
    };
    (is(id, ID_BYTES) && is(secret, SECRET_BYTES)).then_some((id, secret))
}

/// A new id of 128 bits.
pub(crate) fn random_id() -> Result<String, NoRandomness> {
    random::<ID_BYTES>()
}

/// A new secret of 256 bits.
pub(crate) fn random_secret() -> Result<String, NoRandomness> {
    random::<SECRET_BYTES>()
}

fn random<const N: usize>() -> Result<String, NoRandomness> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// What is stored of a secret. It has 256 random bits, so a plain hash is enough.
pub(crate) fn hash_of(secret: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, secret.as_bytes()))
}

/// The secret that follows on this one.
pub(super) fn successor(secret: &str, nonce: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    URL_SAFE_NO_PAD.encode(hmac::sign(&key, nonce.as_bytes()))
}
