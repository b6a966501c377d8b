//! Amadeus's transfers under `/amadeus_transfers`, as WIRE §2.3 and the specification files have them:
//! Transfer Search v1, Transfer Book v1 and Transfer Management v1. An offer can be ordered more than
//! once, and a cancelled order is still shown, with its transfers `CANCELLED`.
//!
//! Amadeus documents no way to look a transfer order up. A transfer order is a record (PNR) as a flight
//! order is, so this simulator assumes of Enterprise what [`super::platform`] assumes for flights:
//! `/v1/ordering/transfer-orders/by-reference` and `/v1/office/queues/{number}`, and that an order may
//! carry `remarks` and `automatedProcess`, which places it on a queue. None of this is public.

mod fleet;
mod orders;
mod search;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::routing::{get, post};
use http::Method;
use http::request::Parts;
use jiff::Timestamp;
use serde_json::Value;

use super::platform::{self, Cancelled, Platform, Problem, answer, data, json};
use crate::answer::Answer;
use crate::faults::{Faults, Operation};
use crate::inventory::Units;
use crate::journal::{Journal, Line};
use crate::supplier::{Failure, Office, Simulator};
use fleet::Product;

const SEARCH: &str = "/v1/shopping/transfer-offers";
const ORDERS: &str = "/v1/ordering/transfer-orders";
/// How many offers are remembered: about two kilobytes each, so that a long load test does not fill the
/// memory.
const KEPT: usize = 50_000;

/// An offer that can be ordered.
#[derive(Clone)]
struct Kept {
    product: &'static Product,
    shown: Value,
    units: Vec<Units>,
    total: i64,
    /// By how much the scenario PRICECHANGE had made it dearer.
    raise: i64,
    expires_at: Timestamp,
}

#[derive(Default)]
struct Store {
    offers: HashMap<String, Kept>,
    by_age: VecDeque<String>,
    /// Items that the scenario PRICECHANGE has made dearer, by how much and until when.
    raises: HashMap<String, (i64, Timestamp)>,
}

impl Store {
    fn keep(&mut self, offers: Vec<(String, Kept)>, now: Timestamp) {
        for (id, kept) in offers {
            self.by_age.push_back(id.clone());
            self.offers.insert(id, kept);
        }
        while let Some(oldest) = self.by_age.front() {
            let expired = (self.offers.get(oldest)).is_none_or(|kept| kept.expires_at <= now);
            if !expired && self.by_age.len() <= KEPT {
                break;
            }
            self.offers.remove(oldest);
            self.by_age.pop_front();
        }
        self.raises.retain(|_, (_, until)| now < *until);
    }
}

/// The simulated supplier.
pub(crate) struct Transfers {
    platform: Platform,
    searches: AtomicU64,
    store: Mutex<Store>,
}

type Desk = State<Arc<Transfers>>;

/// The simulator.
pub(crate) fn simulator(
    options: &crate::Options,
    journal: &Arc<Journal>,
    faults: &Arc<Faults>,
) -> Arc<dyn Simulator> {
    Arc::new(Transfers {
        platform: Platform::new(
            "amadeus_transfers",
            "CDG/VAN/2026-12-01T10",
            fleet::capacity,
            Cancelled::Shown(orders::cancelled),
            options,
            journal,
            faults,
        ),
        searches: AtomicU64::new(0),
        store: Mutex::default(),
    })
}

impl Transfers {
    fn next_search(&self) -> u64 {
        self.searches.fetch_add(1, Ordering::Relaxed)
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// By how much an item is dearer now.
    fn raise(&self, item: &str, now: Timestamp) -> i64 {
        let store = self.store();
        let raise = store.raises.get(item).filter(|(_, until)| now < *until);
        raise.map_or(0, |(by, _)| *by)
    }
}

impl Simulator for Transfers {
    fn office(&self) -> &Office {
        &self.platform.office
    }

    fn routes(self: Arc<Self>) -> Router {
        Router::new()
            .route(platform::TOKEN_PATH, post(issue_token))
            .route(SEARCH, post(search_offers))
            .route(ORDERS, post(create_order))
            .route(&format!("{ORDERS}/by-reference"), get(order_by_reference))
            .route(
                &format!("{ORDERS}/{{id}}/transfers/cancellation"),
                post(cancel_transfer),
            )
            .route("/v1/office/queues/{number}", get(show_queue))
            .fallback(async || Answer::from(Problem::no_resource()))
            .method_not_allowed_fallback(async || Answer::from(Problem::no_resource()))
            .with_state(self)
    }

    fn operation(&self, method: &Method, path: &str) -> Option<Operation> {
        match path {
            platform::TOKEN_PATH => Some(Operation::Token),
            SEARCH => Some(Operation::Search),
            ORDERS => Some(Operation::Order),
            _ if method == Method::POST && path.starts_with(ORDERS) => {
                Some(Operation::CancelConfirm)
            }
            _ if path.starts_with(ORDERS) || path.starts_with("/v1/office") => {
                Some(Operation::Retrieve)
            }
            _ => None,
        }
    }

    fn admit(&self, request: &Parts) -> Result<(), Answer> {
        Ok(self.platform.admit(request)?)
    }

    fn failure(&self, failure: Failure) -> Answer {
        Platform::failure(failure)
    }

    fn finish(&self, answer: &mut Answer) {
        self.platform.finish(answer);
    }

    fn keys(&self) -> &'static [&'static str] {
        &["id", "reference", "confirmNbr", "associatedRecords"]
    }

    fn replay(&self, line: &Line) -> Result<(), serde_json::Error> {
        self.platform.redo(line)
    }

    fn reset(&self) {
        self.platform.forget();
        *self.store() = Store::default();
    }
}

async fn issue_token(State(transfers): Desk, body: Bytes) -> Answer {
    transfers.platform.issue_token(&body)
}

async fn search_offers(State(transfers): Desk, body: Bytes) -> Answer {
    answer(json(&body).and_then(|body| search::search(&transfers, &body)))
}

async fn create_order(State(transfers): Desk, RawQuery(query): RawQuery, body: Bytes) -> Answer {
    match json(&body) {
        Ok(body) => answer(orders::create(&transfers, query.as_deref(), &body).await),
        Err(problem) => problem.into(),
    }
}

async fn cancel_transfer(
    State(transfers): Desk,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer {
    answer(orders::cancel(&transfers, &id, query.as_deref()).await)
}

async fn order_by_reference(State(transfers): Desk, RawQuery(query): RawQuery) -> Answer {
    let order = transfers.platform.by_reference(query.as_deref());
    answer(order.map(data))
}

async fn show_queue(
    State(transfers): Desk,
    Path(number): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer {
    answer(transfers.platform.queue(&number, query.as_deref()))
}
