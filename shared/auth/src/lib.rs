//! Who may do what: roles and permissions, verification of access tokens, and the short-lived signed
//! identity that the gateway hands to services.

mod hop;
mod identity;
pub mod key_file;

pub use hop::{HOP_HEADER, HopError, HopSigner, HopVerifier};
pub use identity::{Identity, Permission, Role, UnknownPermission};
