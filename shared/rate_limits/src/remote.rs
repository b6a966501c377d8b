//! The limits on Redis, over one multiplexed connection that reconnects by itself. No call waits
//! longer than the time-out, and while Redis fails only one call in a while asks it at all.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, FromRedisValue, RedisResult, Script, ScriptInvocation};
use tokio::time::{Instant, timeout};

use crate::entry::{Answer, Change, News};
use crate::options::{LimiterError, LimiterOptions};
use crate::rule::{Rule, Shared, Verdict};
use crate::window::SLOTS;

/// While Redis fails it is asked by one call per this time; all others go without it.
const PAUSE: Duration = Duration::from_millis(250);
/// A connection over which nothing has come for this long is replaced: it may lead to a server that is
/// no more, which TCP alone finds out only after minutes.
const RENEWAL: Duration = Duration::from_secs(1);
/// Keys per call of a sharing script: Redis does nothing else meanwhile, for about a millisecond.
pub(crate) const BATCH: usize = 256;

pub(crate) struct Remote {
    client: Client,
    config: ConnectionManagerConfig,
    connection: Mutex<ConnectionManager>,
    prefix: String,
    timeout: Duration,
    bucket_decide: Script,
    bucket_share: Script,
    window_decide: Script,
    window_share: Script,
    failing: AtomicBool,
    outage: Mutex<Option<Outage>>,
    errors: AtomicU64,
}

/// Redis fails since a while.
#[derive(Clone, Copy)]
struct Outage {
    next_try: Instant,
    /// When it began, or the connection was last replaced.
    renewed: Instant,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote")
            .field("prefix", &self.prefix)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// Redis did not answer in time, refused, or is not asked at present.
#[derive(Debug)]
pub(crate) struct Unavailable;

impl Remote {
    pub(crate) fn new(options: &LimiterOptions) -> Result<Self, LimiterError> {
        let bad_address = |_| LimiterError::Settings("the Redis address is not understood");
        let client = Client::open(options.url.as_str()).map_err(bad_address)?;
        // One attempt per call and no back-off: the call after Redis is back finds it.
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(options.timeout))
            .set_response_timeout(Some(options.timeout));
        let connection = ConnectionManager::new_lazy_with_config(client.clone(), config.clone())
            .map_err(bad_address)?;
        Ok(Self {
            client,
            config,
            connection: Mutex::new(connection),
            prefix: options.prefix.clone(),
            timeout: options.timeout,
            bucket_decide: Script::new(include_str!("scripts/bucket_decide.lua")),
            bucket_share: Script::new(include_str!("scripts/bucket_share.lua")),
            window_decide: Script::new(include_str!("scripts/window_decide.lua")),
            window_share: Script::new(include_str!("scripts/window_share.lua")),
            failing: AtomicBool::new(false),
            outage: Mutex::default(),
            errors: AtomicU64::new(0),
        })
    }

    pub(crate) fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    /// Whether a call now would fail without Redis being asked.
    pub(crate) fn is_pausing(&self) -> bool {
        let next_try = locked(&self.outage).map(|outage| outage.next_try);
        next_try.is_some_and(|next_try| Instant::now() < next_try)
    }

    pub(crate) fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    /// Decides on Redis, at its own time or at the one that is given.
    pub(crate) async fn decide(
        &self,
        policy: &str,
        rule: &Rule,
        key: &str,
        cost: u32,
        at: Option<u64>,
    ) -> Result<Verdict, Unavailable> {
        let script = match rule {
            Rule::Bucket(_) => &self.bucket_decide,
            Rule::Window(_) => &self.window_decide,
        };
        let mut call = script.prepare_invoke();
        call.key(self.key(policy, rule, key));
        add_time(&mut call, at);
        match rule {
            Rule::Bucket(bucket) => call.arg(bucket.interval).arg(bucket.capacity),
            Rule::Window(window) => call.arg(window.slot).arg(SLOTS).arg(window.quota),
        };
        call.arg(cost);
        let (allowed, remaining, reset, retry_after): (u8, u64, u64, u64) =
            self.bounded(&call).await?;
        Ok(Verdict {
            allowed: allowed == 1,
            remaining,
            reset,
            retry_after,
        })
    }

