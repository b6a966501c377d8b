//! Log-ins in the store.

use auth::Permission;
use jiff::Timestamp;
use storage::{AnyRow, Db, Row, StoreError, Tx, from_micros, query, to_micros};
use travel_types::UserId;

use super::Grant;

/// A log-in that lives.
pub(super) struct LogIn {
    pub(super) id: String,
    pub(super) grant: Grant,
    pub(super) session_id: String,
    pub(super) current_hash: String,
    pub(super) previous_hash: Option<String>,
    pub(super) nonce: Option<String>,
    /// Microseconds.
    pub(super) rotated_at: i64,
    pub(super) expires_at: Timestamp,
}

/// A log-in that begins.
pub(super) struct New<'a> {
    pub(super) id: &'a str,
    pub(super) grant: &'a Grant,
    pub(super) session_id: &'a str,
    pub(super) hash: &'a str,
    pub(super) now: Timestamp,
    pub(super) expires_at: Timestamp,
}

/// The step from one token to the next.
pub(super) struct Rotation<'a> {
    pub(super) id: &'a str,
    /// Hashes of the token that is used and of the next one.
    pub(super) presented: &'a str,
    pub(super) next: &'a str,
    pub(super) nonce: &'a str,
    pub(super) now: Timestamp,
}

/// The permissions of a scope; unknown ones are left out.
fn permissions(scope: &str) -> Vec<Permission> {
    let names = scope.split_ascii_whitespace();
    names.filter_map(|name| name.parse().ok()).collect()
}

pub(super) async fn insert(tx: &mut Tx, new: &New<'_>) -> Result<(), StoreError> {
    let scope = new.grant.permissions.as_ref().map(|permissions| {
        let names: Vec<&str> = permissions.iter().map(|p| p.as_str()).collect();
        names.join(" ")
    });
    query(
        "INSERT INTO log_ins (id, account_id, client_id, scope, session_id, current_hash, \
         created_at, rotated_at, expires_at, ended) VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, 0)",
    )
    .bind(new.id)
    .bind(new.grant.account.to_string())
    .bind(&new.grant.client)
    .bind(scope)
    .bind(new.session_id)
    .bind(new.hash)
    .bind(to_micros(new.now))
    .bind(to_micros(new.expires_at))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(super) async fn forget_expired(
    tx: &mut Tx,
    account: &UserId,
    now: Timestamp,
) -> Result<(), StoreError> {
    query("DELETE FROM log_ins WHERE account_id = $1 AND expires_at <= $2")
        .bind(account.to_string())
        .bind(to_micros(now))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

pub(super) async fn living(db: &Db, id: &str, now: Timestamp) -> Result<Option<LogIn>, StoreError> {
    let row = query("SELECT * FROM log_ins WHERE id = $1 AND ended = 0 AND expires_at > $2")
        .bind(id)
        .bind(to_micros(now))
        .fetch_optional(db.pool())
        .await?;
    row.map(|row| read(&row)).transpose()
}

/// Makes the step, unless another use of the same token was faster or the log-in is over.
pub(super) async fn rotate(db: &Db, rotation: &Rotation<'_>) -> Result<Option<LogIn>, StoreError> {
    let row = query(
        "UPDATE log_ins SET current_hash = $1, previous_hash = $2, nonce = $3, rotated_at = $4 \
         WHERE id = $5 AND current_hash = $2 AND ended = 0 RETURNING *",
    )
    .bind(rotation.next)
    .bind(rotation.presented)
    .bind(rotation.nonce)
    .bind(to_micros(rotation.now))
    .bind(rotation.id)
    // All rows: a statement that writes is over only when it was read to its end.
    .fetch_all(db.pool())
    .await?;
    row.first().map(read).transpose()
}

/// Ends a log-in; its session id, if it was alive.
pub(super) async fn end(tx: &mut Tx, id: &str) -> Result<Option<String>, StoreError> {
    let row =
        query("UPDATE log_ins SET ended = 1 WHERE id = $1 AND ended = 0 RETURNING session_id")
            .bind(id)
            .fetch_optional(&mut **tx)
            .await?;
    Ok(row.map(|row| row.try_get("session_id")).transpose()?)
}

/// Ends the log-in with this session id; its own id, if it was alive.
pub(super) async fn end_session(
    tx: &mut Tx,
    account: &str,
    session_id: &str,
) -> Result<Option<String>, StoreError> {
    let row = query(
        "UPDATE log_ins SET ended = 1 WHERE account_id = $1 AND session_id = $2 AND ended = 0 \
         RETURNING id",
    )
    .bind(account)
    .bind(session_id)
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(|row| row.try_get("id")).transpose()?)
}

/// Ends every log-in of an account; the session ids of those that were alive.
pub(super) async fn end_all(tx: &mut Tx, account: &str) -> Result<Vec<String>, StoreError> {
    let rows = query(
        "UPDATE log_ins SET ended = 1 WHERE account_id = $1 AND ended = 0 RETURNING session_id",
    )
    .bind(account)
    .fetch_all(&mut **tx)
    .await?;
    let ids = rows.iter().map(|row| row.try_get("session_id"));
    Ok(ids.collect::<Result<_, _>>()?)
}

/// Id and session id of every log-in of an account that lives. They cannot change until the
/// transaction ends.
pub(super) async fn of_account(
    tx: &mut Tx,
    account: &str,
) -> Result<Vec<(String, String)>, StoreError> {
    let rows = query(
        "UPDATE log_ins SET ended = ended WHERE account_id = $1 AND ended = 0 \
         RETURNING id, session_id",
    )
    .bind(account)
    .fetch_all(&mut **tx)
    .await?;
    rows.iter()
        .map(|row| Ok((row.try_get("id")?, row.try_get("session_id")?)))
        .collect()
}

pub(super) async fn set_session(tx: &mut Tx, id: &str, session_id: &str) -> Result<(), StoreError> {
    query("UPDATE log_ins SET session_id = $1 WHERE id = $2")
        .bind(session_id)
        .bind(id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Ends a client's log-ins; the session ids of those that were alive.
pub(super) async fn end_all_of_client(
    tx: &mut Tx,
    client: &str,
) -> Result<Vec<String>, StoreError> {
    let rows = query(
        "UPDATE log_ins SET ended = 1 WHERE client_id = $1 AND ended = 0 RETURNING session_id",
    )
    .bind(client)
    .fetch_all(&mut **tx)
    .await?;
    let ids = rows.iter().map(|row| Ok(row.try_get("session_id")?));
    ids.collect()
}

fn read(row: &AnyRow) -> Result<LogIn, StoreError> {
    let account: String = row.try_get("account_id")?;
    let scope: Option<String> = row.try_get("scope")?;
    Ok(LogIn {
        id: row.try_get("id")?,
        grant: Grant {
            account: account
                .parse()
                .map_err(|_| StoreError::Corrupt("log_ins.account_id".to_owned()))?,
            client: row.try_get("client_id")?,
            permissions: scope.as_deref().map(permissions),
        },
        session_id: row.try_get("session_id")?,
        current_hash: row.try_get("current_hash")?,
        previous_hash: row.try_get("previous_hash")?,
        nonce: row.try_get("nonce")?,
        rotated_at: row.try_get("rotated_at")?,
        expires_at: from_micros(row.try_get("expires_at")?)?,
    })
}
