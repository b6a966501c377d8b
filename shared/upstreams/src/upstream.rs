//! One service behind the gateway: every policy around a request to it, in the order in which they are
//! asked: breaker, concurrency, instance; and after it: the instance's health, the breaker, a retry.

use std::sync::Arc;
use std::time::Duration;

use supplier_client::{Breaker, BreakerObserver, BreakerState, Ticket};
use tokio::time::Instant;

use crate::balancer::{Balancer, EndpointStatus, Picked};
use crate::budget::Budget;
use crate::class::Class;
use crate::endpoint::EndpointId;
use crate::limiter::{LimitStatus, Limiter, Permit, Shed};
use crate::outcome::{Ending, Outcome, Repeat};
use crate::policy::{PolicyError, UpstreamPolicy};

/// Attempts of one request, the first included.
const ATTEMPTS: u32 = 2;

/// One service behind the gateway.
pub struct Upstream {
    name: String,
    balancer: Arc<Balancer>,
    breaker: Arc<Breaker>,
    limiter: Arc<Limiter>,
    budget: Budget,
    /// A time-out counts only if the attempt was given this long.
    fair_timeout: Duration,
}

impl Upstream {
    /// A service of which no instance is known yet. `observer` is told of each change of its breaker.
    ///
    /// # Errors
    /// [`PolicyError`] for numbers that make no sense.
    pub fn new(
        name: &str,
        policy: &UpstreamPolicy,
        observer: BreakerObserver,
    ) -> Result<Arc<Self>, PolicyError> {
        policy.check_numbers()?;
        Ok(Arc::new(Self {
            name: name.to_owned(),
            balancer: Balancer::new(policy.balance.clone(), policy.ejection.clone()),
            breaker: Breaker::new(policy.breaker.clone(), observer),
            limiter: Limiter::new(name, policy.limit.clone(), Instant::now()),
            budget: Budget::new(&policy.retry),
            fair_timeout: Duration::from_millis(policy.breaker.fair_timeout_ms),
        }))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its instances.
    pub fn balancer(&self) -> &Arc<Balancer> {
        &self.balancer
    }

    /// Lets a request in and picks the instance that it goes to. Waits for a place as
    /// [`Limiter::enter`] does.
    ///
    /// # Errors
    /// [`Refusal`]: it is not to be sent.
    pub async fn enter(
        self: &Arc<Self>,
        class: Class,
        deadline: Instant,
    ) -> Result<Exchange, Refusal> {
        let broken = |retry_after| Refusal::BreakerOpen { retry_after };
        // Who will be refused anyway takes nobody's place.
        if let Some(retry_after) = self.breaker.refusal(Instant::now()) {
            return Err(broken(retry_after));
        }
        let permit = self.limiter.enter(class, deadline).await;
        let permit = permit.map_err(Refusal::Shed)?;
        let now = Instant::now();
        let ticket = self.breaker.admit(now).map_err(broken)?;
        let picked = self.balancer.pick(now, None).ok_or(Refusal::NoInstance)?;
        self.budget.earn();
        Ok(Exchange {
            upstream: self.clone(),
            permit,
            ticket,
            picked,
            attempts: 1,
        })
    }

    /// What it looks like from the gateway.
    pub fn status(&self) -> UpstreamStatus {
        let now = Instant::now();
        UpstreamStatus {
            name: self.name.clone(),
            endpoints: self.balancer.status(now),
            panics: self.balancer.panics(),
            limit: self.limiter.status(),
            breaker: self.breaker.state(now),
            retry_in: self.breaker.refusal(now),
            retries_left: self.budget.left(now),
        }
    }

    /// What an attempt says about its instance and about the service.
    fn settle(&self, ticket: Ticket, picked: &Picked, outcome: Outcome, now: Instant) {
        if outcome.ending == Ending::TimedOut && outcome.latency < self.fair_timeout {
            return;
        }
        // A dead instance fails everybody who was there. Left out, it no longer is the service.
        let left_out = self.balancer.report(picked, outcome.ending, now);
        if !outcome.ending.is_failure() {
            ticket.succeeded(now);
        } else if !left_out {
            ticket.failed(now);
        }
    }
}

/// A request on its way to an instance, counted there until this is dropped. Dropped without
/// [`Exchange::finish`] (the client went away) it says nothing about anybody's health.
pub struct Exchange {
    upstream: Arc<Upstream>,
    permit: Permit,
    ticket: Ticket,
    picked: Picked,
    attempts: u32,
}

impl Exchange {
    /// The instance to which the request goes.
    pub fn endpoint(&self) -> &EndpointId {
        self.picked.id()
    }

    /// The request is over.
    pub fn finish(self, outcome: Outcome) {
        drop(self.answered(outcome));
    }

    /// The service has done its work: the head of its answer is here, and what it took is the outcome's
    /// latency. How long the body takes is the client's doing, so its place in the service is free. What
    /// is given back keeps the request counted at its instance until the body has passed; if it breaks
    /// off, [`Balancer::report`] wants to know.
    pub fn answered(self, outcome: Outcome) -> Picked {
        let now = Instant::now();
        if outcome.ending.is_measure() {
            self.permit.served(outcome.latency, now);
        }
        self.upstream
            .settle(self.ticket, &self.picked, outcome, now);
        self.picked
    }

    /// The attempt is over. Gives back where the request goes next, if it may be sent again: at most
    /// once, if `repeat` allows it, if the retry budget pays for it; to another instance. Only after a
    /// broken connection, which may just have been idle for too long, the same will do if there is no
    /// other.
    pub fn again(self, outcome: Outcome, repeat: Repeat) -> Option<Self> {
        let now = Instant::now();
        let upstream = self.upstream;
        let last = self.picked.id().clone();
        upstream.settle(self.ticket, &self.picked, outcome, now);
        drop(self.picked);
        if self.attempts >= ATTEMPTS || !repeat.allows(outcome.ending) {
            return None;
        }
        let same = || {
            let may = outcome.ending == Ending::Reset;
            may.then(|| upstream.balancer.pick(now, None))?
        };
        let picked = upstream.balancer.pick(now, Some(&last)).or_else(same)?;
        let ticket = upstream.breaker.admit(now).ok()?;
        let paid = upstream.budget.spend(now);
        paid.then_some(Self {
            attempts: self.attempts + 1,
            upstream,
            permit: self.permit,
            ticket,
            picked,
        })
    }
}

/// Why a request is not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There are too many requests for it.
    Shed(Shed),
    /// No instance is known.
    NoInstance,
    /// The service has failed too often just now.
    BreakerOpen {
        /// How long it is left alone.
        retry_after: Duration,
    },
}

/// A service as the gateway sees it, for metrics and a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamStatus {
    /// Its name.
    pub name: String,
    /// Its instances.
    pub endpoints: Vec<EndpointStatus>,
    /// Whether so few instances are well that health is not looked at.
    pub panics: bool,
    /// How many requests are let in, and which were not.
    pub limit: LimitStatus,
    /// The state of its breaker.
    pub breaker: BreakerState,
    /// How long the breaker keeps requests away, if it does.
    pub retry_in: Option<Duration>,
    /// Retries that would be paid for now.
    pub retries_left: u64,
}
