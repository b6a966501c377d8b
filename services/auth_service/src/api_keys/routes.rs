//! The owners' routes for their API keys.

use auth::{Permission, Role};
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use http::StatusCode;
use jiff::Timestamp;
use personal_data::Vault;
use serde::{Deserialize, Serialize};
use serde_json::json;
use service_kit::error::codes;
use service_kit::openapi::ErrorBody;
use service_kit::{
    ApiError, Caller, Cx, Envelope, Need, Params, Routes, StrictJson, routes, whole,
};
use storage::{Db, StoreError};
use travel_types::FieldErrors;
use utoipa::{IntoParams, ToSchema};

use super::key::{ApiKeyId, NewKey};
use super::store::{self, ApiKey};
use super::verify;
use crate::actions::Action;
use crate::oauth::scope;
use crate::revocations::Kind;
use crate::routes::with_cache_control;
use crate::sessions::hash_of;
use crate::{Auth, internal};

/// The longest name.
const LONGEST_NAME: usize = 100;
/// The most keys of one account.
const MOST_KEYS: i64 = 100;
/// The class of keys that nobody asked another one for.
const STANDARD: &str = "standard";

/// The routes.
pub(crate) fn routes() -> Routes<Auth> {
    Routes::default()
        .route(Need::Login, routes!(list, create))
        .route(Need::Login, routes!(delete))
        .internal(
            Need::Public,
            "/internal/api-keys/verify",
            post(verify::verify),
        )
}

/// A key that is to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewApiKey {
    /// The owner's name for it.
    #[schema(min_length = 1, max_length = 100, example = "Nightly price report")]
    name: String,
    /// The permissions that it has: some of those of the owner's role.
    #[schema(min_items = 1, example = json!(["offers:read"]))]
    scopes: Vec<String>,
    /// From when on it is worth nothing. Without: until it is deleted.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// How much may be asked with it: `standard`, or what an administrator gives.
    #[serde(default)]
    #[schema(example = "standard", pattern = "^[a-z][a-z0-9_]{0,31}$")]
    rate_class: Option<String>,
}

/// An API key.
#[derive(Serialize, ToSchema)]
pub(crate) struct ApiKeyView {
    /// Its id.
    #[schema(value_type = String)]
    id: ApiKeyId,
    /// The key, for the header `X-API-Key`: shown here and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// What the key begins with.
    #[schema(example = "ilk_0f1e2d3c4b5a")]
    prefix: String,
    /// The owner's name for it.
    name: String,
    /// The permissions that it has, as far as the owner's role still has them.
    #[schema(value_type = Vec<String>)]
    scopes: Vec<&'static str>,
    /// How much may be asked with it.
    #[schema(example = "standard")]
    rate_class: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// From when on it is worth nothing. Null: until it is deleted.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// When it was used last, to the minute. Null: never.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
}

impl ApiKeyView {
    fn of(key: ApiKey, name: String, text: Option<String>) -> Self {
        Self {
            id: key.id,
            key: text,
            prefix: format!("ilk_{}", key.prefix),
            name,
            scopes: key.scopes.iter().map(|one| one.as_str()).collect(),
            rate_class: key.rate_class,
            created_at: key.created_at,
            expires_at: key.expires_at,
            last_used_at: key.last_used_at,
        }
    }
}

/// Which part of the list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "the description of the parameters")]
struct ListQuery {
    /// Most entries of one answer.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u32>,
    /// `meta.next_cursor` of the answer before.
    cursor: Option<String>,
}

/// A key that may be made.
struct Wanted {
    name: String,
    scopes: Vec<Permission>,
    expires_at: Option<Timestamp>,
    rate_class: String,
}

