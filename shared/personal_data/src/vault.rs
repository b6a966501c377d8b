//! Sealing and opening under a person's own key, and the key's destruction.

use std::collections::{HashMap, HashSet};
use std::fmt;

use aws_lc_rs::rand;
use storage::{AnyConnection, AnyRow, Db, Row as _, StoreError, Tx, query, sqlx};

use crate::cipher::{Broken, Cipher, KEY_LEN};
use crate::master::MasterKey;

/// Most subjects that one statement asks for.
const SUBJECTS_PER_QUERY: usize = 500;

/// Why something was not sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The subject's key was destroyed: nothing new may be kept about it.
    #[error("the personal data of this subject was erased")]
    Erased,
    /// A text that no key here opens although the subject's key is there: it was changed, belongs to somebody
    /// else, or the master key is another one.
    #[error("sealed data cannot be opened: it was changed, or the master key is another one")]
    Unreadable,
    /// The machine has no randomness, or the cipher failed.
    #[error("the data could not be sealed")]
    Cipher,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for VaultError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<Broken> for VaultError {
    fn from(_: Broken) -> Self {
        Self::Cipher
    }
}

impl From<VaultError> for StoreError {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Store(error) => error,
            other => Self::Corrupt(other.to_string()),
        }
    }
}

/// Seals what a service keeps about people. Clones share the database and the master key. No subject's
/// key is remembered: what was destroyed is gone with the commit.
#[derive(Clone)]
pub struct Vault {
    db: Db,
    master: MasterKey,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault")
    }
}

/// What is known of a subject's key.
enum SubjectKey {
    Alive(Cipher),
    Destroyed,
    None,
}

impl Vault {
    /// A vault over a service's own database, which has had [`crate::MIGRATIONS`].
    pub fn new(db: Db, master: MasterKey) -> Self {
        Self { db, master }
    }

    /// Seals a text under the subject's key, which is made on first use. What is returned is opened by
    /// this subject's key alone.
    ///
    /// # Errors
    /// [`VaultError::Erased`] once the key was destroyed; those of the store.
    pub async fn seal(
        &self,
        tx: &mut Tx,
        subject: &str,
        plain: &str,
    ) -> Result<String, VaultError> {
        let cipher = match self.key_of(tx, subject).await? {
            SubjectKey::Alive(cipher) => cipher,
            SubjectKey::Destroyed => return Err(VaultError::Erased),
            SubjectKey::None => {
                let mut key = [0; KEY_LEN];
                rand::fill(&mut key).map_err(|_| VaultError::Cipher)?;
                // Of two that make the first key at once, one waits here and then finds the other's.
                query(
                    "INSERT INTO subject_keys (subject, wrapped) VALUES ($1, $2) \
                     ON CONFLICT (subject) DO NOTHING",
                )
                .bind(subject)
                .bind(self.master.wrap_subject(subject, &key)?)
                .execute(&mut **tx)
                .await?;
                match self.key_of(tx, subject).await? {
                    SubjectKey::Alive(cipher) => cipher,
                    SubjectKey::Destroyed => return Err(VaultError::Erased),
                    SubjectKey::None => return Err(VaultError::Unreadable),
                }
            }
        };
        Ok(cipher.seal("data", subject, plain.as_bytes())?)
    }

    /// Opens what was sealed for a subject. `None` when the subject's key was destroyed. Not within a
    /// transaction: see [`Vault::open_in`].
    ///
    /// # Errors
    /// [`VaultError::Unreadable`] for a text that was not sealed for this subject; those of the store.
    pub async fn open(&self, subject: &str, sealed: &str) -> Result<Option<String>, VaultError> {
        let mut connection = self.db.pool().acquire().await?;
        let key = self.key_of(&mut connection, subject).await?;
        opened(&key, subject, sealed)
    }

    /// [`Vault::open`] within a transaction.
    ///
    /// # Errors
    /// As [`Vault::open`].
    pub async fn open_in(
        &self,
        tx: &mut Tx,
        subject: &str,
        sealed: &str,
    ) -> Result<Option<String>, VaultError> {
        let key = self.key_of(tx, subject).await?;
        opened(&key, subject, sealed)
    }

