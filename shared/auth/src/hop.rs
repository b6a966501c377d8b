//! The identity that the gateway signs for one service, or one service for another on the caller's
//! behalf: a JWT (RFC 7519) with an Ed25519 signature (RFC 8037), alive for a minute. A service
//! believes it and nothing else: no bare header, no address.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use http::HeaderName;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use travel_types::Clock;

use crate::{Credential, Identity, Permission, Role, key_file};

/// The header that carries the identity between gateway and service.
pub const HOP_HEADER: HeaderName = HeaderName::from_static("x-interline-identity");

/// The header in which the gateway tells a service the client's address. Worth something only beside
/// a signed identity.
pub const CLIENT_IP_HEADER: HeaderName = HeaderName::from_static("x-interline-client-ip");

/// How long a signed identity is believed.
const LIFE: Duration = Duration::from_secs(60);
/// How far the clocks of two machines may differ.
const SKEW_SECONDS: i64 = 5;
/// Who signs: a gateway for a client, or a service that passes the caller on to another one.
const GATEWAY: &str = "interline-gateway";
const SERVICE: &str = "interline-service";
const TYPE: &str = "hop+jwt";
/// SubjectPublicKeyInfo of an Ed25519 key up to the key itself (RFC 8410 §4).
const SPKI_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// Why an identity is not believed, or cannot be signed or checked at all.
#[derive(Debug, thiserror::Error)]
pub enum HopError {
    /// Signature, shape, audience or time are wrong.
    #[error("the signed identity is not valid")]
    Invalid,
    /// A key file cannot be read, written or parsed.
    #[error("identity key {path}: {problem}")]
    Key {
        /// The file.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    role: Option<Role>,
    scope: String,
    iat: i64,
    exp: i64,
    /// Absent in identities signed before there was anything but log-ins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    credential: Option<Credential>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    /// The OAuth client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    /// The API key's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_id: Option<String>,
}

impl Claims {
    /// None where the claims contradict each other.
    fn identity(self) -> Option<Identity> {
        let credential = self.credential.unwrap_or(match self.role {
            Some(_) => Credential::Login,
            None => Credential::Nobody,
        });
        let Some(role) = self.role else {
            return (credential == Credential::Nobody).then(Identity::anonymous);
        };
        let permissions = self
            .scope
            .split_ascii_whitespace()
            .map(str::parse::<Permission>)
            .collect::<Result<_, _>>()
            .ok()?;
        let identity = Identity::new(self.sub, role, permissions);
        let identity = match self.sid {
            Some(session) => identity.within(session),
            None => identity,
        };
        match (credential, self.client_id, self.key_id) {
            (Credential::Login, None, None) => Some(identity),
            (Credential::Client, Some(client), None) => Some(identity.through_client(client)),
            (Credential::ApiKey, None, Some(key)) => Some(identity.through_api_key(key)),
            _ => None,
        }
    }
}

/// Signs identities. The gateway has one, and each service that calls another.
#[derive(Clone)]
pub struct HopSigner {
    key: EncodingKey,
    issuer: &'static str,
    clock: Clock,
}

/// Checks identities that were signed for one service.
#[derive(Clone)]
pub struct HopVerifier {
    keys: Vec<DecodingKey>,
    audience: String,
    clock: Clock,
}

impl fmt::Debug for HopSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HopSigner")
    }
}

impl fmt::Debug for HopVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HopVerifier({})", self.audience)
    }
}

/// The two files of the development key pair below a data folder: private, public.
pub(crate) fn development_files(data_dir: &Path) -> (PathBuf, PathBuf) {
    let keys = data_dir.join("keys");
    (keys.join("identity.pem"), keys.join("identity.pub.pem"))
}

fn key_error(path: &Path, problem: impl fmt::Display) -> HopError {
    HopError::Key {
        path: path.display().to_string(),
        problem: problem.to_string(),
    }
}

/// Makes the development key pair unless it is there. The public key always follows from the private
/// one that is in place.
fn ensure_development_keys(data_dir: &Path) -> Result<(String, String), HopError> {
    let (private, public) = development_files(data_dir);
    let private_pem = key_file::read_or_create(&private, || {
        let made = Ed25519KeyPair::generate().and_then(|pair| pair.to_pkcs8v1());
        made.map(|document| key_file::to_pem("PRIVATE KEY", document.as_ref()))
            .map_err(|error| error.to_string())
    })
    .map_err(|problem| key_error(&private, problem))?;
    let public_pem = public_of(&private_pem).map_err(|problem| key_error(&private, problem))?;
    if std::fs::read_to_string(&public).ok().as_deref() != Some(public_pem.as_str()) {
        std::fs::write(&public, &public_pem).map_err(|error| key_error(&public, error))?;
    }
    Ok((private_pem, public_pem))
}

