//! Every endpoint of the service.

use auth::Permission;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use service_kit::{ApiError, Cx, Envelope, Need, Routes, routes};
use utoipa::OpenApi as _;
use vertical_kit::{CommonParams, Offer, SearchErrors, Shop, SupplierAccount};

use crate::model::{HotelDetails, HotelSearch, PropertyOffers};
use crate::query::SEARCHING;

/// The name in paths and answers.
pub(crate) const VERTICAL: &str = "hotels";

type Hotels = Shop<HotelSearch>;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "Interline hotels", description = "Search, price, order and cancel hotel rooms."),
    tags((name = "hotels", description = "Hotels: search, price, order, cancel.")),
    components(schemas(HotelDetails, SupplierAccount))
)]
struct Document;

/// What is this service's own; the rest is the kit's.
pub(crate) fn own() -> Routes<Hotels> {
    Routes::new(Document::openapi()).route(
        Need::Permission(Permission::OffersRead),
        routes!(search_offers),
    )
}

/// The service's document.
pub(crate) fn openapi() -> serde_json::Value {
    vertical_kit::document(own(), VERTICAL, "HotelDetails")
}

/// An entry of a search's list.
#[derive(utoipa::ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "describes the answer in the OpenAPI document")]
enum SearchResult {
    Offer(Box<Offer>),
    Property(PropertyOffers),
}

/// Searches hotels
///
/// Asks every supplier at once, merges and ranks what came in time. An offer is one rate for all rooms;
/// offers of one hotel share `details.property.id`, whoever sells it, and `group_by=property` lists each
/// hotel once with its rates. Guests are spread over the rooms: adults as evenly as can be, then the
/// children one by one. `cursor` pages through the same search without asking again; the other
/// parameters are then not needed.
#[utoipa::path(
    get, path = "/api/v1/hotels/offers", tag = "hotels",
    params(
        ("destination" = Option<String>, Query, pattern = "^[A-Z]{3}$", description = "IATA code of a city or an airport. Either this, or latitude, longitude and radius_km.", example = "LON"),
        ("latitude" = Option<f64>, Query, minimum = -90, maximum = 90, description = "Degrees north of the point to search around."),
        ("longitude" = Option<f64>, Query, minimum = -180, maximum = 180, description = "Degrees east."),
        ("radius_km" = Option<f64>, Query, minimum = 0.1, maximum = 100, description = "Kilometres around the point, 0.1 to 100."),
        ("check_in" = String, Query, format = Date, description = "Day of arrival, YYYY-MM-DD.", example = "2026-12-21"),
        ("check_out" = String, Query, format = Date, description = "Day of departure, 1 to 28 nights later.", example = "2026-12-23"),
        ("rooms" = u32, Query, minimum = 1, maximum = 8, description = "Rooms, 1 to 8.", example = 1),
        ("adults" = u32, Query, minimum = 1, maximum = 32, description = "18 years and older, in all rooms together; at least one for each room.", example = 2),
        ("children_ages" = Option<String>, Query, pattern = "^([0-9]|1[0-7])(,([0-9]|1[0-7])){0,23}$", description = "Ages of the children on the day of arrival, 0 to 17, separated by commas, e.g. 4,9."),
        ("stars_min" = Option<f64>, Query, minimum = 0.5, maximum = 5, description = "Only hotels with at least so many stars."),
        ("free_cancellation" = Option<bool>, Query, description = "Only rates that can still be cancelled without cost."),
        ("board" = Option<crate::model::Board>, Query, description = "Only rates with exactly these meals."),
        ("sort" = Option<String>, Query, pattern = "^(price|-price|stars|distance)$", description = "`price` (default), `-price`, `stars` (most first) or `distance`."),
        ("group_by" = Option<String>, Query, pattern = "^property$", description = "`property`: one entry per hotel, with its rates."),
        CommonParams,
    ),
    responses(
        (status = 200, description = "Offers, or hotels with their offers, best first.", body = Envelope<Vec<SearchResult>>, links(("get_offer" = (operation_id = "get_offer", parameters(("offer_id" = "$response.body#/data/0/id")))))),
        SearchErrors,
    )
)]
async fn search_offers(
    cx: Cx,
    State(hotels): State<Hotels>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    hotels
        .search_offers(&cx, query.as_deref(), &SEARCHING)
        .await
}
