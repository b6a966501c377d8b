//! The operations that every vertical has in common, as thin handlers with their OpenAPI words. A
//! vertical nests them under its own path and adds its search.

use std::collections::BTreeSet;
use std::convert::Infallible;

use auth::Permission;
use axum::extract::{FromRequestParts, OriginalUri, Path, RawQuery, State};
use axum::response::Response;
use http::StatusCode;
use http::request::Parts;
use serde_json::{Map, Value};
use service_kit::openapi::ErrorBody;
use service_kit::{
    ApiError, Caller, Cx, Envelope, IdempotencyKeyHeader, Need, NoBody, Params, Routes, StrictJson,
    error::codes, routes, wants_problem_json, whole,
};
use storage::idempotency::{IdempotencyKey, fingerprint};
use travel_types::OrderId;
use utoipa::openapi::schema::Schema;
use utoipa::openapi::{OpenApi, Ref, RefOr};

use crate::desk::{Desk, call_within, in_time};
use crate::keyed::Keyed;
use crate::offer_store;
use crate::owned::Owned;

use crate::{Cancellation, NewOrder, Order, PriceChange, RepricedOffer};

/// The routes, relative to the vertical's own path.
pub fn routes() -> Routes<Desk> {
    Routes::default()
        .route(Need::Permission(Permission::OffersRead), routes!(get_offer))
        .route(
            Need::Permission(Permission::OrdersWrite),
            routes!(create_order),
        )
        .route(
            Need::Permission(Permission::OrdersRead),
            routes!(list_orders),
        )
        .route(Need::Permission(Permission::OrdersRead), routes!(get_order))
        .route(
            Need::Permission(Permission::OrdersRead),
            routes!(quote_cancellation),
        )
        .route(
            Need::Permission(Permission::OrdersRead),
            routes!(confirm_cancellation),
        )
}

/// Routes for the other services alone, with full paths. The gateway forwards nothing to them.
pub fn internal() -> Routes<Desk> {
    Routes::default().internal(
        Need::Login,
        "/internal/erasures",
        axum::routing::post(erase),
    )
}

/// Erases what is kept about the caller. Once or many times; 204.
async fn erase(
    caller: Caller,
    State(desk): State<Desk>,
    body: Result<NoBody, ApiError>,
) -> Result<StatusCode, ApiError> {
    body?;
    desk.0.ledger.erase(caller.subject()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Re-prices an offer
///
/// Asks the supplier for the offer's present price. A changed price carries `price_change`.
#[utoipa::path(
    get, path = "/offers/{offer_id}",
    params(("offer_id" = travel_types::OfferId, Path, description = "The offer's id.")),
    responses(
        (status = 200, description = "The offer at its present price.", body = Envelope<RepricedOffer>, links(
            ("create_order" = (
                operation_id = "create_order",
                description = "Orders the offer for one adult; each order needs an Idempotency-Key of its own.",
                request_body = json!({
                    "offer_id": "{$response.body#/data/id}",
                    "travellers": [{
                        "title": "ms", "given_name": "Amelia", "family_name": "Earhart",
                        "born_on": "1987-07-24", "gender": "female",
                    }],
                    "contact": {"email": "amelia@example.com", "phone": "+442080160509"},
                }),
            )),
        )),
        (status = 401, description = "No valid credentials.", body = ErrorBody),
        (status = 403, description = "The permission offers:read is missing.", body = ErrorBody),
        (status = 404, description = "There is no such offer.", body = ErrorBody),
        (status = 410, description = "The offer's time is over.", body = ErrorBody),
        (status = 502, description = "The supplier failed.", body = ErrorBody),
        (status = 503, description = "A part of the system is down or overloaded.", body = ErrorBody),
        (status = 504, description = "The supplier did not answer in time.", body = ErrorBody),
    )
)]
async fn get_offer(
    cx: Cx,
    State(desk): State<Desk>,
    Path(offer): Path<String>,
) -> Result<Response, ApiError> {
    let absent = || ApiError::new(&codes::NOT_FOUND);
    let id = offer.parse().map_err(|_| absent())?;
    let mut stored = offer_store::find(&desk.0.db, id)
        .await?
        .ok_or_else(absent)?;
    if stored.offer.expires_at <= desk.0.clock.now() {
        return Err(ApiError::new(&codes::OFFER_EXPIRED));
    }
    let supplier = desk.supplier(&stored.offer.supplier)?;
    let call = call_within(&cx, desk.0.numbers.search_deadline);
    let priced = in_time(&call, supplier.price(&call, &stored.handle))
        .await
        .map_err(|failure| match failure.kind {
            supplier_client::SupplierErrorKind::SoldOut => {
                ApiError::new(&codes::OFFER_EXPIRED).because(failure)
            }
            _ => crate::answers::supplier_failure(supplier.name(), &failure),
        })?;
    let old = stored.offer.total;
    let expiry = stored.offer.expires_at;
    let (offer, handle) = priced.into_offer(id, desk.0.vertical, supplier.name(), expiry);
    stored.handle = handle;
    let before = std::mem::replace(&mut stored.offer, offer);
    desk.carry_over(&call, before, &mut stored.offer).await?;
    offer_store::replace(&desk.0.db, &stored).await?;
    let new = stored.offer.total;
    let price_change = (old != new).then_some(PriceChange { old, new });
    cx.ok(RepricedOffer {
        offer: stored.offer,
        price_change,
    })
}

