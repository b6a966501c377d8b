//! The connection to Redis: one, multiplexed, which reconnects by itself. No call waits longer than the
//! time-out, whatever Redis does.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Cmd, FromRedisValue, Pipeline, RedisError, RedisResult, ScriptInvocation};
use tokio::time::{Instant, timeout};

use crate::metrics::Counter;

/// After a failure, answers are neither read nor written for this long: with a Redis that hangs, only a
/// few requests a second wait for the time-out instead of all.
const PAUSE: Duration = Duration::from_millis(250);

/// What is sent.
#[derive(Clone, Copy)]
pub(crate) enum Call<'a> {
    Command(&'a Cmd),
    Pipeline(&'a Pipeline),
    Script(&'a ScriptInvocation<'a>),
}

impl Call<'_> {
    async fn send<T: FromRedisValue>(self, connection: &ConnectionManager) -> RedisResult<T> {
        let mut connection = connection.clone();
        match self {
            Self::Command(command) => command.query_async(&mut connection).await,
            Self::Pipeline(pipeline) => pipeline.query_async(&mut connection).await,
            Self::Script(script) => script.invoke_async(&mut connection).await,
        }
    }
}

/// Redis did not answer in time, or refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unavailable;

pub(crate) struct Link {
    connection: ConnectionManager,
    timeout: Duration,
    failing: AtomicBool,
    refusing: AtomicBool,
    paused_until: Mutex<Option<Instant>>,
    pub(crate) errors: Counter,
}

impl Link {
    /// Nothing is connected before the first call.
    pub(crate) fn new(url: &str, timeout: Duration) -> RedisResult<Self> {
        // One attempt per call and no back-off: the call after Redis is back finds it.
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(timeout))
            .set_response_timeout(Some(timeout));
        Ok(Self {
            connection: ConnectionManager::new_lazy_with_config(Client::open(url)?, config)?,
            timeout,
            failing: AtomicBool::new(false),
            refusing: AtomicBool::new(false),
            paused_until: Mutex::default(),
            errors: Counter::default(),
        })
    }

    /// Makes the call within the time-out, once more when the connection turns out to be dead: the
    /// first call after Redis was restarted finds that out, and need not fail for it.
    pub(crate) async fn call<T: FromRedisValue>(&self, call: Call<'_>) -> Result<T, Unavailable> {
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
                    tracing::info!("the response cache's Redis answers again");
                }
                if matches!(call, Call::Pipeline(_)) {
                    self.refusing.store(false, Ordering::Relaxed);
                }
                Ok(value)
            }
            failed => {
                self.errors.increment();
                self.note_failure(failed.ok().and_then(Result::err).as_ref());
                Err(Unavailable)
            }
        }
    }

    /// `None` is no answer in time.
    fn note_failure(&self, error: Option<&RedisError>) {
        let kind = error.map_or_else(
            || "no answer in time".to_owned(),
            |error| format!("{:?}", error.kind()),
        );
        // A Redis that is full refuses to write, but can be read as before.
        if error.is_some_and(|error| error.code().is_some()) {
            if !self.refusing.swap(true, Ordering::Relaxed) {
                tracing::warn!(kind, "the response cache's Redis refuses to write");
            }
            return;
        }
        self.pause_until(Some(Instant::now() + PAUSE));
        if !self.failing.swap(true, Ordering::Relaxed) {
            tracing::warn!(kind, "the response cache's Redis is unavailable");
        }
    }

    /// Whether a call failed just now.
    pub(crate) fn is_paused(&self) -> bool {
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
}
