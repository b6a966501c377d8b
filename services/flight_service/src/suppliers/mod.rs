//! The suppliers of flights: one line each.

pub mod duffel;

use std::sync::Arc;

use service_kit::{Context, StartError};
use supplier_client::SupplierMetrics;
use vertical_kit::Searcher;

use crate::FlightSearch;

/// A supplier that is switched on.
pub(crate) type FlightSupplier = Arc<dyn Searcher<FlightSearch>>;

/// How a supplier is made from the configuration; none when it is switched off.
type Make = fn(&Context, &SupplierMetrics) -> Result<Option<FlightSupplier>, StartError>;

/// The common keys of each supplier, and how it is made.
const SUPPLIERS: [(fn() -> String, Make); 1] = [(duffel::defaults, duffel::configured)];

/// The default documents of all suppliers.
pub(crate) fn defaults() -> Vec<String> {
    SUPPLIERS.iter().map(|(defaults, _)| defaults()).collect()
}

/// The suppliers that are switched on.
pub(crate) fn configured(context: &Context) -> Result<Vec<FlightSupplier>, StartError> {
    let metrics = SupplierMetrics::register(&context.metrics)?;
    let mut suppliers = Vec::new();
    for (_, make) in SUPPLIERS {
        suppliers.extend(make(context, &metrics)?);
    }
    Ok(suppliers)
}
