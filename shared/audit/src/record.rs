//! A record and how it is bound to the one before.

use jiff::Timestamp;
use serde_json::{Map, Value};
use storage::{AnyRow, Row as _, StoreError, from_micros};

use crate::AuditKey;

/// What is written down of one action. Holds no secret, and nothing personal outside `sealed`.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Who did it: `usr_…`, an OAuth client's id, or none where nobody was known.
    pub actor: Option<String>,
    /// What was done, such as `login`.
    pub action: &'static str,
    /// Whether it succeeded.
    pub succeeded: bool,
    /// The id of what it was done to.
    pub target: Option<String>,
    /// Personal facts, sealed under the actor's key.
    pub sealed: Option<String>,
    /// What else must be known.
    pub details: Map<String, Value>,
    /// The request's id.
    pub request_id: Option<String>,
}

/// A record as it stands in the log. Text for text what the database holds, so that nothing that is
/// stored escapes the authentication code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its place: 1, 2, 3, …
    pub seq: i64,
    /// When, in microseconds since 1970.
    pub at: i64,
    /// [`Record::actor`].
    pub actor: Option<String>,
    /// [`Record::action`].
    pub action: String,
    /// [`Record::succeeded`] as 0 or 1.
    pub succeeded: i64,
    /// [`Record::target`].
    pub target: Option<String>,
    /// [`Record::sealed`].
    pub sealed: Option<String>,
    /// [`Record::details`] as JSON.
    pub details: String,
    /// [`Record::request_id`].
    pub request_id: Option<String>,
    /// The hash of the record before; 64 zeros for the first.
    pub previous: String,
    /// The authentication code of all of the above: HMAC-SHA256 in hex.
    pub hash: String,
}

/// `previous` of the first record.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The columns of [`Row`], in its order.
pub(crate) const COLUMNS: &str =
    "seq, at, actor, action, succeeded, target, sealed, details, request_id, previous, hash";

impl Row {
    /// The record that follows one with the hash `previous`.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the details cannot be written as JSON; never for a map.
    pub fn following(
        key: &AuditKey,
        previous: &str,
        seq: i64,
        at: Timestamp,
        record: &Record,
    ) -> Result<Self, StoreError> {
        let mut row = Self {
            seq,
            at: storage::to_micros(at),
            actor: record.actor.clone(),
            action: record.action.to_owned(),
            succeeded: i64::from(record.succeeded),
            target: record.target.clone(),
            sealed: record.sealed.clone(),
            details: serde_json::to_string(&record.details)
                .map_err(|_| StoreError::Corrupt("details".to_owned()))?,
            request_id: record.request_id.clone(),
            previous: previous.to_owned(),
            hash: String::new(),
        };
        row.hash = row.expected_hash(key);
        Ok(row)
    }

    /// The hash that the record has if nobody touched it.
    pub fn expected_hash(&self, key: &AuditKey) -> String {
        key.code(&self.bytes())
    }

    /// What the code is computed over: the previous hash, then every column, each with its length, so
    /// that no two records have the same bytes.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = b"interline audit record 1".to_vec();
        let mut put = |field: Option<&[u8]>| match field {
            None => bytes.push(0),
            Some(field) => {
                bytes.push(1);
                bytes.extend_from_slice(
                    &u64::try_from(field.len()).unwrap_or(u64::MAX).to_be_bytes(),
                );
                bytes.extend_from_slice(field);
            }
        };
        put(Some(self.previous.as_bytes()));
        put(Some(&self.seq.to_be_bytes()));
        put(Some(&self.at.to_be_bytes()));
        put(self.actor.as_deref().map(str::as_bytes));
        put(Some(self.action.as_bytes()));
        put(Some(&self.succeeded.to_be_bytes()));
        put(self.target.as_deref().map(str::as_bytes));
        put(self.sealed.as_deref().map(str::as_bytes));
        put(Some(self.details.as_bytes()));
        put(self.request_id.as_deref().map(str::as_bytes));
        bytes
    }

    /// Reads a row of the table `audit_log`.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when a column holds something else than it should.
    pub fn read(row: &AnyRow) -> Result<Self, StoreError> {
        Ok(Self {
            seq: row.try_get("seq")?,
            at: row.try_get("at")?,
            actor: row.try_get("actor")?,
            action: row.try_get("action")?,
            succeeded: row.try_get("succeeded")?,
            target: row.try_get("target")?,
            sealed: row.try_get("sealed")?,
            details: row.try_get("details")?,
            request_id: row.try_get("request_id")?,
            previous: row.try_get("previous")?,
            hash: row.try_get("hash")?,
        })
    }
}

/// A record as a search gives it.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Its place: 1, 2, 3, …
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// [`Record::actor`].
    pub actor: Option<String>,
    /// [`Record::action`].
    pub action: String,
    /// [`Record::succeeded`].
    pub succeeded: bool,
    /// [`Record::target`].
    pub target: Option<String>,
    /// [`Record::sealed`].
    pub sealed: Option<String>,
    /// [`Record::details`].
    pub details: Map<String, Value>,
    /// [`Record::request_id`].
    pub request_id: Option<String>,
}

impl TryFrom<Row> for Stored {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            seq: u64::try_from(row.seq).map_err(|_| StoreError::Corrupt("seq".to_owned()))?,
            at: from_micros(row.at)?,
            actor: row.actor,
            action: row.action,
            succeeded: row.succeeded == 1,
            target: row.target,
            sealed: row.sealed,
            details: serde_json::from_str(&row.details)
                .map_err(|_| StoreError::Corrupt("details".to_owned()))?,
            request_id: row.request_id,
        })
    }
}
