//! The networks from which an account's owner has logged in before.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use storage::{Db, StoreError, Tx, query, to_micros};
use travel_types::UserId;

/// A network is forgotten when nobody logged in from it for this long.
const LIFE: Duration = Duration::from_secs(90 * 24 * 60 * 60);

fn oldest(now: Timestamp) -> i64 {
    let life = SignedDuration::try_from(LIFE).unwrap_or(SignedDuration::ZERO);
    to_micros(now.checked_sub(life).unwrap_or(Timestamp::MIN))
}

/// Whether a network is known of an account. Both are fingerprints.
pub(super) async fn is_known(
    db: &Db,
    account: &str,
    network: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let row = query(
        "SELECT seen_at FROM known_networks \
         WHERE account_index = $1 AND network_index = $2 AND seen_at > $3",
    )
    .bind(account)
    .bind(network)
    .bind(oldest(now))
    .fetch_optional(db.pool())
    .await?;
    Ok(row.is_some())
}

/// Forgets an account's networks.
pub(super) async fn forget(tx: &mut Tx, id: &str) -> Result<(), StoreError> {
    query("DELETE FROM known_networks WHERE account_id = $1")
        .bind(id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Remembers a network; those that are too old go.
pub(super) async fn remember(
    tx: &mut Tx,
    account: &str,
    network: &str,
    id: &UserId,
    now: Timestamp,
) -> Result<(), StoreError> {
    query("DELETE FROM known_networks WHERE account_index = $1 AND seen_at <= $2")
        .bind(account)
        .bind(oldest(now))
        .execute(&mut **tx)
        .await?;
    query(
        "INSERT INTO known_networks (account_index, network_index, account_id, seen_at) \
         VALUES ($1, $2, $3, $4) \
         ON CONFLICT (account_index, network_index) DO UPDATE SET seen_at = excluded.seen_at",
    )
    .bind(account)
    .bind(network)
    .bind(id.to_string())
    .bind(to_micros(now))
    .execute(&mut **tx)
    .await?;
    Ok(())
}
