//! A wire that answers from a script, for the tests of adapters: bytes in, bytes out, no socket. It
//! judges each answer with a [`Classifier`] exactly as [`crate::ApiClient`] does, without repeating.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::classify::{Classifier, by_status, settle};
use crate::error::{Sent, SupplierError, SupplierErrorKind};
use crate::wire::{WireRequest, WireResponse};
use crate::{CallCx, Transport};

enum Reply {
    Answer {
        status: u16,
        headers: HeaderMap,
        body: Bytes,
    },
    Error(SupplierError),
}

/// A [`Transport`] that expects requests in a given order.
pub struct ScriptedWire {
    steps: Mutex<VecDeque<(String, Reply)>>,
    requests: Mutex<Vec<WireRequest>>,
    classifier: Classifier,
}

impl ScriptedWire {
    /// One step a line: the expected method and path (`"GET /air/offers"`, without query), and the
    /// status and body to answer with.
    pub fn new<B: Into<Bytes>>(script: Vec<(&str, u16, B)>) -> Self {
        let steps = script
            .into_iter()
            .map(|(expected, status, body)| {
                let reply = Reply::Answer {
                    status,
                    headers: HeaderMap::new(),
                    body: body.into(),
                };
                (expected.to_owned(), reply)
            })
            .collect();
        Self {
            steps: Mutex::new(steps),
            requests: Mutex::new(Vec::new()),
            classifier: by_status,
        }
    }

    /// The same with the adapter's own classifier in place of [`by_status`].
    #[must_use]
    pub fn classified(mut self, classifier: Classifier) -> Self {
        self.classifier = classifier;
        self
    }

    /// One more step, which answers with headers.
    #[must_use]
    pub fn then(
        self,
        expected: &str,
        status: u16,
        headers: &[(&'static str, &'static str)],
        body: impl Into<Bytes>,
    ) -> Self {
        let headers = headers
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect();
        let reply = Reply::Answer {
            status,
            headers,
            body: body.into(),
        };
        lock(&self.steps).push_back((expected.to_owned(), reply));
        self
    }

    /// One more step, which fails as the client fails (a time-out, an unknown outcome).
    #[must_use]
    pub fn then_error(self, expected: &str, error: SupplierError) -> Self {
        lock(&self.steps).push_back((expected.to_owned(), Reply::Error(error)));
        self
    }

    /// The requests so far, the unexpected ones included.
    pub fn requests(&self) -> Vec<WireRequest> {
        lock(&self.requests).clone()
    }

    /// The expectations that nobody has met yet; a test asserts that this is empty.
    pub fn unmet(&self) -> Vec<String> {
        let steps = lock(&self.steps);
        steps.iter().map(|(expected, _)| expected.clone()).collect()
    }
}

#[async_trait]
impl Transport for ScriptedWire {
    async fn call(&self, _: &CallCx, request: WireRequest) -> Result<WireResponse, SupplierError> {
        let got = format!("{} {}", request.method(), request.path());
        lock(&self.requests).push(request.clone());
        let step = lock(&self.steps).pop_front();
        let unexpected = |expected: &str| {
            let detail = format!("scripted wire: expected {expected}, got {got}");
            SupplierError::new(SupplierErrorKind::InvalidRequest, detail).with_sent(Sent::No)
        };
        match step {
            None => Err(unexpected("no further request")),
            Some((expected, _)) if expected != got => Err(unexpected(&expected)),
            Some((_, Reply::Error(error))) => Err(error),
            Some((
                expected,
                Reply::Answer {
                    status,
                    headers,
                    body,
                },
            )) => {
                let status = StatusCode::from_u16(status).map_err(|_| {
                    unexpected(&format!("a real status, not {status}, after {expected}"))
                })?;
                let response = WireResponse::new(&request, status, headers, body);
                let verdict = (self.classifier)(&request, &response);
                settle(&request, response, verdict, None)
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use telemetry::Correlation;
    use tokio::time::Instant;

    use super::*;
    use crate::Safety;

    fn cx() -> CallCx {
        CallCx::new(Instant::now() + Duration::from_secs(1), Correlation::new())
    }

    #[tokio::test]
    async fn it_answers_in_order_judges_as_the_client_does_and_records() {
        let lost = SupplierError::new(SupplierErrorKind::OutcomeUnknown, "lost");
        let wire = ScriptedWire::new(vec![
            ("GET /offers", 200, r#"{"id":1}"#),
            ("POST /orders", 422, "{}"),
            ("POST /orders", 502, "<html>"),
        ])
        .then("GET /orders", 429, &[("retry-after", "1")], "")
        .then_error("POST /orders", lost.clone());
        let get = |path| WireRequest::get("read", path);
        let order = || WireRequest::post("order", "/orders", Safety::Unsafe);
        let cx = cx();
        let offer = wire.call(&cx, get("/offers").query("limit", 2)).await;
        assert_eq!(&offer.unwrap().body[..], br#"{"id":1}"#);
        assert_eq!(wire.call(&cx, order()).await.unwrap().status, 422);
        let unknown = wire.call(&cx, order()).await.unwrap_err();
        assert_eq!(unknown.kind, SupplierErrorKind::OutcomeUnknown);
        assert_eq!(wire.unmet(), ["GET /orders", "POST /orders"]);
        let limited = wire.call(&cx, get("/orders")).await.unwrap_err();
        assert_eq!(limited.kind, SupplierErrorKind::RateLimited);
        assert_eq!(wire.call(&cx, order()).await.unwrap_err(), lost);
        assert!(wire.unmet().is_empty());
        assert_eq!(wire.requests().len(), 5);
        assert_eq!(
            wire.requests()[0].query_pairs(),
            [("limit".to_owned(), "2".to_owned())]
        );
    }

    #[tokio::test]
    async fn an_unexpected_request_is_named_beside_what_was_expected() {
        let wire = ScriptedWire::new(vec![("GET /offers", 200, "")]);
        for told in ["expected GET /offers, got GET /else", "no further request"] {
            let request = WireRequest::get("read", "/else");
            let error = wire.call(&cx(), request).await.unwrap_err();
            assert!(error.detail.contains(told), "{error}");
        }
    }
}