/// Orders an offer
///
/// Places one order with the offer's supplier, at its present price: at most `max_total`, else at most
/// the price that was last shown. 202 when the outcome is not yet known; the order then settles by
/// itself and can be read at `Location`.
#[utoipa::path(
    post, path = "/orders",
    params(("Idempotency-Key" = String, Header, pattern = "^[!-~]+$", min_length = 1, max_length = 255, description = "1 to 255 visible ASCII characters, fresh for each new order.")),
    request_body = NewOrder,
    responses(
        (status = 201, description = "The order is confirmed.", body = Envelope<Order>, links(
                ("get_order" = (operation_id = "get_order", parameters(("order_id" = "$response.body#/data/id")))),
                ("quote_cancellation" = (operation_id = "quote_cancellation", parameters(("order_id" = "$response.body#/data/id")))),
            )),
        (status = 202, description = "The outcome is not yet known.", body = Envelope<Order>, headers(("Location" = String, description = "The order, which settles by itself."))),
        (status = 400, description = "Not well-formed, an unknown field, or no Idempotency-Key.", body = ErrorBody),
        (status = 401, description = "No valid credentials.", body = ErrorBody),
        (status = 403, description = "The permission orders:write is missing.", body = ErrorBody),
        (status = 404, description = "There is no such offer.", body = ErrorBody),
        (status = 409, description = "Sold out, another price, refused, or the key is in use; nothing was ordered.", body = ErrorBody),
        (status = 410, description = "The offer's time is over.", body = ErrorBody),
        (status = 413, description = "The body is too large.", body = ErrorBody),
        (status = 415, description = "The body is not JSON.", body = ErrorBody),
        (status = 422, description = "A field breaks a rule, or the key was used with another body.", body = ErrorBody),
        (status = 502, description = "The supplier failed before anything was ordered.", body = ErrorBody),
        (status = 503, description = "A part of the system is down or overloaded.", body = ErrorBody),
        (status = 504, description = "The supplier did not answer in time, before anything was ordered.", body = ErrorBody),
    )
)]
async fn create_order(
    cx: Cx,
    caller: Caller,
    repeatable: Repeatable,
    State(desk): State<Desk>,
    body: Result<StrictJson<NewOrder>, ApiError>,
) -> Result<Response, ApiError> {
    let raw: &[u8] = body.as_ref().map_or(b"", |body| &body.raw);
    let keyed = repeatable.keyed(&desk, &caller, "orders", raw)?;
    desk.place(&cx, caller.subject(), keyed, body?.value).await
}

