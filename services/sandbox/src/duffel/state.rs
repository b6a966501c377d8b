//! What the simulated Duffel remembers: searches and offers until they are long expired, orders and
//! cancellations for ever. Orders and confirmed cancellations come back from the journal.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::offer::{Offer, Passenger};
use super::platform::{self, Ids};
use crate::faults::Faults;
use crate::flights;
use crate::inventory::Units;
use crate::journal::{Journal, Kind, Line};
use crate::supplier::{Deed, Office};

/// The supplier's name in paths, faults and journal lines.
pub(crate) const NAME: &str = "duffel";

/// How long an expired offer can still be asked for (and is then answered as gone).
const KEPT_AFTER_EXPIRY: Duration = Duration::from_secs(3600);

/// A search.
pub(crate) struct Request {
    pub(crate) id: String,
    pub(crate) created_at: Timestamp,
    pub(crate) slices: Value,
    pub(crate) cabin: Option<&'static str>,
    pub(crate) passengers: Arc<Vec<Passenger>>,
    pub(crate) offers: Vec<Arc<Offer>>,
}

/// How many searches are remembered: about 20 kB each, so that a long load test does not fill the memory.
const KEPT_SEARCHES: usize = 10_000;

/// An order, as it is also kept in the journal.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) id: String,
    pub(crate) offer_id: String,
    /// The order as Duffel shows it.
    pub(crate) shown: Value,
    pub(crate) units: Vec<Units>,
    pub(crate) total: i64,
    pub(crate) currency: String,
    /// The penalty for a refund in hundredths; none: not refundable.
    pub(crate) refund_penalty: Option<i64>,
    pub(crate) client_reference: Option<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) visible_at: Timestamp,
    pub(crate) awaiting_payment: bool,
    pub(crate) cancelled: bool,
    /// Duffel's test route with an airline-initiated change at every read.
    pub(crate) airline_changes: bool,
    /// Duffel's test route whose refund is an airline credit.
    pub(crate) refund_as_credit: bool,
}

impl Order {
    /// The reference for people, as the journal names the order.
    fn reference(&self) -> &str {
        let reference = self.shown.get("booking_reference");
        reference.and_then(Value::as_str).unwrap_or(&self.id)
    }
}

/// A cancellation: a quote until it is confirmed. Kept in the journal once it is.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Cancellation {
    pub(crate) id: String,
    pub(crate) order_id: String,
    pub(crate) refund: i64,
    pub(crate) currency: String,
    pub(crate) refund_to: String,
    pub(crate) airline_credits: Value,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) confirmed_at: Option<Timestamp>,
}

/// An order's price went up after it was offered.
#[derive(Clone, Copy, Default)]
pub(crate) struct Raise {
    /// Hundredths.
    pub(crate) by: i64,
    /// The scenario PRICECHANGE has refused one order of this offer.
    pub(crate) refused_once: bool,
}

#[derive(Default)]
pub(crate) struct Store {
    pub(crate) requests: HashMap<String, Arc<Request>>,
    pub(crate) offers: HashMap<String, Arc<Offer>>,
    pub(crate) raises: HashMap<String, Raise>,
    /// Searches of which an offer was ordered: Duffel takes no second order from one.
    pub(crate) booked: HashSet<String>,
    /// Every booking reference that was given out.
    pub(crate) references: HashSet<String>,
    by_expiry: VecDeque<(Timestamp, String)>,
    pub(crate) orders: HashMap<String, Order>,
    /// Ids, oldest first.
    pub(crate) order_ids: Vec<String>,
    pub(crate) cancellations: HashMap<String, Cancellation>,
    pub(crate) cancellation_ids: Vec<String>,
}

impl Store {
    /// Remembers a search and forgets those that expired long ago, or the oldest if there are too many.
    pub(crate) fn keep(&mut self, request: Arc<Request>, expires_at: Timestamp, now: Timestamp) {
        while let Some((at, _)) = self.by_expiry.front() {
            let kept =
                now.duration_since(*at).as_secs() <= KEPT_AFTER_EXPIRY.as_secs().cast_signed();
            if kept && self.by_expiry.len() < KEPT_SEARCHES {
                break;
            }
            if let Some((_, id)) = self.by_expiry.pop_front() {
                self.forget(&id);
            }
        }
        for offer in &request.offers {
            self.offers.insert(offer.id.clone(), Arc::clone(offer));
        }
        self.by_expiry.push_back((expires_at, request.id.clone()));
        self.requests.insert(request.id.clone(), request);
    }

    fn forget(&mut self, request_id: &str) {
        self.booked.remove(request_id);
        if let Some(request) = self.requests.remove(request_id) {
            for offer in &request.offers {
                self.offers.remove(&offer.id);
                self.raises.remove(&offer.id);
            }
        }
    }

