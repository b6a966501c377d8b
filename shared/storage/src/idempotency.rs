//! Idempotency keys in the store: one key, one effect, one answer, byte for byte, also across
//! restarts and several processes. The key is claimed in the same transaction as the intent that it
//! protects; the answer is stored with the result. Follows draft-ietf-httpapi-idempotency-key-header
//! (409 while running, 422 for another request) and keys are scoped to caller and route.

use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use jiff::Timestamp;
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::{Db, Migration, StoreError, Tx, to_micros};

/// The name of [`MIGRATIONS`] for [`Db::migrate`].
pub const SET: &str = "idempotency";

/// The tables of this module: `db.migrate(idempotency::SET, idempotency::MIGRATIONS)`.
pub const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    name: "keys",
    sql: include_str!("../migrations/idempotency/0001_keys.sql"),
}];

/// What makes a key unique. Another caller's or another route's same key is another key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// Who asks: the subject of the token.
    pub caller: String,
    /// The route's template, such as `POST /api/v1/flights/orders`.
    pub route: String,
    /// The `Idempotency-Key` header's value.
    pub key: String,
}

/// An answer as it went out, to be sent again unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The header fields that belong to the answer (`location`, `content-type`), in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

/// What a request that brings a key must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The key is new (or expired): this caller owns it until its lease ends.
    New,
    /// The request was answered before: send this.
    Replay(StoredAnswer),
    /// The first request is still running: 409.
    InProgress,
    /// The first request never finished and its lease is over: its process died. The lease is this
    /// caller's now; it must find out what the first attempt did before doing anything.
    Abandoned {
        /// What the first attempt was about, as it was claimed (an order's id).
        subject: Option<String>,
    },
    /// The key was used for a request with another fingerprint: 422.
    OtherBody,
}

/// How often a claim that lost a race looks again. Each round is lost only to another claim or a
/// removal of this very key, so two are enough in practice.
const ROUNDS: u32 = 4;

/// Claims the key for the request with this fingerprint, within the caller's transaction.
///
/// `lease` must be longer than the request can take; `keep` is how long the answer can be replayed,
/// counted from the claim.
///
/// # Errors
/// Those of the store; a race with other claims is not one.
pub async fn claim(
    tx: &mut Tx,
    key: &IdempotencyKey,
    fingerprint: &str,
    subject: Option<&str>,
    now: Timestamp,
    lease: Duration,
    keep: Duration,
) -> Result<Claim, StoreError> {
    let now = to_micros(now);
    let lease_until = later(now, lease);
    let expires_at = later(now, keep).max(lease_until);
    for _ in 0..ROUNDS {
        // An expired row is as good as none. Removing it first lets one INSERT decide who is new.
        sqlx::query(
            "DELETE FROM idempotency_keys \
             WHERE caller = $1 AND route = $2 AND request_key = $3 AND expires_at <= $4",
        )
        .bind(key.caller.as_str())
        .bind(key.route.as_str())
        .bind(key.key.as_str())
        .bind(now)
        .execute(&mut **tx)
        .await?;
        // On PostgreSQL a second INSERT waits for the first one's transaction: it then sees the row
        // that was committed, or takes the place of the one that was rolled back.
        let inserted = sqlx::query(
            "INSERT INTO idempotency_keys \
             (caller, route, request_key, fingerprint, subject, lease_until, expires_at, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
             ON CONFLICT (caller, route, request_key) DO NOTHING",
        )
        .bind(key.caller.as_str())
        .bind(key.route.as_str())
        .bind(key.key.as_str())
        .bind(fingerprint)
        .bind(subject.map(str::to_owned))
        .bind(lease_until)
        .bind(expires_at)
        .bind(now)
        .execute(&mut **tx)
        .await?;
        if inserted.rows_affected() == 1 {
            return Ok(Claim::New);
        }
        let Some(row) = find(tx, key).await? else {
            continue; // released or purged in between
        };
        if row.try_get::<String, _>("fingerprint")? != fingerprint {
            return Ok(Claim::OtherBody);
        }
        if let Some(answer) = answer_of(&row)? {
            return Ok(Claim::Replay(answer));
        }
        if row.try_get::<i64, _>("lease_until")? > now {
            return Ok(Claim::InProgress);
        }
        let taken = sqlx::query(
            "UPDATE idempotency_keys SET lease_until = $4, subject = COALESCE(subject, $5) \
             WHERE caller = $1 AND route = $2 AND request_key = $3 \
             AND answer_status IS NULL AND lease_until <= $6",
        )
        .bind(key.caller.as_str())
        .bind(key.route.as_str())
        .bind(key.key.as_str())
        .bind(lease_until)
        .bind(subject.map(str::to_owned))
        .bind(now)
        .execute(&mut **tx)
        .await?;
        if taken.rows_affected() == 1 {
            return Ok(Claim::Abandoned {
                subject: row.try_get("subject")?,
            });
        }
    }
    // Others keep changing the row, so one of them is at work on it.
    Ok(Claim::InProgress)
}