/// Lists one's own orders
#[utoipa::path(
    get, path = "/orders",
    params(
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 100, description = "1 to 100, 20 by default."),
        ("cursor" = Option<OrderId>, Query, description = "`meta.next_cursor` of the page before."),
        ("sort" = Option<String>, Query, pattern = "^-created_at$", description = "`-created_at`, newest first: the only order there is."),
    ),
    responses(
        (status = 200, description = "Newest first.", body = Envelope<Vec<Order>>),
        (status = 400, description = "An unknown or repeated parameter.", body = ErrorBody),
        (status = 401, description = "No valid credentials.", body = ErrorBody),
        (status = 403, description = "The permission orders:read is missing.", body = ErrorBody),
        (status = 422, description = "A parameter breaks a rule.", body = ErrorBody),
        (status = 503, description = "A part of the system is down or overloaded.", body = ErrorBody),
    )
)]
async fn list_orders(
    cx: Cx,
    caller: Caller,
    State(desk): State<Desk>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let mut params = Params::read(query.as_deref(), &["limit", "cursor", "sort"])?;
    let limit = params.optional("limit", whole(1, 100));
    params.optional("sort", |text| match text {
        "-created_at" => Ok(()),
        _ => Err("must be -created_at".to_owned()),
    });
    let before = params.optional("cursor", |text| {
        text.parse::<OrderId>()
            .map_err(|_| "must be a next_cursor of an earlier answer".to_owned())
    });
    params.finish()?;
    let limit = limit.unwrap_or(20);
    let mut orders = desk
        .0
        .ledger
        .orders_of(caller.subject(), before, limit + 1)
        .await?;
    let more = orders.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    if more {
        orders.pop();
    }
    let next = orders
        .last()
        .filter(|_| more)
        .map(|order| order.id.to_string());
    let mut meta = Map::new();
    meta.insert(
        "next_cursor".to_owned(),
        next.map_or(Value::Null, Value::String),
    );
    cx.success(StatusCode::OK, orders, meta)
}

/// Reads an order
#[utoipa::path(
    get, path = "/orders/{order_id}",
    params(("order_id" = OrderId, Path, description = "The order's id.")),
    responses(
        (status = 200, description = "The order with its history.", body = Envelope<Order>),
        (status = 401, description = "No valid credentials.", body = ErrorBody),
        (status = 403, description = "The permission orders:read is missing.", body = ErrorBody),
        (status = 404, description = "There is no such order, or it is somebody else's.", body = ErrorBody),
        (status = 503, description = "A part of the system is down or overloaded.", body = ErrorBody),
    )
)]
async fn get_order(
    cx: Cx,
    caller: Caller,
    State(desk): State<Desk>,
    Path(order): Path<String>,
) -> Result<Response, ApiError> {
    let absent = || ApiError::new(&codes::NOT_FOUND);
    let id = order.parse().map_err(|_| absent())?;
    let found = desk.0.ledger.order(id).await?;
    let order = Owned::open(found, &caller.0, Some(Permission::OrdersReadAny))?;
    cx.ok(desk.0.ledger.shown_one(order).await?)
}

/// Asks what cancelling would bring
///
/// Answers a quote. Nothing is cancelled yet.
#[utoipa::path(
    post, path = "/orders/{order_id}/cancellations",
    params(
        ("order_id" = OrderId, Path, description = "The order's id."),
        ("Idempotency-Key" = Option<String>, Header, pattern = "^[!-~]+$", min_length = 1, max_length = 255, description = "1 to 255 visible ASCII characters. With it, a repeat gets the same quote."),
    ),
    responses(
        (status = 201, description = "The quote.", body = Envelope<Cancellation>, links(("confirm_cancellation" = (operation_id = "confirm_cancellation", parameters(("cancellation_id" = "$response.body#/data/id")))))),
        (status = 400, description = "The Idempotency-Key is not well-formed, or there is a body that is not empty.", body = ErrorBody),
        (status = 401, description = "No valid credentials.", body = ErrorBody),
        (status = 403, description = "The permission orders:read is missing.", body = ErrorBody),
        (status = 404, description = "There is no such order, or it is somebody else's.", body = ErrorBody),
        (status = 409, description = "The order is not confirmed, the supplier refuses, or the key is in use.", body = ErrorBody),
        (status = 422, description = "The supplier cannot cancel, or the key was used for another order.", body = ErrorBody),
        (status = 502, description = "The supplier failed.", body = ErrorBody),
        (status = 503, description = "A part of the system is down or overloaded.", body = ErrorBody),
        (status = 504, description = "The supplier did not answer in time.", body = ErrorBody),
    )
)]
async fn quote_cancellation(
    cx: Cx,
    caller: Caller,
    repeatable: Repeatable,
    State(desk): State<Desk>,
    Path(order): Path<String>,
    body: Result<NoBody, ApiError>,
) -> Result<Response, ApiError> {
    body?;
    let id = order
        .parse()
        .map_err(|_| ApiError::new(&codes::NOT_FOUND))?;
    let keyed = match repeatable.keyed(&desk, &caller, "quotes", b"") {
        Err(error) if error.code() == codes::IDEMPOTENCY_KEY_REQUIRED.code => None,
        keyed => Some(keyed?),
    };
    desk.quote_cancellation(&cx, &caller.0, keyed, id).await
}

