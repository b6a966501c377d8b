//! Who may do what: roles and permissions, access tokens and their verification, and the short-lived
//! signed identity that the gateway hands to services.

mod access;
mod hop;
mod identity;
mod jwks;
mod jws;
pub mod key_file;
mod key_ring;
mod revocations;
mod signer;
mod signing_key;
#[cfg(test)]
mod testing;

pub use access::{AccessError, AccessRules, AccessVerifier, Verified};
pub use hop::{CLIENT_IP_HEADER, HOP_HEADER, HopError, HopSigner, HopVerifier};
pub use identity::{Credential, Identity, Permission, Role, UnknownPermission, UnknownRole};
pub use jwks::{Jwk, Jwks};
pub use key_ring::KeySource;
pub use revocations::Revocations;
pub use signer::{AccessClaims, SignedToken, SigningError, TokenSigner};
pub use signing_key::SigningKey;
