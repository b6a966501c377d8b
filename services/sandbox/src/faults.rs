//! Faults that a test switches on: a supplier that answers wrongly, late or not at all, before or
//! after the effect happened. Which request is hit is drawn from the fault's own seed, so a run repeats.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, StatusCode, header};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::chance;

/// How long a hanging request is kept open; every client has given up by then.
pub(crate) const HANG: Duration = Duration::from_secs(600);

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mode {
    /// No answer ever (10 minutes, unless the client leaves first).
    Hang,
    /// The connection is closed without an answer.
    Reset,
    #[serde(rename = "error_500")]
    Error500,
    #[serde(rename = "error_503")]
    Error503,
    /// 502 with an HTML page, as a proxy in front of the supplier would send.
    Html,
    /// The right status and `Content-Length`, but the connection closes in the middle of the body.
    Truncated,
    /// A right answer that lacks the keys which identify the thing, such as `id`.
    MissingKey,
    /// 429 with the supplier's headers and `Retry-After`.
    RateLimit,
    /// The right answer, `latency_ms` later.
    Latency,
    /// Every connection is closed without an answer, whatever the operation.
    Down,
    /// Orders cannot be seen until `latency_ms` after they were made.
    LateVisibility,
}

/// What the supplier is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Operation {
    Search,
    Price,
    Order,
    Retrieve,
    /// Both steps of a cancellation.
    Cancel,
    CancelQuote,
    CancelConfirm,
    Pay,
    Token,
    Places,
}

impl Operation {
    fn covers(self, asked: Operation) -> bool {
        self == asked
            || (self == Self::Cancel && matches!(asked, Self::CancelQuote | Self::CancelConfirm))
    }

    /// Operations that change something at the supplier.
    pub(crate) fn has_effect(self) -> bool {
        matches!(
            self,
            Self::Order | Self::CancelQuote | Self::CancelConfirm | Self::Pay
        )
    }
}

/// When a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum When {
    /// The supplier does nothing.
    Before,
    /// The effect happened and stands in the journal; only the answer goes wrong. Requests that have
    /// no effect (a refused order, a cancellation's quote) are spared.
    AfterCommit,
}

/// A fault as it is switched on and listed.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Fault {
    pub(crate) supplier: String,
    /// Absent: every operation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) operation: Option<Operation>,
    pub(crate) mode: Mode,
    pub(crate) when: When,
    pub(crate) probability: f64,
    /// How many more requests are hit; absent: no end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) count: Option<u64>,
    pub(crate) latency_ms: u64,
    pub(crate) seed: u64,
}

/// The body of `PUT /_control/faults/{supplier}`.
#[derive(Debug, ToSchema)]
#[allow(
    dead_code,
    reason = "describes the body in the OpenAPI document; parsing names the bad field"
)]
pub(crate) struct FaultBody {
    /// Absent: every operation.
    operation: Option<Operation>,
    mode: Mode,
    /// Default `before`.
    when: Option<When>,
    /// 0 to 1, default 1.
    probability: Option<f64>,
    /// How many requests are hit; default: no end.
    count: Option<u64>,
    /// Default 1000 for `latency`, 5000 for `late_visibility`; without meaning elsewhere.
    latency_ms: Option<u64>,
    /// Seed of the draw, default 0.
    seed: Option<u64>,
}

/// A field that was refused, and why.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadField {
    pub(crate) field: String,
    pub(crate) message: String,
}

const FIELDS: [&str; 7] = [
    "operation",
    "mode",
    "when",
    "probability",
    "count",
    "latency_ms",
    "seed",
];

