//! The file of a recording: one JSON line per exchange, readable by its owner alone.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::{Exchange, RecordingError};

/// A file that is being written.
#[derive(Debug)]
pub struct Recording {
    path: PathBuf,
    file: File,
}

impl Recording {
    /// Creates the file with mode 600. One that exists is an error, unless `replace`.
    ///
    /// # Errors
    /// [`RecordingError::File`].
    pub fn create(path: &Path, replace: bool) -> Result<Self, RecordingError> {
        if replace && let Err(error) = std::fs::remove_file(path) {
            // Removed, not truncated: another owner's mode or a link would stay.
            if error.kind() != std::io::ErrorKind::NotFound {
                return Err(RecordingError::file(path, error));
            }
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                RecordingError::file(path, "exists already; --force replaces it")
            }
            _ => RecordingError::file(path, error),
        })?;
        Ok(Self {
            path: path.to_owned(),
            file,
        })
    }

    /// Adds an exchange. It is in the system's hands when this returns.
    pub(super) fn add(&mut self, exchange: &Exchange) -> Result<(), RecordingError> {
        let wrong = |problem: String| RecordingError::file(&self.path, problem);
        let mut line = serde_json::to_vec(exchange).map_err(|error| wrong(error.to_string()))?;
        line.push(b'\n');
        self.file
            .write_all(&line)
            .map_err(|error| wrong(error.to_string()))
    }
}

/// The exchanges of a recording's text with their lines, and whether a last line that was cut off is left out.
pub(super) fn parse(
    text: &str,
    path: &Path,
) -> Result<(Vec<(usize, Exchange)>, bool), RecordingError> {
    let complete = text.is_empty() || text.ends_with('\n');
    let lines: Vec<&str> = text.lines().collect();
    let mut exchanges = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        match serde_json::from_str(line) {
            Ok(exchange) => exchanges.push((index + 1, exchange)),
            Err(_) if !complete && index + 1 == lines.len() => return Ok((exchanges, true)),
            Err(error) => {
                return Err(RecordingError::Line {
                    path: path.to_owned(),
                    line: index + 1,
                    problem: error.to_string(),
                });
            }
        }
    }
    Ok((exchanges, false))
}
