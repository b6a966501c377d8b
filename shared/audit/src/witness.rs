//! The task that signs the log's end into the heads file.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use storage::sqlx::AssertSqlSafe;
use storage::{StoreError, query};
use telemetry::{Metrics, MetricsError};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::record::COLUMNS;
use crate::{AuditLog, Head, Heads, HeadsError, Row};

/// How often the log's end is looked at.
const EVERY: Duration = Duration::from_millis(500);
/// How often while the service ends.
const EVERY_AT_THE_END: Duration = Duration::from_millis(20);

/// Why no head was signed.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("{0}")]
    File(#[from] HeadsError),
    #[error("the log's end does not fit its hash")]
    Forged,
    #[error("the log ends before what was signed, or differs from it")]
    Behind,
}

/// Appends a signed head to its file whenever the log has grown. Several may do so for one log, each
/// to a file of its own.
#[derive(Debug)]
pub struct Witness {
    log: AuditLog,
    path: PathBuf,
    file: Arc<File>,
    last: Option<Head>,
    refused: bool,
    signed_at: Arc<AtomicI64>,
}

impl Witness {
    /// Opens the heads file, which is made if it is not there, readable by its owner alone.
    ///
    /// # Errors
    /// [`HeadsError`] when it cannot be written, or holds something else.
    pub fn open(log: AuditLog, path: &Path) -> Result<Self, HeadsError> {
        let file = open(path).map_err(|error| HeadsError::file(path, error))?;
        // Of one file the last head is the newest, unless the log was cut off.
        let heads = Heads::read(&[path.to_owned()])?;
        let last = heads.newest().cloned();
        let signed_at = last.as_ref().map_or(-1, |head| head.at.as_second());
        Ok(Self {
            log,
            path: path.to_owned(),
            file: Arc::new(file),
            last,
            refused: false,
            signed_at: Arc::new(AtomicI64::new(signed_at)),
        })
    }

    /// Shows the newest head's age as `interline_audit_head_age_seconds`: −1 before the first. It
    /// grows while nothing is appended; `interline_audit_unsigned_records` is what matters then.
    ///
    /// # Errors
    /// [`MetricsError`] when a name is taken.
    pub fn measured(&self, metrics: &Metrics) -> Result<Gauges, MetricsError> {
        let age = metrics.gauge(
            "interline_audit_head_age_seconds",
            "Age of the newest signed head of the audit log; -1 before the first.",
            &[],
        )?;
        let unsigned = metrics.gauge(
            "interline_audit_unsigned_records",
            "Records of the audit log that no signed head covers yet.",
            &[],
        )?;
        let gauges = Gauges { age, unsigned };
        gauges.show(self, None);
        Ok(gauges)
    }

    /// Signs until the service has ended: within a second after each append, and once more when
    /// `shutdown` is called and the last of the requests that use `drained` is over.
    pub async fn run(mut self, shutdown: CancellationToken, drained: TaskTracker, gauges: Gauges) {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !shutdown.is_cancelled() {
            tokio::select! {
                () = shutdown.cancelled() => break,
                _ = ticks.tick() => self.look(&gauges).await,
            }
        }
        // Requests that were accepted still append. The kit closes the tracker when they are over.
        let mut ticks = interval(EVERY_AT_THE_END);
        while !drained.is_closed() {
            ticks.tick().await;
        }
        self.look(&gauges).await;
    }

    async fn look(&mut self, gauges: &Gauges) {
        match self.sign().await {
            Ok(end) => {
                self.refused = false;
                gauges.show(self, Some(end));
            }
            Err(refusal) => {
                // Once, not at every look: an operator who reads one line knows.
                if !self.refused {
                    tracing::error!(%refusal, "the audit log's end was not signed");
                }
                self.refused = true;
                gauges.show(self, None);
            }
        }
    }

    /// Signs the log's end if it is a new one. Returns its number.
    async fn sign(&mut self) -> Result<i64, Refusal> {
        let end = self.log.end().await?.ok_or(Refusal::Behind)?;
        match &self.last {
            None if end.seq == 0 => return Ok(0),
            Some(last) if last.seq == end.seq && last.hash == end.hash => return Ok(end.seq),
            Some(last) if last.seq >= end.seq => return Err(Refusal::Behind),
            _ => {}
        }
        // The end is a row that whoever writes to the database can change. What is signed must be a
        // record that this key has written.
        let row = query(AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM audit_log WHERE seq = $1"
        )))
        .bind(end.seq)
        .fetch_optional(self.log.db.pool())
        .await
        .map_err(StoreError::from)?;
        let row = row.as_ref().map(Row::read).transpose()?;
        let row = row.ok_or(Refusal::Forged)?;
        if row.hash != end.hash || row.hash != row.expected_hash(&self.log.key) {
            return Err(Refusal::Forged);
        }
        let head = Head::sign(&self.log.key, end.seq, &end.hash, self.log.clock.now());
        self.append(&head).await?;
        self.signed_at.store(head.at.as_second(), Ordering::Relaxed);
        self.last = Some(head);
        Ok(end.seq)
    }

    async fn append(&self, head: &Head) -> Result<(), HeadsError> {
        let wrong = |problem: String| HeadsError::file(&self.path, problem);
        let mut line = serde_json::to_string(head).map_err(|error| wrong(error.to_string()))?;
        line.push('\n');
        let file = Arc::clone(&self.file);
        let written = tokio::task::spawn_blocking(move || {
            (&*file).write_all(line.as_bytes())?;
            file.sync_data()
        });
        written
            .await
            .map_err(|error| wrong(error.to_string()))?
            .map_err(|error| wrong(error.to_string()))
    }
}

/// What [`Witness::measured`] shows.
#[derive(Debug)]
pub struct Gauges {
    age: telemetry::IntGaugeVec,
    unsigned: telemetry::IntGaugeVec,
}

impl Gauges {
    fn show(&self, witness: &Witness, end: Option<i64>) {
        let signed_at = witness.signed_at.load(Ordering::Relaxed);
        let age = match signed_at {
            -1 => -1,
            signed_at => (witness.log.clock.now().as_second() - signed_at).max(0),
        };
        self.age.with_label_values(NO_LABELS).set(age);
        let signed = witness.last.as_ref().map_or(0, |head| head.seq);
        if let Some(end) = end {
            self.unsigned
                .with_label_values(NO_LABELS)
                .set(end.saturating_sub(signed));
        }
    }
}

const NO_LABELS: &[&str] = &[];

/// Opens the file for appending and removes a last line that was never finished.
fn open(path: &Path) -> std::io::Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    let length = file.metadata()?.len();
    let mut tail = Vec::new();
    file.seek(SeekFrom::Start(length.saturating_sub(4096)))?;
    file.read_to_end(&mut tail)?;
    let torn = tail.iter().rev().take_while(|byte| **byte != b'\n').count();
    let whole = length.saturating_sub(u64::try_from(torn).unwrap_or(0));
    if torn > 0 {
        file.set_len(whole)?;
    }
    Ok(file)
}
