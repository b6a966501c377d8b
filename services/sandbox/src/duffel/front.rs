//! What is Duffel's own about every request: which operation it is, credentials and version, and the
//! headers of every answer.

use std::sync::Arc;

use axum::Router;
use http::request::Parts;
use http::{Method, StatusCode};
use serde_json::Value;

use super::answer::Problem;
use super::state::Duffel;
use crate::answer::{Answer, Content};
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
        let text = |name: &str| {
            let value = request.headers.get(name);
            value.and_then(|value| value.to_str().ok())
        };
        let authorization = text("authorization").ok_or_else(Problem::no_authorization)?;
        let token = authorization.strip_prefix("Bearer ").map(str::trim);
        if !token.is_some_and(|token| token.starts_with("duffel_")) {
            return Err(Problem::unknown_token().into());
        }
        match text("duffel-version") {
            None | Some("") => return Err(Problem::no_version().into()),
            Some("v2") => {}
            Some(_) => return Err(Problem::unknown_version().into()),
        }
        if self.office.over_limit() {
            return Err(Problem::rate_limit().into());
        }
        Ok(())
    }

    fn failure(&self, failure: Failure) -> Answer {
        match failure {
            Failure::Internal => Problem::internal(),
            Failure::Unavailable => Problem::unavailable(),
            Failure::RateLimit => Problem::rate_limit(),
        }
        .into()
    }

    fn finish(&self, answer: &mut Answer) {
        let now = self.office.clock.now();
        let request_id = self.ids.request(now);
        if let Content::Json(body) = &mut answer.body
            && let Some(meta) = body.pointer_mut("/meta/request_id")
        {
            *meta = Value::from(request_id.as_str());
        }
        let limited = answer.status == StatusCode::TOO_MANY_REQUESTS;
        let left = self.office.count_request();
        let reset = self.office.next_minute();
        let wait = (reset.as_second() - now.as_second()).max(1);
        let mut set = |name, value: String| answer.headers.push((name, value));
        set("content-type", "application/json; charset=utf-8".to_owned());
        set("x-request-id", request_id);
        set("ratelimit-limit", self.office.rate_limit.to_string());
        set(
            "ratelimit-remaining",
            if limited { 0 } else { left }.to_string(),
        );
        set(
            "ratelimit-reset",
            reset.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string(),
        );
        if limited {
            set("retry-after", wait.to_string());
        }
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
