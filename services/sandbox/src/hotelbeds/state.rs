//! What the simulated Hotelbeds remembers: which rates a tester made dearer, and bookings for ever.
//! Rates live in their keys alone. Bookings and their cancellations come back from the journal.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::faults::Faults;
use crate::hotels;
use crate::inventory::Units;
use crate::journal::{Journal, Kind, Line};
use crate::supplier::{Deed, Office};

/// The supplier's name in paths, faults and journal lines.
pub(crate) const NAME: &str = "hotelbeds";

/// Its own numbers begin here; a reference is `207-` and a number.
const FIRST_REFERENCE: u64 = 12_306_403;

/// A booking, as it is also kept in the journal.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Booking {
    pub(crate) reference: String,
    /// The booking as the answer to the order shows it.
    pub(crate) shown: Value,
    pub(crate) units: Vec<Units>,
    pub(crate) total: i64,
    pub(crate) client_reference: String,
    /// What a cancellation costs, and from when on, earliest first.
    pub(crate) penalties: Vec<(Timestamp, i64)>,
    pub(crate) created_on: Date,
    pub(crate) check_in: Date,
    pub(crate) created_at: Timestamp,
    pub(crate) visible_at: Timestamp,
    pub(crate) cancelled: bool,
}

/// A cancellation, as the journal keeps it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Cancellation {
    pub(crate) reference: String,
    pub(crate) cancellation_reference: String,
    pub(crate) penalty: i64,
}

#[derive(Default)]
pub(crate) struct Store {
    /// Rates that the scenario PRICECHANGE has refused once: they cost more now.
    pub(crate) dearer: HashSet<String>,
    pub(crate) bookings: HashMap<String, Booking>,
    /// Oldest first.
    pub(crate) references: Vec<String>,
    /// How many references were given out.
    given: u64,
}

impl Store {
    pub(crate) fn next_reference(&mut self) -> String {
        self.given += 1;
        format!("207-{}", FIRST_REFERENCE + self.given)
    }

    pub(crate) fn add(&mut self, booking: Booking) {
        let number = booking.reference.strip_prefix("207-");
        let number = number.and_then(|number| number.parse::<u64>().ok());
        let given = number.unwrap_or(0).saturating_sub(FIRST_REFERENCE);
        self.given = self.given.max(given);
        self.references.push(booking.reference.clone());
        self.bookings.insert(booking.reference.clone(), booking);
    }

    /// Marks a booking as cancelled; the units that it gives back, none if it was cancelled before.
    pub(crate) fn cancel(&mut self, cancellation: &Cancellation) -> Vec<Units> {
        let booking = self.bookings.get_mut(&cancellation.reference);
        let Some(booking) = booking.filter(|booking| !booking.cancelled) else {
            return Vec::new();
        };
        booking.cancelled = true;
        mark_cancelled(&mut booking.shown, cancellation);
        booking.units.clone()
    }
}

/// A booking as it is shown once it is cancelled.
pub(crate) fn mark_cancelled(shown: &mut Value, cancellation: &Cancellation) {
    let penalty = super::rates::number(cancellation.penalty);
    if let Some(booking) = shown.as_object_mut() {
        booking.insert("status".to_owned(), json!("CANCELLED"));
        let reference = json!(cancellation.cancellation_reference);
        booking.insert("cancellationReference".to_owned(), reference);
        booking.insert("pendingAmount".to_owned(), penalty.clone());
    }
    if let Some(hotel) = shown.get_mut("hotel").and_then(Value::as_object_mut) {
        hotel.insert("cancellationAmount".to_owned(), penalty);
        let rooms = hotel.get_mut("rooms").and_then(Value::as_array_mut);
        for room in rooms.into_iter().flatten().filter_map(Value::as_object_mut) {
            room.insert("status".to_owned(), json!("CANCELLED"));
        }
    }
}

/// The simulated supplier.
pub(crate) struct Hotelbeds {
    pub(crate) office: Office,
    count: AtomicU64,
    store: Mutex<Store>,
}

impl Hotelbeds {
    pub(crate) fn new(
        options: &crate::Options,
        journal: &Arc<Journal>,
        faults: &Arc<Faults>,
    ) -> Self {
        let capacity = |seed, item: &str| hotels::capacity(seed, NAME, item);
        let example = "7814003/DBL/2026-12-01";
        Self {
            office: Office::new(NAME, example, capacity, options, journal, faults),
            count: AtomicU64::new(0),
            store: Mutex::default(),
        }
    }

    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A token of 32 hexadecimal digits that never repeats.
    pub(crate) fn token(&self) -> String {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let now = self.office.clock.now().as_microsecond();
        let draw =
            |word: &str| crate::chance::draw(self.office.seed, &format!("{word}/{now}/{count}"));
        format!("{:016X}{:016X}", draw("token"), draw("nekot"))
    }

    /// Writes an effect to the journal; it is on disk afterwards.
    pub(crate) async fn record(
        &self,
        kind: Kind,
        booking: &Booking,
        amount: i64,
        record: Value,
    ) -> std::io::Result<()> {
        self.office
            .record(Deed {
                kind,
                supplier_reference: &booking.reference,
                client_reference: Some(&booking.client_reference),
                amount,
                currency: super::rates::CURRENCY,
                units: &booking.units,
                record,
            })
            .await
    }

    /// Does again what a journal line says was done.
    pub(crate) fn redo(&self, line: &Line) -> Result<(), serde_json::Error> {
        match line.effect.kind {
            Kind::Order => {
                let booking = Booking::deserialize(&line.record)?;
                self.office.inventory.take(&booking.units);
                self.store().add(booking);
            }
            Kind::Cancel => {
                let cancellation = Cancellation::deserialize(&line.record)?;
                let units = self.store().cancel(&cancellation);
                self.office.inventory.give_back(&units);
            }
            _ => {}
        }
        Ok(())
    }

    /// Forgets everything.
    pub(crate) fn forget(&self) {
        *self.store() = Store::default();
    }
}
