//! The suppliers of cars: one line each.

use std::sync::Arc;

use vertical_kit::Searcher;

use crate::CarSearch;

/// A supplier that is switched on.
pub(crate) type CarSupplier = Arc<dyn Searcher<CarSearch>>;