    /// Tells Redis what was spent of at most [`BATCH`] keys, at its own time or at the one that is
    /// given; answers in the same order.
    pub(crate) async fn share(
        &self,
        policy: &str,
        rule: &Rule,
        changes: &[Change],
        at: Option<u64>,
    ) -> Result<Vec<Answer>, Unavailable> {
        let script = match rule {
            Rule::Bucket(_) => &self.bucket_share,
            Rule::Window(_) => &self.window_share,
        };
        let mut call = script.prepare_invoke();
        add_time(&mut call, at);
        if let Rule::Window(window) = rule {
            call.arg(window.slot).arg(SLOTS);
        }
        for change in changes {
            call.key(self.key(policy, rule, &change.key));
            match (&change.news, rule) {
                (News::Spent(cost), Rule::Bucket(bucket)) => {
                    call.arg("+").arg(cost.saturating_mul(bucket.interval));
                }
                (News::Spent(cost), Rule::Window(_)) => {
                    call.arg("+").arg(*cost);
                }
                (News::Whole(Shared::Missing(missing)), _) => {
                    call.arg("=").arg(*missing);
                }
                (News::Whole(Shared::ByAge(by_age)), _) => {
                    call.arg("=").arg(written(by_age));
                }
            }
        }
        let answers = match rule {
            Rule::Bucket(_) => {
                let answers: Vec<(u8, u64)> = self.bounded(&call).await?;
                let answer = |(existed, missing)| Answer {
                    existed: existed == 1,
                    shared: Shared::Missing(missing),
                };
                answers.into_iter().map(answer).collect()
            }
            Rule::Window(_) => {
                let answers: Vec<(u8, String)> = self.bounded(&call).await?;
                let answer = |(existed, by_age): (u8, String)| Answer {
                    existed: existed == 1,
                    shared: Shared::ByAge(read(&by_age)),
                };
                answers.into_iter().map(answer).collect()
            }
        };
        Ok(answers)
    }

    /// Makes the call within the time-out, once more when the connection turns out to be dead: the
    /// first call after Redis was restarted finds that out, and need not fail for it. What was sent
    /// twice so may count twice, which errs on the strict side.
    async fn bounded<T: FromRedisValue>(
        &self,
        call: &ScriptInvocation<'_>,
    ) -> Result<T, Unavailable> {
        if !self.may_try() {
            return Err(Unavailable);
        }
        let attempts = async {
            match self.send(call).await {
                Err(error) if error.is_io_error() && !error.is_timeout() => self.send(call).await,
                other => other,
            }
        };
        match timeout(self.timeout, attempts).await {
            Ok(Ok(value)) => {
                if self.failing.swap(false, Ordering::Relaxed) {
                    *locked(&self.outage) = None;
                    tracing::info!("the store of the rate limits answers again");
                }
                Ok(value)
            }
            failed => {
                let kind = match failed {
                    Ok(Err(error)) => format!("{:?}", error.kind()),
                    _ => "no answer in time".to_owned(),
                };
                self.errors.fetch_add(1, Ordering::Relaxed);
                self.note_failure(Instant::now());
                if !self.failing.swap(true, Ordering::Relaxed) {
                    tracing::warn!(kind, "the store of the rate limits is unavailable");
                }
                Err(Unavailable)
            }
        }
    }

    async fn send<T: FromRedisValue>(&self, call: &ScriptInvocation<'_>) -> RedisResult<T> {
        let mut connection = locked(&self.connection).clone();
        call.invoke_async(&mut connection).await
    }

    /// Whether this call asks Redis. While it fails, one call per pause does.
    fn may_try(&self) -> bool {
        if !self.is_failing() {
            return true;
        }
        let now = Instant::now();
        match &mut *locked(&self.outage) {
            Some(outage) if now < outage.next_try => false,
            Some(outage) => {
                outage.next_try = now + PAUSE;
                true
            }
            None => true,
        }
    }

    fn note_failure(&self, now: Instant) {
        let mut outage = locked(&self.outage);
        let renewed = outage.map_or(now, |outage| outage.renewed);
        let renew = now.duration_since(renewed) >= RENEWAL;
        *outage = Some(Outage {
            next_try: now + PAUSE,
            renewed: if renew { now } else { renewed },
        });
        drop(outage);
        if renew
            && let Ok(connection) =
                ConnectionManager::new_lazy_with_config(self.client.clone(), self.config.clone())
        {
            *locked(&self.connection) = connection;
        }
    }

    /// A window's slots mean something only with their length, so that is part of its key.
    pub(crate) fn key(&self, policy: &str, rule: &Rule, key: &str) -> String {
        let prefix = &self.prefix;
        match rule {
            Rule::Bucket(_) => format!("{prefix}:b:{policy}:{key}"),
            Rule::Window(window) => format!("{prefix}:w{}:{policy}:{key}", window.slot),
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn add_time(call: &mut ScriptInvocation<'_>, at: Option<u64>) {
    match at {
        Some(at) => call.arg(at),
        None => call.arg(""),
    };
}

fn written(by_age: &[(u64, u64)]) -> String {
    let pairs = by_age.iter().map(|(age, count)| format!("{age} {count}"));
    pairs.collect::<Vec<_>>().join(" ")
}

fn read(by_age: &str) -> Vec<(u64, u64)> {
    let mut numbers = by_age.split(' ').map_while(|number| number.parse().ok());
    std::iter::from_fn(|| Some((numbers.next()?, numbers.next()?))).collect()
}