/// Carries a cancellation quote out
///
/// 202 when the outcome is not yet known; the order at `Location` then settles by itself.
#[utoipa::path(
    post, path = "/cancellations/{cancellation_id}/confirm",
    params(
        ("cancellation_id" = travel_types::CancellationId, Path, description = "The quote's id."),
        ("Idempotency-Key" = String, Header, pattern = "^[!-~]+$", min_length = 1, max_length = 255, description = "1 to 255 visible ASCII characters, fresh for each new confirmation."),
    ),
    responses(
        (status = 200, description = "The order is cancelled.", body = Envelope<Cancellation>),
        (status = 202, description = "The outcome is not yet known.", body = Envelope<Cancellation>, headers(("Location" = String, description = "The order, which settles by itself."))),
        (status = 400, description = "No Idempotency-Key, or there is a body that is not empty.", body = ErrorBody),
        (status = 401, description = "No valid credentials.", body = ErrorBody),
        (status = 403, description = "The permission orders:read is missing.", body = ErrorBody),
        (status = 404, description = "There is no such quote, or it is somebody else's.", body = ErrorBody),
        (status = 409, description = "Confirmed before, refused, or the key is in use.", body = ErrorBody),
        (status = 410, description = "The quote's time is over; nothing was cancelled.", body = ErrorBody),
        (status = 422, description = "The key was used for another confirmation.", body = ErrorBody),
        (status = 502, description = "The supplier failed before anything was cancelled.", body = ErrorBody),
        (status = 503, description = "A part of the system is down or overloaded.", body = ErrorBody),
        (status = 504, description = "The supplier did not answer in time, before anything was cancelled.", body = ErrorBody),
    )
)]
async fn confirm_cancellation(
    cx: Cx,
    caller: Caller,
    repeatable: Repeatable,
    State(desk): State<Desk>,
    Path(cancellation): Path<String>,
    body: Result<NoBody, ApiError>,
) -> Result<Response, ApiError> {
    body?;
    let id = cancellation
        .parse()
        .map_err(|_| ApiError::new(&codes::NOT_FOUND))?;
    let keyed = repeatable.keyed(&desk, &caller, "cancellations", b"")?;
    desk.confirm_cancellation(&cx, &caller.0, keyed, id).await
}

/// What makes a repeated request known as one.
struct Repeatable {
    key: Result<IdempotencyKeyHeader, ApiError>,
    path: String,
    problem_json: bool,
}

impl<S: Send + Sync> FromRequestParts<S> for Repeatable {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let OriginalUri(uri) = OriginalUri::from_request_parts(parts, state).await?;
        Ok(Self {
            key: IdempotencyKeyHeader::from_request_parts(parts, state).await,
            path: uri.path().to_owned(),
            problem_json: wants_problem_json(&parts.headers),
        })
    }
}