fn public_of(private_pem: &str) -> Result<String, &'static str> {
    let der = key_file::from_pem(private_pem).ok_or("is not a PEM file")?;
    let pair =
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map_err(|_| "is not an Ed25519 key")?;
    let mut spki = SPKI_PREFIX.to_vec();
    spki.extend_from_slice(pair.public_key().as_ref());
    Ok(key_file::to_pem("PUBLIC KEY", &spki))
}

impl HopSigner {
    /// The gateway's signer, with a private key in PEM (PKCS#8, Ed25519).
    ///
    /// # Errors
    /// [`HopError::Key`] when the text is not such a key.
    pub fn from_pem(pem: &str, clock: Clock) -> Result<Self, HopError> {
        Self::made(pem, GATEWAY, "identity.private_key", clock)
    }

    /// A service's signer, with a private key in PEM (PKCS#8, Ed25519).
    ///
    /// # Errors
    /// [`HopError::Key`] when the text is not such a key.
    pub fn service_from_pem(pem: &str, clock: Clock) -> Result<Self, HopError> {
        Self::made(pem, SERVICE, "identity.service_private_key", clock)
    }

    /// The gateway's signer with the development key of a data folder, made on first use.
    ///
    /// # Errors
    /// [`HopError::Key`] when the folder cannot be written or holds something else.
    pub fn development(data_dir: &Path, clock: Clock) -> Result<Self, HopError> {
        Self::from_pem(&ensure_development_keys(data_dir)?.0, clock)
    }

    /// A service's signer with the development key of a data folder, made on first use.
    ///
    /// # Errors
    /// [`HopError::Key`] when the folder cannot be written or holds something else.
    pub fn service_development(data_dir: &Path, clock: Clock) -> Result<Self, HopError> {
        Self::service_from_pem(&ensure_development_keys(data_dir)?.0, clock)
    }

    fn made(
        pem: &str,
        issuer: &'static str,
        setting: &str,
        clock: Clock,
    ) -> Result<Self, HopError> {
        let key = EncodingKey::from_ed_pem(pem.as_bytes())
            .map_err(|error| key_error(Path::new(setting), error))?;
        Ok(Self { key, issuer, clock })
    }

    /// Signs who is calling, for one service.
    ///
    /// # Errors
    /// [`HopError::Invalid`] when the key cannot sign; never for an identity.
    pub fn sign(&self, identity: &Identity, audience: &str) -> Result<String, HopError> {
        let now = self.clock.now().as_second();
        let scope: Vec<&str> = identity.permissions().iter().map(|p| p.as_str()).collect();
        let claims = Claims {
            iss: self.issuer.to_owned(),
            aud: audience.to_owned(),
            sub: identity.subject().to_owned(),
            role: identity.role(),
            scope: scope.join(" "),
            iat: now,
            exp: now + i64::try_from(LIFE.as_secs()).unwrap_or_default(),
            credential: Some(identity.credential()),
            sid: identity.session().map(str::to_owned),
            client_id: identity.client().map(str::to_owned),
            key_id: identity.api_key().map(str::to_owned),
        };
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TYPE.to_owned());
        jsonwebtoken::encode(&header, &claims, &self.key).map_err(|_| HopError::Invalid)
    }
}

impl HopVerifier {
    /// A verifier for the service `audience` that believes the given public keys (PEM, Ed25519).
    ///
    /// # Errors
    /// [`HopError::Key`] when one is not such a key.
    pub fn from_pems(pems: &[String], audience: &str, clock: Clock) -> Result<Self, HopError> {
        let keys = pems
            .iter()
            .map(|pem| {
                DecodingKey::from_ed_pem(pem.as_bytes())
                    .map_err(|error| key_error(Path::new("identity.public_keys"), error))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            keys,
            audience: audience.to_owned(),
            clock,
        })
    }

    /// A verifier that believes the development key of a data folder, made on first use.
    ///
    /// # Errors
    /// [`HopError::Key`] when the folder cannot be written or holds something else.
    pub fn development(data_dir: &Path, audience: &str, clock: Clock) -> Result<Self, HopError> {
        let public = ensure_development_keys(data_dir)?.1;
        Self::from_pems(&[public], audience, clock)
    }