    /// Opens many `(subject, sealed text)` with one query, in their order.
    ///
    /// # Errors
    /// As [`Vault::open`].
    pub async fn open_many(
        &self,
        items: &[(&str, &str)],
    ) -> Result<Vec<Option<String>>, VaultError> {
        let subjects: HashSet<&str> = items.iter().map(|(subject, _)| *subject).collect();
        let subjects: Vec<&str> = subjects.into_iter().collect();
        let mut keys = HashMap::new();
        for chunk in subjects.chunks(SUBJECTS_PER_QUERY) {
            let places: Vec<String> = (1..=chunk.len()).map(|n| format!("${n}")).collect();
            let text = format!(
                "SELECT subject, wrapped FROM subject_keys WHERE subject IN ({})",
                places.join(", ")
            );
            // The text holds placeholders alone.
            let mut found = query(sqlx::AssertSqlSafe(text));
            for subject in chunk {
                found = found.bind(*subject);
            }
            for row in found.fetch_all(self.db.pool()).await? {
                let subject: String = row.try_get("subject")?;
                let key = self.read_key(&subject, &row)?;
                keys.insert(subject, key);
            }
        }
        items
            .iter()
            .map(|(subject, sealed)| {
                let key = keys.get(*subject).unwrap_or(&SubjectKey::None);
                opened(key, subject, sealed)
            })
            .collect()
    }

    /// Destroys the subject's key with the transaction's commit, for ever: whatever was sealed under it is erased,
    /// and nothing can be sealed for this subject again, also if it had no key. Whether the key was not
    /// destroyed before.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn destroy(&self, tx: &mut Tx, subject: &str) -> Result<bool, VaultError> {
        let buried = query(
            "INSERT INTO subject_keys (subject, wrapped) VALUES ($1, NULL) \
             ON CONFLICT (subject) DO UPDATE SET wrapped = NULL \
             WHERE subject_keys.wrapped IS NOT NULL",
        )
        .bind(subject)
        .execute(&mut **tx)
        .await?;
        Ok(buried.rows_affected() == 1)
    }

    /// A keyed fingerprint for look-ups, unique columns and counters: [`MasterKey::index`].
    pub fn index(&self, purpose: &str, text: &str) -> String {
        self.master.index(purpose, text)
    }

    /// Wraps a secret of the system itself, such as a signing key, under the master key.
    ///
    /// # Errors
    /// [`VaultError::Cipher`] when the machine has no randomness.
    pub fn wrap(&self, purpose: &str, secret: &[u8]) -> Result<String, VaultError> {
        Ok(self.master.wrap_secret(purpose, secret)?)
    }

    /// Undoes [`Vault::wrap`]. `None` for anything that was not wrapped for this purpose under this
    /// master key.
    pub fn unwrap_(&self, purpose: &str, wrapped: &str) -> Option<Vec<u8>> {
        self.master.unwrap_secret(purpose, wrapped)
    }

    async fn key_of(
        &self,
        connection: &mut AnyConnection,
        subject: &str,
    ) -> Result<SubjectKey, VaultError> {
        let row = query("SELECT wrapped FROM subject_keys WHERE subject = $1")
            .bind(subject)
            .fetch_optional(connection)
            .await?;
        match row {
            Some(row) => self.read_key(subject, &row),
            None => Ok(SubjectKey::None),
        }
    }

    fn read_key(&self, subject: &str, row: &AnyRow) -> Result<SubjectKey, VaultError> {
        match row.try_get::<Option<String>, _>("wrapped")? {
            None => Ok(SubjectKey::Destroyed),
            Some(wrapped) => match self.master.unwrap_subject(subject, &wrapped) {
                Some(cipher) => Ok(SubjectKey::Alive(cipher)),
                None => Err(VaultError::Unreadable),
            },
        }
    }
}

fn opened(key: &SubjectKey, subject: &str, sealed: &str) -> Result<Option<String>, VaultError> {
    match key {
        SubjectKey::Destroyed => Ok(None),
        SubjectKey::None => Err(VaultError::Unreadable),
        SubjectKey::Alive(cipher) => cipher
            .open("data", subject, sealed)
            .and_then(|plain| String::from_utf8(plain).ok())
            .map(Some)
            .ok_or(VaultError::Unreadable),
    }
}
