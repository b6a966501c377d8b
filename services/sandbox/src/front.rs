//! What every request to a simulator passes through, from outside in: faults that strike before,
//! credentials, the endpoint itself, faults that strike after, and the supplier's headers.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};

use crate::answer::{Answer, Content, Twist};
use crate::faults::{self, HANG, Mode, When};
use crate::supplier::{Failure, Simulator};

/// A simulator's endpoints behind its front.
pub(crate) fn behind(simulator: &Arc<dyn Simulator>) -> Router {
    Arc::clone(simulator)
        .routes()
        .layer(middleware::from_fn_with_state(Arc::clone(simulator), front))
}

async fn front(
    State(simulator): State<Arc<dyn Simulator>>,
    request: Request,
    next: Next,
) -> Response {
    let office = simulator.office();
    // Nested routers see the path without the prefix, a middleware outside of them sees all of it.
    let path = request.uri().path();
    let path = path
        .strip_prefix('/')
        .and_then(|path| path.strip_prefix(office.name))
        .unwrap_or(path);
    let operation = simulator.operation(request.method(), path);
    let (delay, fault) = office.faults.strike(office.name, operation, When::Before);
    pause(delay).await;
    if let Some(mode) = fault.filter(|mode| !wants_answer(*mode)) {
        return fail(&*simulator, mode).await;
    }
    let (parts, body) = request.into_parts();
    let mut answer = match simulator.admit(&parts) {
        Err(refusal) => refusal,
        // In a task of its own, so that a client that leaves cannot stop an order half-way.
        Ok(()) => match tokio::spawn(next.run(Request::from_parts(parts, body))).await {
            Ok(mut response) => response
                .extensions_mut()
                .remove::<Answer>()
                .unwrap_or_else(|| simulator.failure(Failure::Internal)),
            Err(_) => simulator.failure(Failure::Internal),
        },
    };
    let struck = match operation {
        Some(operation) if operation.has_effect() => answer.committed,
        _ => answer.status.is_success(),
    };
    let (delay, after) = if struck {
        office
            .faults
            .strike(office.name, operation, When::AfterCommit)
    } else {
        (Duration::ZERO, None)
    };
    pause(delay).await;
    match answer.twist {
        None => {}
        Some(Twist::Slow(delay)) => pause(delay).await,
        Some(Twist::Hang) => return fail(&*simulator, Mode::Hang).await,
        Some(Twist::ServerError) => return fail(&*simulator, Mode::Error500).await,
    }
    // A fault that spoils a right answer leaves an error as it is.
    let spoil = fault.filter(|_| answer.status.is_success());
    match spoil.or(after) {
        None => render(&*simulator, answer).0,
        Some(Mode::Truncated) => {
            let (response, body) = render(&*simulator, answer);
            faults::truncate(response, &body)
        }
        Some(Mode::MissingKey) => {
            if let Content::Json(body) = &mut answer.body {
                faults::strip_keys(body, simulator.keys());
            }
            render(&*simulator, answer).0
        }
        Some(mode) => fail(&*simulator, mode).await,
    }
}

fn wants_answer(mode: Mode) -> bool {
    matches!(mode, Mode::Truncated | Mode::MissingKey)
}

async fn pause(delay: Duration) {
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
}

async fn fail(simulator: &dyn Simulator, mode: Mode) -> Response {
    let failure = match mode {
        Mode::Hang => {
            tokio::time::sleep(HANG).await;
            return faults::reset();
        }
        Mode::Error500 => Failure::Internal,
        Mode::Error503 => Failure::Unavailable,
        Mode::RateLimit => Failure::RateLimit,
        Mode::Html => return faults::html(),
        Mode::Reset
        | Mode::Down
        | Mode::Truncated
        | Mode::MissingKey
        | Mode::Latency
        | Mode::LateVisibility => return faults::reset(),
    };
    render(simulator, simulator.failure(failure)).0
}

/// The answer with its headers, and its body for those who want to send only half of it.
fn render(simulator: &dyn Simulator, mut answer: Answer) -> (Response, Bytes) {
    simulator.finish(&mut answer);
    let (media_type, body) = match answer.body {
        Content::Empty => (None, Bytes::new()),
        Content::Json(value) => (
            Some("application/json"),
            Bytes::from(serde_json::to_vec(&value).unwrap_or_default()),
        ),
        Content::Other(media_type, bytes) => (Some(media_type), bytes),
    };
    let mut response = Response::new(Body::from(body.clone()));
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    if let Some(media_type) = media_type {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    }
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    (response, body)
}
