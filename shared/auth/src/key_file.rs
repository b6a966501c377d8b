//! Private keys on disk: readable by their owner alone.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Where the key that signs access tokens is in development.
pub fn signing_key(data_dir: &Path) -> PathBuf {
    data_dir.join("keys").join("signing.pem")
}

/// Puts a private key in the place of another one, whole or not at all.
pub fn replace_private(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let draft = path.with_extension(format!("{:016x}.new", random()?));
    let placed = write_private(&draft, text).and_then(|()| std::fs::rename(&draft, path));
    if placed.is_err() {
        drop(std::fs::remove_file(&draft));
    }
    placed
}

fn random() -> std::io::Result<u64> {
    let mut number = [0; 8];
    aws_lc_rs::rand::fill(&mut number).map_err(|_| std::io::Error::other("no randomness"))?;
    Ok(u64::from_be_bytes(number))
}

/// Writes a new file that only its owner may read, and makes sure that it is on the disk.
pub fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// The text of a private key file, which is made on first use. Several processes may try at once: the
/// first one to put its file in place wins, and all of them read what is in place.
///
/// # Errors
/// In words, without the path: the file cannot be read or written, or `make` failed.
pub fn read_or_create(
    path: &Path,
    make: impl FnOnce() -> Result<String, String>,
) -> Result<String, String> {
    let words = |error: std::io::Error| error.to_string();
    if !path.exists() {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(words)?;
        }
        let draft = path.with_extension(format!("{:016x}.new", random().map_err(words)?));
        let linked = write_private(&draft, &make()?).and_then(|()| {
            // A hard link fails if the name is taken, so two processes never end with two keys.
            std::fs::hard_link(&draft, path)
        });
        drop(std::fs::remove_file(&draft));
        match linked {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(words(error));
            }
            _ => {}
        }
    }
    std::fs::read_to_string(path).map_err(words)
}

/// DER as PEM (RFC 7468), in one line of base64.
pub fn to_pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

/// The DER of a PEM file with one block.
pub fn from_pem(pem: &str) -> Option<Vec<u8>> {
    let body: String = pem
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("-----"))
        .collect();
    STANDARD.decode(body).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_that_make_a_key_at_once_one_wins_and_all_read_it() {
        let folder = std::env::temp_dir().join(format!("interline-key-{}", std::process::id()));
        let path = folder.join("keys").join("one.pem");
        let read: Vec<String> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|n| {
                    let path = &path;
                    scope.spawn(move || read_or_create(path, || Ok(format!("{n}"))).unwrap())
                })
                .collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        let left = std::fs::read_dir(path.parent().unwrap()).unwrap().count();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        std::fs::remove_dir_all(folder).unwrap();
        assert!(read.iter().all(|text| text == &read[0]), "{read:?}");
        assert_eq!(left, 1, "no draft is left behind");
    }
}
