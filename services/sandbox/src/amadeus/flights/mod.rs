//! Amadeus's flights under `/amadeus`, as WIRE §2.1 and the specification files have them: Flight
//! Offers Search v2, Flight Offers Price v1, Flight Create Orders v1 and Flight Order Management v1.
//! A cancelled order is deleted, in the specification's word: it answers 404 and is on no queue.
//!
//! `/v1/booking/flight-orders/by-reference` and `/v1/office/queues/{number}` are Enterprise endpoints
//! whose answer shapes are not public: what is assumed of them stands in [`super::platform`].

mod criteria;
mod offer;
mod orders;
mod pricing;
mod scenario;
mod search;
mod store;
mod travelers;
mod wire;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::routing::{get, post};
use http::request::Parts;
use http::{Method, StatusCode};

use super::platform::{self, Cancelled, Platform, Problem, answer, data, json};
use crate::answer::Answer;
use crate::faults::{Faults, Operation};
use crate::flights::seats;
use crate::journal::{Journal, Line};
use crate::supplier::{Failure, Office, Simulator};
use store::Store;

const SEARCH: &str = "/v2/shopping/flight-offers";
const PRICING: &str = "/v1/shopping/flight-offers/pricing";
const ORDERS: &str = "/v1/booking/flight-orders";

/// The simulated supplier.
pub(crate) struct Flights {
    platform: Platform,
    searches: AtomicU64,
    store: Mutex<Store>,
}

type Desk = State<Arc<Flights>>;

/// The simulator.
pub(crate) fn simulator(
    options: &crate::Options,
    journal: &Arc<Journal>,
    faults: &Arc<Faults>,
) -> Arc<dyn Simulator> {
    Arc::new(Flights {
        platform: Platform::new(
            "amadeus",
            "BA117/2026-12-01/economy",
            seats,
            Cancelled::Gone,
            options,
            journal,
            faults,
        ),
        searches: AtomicU64::new(0),
        store: Mutex::default(),
    })
}

impl Flights {
    fn next_search(&self) -> u64 {
        self.searches.fetch_add(1, Ordering::Relaxed)
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Simulator for Flights {
    fn office(&self) -> &Office {
        &self.platform.office
    }

    fn routes(self: Arc<Self>) -> Router {
        Router::new()
            .route(platform::TOKEN_PATH, post(issue_token))
            .route(SEARCH, get(search_by_query).post(search_by_body))
            .route(PRICING, post(price))
            .route(ORDERS, post(create_order))
            .route(&format!("{ORDERS}/by-reference"), get(order_by_reference))
            .route(
                &format!("{ORDERS}/{{id}}"),
                get(show_order).delete(cancel_order),
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
            PRICING => Some(Operation::Price),
            ORDERS => Some(Operation::Order),
            _ if method == Method::DELETE => Some(Operation::CancelConfirm),
            _ if path.starts_with(ORDERS) || path.starts_with("/v1/office") => {
                Some(Operation::Retrieve)
            }
            _ => None,
        }
    }

    fn admit(&self, request: &Parts) -> Result<(), Answer> {
        self.platform.admit(request)?;
        let path = request.uri.path();
        if request.method == Method::POST && (path.ends_with(SEARCH) || path.ends_with(PRICING)) {
            platform::reads_only(request)?;
        }
        Ok(())
    }

    fn failure(&self, failure: Failure) -> Answer {
        Platform::failure(failure)
    }

    fn finish(&self, answer: &mut Answer) {
        self.platform.finish(answer);
    }

    fn keys(&self) -> &'static [&'static str] {
        &["id", "associatedRecords"]
    }

    fn replay(&self, line: &Line) -> Result<(), serde_json::Error> {
        self.platform.redo(line)
    }

    fn reset(&self) {
        self.platform.forget();
        *self.store() = Store::default();
    }
}

async fn issue_token(State(flights): Desk, body: Bytes) -> Answer {
    flights.platform.issue_token(&body)
}

async fn search_by_query(State(flights): Desk, RawQuery(query): RawQuery) -> Answer {
    answer(search::by_query(&flights, query.as_deref()))
}

async fn search_by_body(State(flights): Desk, body: Bytes) -> Answer {
    answer(json(&body).and_then(|body| search::by_body(&flights, &body)))
}

async fn price(State(flights): Desk, RawQuery(query): RawQuery, body: Bytes) -> Answer {
    answer(json(&body).and_then(|body| pricing::price(&flights, query.as_deref(), &body)))
}

async fn create_order(State(flights): Desk, body: Bytes) -> Answer {
    match json(&body) {
        Ok(body) => answer(orders::create(&flights, &body).await),
        Err(problem) => problem.into(),
    }
}

async fn show_order(State(flights): Desk, Path(id): Path<String>) -> Answer {
    answer(flights.platform.order(&id).map(data))
}

async fn order_by_reference(State(flights): Desk, RawQuery(query): RawQuery) -> Answer {
    answer(flights.platform.by_reference(query.as_deref()).map(data))
}

async fn show_queue(
    State(flights): Desk,
    Path(number): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer {
    answer(flights.platform.queue(&number, query.as_deref()))
}

async fn cancel_order(State(flights): Desk, Path(id): Path<String>) -> Answer {
    // Nothing is ticketed in the sandbox, so a cancelled order costs nothing.
    let cancelled = flights.platform.cancel(&id, |order| Ok(order.total)).await;
    let gone = |()| Answer::empty(StatusCode::NO_CONTENT).committed(None);
    answer(cancelled.map(gone))
}
