//! Signing of access tokens with RS256. Only the auth service has a signer.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Serialize;
use travel_types::Clock;

use crate::jwks::Jwks;
use crate::jws::ALGORITHM;
use crate::{AccessRules, Permission, Role, SigningKey, key_file};

/// The longest that a token may live: who loses its role keeps it for no longer.
const MAX_LIFE: Duration = Duration::from_secs(15 * 60);

/// Why there is no signer, or no token.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    /// The key file cannot be read, written or used.
    #[error("signing key {path}: {problem}")]
    Key {
        /// The file.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Tokens were to live longer than 15 minutes, or not at all.
    #[error("access tokens must live between 1 and 900 seconds")]
    Life,
    /// The key does not sign: a fault of the machine.
    #[error("the token could not be signed")]
    Failed,
}

/// An access token, freshly signed.
pub struct SignedToken {
    /// The token. A secret: never log it.
    pub token: String,
    /// Its claim `jti`.
    pub token_id: String,
    /// From when on it is worth nothing.
    pub expires_at: Timestamp,
}

/// What an access token is to say of its bearer.
#[derive(Clone, Copy, Debug)]
pub struct AccessClaims<'a> {
    /// Whom it speaks for: an account's id, or an OAuth client's own.
    pub subject: &'a str,
    /// The role.
    pub role: Role,
    /// What the token allows.
    pub permissions: &'a [Permission],
    /// The log-in that it belongs to and ends with (`sid`).
    pub session: Option<&'a str>,
    /// The OAuth client that it is issued to (`client_id`); none for a person's own log-in.
    pub client: Option<&'a str>,
}

#[derive(Serialize)]
struct TokenHeader<'a> {
    alg: &'a str,
    typ: &'a str,
    kid: &'a str,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    exp: i64,
    iat: i64,
    jti: &'a str,
    role: &'a str,
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
}

/// Signs access tokens.
#[derive(Clone)]
pub struct TokenSigner {
    key: SigningKey,
    rules: AccessRules,
    life: Duration,
    clock: Clock,
}

impl fmt::Debug for TokenSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenSigner({})", self.key.kid())
    }
}

impl TokenSigner {
    /// A signer with this key, whose tokens live for `life`.
    ///
    /// # Errors
    /// [`SigningError::Life`] for more than 15 minutes.
    pub fn new(
        key: SigningKey,
        rules: AccessRules,
        life: Duration,
        clock: Clock,
    ) -> Result<Self, SigningError> {
        if life.as_secs() == 0 || life > MAX_LIFE {
            return Err(SigningError::Life);
        }
        Ok(Self {
            key,
            rules,
            life,
            clock,
        })
    }

    /// A signer with the development key below a data folder, made on first use.
    ///
    /// # Errors
    /// [`SigningError::Key`] for a file that cannot be read, made or used, [`SigningError::Life`] as
    /// [`TokenSigner::new`].
    pub fn development(
        data_dir: &Path,
        rules: AccessRules,
        life: Duration,
        clock: Clock,
    ) -> Result<Self, SigningError> {
        let path = key_file::signing_key(data_dir);
        let made = || {
            let key = SigningKey::generate().map_err(|error| error.to_string())?;
            key.to_pem().map_err(|error| error.to_string())
        };
        let key = key_file::read_or_create(&path, made)
            .and_then(|pem| SigningKey::from_pem(&pem))
            .map_err(|problem| SigningError::Key {
                path: path.display().to_string(),
                problem,
            })?;
        Self::new(key, rules, life, clock)
    }

    /// The key that it signs with.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// The public side, as it is published.
    pub fn jwks(&self) -> Jwks {
        Jwks {
            keys: vec![self.key.jwk().clone()],
        }
    }

    /// How long a token lives.
    pub fn life(&self) -> Duration {
        self.life
    }

