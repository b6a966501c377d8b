//! Every endpoint of the service.

use auth::Permission;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use service_kit::openapi::ErrorBody;
use service_kit::{ApiError, Cx, Envelope, Need, Params, Routes, routes, whole};
use travel_types::Place;
use utoipa::OpenApi as _;
use vertical_kit::{CommonParams, Offer, SearchErrors, Shop, SupplierAccount};

use crate::model::{FlightDetails, FlightSearch};
use crate::query::SEARCHING;

/// The name in paths and answers.
pub(crate) const VERTICAL: &str = "flights";

type Flights = Shop<FlightSearch>;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "Interline flights", description = "Search, price, order and cancel flights."),
    tags((name = "flights", description = "Flights: search, price, order, cancel."),
         (name = "places", description = "Airports and cities.")),
    components(schemas(FlightDetails, SupplierAccount))
)]
struct Document;

/// What is this service's own; the rest is the kit's.
pub(crate) fn own() -> Routes<Flights> {
    Routes::new(Document::openapi())
        .route(
            Need::Permission(Permission::OffersRead),
            routes!(search_offers),
        )
        .route(
            Need::Permission(Permission::OffersRead),
            routes!(suggest_places),
        )
}

/// The service's document.
pub(crate) fn openapi() -> serde_json::Value {
    vertical_kit::document(own(), VERTICAL, "FlightDetails")
}

/// Searches flights
///
/// Asks every supplier at once, merges and ranks what came in time. `meta.suppliers` accounts for each;
/// `meta.partial` is true when one is missing. `cursor` pages through the same search without asking
/// again; the other parameters are then not needed.
#[utoipa::path(
    get, path = "/api/v1/flights/offers", tag = "flights",
    params(
        ("origin" = String, Query, pattern = "^[A-Z]{3}$", description = "IATA code of an airport or a city.", example = "LHR"),
        ("destination" = String, Query, pattern = "^[A-Z]{3}$", description = "IATA code of an airport or a city.", example = "JFK"),
        ("departure_date" = String, Query, format = Date, description = "Local date at the origin, YYYY-MM-DD.", example = "2026-12-21"),
        ("adults" = u32, Query, minimum = 1, maximum = 9, description = "12 years and older, 1 to 9.", example = 1),
        ("return_date" = Option<String>, Query, format = Date, description = "Local date of the way back, YYYY-MM-DD."),
        ("children" = Option<u32>, Query, minimum = 0, maximum = 8, description = "2 to 11 years."),
        ("infants" = Option<u32>, Query, minimum = 0, maximum = 9, description = "Below 2 years, at most one per adult."),
        ("cabin" = Option<crate::model::Cabin>, Query, description = "Class of service."),
        ("max_connections" = Option<u32>, Query, minimum = 0, maximum = 2, description = "Most changes of plane per direction, 0 to 2."),
        ("sort" = Option<String>, Query, pattern = "^(price|-price|duration|departure)$", description = "`price` (default), `-price`, `duration` or `departure`."),
        CommonParams,
    ),
    responses(
        (status = 200, description = "Offers, best first.", body = Envelope<Vec<Offer>>, links(("get_offer" = (operation_id = "get_offer", parameters(("offer_id" = "$response.body#/data/0/id")))))),
        SearchErrors,
    )
)]
async fn search_offers(
    cx: Cx,
    State(flights): State<Flights>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    flights
        .search_offers(&cx, query.as_deref(), &SEARCHING)
        .await
}

/// Finds airports and cities
#[utoipa::path(
    get, path = "/api/v1/places", tag = "places",
    params(
        ("query" = String, Query, min_length = 1, max_length = 100, pattern = r"^[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$", description = "What somebody typed: a code, or a part of a name.", example = "lon"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 100, description = "1 to 100, 20 by default."),
    ),
    responses(
        (status = 200, description = "Best match first; cities of several airports are places too.", body = Envelope<Vec<Place>>),
        (status = 400, description = "An unknown or repeated parameter.", body = ErrorBody),
        (status = 401, description = "No valid credentials.", body = ErrorBody),
        (status = 403, description = "The permission offers:read is missing.", body = ErrorBody),
        (status = 422, description = "A parameter breaks a rule.", body = ErrorBody),
    )
)]
async fn suggest_places(cx: Cx, RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    let mut params = Params::read(query.as_deref(), &["query", "limit"])?;
    let text = params.required("query", |text| {
        let fits = !text.trim().is_empty()
            && text.chars().count() <= 100
            && !text.chars().any(char::is_control);
        fits.then(|| text.to_owned()).ok_or_else(|| {
            "must have 1 to 100 characters, none of them control characters".to_owned()
        })
    });
    let limit = params.optional("limit", whole(1, 100)).unwrap_or(20);
    params.finish()?;
    let limit = usize::try_from(limit).unwrap_or(20);
    cx.ok(travel_types::suggest(&text.unwrap_or_default(), limit))
}
