//! Searching the log.

use jiff::Timestamp;
use storage::sqlx::AssertSqlSafe;
use storage::{StoreError, query, to_micros};

use crate::record::COLUMNS;
use crate::{AuditLog, Row, Stored};

/// Which records are wanted; what is `None` does not restrict.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// What this one did, and what was done to this one.
    pub user_id: Option<String>,
    /// The action's name.
    pub action: Option<String>,
    /// Only successes, or only failures.
    pub succeeded: Option<bool>,
    /// At this instant or later.
    pub from: Option<Timestamp>,
    /// Before this instant.
    pub to: Option<Timestamp>,
}

impl AuditLog {
    /// The newest records that match, newest first, at most `limit`; with `before` only those with
    /// smaller numbers, for the next page.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn search(
        &self,
        filter: &Filter,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Stored>, StoreError> {
        // Only what is asked for stands in the statement, so that its indexes can be used. Values are
        // bound in the order in which their conditions are written.
        let before = before.map(|seq| i64::try_from(seq).unwrap_or(i64::MAX));
        let mut conditions = Vec::new();
        let mut place = 0;
        let mut condition = |wanted: bool, text: &str| {
            if wanted {
                place += 1;
                conditions.push(text.replace('?', &format!("${place}")));
            }
        };
        condition(filter.user_id.is_some(), "(actor = ? OR target = ?)");
        condition(filter.action.is_some(), "action = ?");
        condition(filter.succeeded.is_some(), "succeeded = ?");
        condition(filter.from.is_some(), "at >= ?");
        condition(filter.to.is_some(), "at < ?");
        condition(before.is_some(), "seq < ?");
        let limited = place + 1;
        let conditions = match conditions.is_empty() {
            true => String::new(),
            false => format!("WHERE {}", conditions.join(" AND ")),
        };
        let mut select = query(AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM audit_log {conditions} ORDER BY seq DESC LIMIT ${limited}"
        )));
        if let Some(user_id) = &filter.user_id {
            select = select.bind(user_id.as_str());
        }
        if let Some(action) = &filter.action {
            select = select.bind(action.as_str());
        }
        if let Some(succeeded) = filter.succeeded {
            select = select.bind(i64::from(succeeded));
        }
        for instant in [filter.from, filter.to].into_iter().flatten() {
            select = select.bind(to_micros(instant));
        }
        if let Some(before) = before {
            select = select.bind(before);
        }
        let rows = select
            .bind(i64::from(limit))
            .fetch_all(self.db.pool())
            .await?;
        rows.iter().map(|row| Row::read(row)?.try_into()).collect()
    }
}
