//! What every Amadeus API has in common: OAuth 2 tokens, `{"errors":[…]}`, the media type, and records
//! (PNRs) that are found by their locator and listed in the queues of the office.
//!
//! Retrieval by record locator and the office's queues are endpoints of Amadeus Enterprise whose answer
//! shapes are not public. Theirs here are an assumption, made of the public shapes: a record found by
//! its locator is shown as the order is, and a queue lists `associatedRecords`.

mod ledger;
mod names;
mod params;
mod problem;
mod records;
mod token;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::request::Parts;
use serde_json::Value;

use crate::answer::{Answer, Content};
use crate::faults::Faults;
use crate::journal::Journal;
use crate::supplier::{Failure, Office};

pub(crate) use ledger::{Cancelled, Order};
pub(crate) use names::{Name, of_name};
pub(crate) use params::Params;
pub(crate) use problem::{Answered, Problem, Source, answer, json};
pub(crate) use records::{New, client_reference, created, creation_date, data};

use ledger::Ledger;
use token::Tokens;

/// Amadeus's own media type; it is sent whatever the request accepts.
const MEDIA_TYPE: &str = "application/vnd.amadeus+json";

/// Where a token is asked for.
pub(crate) const TOKEN_PATH: &str = "/v1/security/oauth2/token";

/// One Amadeus API as its simulators work with it.
pub(crate) struct Platform {
    pub(crate) office: Office,
    tokens: Tokens,
    ledger: Mutex<Ledger>,
    cancelled: Cancelled,
}

impl Platform {
    /// `capacity` tells how many units an inventory item has at first; `cancelled` what a cancelled
    /// order looks like.
    pub(crate) fn new(
        name: &'static str,
        example_item: &'static str,
        capacity: fn(u64, &str) -> u32,
        cancelled: Cancelled,
        options: &crate::Options,
        journal: &Arc<Journal>,
        faults: &Arc<Faults>,
    ) -> Self {
        Self {
            office: Office::new(name, example_item, capacity, options, journal, faults),
            tokens: Tokens::new(options.seed, options.token_life),
            ledger: Mutex::default(),
            cancelled,
        }
    }

    /// Checks the bearer token; the token endpoint itself needs none. `ama-Client-Ref` may be left out.
    ///
    /// # Errors
    /// 401 without a valid token, 429 beyond the promise.
    pub(crate) fn admit(&self, request: &Parts) -> Result<(), Problem> {
        if self.office.over_limit() {
            return Err(Problem::rate_limit());
        }
        if request.uri.path().ends_with(TOKEN_PATH) {
            return Ok(());
        }
        let header = request.headers.get(http::header::AUTHORIZATION);
        let token = header
            .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "))
            .ok_or_else(Problem::no_authorization)?;
        if self.tokens.holds(token.trim(), self.office.clock.now()) {
            Ok(())
        } else {
            Err(Problem::invalid_token())
        }
    }

    /// `POST /v1/security/oauth2/token`.
    pub(crate) fn issue_token(&self, body: &[u8]) -> Answer {
        self.tokens.issue(body, &self.office.clock)
    }

    /// The supplier's words for a failure.
    pub(crate) fn failure(failure: Failure) -> Answer {
        match failure {
            Failure::Internal => Problem::internal(),
            Failure::Unavailable => Problem::unavailable(),
            Failure::RateLimit => Problem::rate_limit(),
        }
        .into()
    }

    /// Adds the headers of every answer.
    pub(crate) fn finish(&self, answer: &mut Answer) {
        self.office.count_request();
        if answer.status == http::StatusCode::TOO_MANY_REQUESTS {
            // The promise is one of tens of requests a second: the next second is another.
            answer.headers.push(("retry-after", "1".to_owned()));
        }
        let typed = answer
            .headers
            .iter()
            .any(|(name, _)| *name == "content-type");
        if matches!(answer.body, Content::Json(_)) && !typed {
            answer.headers.push(("content-type", MEDIA_TYPE.to_owned()));
        }
    }

    /// Forgets orders and tokens.
    pub(crate) fn forget(&self) {
        *self.ledger() = Ledger::default();
        self.tokens.forget();
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Refuses a search by POST that does not say that it only reads: `X-HTTP-Method-Override: GET` is a
/// required header in the specification.
///
/// # Errors
/// 32171, the header is missing or says something else.
pub(crate) fn reads_only(request: &Parts) -> Result<(), Problem> {
    let header = request.headers.get("x-http-method-override");
    if header.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"GET")) {
        return Ok(());
    }
    Err(Problem::missing(Source::Parameter(
        "X-HTTP-Method-Override".to_owned(),
    )))
}

/// The texts of a JSON list; none for anything else.
pub(crate) fn list<'a>(value: Option<&'a Value>) -> impl Iterator<Item = &'a Value> + use<'a> {
    value.and_then(Value::as_array).into_iter().flatten()
}

/// Puts a member into an object.
pub(crate) fn insert(value: &mut Value, key: &str, inner: Value) {
    if let Some(map) = value.as_object_mut() {
        map.insert(key.to_owned(), inner);
    }
}
