//! The suppliers of hotels: one line each.

pub mod rapid;

use std::sync::Arc;

use vertical_kit::Searcher;

use crate::HotelSearch;

/// A supplier that is switched on.
pub(crate) type HotelSupplier = Arc<dyn Searcher<HotelSearch>>;
