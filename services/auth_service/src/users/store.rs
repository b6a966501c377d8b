//! What administrators read and change of accounts in the store.

use auth::Role;
use storage::{AnyRow, Db, Row as _, StoreError, Tx, from_micros, query, to_micros};
use travel_types::UserId;

use super::{Filter, Listed};
use crate::accounts::Personal;

/// A page of accounts that is asked for.
pub(super) struct Page<'a> {
    pub(super) filter: &'a Filter,
    pub(super) email_index: Option<String>,
    /// When the last account before was made, in microseconds, and its id.
    pub(super) after: Option<(i64, UserId)>,
    pub(super) limit: i64,
}

/// An account as it is stored.
pub(super) struct Row {
    pub(super) id: String,
    pub(super) sealed: String,
    pub(super) role: String,
    pub(super) status: String,
    pub(super) created_at: i64,
}

impl Row {
    fn read(row: &AnyRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.try_get("id")?,
            sealed: row.try_get("sealed")?,
            role: row.try_get("role")?,
            status: row.try_get("status")?,
            created_at: row.try_get("created_at")?,
        })
    }

    pub(super) fn listed(&self, personal: Option<Personal>) -> Result<Listed, StoreError> {
        let corrupt = |column: &str| StoreError::Corrupt(format!("accounts.{column}"));
        let (email, full_name) = personal.map(|p| (p.email, p.full_name)).unzip();
        Ok(Listed {
            id: self.id.parse().map_err(|_| corrupt("id"))?,
            email,
            full_name,
            role: self.role.parse().map_err(|_| corrupt("role"))?,
            status: self.status.clone(),
            created_at: from_micros(self.created_at)?,
        })
    }
}

pub(super) async fn list(db: &Db, page: &Page<'_>) -> Result<Vec<Row>, StoreError> {
    let filter = page.filter;
    let (at, id) = match &page.after {
        Some((at, id)) => (*at, id.to_string()),
        None => (i64::MAX, String::new()),
    };
    // A filter that is not asked for is bound as the text that lets everything pass.
    let rows = query(
        "SELECT id, sealed, role, status, created_at FROM accounts \
         WHERE ($1 = '' OR role = $1) AND ($2 = '' OR status = $2) \
         AND ($3 = '' OR email_index = $3) AND created_at >= $4 AND created_at < $5 \
         AND (created_at < $6 OR (created_at = $6 AND id < $7)) \
         ORDER BY created_at DESC, id DESC LIMIT $8",
    )
    .bind(filter.role.map_or("", Role::as_str))
    .bind(filter.status.as_deref().unwrap_or(""))
    .bind(page.email_index.as_deref().unwrap_or(""))
    .bind(filter.from.map_or(i64::MIN, to_micros))
    .bind(filter.to.map_or(i64::MAX, to_micros))
    .bind(at)
    .bind(id)
    .bind(page.limit)
    .fetch_all(db.pool())
    .await?;
    rows.iter().map(Row::read).collect()
}

/// The active administrators. They cannot change until the transaction ends: of two that remove each
/// other, the second finds itself the last.
pub(super) async fn administrators(tx: &mut Tx) -> Result<Vec<String>, StoreError> {
    let rows = query(
        "UPDATE accounts SET status = status WHERE role = $1 AND status = 'active' RETURNING id",
    )
    .bind(Role::Admin.as_str())
    .fetch_all(&mut **tx)
    .await?;
    let ids = rows.iter().map(|row| row.try_get("id"));
    Ok(ids.collect::<Result<_, _>>()?)
}

/// The active account with this id, which cannot change until the transaction ends.
pub(super) async fn active(tx: &mut Tx, id: &str) -> Result<Option<Row>, StoreError> {
    let row = query(
        "UPDATE accounts SET status = status WHERE id = $1 AND status = 'active' \
         RETURNING id, sealed, role, status, created_at",
    )
    .bind(id)
    .fetch_optional(&mut **tx)
    .await?;
    row.as_ref().map(Row::read).transpose()
}

pub(super) async fn set_role(tx: &mut Tx, id: &str, role: Role) -> Result<(), StoreError> {
    query("UPDATE accounts SET role = $1 WHERE id = $2")
        .bind(role.as_str())
        .bind(id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Marks an account as deleted. Whether it was active.
pub(super) async fn delete(tx: &mut Tx, id: &str) -> Result<bool, StoreError> {
    let deleted = query(
        "UPDATE accounts SET status = 'deleted', password_hash = '' \
         WHERE id = $1 AND status = 'active'",
    )
    .bind(id)
    .execute(&mut **tx)
    .await?;
    Ok(deleted.rows_affected() == 1)
}
