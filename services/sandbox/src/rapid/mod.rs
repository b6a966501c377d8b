//! Expedia's Rapid API for lodging (version 3) under `/rapid`, as its specification and WIRE §3 have
//! it: the table of its endpoints. What is its own about every request is in `front`.

mod answer;
mod booking;
mod content;
mod front;
mod manage;
mod places;
mod query;
mod rates;
mod shop;
mod state;
mod token;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::routing::{get, post};
use http::HeaderMap;
use serde_json::Value;

use answer::{Answered, Problem, wrong};
use state::Rapid;

use crate::answer::Answer;
use crate::faults::Faults;
use crate::journal::Journal;
use crate::supplier::Simulator;

type Desk = State<Arc<Rapid>>;

/// The simulator.
pub(crate) fn simulator(
    options: &crate::Options,
    journal: &Arc<Journal>,
    faults: &Arc<Faults>,
) -> Arc<dyn Simulator> {
    Arc::new(Rapid::new(options, journal, faults))
}

/// All paths below `/rapid`.
fn routes(rapid: Arc<Rapid>) -> Router {
    Router::new()
        .route("/v3/regions", get(regions))
        .route("/v3/properties/geography", post(geography))
        .route("/v3/properties/content", get(property_content))
        .route("/v3/properties/availability", get(availability))
        .route("/v3/properties/{property}/availability", get(additional))
        .route(
            "/v3/properties/{property}/payment-options",
            get(payment_options),
        )
        .route(
            "/v3/properties/{property}/rooms/{room}/rates/{rate}",
            get(price_check),
        )
        .route("/v3/itineraries", get(find).post(book))
        .route(
            "/v3/itineraries/{itinerary}",
            get(retrieve).put(resume).delete(cancel),
        )
        .route(
            "/v3/itineraries/{itinerary}/rooms/{room}",
            axum::routing::delete(cancel_room),
        )
        .fallback(async || Answer::from(Problem::no_path()))
        .method_not_allowed_fallback(async || Answer::from(Problem::no_path()))
        .with_state(rapid)
}

fn answer(answered: Answered) -> Answer {
    answered.unwrap_or_else(Answer::from)
}

fn json(body: &Bytes) -> Result<Value, Problem> {
    serde_json::from_slice(body).map_err(|_| {
        let message = "The request body could not be read as JSON.";
        Problem::invalid(vec![wrong("invalid_json", message, Vec::new())])
    })
}

/// The value of the header `Test`, which asks for an outcome.
fn test(headers: &HeaderMap) -> Option<&str> {
    headers.get("test").and_then(|value| value.to_str().ok())
}

async fn regions(State(rapid): Desk, RawQuery(query): RawQuery) -> Answer {
    answer(places::regions(&rapid, query.as_deref()))
}

async fn geography(State(rapid): Desk, RawQuery(query): RawQuery, body: Bytes) -> Answer {
    answer(json(&body).and_then(|body| places::geography(&rapid, query.as_deref(), &body)))
}

async fn property_content(
    State(rapid): Desk,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    let host = headers.get("host").and_then(|host| host.to_str().ok());
    answer(content::show(
        &rapid,
        query.as_deref(),
        host.unwrap_or_default(),
    ))
}

async fn availability(State(rapid): Desk, RawQuery(query): RawQuery, headers: HeaderMap) -> Answer {
    answer(shop::availability(&rapid, query.as_deref(), test(&headers)))
}

async fn additional(
    State(rapid): Desk,
    Path(property): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer {
    answer(shop::more(&rapid, &property, query.as_deref()))
}

async fn payment_options(
    State(rapid): Desk,
    Path(property): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer {
    answer(shop::payment_options(&rapid, &property, query.as_deref()))
}

async fn price_check(
    State(rapid): Desk,
    Path((property, room, rate)): Path<(String, String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    answer(shop::check(
        &rapid,
        (&property, &room, &rate),
        query.as_deref(),
        test(&headers),
    ))
}

async fn book(
    State(rapid): Desk,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    match json(&body) {
        Ok(body) => answer(booking::create(&rapid, query.as_deref(), test(&headers), &body).await),
        Err(problem) => problem.into(),
    }
}

async fn find(State(rapid): Desk, RawQuery(query): RawQuery, headers: HeaderMap) -> Answer {
    answer(manage::list(&rapid, query.as_deref(), test(&headers)))
}

async fn retrieve(
    State(rapid): Desk,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    answer(manage::show(&rapid, &id, query.as_deref(), test(&headers)))
}

async fn resume(
    State(rapid): Desk,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    answer(booking::resume(&rapid, &id, query.as_deref(), test(&headers)).await)
}

async fn cancel(
    State(rapid): Desk,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    answer(manage::cancel(&rapid, &id, None, query.as_deref(), test(&headers)).await)
}

async fn cancel_room(
    State(rapid): Desk,
    Path((id, room)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    answer(manage::cancel(&rapid, &id, Some(&room), query.as_deref(), test(&headers)).await)
}
