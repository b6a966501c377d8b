//! The suppliers of cars: one line each.

pub mod amadeus_transfers;
pub mod duffel_cars;

use std::sync::Arc;

use vertical_kit::{Registration, Searcher};

use crate::CarSearch;

/// A supplier that is switched on.
pub(crate) type CarSupplier = Arc<dyn Searcher<CarSearch>>;

/// The suppliers.
pub(crate) const SUPPLIERS: &[Registration<CarSearch>] = &[
    Registration::new(amadeus_transfers::defaults, amadeus_transfers::configured),
    Registration::new(duffel_cars::defaults, duffel_cars::configured),
];
