//! Registrations in the store.

use jiff::Timestamp;
use personal_data::Vault;
use storage::{AnyRow, Db, Row as _, StoreError, Tx, query, to_micros};
use travel_types::UserId;

use crate::accounts::{Accounts, Personal};

/// Expired registrations that one new one clears away.
const CLEARED: i64 = 10;

/// A registration that waits for its confirmation.
pub(crate) struct Waiting {
    /// The id that the account will have.
    pub(crate) id: UserId,
    pub(crate) personal: Personal,
    pub(crate) password_hash: String,
}

/// What belongs to the row alone.
pub(super) struct Row {
    pub(super) token_hash: String,
    pub(super) created_at: Timestamp,
    pub(super) expires_at: Timestamp,
}

pub(super) async fn insert(
    tx: &mut Tx,
    accounts: &Accounts,
    waiting: &Waiting,
    row: &Row,
) -> Result<(), StoreError> {
    let id = waiting.id.to_string();
    let sealed = accounts.seal(tx, &id, &waiting.personal).await?;
    query(
        "INSERT INTO registrations (id, email_index, sealed, password_hash, token_hash, created_at, \
         expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(id)
    .bind(accounts.index(&waiting.personal.email))
    .bind(sealed)
    .bind(&waiting.password_hash)
    .bind(&row.token_hash)
    .bind(to_micros(row.created_at))
    .bind(to_micros(row.expires_at))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Takes the registration with this token, if its time is not over. It can be taken once.
pub(super) async fn take(
    tx: &mut Tx,
    token_hash: &str,
    now: Timestamp,
) -> Result<Option<AnyRow>, StoreError> {
    let row = query(
        "DELETE FROM registrations WHERE token_hash = $1 AND expires_at > $2 \
         RETURNING id, sealed, password_hash",
    )
    .bind(token_hash)
    .bind(to_micros(now))
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row)
}

/// Unseals what was taken.
pub(super) async fn open(
    tx: &mut Tx,
    accounts: &Accounts,
    row: &AnyRow,
) -> Result<Option<Waiting>, StoreError> {
    let corrupt = |column: &str| StoreError::Corrupt(format!("registrations.{column}"));
    let id: String = row.try_get("id")?;
    let sealed: String = row.try_get("sealed")?;
    let Some(personal) = accounts.vault().open_in(tx, &id, &sealed).await? else {
        return Ok(None);
    };
    Ok(Some(Waiting {
        id: id.parse().map_err(|_| corrupt("id"))?,
        personal: serde_json::from_str(&personal).map_err(|_| corrupt("sealed"))?,
        password_hash: row.try_get("password_hash")?,
    }))
}

/// The password hash of the newest registration of an address whose time is not over.
pub(super) async fn newest(
    db: &Db,
    email_index: &str,
    now: Timestamp,
) -> Result<Option<String>, StoreError> {
    let row = query(
        "SELECT password_hash FROM registrations WHERE email_index = $1 AND expires_at > $2 \
         ORDER BY created_at DESC, id DESC LIMIT 1",
    )
    .bind(email_index)
    .bind(to_micros(now))
    .fetch_optional(db.pool())
    .await?;
    Ok(row.map(|row| row.try_get("password_hash")).transpose()?)
}

/// Those that wait for an address go, and what is known of those people with them.
pub(super) async fn forget(
    tx: &mut Tx,
    vault: &Vault,
    email_index: &str,
) -> Result<(), StoreError> {
    let gone = query("DELETE FROM registrations WHERE email_index = $1 RETURNING id")
        .bind(email_index)
        .fetch_all(&mut **tx)
        .await?;
    for row in gone {
        vault.destroy(tx, &row.try_get::<String, _>("id")?).await?;
    }
    Ok(())
}

/// Some of those whose time is over go, and what is known of those people with them.
pub(super) async fn forget_expired(
    tx: &mut Tx,
    vault: &Vault,
    now: Timestamp,
) -> Result<(), StoreError> {
    let gone = query(
        "DELETE FROM registrations WHERE id IN \
         (SELECT id FROM registrations WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2) \
         RETURNING id",
    )
    .bind(to_micros(now))
    .bind(CLEARED)
    .fetch_all(&mut **tx)
    .await?;
    for row in gone {
        vault.destroy(tx, &row.try_get::<String, _>("id")?).await?;
    }
    Ok(())
}