    /// A token that says this.
    ///
    /// # Errors
    /// [`SigningError::Failed`] when the machine has no randomness or memory.
    pub fn sign(&self, says: &AccessClaims<'_>) -> Result<SignedToken, SigningError> {
        let mut id = [0; 16];
        aws_lc_rs::rand::fill(&mut id).map_err(|_| SigningError::Failed)?;
        let token_id = URL_SAFE_NO_PAD.encode(id);
        let now = self.clock.now().as_second();
        let exp = now + i64::try_from(self.life.as_secs()).map_err(|_| SigningError::Life)?;
        let scope: Vec<&str> = says.permissions.iter().map(|p| p.as_str()).collect();
        let header = TokenHeader {
            alg: ALGORITHM,
            typ: "at+jwt",
            kid: self.key.kid(),
        };
        let claims = Claims {
            iss: &self.rules.issuer,
            aud: &self.rules.audience,
            sub: says.subject,
            exp,
            iat: now,
            jti: &token_id,
            role: says.role.as_str(),
            scope: scope.join(" "),
            sid: says.session,
            client_id: says.client,
        };
        let mut token = format!("{}.{}", segment(&header)?, segment(&claims)?);
        let signature = self.key.sign(token.as_bytes())?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(SignedToken {
            token,
            token_id,
            expires_at: Timestamp::from_second(exp).map_err(|_| SigningError::Failed)?,
        })
    }
}

fn segment(value: &impl Serialize) -> Result<String, SigningError> {
    let json = serde_json::to_vec(value).map_err(|_| SigningError::Failed)?;
    Ok(URL_SAFE_NO_PAD.encode(json))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Credential;
    use crate::testing::{AUDIENCE, ISSUER, Issuer, clock, verifier};

    fn rules() -> AccessRules {
        AccessRules {
            issuer: ISSUER.to_owned(),
            audience: AUDIENCE.to_owned(),
        }
    }

    fn signer(pem: &str, life: Duration) -> Result<TokenSigner, SigningError> {
        let key = SigningKey::from_pem(pem).map_err(|problem| SigningError::Key {
            path: String::new(),
            problem,
        })?;
        TokenSigner::new(key, rules(), life, clock())
    }

    fn new_signing_key() -> Result<String, SigningError> {
        SigningKey::generate()?.to_pem()
    }

    #[tokio::test]
    async fn what_is_signed_is_verified_with_what_is_published() {
        let signer = signer(&new_signing_key().unwrap(), MAX_LIFE).unwrap();
        let published = serde_json::to_vec(&signer.jwks()).unwrap();
        let verifier = verifier(&Issuer::new(Ok(published), Duration::ZERO), &clock());
        for role in Role::ALL {
            let says = AccessClaims {
                subject: "usr_1",
                role,
                permissions: role.permissions(),
                session: None,
                client: None,
            };
            let signed = signer.sign(&says).unwrap();
            let verified = verifier.verify(&signed.token).await.unwrap();
            assert_eq!(verified.identity.credential(), Credential::Login);
            assert_eq!(verified.identity.role(), Some(role));
            assert_eq!(verified.identity.permissions(), role.permissions());
            assert_eq!(verified.token_id, signed.token_id);
            assert_eq!(verified.expires_at, signed.expires_at);
            let session = AccessClaims {
                session: Some("log_1"),
                ..says
            };
            let client = AccessClaims {
                client: Some("cli_1"),
                ..session
            };
            for says in [session, client] {
                let signed = signer.sign(&says).unwrap();
                let verified = verifier.verify(&signed.token).await.unwrap();
                assert_eq!(verified.identity.session(), says.session);
                assert_eq!(verified.identity.client(), says.client);
            }
        }
    }

    #[test]
    fn a_file_without_a_strong_rsa_key_and_a_life_over_fifteen_minutes_are_refused() {
        let good = new_signing_key().unwrap();
        for life in [Duration::ZERO, MAX_LIFE + Duration::from_secs(1)] {
            assert!(matches!(signer(&good, life), Err(SigningError::Life)));
        }
        let pair = aws_lc_rs::signature::Ed25519KeyPair::generate().unwrap();
        let ed25519 = key_file::to_pem("PRIVATE KEY", pair.to_pkcs8().unwrap().as_ref());
        for pem in ["", "x", &good[..good.len() / 2], &ed25519] {
            let refused = signer(pem, MAX_LIFE).unwrap_err();
            assert!(matches!(refused, SigningError::Key { .. }), "{refused}");
        }
    }
}
