//! The cache on Redis, over one multiplexed connection that reconnects by itself. No call waits longer
//! than the time-out, whatever Redis does.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Cmd, FromRedisValue, RedisResult, Script, ScriptInvocation};
use tokio::time::{Instant, timeout};

use crate::{CacheError, CacheOptions, Count};

/// After a failure, reads and writes of values are a miss at once for this long: with a Redis that
/// hangs, only a few requests a second wait for the time-out instead of all.
const PAUSE: Duration = Duration::from_millis(250);

/// Sets the value and enters it in its tags' sets, scored by expiry, so that what expired can leave
/// the sets again.
const PUT: &str = r"
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if #KEYS > 1 then
    local time = redis.call('TIME')
    local now = time[1] * 1000 + math.floor(time[2] / 1000)
    for i = 2, #KEYS do
        redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now)
        redis.call('ZADD', KEYS[i], now + ARGV[2], KEYS[1])
        if redis.call('PTTL', KEYS[i]) < tonumber(ARGV[2]) then
            redis.call('PEXPIRE', KEYS[i], ARGV[2])
        end
    end
end
";

const PURGE: &str = r"
local members = redis.call('ZRANGE', KEYS[1], 0, -1)
for i = 1, #members, 1000 do
    redis.call('UNLINK', unpack(members, i, math.min(i + 999, #members)))
end
redis.call('UNLINK', KEYS[1])
";

/// Count and expiry in one step: a process that died between the two would leave a counter that never
/// ends, and an account that is locked for ever.
const INCREMENT: &str = r"
if ARGV[1] == '0' and redis.call('EXISTS', KEYS[1]) == 0 then
    return {0, 0}
end
local count = redis.call('INCRBY', KEYS[1], ARGV[1])
local remaining = redis.call('PTTL', KEYS[1])
if remaining < 0 then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
    remaining = tonumber(ARGV[2])
end
return {count, remaining}
";

/// What is sent: so that one function bounds and repeats both.
#[derive(Clone, Copy)]
enum Call<'a> {
    Command(&'a Cmd),
    Script(&'a ScriptInvocation<'a>),
}

impl Call<'_> {
    async fn send<T: FromRedisValue>(self, connection: &ConnectionManager) -> RedisResult<T> {
        let mut connection = connection.clone();
        match self {
            Self::Command(command) => command.query_async(&mut connection).await,
            Self::Script(script) => script.invoke_async(&mut connection).await,
        }
    }
}

pub(crate) struct Remote {
    connection: ConnectionManager,
    prefix: String,
    timeout: Duration,
    put: Script,
    purge: Script,
    increment: Script,
    failing: AtomicBool,
    paused_until: Mutex<Option<Instant>>,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote")
            .field("prefix", &self.prefix)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

impl Remote {
    pub(crate) fn new(options: &CacheOptions) -> Result<Self, CacheError> {
        let bad_address = |_| CacheError::Settings("the Redis address is not understood");
        let client = Client::open(options.url.as_str()).map_err(bad_address)?;
        // One attempt per call and no back-off: the call after Redis is back finds it.
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(options.timeout))
            .set_response_timeout(Some(options.timeout));
        let connection =
            ConnectionManager::new_lazy_with_config(client, config).map_err(bad_address)?;
        Ok(Self {
            connection,
            prefix: options.prefix.clone(),
            timeout: options.timeout,
            put: Script::new(PUT),
            purge: Script::new(PURGE),
            increment: Script::new(INCREMENT),
            failing: AtomicBool::new(false),
            paused_until: Mutex::default(),
        })
    }

    pub(crate) async fn get(&self, key: &str) -> Option<Arc<str>> {
        if self.is_paused() {
            return None;
        }
        let command = Cmd::get(self.value_key(key));
        let found: Option<String> = self.bounded(Call::Command(&command)).await.ok()?;
        found.map(Arc::from)
    }

    pub(crate) async fn put(
        &self,
        key: &str,
        tags: &[&str],
        json: &str,
        ttl: Duration,
    ) -> Result<(), CacheError> {
        if self.is_paused() {
            return Err(CacheError::Unavailable);
        }
        let mut call = self.put.prepare_invoke();
        call.key(self.value_key(key));
        for tag in tags {
            call.key(format!("{}:t:{tag}", self.prefix));
        }
        call.arg(json).arg(millis(ttl));
        self.bounded(Call::Script(&call)).await
    }

    pub(crate) async fn remove(&self, key: &str) -> Result<(), CacheError> {
        let command = Cmd::unlink(self.value_key(key));
        self.bounded(Call::Command(&command)).await
    }

    pub(crate) async fn purge_tag(&self, tag: &str) -> Result<(), CacheError> {
        let mut call = self.purge.prepare_invoke();
        call.key(format!("{}:t:{tag}", self.prefix));
        self.bounded(Call::Script(&call)).await
    }

    pub(crate) async fn increment(
        &self,
        key: &str,
        by: u64,
        window: Duration,
    ) -> Result<Count, CacheError> {
        let mut call = self.increment.prepare_invoke();
        call.key(self.counter_key(key))
            .arg(i64::try_from(by).unwrap_or(i64::MAX))
            .arg(millis(window).max(1));
        let (count, remaining): (u64, u64) = self.bounded(Call::Script(&call)).await?;
        Ok(Count {
            count,
            remaining: Duration::from_millis(remaining),
        })
    }

    pub(crate) async fn reset(&self, key: &str) -> Result<(), CacheError> {
        let command = Cmd::unlink(self.counter_key(key));
        self.bounded(Call::Command(&command)).await
    }

    pub(crate) async fn ping(&self) -> Result<(), CacheError> {
        self.bounded(Call::Command(&redis::cmd("PING"))).await
    }

    /// Makes the call within the time-out, once more when the connection turns out to be dead: the
    /// first call after Redis was restarted finds that out, and need not fail for it. A counter whose
    /// answer was lost may so be counted twice, which errs on the strict side.
    async fn bounded<T: FromRedisValue>(&self, call: Call<'_>) -> Result<T, CacheError> {
        let attempts = async {
            match call.send(&self.connection).await {
                Err(error) if error.is_io_error() && !error.is_timeout() => {
                    call.send(&self.connection).await
                }
                other => other,
            }
        };
        match timeout(self.timeout, attempts).await {
            Ok(Ok(value)) => {
                if self.failing.swap(false, Ordering::Relaxed) {
                    self.pause_until(None);
                    tracing::info!("the cache answers again");
                }
                Ok(value)
            }
            failed => {
                let kind = match failed {
                    Ok(Err(error)) => format!("{:?}", error.kind()),
                    _ => "no answer in time".to_owned(),
                };
                self.pause_until(Some(Instant::now() + PAUSE));
                if !self.failing.swap(true, Ordering::Relaxed) {
                    tracing::warn!(kind, "the cache is unavailable");
                }
                Err(CacheError::Unavailable)
            }
        }
    }

    fn is_paused(&self) -> bool {
        let paused = self
            .paused_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        paused.is_some_and(|until| Instant::now() < until)
    }

    fn pause_until(&self, until: Option<Instant>) {
        *self
            .paused_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = until;
    }

    fn value_key(&self, key: &str) -> String {
        format!("{}:v:{key}", self.prefix)
    }

    fn counter_key(&self, key: &str) -> String {
        format!("{}:c:{key}", self.prefix)
    }
}

/// Milliseconds as Redis takes them: at most about 285 years, beyond which it refuses.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis())
        .unwrap_or(u64::MAX)
        .min(9_000_000_000_000)
}