impl NewApiKey {
    fn check(self, role: Role, now: Timestamp) -> Result<Wanted, ApiError> {
        let mut fields = FieldErrors::new();
        let name = self.name.trim().to_owned();
        let named = (1..=LONGEST_NAME).contains(&name.chars().count());
        fields.check(
            named && !name.chars().any(char::is_control),
            "name",
            "INVALID",
            "must have 1 to 100 characters, none of them a control character",
        );
        let mut scopes = Vec::new();
        for (n, name) in self.scopes.iter().enumerate() {
            let permission = name.parse::<Permission>().ok();
            match permission.filter(|one| role.permissions().contains(one)) {
                Some(permission) => scopes.push(permission),
                None => fields.add(
                    format!("scopes[{n}]"),
                    "INVALID",
                    "must be a permission that your role has",
                ),
            }
        }
        fields.check(
            !self.scopes.is_empty(),
            "scopes",
            "INVALID",
            "must name at least one permission",
        );
        fields.check(
            self.expires_at.is_none_or(|at| at > now),
            "expires_at",
            "INVALID",
            "must lie in the future",
        );
        let rate_class = self.rate_class.unwrap_or_else(|| STANDARD.to_owned());
        let word = rate_class.bytes().enumerate().all(|(n, byte)| {
            byte.is_ascii_lowercase() || n > 0 && (byte.is_ascii_digit() || byte == b'_')
        });
        fields.check(
            word && (1..=32).contains(&rate_class.len()),
            "rate_class",
            "INVALID",
            "must be the name of a class, such as standard",
        );
        fields.check(
            rate_class == STANDARD || role == Role::Admin,
            "rate_class",
            "INVALID",
            "must be standard: only administrators give other classes",
        );
        fields.or(())?;
        Ok(Wanted {
            name,
            scopes: scope::stored(&scope::written(&scopes)),
            expires_at: self.expires_at,
            rate_class,
        })
    }
}

/// Makes an API key
///
/// The key is in this answer and nowhere else: only a hash of it is kept. It is sent as `X-API-Key`, in
/// the place of an access token, and cannot do what needs a person's own log-in.
#[utoipa::path(
    post, path = "/api/v1/auth/api-keys", operation_id = "create_api_key", tag = "identity",
    request_body = NewApiKey,
    responses(
        (status = 201, description = "The key.", body = Envelope<ApiKeyView>),
        (status = 400, description = "The body is not the JSON that is asked for.", body = ErrorBody),
        (status = 401, description = "No valid credentials.", body = ErrorBody),
        (status = 403, description = "This needs a person's own log-in.", body = ErrorBody),
        (status = 409, description = "The account has as many keys as it may.", body = ErrorBody),
        (status = 413, description = "The body is larger than allowed.", body = ErrorBody),
        (status = 415, description = "The body is not application/json.", body = ErrorBody),
        (status = 422, description = "A field cannot be right.", body = ErrorBody),
        (status = 503, description = "The store is down; try again after Retry-After.", body = ErrorBody),
    )
)]
async fn create(
    cx: Cx,
    caller: Caller,
    State(auth): State<Auth>,
    StrictJson { value, .. }: StrictJson<NewApiKey>,
) -> Result<Response, ApiError> {
    let record = Action::of(&caller, &cx, "api_key_create");
    // The role of now, not that of the token.
    let owner = auth.sessions.accounts.with_id(caller.subject()).await?;
    let owner = owner.ok_or_else(|| ApiError::new(&codes::UNAUTHENTICATED))?;
    let wanted = value.check(owner.role, cx.clock.now())?;
    let new = NewKey::random().map_err(internal)?;
    let mut tx = auth.sessions.db.begin().await?;
    if store::count(&mut tx, caller.subject()).await? >= MOST_KEYS {
        tx.rollback().await?;
        let record = record.with(json!({"reason": "too_many"})).failed();
        auth.audit_log.append_alone(&record).await?;
        return Err(ApiError::new(&codes::CONFLICT)
            .message("There are 100 API keys already. Delete those that are not used."));
    }
    let sealed_name = auth
        .vault
        .seal(&mut tx, caller.subject(), &wanted.name)
        .await
        .map_err(StoreError::from)?;
    let key = ApiKey {
        id: ApiKeyId::new(&cx.clock),
        owner: caller.subject().to_owned(),
        hash: hash_of(&new.text),
        prefix: new.prefix,
        sealed_name,
        scopes: wanted.scopes,
        rate_class: wanted.rate_class,
        created_at: cx.clock.now(),
        expires_at: wanted.expires_at,
        last_used_at: None,
    };
    let details = json!({
        "scopes": scope::written(&key.scopes),
        "rate_class": key.rate_class,
        "expires_at": key.expires_at.map(|at| at.to_string()),
    });
    let record = record.on(key.id.to_string()).with(details).succeeded();
    store::insert(&mut tx, &key).await?;
    auth.audit_log.append(&mut tx, &record).await?;
    tx.commit().await?;
    let view = ApiKeyView::of(key, wanted.name, Some(new.text));
    let answer = cx.success(StatusCode::CREATED, view, serde_json::Map::new())?;
    Ok(with_cache_control(answer, "private, no-store"))
}

