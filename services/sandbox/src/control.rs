//! The sandbox's own endpoints under `/_control`: the journal of real effects, the faults, the
//! inventory and the reset; those of the mailbox stand with it. They are no part of any supplier.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{OpenApi, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Sandbox;
use crate::faults::{BadField, Fault, FaultBody};
use crate::journal::{Effect, Kind, Line};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Interline sandbox",
        description = "Simulators of travel suppliers, and the controls that tests need over them."
    ),
    tags(
        (name = "control", description = "Journal, faults, inventory, mailbox, reset"),
        (name = "mail", description = "Where the system's mail goes"),
        (name = "health", description = "Is it up")
    )
)]
struct Document;

/// A list of things.
#[derive(Serialize, ToSchema)]
pub(crate) struct List<T> {
    pub(crate) data: Vec<T>,
}

/// What is left to sell of one item.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Remaining {
    /// For flights: flight, date and cabin; for other suppliers, as their inventory lists them.
    #[schema(example = "ZZ117/2026-12-01/economy")]
    item: String,
    remaining: u32,
}

/// Why a control request was refused.
#[derive(Serialize, ToSchema)]
pub(crate) struct Refused {
    errors: Vec<Reason>,
}

#[derive(Serialize, ToSchema)]
struct Reason {
    /// The field, parameter or path segment that is wrong.
    field: String,
    message: String,
}

pub(crate) fn refuse(status: StatusCode, field: &str, message: impl Into<String>) -> Response {
    let reason = Reason {
        field: field.to_owned(),
        message: message.into(),
    };
    let errors = vec![reason];
    (status, Json(Refused { errors })).into_response()
}

fn unknown_supplier(sandbox: &Sandbox) -> Response {
    let names: Vec<&str> = sandbox.names().collect();
    let message = format!("unknown supplier; known are {}", names.join(", "));
    refuse(StatusCode::NOT_FOUND, "supplier", message)
}

/// The control endpoints and the OpenAPI document that describes them.
pub(crate) fn router(sandbox: Arc<Sandbox>) -> (axum::Router, utoipa::openapi::OpenApi) {
    let (router, document) = routes().split_for_parts();
    (router.with_state(sandbox), document)
}

/// The description of the control endpoints.
pub(crate) fn document() -> utoipa::openapi::OpenApi {
    routes().into_openapi()
}

fn routes() -> OpenApiRouter<Arc<Sandbox>> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(journal))
        .routes(routes!(list_faults, clear_faults))
        .routes(routes!(add_fault))
        .routes(routes!(list_inventory, set_inventory))
        .merge(crate::mailbox::routes())
        .routes(routes!(reset))
        .routes(routes!(live))
        .routes(routes!(ready))
}

/// The real effects, oldest first.
#[utoipa::path(
    get,
    path = "/_control/journal",
    tag = "control",
    params(
        ("supplier" = Option<String>, Query, description = "Only this supplier's effects"),
        ("since" = Option<String>, Query, description = "Only effects after this `seq`, or at or after this RFC 3339 instant")
    ),
    responses(
        (status = 200, description = "Effects", body = List<Effect>),
        (status = 422, description = "`since` is neither a number nor an instant", body = Refused)
    )
)]
async fn journal(State(sandbox): State<Arc<Sandbox>>, RawQuery(query): RawQuery) -> Response {
    let mut supplier = None;
    let mut after = 0;
    let mut from = Timestamp::MIN;
    let query = query.unwrap_or_default();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "supplier" if value.is_empty() => {}
            "supplier" => supplier = Some(value.into_owned()),
            "since" => match (value.parse::<u64>(), value.parse::<Timestamp>()) {
                (Ok(seq), _) => after = seq,
                (_, Ok(instant)) => from = instant,
                _ if value.is_empty() => {}
                _ => {
                    let message = "must be a seq number or an RFC 3339 instant";
                    return refuse(StatusCode::UNPROCESSABLE_ENTITY, "since", message);
                }
            },
            unknown => {
                let message = "unknown parameter; known are supplier, since";
                return refuse(StatusCode::UNPROCESSABLE_ENTITY, unknown, message);
            }
        }
    }
    let lines = sandbox.journal.lines().await;
    let data = lines
        .iter()
        .map(|line| &line.effect)
        .filter(|effect| effect.kind != Kind::Stock)
        .filter(|effect| {
            supplier
                .as_deref()
                .is_none_or(|name| effect.supplier == name)
        })
        .filter(|effect| effect.seq > after && effect.at >= from)
        .cloned()
        .collect();
    Json(List { data }).into_response()
}

/// The faults that are on, with how often they will still strike.
#[utoipa::path(
    get,
    path = "/_control/faults",
    tag = "control",
    responses((status = 200, description = "Faults", body = List<Fault>))
)]
async fn list_faults(State(sandbox): State<Arc<Sandbox>>) -> Json<List<Fault>> {
    Json(List {
        data: sandbox.faults.list(),
    })
}

