//! A folder of a test's own.

use std::path::{Path, PathBuf};

use telemetry::Correlation;

/// A new folder that is removed with this value.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// A new, empty folder below the system's folder for temporary files.
    pub fn new() -> Self {
        let name = Correlation::new()
            .request_id()
            .replace("req_", "interline-test-");
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a folder for temporary files");
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}
