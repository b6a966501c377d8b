//! A router as the engine's connections call it.

use std::pin::Pin;

use axum::Router;
use axum::body::Body;
use http::{Request, Response};
use http_engine::{Incoming, Outgoing, Peer, Refusal, Service};
use telemetry::Correlation;
use tower::ServiceExt as _;
use travel_types::Clock;

use crate::error::{ApiError, ErrorCode, codes};

/// Answers by a router.
pub(crate) struct Answering {
    router: Router,
    clock: Clock,
}

impl Answering {
    pub(crate) fn new(router: Router, clock: Clock) -> Self {
        Self { router, clock }
    }
}

impl Service for Answering {
    fn call(
        &self,
        request: Request<Incoming>,
        _: Peer,
    ) -> Pin<Box<dyn Future<Output = Response<Outgoing>> + Send>> {
        let answered = self.router.clone().oneshot(request.map(Body::new));
        Box::pin(async move {
            let Ok(response) = answered.await;
            response.map(Outgoing::stream)
        })
    }

    fn refuse(&self, refusal: Refusal) -> Response<Outgoing> {
        let correlation = Correlation::new();
        let rendered = refused(refusal).render(&correlation, &self.clock, false, "");
        rendered.map(Outgoing::stream)
    }
}

/// The error that says why a message was no request.
pub fn refused(refusal: Refusal) -> ApiError {
    let code = code(refusal.status.as_u16());
    ApiError::new(code).message(format!(
        "The request was refused: {}. {}",
        refusal.problem, code.remedy
    ))
}

fn code(status: u16) -> &'static ErrorCode {
    match status {
        408 => &codes::REQUEST_TIMEOUT,
        413 => &codes::BODY_TOO_LARGE,
        414 => &codes::TARGET_TOO_LONG,
        417 => &codes::EXPECTATION_FAILED,
        431 => &codes::HEADERS_TOO_LARGE,
        501 => &codes::NOT_IMPLEMENTED,
        505 => &codes::VERSION_NOT_SUPPORTED,
        _ => &codes::BAD_REQUEST,
    }
}
