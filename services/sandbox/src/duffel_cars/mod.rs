//! Duffel's cars API (version v2) under `/duffel_cars`, with every key of the SDK's types (WIRE §1.6).
//! The SDK shows no list of bookings; the one here is Duffel's usual list, newest first, by cursor.

mod bookings;
mod problems;
mod quotes;
mod search;
mod state;
mod wire;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::routing::{get, post};
use http::request::Parts;
use http::{HeaderMap, Method};
use serde_json::{Map, Value};

use crate::answer::Answer;
use crate::duffel::platform::{self, Answered, Problem};
use crate::faults::{Faults, Operation};
use crate::journal::{Journal, Line};
use crate::supplier::{Failure, Office, Simulator};
use state::Cars;

type Desk = State<Arc<Cars>>;

/// The simulator.
pub(crate) fn simulator(
    options: &crate::Options,
    journal: &Arc<Journal>,
    faults: &Arc<Faults>,
) -> Arc<dyn Simulator> {
    Arc::new(Cars::new(options, journal, faults))
}

impl Simulator for Cars {
    fn office(&self) -> &Office {
        &self.office
    }

    fn routes(self: Arc<Self>) -> Router {
        Router::new()
            .route("/cars/search", post(create_search))
            .route("/cars/quotes", post(create_quote))
            .route("/cars/bookings", get(list_bookings).post(create_booking))
            .route("/cars/bookings/{id}", get(show_booking))
            .route("/cars/bookings/{id}/actions/cancel", post(cancel_booking))
            .fallback(async || Answer::from(Problem::not_found()))
            .method_not_allowed_fallback(async || Answer::from(Problem::not_found()))
            .with_state(self)
    }

    fn operation(&self, method: &Method, path: &str) -> Option<Operation> {
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match parts.as_slice() {
            ["cars", "search"] => Some(Operation::Search),
            ["cars", "quotes"] => Some(Operation::Price),
            ["cars", "bookings"] if method == Method::POST => Some(Operation::Order),
            ["cars", "bookings", _, "actions", ..] => Some(Operation::CancelConfirm),
            ["cars", "bookings", ..] => Some(Operation::Retrieve),
            _ => None,
        }
    }

    fn admit(&self, request: &Parts) -> Result<(), Answer> {
        platform::admit(&self.office, request)
    }

    fn failure(&self, failure: Failure) -> Answer {
        platform::failure(failure)
    }

    fn finish(&self, answer: &mut Answer) {
        platform::finish(&self.office, &self.ids, answer);
    }

    fn keys(&self) -> &'static [&'static str] {
        &["id", "reference"]
    }

    fn replay(&self, line: &Line) -> Result<(), serde_json::Error> {
        self.redo(line)
    }

    fn reset(&self) {
        self.forget();
    }
}

fn answer(answered: Answered) -> Answer {
    answered.unwrap_or_else(Answer::from)
}

/// The object under `data`.
fn data(body: &Bytes) -> Result<Map<String, Value>, Problem> {
    let mut body: Value = serde_json::from_slice(body).map_err(|_| Problem::bad_json())?;
    match body.get_mut("data").map(Value::take) {
        Some(Value::Object(data)) => Ok(data),
        _ => Err(Problem::required("/data")),
    }
}

/// A text that must be given.
fn text<'a>(map: &'a Map<String, Value>, name: &str, at: &str) -> Result<&'a str, Problem> {
    map.get(name)
        .and_then(Value::as_str)
        .filter(|text| !text.trim().is_empty())
        .ok_or_else(|| Problem::required(&format!("{at}/{name}")))
}

async fn create_search(State(cars): Desk, headers: HeaderMap, body: Bytes) -> Answer {
    let host = headers.get("host").and_then(|host| host.to_str().ok());
    answer(data(&body).and_then(|data| search::create(&cars, host.unwrap_or("localhost"), data)))
}

async fn create_quote(State(cars): Desk, body: Bytes) -> Answer {
    answer(data(&body).and_then(|data| quotes::create(&cars, &data)))
}

async fn create_booking(State(cars): Desk, body: Bytes) -> Answer {
    match data(&body) {
        Ok(data) => answer(bookings::create(&cars, &data).await),
        Err(problem) => problem.into(),
    }
}

async fn list_bookings(State(cars): Desk, RawQuery(query): RawQuery) -> Answer {
    answer(bookings::list(&cars, query.as_deref()))
}

async fn show_booking(State(cars): Desk, Path(id): Path<String>) -> Answer {
    answer(bookings::show(&cars, &id))
}

async fn cancel_booking(State(cars): Desk, Path(id): Path<String>) -> Answer {
    answer(bookings::cancel(&cars, &id).await)
}
