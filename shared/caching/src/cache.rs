//! The cache as its callers see it; which backend is below is decided once, by the address.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::flight::Flights;
use crate::memory::Memory;
use crate::remote::Remote;

/// Where the cache is and what it may use.
#[derive(Clone)]
pub struct CacheOptions {
    /// `memory:`, or `redis://user:password@host:port/db` (`rediss:` over TLS).
    pub url: String,
    /// What every key on Redis begins with, so that services share one server. Instances of one
    /// service have the same.
    pub prefix: String,
    /// The most that values in memory may occupy, in bytes, keys included. Redis has its own limit.
    pub capacity_bytes: u64,
    /// The longest that any call waits for Redis.
    pub timeout: Duration,
}

impl CacheOptions {
    /// Options with the usual limits: 64 MiB in memory, 250 ms for Redis.
    pub fn new(url: impl Into<String>, prefix: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            prefix: prefix.into(),
            capacity_bytes: 64 * 1024 * 1024,
            timeout: Duration::from_millis(250),
        }
    }
}

impl fmt::Debug for CacheOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address may hold a password.
        f.debug_struct("CacheOptions")
            .field("backend", &self.url.split(':').next())
            .field("prefix", &self.prefix)
            .field("capacity_bytes", &self.capacity_bytes)
            .field("timeout", &self.timeout)
            .finish()
    }
}

/// An error of the cache.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CacheError {
    /// Redis did not answer in time or refused. Whether the change was made is not known; all changes
    /// but [`Cache::increment`] may be repeated without harm.
    #[error("the cache is unavailable")]
    Unavailable,
    /// The value has no JSON form: a fault of the program.
    #[error("the value cannot be written as JSON")]
    Value,
    /// The address is not understood.
    #[error("the cache's settings are wrong: {0}")]
    Settings(&'static str),
}

/// The state of a counter after [`Cache::increment`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// The sum since the window began, this increment included.
    pub count: u64,
    /// How long until the counter is forgotten.
    pub remaining: Duration,
}

#[derive(Debug)]
enum Backend {
    Memory(Memory),
    Redis(Remote),
}

/// A cache. Clones share everything.
#[derive(Clone, Debug)]
pub struct Cache {
    backend: Arc<Backend>,
    flights: Arc<Flights>,
}

impl Cache {
    /// Opens the cache. Redis is connected to when it is first used and again whenever it was lost,
    /// so a service starts without it. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`CacheError::Settings`] for an address that is not understood.
    pub fn open(options: &CacheOptions) -> Result<Self, CacheError> {
        let backend = match options.url.split(':').next() {
            Some("memory") => Backend::Memory(Memory::new(options.capacity_bytes)),
            Some("redis" | "rediss") => Backend::Redis(Remote::new(options)?),
            _ => {
                return Err(CacheError::Settings(
                    "the address starts with none of memory:, redis:, rediss:",
                ));
            }
        };
        Ok(Self {
            backend: Arc::new(backend),
            flights: Arc::default(),
        })
    }

