//! Appending to the log.

use std::sync::Arc;

use storage::{Db, Row as _, StoreError, Tx, query};
use telemetry::{Metrics, MetricsError};
use travel_types::Clock;

use crate::{AuditKey, End, Record, Row};

/// A counter by action and outcome.
pub(crate) type Counter = dyn Fn(&Record) + Send + Sync;

/// The audit log in a service's own database. Cheap to clone.
#[derive(Clone)]
pub struct AuditLog {
    pub(crate) db: Db,
    pub(crate) key: AuditKey,
    pub(crate) clock: Clock,
    counted: Option<Arc<Counter>>,
}

impl std::fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuditLog")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// The log cannot be continued.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store does not answer.
    #[error("the audit log cannot be read: {0}")]
    Store(#[from] StoreError),
    /// Its records could not be verified any more.
    #[error(
        "the audit log is written with the key {theirs}, and audit.key is {ours}: records with \
         another key would look like forged ones; give the service the key that it had"
    )]
    OtherKey {
        /// The id of the log's key.
        theirs: String,
        /// The id of the key that was given.
        ours: String,
    },
}

impl AuditLog {
    /// The log in a database that has [`crate::MIGRATIONS`].
    pub fn new(db: Db, key: AuditKey, clock: Clock) -> Self {
        Self {
            db,
            key,
            clock,
            counted: None,
        }
    }

    /// The same log, which counts its records as `interline_audit_records_total{action,outcome}`.
    ///
    /// # Errors
    /// [`MetricsError`] when the name is taken.
    pub fn counted(mut self, metrics: &Metrics) -> Result<Self, MetricsError> {
        let records = metrics.counter(
            "interline_audit_records_total",
            "Records of the audit log.",
            &["action", "outcome"],
        )?;
        self.counted = Some(Arc::new(move |record: &Record| {
            let outcome = if record.succeeded {
                "success"
            } else {
                "failure"
            };
            records.with_label_values(&[record.action, outcome]).inc();
        }));
        Ok(self)
    }

    /// Whether this is the key that the log is written with.
    ///
    /// # Errors
    /// [`OpenError::OtherKey`] when it is another one; those of the store.
    pub async fn check_key(&self) -> Result<(), OpenError> {
        let row = query("SELECT kid FROM audit_head WHERE id = 1")
            .fetch_one(self.db.pool())
            .await
            .map_err(StoreError::from)?;
        let kid: Option<String> = row.try_get("kid").map_err(StoreError::from)?;
        match kid {
            Some(theirs) if theirs != self.key.id() => Err(OpenError::OtherKey {
                theirs,
                ours: self.key.id().to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// Appends in the caller's transaction, as the last thing in it: from here to the commit nobody
    /// else can append. Returns the record's number. Numbers are committed in their order, without a
    /// gap, so other tables may use them as an ordered feed.
    ///
    /// # Errors
    /// Those of the store; [`StoreError::Settings`] when the log is written with another key.
    pub async fn append(&self, tx: &mut Tx, record: &Record) -> Result<u64, StoreError> {
        // Holds the row until the transaction ends; on PostgreSQL a second one waits here and then
        // sees what the first has committed.
        let head = query(
            "UPDATE audit_head SET seq = seq + 1, kid = COALESCE(kid, $1) WHERE id = 1 \
             RETURNING seq, hash, kid",
        )
        .bind(self.key.id())
        .fetch_optional(&mut **tx)
        .await?
        .ok_or_else(|| StoreError::Corrupt("audit_head".to_owned()))?;
        if head.try_get::<String, _>("kid")? != self.key.id() {
            return Err(StoreError::Settings(
                "audit.key is not the key that the audit log is written with".to_owned(),
            ));
        }
        let (seq, previous): (i64, String) = (head.try_get("seq")?, head.try_get("hash")?);
        let row = Row::following(&self.key, &previous, seq, self.clock.now(), record)?;
        insert(tx, &row).await?;
        query("UPDATE audit_head SET hash = $1 WHERE id = 1")
            .bind(row.hash.as_str())
            .execute(&mut **tx)
            .await?;
        if let Some(counted) = &self.counted {
            counted(record);
        }
        u64::try_from(seq).map_err(|_| StoreError::Corrupt("audit_head.seq".to_owned()))
    }

    /// Appends in a transaction of its own, for what changes nothing else, such as a log-in that
    /// failed. Returns the record's number.
    ///
    /// # Errors
    /// Those of [`AuditLog::append`] and of the commit.
    pub async fn append_alone(&self, record: &Record) -> Result<u64, StoreError> {
        let mut tx = self.db.begin().await?;
        let seq = self.append(&mut tx, record).await?;
        tx.commit().await?;
        Ok(seq)
    }

    /// Where the log says that it ends; `None` when it does not say.
    pub(crate) async fn end(&self) -> Result<Option<End>, StoreError> {
        let row = query("SELECT seq, hash FROM audit_head WHERE id = 1")
            .fetch_optional(self.db.pool())
            .await?;
        row.map(|row| {
            Ok(End {
                seq: row.try_get("seq")?,
                hash: row.try_get("hash")?,
            })
        })
        .transpose()
    }
}

async fn insert(tx: &mut Tx, row: &Row) -> Result<(), StoreError> {
    query(
        "INSERT INTO audit_log (seq, at, actor, action, succeeded, target, sealed, details, \
         request_id, previous, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(row.seq)
    .bind(row.at)
    .bind(row.actor.clone())
    .bind(row.action.as_str())
    .bind(row.succeeded)
    .bind(row.target.clone())
    .bind(row.sealed.clone())
    .bind(row.details.as_str())
    .bind(row.request_id.clone())
    .bind(row.previous.as_str())
    .bind(row.hash.as_str())
    .execute(&mut **tx)
    .await?;
    Ok(())
}
