//! What may go wrong in the store, told apart by what the caller must do about it. No text here holds
//! SQL, a value of a row or a password: errors end up in logs and in answers.

use sqlx::error::ErrorKind;

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, has no free connection or refuses work. Nothing was changed;
    /// a retry later may succeed.
    #[error("the store is unavailable ({0})")]
    Unavailable(String),
    /// Another transaction was in the way (lock time-out, deadlock, serialisation failure). Nothing
    /// was changed; the whole transaction may be tried again at once.
    #[error("the store is contended")]
    Contended,
    /// A row with the same unique key exists.
    #[error("a row with the same key exists")]
    Conflict,
    /// A row breaks a rule of its table (a foreign key, NOT NULL or CHECK): a fault of the program.
    #[error("the row breaks a rule of its table")]
    Constraint,
    /// `COMMIT` was called after a statement of the transaction had failed; everything was rolled back.
    #[error("the transaction was rolled back: one of its statements had failed")]
    RolledBack,
    /// The connection was lost while `COMMIT` was on its way: the change was made, or not. Read before
    /// doing it again.
    #[error("the outcome of the commit is unknown")]
    OutcomeUnknown,
    /// A migration that was applied earlier has another text now. Applied migrations are never edited;
    /// write a new one.
    #[error("migration {set}/{version:04} {name} was changed after it had been applied")]
    ChangedMigration {
        /// The set that it belongs to.
        set: String,
        /// Its number in the set.
        version: i64,
        /// Its name in the program.
        name: String,
    },
    /// A migration could not be carried out; none of its set was applied.
    #[error("migration {set}/{version:04} {name} failed ({code})")]
    FailedMigration {
        /// The set that it belongs to.
        set: String,
        /// Its number in the set.
        version: i64,
        /// Its name in the program.
        name: String,
        /// The engine's error code (SQLSTATE, or SQLite's extended result code).
        code: String,
    },
    /// What is stored cannot be read as what the program expects; names the column or kind.
    #[error("stored data cannot be read ({0})")]
    Corrupt(String),
    /// The address or an option of the store is not understood.
    #[error("the store's settings are wrong: {0}")]
    Settings(String),
    /// The engine refused a statement: a fault of the program. Holds the engine's error code.
    #[error("the store refused a statement ({0})")]
    Refused(String),
}

impl StoreError {
    /// Whether the same transaction may be tried again without reading first.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Contended)
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as E;
        match error {
            E::Database(error) => from_database(error.as_ref()),
            E::Io(error) => Self::Unavailable(error.kind().to_string()),
            E::Tls(_) => Self::Unavailable("TLS handshake failed".to_owned()),
            E::PoolTimedOut => Self::Unavailable("no free connection".to_owned()),
            E::PoolClosed => Self::Unavailable("closed".to_owned()),
            E::WorkerCrashed | E::BeginFailed | E::Protocol(_) => {
                Self::Unavailable("connection broken".to_owned())
            }
            E::ColumnDecode { index, .. } => Self::Corrupt(index),
            E::ColumnNotFound(column) => Self::Corrupt(column),
            E::ColumnIndexOutOfBounds { index, .. } => Self::Corrupt(index.to_string()),
            E::Decode(_) | E::AnyDriverError(_) => Self::Corrupt("value".to_owned()),
            E::RowNotFound => Self::Corrupt("missing row".to_owned()),
            E::Configuration(_) => Self::Settings("the address is not understood".to_owned()),
            _ => Self::Refused("driver".to_owned()),
        }
    }
}

fn from_database(error: &dyn sqlx::error::DatabaseError) -> StoreError {
    match error.kind() {
        ErrorKind::UniqueViolation => return StoreError::Conflict,
        ErrorKind::ForeignKeyViolation
        | ErrorKind::NotNullViolation
        | ErrorKind::CheckViolation => return StoreError::Constraint,
        _ => {}
    }
    let code = code_of(error);
    // SQLSTATE has five characters; SQLite's code is a number whose low byte is the primary code.
    if code.len() == 5 {
        return from_sqlstate(code);
    }
    match code.parse::<u32>().map(|code| code & 0xff) {
        Ok(5 | 6) => StoreError::Contended,
        Ok(8 | 10 | 13 | 14) => StoreError::Unavailable(format!("SQLite {code}")),
        Ok(11 | 26) => StoreError::Corrupt(format!("database file, SQLite {code}")),
        _ => StoreError::Refused(code),
    }
}

/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
fn from_sqlstate(code: String) -> StoreError {
    match code.as_str() {
        "40001" | "40P01" | "55P03" => StoreError::Contended,
        // idle_in_transaction_session_timeout and in_failed_sql_transaction
        "25P03" | "25P02" => StoreError::RolledBack,
        // query_canceled is what statement_timeout raises; 53 resources, 57P shutdown, 58 system.
        "57014" => StoreError::Unavailable("statement timed out".to_owned()),
        _ if ["08", "53", "57P", "58", "28", "3D"]
            .iter()
            .any(|class| code.starts_with(class)) =>
        {
            StoreError::Unavailable(format!("SQLSTATE {code}"))
        }
        _ if code.starts_with("XX") => StoreError::Corrupt(format!("SQLSTATE {code}")),
        _ => StoreError::Refused(code),
    }
}

/// The engine's own code for this error, for logs; "unknown" where it has none.
pub(crate) fn code_of(error: &dyn sqlx::error::DatabaseError) -> String {
    error
        .code()
        .map_or_else(|| "unknown".to_owned(), |code| code.into_owned())
}
