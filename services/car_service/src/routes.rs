//! Every endpoint of the service.

use auth::Permission;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use service_kit::{ApiError, Cx, Envelope, Need, Routes, routes};
use utoipa::OpenApi as _;
use vertical_kit::{CommonParams, Offer, SearchErrors, Shop, SupplierAccount};

use crate::model::{CarDetails, CarKind, CarSearch, Transmission};
use crate::query::SEARCHING;

/// The name in paths and answers.
pub(crate) const VERTICAL: &str = "cars";

type Cars = Shop<CarSearch>;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "Interline cars", description = "Search, price, order and cancel rental cars and transfers."),
    tags((name = "cars", description = "Cars: search, price, order, cancel.")),
    components(schemas(CarDetails, SupplierAccount))
)]
struct Document;

/// What is this service's own; the rest is the kit's.
pub(crate) fn own() -> Routes<Cars> {
    Routes::new(Document::openapi()).route(
        Need::Permission(Permission::OffersRead),
        routes!(search_offers),
    )
}

/// The service's document.
pub(crate) fn openapi() -> serde_json::Value {
    vertical_kit::document(own(), VERTICAL, "CarDetails")
}

/// Searches cars and transfers
///
/// Asks every supplier at once, merges and ranks what came in time. Rental cars are priced for the
/// driver's age; transfers are rides with a driver from the place of pick-up. `cursor` pages through the
/// same search without asking again; the other parameters are then not needed.
#[utoipa::path(
    get, path = "/api/v1/cars/offers", tag = "cars",
    params(
        ("pickup" = String, Query, pattern = "^[A-Z]{3}$", description = "IATA code of the airport or city where the car is taken.", example = "LHR"),
        ("dropoff" = Option<String>, Query, pattern = "^[A-Z]{3}$", description = "Where it is given back; the same place if absent."),
        ("pickup_at" = String, Query, pattern = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?$", description = "Local time at the place, without an offset.", example = "2026-12-21T10:00"),
        ("dropoff_at" = String, Query, pattern = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?$", description = "Local time at the place, an hour to 90 days later.", example = "2026-12-24T10:00"),
        ("driver_age" = u32, Query, minimum = 18, maximum = 99, description = "The driver's age in years on the day of pick-up.", example = 35),
        ("driver_country" = Option<String>, Query, pattern = "^[A-Z]{2}$", description = "Where the driver lives (ISO 3166-1); the country of pick-up if absent."),
        ("passengers" = Option<u32>, Query, minimum = 1, maximum = 16, description = "How many people ride, for transfers; 1 by default."),
        ("kind" = Option<CarKind>, Query, description = "Only rental cars, or only transfers."),
        ("class" = Option<String>, Query, pattern = r"^[A-Z*]{1,4}$", description = "Only rental cars of this ACRISS code, or of the part that is given: C, C**A.", example = "C***"),
        ("transmission" = Option<Transmission>, Query, description = "Only cars with these gears."),
        ("sort" = Option<String>, Query, pattern = "^(price|-price|seats)$", description = "`price` (default), `-price` or `seats` (most first)."),
        CommonParams,
    ),
    responses(
        (status = 200, description = "Offers, best first.", body = Envelope<Vec<Offer>>, links(("get_offer" = (operation_id = "get_offer", parameters(("offer_id" = "$response.body#/data/0/id")))))),
        SearchErrors,
    )
)]
async fn search_offers(
    cx: Cx,
    State(cars): State<Cars>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    cars.search_offers(&cx, query.as_deref(), &SEARCHING).await
}
