//! Accounts in the store.

use auth::Role;
use jiff::Timestamp;
use serde::Serialize;
use storage::{AnyRow, Db, Row, StoreError, from_micros, query, to_micros};
use travel_types::UserId;
use utoipa::ToSchema;

/// An account as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct User {
    /// The account's id.
    pub(crate) id: UserId,
    /// The address it logs in with.
    #[schema(format = Email, example = "agent@interline.test")]
    pub(crate) email: String,
    /// The person's name.
    pub(crate) full_name: String,
    /// What the account is for.
    #[schema(value_type = String, example = "agent")]
    pub(crate) role: Role,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) created_at: Timestamp,
}

/// An account with what proves its owner.
pub(crate) struct Account {
    pub(crate) user: User,
    /// PHC string.
    pub(crate) password_hash: String,
}

/// The one spelling of an address that is stored, searched and counted.
pub(crate) fn normalise(email: &str) -> String {
    email.trim().to_lowercase()
}

/// The account with this address, as [`normalise`] spells it.
pub(crate) async fn by_email(db: &Db, email: &str) -> Result<Option<Account>, StoreError> {
    let row = query("SELECT * FROM accounts WHERE email = $1")
        .bind(email)
        .fetch_optional(db.pool())
        .await?;
    row.map(|row| read(&row)).transpose()
}

/// The account with this id.
pub(crate) async fn by_id(db: &Db, id: &str) -> Result<Option<Account>, StoreError> {
    let row = query("SELECT * FROM accounts WHERE id = $1")
        .bind(id)
        .fetch_optional(db.pool())
        .await?;
    row.map(|row| read(&row)).transpose()
}

/// Adds a sandbox account unless its address has one.
pub(crate) async fn add_sandbox(db: &Db, account: &Account) -> Result<(), StoreError> {
    let user = &account.user;
    query(
        "INSERT INTO accounts (id, email, full_name, role, password_hash, sandbox, created_at) \
         VALUES ($1, $2, $3, $4, $5, 1, $6) ON CONFLICT (email) DO NOTHING",
    )
    .bind(user.id.to_string())
    .bind(&user.email)
    .bind(&user.full_name)
    .bind(user.role.as_str())
    .bind(&account.password_hash)
    .bind(to_micros(user.created_at))
    .execute(db.pool())
    .await?;
    Ok(())
}

/// How many accounts of the sandbox there are.
pub(crate) async fn sandbox_count(db: &Db) -> Result<i64, StoreError> {
    let row = query("SELECT COUNT(*) AS n FROM accounts WHERE sandbox = 1")
        .fetch_one(db.pool())
        .await?;
    Ok(row.try_get("n")?)
}

fn read(row: &AnyRow) -> Result<Account, StoreError> {
    let corrupt = |column: &str| StoreError::Corrupt(format!("accounts.{column}"));
    let id: String = row.try_get("id")?;
    let role: String = row.try_get("role")?;
    Ok(Account {
        user: User {
            id: id.parse().map_err(|_| corrupt("id"))?,
            email: row.try_get("email")?,
            full_name: row.try_get("full_name")?,
            role: role.parse().map_err(|_| corrupt("role"))?,
            created_at: from_micros(row.try_get("created_at")?)?,
        },
        password_hash: row.try_get("password_hash")?,
    })
}