/// Stores the answer and returns the one that stands: `answer`, or an earlier one where a process
/// whose lease was over finished after all. Send what is returned, so that every caller of the key
/// sees the same bytes.
///
/// # Errors
/// Those of the store.
pub async fn finish(
    tx: &mut Tx,
    key: &IdempotencyKey,
    answer: &StoredAnswer,
) -> Result<StoredAnswer, StoreError> {
    let headers = serde_json::to_string(&answer.headers)
        .map_err(|_| StoreError::Corrupt("answer_headers".to_owned()))?;
    let stored = sqlx::query(
        "UPDATE idempotency_keys \
         SET answer_status = $4, answer_headers = $5, answer_body = $6 \
         WHERE caller = $1 AND route = $2 AND request_key = $3 AND answer_status IS NULL",
    )
    .bind(key.caller.as_str())
    .bind(key.route.as_str())
    .bind(key.key.as_str())
    .bind(i64::from(answer.status))
    .bind(headers)
    .bind(answer.body.as_str())
    .execute(&mut **tx)
    .await?;
    if stored.rows_affected() == 0 {
        match find(tx, key).await? {
            Some(row) => {
                if let Some(earlier) = answer_of(&row)? {
                    return Ok(earlier);
                }
            }
            // Expired and purged while the request ran. The effect is real, so its answer goes out.
            None => tracing::warn!(
                route = key.route,
                "an idempotency key expired before its request had finished"
            ),
        }
    }
    Ok(answer.clone())
}

/// Frees the key of a request that was refused before it had any effect. A finished key stays.
///
/// # Errors
/// Those of the store.
pub async fn release(tx: &mut Tx, key: &IdempotencyKey) -> Result<(), StoreError> {
    sqlx::query(
        "DELETE FROM idempotency_keys \
         WHERE caller = $1 AND route = $2 AND request_key = $3 AND answer_status IS NULL",
    )
    .bind(key.caller.as_str())
    .bind(key.route.as_str())
    .bind(key.key.as_str())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Removes all keys of a caller with their answers; returns how many.
///
/// # Errors
/// Those of the store.
pub async fn forget(tx: &mut Tx, caller: &str) -> Result<u64, StoreError> {
    let removed = sqlx::query("DELETE FROM idempotency_keys WHERE caller = $1")
        .bind(caller)
        .execute(&mut **tx)
        .await?;
    Ok(removed.rows_affected())
}

/// Removes the keys that have expired by `now`; returns how many.
///
/// # Errors
/// Those of the store.
pub async fn purge(db: &Db, now: Timestamp) -> Result<u64, StoreError> {
    let mut tx = db.begin().await?;
    let removed = sqlx::query("DELETE FROM idempotency_keys WHERE expires_at <= $1")
        .bind(to_micros(now))
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(removed.rows_affected())
}

/// The SHA-256 of a request in hex: the same for the same method, path and body, byte by byte.
pub fn fingerprint(method: &str, path: &str, body: &[u8]) -> String {
    let mut context = Context::new(&SHA256);
    // Neither a method nor a path can hold a line break, so no two requests join to the same text.
    for part in [method.as_bytes(), b"\n", path.as_bytes(), b"\n", body] {
        context.update(part);
    }
    hex::encode(context.finish())
}

async fn find(tx: &mut Tx, key: &IdempotencyKey) -> Result<Option<AnyRow>, StoreError> {
    Ok(sqlx::query(
        "SELECT fingerprint, subject, answer_status, answer_headers, answer_body, lease_until \
         FROM idempotency_keys WHERE caller = $1 AND route = $2 AND request_key = $3",
    )
    .bind(key.caller.as_str())
    .bind(key.route.as_str())
    .bind(key.key.as_str())
    .fetch_optional(&mut **tx)
    .await?)
}

fn answer_of(row: &AnyRow) -> Result<Option<StoredAnswer>, StoreError> {
    let Some(status) = row.try_get::<Option<i64>, _>("answer_status")? else {
        return Ok(None);
    };
    let headers: String = row.try_get("answer_headers")?;
    Ok(Some(StoredAnswer {
        status: u16::try_from(status)
            .map_err(|_| StoreError::Corrupt("answer_status".to_owned()))?,
        headers: serde_json::from_str(&headers)
            .map_err(|_| StoreError::Corrupt("answer_headers".to_owned()))?,
        body: row.try_get("answer_body")?,
    }))
}

fn later(now: i64, by: Duration) -> i64 {
    now.saturating_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_tells_method_path_and_body_apart() {
        let one = fingerprint("POST", "/orders", b"{}");
        assert_eq!(one.len(), 64);
        assert_eq!(one, fingerprint("POST", "/orders", b"{}"));
        for other in [
            fingerprint("PUT", "/orders", b"{}"),
            fingerprint("POST", "/orders/", b"{}"),
            fingerprint("POST", "/orders", b"{ }"),
            fingerprint("POST", "/order", b"s{}"),
        ] {
            assert_ne!(one, other);
        }
    }
}