/// Switches every fault off.
#[utoipa::path(
    delete,
    path = "/_control/faults",
    tag = "control",
    responses((status = 204, description = "All faults are off"))
)]
async fn clear_faults(State(sandbox): State<Arc<Sandbox>>) -> StatusCode {
    sandbox.faults.clear();
    StatusCode::NO_CONTENT
}

/// Adds a fault to one supplier.
#[utoipa::path(
    put,
    path = "/_control/faults/{supplier}",
    tag = "control",
    params(("supplier" = String, Path, description = "Such as `duffel`")),
    request_body = FaultBody,
    responses(
        (status = 200, description = "The fault is on", body = Fault),
        (status = 404, description = "Unknown supplier", body = Refused),
        (status = 422, description = "A field is unknown or has no known value", body = Refused)
    )
)]
async fn add_fault(
    State(sandbox): State<Arc<Sandbox>>,
    Path(supplier): Path<String>,
    body: Bytes,
) -> Response {
    if sandbox.office(&supplier).is_none() {
        return unknown_supplier(&sandbox);
    }
    match Fault::parse(&supplier, &body) {
        Ok(fault) => {
            sandbox.faults.add(fault.clone());
            Json(fault).into_response()
        }
        Err(BadField { field, message }) => {
            refuse(StatusCode::UNPROCESSABLE_ENTITY, &field, message)
        }
    }
}

/// What is left to sell of every item that was searched, sold or set.
#[utoipa::path(
    get,
    path = "/_control/inventory/{supplier}",
    tag = "control",
    params(("supplier" = String, Path, description = "Such as `duffel`")),
    responses(
        (status = 200, description = "Items", body = List<Remaining>),
        (status = 404, description = "Unknown supplier", body = Refused)
    )
)]
async fn list_inventory(
    State(sandbox): State<Arc<Sandbox>>,
    Path(supplier): Path<String>,
) -> Response {
    let Some(office) = sandbox.office(&supplier) else {
        return unknown_supplier(&sandbox);
    };
    let data = office
        .inventory
        .list()
        .into_iter()
        .map(|(item, remaining)| Remaining { item, remaining })
        .collect();
    Json(List { data }).into_response()
}

/// Sets what is left to sell of one item.
#[utoipa::path(
    put,
    path = "/_control/inventory/{supplier}",
    tag = "control",
    params(("supplier" = String, Path, description = "Such as `duffel`")),
    request_body = Remaining,
    responses(
        (status = 200, description = "It is set", body = Remaining),
        (status = 404, description = "Unknown supplier", body = Refused),
        (status = 422, description = "No such item can exist, or the body is wrong", body = Refused)
    )
)]
async fn set_inventory(
    State(sandbox): State<Arc<Sandbox>>,
    Path(supplier): Path<String>,
    body: Bytes,
) -> Response {
    let Some(office) = sandbox.office(&supplier) else {
        return unknown_supplier(&sandbox);
    };
    let stock: Remaining = match serde_json::from_slice(&body) {
        Ok(stock) => stock,
        Err(error) => {
            return refuse(StatusCode::UNPROCESSABLE_ENTITY, "", error.to_string());
        }
    };
    if office.inventory.capacity(&stock.item) == 0 {
        let message = format!("must name an item such as {}", office.example_item);
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, "item", message);
    }
    let line = Line {
        effect: Effect {
            seq: 0,
            at: sandbox.clock.now(),
            supplier,
            kind: Kind::Stock,
            supplier_reference: String::new(),
            client_reference: None,
            amount: None,
            currency: None,
            item: Some(stock.item.clone()),
        },
        record: Value::from(stock.remaining),
    };
    if let Err(error) = sandbox.journal.append(line).await {
        return refuse(StatusCode::INTERNAL_SERVER_ERROR, "", error.to_string());
    }
    office.inventory.set(&stock.item, stock.remaining);
    Json(stock).into_response()
}

/// Fresh inventory, orders, journal and mailbox; all faults off.
#[utoipa::path(
    post,
    path = "/_control/reset",
    tag = "control",
    responses((status = 204, description = "Everything is as on the first day"))
)]
async fn reset(State(sandbox): State<Arc<Sandbox>>) -> Response {
    sandbox.faults.clear();
    sandbox.mailbox.clear();
    if let Err(error) = sandbox.journal.reset().await {
        return refuse(StatusCode::INTERNAL_SERVER_ERROR, "", error.to_string());
    }
    for simulator in &sandbox.simulators {
        simulator.reset();
        simulator.office().inventory.reset();
    }
    StatusCode::NO_CONTENT.into_response()
}

/// The process answers.
#[utoipa::path(
    get,
    path = "/health/live",
    tag = "health",
    responses((status = 200, description = "Alive"))
)]
async fn live() -> Json<Value> {
    Json(serde_json::json!({ "status": "pass" }))
}

/// It serves. The journal was read before it listened, and it depends on nothing else.
#[utoipa::path(
    get,
    path = "/health/ready",
    tag = "health",
    responses((status = 200, description = "Ready"))
)]
async fn ready() -> Json<Value> {
    Json(serde_json::json!({ "status": "pass" }))
}
