//! Password hashes: Argon2id with 19 MiB, two passes, one lane (OWASP Password Storage), computed on
//! threads of their own at the machine's lowest priority, and only so many at once, so that a flood of
//! log-ins takes neither the memory nor the processor time of others.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use settings::{ExposeSecret as _, SecretString};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, sleep, timeout};

use super::threads::Threads;

const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// A hash could not be computed: a fault of the machine or of what is stored.
#[derive(Debug, thiserror::Error)]
#[error("password hashing: {0}")]
pub(crate) struct HashingError(pub(super) String);

/// How much of the machine hashing may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    /// Hashes computed at once; 0: half the processor cores, at least one.
    pub(crate) concurrency: usize,
    /// Longest wait for a turn.
    pub(crate) wait: Duration,
    /// Most that wait for one.
    pub(crate) queue: usize,
    /// Per cent of the time that may be worked while others wait, 1 to 100.
    pub(crate) percent: u32,
}

/// Hands out turns to compute hashes.
#[derive(Clone)]
pub(crate) struct Passwords(Arc<Inner>);

struct Inner {
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
    share: Share,
    threads: Threads,
    runtime: Handle,
    /// What a password is compared with where there is no account: the same work, never a match.
    nobody: String,
}

/// The right to compute, one hash after the other.
pub(crate) struct Turn {
    passwords: Passwords,
    permit: Option<OwnedSemaphorePermit>,
    /// Spent on computing so far.
    worked: Duration,
}

/// Gives the turn back. While others wait for one it is kept from them for a while, so that hashing
/// works no more than its share of the time.
impl Drop for Turn {
    fn drop(&mut self) {
        let Inner {
            share,
            waiting,
            runtime,
            ..
        } = &*self.passwords.0;
        let percent = share.percent.clamp(1, 100);
        let pause = self.worked * (100 - percent) / percent;
        if waiting.load(Ordering::Relaxed) > 0 && !pause.is_zero() {
            let permit = self.permit.take();
            runtime.spawn(async move {
                sleep(pause).await;
                drop(permit);
            });
        }
    }
}

/// One of those that wait for a turn.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Passwords {
    pub(crate) async fn new(share: Share) -> Result<Self, HashingError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let concurrency = match share.concurrency {
            0 => (cores / 2).max(1),
            given => given,
        };
        let threads = Threads::start(concurrency)?;
        let mut never_typed = [0; 32];
        aws_lc_rs::rand::fill(&mut never_typed).map_err(words)?;
        let nobody = computed(&threads, move || hash(&never_typed)).await?;
        Ok(Self(Arc::new(Inner {
            turns: Arc::new(Semaphore::new(concurrency)),
            waiting: AtomicUsize::new(0),
            share,
            threads,
            runtime: Handle::current(),
            nobody,
        })))
    }

    /// A turn. None at once when as many wait as may, and none when it takes longer than the configured
    /// wait or `left`.
    pub(crate) async fn turn(&self, left: Duration) -> Option<Turn> {
        let permit = match Arc::clone(&self.0.turns).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                let before = self.0.waiting.fetch_add(1, Ordering::Relaxed);
                let _place = Place(&self.0.waiting);
                if before >= self.0.share.queue {
                    return None;
                }
                let permit = Arc::clone(&self.0.turns).acquire_owned();
                timeout(self.0.share.wait.min(left), permit)
                    .await
                    .ok()?
                    .ok()?
            }
        };
        Some(Turn {
            passwords: self.clone(),
            permit: Some(permit),
            worked: Duration::ZERO,
        })
    }
}

impl Turn {
    /// Whether the password is the one of this hash. Takes the same time where there is none. The turn
    /// comes back when the work is done: a caller that goes away does not free it early.
    pub(crate) async fn verify(
        self,
        password: SecretString,
        stored: Option<String>,
    ) -> Result<(bool, Self), HashingError> {
        self.work(move |nobody| {
            let compared = stored.as_deref().unwrap_or(nobody);
            let compared = PasswordHash::new(compared).map_err(words)?;
            let matches = argon2()?
                .verify_password(password.expose_secret().as_bytes(), &compared)
                .is_ok();
            Ok(matches && stored.is_some())
        })
        .await
    }

    /// The hash of a new password as a PHC string, with a salt of its own.
    pub(crate) async fn hash(self, password: SecretString) -> Result<(String, Self), HashingError> {
        self.work(move |_| hash(password.expose_secret().as_bytes()))
            .await
    }

