//! The routes of administrators.

use auth::{Permission, Role};
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use service_kit::openapi::ErrorBody;
use service_kit::{
    ApiError, Caller, Cx, Envelope, Need, NoBody, Params, Routes, StrictJson, one_of, routes, whole,
};
use storage::to_micros;
use travel_types::{FieldErrors, UserId};
use utoipa::ToSchema;

use super::{Filter, Listed};
use crate::Auth;
use crate::accounts::normalise;
use crate::routes::with_cache_control;

/// Who may.
const NEED: Need = Need::Permission(Permission::UsersWrite);

/// The roles of people; `service` is for machine clients.
const ROLES: &[(&str, Role)] = &[
    ("traveller", Role::Traveller),
    ("agent", Role::Agent),
    ("support", Role::Support),
    ("admin", Role::Admin),
];
const STATUSES: &[(&str, &str)] = &[
    ("active", "active"),
    ("deleted", "deleted"),
    ("erased", "erased"),
];

pub(crate) fn routes() -> Routes<Auth> {
    Routes::default()
        .route(NEED, routes!(list_users))
        .route(NEED, routes!(set_user_role))
        .route(NEED, routes!(delete_user))
}

/// A role to be given.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RoleChange {
    /// `traveller`, `agent`, `support` or `admin`.
    #[schema(example = "agent", pattern = "^(traveller|agent|support|admin)$")]
    role: String,
}

/// Lists accounts, newest first
#[utoipa::path(
    get, path = "/api/v1/auth/users", tag = "identity",
    params(
        ("role" = Option<String>, Query, description = "Only this role."),
        ("status" = Option<String>, Query, description = "Only `active`, `deleted` or `erased` ones."),
        ("email" = Option<String>, Query, description = "Only the account with exactly this address."),
        ("from" = Option<String>, Query, description = "Made at or after this RFC 3339 instant."),
        ("to" = Option<String>, Query, description = "Made before this RFC 3339 instant."),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 100, description = "Accounts per page, 20 if not given."),
        ("cursor" = Option<String>, Query, description = "`meta.next_cursor` of the page before.")
    ),
    responses(
        (status = 200, description = "A page of accounts; `meta.next_cursor` is null on the last one.", body = Envelope<Vec<Listed>>),
        (status = 400, description = "A parameter is unknown or stands twice.", body = ErrorBody),
        (status = 401, description = "No valid credentials.", body = ErrorBody),
        (status = 403, description = "The permission is missing.", body = ErrorBody),
        (status = 422, description = "A parameter cannot be right.", body = ErrorBody),
        (status = 503, description = "The store is down; try again after Retry-After.", body = ErrorBody),
    )
)]
async fn list_users(
    cx: Cx,
    _: Caller,
    State(auth): State<Auth>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let known = ["role", "status", "email", "from", "to", "limit", "cursor"];
    let mut params = Params::read(query.as_deref(), &known)?;
    let filter = Filter {
        role: params.optional("role", one_of(ROLES)),
        status: params
            .optional("status", one_of(STATUSES))
            .map(str::to_owned),
        email: params.optional("email", |text| Ok(normalise(text))),
        from: params.optional("from", instant),
        to: params.optional("to", instant),
    };
    let limit = params.optional("limit", whole(1, 100)).unwrap_or(20);
    let after = params.optional("cursor", read_cursor);
    params.finish()?;
    let (users, more) = auth.users.list(&filter, after, limit).await?;
    let last = users.last().filter(|_| more).map(cursor);
    let meta = std::iter::once(("next_cursor".to_owned(), last.into())).collect();
    let response = cx.success(StatusCode::OK, users, meta)?;
    Ok(with_cache_control(response, "private, no-store"))
}

/// Gives an account another role
///
/// Its access tokens end within a second; refreshed, they allow what the new role does.
#[utoipa::path(
    post, path = "/api/v1/auth/users/{id}/role", tag = "identity",
    params(("id" = UserId, Path, description = "The account.")),
    request_body = RoleChange,
    responses(
        (status = 200, description = "The account as it is now.", body = Envelope<Listed>),
        (status = 400, description = "The body is not the JSON that is asked for.", body = ErrorBody),
        (status = 401, description = "No valid credentials.", body = ErrorBody),
        (status = 403, description = "The permission is missing.", body = ErrorBody),
        (status = 404, description = "There is no such active account.", body = ErrorBody),
        (status = 409, description = "It is the last administrator.", body = ErrorBody),
        (status = 413, description = "The body is larger than allowed.", body = ErrorBody),
        (status = 415, description = "The body is not application/json.", body = ErrorBody),
        (status = 422, description = "There is no such role.", body = ErrorBody),
        (status = 503, description = "The store is down; try again after Retry-After.", body = ErrorBody),
    )
)]
async fn set_user_role(
    cx: Cx,
    caller: Caller,
    State(auth): State<Auth>,
    Path(id): Path<String>,
    StrictJson { value, .. }: StrictJson<RoleChange>,
) -> Result<Response, ApiError> {
    let role = one_of(ROLES)(&value.role).map_err(|words| {
        let mut fields = FieldErrors::new();
        fields.add("role", "INVALID", words);
        ApiError::invalid(fields)
    })?;
    let users = &auth.users;
    let user = users.set_role(&cx, caller.subject(), &id, role).await?;
    Ok(with_cache_control(cx.ok(user)?, "private, no-store"))
}

/// Deletes an account
///
/// Nobody logs in with it any more, and its log-ins end within a second. What it did stays.
#[utoipa::path(
    delete, path = "/api/v1/auth/users/{id}", tag = "identity",
    params(("id" = UserId, Path, description = "The account.")),
    responses(
        (status = 204, description = "It is deleted."),
        (status = 400, description = "The body is neither absent nor an empty object.", body = ErrorBody),
        (status = 401, description = "No valid credentials.", body = ErrorBody),
        (status = 403, description = "The permission is missing.", body = ErrorBody),
        (status = 404, description = "There is no such active account.", body = ErrorBody),
        (status = 409, description = "It is the last administrator.", body = ErrorBody),
        (status = 503, description = "The store is down; try again after Retry-After.", body = ErrorBody),
    )
)]
async fn delete_user(
    cx: Cx,
    caller: Caller,
    State(auth): State<Auth>,
    Path(id): Path<String>,
    _: NoBody,
) -> Result<Response, ApiError> {
    auth.users.delete(&cx, caller.subject(), &id).await?;
    Ok(with_cache_control(
        StatusCode::NO_CONTENT.into_response(),
        "private, no-store",
    ))
}

fn instant(text: &str) -> Result<Timestamp, String> {
    text.parse()
        .map_err(|_| "must be an instant such as 2026-12-01T10:30:00Z".to_owned())
}

/// A place in the list: when its last account was made, and which it is.
fn cursor(last: &Listed) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}:{}", to_micros(last.created_at), last.id))
}

fn read_cursor(text: &str) -> Result<(i64, UserId), String> {
    let place = URL_SAFE_NO_PAD
        .decode(text.get(..128).unwrap_or(text))
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    place
        .as_deref()
        .and_then(|place| place.split_once(':'))
        .and_then(|(at, id)| Some((at.parse().ok()?, id.parse().ok()?)))
        .ok_or_else(|| "must be a next_cursor of an earlier answer".to_owned())
}
