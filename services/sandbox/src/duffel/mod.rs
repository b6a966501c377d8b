//! Duffel's flights API (version v2) under `/duffel`, as WIRE §1.1–1.4 and the recorded answers have it:
//! the table of its endpoints. What is its own about every request is in `front`.

mod cancellations;
mod front;
mod offer;
mod orders;
pub(crate) mod platform;
mod reference;
pub(crate) mod scenario;
mod search;
mod services;
mod state;
mod travellers;
mod wire;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::routing::{get, post};
use serde_json::Value;

use platform::{Answered, Problem};
use state::Duffel;

use crate::answer::Answer;
use crate::faults::Faults;
use crate::journal::Journal;
use crate::supplier::Simulator;

type Desk = State<Arc<Duffel>>;

/// The simulator.
pub(crate) fn simulator(
    options: &crate::Options,
    journal: &Arc<Journal>,
    faults: &Arc<Faults>,
) -> Arc<dyn Simulator> {
    Arc::new(Duffel::new(options, journal, faults))
}

/// All paths below `/duffel`.
fn routes(duffel: Arc<Duffel>) -> Router {
    Router::new()
        .route("/air/offer_requests", post(create_offer_request))
        .route("/air/offer_requests/{id}", get(show_offer_request))
        .route("/air/offers", get(list_offers))
        .route("/air/offers/{id}", get(show_offer))
        .route("/air/offers/{id}/actions/price", post(price_offer))
        .route("/air/orders", get(list_orders).post(create_order))
        .route("/air/orders/{id}", get(show_order))
        .route(
            "/air/order_cancellations",
            get(list_cancellations).post(quote_cancellation),
        )
        .route("/air/order_cancellations/{id}", get(show_cancellation))
        .route(
            "/air/order_cancellations/{id}/actions/confirm",
            post(confirm_cancellation),
        )
        .route("/air/payments", post(pay))
        .route("/air/airline_initiated_changes", get(list_airline_changes))
        .route("/air/airlines", get(list_airlines))
        .route("/air/airlines/{id}", get(show_airline))
        .route("/air/airports", get(list_airports))
        .route("/air/airports/{id}", get(show_airport))
        .route("/places/suggestions", get(suggest_places))
        .fallback(async || Answer::from(Problem::not_found()))
        .method_not_allowed_fallback(async || Answer::from(Problem::not_found()))
        .with_state(duffel)
}

fn answer(answered: Answered) -> Answer {
    answered.unwrap_or_else(Answer::from)
}

fn json(body: &Bytes) -> Result<Value, Problem> {
    serde_json::from_slice(body).map_err(|_| Problem::bad_json())
}

async fn create_offer_request(
    State(duffel): Desk,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Answer {
    answer(json(&body).and_then(|body| search::create(&duffel, query.as_deref(), &body)))
}

async fn show_offer_request(State(duffel): Desk, Path(id): Path<String>) -> Answer {
    answer(search::show(&duffel, &id))
}

async fn list_offers(State(duffel): Desk, RawQuery(query): RawQuery) -> Answer {
    answer(search::offers(&duffel, query.as_deref()))
}

async fn show_offer(
    State(duffel): Desk,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer {
    answer(search::offer(&duffel, &id, query.as_deref()))
}

async fn price_offer(State(duffel): Desk, Path(id): Path<String>, body: Bytes) -> Answer {
    answer(json(&body).and_then(|body| search::price(&duffel, &id, &body)))
}

async fn create_order(State(duffel): Desk, body: Bytes) -> Answer {
    match json(&body) {
        Ok(body) => answer(orders::create(&duffel, &body).await),
        Err(problem) => problem.into(),
    }
}

async fn list_orders(State(duffel): Desk, RawQuery(query): RawQuery) -> Answer {
    answer(orders::list(&duffel, query.as_deref()))
}

async fn show_order(State(duffel): Desk, Path(id): Path<String>) -> Answer {
    answer(orders::show(&duffel, &id))
}

async fn list_airline_changes(State(duffel): Desk, RawQuery(query): RawQuery) -> Answer {
    answer(orders::airline_changes(&duffel, query.as_deref()))
}

async fn quote_cancellation(State(duffel): Desk, body: Bytes) -> Answer {
    answer(json(&body).and_then(|body| cancellations::quote(&duffel, &body)))
}

async fn show_cancellation(State(duffel): Desk, Path(id): Path<String>) -> Answer {
    answer(cancellations::show(&duffel, &id))
}

async fn list_cancellations(State(duffel): Desk, RawQuery(query): RawQuery) -> Answer {
    answer(cancellations::list(&duffel, query.as_deref()))
}

async fn confirm_cancellation(State(duffel): Desk, Path(id): Path<String>) -> Answer {
    answer(cancellations::confirm(&duffel, &id).await)
}

async fn pay(State(duffel): Desk, body: Bytes) -> Answer {
    match json(&body) {
        Ok(body) => answer(cancellations::pay(&duffel, &body).await),
        Err(problem) => problem.into(),
    }
}

async fn list_airlines(RawQuery(query): RawQuery) -> Answer {
    answer(reference::airlines(query.as_deref()))
}

async fn show_airline(Path(id): Path<String>) -> Answer {
    answer(reference::airline(&id))
}

async fn list_airports(RawQuery(query): RawQuery) -> Answer {
    answer(reference::airports(query.as_deref()))
}

async fn show_airport(Path(id): Path<String>) -> Answer {
    answer(reference::airport(&id))
}

async fn suggest_places(RawQuery(query): RawQuery) -> Answer {
    answer(reference::suggestions(query.as_deref()))
}
