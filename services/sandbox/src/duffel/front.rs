//! What is Duffel's own about every request: which operation it is, credentials and version, and the
//! headers of every answer.

use std::sync::Arc;

use axum::Router;
use http::Method;
use http::request::Parts;

use super::platform;
use super::state::Duffel;
use crate::answer::Answer;
use crate::faults::Operation;
use crate::journal::Line;
use crate::supplier::{Failure, Office, Simulator};

impl Simulator for Duffel {
    fn office(&self) -> &Office {
        &self.office
    }

    fn routes(self: Arc<Self>) -> Router {
        super::routes(self)
    }

    fn operation(&self, method: &Method, path: &str) -> Option<Operation> {
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let post = method == Method::POST;
        match parts.as_slice() {
            ["air", "offer_requests", ..] | ["air", "offers"] => Some(Operation::Search),
            ["air", "offers", ..] => Some(Operation::Price),
            ["air", "orders"] if post => Some(Operation::Order),
            ["air", "orders" | "airline_initiated_changes", ..] => Some(Operation::Retrieve),
            ["air", "order_cancellations"] if post => Some(Operation::CancelQuote),
            ["air", "order_cancellations", _, "actions", ..] => Some(Operation::CancelConfirm),
            ["air", "order_cancellations", ..] => Some(Operation::Retrieve),
            ["air", "payments"] => Some(Operation::Pay),
            ["places", ..] => Some(Operation::Places),
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
        &["id", "booking_reference"]
    }

    fn replay(&self, line: &Line) -> Result<(), serde_json::Error> {
        self.redo(line)
    }

    fn reset(&self) {
        self.forget();
    }
}