impl Repeatable {
    /// Both the client's key and the body may name people: of both, keyed fingerprints are kept.
    ///
    /// # Errors
    /// 400 when there is no key, or it is not well-formed.
    fn keyed(
        self,
        desk: &Desk,
        caller: &Caller,
        operation: &str,
        body: &[u8],
    ) -> Result<Keyed, ApiError> {
        let vault = &desk.0.ledger.vault;
        Ok(Keyed {
            key: IdempotencyKey {
                caller: caller.subject().to_owned(),
                route: operation.to_owned(),
                key: vault.index("idempotency key", &self.key?.0),
            },
            fingerprint: vault.index("request", &fingerprint("POST", &self.path, body)),
            problem_json: self.problem_json,
            path: self.path,
        })
    }
}

/// Completes the document of a vertical: every operation gets its tag, `details` of offers and orders is
/// described by the vertical's own component instead of as any object, and the components that hold such
/// details get the vertical's name in front, e.g. `FlightOrder`: another vertical's are others.
pub fn complete(mut document: OpenApi, tag: &str, details: &str) -> Value {
    for item in document.paths.paths.values_mut() {
        for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
            operation.tags.get_or_insert_with(|| vec![tag.to_owned()]);
        }
    }
    let own = RefOr::Ref(Ref::from_schema_name(details));
    let schemas = document.components.iter_mut();
    for schema in schemas.flat_map(|components| components.schemas.values_mut()) {
        describe_details(schema, &own);
    }
    let mut written = service_kit::openapi::written(&document);
    let prefix = details.strip_suffix("Details").unwrap_or(details);
    let names = dependent_on(&written, details);
    rename(&mut written, &names, prefix);
    written
}

const COMPONENT: &str = "#/components/schemas/";

/// The names of the components that refer to `root`, themselves or through another.
fn dependent_on(document: &Value, root: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::from([root.to_owned()]);
    let schemas = document.pointer("/components/schemas");
    let schemas = schemas.and_then(Value::as_object);
    loop {
        let more: Vec<String> = schemas
            .into_iter()
            .flatten()
            .filter(|(name, schema)| !names.contains(*name) && refers(schema, &names))
            .map(|(name, _)| name.clone())
            .collect();
        if more.is_empty() {
            names.remove(root);
            return names;
        }
        names.extend(more);
    }
}

/// Whether a schema names one of these components.
fn refers(schema: &Value, names: &BTreeSet<String>) -> bool {
    match schema {
        Value::String(text) => text
            .strip_prefix(COMPONENT)
            .is_some_and(|name| names.contains(name)),
        Value::Array(items) => items.iter().any(|item| refers(item, names)),
        Value::Object(map) => map.values().any(|item| refers(item, names)),
        _ => false,
    }
}

fn rename(value: &mut Value, names: &BTreeSet<String>, prefix: &str) {
    match value {
        Value::String(text) => {
            let name = text.strip_prefix(COMPONENT);
            if let Some(name) = name.filter(|name| names.contains(*name)) {
                *text = format!("{COMPONENT}{prefix}{name}");
            }
        }
        Value::Array(items) => {
            for item in items {
                rename(item, names, prefix);
            }
        }
        Value::Object(map) => {
            for item in map.values_mut() {
                rename(item, names, prefix);
            }
            for name in names {
                // Only components are objects that are named like components.
                if map.get(name).is_some_and(Value::is_object)
                    && let Some(schema) = map.remove(name)
                {
                    map.insert(format!("{prefix}{name}"), schema);
                }
            }
        }
        _ => {}
    }
}

fn describe_details(schema: &mut RefOr<Schema>, own: &RefOr<Schema>) {
    let RefOr::T(schema) = schema else {
        return;
    };
    match schema {
        Schema::Object(object) => {
            let of_ours = ["supplier", "vertical"]
                .into_iter()
                .all(|key| object.properties.contains_key(key));
            for (name, property) in &mut object.properties {
                if of_ours && name == "details" {
                    *property = own.clone();
                } else {
                    describe_details(property, own);
                }
            }
        }
        Schema::Array(array) => {
            if let utoipa::openapi::schema::ArrayItems::RefOrSchema(items) = &mut array.items {
                describe_details(items, own);
            }
        }
        Schema::AllOf(all) => {
            for item in &mut all.items {
                describe_details(item, own);
            }
        }
        _ => {}
    }
}