impl Fault {
    /// Reads the body of `PUT /_control/faults/{supplier}`.
    ///
    /// # Errors
    /// The first field that is unknown, missing or has a value that is none of its values.
    pub(crate) fn parse(supplier: &str, body: &[u8]) -> Result<Self, BadField> {
        let bad = |field: &str, message: String| BadField {
            field: field.to_owned(),
            message,
        };
        let map: Map<String, Value> = serde_json::from_slice(body)
            .map_err(|error| bad("", format!("the body is no JSON object: {error}")))?;
        if let Some(unknown) = map.keys().find(|key| !FIELDS.contains(&key.as_str())) {
            return Err(bad(unknown, format!("unknown field; known are {FIELDS:?}")));
        }
        let mode: Mode =
            field(&map, "mode")?.ok_or_else(|| bad("mode", "is required".to_owned()))?;
        let probability: f64 = field(&map, "probability")?.unwrap_or(1.0);
        if !(0.0..=1.0).contains(&probability) {
            return Err(bad("probability", "must lie between 0 and 1".to_owned()));
        }
        let latency = match mode {
            Mode::LateVisibility => 5_000,
            _ => 1_000,
        };
        Ok(Self {
            supplier: supplier.to_owned(),
            operation: field(&map, "operation")?,
            mode,
            when: field(&map, "when")?.unwrap_or(When::Before),
            probability,
            count: field(&map, "count")?,
            latency_ms: field(&map, "latency_ms")?.unwrap_or(latency),
            seed: field(&map, "seed")?.unwrap_or(0),
        })
    }
}

fn field<T: DeserializeOwned>(map: &Map<String, Value>, name: &str) -> Result<Option<T>, BadField> {
    match map.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => T::deserialize(value).map(Some).map_err(|error| BadField {
            field: name.to_owned(),
            message: error.to_string(),
        }),
    }
}

/// The faults that are on.
#[derive(Default)]
pub(crate) struct Faults(Mutex<Vec<Active>>);

struct Active {
    fault: Fault,
    chance: u64,
}

impl Faults {
    pub(crate) fn add(&self, fault: Fault) {
        let chance = fault.seed;
        self.lock().push(Active { fault, chance });
    }

