//! What is the same in all of Duffel's APIs: the shapes of answers and errors, ids, paging, credentials
//! and version, and the headers of every answer.

mod answer;
mod ids;
mod paging;

use http::StatusCode;
use http::request::Parts;
use jiff::Timestamp;
use serde_json::{Map, Value};

pub(crate) use answer::{Answered, Problem, created, ok};
pub(crate) use ids::Ids;
pub(crate) use paging::{Params, page};

use crate::answer::{Answer, Content};
use crate::supplier::{Failure, Office};

/// The buyer's own reference in an order's metadata; the journal names it.
const CLIENT_REFERENCE: &str = "interline_order_id";

/// Checks the token, the version and, if it is enforced, the rate limit.
///
/// # Errors
/// Duffel's refusal.
pub(crate) fn admit(office: &Office, request: &Parts) -> Result<(), Answer> {
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
    if office.over_limit() {
        return Err(Problem::rate_limit().into());
    }
    Ok(())
}

/// Duffel's words for a failure.
pub(crate) fn failure(failure: Failure) -> Answer {
    match failure {
        Failure::Internal => Problem::internal(),
        Failure::Unavailable => Problem::unavailable(),
        Failure::RateLimit => Problem::rate_limit(),
    }
    .into()
}

/// Adds the request id and the rate-limit headers.
pub(crate) fn finish(office: &Office, ids: &Ids, answer: &mut Answer) {
    let now = office.clock.now();
    let request_id = ids.request(now);
    if let Content::Json(body) = &mut answer.body
        && let Some(meta) = body.pointer_mut("/meta/request_id")
    {
        *meta = Value::from(request_id.as_str());
    }
    let limited = answer.status == StatusCode::TOO_MANY_REQUESTS;
    let left = office.count_request();
    let reset = office.next_minute();
    let wait = (reset.as_second() - now.as_second()).max(1);
    let mut set = |name, value: String| answer.headers.push((name, value));
    set("content-type", "application/json; charset=utf-8".to_owned());
    set("x-request-id", request_id);
    set("ratelimit-limit", office.rate_limit.to_string());
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

/// `2021-12-20T11:40:14.121574Z`.
pub(crate) fn instant(at: Timestamp) -> String {
    format!("{at:.6}")
}

/// `metadata`: at most 50 keys of 40 characters with values of 500 (Duffel, "Create an order").
pub(crate) fn metadata(data: &Map<String, Value>) -> Result<Value, Problem> {
    let Some(metadata) = data.get("metadata").filter(|value| !value.is_null()) else {
        return Ok(Value::Null);
    };
    let fits = metadata.as_object().is_some_and(|map| {
        map.len() <= 50
            && map.iter().all(|(key, value)| {
                key.chars().count() <= 40
                    && value
                        .as_str()
                        .is_some_and(|text| text.chars().count() <= 500)
            })
    });
    if fits {
        Ok(metadata.clone())
    } else {
        let message = "must have at most 50 keys of 40 characters with texts of 500";
        Err(Problem::format("/metadata", message))
    }
}

/// The buyer's own reference: the one under Interline's key, else the first.
pub(crate) fn client_reference(metadata: &Value) -> Option<String> {
    let map = metadata.as_object()?;
    let value = map.get(CLIENT_REFERENCE).or_else(|| map.values().next())?;
    value.as_str().map(str::to_owned)
}
