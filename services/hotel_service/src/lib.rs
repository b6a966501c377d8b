//! Hotels: what a search for a room means, what a rate shows, which rules hold for its guests, which
//! hotels of several suppliers are the same, and the suppliers that sell them. The life of offers and
//! orders is the vertical kit's.

mod cancellation;
mod model;
mod properties;
mod query;
mod ranking;
mod routes;
mod rules;
mod same_hotel;
pub mod suppliers;

use std::sync::Arc;

use service_kit::{Access, App, Context, ServiceSpec, StartError};
use vertical_kit::{Shop, VerticalParts};

pub use model::*;

/// The service.
pub fn service() -> ServiceSpec {
    ServiceSpec {
        name: "hotel_service",
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
        rules: Arc::new(rules::GuestRules),
        assortment: Arc::new(ranking::Hotels),
    };
    let shop = Shop::open(&context, parts).await?;
    Ok(shop.app(routes::own()))
}
