//! API keys: what a person gives to a program that acts for it. A key is shown once and kept as a hash;
//! it allows some of what its owner's role allows, and may end by itself.

mod key;
mod routes;
mod store;
mod verify;

use storage::{Migration, StoreError, Tx};

pub(crate) use routes::{ApiKeyView, all_of, routes};

/// The name of this area's set of migrations.
pub(crate) const SET: &str = "api_keys";
/// Its tables.
pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    name: "api_keys",
    sql: include_str!("../../migrations/api_keys/0001_api_keys.sql"),
}];

/// Deletes an account's keys. Their ids, to be announced as revoked in the same transaction.
pub(crate) async fn delete_all_of(tx: &mut Tx, account: &str) -> Result<Vec<String>, StoreError> {
    store::delete_all_of(tx, account).await
}

/// The ids of an account's keys, to be announced as revoked in the transaction that gives the account
/// another role: whoever remembers what a key allows must ask again.
pub(crate) async fn ids_of(tx: &mut Tx, account: &str) -> Result<Vec<String>, StoreError> {
    store::ids_of(tx, account).await
}
