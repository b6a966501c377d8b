//! The administrators' routes for OAuth clients.

use auth::Permission;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use service_kit::error::codes;
use service_kit::openapi::ErrorBody;
use service_kit::{
    ApiError, Caller, Cx, Envelope, Need, NoBody, Params, Routes, StrictJson, routes, whole,
};
use travel_types::FieldErrors;
use utoipa::{IntoParams, ToSchema};

use super::model::{Client, ClientId, GrantType, Type, new_secret};
use super::store;
use crate::actions::Action;
use crate::oauth::{codes as oauth_codes, redirect_uri, scope};
use crate::revocations::Kind;
use crate::routes::with_cache_control;
use crate::sessions::{hash_of, random_id};
use crate::{Auth, internal};

/// The longest name, and the most redirect URIs.
const LONGEST_NAME: usize = 100;
const MOST_URIS: usize = 20;

/// The routes.
pub(crate) fn routes() -> Routes<Auth> {
    let admin = Need::Permission(Permission::ClientsWrite);
    Routes::default()
        .route(admin, routes!(list, create))
        .route(admin, routes!(delete))
        .route(admin, routes!(renew_secret))
}

/// A client that is to be registered.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewClient {
    /// Its name, as people who are asked to allow it see it.
    #[schema(min_length = 1, max_length = 100, example = "Trip Planner")]
    name: String,
    /// Whether it can keep a secret. Without: confidential.
    #[serde(default, rename = "type")]
    kind: Option<Type>,
    /// How it gets tokens. Without: `authorization_code` and `refresh_token` where there is a redirect
    /// URI, else `client_credentials`.
    #[serde(default)]
    grant_types: Option<Vec<GrantType>>,
    /// Where people are sent back to, to the letter: https, or for native applications http on
    /// 127.0.0.1 or [::1] with any port, or (public clients) a private scheme.
    #[serde(default)]
    #[schema(max_items = 20, example = json!(["https://planner.example/callback"]))]
    redirect_uris: Vec<String>,
    /// The permissions that it may ask for. A person never grants more than its own role has; for
    /// itself a client gets no more than the role `service` has.
    #[schema(min_items = 1, example = json!(["offers:read", "bookings:read"]))]
    scopes: Vec<String>,
}

