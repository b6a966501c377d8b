//! Links for new passwords in the store.

use jiff::Timestamp;
use storage::{Db, Row as _, StoreError, Tx, query, to_micros};

pub(super) async fn insert(
    tx: &mut Tx,
    token_hash: &str,
    account: Option<&str>,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<(), StoreError> {
    query(
        "INSERT INTO password_resets (token_hash, account_id, created_at, expires_at) \
         VALUES ($1, $2, $3, $4)",
    )
    .bind(token_hash)
    .bind(account)
    .bind(to_micros(now))
    .bind(to_micros(expires_at))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Whose link this is, if it can still be used.
pub(super) async fn account_of(
    db: &Db,
    token_hash: &str,
    now: Timestamp,
) -> Result<Option<String>, StoreError> {
    let row =
        query("SELECT account_id FROM password_resets WHERE token_hash = $1 AND expires_at > $2")
            .bind(token_hash)
            .bind(to_micros(now))
            .fetch_optional(db.pool())
            .await?;
    let account = row.map(|row| row.try_get("account_id")).transpose()?;
    Ok(account.flatten())
}

/// Uses a link up. Whether it could be used.
pub(super) async fn take(
    tx: &mut Tx,
    token_hash: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let taken = query("DELETE FROM password_resets WHERE token_hash = $1 AND expires_at > $2")
        .bind(token_hash)
        .bind(to_micros(now))
        .execute(&mut **tx)
        .await?;
    Ok(taken.rows_affected() == 1)
}

/// An account's other links are worth nothing any more.
pub(crate) async fn forget_of(tx: &mut Tx, account: &str) -> Result<(), StoreError> {
    query("DELETE FROM password_resets WHERE account_id = $1")
        .bind(account)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

pub(super) async fn forget_expired(tx: &mut Tx, now: Timestamp) -> Result<(), StoreError> {
    query("DELETE FROM password_resets WHERE expires_at <= $1")
        .bind(to_micros(now))
        .execute(&mut **tx)
        .await?;
    Ok(())
}
