//! An issuer in memory for this crate's tests: it signs whatever it is told to, right or wrong.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self, KeyPair as _, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use travel_types::Clock;

use crate::jwks::{Jwk, Jwks};
use crate::{AccessRules, AccessVerifier, KeySource};

pub(crate) const ISSUER: &str = "https://interline.test";
pub(crate) const AUDIENCE: &str = "interline";
/// 2026-11-21T12:00:00Z.
pub(crate) const NOW: i64 = 1_795_262_400;

/// A key pair of the test process: making one takes long.
pub(crate) fn key(number: usize) -> &'static RsaKeyPair {
    static KEYS: [OnceLock<RsaKeyPair>; 2] = [const { OnceLock::new() }; 2];
    KEYS[number].get_or_init(|| RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
}

pub(crate) fn jwk(number: usize) -> Jwk {
    Jwk::new(
        key(number)
            .public_key()
            .modulus()
            .big_endian_without_leading_zero(),
    )
}

pub(crate) fn document(numbers: &[usize]) -> Vec<u8> {
    let keys = numbers.iter().map(|number| jwk(*number)).collect();
    serde_json::to_vec(&Jwks { keys }).unwrap()
}

pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Header and claims as they are given, signed with a key by a padding of RSA.
pub(crate) fn signed(
    number: usize,
    padding: &'static dyn signature::RsaEncoding,
    header: &str,
    claims: &str,
) -> String {
    let key = key(number);
    let message = format!("{}.{}", b64(header), b64(claims));
    let mut made = vec![0; key.public_modulus_len()];
    key.sign(padding, &SystemRandom::new(), message.as_bytes(), &mut made)
        .unwrap();
    format!("{message}.{}", b64(made))
}

pub(crate) fn rs256(header: &str, claims: &str) -> String {
    signed(0, &signature::RSA_PKCS1_SHA256, header, claims)
}

pub(crate) fn header(number: usize) -> Value {
    json!({"alg": "RS256", "typ": "at+jwt", "kid": jwk(number).kid()})
}

pub(crate) fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "usr_1", "exp": NOW + 900, "iat": NOW,
        "jti": "t1", "role": "agent", "scope": "offers:read orders:write",
    })
}

/// A good token of a key, unlike every other one.
pub(crate) fn good(number: usize, token_id: &str) -> String {
    let mut claims = claims();
    claims["jti"] = token_id.into();
    let header = header(number).to_string();
    signed(
        number,
        &signature::RSA_PKCS1_SHA256,
        &header,
        &claims.to_string(),
    )
}

/// What the issuer publishes, and how often it was asked.
pub(crate) struct Issuer {
    pub(crate) answer: Mutex<Result<Vec<u8>, String>>,
    pub(crate) takes: Duration,
    asked: AtomicUsize,
}

impl Issuer {
    pub(crate) fn new(answer: Result<Vec<u8>, String>, takes: Duration) -> Arc<Self> {
        Arc::new(Self {
            answer: Mutex::new(answer),
            takes,
            asked: AtomicUsize::new(0),
        })
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    pub(crate) fn publishes(&self, answer: Result<Vec<u8>, String>) {
        *self.answer.lock().unwrap() = answer;
    }
}

#[async_trait]
impl KeySource for Issuer {
    async fn fetch(&self) -> Result<Vec<u8>, String> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(self.takes).await;
        self.answer.lock().unwrap().clone()
    }
}

pub(crate) fn verifier(issuer: &Arc<Issuer>, clock: &Clock) -> AccessVerifier {
    let rules = AccessRules {
        issuer: ISSUER.to_owned(),
        audience: AUDIENCE.to_owned(),
    };
    let source: Arc<dyn KeySource> = issuer.clone();
    AccessVerifier::new(source, rules, clock.clone())
}

pub(crate) fn clock() -> Clock {
    Clock::manual(jiff::Timestamp::from_second(NOW).unwrap())
}
