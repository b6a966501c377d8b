//! Signed heads: what the log's end was, and when, in a file that the database knows nothing of.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::AuditKey;

/// A heads file cannot be used. Names the file and what is wrong.
#[derive(Debug, thiserror::Error)]
pub enum HeadsError {
    /// The system's words.
    #[error("{file} cannot be used: {problem}")]
    File {
        /// The file.
        file: String,
        /// What is wrong.
        problem: String,
    },
    /// A line is not a signed head.
    #[error("{file}: line {line} is not a signed head")]
    Line {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
    },
}

impl HeadsError {
    pub(crate) fn file(path: &Path, problem: impl std::fmt::Display) -> Self {
        Self::File {
            file: path.display().to_string(),
            problem: problem.to_string(),
        }
    }
}

/// Where the heads are kept unless another file is configured.
pub fn default_heads_file(data_dir: &Path) -> PathBuf {
    data_dir.join("audit").join("heads.jsonl")
}

/// One signed head: the log ended at `at` with record `seq`, whose hash was `hash`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The last record's number.
    pub seq: i64,
    /// Its hash.
    pub hash: String,
    /// When it was signed.
    pub at: Timestamp,
    /// The key that signed.
    pub kid: String,
    /// The Ed25519 signature (RFC 8032) in base64, for whoever holds the public key alone.
    pub signature: String,
    /// The authentication code of all of the above, the signature included: HMAC-SHA256 in hex. A log
    /// has as many heads as it has busy half seconds, and whoever has the key checks a code forty times
    /// faster than a signature.
    pub code: String,
}

impl Head {
    /// Signs that the log ended so.
    pub fn sign(key: &AuditKey, seq: i64, hash: &str, at: Timestamp) -> Self {
        let mut head = Self {
            seq,
            hash: hash.to_owned(),
            at,
            kid: key.id().to_owned(),
            signature: String::new(),
            code: String::new(),
        };
        head.signature = key.sign(head.text().as_bytes());
        head.code = key.code(head.coded().as_bytes());
        head
    }

    /// Whether the key made exactly this head, by its code.
    pub fn is_of(&self, key: &AuditKey) -> bool {
        self.kid == key.id() && self.code == key.code(self.coded().as_bytes())
    }

    /// Whether the key made exactly this head, by code and signature.
    pub fn is_signed_by(&self, key: &AuditKey) -> bool {
        self.is_of(key) && key.has_signed(self.text().as_bytes(), &self.signature)
    }

    /// What the code is computed over.
    fn coded(&self) -> String {
        format!("{}\n{}", self.text(), self.signature)
    }

    /// What is signed. No part can hold a line break of its own: the hash and the key's id are
    /// compared with what they must be.
    fn text(&self) -> String {
        let Self {
            seq, hash, at, kid, ..
        } = self;
        format!("interline audit head 1\n{seq}\n{hash}\n{at}\n{kid}")
    }
}

/// The heads of one or several files, in the order of their numbers.
#[derive(Clone, Debug, Default)]
pub struct Heads(Vec<Head>);

impl Heads {
    /// Reads files; each instance of a service appends to one of its own. Read them *before* the log
    /// is: a head that is newer than the log's end as it was read means that the log was cut off.
    ///
    /// # Errors
    /// [`HeadsError`] for a file that is not there or holds something else. A last line without its
    /// line break was never finished and does not count.
    pub fn read(files: &[PathBuf]) -> Result<Self, HeadsError> {
        let mut heads = Vec::new();
        for path in files {
            let file = File::open(path).map_err(|error| HeadsError::file(path, error))?;
            let mut reader = BufReader::new(file);
            let mut line = String::new();
            for number in 1.. {
                line.clear();
                let read = reader.read_line(&mut line);
                read.map_err(|error| HeadsError::file(path, error))?;
                let Some(whole) = line.strip_suffix('\n') else {
                    break;
                };
                let head = serde_json::from_str(whole).map_err(|_| HeadsError::Line {
                    file: path.display().to_string(),
                    line: number,
                })?;
                heads.push(head);
            }
        }
        Ok(Self::new(heads))
    }

    /// Heads in any order.
    pub fn new(mut heads: Vec<Head>) -> Self {
        heads.sort_by_key(|head| head.seq);
        Self(heads)
    }

    /// The heads, lowest number first.
    pub fn all(&self) -> &[Head] {
        &self.0
    }

    /// The head with the highest number.
    pub fn newest(&self) -> Option<&Head> {
        self.0.last()
    }
}
