//! Who is let in when a service has as much as it can do: each class up to a share of the limit, the
//! more important ones to more of it. What cannot be let in is refused at once; only what matters most
//! waits, shortly, and only if its turn will come in time.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::class::{Class, PerClass};
use crate::gradient::Gradient;
use crate::policy::LimitPolicy;

/// The limiter of one service.
#[derive(Debug)]
pub struct Limiter {
    name: Arc<str>,
    policy: LimitPolicy,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    gradient: Gradient,
    under_way: PerClass<u32>,
    total: u32,
    /// Those who wait, of the classes that may.
    money: VecDeque<oneshot::Sender<Permit>>,
    interactive: VecDeque<oneshot::Sender<Permit>>,
    shed: PerClass<u64>,
    /// What a request takes now, in microseconds: a moving average over about sixteen.
    latency: u64,
}

/// A request is refused because there are too many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shed {
    /// The name of the limiter, for a header.
    pub limiter: Arc<str>,
    /// The class that found no place.
    pub class: Class,
    /// When to come again; the less important, the later.
    pub retry_after: Duration,
}

impl Limiter {
    /// One that begins with the policy's initial limit.
    pub fn new(name: &str, policy: LimitPolicy, now: Instant) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            state: Mutex::new(State {
                gradient: Gradient::new(policy.clone(), now),
                under_way: PerClass::default(),
                total: 0,
                money: VecDeque::new(),
                interactive: VecDeque::new(),
                shed: PerClass::default(),
                latency: 0,
            }),
            policy,
        })
    }

    /// A place for a request of the class; `deadline` is when its caller gives up.
    ///
    /// # Errors
    /// [`Shed`] at once for the lower classes; for [`Class::Interactive`] and [`Class::Money`] if none
    /// comes free in the short time that they wait.
    pub async fn enter(self: &Arc<Self>, class: Class, deadline: Instant) -> Result<Permit, Shed> {
        let now = Instant::now();
        let (turn, until) = {
            let mut state = self.lock();
            if let Some(permit) = self.admit(&mut state, class, now) {
                return Ok(permit);
            }
            state.gradient.refused(now);
            match self.queue(&mut state, class, deadline, now) {
                Some(place) => place,
                None => return Err(self.shed(&mut state, class)),
            }
        };
        match timeout_at(until, turn).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(self.shed(&mut self.lock(), class)),
        }
    }

    /// What it allows, and what is under way.
    pub fn status(&self) -> LimitStatus {
        let state = self.lock();
        let waiting = |queue: &VecDeque<oneshot::Sender<Permit>>| {
            queue.iter().filter(|turn| !turn.is_closed()).count()
        };
        LimitStatus {
            limit: state.gradient.limit(),
            allowed: PerClass::new(|class| state.gradient.allowed(class)),
            under_way: state.under_way,
            waiting: waiting(&state.money) + waiting(&state.interactive),
            shed: state.shed,
            baseline: PerClass::new(|class| state.gradient.baseline(class)),
        }
    }

    fn admit(self: &Arc<Self>, state: &mut State, class: Class, now: Instant) -> Option<Permit> {
        if state.total >= state.gradient.allowed(class) {
            return None;
        }
        state.total += 1;
        *state.under_way.get_mut(class) += 1;
        let window = state.gradient.entered(state.total, now);
        Some(Permit {
            limiter: self.clone(),
            class,
            window,
            sample: None,
        })
    }

    /// A place to wait at, and until when: for a class that may wait, if the queue is short enough for
    /// its turn to come before that.
    fn queue(
        &self,
        state: &mut State,
        class: Class,
        deadline: Instant,
        now: Instant,
    ) -> Option<(oneshot::Receiver<Permit>, Instant)> {
        let (queue, wait) = match class {
            Class::Money => (&mut state.money, self.policy.money_wait_ms),
            Class::Interactive => (&mut state.interactive, self.policy.interactive_wait_ms),
            Class::Search | Class::Background => return None,
        };
        queue.retain(|turn| !turn.is_closed());
        if queue.len() >= self.policy.queue {
            return None;
        }
        let ahead = u64::try_from(queue.len())
            .unwrap_or(u64::MAX)
            .saturating_add(1);
        // Places come free at the pace at which requests are served.
        let pace = state.latency / u64::from(state.total.max(1));
        let turn_comes = now + Duration::from_micros(pace.saturating_mul(ahead));
        let until = deadline.min(now + Duration::from_millis(wait));
        if turn_comes >= until {
            return None;
        }
        let (hand, turn) = oneshot::channel();
        queue.push_back(hand);
        Some((turn, until))
    }

    fn shed(&self, state: &mut State, class: Class) -> Shed {
        *state.shed.get_mut(class) += 1;
        Shed {
            limiter: self.name.clone(),
            class,
            retry_after: Duration::from_secs(match class {
                Class::Background => 5,
                Class::Search => 2,
                Class::Interactive | Class::Money => 1,
            }),
        }
    }

    fn release(self: &Arc<Self>, permit: &Permit) {
        {
            let mut state = self.lock();
            state.total -= 1;
            *state.under_way.get_mut(permit.class) -= 1;
            if let Some((latency, _)) = permit.sample {
                let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
                state.latency = (state.latency.saturating_mul(15).saturating_add(micros)) / 16;
            }
            if let Some(window) = permit.window {
                state.gradient.ended(permit.class, window, permit.sample);
            }
        }
        // A permit is handed over outside the lock: nobody may be there to take it, and dropping it
        // comes back here.
        while let Some((turn, permit)) = self.next_turn() {
            drop(turn.send(permit));
        }
    }

    fn next_turn(self: &Arc<Self>) -> Option<(oneshot::Sender<Permit>, Permit)> {
        let mut state = self.lock();
        if state.money.is_empty() && state.interactive.is_empty() {
            return None;
        }
        let now = Instant::now();
        for class in [Class::Money, Class::Interactive] {
            loop {
                let queue = match class {
                    Class::Money => &mut state.money,
                    _ => &mut state.interactive,
                };
                let Some(turn) = queue.pop_front() else { break };
                if turn.is_closed() {
                    continue;
                }
                match self.admit(&mut state, class, now) {
                    Some(permit) => return Some((turn, permit)),
                    None => {
                        match class {
                            Class::Money => state.money.push_front(turn),
                            _ => state.interactive.push_front(turn),
                        }
                        break;
                    }
                }
            }
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in a service, given back when dropped.
#[derive(Debug)]
pub struct Permit {
    limiter: Arc<Limiter>,
    class: Class,
    window: Option<u32>,
    sample: Option<(Duration, Instant)>,
}

impl Permit {
    /// Gives the place back with how long the request took. A permit that is only dropped says nothing
    /// about the service's pace: so for what failed at once.
    pub fn served(mut self, latency: Duration, now: Instant) {
        self.sample = Some((latency, now));
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let limiter = self.limiter.clone();
        limiter.release(self);
    }
}

/// What a limiter allows, and what is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitStatus {
    /// Requests at once.
    pub limit: u32,
    /// With how many under way each class is still let in.
    pub allowed: PerClass<u32>,
    /// Requests under way.
    pub under_way: PerClass<u32>,
    /// Requests that wait for a place.
    pub waiting: usize,
    /// Requests refused since the start.
    pub shed: PerClass<u64>,
    /// What a request takes while nothing queues, as far as known.
    pub baseline: PerClass<Option<Duration>>,
}
