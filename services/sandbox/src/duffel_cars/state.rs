//! What the simulated Duffel Cars remembers: rates and quotes until they are long expired, bookings for
//! ever. Bookings and their cancellations come back from the journal.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cars::{self, Price, Rental};
use crate::duffel::platform::{self, Ids};
use crate::faults::Faults;
use crate::inventory::Units;
use crate::journal::{Journal, Kind, Line};
use crate::supplier::{Deed, Office};

/// How long something expired can still be asked for (and is then answered as gone).
const KEPT_AFTER_EXPIRY: Duration = Duration::from_secs(3600);
/// How many searches and quotes are remembered.
const KEPT: usize = 10_000;

/// What the test location does with a booking; the rate is named after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Books,
    NoQuote,
    Dearer,
    Fails,
    Declined,
}

/// A rate of a search.
pub(crate) struct Rate {
    pub(crate) id: String,
    pub(crate) search_id: String,
    pub(crate) rental: Rental,
    pub(crate) price: Price,
    /// Its name at the test location.
    pub(crate) test: Option<(&'static str, Outcome)>,
    /// Where its pictures are.
    pub(crate) host: Arc<str>,
    pub(crate) expires_at: Timestamp,
}

/// A quote.
pub(crate) struct Quote {
    pub(crate) id: String,
    pub(crate) rate: Arc<Rate>,
    /// What the price had gone up by, in hundredths.
    pub(crate) raised: i64,
    pub(crate) expires_at: Timestamp,
}

/// A booking, as it is also kept in the journal.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Booking {
    pub(crate) id: String,
    /// The booking as Duffel shows it.
    pub(crate) shown: Value,
    pub(crate) reference: String,
    pub(crate) units: Vec<Units>,
    pub(crate) total: i64,
    pub(crate) currency: String,
    pub(crate) client_reference: Option<String>,
    /// Until when a cancellation costs nothing; none: it never gives money back.
    pub(crate) free_until: Option<Timestamp>,
    pub(crate) pickup_at: Timestamp,
    pub(crate) created_at: Timestamp,
    pub(crate) visible_at: Timestamp,
    pub(crate) cancelled: bool,
}

/// An offer's price went up.
#[derive(Clone, Copy, Default)]
pub(crate) struct Raise {
    pub(crate) by: i64,
    /// The scenario PRICECHANGE has refused one booking of this rate.
    pub(crate) refused_once: bool,
}

/// What expires.
enum Expiring {
    Search(Vec<String>),
    Quote(String),
}

#[derive(Default)]
pub(crate) struct Store {
    pub(crate) rates: HashMap<String, Arc<Rate>>,
    pub(crate) quotes: HashMap<String, Arc<Quote>>,
    pub(crate) raises: HashMap<String, Raise>,
    by_expiry: VecDeque<(Timestamp, Expiring)>,
    pub(crate) bookings: HashMap<String, Booking>,
    /// Oldest first.
    pub(crate) booking_ids: Vec<String>,
    pub(crate) references: HashSet<String>,
}

impl Store {
    pub(crate) fn keep_rates(
        &mut self,
        rates: Vec<Arc<Rate>>,
        expires_at: Timestamp,
        now: Timestamp,
    ) {
        self.clear_old(now);
        let ids = rates.iter().map(|rate| rate.id.clone()).collect();
        self.by_expiry
            .push_back((expires_at, Expiring::Search(ids)));
        self.rates
            .extend(rates.into_iter().map(|rate| (rate.id.clone(), rate)));
    }

    pub(crate) fn keep_quote(&mut self, quote: Arc<Quote>, now: Timestamp) {
        self.clear_old(now);
        let expiring = Expiring::Quote(quote.id.clone());
        self.by_expiry.push_back((quote.expires_at, expiring));
        self.quotes.insert(quote.id.clone(), quote);
    }

    fn clear_old(&mut self, now: Timestamp) {
        let kept = KEPT_AFTER_EXPIRY.as_secs().cast_signed();
        while let Some((at, _)) = self.by_expiry.front() {
            if now.duration_since(*at).as_secs() <= kept && self.by_expiry.len() < KEPT {
                break;
            }
            match self.by_expiry.pop_front() {
                Some((_, Expiring::Search(ids))) => {
                    for id in ids {
                        self.rates.remove(&id);
                        self.raises.remove(&id);
                    }
                }
                Some((_, Expiring::Quote(id))) => {
                    self.quotes.remove(&id);
                }
                None => break,
            }
        }
    }

    pub(crate) fn raised(&self, rate_id: &str) -> i64 {
        self.raises.get(rate_id).map_or(0, |raise| raise.by)
    }

    pub(crate) fn add(&mut self, booking: Booking) {
        self.references.insert(booking.reference.clone());
        self.booking_ids.push(booking.id.clone());
        self.bookings.insert(booking.id.clone(), booking);
    }

    /// Marks a booking as cancelled; the units that it gives back, none if it was cancelled before.
    pub(crate) fn cancel(&mut self, id: &str, at: Timestamp) -> Vec<Units> {
        let booking = self.bookings.get_mut(id);
        let Some(booking) = booking.filter(|booking| !booking.cancelled) else {
            return Vec::new();
        };
        booking.cancelled = true;
        if let Some(shown) = booking.shown.as_object_mut() {
            shown.insert("status".to_owned(), json!("cancelled"));
            shown.insert("cancelled_at".to_owned(), json!(platform::instant(at)));
        }
        booking.units.clone()
    }
}

/// The simulated supplier.
pub(crate) struct Cars {
    pub(crate) office: Office,
    pub(crate) ids: Ids,
    store: Mutex<Store>,
}

impl Cars {
    pub(crate) fn new(
        options: &crate::Options,
        journal: &Arc<Journal>,
        faults: &Arc<Faults>,
    ) -> Self {
        let example = "LHR/ECAR/2026-12-01";
        let office = Office::new(
            "duffel_cars",
            example,
            cars::capacity,
            options,
            journal,
            faults,
        );
        Self {
            office,
            ids: Ids::new(options.seed),
            store: Mutex::default(),
        }
    }

    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
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
                client_reference: booking.client_reference.as_deref(),
                amount,
                currency: &booking.currency,
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
                let id = String::deserialize(&line.record)?;
                let units = self.store().cancel(&id, line.effect.at);
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
