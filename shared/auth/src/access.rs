//! Verification of access tokens (RFC 9068 in shape, RFC 8725 in caution): one pinned algorithm, keys
//! by exact name from the issuer alone, every claim required and typed, the kit's clock. A refusal says
//! nothing of its reason.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use travel_types::Clock;

use crate::jws::{Object, Unverified};
use crate::key_ring::{KeyRing, KeySource};
use crate::{Identity, Permission, Revocations, Role};

/// A longer token is refused before it is looked at.
const MAX_TOKEN: usize = 8 * 1024;
/// How far ahead of ours the issuer's clock may be, in seconds.
const MAX_AHEAD: i64 = 60;
/// The most verified tokens that are remembered.
const REMEMBERED: usize = 50_000;

/// Who issues tokens, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessRules {
    /// The claim `iss`, to the letter.
    pub issuer: String,
    /// The claim `aud`, to the letter.
    pub audience: String,
}

/// What a valid token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Who calls and what the token allows.
    pub identity: Identity,
    /// From when on the token is worth nothing.
    pub expires_at: Timestamp,
    /// The claim `jti`.
    pub token_id: String,
}

/// Why a token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// The token is not valid.
    #[error("the access token is not valid")]
    Invalid,
    /// The issuer's keys cannot be had, so nobody knows; a retry may succeed.
    #[error("the issuer's keys are not available")]
    KeysUnavailable,
}

#[derive(Clone)]
struct Remembered {
    verified: Arc<Verified>,
    kid: String,
}

/// Verifies access tokens. Clones share keys and memory.
#[derive(Clone)]
pub struct AccessVerifier {
    keys: Arc<KeyRing>,
    rules: AccessRules,
    clock: Clock,
    revocations: Revocations,
    /// By the token's SHA-256, so that a memory dump holds no token.
    remembered: Arc<quick_cache::sync::Cache<[u8; 32], Remembered>>,
}

impl fmt::Debug for AccessVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccessVerifier({:?})", self.rules)
    }
}

impl AccessVerifier {
    /// A verifier that has no keys yet: the first token fetches them.
    pub fn new(source: Arc<dyn KeySource>, rules: AccessRules, clock: Clock) -> Self {
        Self {
            keys: KeyRing::new(source),
            rules,
            revocations: Revocations::new(clock.clone()),
            clock,
            remembered: Arc::new(quick_cache::sync::Cache::new(REMEMBERED)),
        }
    }

    /// What is revoked; consulted with each token, those that are remembered included.
    pub fn revocations(&self) -> &Revocations {
        &self.revocations
    }

    /// Fetches the keys anew, whatever the cool-down says, and forgets the tokens that were verified:
    /// for the issuer's word that its keys are others now. While the issuer is down the old keys stay,
    /// and the next token tries again.
    pub async fn refetch_keys(&self) {
        self.keys.refetch().await;
        self.remembered.clear();
    }

    /// Whom a token speaks for. A token that was verified before is not verified again while its time
    /// lasts and its key is still published.
    ///
    /// # Errors
    /// [`AccessError::Invalid`] for anything but a valid token, [`AccessError::KeysUnavailable`] when
    /// that cannot be told.
    pub async fn verify(&self, token: &str) -> Result<Arc<Verified>, AccessError> {
        let verified = self.signed(token).await?;
        if self.revocations.refuses(&verified) {
            return Err(AccessError::Invalid);
        }
        Ok(verified)
    }

    /// What a token says that the issuer signed and whose time lasts.
    async fn signed(&self, token: &str) -> Result<Arc<Verified>, AccessError> {
        if token.len() > MAX_TOKEN {
            return Err(AccessError::Invalid);
        }
        let fingerprint = sha256(token);
        if let Some(hit) = self.remembered.get(&fingerprint) {
            if self.keys.known(&hit.kid).is_some() && self.clock.now() < hit.verified.expires_at {
                return Ok(hit.verified);
            }
            self.remembered.remove(&fingerprint);
        }
        let unverified = Unverified::read(token)
            .filter(|token| matches!(token.typ(), Some("JWT" | "at+jwt")))
            .ok_or(AccessError::Invalid)?;
        let key = self.keys.key(unverified.kid()).await?;
        let verified = unverified
            .verify(&key)
            .and_then(|payload| self.accept(&Object::read(&payload)?))
            .map(Arc::new)
            .ok_or(AccessError::Invalid)?;
        let remembered = Remembered {
            verified: Arc::clone(&verified),
            kid: unverified.kid().to_owned(),
        };
        self.remembered.insert(fingerprint, remembered);
        Ok(verified)
    }

    /// The claims, all of them there, typed and within their time.
    fn accept(&self, claims: &Object) -> Option<Verified> {
        let now = self.clock.now();
        let ahead = now.as_second() + MAX_AHEAD;
        let issued = claims.whole("iat")?;
        let expires_at = Timestamp::from_second(claims.whole("exp")?).ok()?;
        let begun = !claims.has("nbf") || claims.whole("nbf")? <= ahead;
        let ours =
            claims.text("iss")? == self.rules.issuer && claims.text("aud")? == self.rules.audience;
        if !ours || !begun || issued > ahead || expires_at <= now {
            return None;
        }
        let role: Role = claims.text("role")?.parse().ok()?;
        // A name that this release does not know allows nothing in it.
        let permissions = claims
            .text("scope")?
            .split_ascii_whitespace()
            .filter_map(|name| name.parse::<Permission>().ok())
            .collect();
        let mut identity = Identity::new(claims.word("sub")?.to_owned(), role, permissions);
        if claims.has("sid") {
            identity = identity.within(claims.word("sid")?.to_owned());
        }
        // RFC 9068 §2.2; a person's own log-in has no client.
        if claims.has("client_id") {
            identity = identity.through_client(claims.word("client_id")?.to_owned());
        }
        Some(Verified {
            identity,
            expires_at,
            token_id: claims.word("jti")?.to_owned(),
        })
    }
}

fn sha256(token: &str) -> [u8; 32] {
    let mut fingerprint = [0; 32];
    let hash = digest(&SHA256, token.as_bytes());
    for (to, from) in fingerprint.iter_mut().zip(hash.as_ref()) {
        *to = *from;
    }
    fingerprint
}

#[cfg(test)]
mod tests;
