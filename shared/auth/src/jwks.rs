//! Public keys as JSON Web Keys (RFC 7517, RFC 7518 §6.3): ours written, the issuer's read. A key that
//! is weak, private, meant for something else or named like another one is as good as absent.

use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::RSA_PKCS1_2048_8192_SHA256;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::jws::ALGORITHM;

/// The public exponent that every key has: 65537.
const EXPONENT: [u8; 3] = [1, 0, 1];
/// 2048 bits, in bytes.
const MIN_MODULUS: usize = 256;
/// 8192 bits, in bytes.
const MAX_MODULUS: usize = 1024;
/// A larger document, or one with more keys, is not an issuer's.
const MAX_DOCUMENT: usize = 64 * 1024;
const MAX_KEYS: usize = 64;

/// A public signing key (RSA, for RS256) as it is published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Jwk {
    kty: &'static str,
    #[serde(rename = "use")]
    usage: &'static str,
    alg: &'static str,
    kid: String,
    n: String,
    e: String,
}

/// The document at `/.well-known/jwks.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Jwks {
    /// The keys.
    pub keys: Vec<Jwk>,
}

impl Jwk {
    /// The key with this modulus (big-endian, without leading zeros) and the exponent 65537, named by
    /// its thumbprint (RFC 7638).
    pub(crate) fn new(modulus: &[u8]) -> Self {
        let n = URL_SAFE_NO_PAD.encode(modulus);
        let e = URL_SAFE_NO_PAD.encode(EXPONENT);
        let members = format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#);
        let kid = URL_SAFE_NO_PAD.encode(digest(&SHA256, members.as_bytes()));
        Self {
            kty: "RSA",
            usage: "sig",
            alg: ALGORITHM,
            kid,
            n,
            e,
        }
    }

    /// The key's name in tokens: its thumbprint (RFC 7638).
    pub fn kid(&self) -> &str {
        &self.kid
    }
}

/// A public key that may verify.
#[derive(Debug)]
pub(crate) struct PublicKey {
    components: PublicKeyComponents<Vec<u8>>,
}

impl PublicKey {
    /// None for keys that are too small, too large or known to be weak.
    pub(crate) fn new(modulus: &[u8], exponent: &[u8]) -> Option<Self> {
        let leading = modulus.iter().take_while(|byte| **byte == 0).count();
        let modulus = modulus.get(leading..)?;
        let strong = (MIN_MODULUS..=MAX_MODULUS).contains(&modulus.len())
            && modulus.first().is_some_and(|byte| byte & 0x80 != 0)
            && exponent == EXPONENT
            && !made_by_flawed_library(modulus);
        strong.then(|| Self {
            components: PublicKeyComponents {
                n: modulus.to_vec(),
                e: exponent.to_vec(),
            },
        })
    }

    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.components
            .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            .is_ok()
    }
}

/// Whether the modulus bears the mark of Infineon's RSALib, whose keys can be factored
/// (CVE-2017-15361, "ROCA"): modulo each small prime it is a power of 65537.
fn made_by_flawed_library(modulus: &[u8]) -> bool {
    const PRIMES: [u32; 38] = [
        3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89,
        97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
    ];
    PRIMES.into_iter().all(|prime| {
        let rest = modulus
            .iter()
            .fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % prime);
        let mut power = 1;
        (0..prime).any(|_| {
            power = power * 65537 % prime;
            power == rest
        })
    })
}

/// The issuer's keys by name.
#[derive(Debug, Default)]
pub(crate) struct KeySet(HashMap<String, Arc<PublicKey>>);

#[derive(Deserialize)]
struct Document {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Candidate {
    kty: String,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    key_ops: Option<Vec<String>>,
    kid: String,
    n: String,
    e: String,
    d: Option<serde_json::Value>,
}

impl Candidate {
    fn key(&self) -> Option<PublicKey> {
        let verifies = self.kty == "RSA"
            && self.usage.as_deref().is_none_or(|usage| usage == "sig")
            && self.alg.as_deref().is_none_or(|alg| alg == ALGORITHM)
            && self
                .key_ops
                .as_ref()
                .is_none_or(|ops| ops.iter().any(|op| op == "verify"))
            && self.d.is_none();
        if !verifies {
            return None;
        }
        let modulus = URL_SAFE_NO_PAD.decode(&self.n).ok()?;
        PublicKey::new(&modulus, &URL_SAFE_NO_PAD.decode(&self.e).ok()?)
    }
}

impl KeySet {
    /// The usable keys of a JWKS document.
    ///
    /// # Errors
    /// In words for the log: the document cannot be read, or holds no usable key.
    pub(crate) fn read(document: &[u8]) -> Result<Self, String> {
        if document.len() > MAX_DOCUMENT {
            return Err("the JWKS document is too large".to_owned());
        }
        let document: Document = serde_json::from_slice(document)
            .map_err(|error| format!("the JWKS document cannot be read: {error}"))?;
        if document.keys.len() > MAX_KEYS {
            return Err("the JWKS document has too many keys".to_owned());
        }
        let mut keys = HashMap::new();
        for value in document.keys {
            // A key of a kind that is unknown here is not for us.
            let Ok(candidate) = serde_json::from_value::<Candidate>(value) else {
                continue;
            };
            let key = candidate.key().map(Arc::new);
            if keys.insert(candidate.kid, key).is_some() {
                return Err("the JWKS document has two keys of one name".to_owned());
            }
        }
        let keys: HashMap<_, _> = keys
            .into_iter()
            .filter_map(|(kid, key)| Some((kid, key?)))
            .collect();
        if keys.is_empty() {
            return Err("the JWKS document holds no key for RS256".to_owned());
        }
        Ok(Self(keys))
    }

    pub(crate) fn get(&self, kid: &str) -> Option<Arc<PublicKey>> {
        self.0.get(kid).cloned()
    }
}
