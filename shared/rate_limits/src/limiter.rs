//! The limiter as its callers see it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use http::HeaderMap;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::decision::{DecideError, Decision};
use crate::entry::{Sharing, Terms};
use crate::headers::HeaderFields;
use crate::keys::Keys;
use crate::options::{LimiterError, LimiterOptions};
use crate::policy::{Mode, OnOutage, Policy, PolicyError, micros};
use crate::remote::{BATCH, Remote};
use crate::rule::Verdict;

/// The time at which a limiter begins, in microseconds: later than any window is long.
const START: u64 = 1 << 46;
/// When a caller may try again that was rejected because Redis does not answer.
const CLOSED: Duration = Duration::from_secs(1);

/// A policy of one limiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PolicyId(usize);

/// What a limiter has done since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Requests that passed.
    pub allowed: u64,
    /// Requests that did not pass.
    pub rejected: u64,
    /// Requests decided by a bucket that keys without a place share.
    pub overflowed: u64,
    /// Calls to Redis that failed or were too late.
    pub store_errors: u64,
    /// Keys held now.
    pub keys: u64,
}

#[derive(Debug)]
struct Limit {
    policy: Policy,
    keys: Keys,
    headers: HeaderFields,
}

#[derive(Debug)]
struct Core {
    limits: Vec<Limit>,
    remote: Option<Remote>,
    start: Instant,
    /// One exchange with Redis at a time, so that answers are taken in their order.
    exchange: tokio::sync::Mutex<()>,
    /// Decided elsewhere than by the keys of this process.
    allowed: AtomicU64,
    rejected: AtomicU64,
}

/// Decides which requests pass. Clones share everything.
#[derive(Clone, Debug)]
pub struct Limiter {
    core: Arc<Core>,
    _task: Option<Arc<Task>>,
}

/// The exchange in the background; ends with the last clone of the limiter.
#[derive(Debug)]
struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Limiter {
    /// Opens the limiter. Redis is connected to when it is first used and again whenever it was lost,
    /// so a service starts without it. With Redis it must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`LimiterError`] for an address or option that is not understood, a policy that cannot be kept,
    /// and Redis outside of a runtime.
    pub fn open(options: &LimiterOptions, policies: Vec<Policy>) -> Result<Self, LimiterError> {
        let remote = match options.url.split(':').next() {
            Some("memory") => None,
            Some("redis" | "rediss") => {
                let runtime = Handle::try_current()
                    .map_err(|_| LimiterError::Settings("Redis needs a tokio runtime"))?;
                Some((Remote::new(options)?, runtime))
            }
            _ => {
                return Err(LimiterError::Settings(
                    "the address starts with none of memory:, redis:, rediss:",
                ));
            }
        };
        if options.sync_interval.is_zero() || options.burst_parts == 0 || options.capacity == 0 {
            return Err(LimiterError::Settings(
                "sync_interval, burst_parts and capacity must be above 0",
            ));
        }
        let mut limits: Vec<Limit> = Vec::with_capacity(policies.len());
        for policy in policies {
            if limits.iter().any(|other| other.policy.name == policy.name) {
                return Err(PolicyError::Twice(policy.name).into());
            }
            let shared = remote.is_some() && policy.mode == Mode::LocalFirst;
            let terms = Terms {
                rule: policy.rule()?,
                capacity: options.capacity,
                sharing: shared.then(|| Sharing {
                    parts: u64::from(options.burst_parts),
                    wait: micros(options.sync_interval),
                }),
            };
            limits.push(Limit {
                headers: HeaderFields::new(&policy)
                    .map_err(|_| LimiterError::Settings("a policy's name fits no header"))?,
                keys: Keys::new(terms),
                policy,
            });
        }
        let (remote, runtime) = remote.unzip();
        let core = Arc::new(Core {
            limits,
            remote,
            start: Instant::now(),
            exchange: tokio::sync::Mutex::new(()),
            allowed: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
        });
        let _task = runtime.map(|runtime| {
            let exchanging = exchange_every(options.sync_interval, Arc::downgrade(&core));
            Arc::new(Task(runtime.spawn(exchanging).abort_handle()))
        });
        Ok(Self { core, _task })
    }

    /// The policy of this name.
    pub fn policy_id(&self, name: &str) -> Option<PolicyId> {
        let mut limits = self.core.limits.iter();
        limits
            .position(|limit| limit.policy.name == name)
            .map(PolicyId)
    }

    /// What a policy says.
    pub fn policy(&self, id: PolicyId) -> Option<&Policy> {
        self.core.limits.get(id.0).map(|limit| &limit.policy)
    }

    /// Decides as the policy's mode says: at once, or by asking Redis for no longer than the time-out.
    /// A cost of 0 spends nothing and tells the state.
    ///
    /// # Errors
    /// [`DecideError`] if the request can never pass.
    pub async fn decide(
        &self,
        id: PolicyId,
        key: &str,
        cost: u32,
    ) -> Result<Decision, DecideError> {
        let core = &self.core;
        let limit = core.limit(id, cost)?;
        let (Mode::Strict, Some(remote)) = (limit.policy.mode, &core.remote) else {
            return self.decide_local(id, key, cost, Instant::now());
        };
        let rule = &limit.keys.terms().rule;
        let Policy {
            name, on_outage, ..
        } = &limit.policy;
        let decided = remote.decide(name, rule, key, cost, None).await;
        let Ok(verdict) = decided else {
            return Ok(core.without_redis(limit, key, cost, Instant::now()));
        };
        core.count(verdict.allowed);
        if verdict.allowed && *on_outage == OnOutage::Local && cost > 0 {
            limit.keys.charge(key, cost, core.at(Instant::now()));
        }
        Ok(limit.decision(verdict))
    }

    /// Decides in this process alone and at once, whatever the policy's mode. `now` is the present; one
    /// that is a little late, because another thread was faster, only errs on the strict side.
    ///
    /// # Errors
    /// [`DecideError`] if the request can never pass.
    pub fn decide_local(
        &self,
        id: PolicyId,
        key: &str,
        cost: u32,
        now: Instant,
    ) -> Result<Decision, DecideError> {
        let core = &self.core;
        let limit = core.limit(id, cost)?;
        if limit.policy.on_outage != OnOutage::Local
            && core.remote.as_ref().is_some_and(Remote::is_failing)
        {
            return Ok(core.without_redis(limit, key, cost, now));
        }
        let verdict = limit.keys.decide(key, cost, core.at(now));
        Ok(limit.decision(verdict))
    }

    /// Adds the header fields of a decision: `RateLimit-Policy: "name";q=Q;w=W`, for a token bucket with
    /// the parameter `burst`, which is our own; `RateLimit: "name";r=R;t=T`; and `Retry-After` if the
    /// request does not pass (draft-ietf-httpapi-ratelimit-headers; RFC 9110, section 10.2.3). Times are
    /// whole seconds, rounded up, and `Retry-After` is at least 1. Fields of another policy that are
    /// there already stay: both are lists.
    pub fn write_headers(&self, id: PolicyId, decision: &Decision, into: &mut HeaderMap) {
        if let Some(limit) = self.core.limits.get(id.0) {
            limit.headers.write(decision, into);
        }
    }

    /// Exchanges with Redis now what was spent since the last time. This happens by itself every
    /// [`LimiterOptions::sync_interval`]; call it before a shutdown, so that nothing is lost.
    pub async fn reconcile(&self) {
        self.core.reconcile().await;
    }

    /// What was done so far. Looks at every part of every policy: meant for a scrape, not a request.
    pub fn stats(&self) -> Stats {
        let core = &self.core;
        let mut stats = Stats {
            allowed: core.allowed.load(Ordering::Relaxed),
            rejected: core.rejected.load(Ordering::Relaxed),
            store_errors: core.remote.as_ref().map_or(0, Remote::errors),
            ..Stats::default()
        };
        for limit in &core.limits {
            let counts = limit.keys.counts();
            stats.allowed += counts.allowed;
            stats.rejected += counts.rejected;
            stats.overflowed += counts.overflowed;
            stats.keys += counts.keys;
        }
        stats
    }
}

