//! Flights: what a search for a flight means, what a flight offer shows, which rules hold for its
//! passengers, and the suppliers that sell it. The life of offers and orders is the vertical kit's.

mod mapping;
mod model;
mod query;
mod ranking;
mod routes;
mod rules;
pub mod suppliers;

use std::sync::Arc;

use service_kit::{Access, App, Context, ServiceSpec, StartError};
use vertical_kit::{Shop, VerticalParts};

pub use model::{Cabin, FlightDetails, FlightSearch};

/// The service.
pub fn service() -> ServiceSpec {
    ServiceSpec {
        name: "flight_service",
        access: Access::Gateway,
        config: vertical_kit::config(suppliers::SUPPLIERS, include_str!("../config.default.toml")),
        openapi: routes::openapi,
        build: |context| Box::pin(build(context)),
    }
}

async fn build(context: Context) -> Result<App, StartError> {
    let parts = VerticalParts {
        name: routes::VERTICAL,
        suppliers: suppliers::SUPPLIERS,
        rules: Arc::new(rules::PassengerRules),
        assortment: Arc::new(ranking::Flights),
    };
    let shop = Shop::open(&context, parts).await?;
    Ok(shop.app(routes::own()))
}
