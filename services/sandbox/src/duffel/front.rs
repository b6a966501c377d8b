//! What every Duffel request passes through, from outside in: faults that strike before, credentials
//! and version, the endpoint itself, faults that strike after, and the headers of every answer.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use jiff::Timestamp;

use super::answer::{Answer, Content, Problem, Twist};
use super::state::{Duffel, NAME};
use crate::faults::{self, HANG, Mode, Operation, When};

/// Wraps every endpoint of the simulator.
pub(crate) async fn front(
    State(duffel): State<Arc<Duffel>>,
    request: Request,
    next: Next,
) -> Response {
    let operation = operation(request.method(), request.uri().path());
    let (delay, fault) = duffel.faults.strike(NAME, operation, When::Before);
    pause(delay).await;
    if let Some(mode) = fault.filter(|mode| !wants_answer(*mode)) {
        return fail(&duffel, mode).await;
    }
    let mut answer = match admit(&duffel, request.headers()) {
        Err(problem) => Answer::from(problem),
        // In a task of its own, so that a client that leaves cannot stop an order half-way.
        Ok(()) => match tokio::spawn(next.run(request)).await {
            Ok(mut response) => response
                .extensions_mut()
                .remove::<Answer>()
                .unwrap_or_else(|| Problem::bad_json().into()),
            Err(_) => Problem::internal().into(),
        },
    };
    let struck = match operation {
        Some(operation) if operation.has_effect() => answer.committed,
        _ => answer.status.is_success(),
    };
    let (delay, after) = if struck {
        duffel.faults.strike(NAME, operation, When::AfterCommit)
    } else {
        (Duration::ZERO, None)
    };
    pause(delay).await;
    match answer.twist {
        None => {}
        Some(Twist::Slow(delay)) => pause(delay).await,
        Some(Twist::Hang) => return fail(&duffel, Mode::Hang).await,
        Some(Twist::ServerError) => return fail(&duffel, Mode::Error500).await,
    }
    // A fault that spoils a right answer leaves an error as it is.
    let spoil = fault.filter(|_| answer.status.is_success());
    match spoil.or(after) {
        None => render(&duffel, &answer).0,
        Some(Mode::Truncated) => {
            let (response, body) = render(&duffel, &answer);
            faults::truncate(response, &body)
        }
        Some(Mode::MissingKey) => {
            if let Content::Json(body) = &mut answer.body {
                faults::strip_keys(body);
            }
            render(&duffel, &answer).0
        }
        Some(mode) => fail(&duffel, mode).await,
    }
}

/// Which operation of the fault table a request is; reference data other than places has none.
fn operation(method: &Method, path: &str) -> Option<Operation> {
    // Nested routers see the path without the prefix, a middleware outside of them sees all of it.
    let path = path.strip_prefix("/duffel").unwrap_or(path);
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

fn wants_answer(mode: Mode) -> bool {
    matches!(mode, Mode::Truncated | Mode::MissingKey)
}

async fn pause(delay: Duration) {
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
}

async fn fail(duffel: &Duffel, mode: Mode) -> Response {
    match mode {
        Mode::Hang => {
            tokio::time::sleep(HANG).await;
            faults::reset()
        }
        Mode::Error500 => render(duffel, &Problem::internal().into()).0,
        Mode::Error503 => render(duffel, &Problem::unavailable().into()).0,
        Mode::RateLimit => render(duffel, &Problem::rate_limit().into()).0,
        Mode::Html => faults::html(),
        Mode::Reset
        | Mode::Down
        | Mode::Truncated
        | Mode::MissingKey
        | Mode::Latency
        | Mode::LateVisibility => faults::reset(),
    }
}

fn admit(duffel: &Duffel, headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let authorization = text("authorization").ok_or_else(Problem::no_authorization)?;
    let token = authorization.strip_prefix("Bearer ").map(str::trim);
    if !token.is_some_and(|token| token.starts_with("duffel_")) {
        return Err(Problem::unknown_token());
    }
    match text("duffel-version") {
        None | Some("") => return Err(Problem::no_version()),
        Some("v2") => {}
        Some(_) => return Err(Problem::unknown_version()),
    }
    if duffel.enforce_rate_limit && used(duffel) >= duffel.rate_limit {
        return Err(Problem::rate_limit());
    }
    Ok(())
}

/// Requests answered so far in the present minute.
fn used(duffel: &Duffel) -> u32 {
    let minute = duffel.clock.now().as_second() / 60;
    let window = duffel.window.lock().unwrap_or_else(PoisonError::into_inner);
    if window.0 == minute { window.1 } else { 0 }
}

/// The answer with its headers, and its body for those who want to send only half of it.
fn render(duffel: &Duffel, answer: &Answer) -> (Response, Bytes) {
    let now = duffel.clock.now();
    let request_id = duffel.ids.request(now);
    let body = answer.bytes(&request_id);
    let mut response = Response::new(Body::from(body.clone()));
    *response.status_mut() = answer.status;
    let minute = now.as_second() / 60;
    let remaining = {
        let mut window = duffel.window.lock().unwrap_or_else(PoisonError::into_inner);
        if window.0 != minute {
            *window = (minute, 0);
        }
        window.1 = window.1.saturating_add(1);
        let left = duffel.rate_limit.saturating_sub(window.1);
        // A limit that is not enforced must not look used up: a careful client would wait.
        if duffel.enforce_rate_limit {
            left
        } else {
            left.max(1)
        }
    };
    let reset = Timestamp::from_second((minute + 1) * 60).unwrap_or(now);
    let headers = response.headers_mut();
    let mut set = |name: &'static str, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    };
    set("content-type", "application/json; charset=utf-8".to_owned());
    set("x-request-id", request_id);
    set("ratelimit-limit", duffel.rate_limit.to_string());
    set("ratelimit-remaining", remaining.to_string());
    set(
        "ratelimit-reset",
        reset.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string(),
    );
    if answer.status == StatusCode::TOO_MANY_REQUESTS {
        let wait = (minute + 1) * 60 - now.as_second();
        headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.max(1)));
        headers.insert("ratelimit-remaining", HeaderValue::from(0));
    }
    (response, body)
}
