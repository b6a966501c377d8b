//! The cache as its callers see it: looking up, purging, counting.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderMap, Method};
use travel_types::Clock;

use crate::conditions::is_for_the_origin;
use crate::directives::Wishes;
use crate::flight::Flights;
use crate::hit::Hit;
use crate::key::Key;
use crate::metrics::{Counters, Metrics};
use crate::moment::Moment;
use crate::purge::{Log, Purge, Verdict};
use crate::shared::{Shared, follow};
use crate::store::{Found, Store};
use crate::stored::Stored;

/// What the cache may use.
#[derive(Clone)]
pub struct Options {
    /// The most that answers in memory may occupy, in bytes: keys, fields, bodies and bookkeeping.
    pub capacity_bytes: usize,
    /// The largest body that is stored, in bytes. A longer one is passed on.
    pub max_object_bytes: usize,
    /// The Redis over which instances share answers and purges: `redis://user:password@host:port/db`
    /// (`rediss:` over TLS).
    pub redis: Option<String>,
    /// What every key on Redis begins with. Instances of one service have the same.
    pub prefix: String,
    /// The longest that a call waits for Redis.
    pub timeout: Duration,
    /// The wall clock.
    pub clock: Clock,
}

impl Default for Options {
    /// 64 MiB in memory, bodies up to 1 MiB, no Redis, which would have 100 ms to answer.
    fn default() -> Self {
        Self {
            capacity_bytes: 64 << 20,
            max_object_bytes: 1 << 20,
            redis: None,
            prefix: "response_cache".to_owned(),
            timeout: Duration::from_millis(100),
            clock: Clock::system(),
        }
    }
}

/// What [`ResponseCache::lookup`] found.
#[derive(Clone, Debug)]
pub enum Lookup {
    /// An answer that the request may have as it is.
    Fresh(Hit),
    /// An answer that is to be validated first, or is served while it is: [`ResponseCache::serve`]
    /// knows what to do.
    Stale(Hit),
    /// Nothing.
    Miss {
        /// There are answers for other fields of the request.
        other_variants: bool,
    },
}

/// A shared HTTP cache. Clones share everything.
#[derive(Clone, Debug)]
pub struct ResponseCache(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) options: Options,
    pub(crate) store: Store,
    pub(crate) flights: Arc<Flights>,
    pub(crate) counters: Counters,
    pub(crate) shared: Option<Shared>,
    log: Mutex<Log>,
}

/// The address of Redis is not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the Redis address of the response cache is not understood")]
pub struct AddressError;

/// The answers are gone from this instance, but Redis could not be told. Until it is, which is tried
/// again and again, other instances may still give them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("other instances could not be told of the purge yet")]
pub struct NotEverywhere {
    /// How many answers were in this instance's memory.
    pub removed: u64,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseCache")
            .field("capacity_bytes", &self.options.capacity_bytes)
            .field("max_object_bytes", &self.options.max_object_bytes)
            .finish_non_exhaustive()
    }
}

impl ResponseCache {
    /// An empty cache. With Redis it must be made within a tokio runtime; it connects by itself and
    /// works on without Redis when that is away.
    ///
    /// # Errors
    /// [`AddressError`].
    pub fn new(options: Options) -> Result<Self, AddressError> {
        let store = Store::new(options.capacity_bytes, options.max_object_bytes);
        let shared = Shared::new(&options)?;
        let inner = Arc::new(Inner {
            options,
            store,
            flights: Arc::default(),
            counters: Counters::default(),
            shared,
            log: Mutex::default(),
        });
        if inner.shared.is_some() {
            tokio::spawn(follow(Arc::downgrade(&inner)));
        }
        Ok(Self(inner))
    }

    /// The present moment by the cache's clock.
    pub fn now(&self) -> Moment {
        Moment(self.0.options.clock.now().as_millisecond())
    }

