//! Single flight: of several requests that miss the same key at once, one goes to the origin.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::body::BoxError;
use crate::buffer::Buffer;
use crate::key::Key;
use crate::purge::Purge;
use crate::status_field::Handling;
use crate::store::ByKey;
use crate::stored::Stored;

/// Why the origin gave no answer; shared by all who waited for it.
#[derive(Clone, Debug)]
pub struct FetchError(Arc<BoxError>);

impl FetchError {
    pub(crate) fn new(error: BoxError) -> Self {
        Self(Arc::new(error))
    }

    /// The error of the caller's fetch.
    pub fn get_ref(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        &**self.0
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the origin gave no answer")
    }
}

impl std::error::Error for FetchError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&**self.0)
    }
}

/// How a flight ended, as far as others may share it.
#[derive(Clone, Debug)]
pub(crate) enum Landing {
    /// With an answer that is there as a whole.
    Whole(Arc<Stored>, Handling),
    /// With an answer whose body is still arriving.
    Arriving(Arc<Stored>, Arc<Buffer>, Handling),
    /// With an answer that is for one request alone.
    Unshared,
    Failed(FetchError),
}

type Publisher = watch::Sender<Option<Landing>>;

/// Where a flight's end is awaited.
pub(crate) struct Arrivals(watch::Receiver<Option<Landing>>);

impl Arrivals {
    /// The end; a flight that vanished is one that nobody shares.
    pub(crate) async fn landing(mut self) -> Landing {
        match self.0.wait_for(Option::is_some).await {
            Ok(landing) => landing.clone().unwrap_or(Landing::Unshared),
            Err(_) => Landing::Unshared,
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Flights(Mutex<State>);

/// How long after an answer for one request alone nobody waits for another's.
const APART: Duration = Duration::from_secs(10);

/// The fewest keys among which those that are over are searched for.
const FEWEST_SWEPT: usize = 1_024;

#[derive(Debug, Default)]
struct State {
    under_way: ByKey<(u64, watch::Receiver<Option<Landing>>)>,
    count: u64,
    /// Keys whose requests go by themselves, and until when: to wait for what cannot be shared would
    /// only cost time.
    apart: ByKey<Instant>,
    sweep_at: usize,
}

/// A flight under way, in the hands of who makes it. When it is dropped nobody joins it any more.
pub(crate) struct Flight {
    publisher: Publisher,
    registered: Option<(Arc<Flights>, Key, u64)>,
}

pub(crate) enum Joined {
    First(Flight, Arrivals),
    Later(Arrivals),
    /// Go alone.
    Apart,
}

impl Flights {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins the flight for the key, or begins one.
    pub(crate) fn join(self: &Arc<Self>, key: &Key) -> Joined {
        let mut state = self.state();
        if let Some((_, receiver)) = state.under_way.get(key) {
            return Joined::Later(Arrivals(receiver.clone()));
        }
        if state
            .apart
            .get(key)
            .is_some_and(|until| Instant::now() < *until)
        {
            return Joined::Apart;
        }
        let (publisher, receiver) = watch::channel(None);
        state.count += 1;
        let number = state.count;
        state
            .under_way
            .insert(key.clone(), (number, receiver.clone()));
        drop(state);
        let flight = Flight {
            publisher,
            registered: Some((Arc::clone(self), key.clone(), number)),
        };
        Joined::First(flight, Arrivals(receiver))
    }

    /// Lets nobody join the flights that a purge concerns any more: what they bring was asked for before
    /// it. Their tags are not known yet, so one by tag concerns all.
    pub(crate) fn part(&self, purge: &Purge) {
        self.state()
            .under_way
            .retain(|key, _| !purge.may_cover(key));
    }

    /// Lets requests for the key wait for each other again.
    pub(crate) fn join_again(&self, key: &Key) {
        self.state().apart.remove(key);
    }
}

impl Flight {
    /// A flight that nobody else can join.
    pub(crate) fn alone() -> (Self, Arrivals) {
        let (publisher, receiver) = watch::channel(None);
        let flight = Self {
            publisher,
            registered: None,
        };
        (flight, Arrivals(receiver))
    }

    pub(crate) fn land(&self, landing: Landing) {
        self.publisher.send_replace(Some(landing));
    }

    /// For a while nobody waits for an answer to this key.
    pub(crate) fn keep_apart(&self) {
        let Some((flights, key, _)) = &self.registered else {
            return;
        };
        let now = Instant::now();
        let mut state = flights.state();
        if state.apart.len() >= state.sweep_at {
            state.apart.retain(|_, until| now < *until);
            state.sweep_at = (state.apart.len() * 2).max(FEWEST_SWEPT);
        }
        state.apart.insert(key.clone(), now + APART);
    }

    /// Lets nobody join any more.
    pub(crate) fn close(&mut self) {
        let Some((flights, key, number)) = self.registered.take() else {
            return;
        };
        let mut state = flights.state();
        if state
            .under_way
            .get(&key)
            .is_some_and(|(own, _)| *own == number)
        {
            state.under_way.remove(&key);
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.close();
    }
}
