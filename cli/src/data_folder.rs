//! The folder of a whole system: its owner's alone, and used by one system at a time. Two of them on the
//! same databases would settle each other's orders.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::path::Path;

use service_kit::StartError;

/// Held by the running system. It stays in the folder: removing it would let two systems hold two files.
const LOCK: &str = "interline.lock";

/// Makes the folder if it does not exist, for its owner alone. The mode of one that exists is left as it
/// is.
///
/// # Errors
/// [`StartError::Folder`] when it cannot be made or written to.
pub(crate) fn make(folder: &Path) -> Result<(), StartError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let probe = folder.join(".writable");
    builder
        .create(folder)
        .and_then(|()| std::fs::write(&probe, b""))
        .and_then(|()| std::fs::remove_file(&probe))
        .map_err(|error| StartError::folder(folder, error))
}

/// Takes the folder until the file is dropped or the process ends, however it ends.
///
/// # Errors
/// [`StartError::Folder`] when another system has it, or it cannot be locked.
pub(crate) fn take(folder: &Path) -> Result<File, StartError> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join(LOCK))
        .map_err(|error| StartError::folder(folder, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StartError::folder(
            folder,
            "another interline is running on it",
        )),
        Err(TryLockError::Error(error)) => Err(StartError::folder(folder, error)),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use telemetry::Correlation;

    use super::*;

    fn folder() -> PathBuf {
        std::env::temp_dir().join(format!("data-{}", Correlation::new().request_id()))
    }

    #[test]
    fn a_second_system_on_the_same_folder_is_refused_until_the_first_ends() {
        let folder = folder();
        make(&folder).unwrap();
        let first = take(&folder).unwrap();
        let error = take(&folder).unwrap_err().to_string();
        for part in [
            folder.to_str().unwrap(),
            "another interline is running on it",
            "choose another folder with --data-dir",
        ] {
            assert!(error.contains(part), "{error}");
        }
        drop(first);
        take(&folder).unwrap();
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_new_folder_is_its_owners_alone_and_an_old_one_keeps_its_mode() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = folder();
        let mode = || std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777;
        make(&folder).unwrap();
        assert_eq!(mode(), 0o700);
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o750)).unwrap();
        make(&folder).unwrap();
        assert_eq!(mode(), 0o750);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