    /// Who the caller is.
    ///
    /// # Errors
    /// [`HopError::Invalid`] for anything but a fresh identity signed for this service.
    pub fn verify(&self, token: &str) -> Result<Identity, HopError> {
        if token.len() > 4096 {
            return Err(HopError::Invalid);
        }
        let mut validation = Validation::new(Algorithm::EdDSA);
        // Times and audience are checked below, against the kit's clock and to the letter.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        let claims = self
            .keys
            .iter()
            .find_map(|key| jsonwebtoken::decode::<Claims>(token, key, &validation).ok())
            .filter(|data| data.header.typ.as_deref() == Some(TYPE))
            .ok_or(HopError::Invalid)?
            .claims;
        let now = self.clock.now().as_second();
        let fresh = claims.iat <= now + SKEW_SECONDS && now < claims.exp + SKEW_SECONDS;
        let known = matches!(claims.iss.as_str(), GATEWAY | SERVICE);
        if !fresh || !known || claims.aud != self.audience {
            return Err(HopError::Invalid);
        }
        claims.identity().ok_or(HopError::Invalid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(audience: &str) -> (HopSigner, HopVerifier, Clock) {
        let clock = Clock::manual("2026-11-21T12:00:00Z".parse().unwrap());
        let folder = tempfolder();
        let signer = HopSigner::development(&folder, clock.clone()).unwrap();
        let verifier = HopVerifier::development(&folder, audience, clock.clone()).unwrap();
        std::fs::remove_dir_all(folder).unwrap();
        (signer, verifier, clock)
    }

    fn tempfolder() -> PathBuf {
        let mut number = [0; 8];
        aws_lc_rs::rand::fill(&mut number).unwrap();
        std::env::temp_dir().join(format!("interline-hop-{:016x}", u64::from_be_bytes(number)))
    }

    fn agent() -> Identity {
        Identity::new(
            "usr_1".into(),
            Role::Agent,
            Role::Agent.permissions().to_vec(),
        )
    }

    #[test]
    fn a_service_learns_who_calls_and_nobody_stays_nobody() {
        let (signer, verifier, _) = pair("flight_service");
        let token = signer.sign(&agent(), "flight_service").unwrap();
        assert_eq!(verifier.verify(&token).unwrap(), agent());
        let token = signer
            .sign(&Identity::anonymous(), "flight_service")
            .unwrap();
        assert!(verifier.verify(&token).unwrap().is_anonymous());
    }

    #[test]
    fn a_service_learns_how_the_caller_showed_who_it_is_also_from_another_service() {
        let clock = Clock::manual("2026-11-21T12:00:00Z".parse().unwrap());
        let folder = tempfolder();
        let colleague = HopSigner::service_development(&folder, clock.clone()).unwrap();
        let gateway = HopSigner::development(&folder, clock.clone()).unwrap();
        let verifier = HopVerifier::development(&folder, "flight_service", clock).unwrap();
        std::fs::remove_dir_all(folder).unwrap();
        for identity in [
            agent(),
            agent().within("log_1".into()),
            agent()
                .within("log_1".into())
                .through_client("cli_1".into()),
            agent().through_api_key("key_1".into()),
        ] {
            for signer in [&gateway, &colleague] {
                let token = signer.sign(&identity, "flight_service").unwrap();
                assert_eq!(verifier.verify(&token).unwrap(), identity);
            }
        }
    }

    #[test]
    fn an_identity_whose_claims_contradict_each_other_is_refused() {
        let good = |credential, client_id: Option<&str>, key_id: Option<&str>| Claims {
            iss: GATEWAY.to_owned(),
            aud: String::new(),
            sub: "usr_1".to_owned(),
            role: Some(Role::Agent),
            scope: "offers:read".to_owned(),
            iat: 0,
            exp: 0,
            credential,
            sid: None,
            client_id: client_id.map(str::to_owned),
            key_id: key_id.map(str::to_owned),
        };
        // As it was signed before there was anything but log-ins.
        let old = good(None, None, None).identity().unwrap();
        assert_eq!(old.credential(), Credential::Login);
        for (credential, client_id, key_id) in [
            (Credential::Nobody, None, None),
            (Credential::Login, Some("cli_1"), None),
            (Credential::Login, None, Some("key_1")),
            (Credential::Client, None, None),
            (Credential::Client, None, Some("key_1")),
            (Credential::ApiKey, None, None),
            (Credential::ApiKey, Some("cli_1"), Some("key_1")),
        ] {
            assert!(
                good(Some(credential), client_id, key_id)
                    .identity()
                    .is_none()
            );
        }
        let nobody = Claims {
            role: None,
            ..good(Some(Credential::Login), None, None)
        };
        assert!(nobody.identity().is_none());
    }

    #[test]
    fn an_identity_for_another_service_by_another_key_or_too_old_is_refused() {
        let (signer, verifier, clock) = pair("flight_service");
        let (stranger, _, _) = pair("flight_service");
        assert!(
            verifier
                .verify(&signer.sign(&agent(), "hotel_service").unwrap())
                .is_err()
        );
        assert!(
            verifier
                .verify(&stranger.sign(&agent(), "flight_service").unwrap())
                .is_err()
        );
        assert!(verifier.verify("").is_err() && verifier.verify(&"x".repeat(5000)).is_err());
        let token = signer.sign(&agent(), "flight_service").unwrap();
        clock.advance(LIFE + Duration::from_secs(6));
        assert!(verifier.verify(&token).is_err());
    }
}
