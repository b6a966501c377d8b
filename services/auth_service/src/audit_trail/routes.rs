//! The routes of the audit log.

use std::time::Duration;

use audit::Filter;
use auth::Permission;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde_json::{Map, Value};
use service_kit::openapi::ErrorBody;
use service_kit::{ApiError, Caller, Cx, Envelope, Need, Params, Routes, one_of, routes, whole};

use super::entry::{AuditEntry, entries};
use super::verifying::{Answer, Running, Verification};
use crate::Auth;
use crate::routes::with_cache_control;

/// Time that is kept for sending the answer.
const MARGIN: Duration = Duration::from_millis(500);

pub(crate) fn routes() -> Routes<Auth> {
    let need = Need::Permission(Permission::AuditRead);
    Routes::default()
        .route(need, routes!(search))
        .route(need, routes!(verify))
}

/// Searches the audit log
#[utoipa::path(
    get, path = "/api/v1/auth/audit-logs", tag = "identity",
    operation_id = "search_audit_logs",
    params(
        ("user_id" = Option<String>, Query, min_length = 1, max_length = 128, pattern = "^[!-~]+$", description = "What this one did, and what was done to this one."),
        ("action" = Option<String>, Query, pattern = "^[a-z_]{1,64}$", description = "What was done, e.g. `login`."),
        ("status" = Option<String>, Query, pattern = "^(success|failure)$", description = "`success` or `failure`."),
        ("from" = Option<String>, Query, description = "At this instant or later: RFC 3339, or a date, which means its beginning in UTC."),
        ("to" = Option<String>, Query, description = "Before this instant: RFC 3339, or a date, which means its beginning in UTC."),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 100, description = "1 to 100, 20 by default."),
        ("cursor" = Option<String>, Query, pattern = "^[0-9]{1,18}$", description = "`meta.next_cursor` of the page before."),
    ),
    responses(
        (status = 200, description = "Newest first.", body = Envelope<Vec<AuditEntry>>),
        (status = 400, description = "An unknown or repeated parameter.", body = ErrorBody),
        (status = 401, description = "No valid credentials.", body = ErrorBody),
        (status = 403, description = "The permission audit:read is missing.", body = ErrorBody),
        (status = 422, description = "A parameter breaks a rule.", body = ErrorBody),
        (status = 503, description = "The store is down; try again after Retry-After.", body = ErrorBody),
    )
)]
async fn search(
    cx: Cx,
    State(auth): State<Auth>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let known = [
        "user_id", "action", "status", "from", "to", "limit", "cursor",
    ];
    let mut params = Params::read(query.as_deref(), &known)?;
    let filter = Filter {
        user_id: params.optional("user_id", |text| visible(text, 128)),
        action: params.optional("action", action),
        succeeded: params.optional("status", one_of(&[("success", true), ("failure", false)])),
        from: params.optional("from", instant),
        to: params.optional("to", instant),
    };
    let limit = params.optional("limit", whole(1, 100)).unwrap_or(20);
    let before = params.optional("cursor", cursor);
    params.finish()?;
    let trail = &auth.audit_trail;
    let mut records = trail.log.search(&filter, before, limit + 1).await?;
    let more = records.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    if more {
        records.pop();
    }
    let next = records.last().filter(|_| more);
    let next = next.map_or(Value::Null, |record| record.seq.to_string().into());
    let meta = Map::from_iter([("next_cursor".to_owned(), next)]);
    let entries = entries(&trail.vault, records).await?;
    let answer = cx.success(StatusCode::OK, entries, meta)?;
    Ok(with_cache_control(answer, "private, no-store"))
}

/// Verifies the audit log
///
/// A log that takes longer than a few seconds is verified on after the answer, which is then a 202 that
/// says how far it is. Ask again for the result.
#[utoipa::path(
    get, path = "/api/v1/auth/audit-logs/verify", tag = "identity",
    operation_id = "verify_audit_logs",
    responses(
        (status = 200, description = "What was found.", body = Envelope<Verification>),
        (status = 202, description = "It takes longer; ask again after Retry-After.", body = Envelope<Running>),
        (status = 400, description = "An unknown parameter.", body = ErrorBody),
        (status = 401, description = "No valid credentials.", body = ErrorBody),
        (status = 403, description = "The permission audit:read is missing.", body = ErrorBody),
        (status = 503, description = "The store is down; try again after Retry-After.", body = ErrorBody),
    )
)]
async fn verify(
    cx: Cx,
    caller: Caller,
    State(auth): State<Auth>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    Params::read(query.as_deref(), &[])?.finish()?;
    let trail = &auth.audit_trail;
    let patience = trail
        .patience
        .min(cx.deadline.left().saturating_sub(MARGIN));
    let request_id = cx.correlation.request_id();
    let answer = trail
        .verifier
        .verify(caller.subject(), request_id, patience)
        .await?;
    let mut answer = match answer {
        Answer::Done(found) => cx.ok(found)?,
        Answer::Running(running) => {
            let mut answer = cx.success(StatusCode::ACCEPTED, running, Map::new())?;
            let wait = HeaderValue::from_static("2");
            answer.headers_mut().insert(header::RETRY_AFTER, wait);
            answer
        }
    };
    let no_store = HeaderValue::from_static("private, no-store");
    answer.headers_mut().insert(header::CACHE_CONTROL, no_store);
    Ok(answer)
}

fn visible(text: &str, longest: usize) -> Result<String, String> {
    let fits = (1..=longest).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    match fits {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "must be an id of 1 to {longest} visible ASCII characters"
        )),
    }
}

fn action(text: &str) -> Result<String, String> {
    let fits =
        (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    match fits {
        true => Ok(text.to_owned()),
        false => Err("must be the name of an action, e.g. login".to_owned()),
    }
}

fn instant(text: &str) -> Result<Timestamp, String> {
    let midnight = |date: Date| date.to_zoned(TimeZone::UTC).ok().map(|day| day.timestamp());
    let date = Some(text).filter(|text| text.len() == 10);
    text.parse()
        .ok()
        .or_else(|| date.and_then(|text| text.parse().ok()).and_then(midnight))
        .ok_or_else(|| {
            "must be an instant such as 2026-12-01T10:30:00Z, or a date such as 2026-12-01"
                .to_owned()
        })
}

fn cursor(text: &str) -> Result<u64, String> {
    Some(text)
        .filter(|text| (1..=18).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()))
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| "must be a next_cursor of an earlier answer".to_owned())
}
