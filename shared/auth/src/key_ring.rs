//! The issuer's public keys as a verifier keeps them: fetched when a token names a key that is not
//! there and when they have become old, never more often than the cool-down allows, and kept when the
//! issuer is down.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use tracing::{info, warn};

use crate::AccessError;
use crate::jwks::{KeySet, PublicKey};

/// After a fetch, the next one at the earliest.
const COOL_DOWN: Duration = Duration::from_secs(5);
/// The same after a fetch that failed.
const COOL_DOWN_FAILED: Duration = Duration::from_secs(1);
/// Older keys are fetched anew in the background, so that a withdrawn one does not live on.
const FRESH: Duration = Duration::from_secs(300);
/// A fetch that takes longer has failed.
const FETCH_LIMIT: Duration = Duration::from_secs(5);
/// For so long a name that the issuer did not know is not asked for again.
const UNKNOWN_FOR: Duration = Duration::from_secs(30);
/// The most such names that are remembered.
const UNKNOWN_MOST: u64 = 1000;

/// Where the issuer's public keys come from.
#[async_trait]
pub trait KeySource: Send + Sync {
    /// The JWKS document (RFC 7517) as served.
    ///
    /// # Errors
    /// In words for the log.
    async fn fetch(&self) -> Result<Vec<u8>, String>;
}

pub(crate) struct KeyRing {
    source: Arc<dyn KeySource>,
    state: RwLock<State>,
    fetching: Mutex<()>,
    unknown: moka::sync::Cache<String, Instant>,
}

#[derive(Default)]
struct State {
    keys: KeySet,
    loaded: Option<Instant>,
    /// The issuer said that its keys are others now.
    outdated: bool,
    attempt: Option<Attempt>,
}

#[derive(Clone, Copy)]
struct Attempt {
    ended: Instant,
    failed: bool,
}

impl Attempt {
    fn cools_down(self) -> bool {
        let pause = if self.failed {
            COOL_DOWN_FAILED
        } else {
            COOL_DOWN
        };
        self.ended.elapsed() < pause
    }
}

impl KeyRing {
    pub(crate) fn new(source: Arc<dyn KeySource>) -> Arc<Self> {
        Arc::new(Self {
            source,
            state: RwLock::default(),
            fetching: Mutex::new(()),
            unknown: moka::sync::Cache::new(UNKNOWN_MOST),
        })
    }

    /// The key of this very name.
    pub(crate) async fn key(self: &Arc<Self>, kid: &str) -> Result<Arc<PublicKey>, AccessError> {
        if let Some(key) = self.known(kid) {
            return Ok(key);
        }
        let unknown = self.unknown.get(kid);
        if unknown.is_some_and(|since| since.elapsed() < UNKNOWN_FOR) {
            return Err(AccessError::Invalid);
        }
        let mut asked = false;
        if !self.cools_down() {
            let ring = Arc::clone(self);
            // In a task of its own: when the first caller goes away, the others still get the keys.
            asked = tokio::spawn(async move { ring.fetch().await })
                .await
                .unwrap_or(false);
        }
        if let Some(key) = self.known(kid) {
            return Ok(key);
        }
        if self.state().attempt.is_none_or(|attempt| attempt.failed) {
            return Err(AccessError::KeysUnavailable);
        }
        if asked {
            self.unknown.insert(kid.to_owned(), Instant::now());
        }
        Err(AccessError::Invalid)
    }

    /// The key of this name, if it is here. Has old keys fetched anew without waiting for them.
    pub(crate) fn known(self: &Arc<Self>, kid: &str) -> Option<Arc<PublicKey>> {
        let (key, old) = {
            let state = self.state();
            let old = state.outdated || state.loaded.is_some_and(|at| at.elapsed() >= FRESH);
            (state.keys.get(kid), old)
        };
        if old && !self.cools_down() && self.fetching.try_lock().is_ok() {
            let ring = Arc::clone(self);
            tokio::spawn(async move { ring.fetch().await });
        }
        key
    }

    /// Fetches the keys unless somebody just did. Whether the issuer was asked here.
    async fn fetch(&self) -> bool {
        let _turn = self.fetching.lock().await;
        if self.cools_down() {
            return false;
        }
        self.ask().await;
        true
    }

    /// Fetches the keys at the issuer's own word, whatever the cool-down says.
    pub(crate) async fn refetch(&self) {
        let _turn = self.fetching.lock().await;
        {
            let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
            state.outdated = true;
        }
        self.ask().await;
        self.unknown.invalidate_all();
    }

    /// Asks the issuer. Whoever calls it holds the turn.
    async fn ask(&self) {
        let fetched = timeout(FETCH_LIMIT, self.source.fetch())
            .await
            .unwrap_or_else(|_| Err("no answer in time".to_owned()))
            .and_then(|document| KeySet::read(&document));
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let ended = Instant::now();
        let failed = fetched.is_err();
        state.attempt = Some(Attempt { ended, failed });
        match fetched {
            Ok(keys) => {
                info!("the issuer's keys were read");
                state.keys = keys;
                state.loaded = Some(ended);
                state.outdated = false;
            }
            Err(problem) => warn!(problem, "the issuer's keys cannot be had"),
        }
    }

    fn cools_down(&self) -> bool {
        self.state().attempt.is_some_and(Attempt::cools_down)
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