    /// By how much an offer's price went up, in hundredths.
    pub(crate) fn raised(&self, offer_id: &str) -> i64 {
        self.raises.get(offer_id).map_or(0, |raise| raise.by)
    }

    pub(crate) fn add_order(&mut self, order: Order) {
        let reference = order.shown.get("booking_reference").and_then(Value::as_str);
        self.references.extend(reference.map(str::to_owned));
        self.order_ids.push(order.id.clone());
        self.orders.insert(order.id.clone(), order);
    }

    pub(crate) fn add_cancellation(&mut self, cancellation: Cancellation) {
        self.cancellation_ids.push(cancellation.id.clone());
        self.cancellations
            .insert(cancellation.id.clone(), cancellation);
    }

    /// Carries out a confirmed cancellation; the seats that it gives back, none if the order was
    /// cancelled before.
    pub(crate) fn cancel(&mut self, cancellation: &Cancellation, at: Timestamp) -> Vec<Units> {
        let order = self.orders.get_mut(&cancellation.order_id);
        let Some(order) = order.filter(|order| !order.cancelled) else {
            return Vec::new();
        };
        order.cancelled = true;
        order.awaiting_payment = false;
        if let Some(shown) = order.shown.as_object_mut() {
            let cancellation = super::cancellations::shown(cancellation);
            shown.insert(
                "cancelled_at".to_owned(),
                Value::from(platform::instant(at)),
            );
            shown.insert("cancellation".to_owned(), cancellation);
            shown.insert("available_actions".to_owned(), serde_json::json!([]));
        }
        order.units.clone()
    }

    /// Marks a held order as paid.
    pub(crate) fn pay(&mut self, order_id: &str, at: Timestamp) {
        if let Some(order) = self.orders.get_mut(order_id) {
            order.awaiting_payment = false;
            if let Some(shown) = order.shown.as_object_mut() {
                shown.insert(
                    "payment_status".to_owned(),
                    serde_json::json!({
                        "price_guarantee_expires_at": null,
                        "payment_required_by": null,
                        "paid_at": platform::instant(at),
                        "awaiting_payment": false,
                    }),
                );
                shown.insert("documents".to_owned(), super::orders::documents(1));
            }
        }
    }
}

/// The simulated supplier.
pub(crate) struct Duffel {
    pub(crate) office: Office,
    pub(crate) one_order_per_search: bool,
    pub(crate) ids: Ids,
    store: Mutex<Store>,
}

impl Duffel {
    pub(crate) fn new(
        options: &crate::Options,
        journal: &Arc<Journal>,
        faults: &Arc<Faults>,
    ) -> Self {
        let example = "ZZ117/2026-12-01/economy";
        Self {
            office: Office::new(NAME, example, flights::seats, options, journal, faults),
            one_order_per_search: options.one_order_per_search,
            ids: Ids::new(options.seed),
            store: Mutex::default(),
        }
    }

    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Orders made longer ago than this instant, and whose own lag is over, can be seen.
    pub(crate) fn visibility(&self) -> impl Fn(&Order) -> bool + use<> {
        let seen = self.office.sight();
        move |order| seen(order.created_at, order.visible_at)
    }

    /// Writes an effect to the journal; it is on disk afterwards.
    pub(crate) async fn record(
        &self,
        kind: Kind,
        order: &Order,
        amount: i64,
        record: Value,
    ) -> std::io::Result<()> {
        self.office
            .record(Deed {
                kind,
                supplier_reference: order.reference(),
                client_reference: order.client_reference.as_deref(),
                amount,
                currency: &order.currency,
                units: &order.units,
                record,
            })
            .await
    }

    /// Does again what a journal line says was done.
    pub(crate) fn redo(&self, line: &Line) -> Result<(), serde_json::Error> {
        let effect = &line.effect;
        match effect.kind {
            Kind::Order | Kind::Hold => {
                let order = Order::deserialize(&line.record)?;
                self.office.inventory.take(&order.units);
                self.store().add_order(order);
            }
            Kind::Cancel => {
                let cancellation = Cancellation::deserialize(&line.record)?;
                let mut store = self.store();
                let at = cancellation.confirmed_at.unwrap_or(effect.at);
                let units = store.cancel(&cancellation, at);
                self.office.inventory.give_back(&units);
                store.add_cancellation(cancellation);
            }
            Kind::Capture => {
                let order_id = String::deserialize(&line.record)?;
                self.store().pay(&order_id, effect.at);
            }
            Kind::Stock | Kind::Authorise | Kind::Void | Kind::Refund => {}
        }
        Ok(())
    }

    /// Forgets everything.
    pub(crate) fn forget(&self) {
        *self.store() = Store::default();
    }
}
