//! Password hashes: Argon2id with 19 MiB, two passes, one lane (OWASP Password Storage), computed off
//! the runtime and only so many at once, so that a flood of log-ins takes neither memory nor all cores.

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use settings::{ExposeSecret as _, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// A hash could not be computed: a fault of the machine or of what is stored.
#[derive(Debug, thiserror::Error)]
#[error("password hashing: {0}")]
pub(crate) struct HashingError(String);

/// Hands out turns to compute hashes.
#[derive(Clone)]
pub(crate) struct Passwords {
    turns: Arc<Semaphore>,
    wait: Duration,
    /// What a password is compared with where there is no account: the same work, never a match.
    nobody: Arc<str>,
}

/// The right to compute, one hash after the other.
pub(crate) struct Turn {
    permit: OwnedSemaphorePermit,
    nobody: Arc<str>,
}

impl Passwords {
    pub(crate) async fn new(concurrency: usize, wait: Duration) -> Result<Self, HashingError> {
        let mut never_typed = [0; 32];
        aws_lc_rs::rand::fill(&mut never_typed).map_err(words)?;
        let nobody = on_own_thread(move || hash(&never_typed)).await?;
        Ok(Self {
            turns: Arc::new(Semaphore::new(concurrency.max(1))),
            wait,
            nobody: nobody.into(),
        })
    }

    /// A turn, unless it takes longer than the configured wait or `left`.
    pub(crate) async fn turn(&self, left: Duration) -> Option<Turn> {
        let permit = Arc::clone(&self.turns).acquire_owned();
        let permit = timeout(self.wait.min(left), permit).await.ok()?.ok()?;
        Some(Turn {
            permit,
            nobody: Arc::clone(&self.nobody),
        })
    }
}

impl Turn {
    /// Whether the password is the account's. Takes the same time where there is no account. The turn
    /// comes back when the work is done: a caller that goes away does not free it early.
    pub(crate) async fn verify(
        self,
        password: SecretString,
        account: Option<String>,
    ) -> Result<(bool, Self), HashingError> {
        on_own_thread(move || {
            let stored = account.as_deref().unwrap_or(&self.nobody);
            let stored = PasswordHash::new(stored).map_err(words)?;
            let matches = argon2()?
                .verify_password(password.expose_secret().as_bytes(), &stored)
                .is_ok();
            Ok((matches && account.is_some(), self))
        })
        .await
    }

    /// The hash of a new password as a PHC string, with a salt of its own.
    pub(crate) async fn hash(self, password: SecretString) -> Result<String, HashingError> {
        on_own_thread(move || {
            let _permit = self.permit;
            hash(password.expose_secret().as_bytes())
        })
        .await
    }
}

async fn on_own_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, HashingError> + Send + 'static,
) -> Result<T, HashingError> {
    tokio::task::spawn_blocking(work).await.map_err(words)?
}

fn hash(password: &[u8]) -> Result<String, HashingError> {
    let hash = argon2()?.hash_password(password).map_err(words)?;
    Ok(hash.to_string())
}

fn argon2() -> Result<Argon2<'static>, HashingError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(words)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn words(error: impl std::fmt::Display) -> HashingError {
    HashingError(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_secs(30);

    async fn passwords(concurrency: usize) -> Passwords {
        Passwords::new(concurrency, WAIT).await.unwrap()
    }

    async fn check(passwords: &Passwords, password: &str, stored: Option<String>) -> bool {
        let turn = passwords.turn(WAIT).await.unwrap();
        turn.verify(password.into(), stored).await.unwrap().0
    }

    #[tokio::test]
    async fn only_the_whole_password_matches_however_long_and_with_whatever_in_it() {
        let passwords = passwords(2).await;
        let long = "x".repeat(80);
        let turn = passwords.turn(WAIT).await.unwrap();
        let stored = turn.hash(format!("{long}\0a").into()).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(check(&passwords, &format!("{long}\0a"), Some(stored.clone())).await);
        assert!(!check(&passwords, &format!("{long}\0b"), Some(stored.clone())).await);
        assert!(!check(&passwords, &long, Some(stored)).await);
        assert!(!check(&passwords, &long, None).await);
    }

    #[tokio::test]
    async fn no_more_than_the_allowed_number_compute_at_once() {
        let passwords = passwords(1).await;
        let turn = passwords.turn(WAIT).await.unwrap();
        assert!(passwords.turn(Duration::ZERO).await.is_none());
        let (_, turn) = turn.verify("x".into(), None).await.unwrap();
        assert!(passwords.turn(Duration::ZERO).await.is_none());
        drop(turn);
        assert!(passwords.turn(Duration::ZERO).await.is_some());
    }
}
