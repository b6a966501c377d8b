//! What a simulator's endpoint answers, before the front has added the supplier's headers and the
//! faults have spoiled it.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::StatusCode;
use serde_json::Value;

use crate::scenario::Name;

/// What goes wrong with a right answer because the buyer asked for it (API.md §6).
#[derive(Clone, Copy, Debug)]
pub(crate) enum Twist {
    Hang,
    ServerError,
    Slow(Duration),
}

impl Twist {
    /// What a family name does to the answer of an order that was made.
    pub(crate) fn of(name: Option<Name>, slow: Duration) -> Option<Self> {
        match name? {
            Name::Timeout => Some(Self::Hang),
            Name::Error500 => Some(Self::ServerError),
            Name::Slow => Some(Self::Slow(slow)),
            Name::SoldOut | Name::PriceChange | Name::Refused => None,
        }
    }
}

/// An answer on its way to the front.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Content,
    /// Headers beside those that the front and [`crate::supplier::Simulator::finish`] set.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// Something now stands in the journal.
    pub(crate) committed: bool,
    pub(crate) twist: Option<Twist>,
}

#[derive(Clone, Debug)]
pub(crate) enum Content {
    Empty,
    Json(Value),
    /// Anything else, with its media type.
    Other(&'static str, Bytes),
}

impl Answer {
    /// A JSON body.
    pub(crate) fn json(status: StatusCode, body: Value) -> Self {
        Self::new(status, Content::Json(body))
    }

    /// No body, such as 204.
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self::new(status, Content::Empty)
    }

    pub(crate) fn new(status: StatusCode, body: Content) -> Self {
        Self {
            status,
            body,
            headers: Vec::new(),
            committed: false,
            twist: None,
        }
    }

    /// Says that an effect was written to the journal for this answer.
    pub(crate) fn committed(mut self, twist: Option<Twist>) -> Self {
        self.committed = true;
        self.twist = twist;
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// Travels to the front as an extension: only the front knows the headers and the faults.
impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = Response::default();
        response.extensions_mut().insert(self);
        response
    }
}
