//! The suppliers of hotels: one line each.

pub mod hotelbeds;
pub mod rapid;

use std::sync::Arc;

use vertical_kit::{Registration, Searcher};

use crate::HotelSearch;

/// A supplier that is switched on.
pub(crate) type HotelSupplier = Arc<dyn Searcher<HotelSearch>>;

/// The suppliers.
pub(crate) const SUPPLIERS: &[Registration<HotelSearch>] = &[
    Registration::new(hotelbeds::defaults, hotelbeds::configured),
    Registration::new(rapid::defaults, rapid::configured),
];
