//! Authorization codes in the store: hashed, single-use, alive for a minute.

use std::time::Duration;

use jiff::Timestamp;
use storage::{Db, Row, StoreError, Tx, query, to_micros};

/// How long a code may be redeemed.
pub(super) const LIFE: Duration = Duration::from_secs(60);
/// How long a code is remembered afterwards, so that its second use is recognised.
const REMEMBERED: Duration = Duration::from_secs(24 * 3600);

/// What a code is bound to.
pub(super) struct Code {
    pub(super) client_id: String,
    pub(super) account_id: String,
    pub(super) redirect_uri: String,
    pub(super) challenge: String,
    pub(super) scope: String,
    /// Microseconds.
    pub(super) expires_at: i64,
    pub(super) used: bool,
    /// The log-in that it gave.
    pub(super) log_in_id: Option<String>,
}

/// Adds a code and forgets old ones.
pub(super) async fn insert(
    tx: &mut Tx,
    hash: &str,
    code: &Code,
    now: Timestamp,
) -> Result<(), StoreError> {
    let remembered = i64::try_from(REMEMBERED.as_micros()).unwrap_or(i64::MAX);
    query("DELETE FROM oauth_codes WHERE expires_at < $1")
        .bind(to_micros(now).saturating_sub(remembered))
        .execute(&mut **tx)
        .await?;
    query(
        "INSERT INTO oauth_codes (hash, client_id, account_id, redirect_uri, challenge, scope, \
         expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(hash)
    .bind(&code.client_id)
    .bind(&code.account_id)
    .bind(&code.redirect_uri)
    .bind(&code.challenge)
    .bind(&code.scope)
    .bind(code.expires_at)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The code with this hash, used or not.
pub(super) async fn find(db: &Db, hash: &str) -> Result<Option<Code>, StoreError> {
    let row = query("SELECT * FROM oauth_codes WHERE hash = $1")
        .bind(hash)
        .fetch_optional(db.pool())
        .await?;
    row.map(|row| {
        let used_at: Option<i64> = row.try_get("used_at")?;
        Ok(Code {
            client_id: row.try_get("client_id")?,
            account_id: row.try_get("account_id")?,
            redirect_uri: row.try_get("redirect_uri")?,
            challenge: row.try_get("challenge")?,
            scope: row.try_get("scope")?,
            expires_at: row.try_get("expires_at")?,
            used: used_at.is_some(),
            log_in_id: row.try_get("log_in_id")?,
        })
    })
    .transpose()
}

/// Uses a code up for a log-in, unless it was used before. Whether it did.
pub(super) async fn take(
    tx: &mut Tx,
    hash: &str,
    log_in_id: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let taken = query(
        "UPDATE oauth_codes SET used_at = $1, log_in_id = $2 \
         WHERE hash = $3 AND used_at IS NULL AND expires_at > $1",
    )
    .bind(to_micros(now))
    .bind(log_in_id)
    .bind(hash)
    .execute(&mut **tx)
    .await?;
    Ok(taken.rows_affected() == 1)
}

/// Forgets an account's codes.
pub(crate) async fn delete_all_of(tx: &mut Tx, account: &str) -> Result<(), StoreError> {
    query("DELETE FROM oauth_codes WHERE account_id = $1")
        .bind(account)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Forgets a client's codes.
pub(crate) async fn delete_all_of_client(tx: &mut Tx, client: &str) -> Result<(), StoreError> {
    query("DELETE FROM oauth_codes WHERE client_id = $1")
        .bind(client)
        .execute(&mut **tx)
        .await?;
    Ok(())
}
