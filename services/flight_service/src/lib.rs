//! Flights: what a search for a flight means, what a flight offer shows, which rules hold for its
//! passengers, and the suppliers that sell it. The life of offers and orders is the vertical kit's.

mod model;
mod routes;
mod rules;
pub mod suppliers;

use std::borrow::Cow;
use std::sync::Arc;

use service_kit::{Access, App, Check, Context, ServiceSpec, StartError};
use vertical_kit::{Desk, DeskParts, Searcher};

pub use model::{Cabin, FlightDetails, FlightSearch};

/// The service.
pub fn service() -> ServiceSpec {
    let mut config = vec![Cow::Borrowed(vertical_kit::CONFIG)];
    config.extend(suppliers::defaults().into_iter().map(Cow::Owned));
    config.push(Cow::Borrowed(include_str!("../config.default.toml")));
    ServiceSpec {
        name: "flight_service",
        access: Access::Gateway,
        config,
        openapi: routes::openapi,
        build: |context| Box::pin(build(context)),
    }
}

async fn build(context: Context) -> Result<App, StartError> {
    let suppliers = suppliers::configured(&context)?;
    let parts = DeskParts {
        vertical: routes::VERTICAL,
        suppliers: suppliers
            .iter()
            .map(|supplier| {
                let seller: Arc<dyn vertical_kit::Supplier> =
                    Arc::<dyn Searcher<_>>::clone(supplier);
                seller
            })
            .collect(),
        rules: Arc::new(rules::PassengerRules),
    };
    let desk = Desk::open(&context, parts).await?;
    let db = desk.db().clone();
    let store = Check::required("store", move || {
        let db = db.clone();
        async move { db.ping().await.map_err(|error| error.to_string()) }
    });
    Ok(App {
        router: routes::router(desk, suppliers),
        checks: vec![store],
    })
}
