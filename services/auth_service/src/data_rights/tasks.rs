//! What other services must still be told of an erasure, in the store.

use std::time::Duration;

use jiff::Timestamp;
use storage::{Db, Row as _, StoreError, Tx, query, to_micros};

/// The wait before the second attempt; doubled each time.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// One service that has not confirmed an erasure yet.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) account: String,
    pub(super) service: String,
    attempts: u32,
}

impl Task {
    /// The wait before the next attempt, if this one fails.
    pub(super) fn wait(&self) -> Duration {
        let doublings = self.attempts.saturating_sub(1).min(16);
        FIRST_WAIT
            .saturating_mul(2_u32.saturating_pow(doublings))
            .min(LONGEST_WAIT)
    }
}

/// Writes down that these services are to be told.
pub(super) async fn write(
    tx: &mut Tx,
    account: &str,
    services: impl Iterator<Item = &str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    for service in services {
        query(
            "INSERT INTO erasure_tasks (account_id, service, due_at, attempts) \
             VALUES ($1, $2, $3, 0) ON CONFLICT (account_id, service) DO NOTHING",
        )
        .bind(account)
        .bind(service)
        .bind(to_micros(now))
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

/// Takes tasks that are due. No other worker gets them before `lease` is over.
pub(super) async fn take(
    db: &Db,
    now: Timestamp,
    lease: Timestamp,
    limit: u32,
) -> Result<Vec<Task>, StoreError> {
    // The outer condition is checked again on the locked row: of two workers one gets it.
    let rows = query(
        "UPDATE erasure_tasks SET due_at = $2, attempts = attempts + 1 \
         WHERE done_at IS NULL AND due_at <= $1 AND (account_id, service) IN \
         (SELECT account_id, service FROM erasure_tasks \
          WHERE done_at IS NULL AND due_at <= $1 ORDER BY due_at LIMIT $3) \
         RETURNING account_id, service, attempts",
    )
    .bind(to_micros(now))
    .bind(to_micros(lease))
    .bind(i64::from(limit))
    .fetch_all(db.pool())
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Task {
                account: row.try_get("account_id")?,
                service: row.try_get("service")?,
                attempts: u32::try_from(row.try_get::<i64, _>("attempts")?).unwrap_or(u32::MAX),
            })
        })
        .collect()
}

/// Puts the next attempt off.
pub(super) async fn later(db: &Db, task: &Task, due: Timestamp) -> Result<(), StoreError> {
    query(
        "UPDATE erasure_tasks SET due_at = $3 \
         WHERE account_id = $1 AND service = $2 AND done_at IS NULL",
    )
    .bind(task.account.as_str())
    .bind(task.service.as_str())
    .bind(to_micros(due))
    .execute(db.pool())
    .await?;
    Ok(())
}

/// A service has confirmed. True when it was the last one, for exactly one of those that say so.
pub(super) async fn confirm(tx: &mut Tx, task: &Task, now: Timestamp) -> Result<bool, StoreError> {
    // One row of the account is everybody's turn: of two that finish at once the second sees the first.
    query(
        "UPDATE erasure_tasks SET attempts = attempts WHERE account_id = $1 AND service = \
         (SELECT MIN(service) FROM erasure_tasks WHERE account_id = $1)",
    )
    .bind(task.account.as_str())
    .execute(&mut **tx)
    .await?;
    let confirmed = query(
        "UPDATE erasure_tasks SET done_at = $3 \
         WHERE account_id = $1 AND service = $2 AND done_at IS NULL",
    )
    .bind(task.account.as_str())
    .bind(task.service.as_str())
    .bind(to_micros(now))
    .execute(&mut **tx)
    .await?;
    if confirmed.rows_affected() == 0 {
        return Ok(false);
    }
    let row =
        query("SELECT COUNT(*) AS n FROM erasure_tasks WHERE account_id = $1 AND done_at IS NULL")
            .bind(task.account.as_str())
            .fetch_one(&mut **tx)
            .await?;
    Ok(row.try_get::<i64, _>("n")? == 0)
}
