//! What is Rapid's own about every request: which operation it is, the signature, required headers,
//! and the headers of every answer.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA512, digest};
use axum::Router;
use http::request::Parts;
use http::{Method, StatusCode};
use serde_json::Value;

use super::answer::{Problem, field, wrong};
use super::state::Rapid;
use crate::answer::Answer;
use crate::faults::Operation;
use crate::journal::Line;
use crate::supplier::{Failure, Office, Simulator};

/// How far a signature's clock can be from the supplier's, in seconds.
const WINDOW: i64 = 300;

impl Simulator for Rapid {
    fn office(&self) -> &Office {
        &self.office
    }

    fn routes(self: Arc<Self>) -> Router {
        super::routes(self)
    }

    fn operation(&self, method: &Method, path: &str) -> Option<Operation> {
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match parts.as_slice() {
            ["v3", "properties", "content" | "geography"] | ["v3", "regions", ..] => {
                Some(Operation::Places)
            }
            ["v3", "properties", .., "availability"] => Some(Operation::Search),
            ["v3", "properties", ..] => Some(Operation::Price),
            ["v3", "itineraries", ..] => match *method {
                Method::POST => Some(Operation::Order),
                Method::PUT => Some(Operation::Pay),
                Method::DELETE => Some(Operation::CancelConfirm),
                _ => Some(Operation::Retrieve),
            },
            _ => None,
        }
    }

    fn admit(&self, request: &Parts) -> Result<(), Answer> {
        let text = |name: &str| {
            let value = request.headers.get(name);
            value.and_then(|value| value.to_str().ok())
        };
        self.authenticate(text("authorization").unwrap_or_default())
            .map_err(|problem| {
                let example = "EAN apikey=<key>,signature=<signature>,timestamp=<timestamp>";
                Answer::from(problem).header("www-authenticate", example)
            })?;
        let mut errors = Vec::new();
        let mut need = |name: &str, wanted: &str| {
            let value = text(&name.to_ascii_lowercase()).unwrap_or_default();
            let kept = match wanted {
                "" => !value.is_empty(),
                _ => value.to_ascii_lowercase().contains(wanted),
            };
            if !kept {
                let kind = format!("{}.invalid", name.to_ascii_lowercase());
                let message = match wanted {
                    "" => format!("The {name} header is required."),
                    _ => format!("The {name} header must be {wanted}."),
                };
                errors.push(wrong(&kind, &message, vec![field(name, "header", value)]));
            }
        };
        need("Accept", "application/json");
        need("Accept-Encoding", "gzip");
        need("User-Agent", "");
        if request.uri.path().contains("/v3/itineraries") {
            need("Customer-Ip", "");
        }
        if request.method == Method::POST {
            need("Content-Type", "application/json");
        }
        if !errors.is_empty() {
            return Err(Problem::invalid(errors).into());
        }
        if self.office.over_limit() {
            return Err(Problem::too_many().into());
        }
        Ok(())
    }

    fn failure(&self, failure: Failure) -> Answer {
        match failure {
            Failure::Internal => Problem::internal(),
            Failure::Unavailable => Problem::unavailable(),
            Failure::RateLimit => Problem::too_many(),
        }
        .into()
    }

    fn finish(&self, answer: &mut Answer) {
        let now = self.office.clock.now();
        let left = self.office.count_request();
        let left = match answer.status {
            StatusCode::TOO_MANY_REQUESTS => 0,
            _ => (u64::from(left) * 100).div_ceil(u64::from(self.office.rate_limit.max(1))),
        };
        let day = 24 * 3600;
        let tomorrow = (now.as_second() / day + 1) * day * 1_000;
        let nonce = self.nonce();
        let mut set = |name, value: String| answer.headers.push((name, value));
        set("rate-limit-minute-remaining", left.to_string());
        let reset = self.office.next_minute().as_millisecond();
        set("rate-limit-minute-reset", reset.to_string());
        set("rate-limit-day-remaining", "99".to_owned());
        set("rate-limit-day-reset", tomorrow.to_string());
        set("rate-limit-reduction-status", "inactive".to_owned());
        set("region", "eu-west-1".to_owned());
        set("transaction-id", format!("{nonce:016x}"));
    }

    fn keys(&self) -> &'static [&'static str] {
        &["itinerary_id", "property_id", "id", "book"]
    }

    fn replay(&self, line: &Line) -> Result<(), serde_json::Error> {
        self.redo(line)
    }

    fn reset(&self) {
        self.forget();
    }
}

impl Rapid {
    /// `EAN apikey=…,signature=…,timestamp=…`, where the signature is the hexadecimal SHA-512 of key,
    /// shared secret and timestamp. A key begins with `rapid_`; its secret is the key and `_secret`.
    fn authenticate(&self, authorization: &str) -> Result<(), Problem> {
        let values = authorization.strip_prefix("EAN ").unwrap_or_default();
        let part = |name: &str| {
            let mut parts = values
                .split(',')
                .filter_map(|part| part.trim().split_once('='));
            let found = parts.find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map_or("", |(_, value)| value)
        };
        let (key, signature, stamp) = (part("apikey"), part("signature"), part("timestamp"));
        let now = self.office.clock.now().as_second();
        let secret = format!("{key}_secret");
        let hash = digest(&SHA512, format!("{key}{secret}{stamp}").as_bytes());
        let wanted = hex::encode(hash);
        let seconds = stamp.parse::<i64>().ok();
        let timely = seconds.is_some_and(|at| now.abs_diff(at) <= WINDOW.unsigned_abs());
        if key.starts_with("rapid_") && timely && signature.eq_ignore_ascii_case(&wanted) {
            return Ok(());
        }
        let shown = seconds.map_or(Value::from(stamp), Value::from);
        Err(Problem::unauthenticated(vec![
            field("apikey", "header", key),
            field("signature", "header", signature),
            field("timestamp", "header", shown),
            field("servertimestamp", "server", now),
        ]))
    }
}
