//! What the simulated Rapid remembers: itineraries for ever, and the prices that went up after they
//! were searched. Itineraries come back from the journal; rates live in their links.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::token::Offer;
use crate::chance::draw;
use crate::faults::Faults;
use crate::hotels;
use crate::inventory::Units;
use crate::journal::{Journal, Kind, Line};
use crate::supplier::{Deed, Office};

/// The supplier's name in paths, faults and journal lines.
pub(crate) const NAME: &str = "rapid";

/// One booked room.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct BookedRoom {
    pub(crate) id: String,
    /// As Rapid writes it: `2-9,4`.
    pub(crate) occupancy: String,
    pub(crate) given_name: String,
    pub(crate) family_name: String,
    pub(crate) special_request: Option<String>,
    pub(crate) smoking: bool,
    pub(crate) loyalty_id: Option<String>,
    /// Hundredths of the billable currency, paid to Rapid.
    pub(crate) total: i64,
    /// `pricing` of the itinerary.
    pub(crate) pricing: Value,
    /// When it was given up, and what came back.
    pub(crate) cancelled: Option<(Timestamp, i64)>,
}

/// A booking, as it is also kept in the journal.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Itinerary {
    pub(crate) id: String,
    pub(crate) property: u64,
    pub(crate) room_type: String,
    /// Digit of the plan.
    pub(crate) plan: String,
    pub(crate) beds: usize,
    pub(crate) checkin: jiff::civil::Date,
    pub(crate) checkout: jiff::civil::Date,
    pub(crate) rooms: Vec<BookedRoom>,
    pub(crate) email: String,
    pub(crate) phone: Value,
    pub(crate) billing_contact: Option<Value>,
    pub(crate) affiliate_reference_id: Option<String>,
    pub(crate) affiliate_metadata: Option<String>,
    /// Billable.
    pub(crate) currency: String,
    pub(crate) created_at: Timestamp,
    pub(crate) visible_at: Timestamp,
    /// Until when it tells its id and its date alone.
    pub(crate) whole_at: Timestamp,
    /// Until when it can be resumed; none once it is a booking.
    pub(crate) held_until: Option<Timestamp>,
    /// A first cancellation has been answered 202 and was lost.
    #[serde(default)]
    pub(crate) cancel_lost: bool,
}

impl Itinerary {
    pub(crate) fn total(&self) -> i64 {
        self.rooms.iter().map(|room| room.total).sum()
    }

    /// What one of its rooms takes of the inventory.
    pub(crate) fn units(&self, rooms: u32) -> Vec<Units> {
        let nights = self.checkin.series(jiff::Span::new().days(1));
        nights
            .take_while(|night| *night < self.checkout)
            .map(|night| (hotels::item(self.property, &self.room_type, night), rooms))
            .collect()
    }

    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.rooms.len()).unwrap_or(u32::MAX)
    }
}

/// What a journal line needs to be done again.
#[derive(Serialize, Deserialize)]
#[serde(tag = "did", rename_all = "snake_case")]
pub(crate) enum Record {
    Booked(Box<Itinerary>),
    Resumed {
        id: String,
    },
    Cancelled {
        id: String,
        /// Room ids with what came back.
        rooms: Vec<(String, i64)>,
        at: Timestamp,
    },
}

/// An offer's price went up after it was searched.
#[derive(Clone, Copy)]
struct Raise {
    /// Hundredths, for each room.
    by: i64,
    until: Timestamp,
}

#[derive(Default)]
pub(crate) struct Store {
    raises: HashMap<u64, Raise>,
    pub(crate) itineraries: HashMap<String, Itinerary>,
    /// Itinerary ids by the partner's own reference, those being written included.
    pub(crate) references: HashMap<String, String>,
}

impl Store {
    /// By how much each room of an offer costs more than when it was searched, in hundredths.
    pub(crate) fn raised(&self, offer: &Offer) -> i64 {
        self.raises.get(&offer.key()).map_or(0, |raise| raise.by)
    }

    /// From now on the offer costs `by` more for each room than when it was searched.
    pub(crate) fn raise(&mut self, offer: &Offer, by: i64, now: Timestamp) {
        self.raises.retain(|_, raise| raise.until > now);
        // A link of the offer can be renewed by a price check: twice its life is enough.
        let life = offer.expires_at.duration_since(now);
        let until = offer.expires_at.checked_add(life).unwrap_or(Timestamp::MAX);
        self.raises.insert(offer.key(), Raise { by, until });
    }

    pub(crate) fn add(&mut self, itinerary: Itinerary) {
        if let Some(reference) = &itinerary.affiliate_reference_id {
            let id = itinerary.id.clone();
            self.references.insert(reference.clone(), id);
        }
        self.itineraries.insert(itinerary.id.clone(), itinerary);
    }

    /// Carries out a cancellation; how many rooms it gives back.
    pub(crate) fn cancel(&mut self, id: &str, rooms: &[(String, i64)], at: Timestamp) -> u32 {
        let Some(itinerary) = self.itineraries.get_mut(id) else {
            return 0;
        };
        let mut count = 0;
        for room in &mut itinerary.rooms {
            let refund = rooms.iter().find(|(id, _)| *id == room.id);
            if let Some((_, refund)) = refund.filter(|_| room.cancelled.is_none()) {
                room.cancelled = Some((at, *refund));
                count += 1;
            }
        }
        count
    }
}

/// The simulated supplier.
pub(crate) struct Rapid {
    pub(crate) office: Office,
    count: AtomicU64,
    store: Mutex<Store>,
}

impl Rapid {
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

    /// A number that was not drawn before.
    pub(crate) fn nonce(&self) -> u64 {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let micros = self.office.clock.now().as_microsecond();
        draw(self.office.seed ^ micros.unsigned_abs(), &count.to_string())
    }

    /// Writes an effect to the journal; it is on disk afterwards.
    pub(crate) async fn record(
        &self,
        kind: Kind,
        itinerary: &Itinerary,
        amount: i64,
        units: &[Units],
        record: &Record,
    ) -> std::io::Result<()> {
        self.office
            .record(Deed {
                kind,
                supplier_reference: &itinerary.id,
                client_reference: itinerary.affiliate_reference_id.as_deref(),
                amount,
                currency: &itinerary.currency,
                units,
                record: serde_json::to_value(record)?,
            })
            .await
    }

    /// Does again what a journal line says was done.
    pub(crate) fn redo(&self, line: &Line) -> Result<(), serde_json::Error> {
        match Record::deserialize(&line.record)? {
            Record::Booked(itinerary) => {
                self.office
                    .inventory
                    .take(&itinerary.units(itinerary.count()));
                self.store().add(*itinerary);
            }
            Record::Resumed { id } => {
                if let Some(itinerary) = self.store().itineraries.get_mut(&id) {
                    itinerary.held_until = None;
                }
            }
            Record::Cancelled { id, rooms, at } => {
                let mut store = self.store();
                let count = store.cancel(&id, &rooms, at);
                let units = store.itineraries.get(&id).map(|one| one.units(count));
                drop(store);
                self.office.inventory.give_back(&units.unwrap_or_default());
            }
        }
        Ok(())
    }

    pub(crate) fn forget(&self) {
        *self.store() = Store::default();
    }
}
