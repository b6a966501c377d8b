//! API keys in the store.

use std::time::Duration;

use auth::Permission;
use jiff::Timestamp;
use storage::{AnyRow, Db, Row, StoreError, Tx, from_micros, query, to_micros};

use super::key::ApiKeyId;
use crate::oauth::scope;

/// The last use is written at most so often.
const LAST_USE_EVERY: Duration = Duration::from_secs(60);

/// A key as it is stored.
pub(super) struct ApiKey {
    pub(super) id: ApiKeyId,
    pub(super) owner: String,
    pub(super) prefix: String,
    pub(super) hash: String,
    /// The owner's name for it, sealed.
    pub(super) sealed_name: String,
    pub(super) scopes: Vec<Permission>,
    pub(super) rate_class: String,
    pub(super) created_at: Timestamp,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) last_used_at: Option<Timestamp>,
}

pub(super) async fn insert(tx: &mut Tx, key: &ApiKey) -> Result<(), StoreError> {
    query(
        "INSERT INTO api_keys (id, owner, prefix, hash, sealed_name, scopes, rate_class, \
         created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(key.id.to_string())
    .bind(&key.owner)
    .bind(&key.prefix)
    .bind(&key.hash)
    .bind(&key.sealed_name)
    .bind(scope::written(&key.scopes))
    .bind(&key.rate_class)
    .bind(to_micros(key.created_at))
    .bind(key.expires_at.map(to_micros))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// How many keys an account has.
pub(super) async fn count(tx: &mut Tx, owner: &str) -> Result<i64, StoreError> {
    let row = query("SELECT COUNT(*) AS n FROM api_keys WHERE owner = $1")
        .bind(owner)
        .fetch_one(&mut **tx)
        .await?;
    Ok(row.try_get("n")?)
}

/// An account's keys that were made before this one, the newest first.
pub(super) async fn page(
    db: &Db,
    owner: &str,
    before: Option<&str>,
    limit: u32,
) -> Result<Vec<ApiKey>, StoreError> {
    // Ids are ordered by time, and no id is greater than this.
    let before = before.unwrap_or("key_~");
    let rows =
        query("SELECT * FROM api_keys WHERE owner = $1 AND id < $2 ORDER BY id DESC LIMIT $3")
            .bind(owner)
            .bind(before)
            .bind(i64::from(limit))
            .fetch_all(db.pool())
            .await?;
    rows.iter().map(read).collect()
}

/// The key with this prefix.
pub(super) async fn with_prefix(db: &Db, prefix: &str) -> Result<Option<ApiKey>, StoreError> {
    let row = query("SELECT * FROM api_keys WHERE prefix = $1")
        .bind(prefix)
        .fetch_optional(db.pool())
        .await?;
    row.map(|row| read(&row)).transpose()
}

/// Notes that a key was used, at most once a minute.
pub(super) async fn used(db: &Db, key: &ApiKey, now: Timestamp) -> Result<(), StoreError> {
    let now = to_micros(now);
    let every = i64::try_from(LAST_USE_EVERY.as_micros()).unwrap_or(i64::MAX);
    let lately = key.last_used_at.map(to_micros);
    if lately.is_some_and(|at| now.saturating_sub(at) < every) {
        return Ok(());
    }
    query(
        "UPDATE api_keys SET last_used_at = $1 \
         WHERE id = $2 AND (last_used_at IS NULL OR last_used_at <= $3)",
    )
    .bind(now)
    .bind(key.id.to_string())
    .bind(now.saturating_sub(every))
    .execute(db.pool())
    .await?;
    Ok(())
}

/// Deletes a key of an account. Whether it was there.
pub(super) async fn delete(tx: &mut Tx, owner: &str, id: &str) -> Result<bool, StoreError> {
    let deleted = query("DELETE FROM api_keys WHERE owner = $1 AND id = $2")
        .bind(owner)
        .bind(id)
        .execute(&mut **tx)
        .await?;
    Ok(deleted.rows_affected() == 1)
}

pub(super) async fn delete_all_of(tx: &mut Tx, owner: &str) -> Result<Vec<String>, StoreError> {
    let rows = query("DELETE FROM api_keys WHERE owner = $1 RETURNING id")
        .bind(owner)
        .fetch_all(&mut **tx)
        .await?;
    rows.iter().map(|row| Ok(row.try_get("id")?)).collect()
}

pub(super) async fn ids_of(tx: &mut Tx, owner: &str) -> Result<Vec<String>, StoreError> {
    let rows = query("SELECT id FROM api_keys WHERE owner = $1 ORDER BY id")
        .bind(owner)
        .fetch_all(&mut **tx)
        .await?;
    rows.iter().map(|row| Ok(row.try_get("id")?)).collect()
}

fn read(row: &AnyRow) -> Result<ApiKey, StoreError> {
    let id: String = row.try_get("id")?;
    let scopes: String = row.try_get("scopes")?;
    let expires_at: Option<i64> = row.try_get("expires_at")?;
    let last_used_at: Option<i64> = row.try_get("last_used_at")?;
    Ok(ApiKey {
        id: id
            .parse()
            .map_err(|_| StoreError::Corrupt("api_keys.id".to_owned()))?,
        owner: row.try_get("owner")?,
        prefix: row.try_get("prefix")?,
        hash: row.try_get("hash")?,
        sealed_name: row.try_get("sealed_name")?,
        scopes: scope::stored(&scopes),
        rate_class: row.try_get("rate_class")?,
        created_at: from_micros(row.try_get("created_at")?)?,
        expires_at: expires_at.map(from_micros).transpose()?,
        last_used_at: last_used_at.map(from_micros).transpose()?,
    })
}
