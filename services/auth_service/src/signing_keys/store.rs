//! Signing keys in the store.

use jiff::Timestamp;
use storage::{AnyRow, Db, Row, StoreError, Tx, from_micros, query, to_micros};

use super::timeline::KeyTimes;

/// The most keys that are listed, the newest first.
const LISTED: i64 = 100;

/// A key as it is stored.
pub(super) struct Stored {
    pub(super) times: KeyTimes,
    /// The private key, wrapped; none once it was destroyed.
    pub(super) wrapped: Option<String>,
}

/// The keys whose private halves are still there, the oldest first.
pub(super) async fn living(db: &Db) -> Result<Vec<Stored>, StoreError> {
    let rows = query("SELECT * FROM signing_keys WHERE wrapped IS NOT NULL ORDER BY generation")
        .fetch_all(db.pool())
        .await?;
    rows.iter().map(read).collect()
}

/// The newest keys, dead ones too, the oldest first.
pub(super) async fn newest(db: &Db) -> Result<Vec<KeyTimes>, StoreError> {
    let rows = query("SELECT * FROM signing_keys ORDER BY generation DESC LIMIT $1")
        .bind(LISTED)
        .fetch_all(db.pool())
        .await?;
    let keys = rows.iter().rev().map(|row| Ok(read(row)?.times));
    keys.collect()
}

/// Adds a key, unless another instance was faster with its generation. Whether it did.
pub(super) async fn insert(
    tx: &mut Tx,
    times: &KeyTimes,
    wrapped: &str,
) -> Result<bool, StoreError> {
    let made = query(
        "INSERT INTO signing_keys (kid, generation, wrapped, made_at, signs_from) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
    )
    .bind(&times.kid)
    .bind(times.generation)
    .bind(wrapped)
    .bind(to_micros(times.made_at))
    .bind(to_micros(times.signs_from))
    .execute(&mut **tx)
    .await?;
    Ok(made.rows_affected() == 1)
}

/// Withdraws the keys before this generation and destroys their private halves. How many there were.
pub(super) async fn withdraw_before(
    tx: &mut Tx,
    generation: i64,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let withdrawn = query(
        "UPDATE signing_keys SET withdrawn_at = $1, wrapped = NULL \
         WHERE generation < $2 AND withdrawn_at IS NULL AND wrapped IS NOT NULL",
    )
    .bind(to_micros(now))
    .bind(generation)
    .execute(&mut **tx)
    .await?;
    Ok(withdrawn.rows_affected())
}

/// Destroys the private half of a key that has no more use for it.
pub(super) async fn destroy(db: &Db, kid: &str) -> Result<(), StoreError> {
    query("UPDATE signing_keys SET wrapped = NULL WHERE kid = $1")
        .bind(kid)
        .execute(db.pool())
        .await?;
    Ok(())
}

fn read(row: &AnyRow) -> Result<Stored, StoreError> {
    let withdrawn_at: Option<i64> = row.try_get("withdrawn_at")?;
    Ok(Stored {
        times: KeyTimes {
            kid: row.try_get("kid")?,
            generation: row.try_get("generation")?,
            made_at: from_micros(row.try_get("made_at")?)?,
            signs_from: from_micros(row.try_get("signs_from")?)?,
            withdrawn_at: withdrawn_at.map(from_micros).transpose()?,
        },
        wrapped: row.try_get("wrapped")?,
    })
}
