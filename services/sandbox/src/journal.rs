//! The record of what really happened at a supplier: one JSON line per effect, on disk before the
//! answer goes out. Tests compare a system's claims with it, and a restarted sandbox rebuilds its
//! orders and inventory from it.

use std::io;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::fs::{File, OpenOptions};
use tokio::io::AsyncWriteExt;
use tokio::sync::Mutex;
use utoipa::ToSchema;

/// What kind of effect a line records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Order,
    Hold,
    Cancel,
    Authorise,
    Capture,
    Void,
    Refund,
    /// The number of units on sale was set through the control endpoint. Kept for a restart, never
    /// shown: it is no effect at a supplier.
    Stock,
}

/// One effect, as `GET /_control/journal` shows it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Effect {
    /// Counts from 1 without gaps, in the order in which the effects reached the disk.
    pub(crate) seq: u64,
    /// When, RFC 3339 in UTC.
    #[schema(value_type = String)]
    pub(crate) at: Timestamp,
    pub(crate) supplier: String,
    pub(crate) kind: Kind,
    /// The supplier's id of the order.
    pub(crate) supplier_reference: String,
    /// The reference that the buyer gave with the order, if any.
    pub(crate) client_reference: Option<String>,
    /// Decimal string: the price of an order, the refund of a cancellation.
    pub(crate) amount: Option<String>,
    pub(crate) currency: Option<String>,
    /// What was sold or given back; several items are joined by commas.
    pub(crate) item: Option<String>,
}

/// An effect with what is needed to rebuild the supplier's state from it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Line {
    #[serde(flatten)]
    pub(crate) effect: Effect,
    #[serde(default)]
    pub(crate) record: Value,
}

/// The effects of all suppliers, in memory and, with a data folder, on disk.
pub(crate) struct Journal {
    inner: Mutex<Inner>,
}

struct Inner {
    file: Option<File>,
    /// Bytes of complete lines in the file.
    length: u64,
    lines: Vec<Arc<Line>>,
    seq: u64,
}

impl Journal {
    /// Opens `<data_dir>/journal.jsonl`, reading what an earlier process wrote; without a folder the
    /// journal lives in memory only.
    ///
    /// # Errors
    /// The folder or the file cannot be written, or a complete line of it is no journal line.
    pub(crate) async fn open(data_dir: Option<&Path>) -> io::Result<Self> {
        let Some(dir) = data_dir else {
            return Ok(Self {
                inner: Mutex::new(Inner {
                    file: None,
                    length: 0,
                    lines: Vec::new(),
                    seq: 0,
                }),
            });
        };
        tokio::fs::create_dir_all(dir).await?;
        let path = dir.join("journal.jsonl");
        let text = match tokio::fs::read(&path).await {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        // A process that died while writing leaves a last line without its end. Its answer never went
        // out, so the effect did not happen: cut it off.
        let whole = text
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        let lines = text
            .get(..whole)
            .unwrap_or_default()
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).map(Arc::new))
            .collect::<Result<Vec<Arc<Line>>, _>>()
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .await?;
        let length = u64::try_from(whole).unwrap_or(u64::MAX);
        file.set_len(length).await?;
        file.sync_all().await?;
        let seq = lines.iter().map(|line| line.effect.seq).max().unwrap_or(0);
        Ok(Self {
            inner: Mutex::new(Inner {
                file: Some(file),
                length,
                lines,
                seq,
            }),
        })
    }

    /// Adds one effect; it is on disk when this returns. `effect.seq` is given here.
    ///
    /// # Errors
    /// The line could not be written: the effect must not be answered as done.
    pub(crate) async fn append(&self, mut line: Line) -> io::Result<()> {
        let mut guard = self.inner.lock().await;
        let inner = &mut *guard;
        let shown = line.effect.kind != Kind::Stock;
        line.effect.seq = if shown { inner.seq + 1 } else { 0 };
        if let Some(file) = inner.file.as_mut() {
            let mut text = serde_json::to_vec(&line)?;
            text.push(b'\n');
            if let Err(error) = write(file, &text).await {
                // Leave no half line behind for the next effect to continue.
                file.set_len(inner.length).await?;
                return Err(error);
            }
            inner.length += u64::try_from(text.len()).unwrap_or(0);
        }
        inner.seq = inner.seq.max(line.effect.seq);
        inner.lines.push(Arc::new(line));
        Ok(())
    }

    /// Every line, oldest first, the unshown ones too.
    pub(crate) async fn lines(&self) -> Vec<Arc<Line>> {
        self.inner.lock().await.lines.clone()
    }

    /// Empties the journal, on disk too; numbering starts again at 1.
    ///
    /// # Errors
    /// The file could not be emptied.
    pub(crate) async fn reset(&self) -> io::Result<()> {
        let mut inner = self.inner.lock().await;
        if let Some(file) = &inner.file {
            file.set_len(0).await?;
            file.sync_all().await?;
        }
        inner.lines.clear();
        inner.length = 0;
        inner.seq = 0;
        Ok(())
    }
}

async fn write(file: &mut File, text: &[u8]) -> io::Result<()> {
    file.write_all(text).await?;
    // `flush` reports a failed background write, which `sync_data` alone would not.
    file.flush().await?;
    file.sync_data().await
}