    /// Looks into memory, without waiting for anything. `method` is `GET` or `HEAD`; any other is a
    /// miss, as is a request that only the origin can answer: with content, say.
    pub fn lookup(&self, key: &Key, request: &HeaderMap, method: &Method, now: Moment) -> Lookup {
        let cacheable = matches!(*method, Method::GET | Method::HEAD);
        if !cacheable || is_for_the_origin(request) {
            return Lookup::Miss {
                other_variants: false,
            };
        }
        self.0.look(key, request, &Wishes::of_request(request), now)
    }

    /// Takes answers out, here and in all instances: in the others within a fraction of a second.
    /// Returns how many were in this instance's memory.
    ///
    /// # Errors
    /// [`NotEverywhere`] when Redis did not take the message.
    pub async fn purge(&self, purge: &Purge) -> Result<u64, NotEverywhere> {
        let Some(shared) = &self.0.shared else {
            return Ok(self.0.apply(purge));
        };
        shared.remote.note(purge);
        let removed = self.0.apply(purge);
        let sent = shared.remote.send_unsent().await;
        // What was read from Redis in between had not seen the purge.
        let late = self.0.apply(purge);
        let removed = if purge.soft { removed } else { removed + late };
        sent.map_err(|_| NotEverywhere { removed })?;
        Ok(removed)
    }

    /// The present counts.
    pub fn metrics(&self) -> Metrics {
        let counters = &self.0.counters;
        let shared = self.0.shared.as_ref();
        let (bytes, entries) = self.0.store.size();
        let wide = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        Metrics {
            hits: counters.hits.get(),
            misses: counters.misses.get(),
            stale: counters.stale.get(),
            revalidations: counters.revalidations.get(),
            collapsed: counters.collapsed.get(),
            stores: counters.stores.get(),
            evictions: counters.evictions.get(),
            bytes: wide(bytes),
            entries: wide(entries),
            remote_hits: shared.map_or(0, |shared| shared.remote.hits.get()),
            remote_errors: shared.map_or(0, |shared| shared.remote.errors()),
        }
    }
}

impl Inner {
    pub(crate) fn look(
        &self,
        key: &Key,
        request: &HeaderMap,
        wishes: &Wishes,
        now: Moment,
    ) -> Lookup {
        let stored = match self.store.get(key, request) {
            Found::Stored(stored) => stored,
            found => {
                return Lookup::Miss {
                    other_variants: matches!(found, Found::OtherVariants),
                };
            }
        };
        let remaining = stored.remaining(now);
        if !wishes.no_store && stored.freshness.suffices(remaining, now, wishes) {
            if remaining > 0 {
                self.counters.hits.increment();
            } else {
                self.counters.stale.increment();
            }
            return Lookup::Fresh(Hit::new(stored, now));
        }
        Lookup::Stale(Hit::new(stored, now))
    }

    fn log(&self) -> std::sync::MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of the last purge, for answers that are asked for from now on.
    pub(crate) fn seen(&self) -> u64 {
        self.log().last()
    }

    /// Puts an answer into memory, unless a purge that it has not seen speaks against it.
    pub(crate) fn keep(&self, key: &Key, stored: &Arc<Stored>, now: Moment) {
        let verdict = || self.log().verdict(stored.seen, key, &stored.labels.tags);
        // What is purged must not take the place of something newer.
        if verdict() == Verdict::Removed {
            return;
        }
        self.counters.stores.increment();
        let evicted = self.store.put(key, Arc::clone(stored));
        self.counters.evictions.add(evicted);
        // Once more: a purge that began before the answer was put has not walked over it.
        match verdict() {
            Verdict::Untouched => {}
            Verdict::Expired => stored.expire(now),
            Verdict::Removed => self.store.remove(key, stored),
        }
    }

    pub(crate) fn apply(&self, purge: &Purge) -> u64 {
        {
            let mut log = self.log();
            let number = log.last() + 1;
            log.append(number, purge.clone());
        }
        self.flights.part(purge);
        let now = Moment(self.options.clock.now().as_millisecond());
        let mut expired = 0;
        let removed = self.store.retain(|key, stored| {
            if !purge.covers(key, &stored.labels.tags) {
                return true;
            }
            if purge.soft {
                stored.expire(now);
                expired += 1;
            }
            purge.soft
        });
        removed + expired
    }
}
