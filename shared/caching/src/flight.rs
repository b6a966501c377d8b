//! Single flight: of several callers that miss the same key at once, one loads and the others wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::MutexGuard;
use tokio::time::Instant;

/// What the last successful load of a flight gave, and when.
type Landed = Option<(Arc<str>, Instant)>;

type Flight = Arc<tokio::sync::Mutex<Landed>>;

#[derive(Debug, Default)]
pub(crate) struct Flights(Mutex<HashMap<String, Flight>>);

/// A caller's place in a flight. The flight ends when its last caller leaves, for whatever reason.
pub(crate) struct Seat<'a> {
    flights: &'a Flights,
    key: &'a str,
    flight: Flight,
}

impl Flights {
    pub(crate) fn board<'a>(&'a self, key: &'a str) -> Seat<'a> {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let flight = Arc::clone(flights.entry(key.to_owned()).or_default());
        Seat {
            flights: self,
            key,
            flight,
        }
    }
}

impl Seat<'_> {
    /// Waits until nobody else loads. Dropping the guard, also by cancellation, lets the next one in.
    pub(crate) async fn turn(&self) -> MutexGuard<'_, Landed> {
        self.flight.lock().await
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut flights = self
            .flights
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // One reference is the map's, one is this seat's; new ones are made under this lock only.
        if Arc::strong_count(&self.flight) == 2 {
            flights.remove(self.key);
        }
    }
}
