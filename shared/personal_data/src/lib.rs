//! Personal data at rest. What is kept about a person is sealed under a key of that person's own
//! ([`Vault`]), which itself is wrapped under a key that stands in no database ([`MasterKey`]).
//! Destroying the person's key erases everything that was sealed under it, wherever copies of the
//! sealed text are.
//!
//! Everything is AES-256-GCM with a random nonce; the purpose and the person's id are authenticated with it, so a
//! sealed text opens only as what it was sealed as.

mod cipher;
mod master;
mod vault;

use storage::Migration;

pub use cipher::is_sealed;
pub use master::{MasterKey, MasterKeyError};
pub use vault::{Vault, VaultError};

/// The name of this crate's set of migrations.
pub const SET: &str = "personal_data";
/// The tables that a [`Vault`] needs in the service's own database.
pub const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    name: "subject_keys",
    sql: include_str!("../migrations/0001_subject_keys.sql"),
}];