/// Lists one's own API keys
///
/// The newest first, without the keys themselves.
#[utoipa::path(
    get, path = "/api/v1/auth/api-keys", operation_id = "list_api_keys", tag = "identity", params(ListQuery),
    responses(
        (status = 200, description = "The keys.", body = Envelope<Vec<ApiKeyView>>),
        (status = 400, description = "A parameter is unknown or stands twice.", body = ErrorBody),
        (status = 401, description = "No valid credentials.", body = ErrorBody),
        (status = 403, description = "This needs a person's own log-in.", body = ErrorBody),
        (status = 422, description = "A parameter cannot be right.", body = ErrorBody),
        (status = 503, description = "The store is down; try again after Retry-After.", body = ErrorBody),
    )
)]
async fn list(
    cx: Cx,
    caller: Caller,
    State(auth): State<Auth>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let mut params = Params::read(query.as_deref(), &["limit", "cursor"])?;
    let limit = params.optional("limit", whole(1, 100));
    let cursor = params.optional("cursor", |text| {
        let id = text.parse::<ApiKeyId>();
        id.map_err(|_| "must be meta.next_cursor of an answer".to_owned())
    });
    params.finish()?;
    let limit = limit.unwrap_or(20);
    let before = cursor.map(|id| id.to_string());
    let (db, owner) = (&auth.sessions.db, caller.subject());
    let mut keys = store::page(db, owner, before.as_deref(), limit.saturating_add(1)).await?;
    let size = usize::try_from(limit).unwrap_or(100);
    let more = keys.len() > size;
    keys.truncate(size);
    let next = keys.last().filter(|_| more).map(|last| last.id);
    let views = opened(&auth.vault, keys).await?;
    let mut meta = serde_json::Map::new();
    meta.insert("next_cursor".to_owned(), json!(next));
    let answer = cx.success(StatusCode::OK, views, meta)?;
    Ok(with_cache_control(answer, "private, no-store"))
}

async fn opened(vault: &Vault, keys: Vec<ApiKey>) -> Result<Vec<ApiKeyView>, StoreError> {
    let sealed: Vec<(&str, &str)> = keys
        .iter()
        .map(|key| (key.owner.as_str(), key.sealed_name.as_str()))
        .collect();
    let names = vault.open_many(&sealed).await?;
    let views = keys.into_iter().zip(names);
    Ok(views
        .map(|(key, name)| ApiKeyView::of(key, name.unwrap_or_default(), None))
        .collect())
}

/// All keys of an account, the newest first, for its export.
pub(crate) async fn all_of(
    db: &Db,
    vault: &Vault,
    owner: &str,
) -> Result<Vec<ApiKeyView>, StoreError> {
    let most = u32::try_from(MOST_KEYS).unwrap_or(u32::MAX);
    opened(vault, store::page(db, owner, None, most).await?).await
}

/// Deletes one of one's own API keys
///
/// It is refused within a second.
#[utoipa::path(
    delete, path = "/api/v1/auth/api-keys/{id}", operation_id = "delete_api_key", tag = "identity",
    params(("id" = String, Path, description = "The key's id.")),
    responses(
        (status = 204, description = "It is deleted."),
        (status = 401, description = "No valid credentials.", body = ErrorBody),
        (status = 403, description = "This needs a person's own log-in.", body = ErrorBody),
        (status = 404, description = "The account has no such key.", body = ErrorBody),
        (status = 503, description = "The store is down; try again after Retry-After.", body = ErrorBody),
    )
)]
async fn delete(
    cx: Cx,
    caller: Caller,
    State(auth): State<Auth>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let record = Action::of(&caller, &cx, "api_key_delete");
    let known = id.parse::<ApiKeyId>().is_ok();
    let mut tx = auth.sessions.db.begin().await?;
    if !known || !store::delete(&mut tx, caller.subject(), &id).await? {
        tx.rollback().await?;
        let record = record.with(json!({"reason": "not_found"})).failed();
        auth.audit_log.append_alone(&record).await?;
        return Err(ApiError::new(&codes::NOT_FOUND));
    }
    let record = record.on(id.clone()).succeeded();
    let seq = auth.audit_log.append(&mut tx, &record).await?;
    auth.revocations
        .announce(&mut tx, seq, Kind::ApiKey, &[id])
        .await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
