//! Recordings of what went between us and a supplier: masked pairs of request and answer, one JSON line
//! each, for bug reports and tests. [`Recorder`] makes them, [`Replay`] serves them back.
//!
//! Nothing is masked later: credentials and travellers' data are replaced by stand-ins before a line is
//! written. Amounts, ids and dates of travel stay. `docs/integration-layer.md` lists what is masked.

mod body;
mod file;
mod json;
mod key;
mod mask;
mod matching;
mod names;
mod own;
#[cfg(test)]
mod own_tests;
mod placeholder;
mod recorder;
mod sweep;
#[cfg(test)]
mod tests;
mod text;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use travel_types::jiff::Timestamp;

use crate::error::Sent;

pub use file::Recording;
pub use matching::{Matched, Replay, Served, Unmatched};
pub use recorder::{Forwarded, Recorder, RecorderConfig};

/// One request and what came of it; one line of a recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// When the request arrived.
    pub at: Timestamp,
    /// How long the supplier took, until the last byte. Milliseconds.
    pub duration_ms: u64,
    /// What was asked.
    pub request: RecordedRequest,
    /// The answer, or why there is none.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// A masked request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedRequest {
    /// The method.
    pub method: String,
    /// The path below the supplier's base URL, percent-encoded.
    pub path: String,
    /// The query as sent, without `?`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub query: String,
    /// The headers; one that is not known to be harmless has a stand-in for its value.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// The body, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<RecordedBody>,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A complete answer.
    Response(RecordedResponse),
    /// No complete answer: not the supplier's words, but ours.
    Failure(RecordedFailure),
}

/// A masked answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedResponse {
    /// The status.
    pub status: u16,
    /// The headers, without those of the connection and of the body's encoding.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// The body, decompressed, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<RecordedBody>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedFailure {
    /// `connect`, `broken`, `timeout`, `too_large` or `unbuildable`, as in the metrics of attempts.
    pub cause: String,
    /// Whether the request surely never left us.
    pub unsent: bool,
    /// What happened, in words.
    pub detail: String,
}

impl RecordedFailure {
    fn sent(&self) -> Sent {
        if self.unsent { Sent::No } else { Sent::Maybe }
    }
}

/// A body as far as it could be masked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordedBody {
    /// Text: what was masked is replaced, every other character is as it was.
    Text(String),
    /// Bytes that could not be masked and were asked for all the same, in Base64.
    Base64(String),
    /// So many bytes that could not be masked, and were not kept.
    Omitted(u64),
}

/// A recording cannot be made, written or read.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file cannot be used.
    #[error("{}: {problem}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// The system's words, or ours.
        problem: String,
    },
    /// A line is no exchange. The last line of a file may be cut off; this is another, or complete.
    #[error("{}: line {line} cannot be read: {problem}", path.display())]
    Line {
        /// Of which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// The supplier's address is none, or this machine has no TLS roots.
    #[error("{0}")]
    Config(String),
}

impl RecordingError {
    fn file(path: &Path, problem: impl ToString) -> Self {
        Self::File {
            path: path.to_owned(),
            problem: problem.to_string(),
        }
    }
}
