//! The suppliers of flights: one line each.

mod amadeus;
pub mod duffel;

use std::sync::Arc;

use vertical_kit::{Registration, Searcher};

use crate::FlightSearch;

/// A supplier that is switched on.
pub(crate) type FlightSupplier = Arc<dyn Searcher<FlightSearch>>;

/// The suppliers.
pub(crate) const SUPPLIERS: &[Registration<FlightSearch>] = &[
    Registration::new(duffel::defaults, duffel::configured),
    Registration::new(amadeus::defaults, amadeus::configured),
];