    pub(crate) fn list(&self) -> Vec<Fault> {
        self.lock()
            .iter()
            .map(|active| active.fault.clone())
            .collect()
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    /// The delay and the failure, if any, that strike this request at this moment.
    pub(crate) fn strike(
        &self,
        supplier: &str,
        operation: Option<Operation>,
        when: When,
    ) -> (Duration, Option<Mode>) {
        let mut delay = Duration::ZERO;
        for active in self.lock().iter_mut() {
            let fault = &active.fault;
            let down = fault.mode == Mode::Down && when == When::Before;
            let due = down || (fault.when == when && fault.mode != Mode::Down);
            if fault.mode == Mode::LateVisibility || !due || !active.hits(supplier, operation) {
                continue;
            }
            if active.fault.mode == Mode::Latency {
                delay += Duration::from_millis(active.fault.latency_ms);
            } else {
                return (delay, Some(active.fault.mode));
            }
        }
        (delay, None)
    }

    /// How long an order that is made now (`Operation::Order`), or every order that is asked for now
    /// (`Operation::Retrieve`), stays unseen after it was made.
    pub(crate) fn lag(&self, supplier: &str, operation: Operation) -> Duration {
        self.lock()
            .iter_mut()
            .filter(|active| active.fault.mode == Mode::LateVisibility)
            .filter(|active| active.fault.operation.is_some() || operation == Operation::Order)
            .filter_map(|active| {
                active
                    .hits(supplier, Some(operation))
                    .then_some(Duration::from_millis(active.fault.latency_ms))
            })
            .max()
            .unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Active>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Active {
    fn hits(&mut self, supplier: &str, operation: Option<Operation>) -> bool {
        let asked = match (self.fault.operation, operation) {
            (None, _) => true,
            (Some(meant), Some(asked)) => meant.covers(asked),
            (Some(_), None) => false,
        };
        if self.fault.supplier != supplier || !asked || self.fault.count == Some(0) {
            return false;
        }
        let drawn = u32::try_from(chance::next(&mut self.chance) >> 32).unwrap_or(u32::MAX);
        if f64::from(drawn) / f64::from(u32::MAX) > self.fault.probability {
            return false;
        }
        if self.fault.probability == 0.0 {
            return false;
        }
        if let Some(count) = self.fault.count.as_mut() {
            *count -= 1;
        }
        true
    }
}

/// An answer that makes the server close the connection before a byte of it is sent: hyper asks for
/// the body before it writes the head, and a body that fails ends the connection.
pub(crate) fn reset() -> Response {
    Response::new(Body::from_stream(stream::iter([Err::<Bytes, _>(
        std::io::Error::from(std::io::ErrorKind::ConnectionReset),
    )])))
}

/// The answer with its true head, and a connection that closes after half of the body.
pub(crate) fn truncate(answer: Response, body: &Bytes) -> Response {
    let (mut head, _) = answer.into_parts();
    head.headers
        .insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    let half = body.slice(..body.len() / 2);
    let broken = stream::unfold(Some(half), |next| async move {
        match next {
            Some(half) if !half.is_empty() => Some((Ok(half), Some(Bytes::new()))),
            _ => {
                // hyper sends what it has when the body pauses; without the pause nothing would go out.
                tokio::time::sleep(Duration::from_millis(20)).await;
                Some((
                    Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset)),
                    None,
                ))
            }
        }
    });
    Response::from_parts(head, Body::from_stream(broken))
}

/// A proxy's error page.
pub(crate) fn html() -> Response {
    let mut answer = Response::new(Body::from(
        "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n",
    ));
    *answer.status_mut() = StatusCode::BAD_GATEWAY;
    answer.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    answer
}

/// Takes the keys that identify a thing out of an answer: out of its top level, of the things that the
/// top level names, and of lists of things there.
pub(crate) fn strip_keys(body: &mut Value, keys: &[&str]) {
    fn strip(thing: &mut Value, keys: &[&str], depth: u8) {
        match thing {
            Value::Array(things) => {
                for thing in things {
                    strip(thing, keys, depth);
                }
            }
            Value::Object(map) => {
                for key in keys {
                    map.remove(*key);
                }
                if depth > 0 {
                    for inner in map.values_mut() {
                        strip(inner, keys, depth - 1);
                    }
                }
            }
            _ => {}
        }
    }
    strip(body, keys, 1);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(body: &str) -> Result<Fault, BadField> {
        Fault::parse("duffel", body.as_bytes())
    }

    #[test]
    fn a_refusal_names_the_field() {
        for (body, field) in [
            (r#"{"mode":"explode"}"#, "mode"),
            (r#"{}"#, "mode"),
            (r#"{"mode":"hang","operation":"dance"}"#, "operation"),
            (r#"{"mode":"hang","when":"later"}"#, "when"),
            (r#"{"mode":"hang","probability":1.5}"#, "probability"),
            (r#"{"mode":"hang","count":-1}"#, "count"),
            (r#"{"mode":"hang","colour":"red"}"#, "colour"),
        ] {
            assert_eq!(fault(body).unwrap_err().field, field, "{body}");
        }
    }

    #[test]
    fn a_fault_strikes_as_often_as_it_says_and_the_same_requests_again() {
        let run = || {
            let faults = Faults::default();
            let body =
                r#"{"mode":"reset","operation":"cancel","probability":0.5,"count":4,"seed":9}"#;
            faults.add(fault(body).unwrap());
            (0..50)
                .map(|_| {
                    let asked = Some(Operation::CancelConfirm);
                    faults.strike("duffel", asked, When::Before).1.is_some()
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(run().iter().filter(|hit| **hit).count(), 4);
        assert_eq!(run(), run());
        let faults = Faults::default();
        faults.add(fault(r#"{"mode":"reset","operation":"cancel"}"#).unwrap());
        let other = faults.strike("duffel", Some(Operation::Order), When::Before);
        assert_eq!(other.1, None);
    }
}
