//! From what a supplier did to what the caller is told, and answers that can be given again.

use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use service_kit::error::codes;
use service_kit::{ApiError, Cx};
use storage::idempotency::StoredAnswer;
use supplier_client::{Retry, Sent, SupplierError, SupplierErrorKind};
use tracing::error;

/// What the caller is told about a supplier's error. The supplier's own words go to the log; its code
/// goes to the caller, for support cases.
pub(crate) fn supplier_failure(supplier: &str, failure: &SupplierError) -> ApiError {
    use SupplierErrorKind as Kind;
    let code = match failure.kind {
        Kind::OfferExpired | Kind::NotFound => &codes::OFFER_EXPIRED,
        Kind::SoldOut => &codes::SOLD_OUT,
        Kind::PriceChanged => &codes::PRICE_CHANGED,
        Kind::Refused | Kind::PaymentRefused | Kind::InvalidRequest => &codes::SUPPLIER_REFUSED,
        Kind::NotSupported => &codes::NOT_SUPPORTED,
        Kind::RateLimited => &codes::SERVICE_UNAVAILABLE,
        Kind::Timeout => &codes::SUPPLIER_TIMEOUT,
        Kind::Unavailable => &codes::SUPPLIER_UNAVAILABLE,
        Kind::NotAuthorised | Kind::Protocol | Kind::OutcomeUnknown => &codes::SUPPLIER_ERROR,
    };
    let mut answer = ApiError::new(code).because(failure);
    let mut details = serde_json::json!({ "supplier": supplier });
    if let (Some(facts), Some(own)) = (details.as_object_mut(), &failure.code) {
        facts.insert("supplier_code".to_owned(), own.clone().into());
    }
    answer = answer.details(details);
    match (failure.kind, failure.retry) {
        (Kind::RateLimited | Kind::Unavailable, Retry::After(wait)) => answer.retry_after(wait),
        (Kind::RateLimited | Kind::Unavailable, _) => answer.retry_after(Duration::from_secs(1)),
        _ => answer,
    }
}

/// Whether the supplier may have done what it was asked to do although the call failed.
pub(crate) fn may_have_acted(failure: &SupplierError) -> bool {
    failure.kind == SupplierErrorKind::OutcomeUnknown || failure.sent == Sent::Maybe
}

/// Headers that belong to an answer and are given again with it.
const KEPT: [HeaderName; 3] = [header::CONTENT_TYPE, header::LOCATION, header::RETRY_AFTER];

/// An answer in the form in which it is kept for its key.
pub(crate) async fn keep(
    cx: &Cx,
    problem_json: bool,
    path: &str,
    answer: Result<Response, ApiError>,
) -> StoredAnswer {
    let response = answer.unwrap_or_else(|failure| {
        if failure.status().is_server_error() {
            error!(
                code = failure.code(),
                cause = failure.cause().unwrap_or_default(),
                "request failed"
            );
        }
        failure.render(&cx.correlation, &cx.clock, problem_json, path)
    });
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, 4 << 20)
        .await
        .unwrap_or_default();
    StoredAnswer {
        status: parts.status.as_u16(),
        headers: KEPT
            .iter()
            .filter_map(|name| {
                let value = parts.headers.get(name)?.to_str().ok()?;
                Some((name.to_string(), value.to_owned()))
            })
            .collect(),
        body: String::from_utf8(body.to_vec()).unwrap_or_default(),
    }
}

/// Gives a kept answer, for the first time or again.
pub(crate) fn give(answer: StoredAnswer, replayed: bool) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, Body::from(answer.body)).into_response();
    let headers = response.headers_mut();
    for (name, value) in &answer.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    }
    if replayed {
        headers.insert("idempotent-replayed", HeaderValue::from_static("true"));
    }
    response
}