impl Limit {
    fn decision(&self, verdict: Verdict) -> Decision {
        Decision {
            allowed: verdict.allowed,
            quota: self.policy.quota,
            remaining: u32::try_from(verdict.remaining).unwrap_or(u32::MAX),
            reset: Duration::from_micros(verdict.reset),
            retry_after: Duration::from_micros(verdict.retry_after),
        }
    }
}

impl Core {
    /// The limit, if it can hold the cost at all.
    fn limit(&self, id: PolicyId, cost: u32) -> Result<&Limit, DecideError> {
        let limit = self.limits.get(id.0).ok_or(DecideError::UnknownPolicy)?;
        let most = limit.policy.most();
        if cost > most {
            return Err(DecideError::CostAboveLimit { cost, most });
        }
        Ok(limit)
    }

    /// Microseconds since the limiter began.
    fn at(&self, now: Instant) -> u64 {
        START.saturating_add(micros(now.saturating_duration_since(self.start)))
    }

    fn without_redis(&self, limit: &Limit, key: &str, cost: u32, now: Instant) -> Decision {
        let allowed = match limit.policy.on_outage {
            OnOutage::Local => {
                return limit.decision(limit.keys.decide(key, cost, self.at(now)));
            }
            OnOutage::Open => true,
            OnOutage::Closed => false,
        };
        self.count(allowed);
        Decision {
            allowed,
            quota: limit.policy.quota,
            remaining: if allowed { limit.policy.most() } else { 0 },
            reset: if allowed { Duration::ZERO } else { CLOSED },
            retry_after: if allowed { Duration::ZERO } else { CLOSED },
        }
    }

    fn count(&self, allowed: bool) {
        let counter = if allowed {
            &self.allowed
        } else {
            &self.rejected
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    async fn reconcile(&self) {
        let Some(remote) = &self.remote else {
            return;
        };
        let _one_at_a_time = self.exchange.lock().await;
        if remote.is_pausing() {
            return;
        }
        for limit in &self.limits {
            let rule = &limit.keys.terms().rule;
            let changes = limit.keys.changes(self.at(Instant::now()));
            for batch in changes.chunks(BATCH) {
                let answers = remote.share(&limit.policy.name, rule, batch, None).await;
                let answers = answers.unwrap_or_default();
                let now = self.at(Instant::now());
                for (at, change) in batch.iter().enumerate() {
                    limit.keys.answered(change, answers.get(at), now);
                }
            }
        }
    }
}

async fn exchange_every(pause: Duration, core: Weak<Core>) {
    let mut ticks = interval(pause);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(core) = core.upgrade() else {
            return;
        };
        core.reconcile().await;
    }
}
