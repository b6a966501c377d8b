//! Verifying the log in a store. Only reads, and may run while the service writes.

use storage::sqlx::AssertSqlSafe;
use storage::{Row as _, StoreError, query};

use crate::record::COLUMNS;
use crate::{AuditLog, Check, End, Fault, Head, Heads, Row, Why};

/// Records that are read at once.
const BATCH: i64 = 2_000;

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Whether nothing is wrong.
    pub valid: bool,
    /// How many records were found to be good, up to the first bad one.
    pub records: u64,
    /// The number of the first bad record, or of the first that is missing.
    pub first_bad_index: Option<u64>,
    /// What is wrong there.
    pub fault: Option<Fault>,
    /// The newest signed head. What came after it is chained, but could be cut off without a trace.
    pub head: Option<Head>,
}

impl Report {
    fn new(records: i64, fault: Option<Fault>, heads: &Heads) -> Self {
        Self {
            valid: fault.is_none(),
            records: u64::try_from(records).unwrap_or(0),
            first_bad_index: fault.as_ref().map(|fault| fault.index),
            fault,
            head: heads.newest().cloned(),
        }
    }
}

/// What one look at the database says of its end.
struct Outline {
    end: End,
    /// Rows with a number that lies outside 1 to the end.
    below: i64,
    behind: i64,
    key: Option<String>,
}

impl AuditLog {
    /// Verifies all records against the key, each other, the log's end and the signed heads. What is
    /// appended meanwhile is not looked at. Memory does not grow with the number of records.
    ///
    /// # Errors
    /// Those of the store. What is wrong with the log is no error, it is in the [`Report`].
    pub async fn verify(&self, heads: &Heads) -> Result<Report, StoreError> {
        self.verify_telling(heads, |_, _| {}).await
    }

    /// As [`AuditLog::verify`]; `progress` is told after each batch how many records are verified and
    /// how many there are.
    ///
    /// # Errors
    /// As [`AuditLog::verify`].
    pub async fn verify_telling(
        &self,
        heads: &Heads,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<Report, StoreError> {
        let outline = self.outline().await?;
        let end = outline.end.seq;
        let mut check = Check::new(&self.key, heads.all(), outline.end.clone());
        let fault = match self.stream(&mut check, &outline, &mut progress).await? {
            Some(fault) => Some(fault),
            None => {
                let records = check.expected() - 1;
                let fault = check.finish().err();
                return Ok(Report::new(
                    records,
                    fault.or_else(|| self.foreign_key(&outline)),
                    heads,
                ));
            }
        };
        Ok(Report::new(
            (check.expected() - 1).min(end.max(0)),
            fault,
            heads,
        ))
    }

    async fn stream(
        &self,
        check: &mut Check<'_>,
        outline: &Outline,
        progress: &mut impl FnMut(u64, u64),
    ) -> Result<Option<Fault>, StoreError> {
        if outline.below > 0 {
            return Ok(Some(Fault {
                index: 0,
                why: Why::Extra,
            }));
        }
        let end = outline.end.seq;
        // Ranges of numbers, not "more than the last": rows with the same number cannot hide between
        // two batches.
        while check.expected() <= end {
            let from = check.expected();
            let to = from.saturating_add(BATCH - 1).min(end);
            if let Some(fault) = self.range(check, from, to).await? {
                return Ok(Some(fault));
            }
            if check.expected() <= to {
                return Ok(Some(at(check.expected(), Why::Missing)));
            }
            progress(whole(to), whole(end));
        }
        if outline.behind > 0 {
            return self
                .range(check, end.saturating_add(1), i64::MAX)
                .await
                .map(
                    // A number that is none sorts behind all numbers.
                    |fault| fault.or_else(|| Some(at(end.saturating_add(1), Why::AfterEnd))),
                );
        }
        Ok(None)
    }

    /// Takes the records with these numbers.
    async fn range(
        &self,
        check: &mut Check<'_>,
        from: i64,
        to: i64,
    ) -> Result<Option<Fault>, StoreError> {
        let rows = query(AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM audit_log WHERE seq >= $1 AND seq <= $2 ORDER BY seq LIMIT $3"
        )))
        .bind(from)
        .bind(to)
        .bind(BATCH + 1)
        .fetch_all(self.db.pool())
        .await?;
        for row in &rows {
            let Ok(row) = Row::read(row) else {
                // A record that is missing before it would be the first bad one.
                let seq = row.try_get("seq").unwrap_or(check.expected());
                let why = match seq == check.expected() {
                    true => Why::Unreadable,
                    false => Why::Missing,
                };
                return Ok(Some(at(check.expected(), why)));
            };
            if let Err(fault) = check.take(&row) {
                return Ok(Some(fault));
            }
        }
        Ok(None)
    }

    /// One statement, and so one moment: what is appended later lies behind the end without fault.
    async fn outline(&self) -> Result<Outline, StoreError> {
        let row = query(
            "SELECT h.seq AS seq, h.hash AS hash, h.kid AS kid, \
             (SELECT COUNT(*) FROM audit_log WHERE seq > COALESCE(h.seq, 0)) AS behind, \
             (SELECT COUNT(*) FROM audit_log WHERE seq < 1 OR seq IS NULL) AS below \
             FROM (SELECT 1 AS one) o LEFT JOIN audit_head h ON h.id = 1",
        )
        .fetch_one(self.db.pool())
        .await?;
        let seq: Option<i64> = row.try_get("seq")?;
        let hash: Option<String> = row.try_get("hash")?;
        Ok(Outline {
            end: End {
                seq: seq.unwrap_or(0),
                hash: hash.unwrap_or_default(),
            },
            below: row.try_get("below")?,
            behind: row.try_get("behind")?,
            key: row.try_get("kid")?,
        })
    }

    /// The key's id at the end of the log is no part of a record.
    fn foreign_key(&self, outline: &Outline) -> Option<Fault> {
        let empty = outline.end.seq == 0 && outline.key.is_none();
        let ours = outline.key.as_deref() == Some(self.key.id());
        (!empty && !ours).then(|| at(outline.end.seq, Why::End))
    }
}

fn at(seq: i64, why: Why) -> Fault {
    Fault {
        index: whole(seq),
        why,
    }
}

fn whole(seq: i64) -> u64 {
    u64::try_from(seq).unwrap_or(0)
}
