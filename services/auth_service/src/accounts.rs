//! Accounts in the store.

use auth::Role;
use jiff::Timestamp;
use personal_data::Vault;
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

/// The account that an address belongs to.
pub(crate) struct Holder {
    pub(crate) id: String,
    pub(crate) is_active: bool,
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
    vault: Vault,
}

impl Accounts {
    pub(crate) fn new(db: Db, vault: Vault) -> Self {
        Self { db, vault }
    }

    /// The account with this address, as [`normalise`] spells it.
    pub(crate) async fn with_email(&self, email: &str) -> Result<Option<Account>, StoreError> {
        let row = query("SELECT * FROM accounts WHERE email_index = $1 AND status = 'active'")
            .bind(self.index(email))
            .fetch_optional(self.db.pool())
            .await?;
        row.map(|row| read(&row)).transpose()
    }

    /// Who holds an address, active or not.
    pub(crate) async fn holder(&self, email: &str) -> Result<Option<Holder>, StoreError> {
        let row = query("SELECT id, status FROM accounts WHERE email_index = $1")
            .bind(self.index(email))
            .fetch_optional(self.db.pool())
            .await?;
        row.map(|row| {
            Ok(Holder {
                id: row.try_get("id")?,
                is_active: row.try_get::<String, _>("status")? == "active",
            })
        })
        .transpose()
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
        let id = account.id.to_string();
        let Some(personal) = self.vault.open(&id, &account.sealed).await? else {
            return Ok(None);
        };
        let personal: Personal = serde_json::from_str(&personal).map_err(|_| corrupt("sealed"))?;
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
        let id = account.id.to_string();
        let sealed = self.seal(tx, &id, account.personal).await?;
        let made = query(
            "INSERT INTO accounts (id, email_index, sealed, role, password_hash, status, sandbox, \
             created_at) VALUES ($1, $2, $3, $4, $5, 'active', $6, $7) \
             ON CONFLICT (email_index) DO NOTHING",
        )
        .bind(id)
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

    /// The blind index of an address, as [`normalise`] spells it.
    pub(crate) fn index(&self, email: &str) -> String {
        self.vault.index("email", email)
    }

    /// What personal data is sealed with.
    pub(crate) fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Sets a new password. Whether there is such an active account.
    pub(crate) async fn set_password(
        &self,
        tx: &mut Tx,
        id: &str,
        password_hash: &str,
    ) -> Result<bool, StoreError> {
        let set =
            query("UPDATE accounts SET password_hash = $1 WHERE id = $2 AND status = 'active'")
                .bind(password_hash)
                .bind(id)
                .execute(&mut **tx)
                .await?;
        Ok(set.rows_affected() == 1)
    }

    /// Replaces what is personal. Whether there is such an active account.
    pub(crate) async fn set_personal(
        &self,
        tx: &mut Tx,
        id: &str,
        personal: &Personal,
    ) -> Result<bool, StoreError> {
        let sealed = self.seal(tx, id, personal).await?;
        let set = query("UPDATE accounts SET sealed = $1 WHERE id = $2 AND status = 'active'")
            .bind(sealed)
            .bind(id)
            .execute(&mut **tx)
            .await?;
        Ok(set.rows_affected() == 1)
    }

    /// Erases an account: it has no address, no name and no password any more. The index that its address
    /// had, if it had one; none where there is no such active account.
    pub(crate) async fn erase(
        &self,
        tx: &mut Tx,
        id: &str,
    ) -> Result<Option<Option<String>>, StoreError> {
        let row = query("SELECT email_index FROM accounts WHERE id = $1")
            .bind(id)
            .fetch_optional(&mut **tx)
            .await?;
        let Some(row) = row else {
            return Ok(None);
        };
        let email_index: Option<String> = row.try_get("email_index")?;
        let erased = query(
            "UPDATE accounts SET email_index = NULL, sealed = '', password_hash = '', \
             status = 'erased' WHERE id = $1 AND status = 'active'",
        )
        .bind(id)
        .execute(&mut **tx)
        .await?;
        Ok((erased.rows_affected() == 1).then_some(email_index))
    }

    /// Seals what is personal of an account under its own key.
    pub(crate) async fn seal(
        &self,
        tx: &mut Tx,
        id: &str,
        personal: &Personal,
    ) -> Result<String, StoreError> {
        let text = serde_json::to_string(personal).map_err(|_| corrupt("sealed"))?;
        Ok(self.vault.seal(tx, id, &text).await?)
    }
}

fn corrupt(column: &str) -> StoreError {
    StoreError::Corrupt(format!("accounts.{column}"))
}

fn read(row: &AnyRow) -> Result<Account, StoreError> {
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