/// A registered client.
#[derive(Serialize, ToSchema)]
pub(crate) struct ClientView {
    /// Its id.
    #[schema(value_type = String)]
    id: ClientId,
    /// The same under the name that OAuth gives it.
    #[schema(value_type = String)]
    client_id: ClientId,
    /// Its secret: shown here and never again. Null for a public client.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
    /// Its name.
    name: String,
    /// Whether it can keep a secret.
    #[serde(rename = "type")]
    kind: Type,
    /// How it gets tokens.
    grant_types: Vec<GrantType>,
    /// Where people are sent back to.
    redirect_uris: Vec<String>,
    /// What it may ask for.
    #[schema(value_type = Vec<String>)]
    scopes: Vec<&'static str>,
    /// When it was registered.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl ClientView {
    fn of(client: Client, client_secret: Option<String>) -> Self {
        Self {
            id: client.id,
            client_id: client.id,
            client_secret,
            name: client.name,
            kind: client.kind,
            grant_types: client.grant_types,
            redirect_uris: client.redirect_uris,
            scopes: client.scopes.iter().map(|one| one.as_str()).collect(),
            created_at: client.created_at,
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

impl NewClient {
    fn check(self, cx: &Cx) -> Result<Client, ApiError> {
        let mut fields = FieldErrors::new();
        let name = self.name.trim().to_owned();
        let named = (1..=LONGEST_NAME).contains(&name.chars().count());
        fields.check(
            named && !name.chars().any(char::is_control),
            "name",
            "INVALID",
            "must have 1 to 100 characters, none of them a control character",
        );
        let kind = self.kind.unwrap_or(Type::Confidential);
        let grant_types = self
            .grant_types
            .unwrap_or_else(|| match self.redirect_uris.is_empty() {
                true => vec![GrantType::ClientCredentials],
                false => vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
            });
        let uses = |grant| grant_types.contains(&grant);
        fields.check(
            !grant_types.is_empty(),
            "grant_types",
            "INVALID",
            "must name at least one",
        );
        fields.check(
            kind == Type::Confidential || !uses(GrantType::ClientCredentials),
            "grant_types",
            "INVALID",
            "must not hold client_credentials for a public client: it cannot prove who it is",
        );
        fields.check(
            !uses(GrantType::RefreshToken) || uses(GrantType::AuthorizationCode),
            "grant_types",
            "INVALID",
            "must hold authorization_code where it holds refresh_token",
        );
        fields.check(
            uses(GrantType::AuthorizationCode) != self.redirect_uris.is_empty()
                && self.redirect_uris.len() <= MOST_URIS,
            "redirect_uris",
            "INVALID",
            "must hold 1 to 20 for authorization_code, and none without it",
        );
        for (n, uri) in self.redirect_uris.iter().enumerate() {
            if let Err(rule) = redirect_uri::check(uri, kind == Type::Public) {
                fields.add(format!("redirect_uris[{n}]"), "INVALID", rule);
            }
        }
        let mut scopes = Vec::new();
        for (n, name) in self.scopes.iter().enumerate() {
            match name.parse::<Permission>() {
                Ok(permission) => scopes.push(permission),
                Err(_) => fields.add(
                    format!("scopes[{n}]"),
                    "INVALID",
                    "must be a permission such as offers:read",
                ),
            }
        }
        fields.check(
            !self.scopes.is_empty(),
            "scopes",
            "INVALID",
            "must name at least one permission",
        );
        fields.or(())?;
        Ok(Client {
            id: ClientId::new(&cx.clock),
            name,
            kind,
            secret_hash: None,
            scopes: scope::stored(&scope::written(&scopes)),
            grant_types: GrantType::each(&grant_types),
            redirect_uris: self.redirect_uris,
            session_id: random_id().map_err(internal)?,
            created_at: cx.clock.now(),
        })
    }
}

/// Registers an OAuth client
///
/// The secret is in this answer and nowhere else: only a hash of it is kept.
#[utoipa::path(
    post, path = "/api/v1/auth/clients", operation_id = "create_client", tag = "oauth",
    request_body = NewClient,
    responses(
        (status = 201, description = "The client, with its secret.", body = Envelope<ClientView>),
        (status = 400, description = "The body is not the JSON that is asked for.", body = ErrorBody),
        (status = 401, description = "No valid credentials.", body = ErrorBody),
        (status = 403, description = "The permission clients:write is missing.", body = ErrorBody),
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
    StrictJson { value, .. }: StrictJson<NewClient>,
) -> Result<Response, ApiError> {
    let mut client = value.check(&cx)?;
    let secret = match client.kind {
        Type::Public => None,
        Type::Confidential => Some(new_secret().map_err(internal)?),
    };
    client.secret_hash = secret.as_deref().map(hash_of);
    let details = json!({
        "type": client.kind.as_str(),
        "scopes": scope::written(&client.scopes),
        "redirect_uris": client.redirect_uris,
    });
    let record = Action::of(&caller, &cx, "client_create")
        .on(client.id.to_string())
        .with(details);
    let mut tx = auth.sessions.db.begin().await?;
    store::insert(&mut tx, &client).await?;
    auth.audit_log.append(&mut tx, &record.succeeded()).await?;
    tx.commit().await?;
    let view = ClientView::of(client, secret);
    let answer = cx.success(StatusCode::CREATED, view, serde_json::Map::new())?;
    Ok(with_cache_control(answer, "private, no-store"))
}

/// Lists the OAuth clients
///
/// The newest first, without their secrets.
#[utoipa::path(
    get, path = "/api/v1/auth/clients", operation_id = "list_clients", tag = "oauth", params(ListQuery),
    responses(
        (status = 200, description = "The clients.", body = Envelope<Vec<ClientView>>),
        (status = 400, description = "A parameter is unknown or stands twice.", body = ErrorBody),
        (status = 401, description = "No valid credentials.", body = ErrorBody),
        (status = 403, description = "The permission clients:write is missing.", body = ErrorBody),
        (status = 422, description = "A parameter cannot be right.", body = ErrorBody),
        (status = 503, description = "The store is down; try again after Retry-After.", body = ErrorBody),
    )
)]
async fn list(
    cx: Cx,
    State(auth): State<Auth>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let mut params = Params::read(query.as_deref(), &["limit", "cursor"])?;
    let limit = params.optional("limit", whole(1, 100));
    let cursor = params.optional("cursor", |text| {
        let id = text.parse::<ClientId>();
        id.map_err(|_| "must be meta.next_cursor of an answer".to_owned())
    });
    params.finish()?;
    let limit = limit.unwrap_or(20);
    let before = cursor.map(|id| id.to_string());
    let mut clients = store::page(
        &auth.sessions.db,
        before.as_deref(),
        limit.saturating_add(1),
    )
    .await?;
    let size = usize::try_from(limit).unwrap_or(100);
    let more = clients.len() > size;
    clients.truncate(size);
    let next = clients.last().filter(|_| more).map(|last| last.id);
    let views: Vec<ClientView> = clients
        .into_iter()
        .map(|client| ClientView::of(client, None))
        .collect();
    let mut meta = serde_json::Map::new();
    meta.insert("next_cursor".to_owned(), json!(next));
    let answer = cx.success(StatusCode::OK, views, meta)?;
    Ok(with_cache_control(answer, "private, no-store"))
}

/// Deletes an OAuth client
///
/// Whatever it was given ends: its own tokens, and those that it has for people.
#[utoipa::path(
    delete, path = "/api/v1/auth/clients/{id}", operation_id = "delete_client", tag = "oauth",
    params(("id" = String, Path, description = "The client's id.")),
    responses(
        (status = 204, description = "It is deleted."),
        (status = 401, description = "No valid credentials.", body = ErrorBody),
        (status = 403, description = "The permission clients:write is missing.", body = ErrorBody),
        (status = 404, description = "There is no such client.", body = ErrorBody),
        (status = 503, description = "The store is down; try again after Retry-After.", body = ErrorBody),
    )
)]
async fn delete(
    cx: Cx,
    caller: Caller,
    State(auth): State<Auth>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let record = Action::of(&caller, &cx, "client_delete");
    let known = id.parse::<ClientId>().is_ok();
    let mut tx = auth.sessions.db.begin().await?;
    let own = match known {
        true => store::delete(&mut tx, &id).await?,
        false => None,
    };
    let Some(own) = own else {
        tx.rollback().await?;
        let record = record.with(json!({"reason": "not_found"}));
        auth.audit_log.append_alone(&record.failed()).await?;
        return Err(ApiError::new(&codes::NOT_FOUND));
    };
    oauth_codes::delete_all_of_client(&mut tx, &id).await?;
    let mut ended = auth.sessions.end_all_of_client(&mut tx, &id).await?;
    let record = record
        .on(id)
        .with(json!({"ended_log_ins": ended.len()}))
        .succeeded();
    ended.push(own);
    let seq = auth.audit_log.append(&mut tx, &record).await?;
    auth.revocations
        .announce(&mut tx, seq, Kind::Session, &ended)
        .await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Gives an OAuth client a new secret
///
/// The old one is worth nothing at once, and so are the tokens that the client got for itself.
#[utoipa::path(
    post, path = "/api/v1/auth/clients/{id}/secret", tag = "oauth",
    params(("id" = String, Path, description = "The client's id.")),
    responses(
        (status = 200, description = "The client, with its new secret.", body = Envelope<ClientView>),
        (status = 400, description = "There is a body, and it is not empty JSON.", body = ErrorBody),
        (status = 401, description = "No valid credentials.", body = ErrorBody),
        (status = 403, description = "The permission clients:write is missing.", body = ErrorBody),
        (status = 404, description = "There is no such client.", body = ErrorBody),
        (status = 409, description = "It is a public client, or somebody else gives it a secret.", body = ErrorBody),
        (status = 413, description = "The body is larger than allowed.", body = ErrorBody),
        (status = 422, description = "The body is no object.", body = ErrorBody),
        (status = 503, description = "The store is down; try again after Retry-After.", body = ErrorBody),
    )
)]
async fn renew_secret(
    cx: Cx,
    caller: Caller,
    State(auth): State<Auth>,
    Path(id): Path<String>,
    _: NoBody,
) -> Result<Response, ApiError> {
    let record = Action::of(&caller, &cx, "client_secret_rotate");
    let client = match id.parse::<ClientId>() {
        Ok(_) => store::by_id(&auth.sessions.db, &id).await?,
        Err(_) => None,
    };
    let refused = |reason: &str| record.clone().with(json!({"reason": reason})).failed();
    let Some(mut client) = client else {
        auth.audit_log.append_alone(&refused("not_found")).await?;
        return Err(ApiError::new(&codes::NOT_FOUND));
    };
    if client.kind == Type::Public {
        auth.audit_log.append_alone(&refused("public")).await?;
        return Err(ApiError::new(&codes::CONFLICT).message(
            "A public client has no secret: it proves with PKCE that a code is its own.",
        ));
    }
    let secret = new_secret().map_err(internal)?;
    let session_id = random_id().map_err(internal)?;
    let record = record.clone().on(id).succeeded();
    let mut tx = auth.sessions.db.begin().await?;
    if !store::renew(&mut tx, &client, &hash_of(&secret), &session_id).await? {
        tx.rollback().await?;
        auth.audit_log.append_alone(&refused("contended")).await?;
        return Err(ApiError::new(&codes::CONFLICT));
    }
    let seq = auth.audit_log.append(&mut tx, &record).await?;
    let old = [std::mem::replace(&mut client.session_id, session_id)];
    auth.revocations
        .announce(&mut tx, seq, Kind::Session, &old)
        .await?;
    tx.commit().await?;
    let answer = cx.ok(ClientView::of(client, Some(secret)))?;
    Ok(with_cache_control(answer, "private, no-store"))
}
