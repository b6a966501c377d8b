//! Why a request has no good answer, told apart by whose fault it may be.

use std::io;

use serde::Serialize;

/// The kinds of failed requests. Each request has at most one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// No connection could be made.
    Connect,
    /// No whole answer within `--timeout`.
    Timeout,
    /// The connection ended before the answer did.
    Reset,
    /// What came back is no HTTP answer (RFC 9112, RFC 9113).
    BadHttp,
    /// A whole answer with a status that `--expect` or the scenario does not allow.
    Status,
    /// A good answer without the value that the scenario's next step needs.
    Capture,
    /// Its time came before the end of the run, but no connection was free until then.
    Unsent,
}

impl FailureKind {
    /// The name in tables and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::BadHttp => "bad_http",
            Self::Status => "status",
            Self::Capture => "capture",
            Self::Unsent => "unsent",
        }
    }
}

/// One failed request: its kind, and what was seen.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) kind: FailureKind,
    pub(crate) detail: String,
}

impl Failure {
    pub(crate) fn new(kind: FailureKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
        }
    }

    pub(crate) fn bad_http(detail: impl Into<String>) -> Self {
        Self::new(FailureKind::BadHttp, detail)
    }
}

/// An error on an open connection. The dial has its own kind.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new(FailureKind::Reset, error.to_string())
    }
}

impl From<hyper::Error> for Failure {
    fn from(error: hyper::Error) -> Self {
        let kind = match error.is_parse() {
            true => FailureKind::BadHttp,
            false => FailureKind::Reset,
        };
        let mut detail = error.to_string();
        if let Some(cause) = std::error::Error::source(&error) {
            detail = format!("{detail}: {cause}");
        }
        Self::new(kind, detail)
    }
}