    /// The value, or `None` when it is absent, expired, unreadable as `T`, or the cache is down.
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        let json = self.read(key).await?;
        serde_json::from_str(&json).ok()
    }

    /// Keeps the value for `ttl` at most; a `ttl` under a millisecond keeps nothing.
    ///
    /// # Errors
    /// [`CacheError::Value`]; [`CacheError::Unavailable`], which a caller that can do without the
    /// value may ignore.
    pub async fn put<T: Serialize>(
        &self,
        key: &str,
        value: &T,
        ttl: Duration,
    ) -> Result<(), CacheError> {
        self.put_tagged(key, &[], value, ttl).await
    }

    /// As [`Cache::put`]; [`Cache::purge_tag`] with any of the tags removes the value early.
    ///
    /// # Errors
    /// As [`Cache::put`].
    pub async fn put_tagged<T: Serialize>(
        &self,
        key: &str,
        tags: &[&str],
        value: &T,
        ttl: Duration,
    ) -> Result<(), CacheError> {
        let json = serde_json::to_string(value).map_err(|_| CacheError::Value)?;
        self.write(key, tags, json.into(), ttl).await
    }

    /// Removes the value.
    ///
    /// # Errors
    /// [`CacheError::Unavailable`]: the value may still be served until its time to live ends.
    pub async fn remove(&self, key: &str) -> Result<(), CacheError> {
        match &*self.backend {
            Backend::Memory(memory) => memory.remove(key),
            Backend::Redis(remote) => remote.remove(key).await?,
        }
        Ok(())
    }

    /// Removes every value that was put with this tag.
    ///
    /// # Errors
    /// [`CacheError::Unavailable`]: the values may still be served until their time to live ends.
    pub async fn purge_tag(&self, tag: &str) -> Result<(), CacheError> {
        match &*self.backend {
            Backend::Memory(memory) => memory.purge_tag(tag),
            Backend::Redis(remote) => remote.purge_tag(tag).await?,
        }
        Ok(())
    }

    /// The cached value, or what `load` gives, kept for `ttl`. While one caller of this process loads
    /// a key, the others wait and share its value. A failed load is kept by nobody: those who wait
    /// try one after the other, each with its own `load`. A caller that is cancelled makes way.
    ///
    /// # Errors
    /// Those of `load`. A cache that is down is none: it is a miss.
    pub async fn get_or_load<T, E, F, Loading>(
        &self,
        key: &str,
        ttl: Duration,
        load: F,
    ) -> Result<T, E>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce() -> Loading,
        Loading: Future<Output = Result<T, E>>,
    {
        // On board before the look into the cache: a load that ends while the cache answers "absent"
        // is then seen below.
        let arrived = Instant::now();
        let seat = self.flights.board(key);
        if let Some(value) = self.get(key).await {
            return Ok(value);
        }
        let mut landed = seat.turn().await;
        // An older value was in the cache when this caller looked, and has expired since.
        if let Some((json, at)) = &*landed
            && *at >= arrived
            && let Ok(value) = serde_json::from_str(json)
        {
            return Ok(value);
        }
        let value = load().await?;
        if let Ok(json) = serde_json::to_string(&value) {
            let json: Arc<str> = json.into();
            // The value is right whether or not it could be kept.
            let _ = self.write(key, &[], Arc::clone(&json), ttl).await;
            *landed = Some((json, Instant::now()));
        }
        Ok(value)
    }

    /// Adds to a counter and tells its new state. The first increment starts a window of this length,
    /// after which the counter is forgotten; later ones do not prolong it. `by` 0 only looks, and starts
    /// no window: nothing remains of a counter that there is not.
    ///
    /// # Errors
    /// [`CacheError::Unavailable`] when Redis does not answer: the caller decides whether to allow.
    pub async fn increment(
        &self,
        key: &str,
        by: u64,
        window: Duration,
    ) -> Result<Count, CacheError> {
        match &*self.backend {
            Backend::Memory(memory) => Ok(memory.increment(key, by, window)),
            Backend::Redis(remote) => remote.increment(key, by, window).await,
        }
    }

    /// Forgets a counter, as a successful log-in does with the failed ones before.
    ///
    /// # Errors
    /// [`CacheError::Unavailable`]: the counter may still stand.
    pub async fn reset(&self, key: &str) -> Result<(), CacheError> {
        match &*self.backend {
            Backend::Memory(memory) => memory.reset(key),
            Backend::Redis(remote) => remote.reset(key).await?,
        }
        Ok(())
    }

    /// Whether the cache answers, for readiness checks.
    ///
    /// # Errors
    /// [`CacheError::Unavailable`] when it does not within the time-out.
    pub async fn ping(&self) -> Result<(), CacheError> {
        match &*self.backend {
            Backend::Memory(_) => Ok(()),
            Backend::Redis(remote) => remote.ping().await,
        }
    }

    async fn read(&self, key: &str) -> Option<Arc<str>> {
        match &*self.backend {
            Backend::Memory(memory) => memory.get(key),
            Backend::Redis(remote) => remote.get(key).await,
        }
    }

    async fn write(
        &self,
        key: &str,
        tags: &[&str],
        json: Arc<str>,
        ttl: Duration,
    ) -> Result<(), CacheError> {
        if ttl < Duration::from_millis(1) {
            return Ok(());
        }
        match &*self.backend {
            Backend::Memory(memory) => memory.put(key, tags, json, ttl),
            Backend::Redis(remote) => remote.put(key, tags, &json, ttl).await?,
        }
        Ok(())
    }
}