    async fn work<T: Send + 'static>(
        mut self,
        work: impl FnOnce(&str) -> Result<T, HashingError> + Send + 'static,
    ) -> Result<(T, Self), HashingError> {
        let (threads, began) = (self.passwords.clone(), Instant::now());
        computed(&threads.0.threads, move || {
            let done = work(&self.passwords.0.nobody)?;
            self.worked += began.elapsed();
            Ok((done, self))
        })
        .await
    }

    /// Gives the turn back without a pause: this was the account's owner.
    pub(crate) fn was_right(mut self) {
        self.worked = Duration::ZERO;
    }
}

async fn computed<T: Send + 'static>(
    threads: &Threads,
    work: impl FnOnce() -> Result<T, HashingError> + Send + 'static,
) -> Result<T, HashingError> {
    let (answer, done) = oneshot::channel();
    threads.run(Box::new(move || drop(answer.send(work()))))?;
    done.await.map_err(words)?
}

fn hash(password: &[u8]) -> Result<String, HashingError> {
    let hash = argon2()?.hash_password(password).map_err(words)?;
    Ok(hash.to_string())
}

fn argon2() -> Result<Argon2<'static>, HashingError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(words)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

pub(super) fn words(error: impl std::fmt::Display) -> HashingError {
    HashingError(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_secs(30);

    async fn passwords(concurrency: usize, queue: usize) -> Passwords {
        let share = Share {
            concurrency,
            wait: WAIT,
            queue,
            percent: 50,
        };
        Passwords::new(share).await.unwrap()
    }

    async fn check(passwords: &Passwords, password: &str, stored: Option<String>) -> bool {
        let turn = passwords.turn(WAIT).await.unwrap();
        turn.verify(password.into(), stored).await.unwrap().0
    }

    #[tokio::test]
    async fn only_the_whole_password_matches_however_long_and_with_whatever_in_it() {
        let passwords = passwords(2, 8).await;
        let long = "x".repeat(80);
        let turn = passwords.turn(WAIT).await.unwrap();
        let (stored, turn) = turn.hash(format!("{long}\0a").into()).await.unwrap();
        drop(turn);
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(check(&passwords, &format!("{long}\0a"), Some(stored.clone())).await);
        assert!(!check(&passwords, &format!("{long}\0b"), Some(stored.clone())).await);
        assert!(!check(&passwords, &long, Some(stored)).await);
        assert!(!check(&passwords, &long, None).await);
    }

    #[tokio::test]
    async fn no_more_than_the_allowed_number_compute_at_once() {
        let passwords = passwords(1, 8).await;
        let turn = passwords.turn(WAIT).await.unwrap();
        assert!(passwords.turn(Duration::ZERO).await.is_none());
        let (_, turn) = turn.verify("x".into(), None).await.unwrap();
        assert!(passwords.turn(Duration::ZERO).await.is_none());
        drop(turn);
        assert!(passwords.turn(Duration::ZERO).await.is_some());
    }

    #[tokio::test]
    async fn who_finds_a_full_queue_is_sent_away_at_once() {
        let passwords = passwords(1, 1).await;
        let turn = passwords.turn(WAIT).await.unwrap();
        let second = tokio::spawn({
            let passwords = passwords.clone();
            async move { passwords.turn(WAIT).await.is_some() }
        });
        while passwords.0.waiting.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        let began = Instant::now();
        assert!(passwords.turn(WAIT).await.is_none());
        assert!(began.elapsed() < WAIT);
        drop(turn);
        assert!(second.await.unwrap());
        assert!(passwords.turn(WAIT).await.is_some(), "the queue is empty");
    }

    #[tokio::test]
    async fn while_others_wait_a_turn_rests_as_long_as_it_worked() {
        let passwords = passwords(1, 8).await;
        let turn = passwords.turn(WAIT).await.unwrap();
        let (_, turn) = turn.verify("x".into(), None).await.unwrap();
        let worked = turn.worked;
        let second = tokio::spawn({
            let passwords = passwords.clone();
            async move { passwords.turn(WAIT).await.is_some() }
        });
        while passwords.0.waiting.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        let began = Instant::now();
        drop(turn);
        assert!(second.await.unwrap());
        assert!(began.elapsed() >= worked);
    }
}
