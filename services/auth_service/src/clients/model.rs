//! What a client is.

use auth::Permission;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use travel_types::{Id, Kind};
use utoipa::ToSchema;

use crate::sessions::{NoRandomness, hash_of, random_secret};

/// `cli_`: an OAuth client.
pub(crate) enum ClientKind {}

impl Kind for ClientKind {
    const PREFIX: &'static str = "cli";
}

/// A client's id, `cli_…`; also its `client_id`.
pub(crate) type ClientId = Id<ClientKind>;

/// Whether a client can keep a secret (RFC 6749 §2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ClientType)]
pub(crate) enum Type {
    /// Runs where only its maker looks, and has a secret.
    Confidential,
    /// Runs on its users' machines, and has none.
    Public,
}

/// How a client gets tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum GrantType {
    /// For a person who allows it (RFC 6749 §4.1).
    AuthorizationCode,
    /// For itself (RFC 6749 §4.4).
    ClientCredentials,
    /// For a person, on and on (RFC 6749 §6).
    RefreshToken,
}

impl GrantType {
    const ALL: [Self; 3] = [
        Self::AuthorizationCode,
        Self::ClientCredentials,
        Self::RefreshToken,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::ClientCredentials => "client_credentials",
            Self::RefreshToken => "refresh_token",
        }
    }

    /// Each of these once.
    pub(crate) fn each(given: &[Self]) -> Vec<Self> {
        let all = Self::ALL.into_iter();
        all.filter(|one| given.contains(one)).collect()
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == name)
    }
}

impl Type {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Confidential => "confidential",
            Self::Public => "public",
        }
    }
}

/// A registered client.
pub(crate) struct Client {
    pub(crate) id: ClientId,
    pub(crate) name: String,
    pub(crate) kind: Type,
    /// What is stored of its secret.
    pub(crate) secret_hash: Option<String>,
    pub(crate) scopes: Vec<Permission>,
    pub(crate) grant_types: Vec<GrantType>,
    pub(crate) redirect_uris: Vec<String>,
    /// Claim `sid` of the tokens that it gets for itself.
    pub(crate) session_id: String,
    pub(crate) created_at: Timestamp,
}

impl Client {
    /// Whether it may use this grant.
    pub(crate) fn may_use(&self, grant: GrantType) -> bool {
        self.grant_types.contains(&grant)
    }

    /// Whether this is its secret.
    pub(crate) fn has_secret(&self, secret: &str) -> bool {
        let stored = self.secret_hash.as_deref().unwrap_or_default();
        let given = hash_of(secret);
        self.secret_hash.is_some()
            && verify_slices_are_equal(stored.as_bytes(), given.as_bytes()).is_ok()
    }
}

/// A new secret: 256 random bits, recognisable by scanners of leaked secrets.
pub(crate) fn new_secret() -> Result<String, NoRandomness> {
    Ok(format!("ils_{}", random_secret()?))
}
