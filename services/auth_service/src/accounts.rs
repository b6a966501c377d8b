//! Accounts in the store.

use auth::Role;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use storage::{AnyRow, Db, Row, StoreError, Tx, from_micros, query, to_micros};
use travel_types::UserId;
use unicode_normalization::UnicodeNormalization as _;
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

/// What is personal of an account; at rest only sealed.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct Personal {
    pub(crate) email: String,
    pub(crate) full_name: String,
}

/// An account as it is stored, with what proves its owner.
pub(crate) struct Account {
    pub(crate) id: UserId,
    pub(crate) role: Role,
    /// PHC string.
    pub(crate) password_hash: String,
    pub(crate) created_at: Timestamp,
    sealed: String,
}

/// An account that is to be made.
pub(crate) struct NewAccount<'a> {
    pub(crate) id: UserId,
    pub(crate) personal: &'a Personal,
    pub(crate) role: Role,
    pub(crate) password_hash: &'a str,
    pub(crate) sandbox: bool,
    pub(crate) created_at: Timestamp,
}

/// The one spelling of an address that is stored, searched and counted.
pub(crate) fn normalise(email: &str) -> String {
    let folded = email.trim().nfkc().collect::<String>().to_lowercase();
    folded.nfkc().collect()
}

/// The accounts. Only active ones are found, unless a function says otherwise.
#[derive(Clone)]
pub(crate) struct Accounts {
    db: Db,
}

impl Accounts {
    pub(crate) fn new(db: Db) -> Self {
        Self { db }
    }

    /// The account with this address, as [`normalise`] spells it.
    pub(crate) async fn with_email(&self, email: &str) -> Result<Option<Account>, StoreError> {
        let row = query("SELECT * FROM accounts WHERE email_index = $1 AND status = 'active'")
            .bind(self.index(email))
            .fetch_optional(self.db.pool())
            .await?;
        row.map(|row| read(&row)).transpose()
    }

    /// The account with this id.
    pub(crate) async fn with_id(&self, id: &str) -> Result<Option<Account>, StoreError> {
        let row = query("SELECT * FROM accounts WHERE id = $1 AND status = 'active'")
            .bind(id)
            .fetch_optional(self.db.pool())
            .await?;
        row.map(|row| read(&row)).transpose()
    }

    /// The account as its owner sees it; none if it is not active.
    pub(crate) async fn user(&self, id: &str) -> Result<Option<User>, StoreError> {
        match self.with_id(id).await? {
            Some(account) => self.open(&account).await,
            None => Ok(None),
        }
    }

    /// Unseals an account; none once its key is destroyed.
    pub(crate) async fn open(&self, account: &Account) -> Result<Option<User>, StoreError> {
        let personal: Personal = serde_json::from_str(&account.sealed)
            .map_err(|_| StoreError::Corrupt("accounts.sealed".to_owned()))?;
        Ok(Some(User {
            id: account.id,
            email: personal.email,
            full_name: personal.full_name,
            role: account.role,
            created_at: account.created_at,
        }))
    }

    /// Makes an account, unless its address has one. Whether it did.
    pub(crate) async fn add(
        &self,
        tx: &mut Tx,
        account: &NewAccount<'_>,
    ) -> Result<bool, StoreError> {
        let sealed = serde_json::to_string(account.personal)
            .map_err(|_| StoreError::Corrupt("accounts.sealed".to_owned()))?;
        let made = query(
            "INSERT INTO accounts (id, email_index, sealed, role, password_hash, status, sandbox, \
             created_at) VALUES ($1, $2, $3, $4, $5, 'active', $6, $7) \
             ON CONFLICT (email_index) DO NOTHING",
        )
        .bind(account.id.to_string())
        .bind(self.index(&account.personal.email))
        .bind(sealed)
        .bind(account.role.as_str())
        .bind(account.password_hash)
        .bind(i64::from(account.sandbox))
        .bind(to_micros(account.created_at))
        .execute(&mut **tx)
        .await?;
        Ok(made.rows_affected() == 1)
    }

    /// How many accounts of the sandbox there are.
    pub(crate) async fn sandbox_count(&self) -> Result<i64, StoreError> {
        let row = query("SELECT COUNT(*) AS n FROM accounts WHERE sandbox = 1")
            .fetch_one(self.db.pool())
            .await?;
        Ok(row.try_get("n")?)
    }

    fn index(&self, email: &str) -> String {
        email.to_owned()
    }
}

fn read(row: &AnyRow) -> Result<Account, StoreError> {
    let corrupt = |column: &str| StoreError::Corrupt(format!("accounts.{column}"));
    let id: String = row.try_get("id")?;
    let role: String = row.try_get("role")?;
    Ok(Account {
        id: id.parse().map_err(|_| corrupt("id"))?,
        role: role.parse().map_err(|_| corrupt("role"))?,
        password_hash: row.try_get("password_hash")?,
        created_at: from_micros(row.try_get("created_at")?)?,
        sealed: row.try_get("sealed")?,
    })
}
